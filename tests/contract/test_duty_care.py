"""Debriefings and hours in every store: what the journal told is folded once, and a month is read whole."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from callcenter.domain.books import CORRECTIONS, DEBRIEFS
from callcenter.domain.duty import PauseReason, PresenceAct, PresenceEvent, Shift
from callcenter.domain.fold import Facts
from callcenter.domain.staff import DebriefState
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import Conflict
from callcenter.ports import Store
from callcenter.service.duty import attendance, debriefs, presence
from callcenter.service.line.records import Hooks, apply

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
CALL = "1795442047.1"
HOOKS = Hooks(on_presence=(debriefs.heard,))


@pytest.fixture
def line(store: Store, now: datetime) -> Store:
    """周敏 is on shift from `now` for four hours; 孙立 supervises."""
    with store() as work:
        for code, name, role in (("c017", "周敏", Role.COUNSELLOR), ("s001", "孙立", Role.SUPERVISOR)):
            work.users.add(User(code=code, name=name, roles=frozenset({role}), phone=PhoneKind.SIP))
        work.roster.add_shift(Shift(id="sh-1", agent="c017", start=now, length=4 * HOUR))
        work.commit()
    return store


def at_phone(now: datetime, minutes: int, act: PresenceAct, reason: str = "") -> PresenceEvent:
    at = now + minutes * MINUTE
    return PresenceEvent(key=f"j:{minutes}", agent="c017", act=act, at=at, source="phone", reason=reason)


def journal(now: datetime) -> tuple[PresenceEvent, ...]:
    return (
        at_phone(now, 10, PresenceAct.ON),
        at_phone(now, 60, PresenceAct.PAUSE, "meal"),
        at_phone(now, 90, PresenceAct.UNPAUSE),
        at_phone(now, 120, PresenceAct.DEBRIEF, CALL),
    )


def test_r47_a_crisis_told_by_the_journal_is_owed_once_however_often_it_is_told(
    line: Store, now: datetime
) -> None:
    for _ in range(2):
        with line() as work:
            apply(work, Facts(presence=journal(now)), now, HOOKS)
            work.commit()
    with line() as work:
        (row,) = work.book(DEBRIEFS).where(agent="c017", state=DebriefState.OWED.value)
        assert (row.about, row.since) == (CALL, now + 120 * MINUTE)
        assert presence.members_at(work, now + 130 * MINUTE) == frozenset()


def test_r47_it_was_held_and_stays_so_when_the_journal_is_told_again(line: Store, now: datetime) -> None:
    with line() as work:
        apply(work, Facts(presence=journal(now)), now, HOOKS)
        debriefs.hold(work, "c017", note="谈了半小时,好多了", actor="s001", now=now + 150 * MINUTE)
        work.commit()
    with line() as work:
        apply(work, Facts(presence=journal(now)), now, HOOKS)
        work.commit()
    with line() as work:
        (row,) = debriefs.listed(work, every=True, actor="s001")
        assert (row.state, row.by, row.note) == (DebriefState.HELD, "s001", "谈了半小时,好多了")
        assert presence.members_at(work, now + 160 * MINUTE) == {"c017"}


def test_two_who_settle_one_debriefing_at_once_meet(line: Store, now: datetime) -> None:
    with line() as work:
        apply(work, Facts(presence=journal(now)), now, HOOKS)
        (seen,) = work.book(DEBRIEFS).where(agent="c017")
        debriefs.waive(work, actor="c017", now=now + 121 * MINUTE)
        with pytest.raises(Conflict):
            work.book(DEBRIEFS).put(seen)


def test_a_month_is_read_out_of_acts_shifts_and_corrections(line: Store, now: datetime) -> None:
    start, end = now - timedelta(days=22), now + timedelta(days=8)
    with line() as work:
        apply(work, Facts(presence=journal(now)), now, HOOKS)
        later = now + 5 * HOUR
        attendance.correct(
            work, "c017", now, now + 10 * MINUTE, True, reason="话机坏了", actor="s001", now=later
        )
        work.commit()
    with line() as work:
        (sheet,) = attendance.sheets(work, start, end, actor="s001", now=later)
        assert (sheet.hours.present, sheet.hours.late) == (4 * HOUR, timedelta())
        assert sheet.hours.outside == HOUR
        assert sheet.hours.paused == {PauseReason.MEAL: 30 * MINUTE}
        assert [one.reason for one in sheet.corrections] == ["话机坏了"]
        assert [one.agent for one in work.book(CORRECTIONS).where(agent="c017")] == ["c017"]
