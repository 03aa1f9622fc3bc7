"""A sign-on holds for the shift it was made for: forgetting to sign off harms no later shift."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from callcenter.bootstrap import App
from callcenter.config import Settings
from callcenter.domain.duty import PauseReason, PresenceAct, Shift, ShiftKind, presence_of
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.keys import KeyRing
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.duty import attendance, debriefs, presence
from callcenter.service.duty.presence import lapse, members_at
from callcenter.service.line.watch import Live, read
from callcenter.serving.beside_pbx import BridgePart
from callcenter.serving.loops import Line

WUXI = ZoneInfo("Asia/Shanghai")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
#: A Saturday; the month's last Sunday follows.
SATURDAY = datetime(2026, 11, 28, tzinfo=WUXI).astimezone(UTC)
SUNDAY = SATURDAY + 24 * HOUR
MONTH = (datetime(2026, 11, 1, tzinfo=WUXI), datetime(2026, 12, 1, tzinfo=WUXI))


@pytest.fixture
def work() -> Iterator[UnitOfWork]:
    with MemoryStore()() as unit:
        for code, name, role in (("c001", "周敏", Role.COUNSELLOR), ("s001", "孙立", Role.SUPERVISOR)):
            unit.users.add(User(code=code, name=name, roles=frozenset({role}), phone=PhoneKind.SIP))
        yield unit


def plan(work: UnitOfWork, start: datetime, hours: float = 4, kind: ShiftKind = ShiftKind.LINE) -> Shift:
    shift = Shift(id=f"sh-{start:%m%d%H%M}{kind}", agent="c001", start=start, length=hours * HOUR, kind=kind)
    work.roster.add_shift(shift)
    return shift


def sign(work: UnitOfWork, at: datetime, what: PresenceAct = PresenceAct.ON) -> None:
    presence.act(work, "c001", what, why=PauseReason.REST, actor="c001", now=at)


def is_signed(work: UnitOfWork) -> bool:
    return presence_of(work.roster.presence_events())["c001"].signed_on


def test_who_forgot_to_sign_off_and_stays_away_the_next_day_is_late_and_missed(work: UnitOfWork) -> None:
    plan(work, SATURDAY + 9 * HOUR)
    plan(work, SUNDAY + 9 * HOUR)
    sign(work, SATURDAY + 9 * HOUR)
    assert lapse(work, SATURDAY + 12 * HOUR) == ()
    assert lapse(work, SATURDAY + 13 * HOUR) == ("c001",)
    now = SUNDAY + 9 * HOUR + 10 * MINUTE
    assert lapse(work, now) == ()
    assert members_at(work, now) == frozenset()
    assert read(work, Live(trunk_up=True, connected=True), now, late_after=5 * MINUTE).late == ("c001",)
    (found,) = attendance.sheets(work, *MONTH, agent="c001", actor="s001", now=SUNDAY + 20 * HOUR)
    assert (found.hours.present, found.hours.missed) == (4 * HOUR, 4 * HOUR)
    assert found.hours.outside == timedelta()


def test_however_late_somebody_looks_the_shift_ended_when_it_did(work: UnitOfWork) -> None:
    plan(work, SATURDAY + 9 * HOUR)
    sign(work, SATURDAY + 9 * HOUR)
    sign(work, SATURDAY + 13 * HOUR + 5 * MINUTE, PresenceAct.PAUSE)
    assert lapse(work, SUNDAY) == ("c001",)
    assert not is_signed(work)
    (found,) = attendance.sheets(work, *MONTH, agent="c001", actor="s001", now=SUNDAY)
    assert (found.hours.present, found.hours.outside) == (4 * HOUR, timedelta())


@pytest.mark.parametrize(("pause", "holds"), [(0, True), (-60, True), (60, True), (61, False)])
def test_a_break_of_an_hour_is_one_sign_on_and_a_longer_one_is_two(
    work: UnitOfWork, pause: int, holds: bool
) -> None:
    plan(work, SATURDAY + 9 * HOUR)
    plan(work, SATURDAY + 13 * HOUR + pause * MINUTE)
    sign(work, SATURDAY + 9 * HOUR)
    lapse(work, SATURDAY + 13 * HOUR)
    assert is_signed(work) == holds


def test_a_night_is_one_shift(work: UnitOfWork) -> None:
    plan(work, SATURDAY + 20 * HOUR, hours=12)
    sign(work, SATURDAY + 19 * HOUR)
    assert lapse(work, SUNDAY + 7.9 * HOUR) == ()
    assert lapse(work, SUNDAY + 8 * HOUR) == ("c001",)


def test_who_signs_on_early_need_not_do_so_again(work: UnitOfWork) -> None:
    plan(work, SATURDAY + 9 * HOUR)
    plan(work, SATURDAY + 19 * HOUR)
    sign(work, SATURDAY + 13 * HOUR + MINUTE)
    assert lapse(work, SATURDAY + 18.5 * HOUR) == ()
    assert members_at(work, SATURDAY + 19 * HOUR) == {"c001"}
    assert lapse(work, SATURDAY + 23 * HOUR) == ("c001",)


def test_without_a_shift_a_sign_on_holds_for_half_a_day(work: UnitOfWork) -> None:
    sign(work, SATURDAY + 9 * HOUR)
    assert lapse(work, SATURDAY + 21 * HOUR - MINUTE) == ()
    assert lapse(work, SATURDAY + 22 * HOUR) == ("c001",)
    off = work.roster.presence_events()[-1]
    assert (off.at, off.source, off.reason) == (SATURDAY + 21 * HOUR, "roster", "shift_over")


def test_a_shift_taken_off_the_roster_ends_no_sign_on_and_a_replanned_one_does(work: UnitOfWork) -> None:
    gone = plan(work, SATURDAY + 9 * HOUR)
    sign(work, SATURDAY + 9 * HOUR)
    work.roster.remove_shift(gone.id)
    assert lapse(work, SATURDAY + 13 * HOUR) == ()
    plan(work, SATURDAY + 9 * HOUR, hours=3)
    assert lapse(work, SATURDAY + 13 * HOUR) == ("c001",)


def test_on_call_at_home_neither_holds_nor_ends_a_sign_on(work: UnitOfWork) -> None:
    plan(work, SATURDAY + 9 * HOUR)
    plan(work, SATURDAY + 13 * HOUR, kind=ShiftKind.BACKUP)
    sign(work, SATURDAY + 9 * HOUR)
    assert lapse(work, SATURDAY + 13 * HOUR) == ("c001",)
    sign(work, SATURDAY + 14 * HOUR)
    assert lapse(work, SATURDAY + 18 * HOUR) == ()


def test_r47_a_debriefing_owed_outlives_the_shift(work: UnitOfWork) -> None:
    plan(work, SATURDAY + 9 * HOUR)
    sign(work, SATURDAY + 9 * HOUR)
    debriefs.owe(work, "c001", "1795442047.1", by="c001", now=SATURDAY + 12.9 * HOUR)
    lapse(work, SATURDAY + 13 * HOUR)
    stands = presence_of(work.roster.presence_events())["c001"]
    assert (stands.signed_on, stands.debrief) == (False, True)


def test_what_the_pbx_wrote_first_stands_and_nothing_is_written_twice(work: UnitOfWork) -> None:
    plan(work, SATURDAY + 9 * HOUR)
    sign(work, SATURDAY + 9 * HOUR)
    sign(work, SATURDAY + 13 * HOUR, PresenceAct.OFF)
    before = work.roster.revision()
    assert lapse(work, SATURDAY + 14 * HOUR) == ()
    assert work.roster.revision() == before


def test_the_serving_process_signs_off_whom_no_edge_did(tmp_path: Path, keys: KeyRing) -> None:
    """Asterisk was down when the shift ended."""
    app = App(settings=Settings(home=tmp_path))
    app.__dict__.update(store=MemoryStore(), keys=keys)
    app.clock = lambda: SATURDAY + 14 * HOUR  # type: ignore[method-assign]
    with app.store() as work:
        work.users.add(
            User(code="c001", name="周敏", roles=frozenset({Role.COUNSELLOR}), phone=PhoneKind.SIP)
        )
        plan(work, SATURDAY + 9 * HOUR)
        sign(work, SATURDAY + 9 * HOUR)
        work.commit()

    async def serve() -> None:
        bridge = BridgePart(app, Line.of(app))
        (lapse,) = [loop for loop in bridge.loops() if loop.name == "duty.lapse"]
        await lapse.act()
        await bridge.close()

    asyncio.run(serve())
    with app.store() as work:
        assert not is_signed(work)
        (entry,) = [e for e in work.audit.recent(9) if e.actor == "system"]
        assert (entry.verb, entry.object, entry.reason) == ("duty.off", "c001", "shift_over")
