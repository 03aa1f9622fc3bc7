"""What one shift leaves to the next: complete, in ids and codes, and accepted by name (R45)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from actors import enlist
from click.testing import CliRunner

from callcenter.bootstrap import App
from callcenter.cli.queue import queue
from callcenter.config import Settings
from callcenter.domain.alarms import AlarmKind, new_alarm
from callcenter.domain.books import BLOCKS, CASES, DEBRIEFS, WAIVERS
from callcenter.domain.cases import Case, CaseState
from callcenter.domain.ledger import Waiver
from callcenter.domain.levels import Level
from callcenter.domain.people import Person
from callcenter.domain.privacy import Block
from callcenter.domain.staff import Debrief
from callcenter.domain.users import Role, User
from callcenter.errors import Conflict, Forbidden, Refused
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.followup import sheets
from callcenter.service.followup.sheets import About, Line
from callcenter.service.line.risk_clock import unaccepted
from scheduler.cadence import SHANGHAI
from scheduler.obligations import Kind, Mode, Obligation

MORNING = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
HOUR = timedelta(hours=1)


def debt(name: str, kind: Kind, due_in: timedelta, **more: object) -> Obligation:
    plain = {
        "id": f"ob-{name}",
        "person": "p1",
        "kind": kind,
        "due_at": MORNING + due_in,
        "window_end": MORNING + due_in + 2 * HOUR,
        "mode": Mode.HUMAN_ONLY,
        "origin": f"c-{name}",
        "created_at": MORNING - HOUR,
    }
    return Obligation(**{**plain, **more})  # type: ignore[arg-type]


def fill(work: UnitOfWork) -> None:
    enlist(work, "c017", "s001", "k001")
    work.users.add(User(code="c018", name="顾小芳", roles=frozenset({Role.COUNSELLOR})))
    work.people.add(Person(id="p1", code="P-7F3K", name="沈建国"))
    for name, level, state in (("a", Level.HIGH, CaseState.ACTIVE), ("b", Level.MEDIUM, CaseState.ACTIVE)):
        work.book(CASES).add(
            Case(
                id=f"ca-{name}",
                person="p1",
                level=level,
                state=state,
                owner="c017",
                opened_at=MORNING - HOUR,
                opened_from="se-1",
            )
        )
    work.debts.add(debt("tonight", Kind.HIGH_RISK, 2 * HOUR))
    work.debts.add(debt("nextweek", Kind.HIGH_RISK, timedelta(days=7)))
    work.debts.add(debt("promised", Kind.CALLBACK, -HOUR, owner="c018"))
    work.debts.add(debt("hospital", Kind.PLANNED, HOUR))
    work.debts.add(debt("routine", Kind.HARDSHIP, -HOUR, mode=Mode.IVR_OK))
    work.book(WAIVERS).add(
        Waiver(
            id="wv-1",
            obligation="ob-nextweek",
            reason="转介完成",
            asked_by="s001",
            asked_at=MORNING,
            needs_two=True,
        )
    )
    work.book(DEBRIEFS).add(Debrief(id="db-1", agent="c018", about="c-9", since=MORNING))
    block = Block(
        id="bl-1",
        number="13800001111",
        since=MORNING,
        until=MORNING + timedelta(days=3),
        by="s001",
        reason="骚扰",
    )
    work.book(BLOCKS).add(block)
    work.alarms.put(new_alarm(AlarmKind.TRUNK_DOWN, "unreachable", MORNING))


@pytest.fixture
def store() -> MemoryStore:
    """A line at the end of a shift."""
    store = MemoryStore()
    with store() as work:
        fill(work)
        work.commit()
    return store


def test_a_sheet_holds_what_the_next_shift_has_to_know_and_nothing_that_can_wait(store: MemoryStore) -> None:
    with store() as work:
        lines = sheets.standing(work, actor="s001", now=MORNING)
    assert [(line.about, line.id, line.owner) for line in lines[:-1]] == [
        (About.CASE, "ca-a", "c017"),
        (About.STEP, "ob-tonight", "c017"),  # whose the case is
        (About.PROMISE, "ob-promised", "c018"),
        (About.TASK, "ob-hospital", ""),
        (About.WAIVER, "wv-1", "s001"),
        (About.DEBRIEF, "db-1", "c018"),
        (About.BLOCK, "bl-1", "s001"),
    ]
    assert (lines[-1].about, lines[-1].what) == (About.ALARM, AlarmKind.TRUNK_DOWN)
    assert [Line.of(str(line)) for line in lines] == list(lines)


def test_who_wrote_it_cannot_accept_it_and_who_accepts_it_does_so_once(store: MemoryStore) -> None:
    with store() as work:
        sheet = sheets.write(work, told="今晚梁溪区有人可能再来电", actor="c017", now=MORNING)
        with pytest.raises(Refused, match="接班的人"):
            sheets.accept(work, sheet.id, actor="c017", now=MORNING)
        taken = sheets.accept(work, sheet.id, actor="c018", now=MORNING + HOUR)
        assert (taken.accepted_by, taken.accepted_at, taken.state) == ("c018", MORNING + HOUR, "accepted")
        with pytest.raises(Conflict, match="c018"):
            sheets.accept(work, sheet.id, actor="s001", now=MORNING + HOUR)
        assert sheets.listed(work, actor="s001") == []
        assert [one.id for one in sheets.listed(work, every=True, actor="s001")] == [sheet.id]


def test_what_was_written_stays_as_it_was_when_things_go_on(store: MemoryStore) -> None:
    with store() as work:
        sheet = sheets.write(work, actor="c017", now=MORNING)
        work.debts.close("ob-promised", "已回电", "c018", MORNING)
        assert sheets.read(work, sheet.id, actor="c018").lines == sheet.lines
        assert len(sheets.standing(work, actor="c018", now=MORNING)) == len(sheet.lines) - 1


def test_a_waiver_whose_debt_has_ended_waits_for_nobody(store: MemoryStore) -> None:
    with store() as work:
        work.debts.close("ob-nextweek", "已另有安排", "s001", MORNING)
        lines = sheets.standing(work, actor="s001", now=MORNING)
    assert About.WAIVER not in {line.about for line in lines}


def test_a_clerk_sees_no_sheet(store: MemoryStore) -> None:
    with store() as work:
        with pytest.raises(Forbidden):
            sheets.standing(work, actor="k001", now=MORNING)
        with pytest.raises(Forbidden):
            sheets.listed(work, actor="k001")


def test_r45_a_sheet_nobody_accepts_rings_after_a_while(store: MemoryStore) -> None:
    with store() as work:
        sheet = sheets.write(work, actor="c017", now=MORNING)
        assert unaccepted(work, MORNING + timedelta(minutes=14), timedelta(minutes=15)) == ()
        assert unaccepted(work, MORNING + timedelta(minutes=16), timedelta(minutes=15)) == (sheet.id,)
        sheets.accept(work, sheet.id, actor="s001", now=MORNING + HOUR)
        assert unaccepted(work, MORNING + 2 * HOUR, timedelta(minutes=15)) == ()


def test_written_shown_and_accepted_at_a_terminal_without_a_name_or_number(store: MemoryStore) -> None:
    app = App(settings=Settings())
    app.__dict__["store"], app.clock = store, lambda: MORNING  # type: ignore[method-assign]

    def typed(actor: str, *words: str) -> str:
        done = CliRunner().invoke(queue, ["sheet", *words], obj=app, env={"HOTLINE_ACTOR": actor})
        assert done.exit_code == 0, done.output
        return done.output

    assert "危险个案" in typed("c017")
    sheet = json.loads(typed("c017", "write", "--note", "请先回电", "--json"))["id"]
    shown = typed("c018", "show", sheet)
    assert "请先回电" in shown
    assert "沈" not in shown
    assert "1380" not in shown
    assert json.loads(typed("c018", "accept", sheet, "--json"))["accepted_by"] == "c018"
    assert json.loads(typed("c018", "list", "--json")) == []
