"""After a hard call somebody talks with the counsellor before their next one, unless they waive it (R47)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
from journal_text import row, row_bytes

from callcenter.bootstrap import App
from callcenter.config import Settings
from callcenter.domain.alarms import AlarmPolicy
from callcenter.domain.books import DEBRIEFS
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.duty import PauseReason, PresenceAct, PresenceEvent, Shift, presence_of
from callcenter.domain.people import Person, Phone
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow
from callcenter.domain.staff import Debrief, DebriefState
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import Forbidden, Refused
from callcenter.memory import MemoryAlarmRoad, MemoryStore, MemoryUnit
from callcenter.service.duty import debriefs, presence, roster
from callcenter.service.line.wanted import pbx_wants
from callcenter.service.risk.cases import follow
from callcenter.service.risk.rescue_calls import begin
from scheduler.gates import Rules

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CALL, NEXT = "1795442047.1", "1795442047.9"


@pytest.fixture
def work() -> Iterator[MemoryUnit]:
    """周敏 and 吴芳 are on shift and signed on; 孙立 supervises and takes calls too."""
    with MemoryStore()() as unit:
        counsellor, both = frozenset({Role.COUNSELLOR}), frozenset({Role.COUNSELLOR, Role.SUPERVISOR})
        people = (("c017", "周敏", counsellor), ("c018", "吴芳", counsellor), ("s001", "孙立", both))
        for code, name, roles in people:
            unit.users.add(User(code=code, name=name, roles=roles, phone=PhoneKind.SIP))
            unit.roster.add_shift(
                Shift(id=f"sh-{code}", agent=code, start=NOW - MINUTE, length=timedelta(hours=4))
            )
            presence.act(unit, code, PresenceAct.ON, actor=code, now=NOW)
        unit.people.add(Person(id="p1", code="P-7F3K", name="沈先生", phones=(Phone(number="13800001111"),)))
        assert isinstance(unit, MemoryUnit)
        yield unit


def at_phone(
    act: PresenceAct, minutes: int, agent: str = "c017", reason: str = CALL, key: str = ""
) -> PresenceEvent:
    """Return an act as the journal tells it."""
    at = NOW + minutes * MINUTE
    return PresenceEvent(key=key or f"j{minutes}", agent=agent, act=act, at=at, source="phone", reason=reason)


def tell(work: MemoryUnit, *events: PresenceEvent) -> None:
    """Tell the store what the journal holds, as the follower does."""
    for event in events:
        work.roster.add_presence(event)
    debriefs.heard(work, events, NOW)


def rung(work: MemoryUnit, minutes: int = 30) -> frozenset[str]:
    return presence.members_at(work, NOW + minutes * MINUTE)


def owed(work: MemoryUnit) -> list[tuple[str, str]]:
    return [(row.agent, row.about) for row in debriefs.listed(work, actor="s001")]


def record(work: MemoryUnit, said: RiskAnswers, minutes: int = 20) -> None:
    """周敏 hands in the record of her call."""
    row = SessionRow(id=f"se-{CALL}", call=CALL, counsellor="c017", opened_at=NOW)
    follow(
        work,
        session=row,
        person="p1",
        answers=said,
        ended_at=NOW,
        actor="c017",
        now=NOW + minutes * MINUTE,
        rules=Rules(),
    )


# --- how it becomes owed -----------------------------------------------------------------------


def test_r47_after_the_crisis_key_nobody_rings_the_counsellor_and_the_others_go_on(
    work: MemoryUnit,
) -> None:
    tell(work, at_phone(PresenceAct.DEBRIEF, 5))
    assert rung(work) == {"c018", "s001"}
    assert owed(work) == [("c017", CALL)]


@pytest.mark.parametrize(
    "said", [RiskAnswers(asked=True, plan_soon=True), RiskAnswers(asked=True, acting=True)]
)
def test_r47_a_record_at_high_risk_makes_it_owed(work: MemoryUnit, said: RiskAnswers) -> None:
    record(work, said)
    assert owed(work) == [("c017", CALL)]
    assert "c017" not in rung(work)


def test_thoughts_without_a_plan_make_nothing_owed(work: MemoryUnit) -> None:
    record(work, RiskAnswers(asked=True, thoughts=True))
    assert owed(work) == []
    assert "c017" in rung(work)


def test_r47_a_rescue_begun_during_the_call_makes_it_owed(work: MemoryUnit) -> None:
    call = CallRecord(
        id=CALL,
        direction=Direction.INBOUND,
        outcome=Outcome.OPEN,
        started_at=NOW,
        answered_at=NOW,
        answered_by="c017",
        number="13800001111",
    )
    work.calls.put_many([call])
    begin(
        work,
        MemoryAlarmRoad(),
        CALL,
        agency="120",
        policy=AlarmPolicy(),
        rules=Rules(),
        actor="s001",
        now=NOW + MINUTE,
    )
    assert owed(work) == [("c017", CALL)], "whoever talks with the caller, not whoever called for help"


def test_one_call_is_talked_over_once_whatever_tells_of_it(work: MemoryUnit) -> None:
    tell(work, at_phone(PresenceAct.DEBRIEF, 5))
    debriefs.hold(work, "c017", note="谈了半小时,她说好多了", actor="s001", now=NOW + 15 * MINUTE)
    record(work, RiskAnswers(asked=True, plan_soon=True), minutes=20)
    record(work, RiskAnswers(asked=True, acting=True), minutes=25)
    assert owed(work) == []
    assert "c017" in rung(work)


# --- how it ends -------------------------------------------------------------------------------


def test_r47_signing_off_and_on_and_days_do_not_end_it(work: MemoryUnit) -> None:
    tell(work, at_phone(PresenceAct.DEBRIEF, 5))
    for n, what in enumerate((PresenceAct.OFF, PresenceAct.ON, PresenceAct.PAUSE, PresenceAct.UNPAUSE)):
        presence.act(work, "c017", what, actor="c017", now=NOW + (6 + n) * MINUTE)
    assert "c017" not in rung(work)
    work.roster.add_shift(
        Shift(id="sh-later", agent="c017", start=NOW + timedelta(days=3), length=timedelta(hours=2))
    )
    assert presence.members_at(work, NOW + timedelta(days=3)) == frozenset()
    assert owed(work) == [("c017", CALL)]


def test_r47_a_supervisor_holds_it_with_a_note(work: MemoryUnit) -> None:
    tell(work, at_phone(PresenceAct.DEBRIEF, 5), at_phone(PresenceAct.DEBRIEF, 6, reason=NEXT))
    held = debriefs.hold(work, "c017", note="谈了半小时,她说好多了", actor="s001", now=NOW + 20 * MINUTE)
    assert {(row.about, row.state, row.by) for row in held} == {
        (CALL, DebriefState.HELD, "s001"),
        (NEXT, DebriefState.HELD, "s001"),
    }
    assert {row.note for row in held} == {"谈了半小时,她说好多了"}
    assert (owed(work), "c017" in rung(work)) == ([], True)


def test_r47_the_line_is_told_that_it_is_owed_and_that_it_was_held(work: MemoryUnit) -> None:
    """The fact that dialplan goes by while nothing of ours runs."""
    tell(work, at_phone(PresenceAct.DEBRIEF, 5))
    seen = work.roster.revision()
    wanted = pbx_wants(work, NOW + 6 * MINUTE, salt="S")
    assert wanted.facts["hotline-debrief/c017"] == "1"
    assert "c017" not in wanted.members
    debriefs.hold(work, "c017", note="谈了半小时,她说好多了", actor="s001", now=NOW + 20 * MINUTE)
    assert work.roster.revision() > seen, "the bridge looks only where it has grown"
    wanted = pbx_wants(work, NOW + 21 * MINUTE, salt="S")
    assert "hotline-debrief/c017" not in wanted.facts
    assert "c017" in wanted.members


def test_r47_the_counsellor_waives_it_and_nobody_else_for_them(work: MemoryUnit) -> None:
    tell(work, at_phone(PresenceAct.DEBRIEF, 5))
    with pytest.raises(Refused, match="本人"):
        presence.act(work, "c017", PresenceAct.UNPAUSE, waive=True, actor="s001", now=NOW + 9 * MINUTE)
    stands = presence.act(work, "c017", PresenceAct.UNPAUSE, waive=True, actor="c017", now=NOW + 10 * MINUTE)
    assert stands.ready
    (row,) = debriefs.listed(work, every=True, actor="s001")
    assert (row.state, row.by) == (DebriefState.WAIVED, "c017")
    assert "c017" in rung(work)


@pytest.mark.parametrize("role", [Role.COUNSELLOR, Role.AUDITOR, Role.ADMIN])
def test_r47_colleagues_and_auditors_see_a_pause_and_no_reason(work: MemoryUnit, role: Role) -> None:
    work.users.add(User(code="z009", name="钱多", roles=frozenset({role})))
    tell(work, at_phone(PresenceAct.DEBRIEF, 5))

    def seen_by(actor: str) -> tuple[bool, bool, str]:
        places = roster.board(work, NOW - 12 * 60 * MINUTE, NOW + 60 * MINUTE, actor=actor, now=NOW)
        (place,) = (one for one in places if one.shift.agent == "c017")
        return place.paused, place.debrief, place.why

    assert seen_by("z009") == (True, False, "")
    assert seen_by("c017") == seen_by("s001") == (False, True, "")
    presence.act(work, "c017", PresenceAct.UNPAUSE, waive=True, actor="c017", now=NOW + 10 * MINUTE)
    presence.act(work, "c017", PresenceAct.PAUSE, why=PauseReason.MEAL, actor="c017", now=NOW + 11 * MINUTE)
    assert seen_by("z009") == (True, False, "")
    assert seen_by("c017") == seen_by("s001") == (True, False, "meal")


def test_resuming_alone_leaves_it_owed(work: MemoryUnit) -> None:
    tell(work, at_phone(PresenceAct.DEBRIEF, 5))
    stands = presence.act(work, "c017", PresenceAct.UNPAUSE, actor="c017", now=NOW + 10 * MINUTE)
    assert (stands.ready, stands.debrief) == (False, True)


def test_r47_key_one_at_the_phone_waives_it(work: MemoryUnit) -> None:
    tell(work, at_phone(PresenceAct.DEBRIEF, 5), at_phone(PresenceAct.DEBRIEFED, 8, reason="waived"))
    (row,) = debriefs.listed(work, every=True, actor="s001")
    assert (row.state, row.by, row.at) == (DebriefState.WAIVED, "c017", NOW + 8 * MINUTE)
    assert "c017" in rung(work)


def test_nobody_holds_their_own_and_nobody_what_is_not_owed(work: MemoryUnit) -> None:
    tell(work, at_phone(PresenceAct.DEBRIEF, 5, agent="s001"))
    with pytest.raises(Refused, match="另一位督导"):
        debriefs.hold(work, "s001", note="自己想过一遍了", actor="s001", now=NOW)
    with pytest.raises(Refused, match="没有待谈"):
        debriefs.hold(work, "c018", note="谈了半小时", actor="s001", now=NOW)
    with pytest.raises(Refused, match="理由"):
        debriefs.hold(work, "c018", note="好", actor="s001", now=NOW)
    with pytest.raises(Forbidden):
        debriefs.hold(work, "c017", note="谈了半小时", actor="c018", now=NOW)


def test_a_clock_that_lags_ends_it_all_the_same(work: MemoryUnit) -> None:
    tell(work, at_phone(PresenceAct.DEBRIEF, 5))
    debriefs.waive(work, actor="c017", now=NOW)
    assert "c017" in rung(work)


def test_a_counsellor_sees_their_own_only(work: MemoryUnit) -> None:
    tell(work, at_phone(PresenceAct.DEBRIEF, 5), at_phone(PresenceAct.DEBRIEF, 6, agent="c018", reason=NEXT))
    assert [row.agent for row in debriefs.listed(work, actor="c017")] == ["c017"]
    assert [row.agent for row in debriefs.listed(work, actor="s001")] == ["c017", "c018"]


def test_debriefings_have_doors_of_their_own(work: MemoryUnit) -> None:
    for what in (PresenceAct.DEBRIEF, PresenceAct.DEBRIEFED):
        with pytest.raises(Refused, match="debrief"):
            presence.act(work, "c017", what, actor="c017", now=NOW)


# --- the same told twice, and in any order -----------------------------------------------------


def stands(work: MemoryUnit) -> tuple[bool, list[tuple[str, str, str]]]:
    rows = debriefs.listed(work, every=True, actor="s001")
    acts = presence_of(work.roster.presence_events())
    return acts["c017"].debrief, [(row.about, row.state.value, row.by) for row in rows]


def test_p6_the_journal_told_again_changes_nothing(work: MemoryUnit) -> None:
    journal = (at_phone(PresenceAct.DEBRIEF, 5), at_phone(PresenceAct.DEBRIEF, 9, reason=NEXT))
    tell(work, *journal)
    debriefs.hold(work, "c017", note="谈了半小时", actor="s001", now=NOW + 30 * MINUTE)
    before = [*debriefs.listed(work, every=True, actor="s001")]
    tell(work, *journal)
    assert [*debriefs.listed(work, every=True, actor="s001")] == before
    assert owed(work) == []


def test_p6_the_order_in_which_acts_are_told_does_not_matter(work: MemoryUnit) -> None:
    journal = (
        at_phone(PresenceAct.DEBRIEF, 5),
        at_phone(PresenceAct.DEBRIEFED, 8, reason="waived"),
        at_phone(PresenceAct.DEBRIEF, 9, reason=NEXT),
        at_phone(PresenceAct.DEBRIEFED, 12, reason="held.s001"),
        at_phone(PresenceAct.DEBRIEF, 15),
    )
    told = []
    for order in permutations(journal):
        with MemoryStore()() as fresh:
            fresh.users.add(work.users.get("s001"))
            assert isinstance(fresh, MemoryUnit)
            for event in order:
                tell(fresh, event)
            told.append(stands(fresh))
    assert {str(one) for one in told} == {
        str((True, [(NEXT, "held", "s001"), (CALL, "owed", "")])),
    }


def test_pressed_again_after_it_was_held_it_is_owed_anew(work: MemoryUnit) -> None:
    tell(work, at_phone(PresenceAct.DEBRIEF, 5))
    debriefs.hold(work, "c017", note="通话中先谈了几句", actor="s001", now=NOW + 6 * MINUTE)
    tell(work, at_phone(PresenceAct.DEBRIEF, 9))
    assert owed(work) == [("c017", CALL)]
    assert "c017" not in rung(work)


def test_a_pause_keeps_its_reason(work: MemoryUnit) -> None:
    stands = presence.act(
        work, "c017", PresenceAct.PAUSE, why=PauseReason.MEAL, actor="c017", now=NOW + MINUTE
    )
    assert (stands.paused, stands.reason) == (True, "meal")
    assert presence_of(work.roster.presence_events())["c017"].reason == "meal"


def test_a_row_tells_no_more_than_it_must() -> None:
    row = Debrief(id="db-1", agent="c017", about=CALL, since=NOW, note="她哭了很久")
    assert "她哭了很久" not in repr(row)


def test_the_lines_own_reading_of_the_journal_knows_of_it(tmp_path: Path) -> None:
    """As `hotline serve` reads it, and again as `hotline calls replay` does."""
    app = App(settings=Settings(home=tmp_path))
    app.__dict__["store"] = MemoryStore()
    journal = app.settings.pbx_home / "log" / "cel-custom" / "journal.csv"
    journal.parent.mkdir(parents=True)
    at = NOW.timestamp()
    rows = [
        row("CHAN_START", at, "PJSIP/trunk-1", CALL, CALL, context="hotline-trunk"),
        row(
            "DUTY",
            at + 60,
            "PJSIP/c017-2",
            "1795442047.2",
            CALL,
            words=f"agent=c017&act=debrief&reason={CALL}",
        ),
        row("LINKEDID_END", at + 90, "PJSIP/trunk-1", CALL, CALL),
    ]
    journal.write_bytes(b"".join(map(row_bytes, rows)))
    for replay in (False, True):
        app.follower(replay=replay).catch_up(NOW + timedelta(hours=1))
        with app.store() as unit:
            found = [(one.agent, one.about, one.state) for one in unit.book(DEBRIEFS).where()]
        assert found == [("c017", CALL, DebriefState.OWED)]
