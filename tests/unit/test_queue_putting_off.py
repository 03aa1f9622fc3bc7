"""How long a debt may be put off, by whom, and in which words it is refused (R14, R31)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from actors import enlist

from callcenter.domain.people import Person, Phone
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import Role, User
from callcenter.errors import Refused
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.followup import handling
from callcenter.service.risk.cases import follow
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules
from scheduler.obligations import URGENT_PRIORITY, Kind, Mode, Obligation
from scheduler.windows import Windows

NOW = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
RULES = Rules()


@pytest.fixture
def work() -> Iterator[UnitOfWork]:
    """沈建国 and 陈梦瑶, who is in danger once `in_danger` says so. Two counsellors, a supervisor."""
    with MemoryStore()() as unit:
        enlist(unit)
        unit.users.add(User(code="c018", name="沈洁", roles=frozenset({Role.COUNSELLOR})))
        for n, name in ((1, "沈建国"), (3, "陈梦瑶")):
            phone = Phone(number=f"1380000000{n}")
            unit.people.add(Person(id=f"p{n}", code=f"P-{n}", name=name, phones=(phone,)))
        yield unit


def in_danger(work: UnitOfWork, level: str = "plan_soon") -> None:
    follow(
        work,
        session=SessionRow(id="se-3", call="3", counsellor="c017", opened_at=NOW - DAY),
        person="p3",
        answers=RiskAnswers(asked=True, **{level: True}),  # type: ignore[arg-type]
        ended_at=NOW - DAY,
        actor="c017",
        now=NOW - DAY,
        rules=RULES,
    )


def owed(work: UnitOfWork, kind: Kind = Kind.CALLBACK, **more: object) -> Obligation:
    plain = Obligation(
        id="ob-owed",
        person="p1",
        kind=kind,
        due_at=NOW - HOUR,
        window_end=NOW + 3 * DAY,
        mode=Mode.HUMAN_ONLY,
        priority=3,
        origin="x",
        created_at=NOW - HOUR,
    )
    one = replace(plain, **more)  # type: ignore[arg-type]
    assert work.debts.add(one)
    return one


def snooze(
    work: UnitOfWork, until: datetime, *, actor: str = "c017", now: datetime = NOW, rules: Rules = RULES
) -> Obligation:
    return handling.snooze(
        work, "ob-owed", until, reason="本人说下班后方便", actor=actor, now=now, rules=rules
    )


# --- how long ------------------------------------------------------------------------------


def test_r31_what_a_plan_calls_for_is_put_off_until_its_window_ends_and_no_longer(work: UnitOfWork) -> None:
    one = owed(work, Kind.PLANNED)
    with pytest.raises(Refused, match=r"计划内的联系最迟推迟到它自己的期限.*11-27 10:00"):
        snooze(work, one.window_end + MINUTE)
    assert snooze(work, one.window_end).snoozed_until == one.window_end
    with pytest.raises(Refused, match="已经逾期"):
        snooze(work, one.window_end + 2 * HOUR, now=one.window_end + HOUR)


def test_a_plan_whose_window_ends_within_the_hour_is_put_off_that_hour(work: UnitOfWork) -> None:
    one = owed(work, Kind.PLANNED, window_end=NOW + HOUR)
    with pytest.raises(Refused, match="它自己的期限"):
        snooze(work, one.window_end + MINUTE)
    assert snooze(work, one.window_end).snoozed_until == one.window_end


@pytest.mark.parametrize("kind", [Kind.CALLBACK, Kind.MISSED_CALL, Kind.MESSAGE])
def test_r14_what_is_urgent_is_put_off_four_hours_and_not_past_four_after_its_breach(
    work: UnitOfWork, kind: Kind
) -> None:
    one = owed(work, kind, priority=URGENT_PRIORITY, window_end=NOW - HOUR)
    with pytest.raises(Refused, match=r"处境危险的人的事，一次最多推迟 4 小时.*11-24 13:00"):
        snooze(work, one.window_end + 4 * HOUR + MINUTE)
    assert snooze(work, one.window_end + 4 * HOUR).snoozed_until == one.window_end + 4 * HOUR
    with pytest.raises(Refused, match="已经逾期"):
        snooze(work, NOW + 5 * HOUR, now=NOW + 4 * HOUR)


def test_r14_whatever_else_somebody_at_level_1_is_owed_is_put_off_four_hours(work: UnitOfWork) -> None:
    in_danger(work)
    owed(work, person="p3")
    with pytest.raises(Refused, match="最多推迟 4 小时"):
        snooze(work, NOW + 4 * HOUR + MINUTE)
    assert snooze(work, NOW + 4 * HOUR).snoozed_until == NOW + 4 * HOUR


def test_a_plan_of_somebody_at_level_1_is_put_off_four_hours_and_never_past_its_window(
    work: UnitOfWork,
) -> None:
    in_danger(work)
    one = owed(work, Kind.PLANNED, person="p3", window_end=NOW + 2 * HOUR)
    with pytest.raises(Refused, match=r"它自己的期限.*11-24 12:00"):
        snooze(work, NOW + 3 * HOUR)
    assert snooze(work, one.window_end).snoozed_until == one.window_end


def test_a_promise_to_somebody_in_no_danger_is_put_off_a_day(work: UnitOfWork) -> None:
    owed(work)
    with pytest.raises(Refused, match="最多推迟 24 小时"):
        snooze(work, NOW + DAY + MINUTE)
    assert snooze(work, NOW + DAY).snoozed_until == NOW + DAY


@pytest.mark.parametrize("before", [MINUTE, 2 * DAY])
def test_a_snooze_into_the_past_says_so_by_the_sites_clock(work: UnitOfWork, before: timedelta) -> None:
    owed(work)
    urumqi = timezone(timedelta(hours=6))
    local = Rules(windows=Windows(zone=urumqi))
    with pytest.raises(Refused, match=f"{(NOW - before).astimezone(urumqi):%m-%d %H:%M} 已经过去"):
        snooze(work, NOW - before, rules=local)


# --- by whom -------------------------------------------------------------------------------


def test_what_was_handed_up_is_put_off_by_a_supervisor_only(work: UnitOfWork) -> None:
    owed(work)
    handling.escalate(work, "ob-owed", reason="三天没有人接", actor="c017", now=NOW)
    with pytest.raises(Refused, match="已上报，只有督导可以推迟"):
        snooze(work, NOW + HOUR)
    assert snooze(work, NOW + HOUR, actor="s001").snoozed_until == NOW + HOUR


def test_what_somebody_else_has_is_neither_put_off_nor_woken_by_a_colleague(work: UnitOfWork) -> None:
    owed(work)
    handling.claim(work, "ob-owed", actor="c018", now=NOW)
    with pytest.raises(Refused, match="由 c018 负责"):
        snooze(work, NOW + HOUR)
    assert snooze(work, NOW + HOUR, actor="c018").snoozed_until == NOW + HOUR
    with pytest.raises(Refused, match="由 c018 负责"):
        handling.wake(work, "ob-owed", actor="c017", now=NOW)
    assert handling.is_snoozed(work.debts.get("ob-owed"), NOW)
    assert handling.wake(work, "ob-owed", actor="s001", now=NOW).snoozed_until is None
