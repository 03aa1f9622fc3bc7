"""Hours of attendance: what a month comes to, who sees it, how it is put right, and who has had enough."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.duty import PauseReason, PresenceAct, PresenceEvent, Shift, ShiftKind
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import Forbidden, NotFound, Refused
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.duty import attendance
from callcenter.service.duty.attendance import Sheet

WUXI = ZoneInfo("Asia/Shanghai")
MINUTE, HOUR, NOTHING = timedelta(minutes=1), timedelta(hours=1), timedelta()
NOVEMBER, DECEMBER, JANUARY = (
    datetime.combine(day, datetime.min.time(), tzinfo=WUXI).astimezone(UTC)
    for day in (date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1))
)


def wall(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=WUXI).astimezone(UTC)


LATER = wall(20, 12, month=12)


@pytest.fixture
def work() -> Iterator[UnitOfWork]:
    with MemoryStore()() as unit:
        people = (
            ("c017", "周敏", Role.COUNSELLOR),
            ("c018", "吴芳", Role.COUNSELLOR),
            ("s001", "孙立", Role.SUPERVISOR),
        )
        for code, name, role in people:
            unit.users.add(User(code=code, name=name, roles=frozenset({role}), phone=PhoneKind.SIP))
        yield unit


def plan(work: UnitOfWork, start: datetime, hours: float = 4, agent: str = "c017") -> None:
    shift_id = f"sh-{agent}-{start:%m%d%H%M}"
    work.roster.add_shift(Shift(id=shift_id, agent=agent, start=start, length=hours * HOUR))


def did(work: UnitOfWork, act: PresenceAct, at: datetime, agent: str = "c017", reason: str = "") -> None:
    key = f"{agent}-{at.timestamp()}-{act}"
    work.roster.add_presence(
        PresenceEvent(key=key, agent=agent, act=act, at=at, source="phone", reason=reason)
    )


def there(work: UnitOfWork, start: datetime, end: datetime, agent: str = "c017") -> None:
    did(work, PresenceAct.ON, start, agent)
    did(work, PresenceAct.OFF, end, agent)


def sheet(
    work: UnitOfWork,
    start: datetime = NOVEMBER,
    end: datetime = DECEMBER,
    now: datetime = LATER,
) -> Sheet:
    (found,) = attendance.sheets(work, start, end, agent="c017", actor="s001", now=now)
    return found


def talk(work: UnitOfWork, at: datetime, n: int, agent: str = "c017") -> None:
    call = CallRecord(
        id=f"1795442047.{n}",
        direction=Direction.INBOUND,
        outcome=Outcome.ANSWERED,
        started_at=at,
        answered_at=at,
        ended_at=at + 20 * MINUTE,
        answered_by=agent,
    )
    work.calls.put_many([call])


# --- what a shift comes to -----------------------------------------------------------------------


def test_a_punctual_evening(work: UnitOfWork) -> None:
    plan(work, wall(23, 19))
    there(work, wall(23, 18, 55), wall(23, 23, 10))
    found = sheet(work).hours
    assert (found.planned, found.present, found.outside) == (4 * HOUR, 4 * HOUR, 15 * MINUTE)
    assert (found.late, found.left_early, found.away, found.missed) == (NOTHING,) * 4


def test_late_away_for_a_while_and_off_early(work: UnitOfWork) -> None:
    plan(work, wall(23, 19))
    there(work, wall(23, 19, 10), wall(23, 20))
    there(work, wall(23, 20, 30), wall(23, 22, 45))
    found = sheet(work).hours
    assert (found.late, found.away, found.left_early) == (10 * MINUTE, 30 * MINUTE, 15 * MINUTE)
    assert found.present == 3 * HOUR + 5 * MINUTE
    assert found.passed == found.planned


def test_a_shift_nobody_came_to_is_missed_and_not_late(work: UnitOfWork) -> None:
    plan(work, wall(23, 19))
    found = sheet(work).hours
    assert (found.missed, found.late) == (4 * HOUR, NOTHING)


def test_until_the_shift_is_over_nobody_has_left_it_early(work: UnitOfWork) -> None:
    plan(work, wall(23, 19))
    there(work, wall(23, 19), wall(23, 20))
    found = sheet(work, now=wall(23, 21)).hours
    assert (found.present, found.away, found.left_early) == (HOUR, HOUR, NOTHING)
    assert found.planned == 4 * HOUR


def test_two_shifts_that_touch_are_one_and_nobody_is_late_between(work: UnitOfWork) -> None:
    plan(work, wall(23, 19), 2)
    plan(work, wall(23, 21), 2)
    there(work, wall(23, 19), wall(23, 23))
    assert sheet(work).hours.late == NOTHING


def test_over_midnight_at_the_end_of_a_month_each_month_has_its_part(work: UnitOfWork) -> None:
    plan(work, wall(30, 22))
    there(work, wall(30, 22, 30), wall(1, 1, 30, month=12))
    before, after = sheet(work).hours, sheet(work, DECEMBER, JANUARY).hours
    assert (before.planned, before.present, before.late) == (2 * HOUR, 90 * MINUTE, 30 * MINUTE)
    assert (after.planned, after.present, after.late) == (2 * HOUR, 90 * MINUTE, NOTHING)
    assert (before.left_early, after.left_early) == (NOTHING, 30 * MINUTE)


def test_whoever_signed_on_last_month_and_off_in_this_is_found(work: UnitOfWork) -> None:
    plan(work, wall(1, 8, month=12))
    there(work, wall(29, 19), wall(1, 10, month=12))
    assert sheet(work, DECEMBER, JANUARY).hours.present == 2 * HOUR


def test_whoever_never_signed_off_is_there_until_now(work: UnitOfWork) -> None:
    did(work, PresenceAct.ON, wall(1, 8, month=1))
    plan(work, wall(23, 19))
    assert sheet(work, now=wall(23, 21)).hours.present == 2 * HOUR


def test_rests_are_shown_by_reason_and_count_as_present(work: UnitOfWork) -> None:
    plan(work, wall(23, 19))
    there(work, wall(23, 19), wall(23, 23))
    did(work, PresenceAct.PAUSE, wall(23, 20), reason="rest")
    did(work, PresenceAct.PAUSE, wall(23, 20) + timedelta(seconds=5), reason="meal")
    did(work, PresenceAct.UNPAUSE, wall(23, 20, 30))
    did(work, PresenceAct.PAUSE, wall(23, 22), reason="rest")
    did(work, PresenceAct.PAUSE, wall(23, 22, 10), reason="paperwork")
    did(work, PresenceAct.UNPAUSE, wall(23, 22, 25))
    found = sheet(work).hours
    assert found.present == 4 * HOUR
    assert found.paused == {
        PauseReason.MEAL: 30 * MINUTE,
        PauseReason.REST: 10 * MINUTE,
        PauseReason.PAPERWORK: 15 * MINUTE,
    }


def test_being_on_call_at_home_is_no_attendance(work: UnitOfWork) -> None:
    backup = Shift(id="sh-b", agent="c017", start=wall(23, 19), length=4 * HOUR, kind=ShiftKind.BACKUP)
    work.roster.add_shift(backup)
    assert sheet(work).hours.planned == NOTHING


# --- who sees it -----------------------------------------------------------------------------


def test_a_counsellor_sees_their_own_and_a_supervisor_everybodys(work: UnitOfWork) -> None:
    for agent in ("c017", "c018"):
        plan(work, wall(23, 19), agent=agent)

    def seen(actor: str, agent: str | None = None) -> list[str]:
        found = attendance.sheets(work, NOVEMBER, DECEMBER, agent=agent, actor=actor, now=LATER)
        return [one.hours.agent for one in found]

    assert seen("c017") == ["c017"]
    assert seen("c017", "c017") == ["c017"]
    assert seen("s001") == ["c017", "c018"]
    with pytest.raises(Forbidden, match="自己"):
        seen("c017", "c018")


def test_a_code_that_is_nobodys_has_no_hours(work: UnitOfWork) -> None:
    with pytest.raises(NotFound):
        attendance.sheets(work, NOVEMBER, DECEMBER, agent="zzz", actor="s001", now=LATER)
    (idle,) = attendance.sheets(work, NOVEMBER, DECEMBER, agent="c018", actor="s001", now=LATER)
    assert idle.hours.planned == NOTHING


# --- putting right -----------------------------------------------------------------------------


def correct(work: UnitOfWork, start: datetime, end: datetime, counts: bool = True, **more: object) -> None:
    given = {"reason": "话机坏了,用手机接的", "actor": "s001", "now": LATER} | more
    attendance.correct(work, "c017", start, end, counts, **given)  # type: ignore[arg-type]


def test_a_correction_counts_and_the_acts_stay(work: UnitOfWork) -> None:
    plan(work, wall(23, 19))
    there(work, wall(23, 19, 30), wall(23, 23))
    acts = [*work.roster.presence_between(NOVEMBER, JANUARY)]
    correct(work, wall(23, 19), wall(23, 19, 30))
    found = sheet(work)
    assert (found.hours.present, found.hours.late) == (4 * HOUR, NOTHING)
    assert [one.by for one in found.corrections] == ["s001"]
    assert [*work.roster.presence_between(NOVEMBER, JANUARY)] == acts
    entry = work.audit.recent(1)[0]
    assert (entry.actor, entry.verb, entry.reason) == ("s001", "duty.correct", "话机坏了,用手机接的")


def test_of_two_corrections_the_later_stands(work: UnitOfWork) -> None:
    plan(work, wall(23, 19))
    correct(work, wall(23, 19), wall(23, 23))
    correct(work, wall(23, 22), wall(23, 23), counts=False, now=LATER + HOUR)
    found = sheet(work, now=LATER + HOUR).hours
    assert (found.present, found.left_early) == (3 * HOUR, HOUR)


@pytest.mark.parametrize(
    ("start", "end", "more", "words"),
    [
        (wall(23, 19), wall(23, 19), {}, "多于零"),
        (wall(23, 19), wall(24, 19, 1), {}, "24 小时"),
        (LATER, LATER + MINUTE, {}, "还没有到"),
        (wall(23, 19), wall(23, 20), {"reason": "嗯"}, "理由"),
    ],
)
def test_a_correction_that_cannot_be_is_refused(
    work: UnitOfWork, start: datetime, end: datetime, more: dict[str, object], words: str
) -> None:
    with pytest.raises(Refused, match=words):
        correct(work, start, end, **more)  # type: ignore[arg-type]
    assert sheet(work).corrections == ()


def test_nobody_puts_their_own_hours_right_nor_nobodys(work: UnitOfWork) -> None:
    with pytest.raises(Forbidden):
        correct(work, wall(23, 19), wall(23, 20), actor="c018")
    with pytest.raises(Refused, match="另一位督导"):
        attendance.correct(
            work, "s001", wall(23, 19), wall(23, 20), True, reason="值班忘了签到", actor="s001", now=LATER
        )
    with pytest.raises(NotFound):
        attendance.correct(
            work, "c999", wall(23, 19), wall(23, 20), True, reason="值班忘了签到", actor="s001", now=LATER
        )


# --- care ------------------------------------------------------------------------------------


def test_four_hours_at_the_line_or_more_than_six_calls_are_enough(work: UnitOfWork) -> None:
    plan(work, wall(23, 17), 7)
    plan(work, wall(23, 17), 7, agent="c018")
    did(work, PresenceAct.ON, wall(23, 17))
    did(work, PresenceAct.ON, wall(23, 20), agent="c018")

    def enough(at: datetime) -> list[tuple[str, timedelta, int]]:
        found = attendance.tired(work, actor="c018", now=at)
        return [(one.agent, one.at_line, one.calls) for one in found]

    assert enough(wall(23, 21)) == []
    assert enough(wall(23, 21, 5)) == [("c017", 4 * HOUR + 5 * MINUTE, 0)]
    for n in range(6):
        talk(work, wall(23, 20, n), n, agent="c018")
    assert [agent for agent, _, _ in enough(wall(23, 21, 5))] == ["c017"]
    talk(work, wall(23, 20, 30), 9, agent="c018")
    assert enough(wall(23, 21, 5))[1] == ("c018", HOUR + 5 * MINUTE, 7)
    assert enough(wall(24, 9)) == []


def test_long_and_busy_shifts_of_a_month_are_counted(work: UnitOfWork) -> None:
    for day in (23, 24):
        plan(work, wall(day, 18), 5)
        there(work, wall(day, 18), wall(day, 23))
    for n in range(7):
        talk(work, wall(23, 18, 5 * n), n)
    found = sheet(work)
    assert (found.hours.long_shifts, found.busy_shifts, found.calls) == (2, 1, 7)
