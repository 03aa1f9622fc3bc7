"""What the PBX is told about callers and hours: words, owners and spans, and no number in clear."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.domain.people import Person, Phone, PhoneStatus
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.memory import MemoryStore, MemoryUnit
from callcenter.service.followup.callers import Opening
from callcenter.service.line.wanted import ALWAYS, pbx_wants
from scheduler.cadence import SHANGHAI
from scheduler.obligations import Attempt, Kind, Mode, Obligation

NOW = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
NUMBER = "13812345678"
SHEN = Person(id="p1", code="P-7F3K", name="沈建国", phones=(Phone(number=NUMBER),))
COUNSELLOR = frozenset({Role.COUNSELLOR})


@pytest.fixture
def work() -> Iterator[MemoryUnit]:
    """A line with two counsellors."""
    with MemoryStore()() as unit:
        for code in ("c017", "c018"):
            unit.users.add(User(code=code, name="王芳", roles=COUNSELLOR, phone=PhoneKind.SIP))
        yield unit


def key(family: str, number: str = NUMBER) -> str:
    hashed = hashlib.sha1(f"S{number}".encode()).hexdigest()  # noqa: S324 - as dialplan computes it
    return f"hotline-{family}/{hashed}"


def facts(work: MemoryUnit, opening: Opening = ALWAYS, now: datetime = NOW) -> dict[str, str]:
    return dict(pbx_wants(work, now, salt="S", opening=opening).facts)


def owe(work: MemoryUnit, n: int = 1, person: str = "p1") -> Obligation:
    owed = Obligation(
        id=f"ob-{n}",
        person=person,
        kind=Kind.CALLBACK,
        due_at=NOW,
        window_end=NOW + timedelta(days=1),
        mode=Mode.HUMAN_ONLY,
        origin=f"call-{n}",
        created_at=NOW,
    )
    assert work.debts.add(owed)
    return owed


def attempt(work: MemoryUnit, by: str, n: int, owed: str = "ob-1") -> None:
    at = NOW + timedelta(minutes=n)
    work.debts.add_attempt(Attempt(id=f"at-{owed}-{n}", obligation=owed, n=n, planned_at=at, by=by))


# --- words ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"no_ivr": True}, "no_menu&slow"),
        ({"birth_year": 1961}, "no_menu&slow"),
        ({"birth_year": 1962}, None),
        ({"speaks": "zh_wx"}, "dialect"),
        ({"speaks": "zh_wx", "birth_year": 1949}, "no_menu&slow&dialect"),
    ],
)
def test_elders_and_whoever_asked_for_it_are_spared_menus(
    work: MemoryUnit, change: dict[str, object], words: str | None
) -> None:
    work.people.add(replace(SHEN, **change))  # type: ignore[arg-type]
    assert facts(work).get(key("fact")) == words


def test_somebody_who_is_owed_is_known_as_such_by_each_of_their_numbers(work: MemoryUnit) -> None:
    phones = (Phone(number=NUMBER), Phone(number="0510 8500 1111"), Phone(number="13800000000"))
    strange = replace(phones[2], status=PhoneStatus.QUARANTINED)
    work.people.add(replace(SHEN, phones=(*phones[:2], strange)))
    owe(work)
    told = facts(work)
    assert told[key("fact")] == told[key("fact", "051085001111")] == "owed"
    assert key("fact", "13800000000") not in told
    assert not any(NUMBER in text for pair in told.items() for text in pair)


def test_a_number_of_two_people_tells_what_holds_of_either(work: MemoryUnit) -> None:
    work.people.add(replace(SHEN, birth_year=1949))
    work.people.add(replace(SHEN, id="p2", code="P-8", speaks="zh_wx"))
    assert facts(work)[key("fact")] == "no_menu&slow&dialect"


# --- owners ---------------------------------------------------------------------------------


def test_the_owner_is_who_tried_last_by_hand(work: MemoryUnit) -> None:
    work.people.add(SHEN)
    owe(work)
    for n, by in enumerate(("c017", "c018", "ivr"), start=1):
        attempt(work, by, n)
    assert facts(work)[key("owner")] == "c018"


def test_nobody_owns_what_only_a_machine_tried_or_what_is_over(work: MemoryUnit) -> None:
    work.people.add(SHEN)
    owe(work)
    attempt(work, "ivr", 1)
    assert key("owner") not in facts(work)
    attempt(work, "c017", 2)
    work.debts.close("ob-1", "已办", "s001", NOW)
    assert key("owner") not in facts(work)
    assert key("fact") not in facts(work)


def test_an_owner_who_left_the_line_is_not_asked_for(work: MemoryUnit) -> None:
    work.people.add(SHEN)
    owe(work)
    attempt(work, "c018", 1)
    work.users.update(replace(work.users.get("c018"), active=False))
    assert key("owner") not in facts(work)


def test_who_holds_a_debt_now_comes_before_who_tried_it_once(work: MemoryUnit) -> None:
    work.people.add(SHEN)
    owe(work)
    attempt(work, "c017", 1)
    work.debts.claim("ob-1", "c018", NOW, NOW + timedelta(minutes=5))
    assert facts(work)[key("owner")] == "c018"


# --- hours ----------------------------------------------------------------------------------

EVENINGS = Opening(week=[((time(19), time(21, 30)),)] * 7)


def spans(fact: str) -> list[tuple[int, int]]:
    return [tuple(map(int, one.split("-"))) for one in fact.split("&")]  # type: ignore[misc]


def decides(fact: str, now: datetime) -> bool:
    """Decide as context hotline-hours does."""
    epoch = int(now.timestamp())
    for start, end in spans(fact) if fact else ():
        if start == end <= epoch:
            return True
        if start <= epoch < end:
            return True
    return not fact


def test_a_line_without_hours_has_no_fact_of_them(work: MemoryUnit) -> None:
    assert "hotline-hours/hotline" not in facts(work)
    assert Opening().is_open(NOW)


def test_hours_reach_seven_days_ahead_and_say_where_they_end(work: MemoryUnit) -> None:
    fact = facts(work, EVENINGS)["hotline-hours/hotline"]
    midnight = datetime(2026, 11, 24, tzinfo=SHANGHAI)
    known_until = int((midnight + timedelta(days=7)).timestamp())
    assert len(spans(fact)) == 7 + 1
    assert spans(fact)[-1] == (known_until, known_until)
    assert facts(work, EVENINGS, NOW + timedelta(hours=13))["hotline-hours/hotline"] == fact


def test_a_week_of_holidays_is_closed_and_not_unknown(work: MemoryUnit) -> None:
    spring = datetime(2026, 2, 15, 20, tzinfo=SHANGHAI)
    fact = facts(work, replace(EVENINGS, closed_on_holidays=True), spring)["hotline-hours/hotline"]
    assert len(spans(fact)) == 1
    assert not decides(fact, spring)
    assert decides(facts(work, EVENINGS, spring)["hotline-hours/hotline"], spring)


def test_hours_that_grow_stale_let_everybody_in(work: MemoryUnit) -> None:
    fact = facts(work, EVENINGS)["hotline-hours/hotline"]
    assert decides(fact, NOW + timedelta(days=7))
    assert not decides(fact, NOW + timedelta(days=6))


@given(
    week=st.lists(
        st.lists(st.tuples(st.times(), st.times()), max_size=8).map(
            lambda windows: [(a.replace(microsecond=0), b.replace(microsecond=0)) for a, b in windows]
        ),
        min_size=7,
        max_size=7,
    ).filter(any),
    minutes=st.integers(0, 7 * 1440 - 1),
    holidays=st.booleans(),
)
def test_dialplan_decides_as_we_do_and_one_header_holds_it(
    week: list[list[tuple[time, time]]], minutes: int, holidays: bool
) -> None:
    opening = Opening(week=week, closed_on_holidays=holidays)
    fact = opening.fact(NOW)
    assert len(f"Variable: VALUE_40={fact}\r\n") < 1000
    then = datetime(2026, 11, 24, tzinfo=SHANGHAI) + timedelta(minutes=minutes)
    if then.timestamp() < spans(fact)[-1][0]:
        assert decides(fact, then) is opening.is_open(then)
