"""Planning shifts, signing on and off, and what the PBX must therefore hold."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from callcenter.domain.duty import PresenceAct, ShiftKind
from callcenter.domain.people import Person, Phone, PhoneStatus
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import NotFound, Refused
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.duty import presence, roster
from callcenter.service.duty.roster import Lack
from callcenter.service.line.wanted import pbx_wants
from scheduler.obligations import Kind, Mode, Obligation

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
COUNSELLOR = frozenset({Role.COUNSELLOR})
EVENING = timedelta(hours=6)


def wall(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=SHANGHAI).astimezone(UTC)


@pytest.fixture
def work() -> UnitOfWork:
    unit: UnitOfWork
    with MemoryStore()() as unit:
        unit.users.add(
            User(code="c017", name="周敏", roles=COUNSELLOR, phone=PhoneKind.SIP, pin_verifier="ab" * 20)
        )
        unit.users.add(
            User(code="c018", name="吴芳", roles=COUNSELLOR, phone=PhoneKind.MOBILE, mobile="13900000018")
        )
        unit.users.add(User(code="d001", name="钱进", roles=frozenset({Role.CLERK}), phone=PhoneKind.SIP))
        unit.users.add(
            User(
                code="s001",
                name="孙立",
                roles=frozenset({Role.SUPERVISOR}),
                phone=PhoneKind.MOBILE,
                mobile="13900000001",
                alarm_rank=1,
            )
        )
        return unit


def plan(work: UnitOfWork, agent: str, start: datetime, length: timedelta = EVENING) -> roster.Planned:
    return roster.add_shift(work, agent, start, length, actor="s001", now=NOON, reason="临时补排")


def sign(work: UnitOfWork, agent: str, what: PresenceAct, now: datetime = NOON) -> None:
    presence.act(work, agent, what, actor="s001", now=now)


def test_a_shift_over_midnight_rings_until_its_end(work: UnitOfWork) -> None:
    plan(work, "c017", wall(23, 19))
    sign(work, "c017", PresenceAct.ON)
    assert presence.members_at(work, wall(23, 18, 59)) == frozenset()
    assert presence.members_at(work, wall(23, 19)) == {"c017"}
    assert presence.members_at(work, wall(24, 0, 59)) == {"c017"}
    assert presence.members_at(work, wall(24, 1)) == frozenset()


def test_each_change_is_on_record_with_its_actor(work: UnitOfWork) -> None:
    shift = plan(work, "c017", wall(23, 19)).shift
    sign(work, "c017", PresenceAct.ON)
    roster.remove_shift(work, shift.id, actor="s001", now=NOON, reason="换班")
    verbs = {(e.actor, e.verb, e.object) for e in work.audit.recent(10)}
    assert verbs == {
        ("s001", "duty.add", shift.id),
        ("s001", "duty.on", "c017"),
        ("s001", "duty.remove", shift.id),
    }


def test_one_person_has_one_shift_at_a_time(work: UnitOfWork) -> None:
    plan(work, "c017", wall(23, 19))
    with pytest.raises(Refused, match="已有班次"):
        plan(work, "c017", wall(24, 0), timedelta(hours=2))
    plan(work, "c017", wall(24, 1), timedelta(hours=2))
    plan(work, "c018", wall(23, 19))


@pytest.mark.parametrize("agent", ["nobody", "d001"])
def test_only_a_counsellor_can_be_planned(work: UnitOfWork, agent: str) -> None:
    with pytest.raises(Refused, match=agent):
        plan(work, agent, wall(23, 19))


def test_a_shift_that_is_over_cannot_be_planned(work: UnitOfWork) -> None:
    with pytest.raises(Refused, match="已经结束"):
        plan(work, "c017", wall(22, 19))


def test_a_shift_that_began_is_planned_for_others_with_a_reason_and_a_day_back_at_most(
    work: UnitOfWork,
) -> None:
    def late(agent: str, hours: float, reason: str, kind: ShiftKind = ShiftKind.LINE) -> None:
        roster.add_shift(
            work,
            agent,
            NOON - timedelta(hours=hours),
            timedelta(hours=24),
            kind=kind,
            actor="s001",
            now=NOON + timedelta(seconds=59),
            reason=reason,
        )

    for reason in ("", "。。。。"):
        with pytest.raises(Refused, match="写明理由"):
            late("c017", 1, reason)
    with pytest.raises(Refused, match="已经结束"):
        late("c017", 24, "昨天忘了排")
    with pytest.raises(Refused, match="另一位督导"):
        late("s001", 1, "昨天忘了排", ShiftKind.SUPERVISOR)
    late("c017", 1, "开班前忘了排")
    late("c018", 0, "")  # typed to begin now
    late("s001", 0, "", ShiftKind.SUPERVISOR)


def test_a_shift_that_is_over_is_not_taken_off_and_stays_for_attendance(work: UnitOfWork) -> None:
    shift = plan(work, "c017", wall(23, 9), timedelta(hours=3, minutes=1)).shift
    for now in (shift.end, shift.end + timedelta(days=9)):
        with pytest.raises(Refused, match="hotline duty correct"):
            roster.remove_shift(work, shift.id, actor="s001", now=now, reason="没有来值班")
    assert work.roster.shift(shift.id) == shift


def test_a_shift_that_runs_ends_now_with_a_reason_and_what_was_worked_stays(work: UnitOfWork) -> None:
    shift = plan(work, "c017", wall(23, 19)).shift
    sign(work, "c017", PresenceAct.ON)
    now = wall(23, 21) + timedelta(milliseconds=300)
    with pytest.raises(Refused, match="写明理由"):
        roster.remove_shift(work, shift.id, actor="s001", now=now)
    assert presence.members_at(work, now) == {"c017"}
    done = roster.remove_shift(work, shift.id, actor="s001", now=now, reason="身体不适,先回去")
    kept = work.roster.shift(shift.id)
    assert (kept.start, kept.end, done.kept) == (wall(23, 19), wall(23, 21), kept)
    assert presence.members_at(work, now) == frozenset()
    assert [(g.lack, g.start, g.end) for g in done.gaps] == [(Lack.NOBODY, now, wall(24, 1))]


def test_a_shift_that_begins_this_very_second_is_taken_off_whole(work: UnitOfWork) -> None:
    shift = plan(work, "c017", wall(23, 19)).shift
    now = wall(23, 19) + timedelta(milliseconds=300)
    assert roster.remove_shift(work, shift.id, actor="s001", now=now).kept is None
    with pytest.raises(NotFound):
        work.roster.shift(shift.id)


def test_removing_a_shift_that_is_not_there(work: UnitOfWork) -> None:
    with pytest.raises(NotFound):
        roster.remove_shift(work, "sh-0", actor="s001", now=NOON)


def test_a_thin_shift_is_allowed_and_said(work: UnitOfWork) -> None:
    (gap,) = plan(work, "c017", wall(23, 19)).gaps
    assert (gap.lack, gap.start, gap.end) == (Lack.THIN, wall(23, 19), wall(24, 1))
    (gap,) = plan(work, "c018", wall(23, 20)).gaps
    assert (gap.lack, gap.start, gap.end, gap.agents) == (Lack.THIN, wall(24, 1), wall(24, 2), {"c018"})


def test_removing_says_what_is_missing_now(work: UnitOfWork) -> None:
    plan(work, "c017", wall(23, 19))
    second = plan(work, "c018", wall(23, 19)).shift
    gaps = roster.remove_shift(work, second.id, actor="s001", now=NOON).gaps
    assert [g.lack for g in gaps] == [Lack.THIN]


def test_gaps_tell_nobody_from_too_few(work: UnitOfWork) -> None:
    plan(work, "c017", wall(23, 19))
    lacks = [(g.lack, g.start) for g in roster.gaps_between(work, wall(23, 18), wall(24, 2))]
    assert lacks == [(Lack.NOBODY, wall(23, 18)), (Lack.THIN, wall(23, 19)), (Lack.NOBODY, wall(24, 1))]
    assert roster.gaps_between(work, NOON, NOON) == ()


def test_without_a_supervisor_to_ring_every_hour_lacks_one() -> None:
    with MemoryStore()() as work:
        lacks = {g.lack for g in roster.gaps_between(work, NOON, NOON + EVENING)}
    assert lacks == {Lack.NOBODY, Lack.NO_SUPERVISOR}


def test_a_pause_needs_a_sign_on_and_ends_with_it(work: UnitOfWork) -> None:
    plan(work, "c017", wall(23, 11))
    with pytest.raises(Refused, match="尚未签到"):
        sign(work, "c017", PresenceAct.PAUSE)
    sign(work, "c017", PresenceAct.ON)
    assert presence.members_at(work, NOON) == {"c017"}
    sign(work, "c017", PresenceAct.PAUSE, NOON + timedelta(seconds=1))
    assert presence.members_at(work, NOON) == frozenset()
    sign(work, "c017", PresenceAct.ON, NOON + timedelta(seconds=2))
    assert presence.members_at(work, NOON) == {"c017"}


def test_somebody_without_a_phone_or_switched_off_cannot_sign_on(work: UnitOfWork) -> None:
    work.users.add(User(code="c020", name="郑和", roles=COUNSELLOR))
    work.users.add(User(code="c021", name="王娟", roles=COUNSELLOR, phone=PhoneKind.SIP, active=False))
    for agent in ("c020", "c021"):
        with pytest.raises(Refused, match=agent):
            sign(work, agent, PresenceAct.ON)


def test_somebody_switched_off_while_signed_on_leaves_queue_and_facts(work: UnitOfWork) -> None:
    plan(work, "c017", wall(23, 11))
    sign(work, "c017", PresenceAct.ON)
    user = work.users.get("c017")
    work.users.update(User(code="c017", name=user.name, roles=COUNSELLOR, phone=PhoneKind.SIP, active=False))
    wanted = pbx_wants(work, NOON, salt="S")
    assert wanted.members == frozenset()
    assert wanted.facts == {}
    assert wanted.edges == {}


def test_the_facts_that_dialplan_reads(work: UnitOfWork) -> None:
    plan(work, "c017", wall(23, 11))
    plan(work, "c017", wall(24, 19))
    sign(work, "c017", PresenceAct.ON)
    sign(work, "c018", PresenceAct.ON)
    sign(work, "c018", PresenceAct.PAUSE, NOON + timedelta(seconds=1))
    spans = [f"{int(t.timestamp())}-{int(t.timestamp()) + 21600}" for t in (wall(23, 11), wall(24, 19))]
    assert pbx_wants(work, NOON, salt="S").facts == {
        "hotline-shift/c017": "&".join(spans),
        "hotline-signed/c017": "1",
        "hotline-signed/c018": "1",
        "hotline-paused/c018": "rest",
        "hotline-pin/c017": "ab" * 20,
    }


def test_edges_reach_seven_days_and_name_everybody(work: UnitOfWork) -> None:
    plan(work, "c017", wall(23, 19))
    plan(work, "c018", wall(23, 19), timedelta(hours=2))
    plan(work, "c018", wall(30, 11, 59))
    assert pbx_wants(work, NOON, salt="S").edges == {
        wall(23, 19): {"c017", "c018"},
        wall(23, 21): {"c018"},
        wall(24, 1): {"c017"},
        wall(30, 11, 59): {"c018"},
    }


def test_an_over_full_roster_still_fits_one_header(work: UnitOfWork) -> None:
    for n in range(90):
        plan(work, "c017", NOON + timedelta(hours=2 * n), timedelta(hours=1))
    fact = pbx_wants(work, NOON, salt="S").facts["hotline-shift/c017"]
    assert len(f"Variable: VALUE_40={fact}\r\n") < 1000
    assert fact.startswith(str(int(NOON.timestamp())))


def test_somebody_we_owe_a_call_goes_first_and_no_number_is_pushed(work: UnitOfWork) -> None:
    phones = (Phone(number="13812345678"), Phone(number="13800000000", status=PhoneStatus.WRONG))
    work.people.add(Person(id="p1", code="P-7F3K", name="沈先生", phones=phones))
    for n, priority in enumerate((5, 2)):
        work.debts.add(
            Obligation(
                id=f"ob-{n}",
                person="p1",
                kind=Kind.CALLBACK,
                due_at=NOON,
                window_end=NOON + timedelta(days=1),
                mode=Mode.HUMAN_ONLY,
                priority=priority,
                origin=f"call-{n}",
                created_at=NOON,
            )
        )
    facts = {k: v for k, v in pbx_wants(work, NOON, salt="S").facts.items() if "prio" in k}
    hashed = hashlib.sha1(b"S13812345678").hexdigest()  # noqa: S324 - as dialplan computes it
    assert facts == {f"hotline-prio/{hashed}": "8"}


def test_the_board_shows_who_should_be_rung(work: UnitOfWork) -> None:
    plan(work, "c018", wall(23, 9))
    plan(work, "c017", wall(23, 11))
    plan(work, "c017", wall(23, 19))
    sign(work, "c017", PresenceAct.ON)
    board = roster.board(work, wall(23, 0), wall(24, 0), actor="s001", now=NOON)
    assert [(p.shift.agent, p.signed_on, p.on_duty) for p in board] == [
        ("c018", False, False),
        ("c017", True, True),
        ("c017", True, False),
    ]
