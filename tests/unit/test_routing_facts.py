"""What the PBX is told of those who answer, of plans with callers, and of how the load lies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from callcenter.domain.books import CALLER_PLANS, CASES, STAFF
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.cases import Case, CaseState
from callcenter.domain.duty import PresenceAct, PresenceEvent, Shift, ShiftKind
from callcenter.domain.levels import Level
from callcenter.domain.people import Person, Phone
from callcenter.domain.privacy import CallerPlan, Wish
from callcenter.domain.reconcile import Wanted
from callcenter.domain.sessions import SessionRow
from callcenter.domain.staff import Skill, StaffProfile
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import Forbidden, Refused
from callcenter.memory import MemoryStore, MemoryUnit
from callcenter.service.line import surge
from callcenter.service.line.load import loads_at
from callcenter.service.line.wanted import pbx_wants
from callcenter.service.people import caller_plans
from callcenter.service.staff.skills import set_skills, skilled
from scheduler.cadence import SHANGHAI
from scheduler.obligations import Kind, Mode, Obligation

NOW = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
HOUR = timedelta(hours=1)
NUMBER = "13812345678"
SHEN = Person(id="p1", code="P-7F3K", name="沈建国", phones=(Phone(number=NUMBER),), spoken="739105")


@pytest.fixture
def work() -> Iterator[MemoryUnit]:
    """A line with two counsellors and a supervisor, and somebody who calls often."""
    with MemoryStore()() as unit:
        for code, role in (("c017", Role.COUNSELLOR), ("c018", Role.COUNSELLOR), ("s001", Role.SUPERVISOR)):
            user = User(code=code, name="王芳", roles=frozenset({role}), phone=PhoneKind.SIP)
            unit.users.add(user)
        unit.people.add(SHEN)
        yield unit


def key(family: str, text: str = NUMBER) -> str:
    hashed = hashlib.sha1(f"S{text}".encode()).hexdigest()  # noqa: S324 - as dialplan computes it
    return f"hotline-{family}/{hashed}"


def wants(work: MemoryUnit, now: datetime = NOW, **more: dict[str, int]) -> Wanted:
    return pbx_wants(work, now, salt="S", **more)


def facts(work: MemoryUnit) -> dict[str, str]:
    return dict(wants(work).facts)


def agree(work: MemoryUnit, person: str = "p1", **terms: object) -> None:
    work.book(CALLER_PLANS).add(CallerPlan(id=person, by="s001", at=NOW, **terms))  # type: ignore[arg-type]


def follow(work: MemoryUnit, owner: str, level: Level = Level.GENERAL) -> None:
    case = Case(
        id="ca-1",
        person="p1",
        level=level,
        state=CaseState.ACTIVE,
        owner=owner,
        opened_at=NOW,
        opened_from="se-1",
    )
    work.book(CASES).add(case)


def on_shift(work: MemoryUnit, agent: str, kind: ShiftKind = ShiftKind.LINE, since: timedelta = HOUR) -> None:
    shift = Shift(id=f"sh-{agent}", agent=agent, start=NOW - since, length=since + 4 * HOUR, kind=kind)
    work.roster.add_shift(shift)
    if kind is ShiftKind.LINE:
        came = PresenceEvent(key=f"on-{agent}", agent=agent, act=PresenceAct.ON, at=NOW - since, source="cli")
        work.roster.add_presence(came)


# --- those who answer -----------------------------------------------------------------------


def test_on_call_times_of_backups_and_of_supervisors_are_told_apart_from_shifts(work: MemoryUnit) -> None:
    on_shift(work, "c017")
    on_shift(work, "c018", ShiftKind.BACKUP)
    on_shift(work, "s001", ShiftKind.SUPERVISOR)
    told, span = wants(work), f"{int((NOW - HOUR).timestamp())}-{int((NOW + 4 * HOUR).timestamp())}"
    assert told.facts["hotline-shift/c017"] == span
    assert told.facts["hotline-backup/c018"] == told.facts["hotline-lead/s001"] == span
    assert "hotline-shift/c018" not in told.facts
    assert told.members == {"c017"}
    assert told.edges == {NOW + 4 * HOUR: {"c017", "c018", "s001"}}


def test_skills_and_loads_stand_in_the_pbx_and_seat_in_their_queues(work: MemoryUnit) -> None:
    on_shift(work, "c017")
    has = frozenset({Skill.TRAINEE, Skill.CRISIS, Skill.WOMAN})
    work.book(STAFF).add(StaffProfile(id="c017", skills=has))
    told = wants(work, loads={"c017": 4, "c018": 0, "c099": 3})
    assert told.facts["hotline-skill/c017"] == "crisis&woman&trainee"
    assert told.facts["hotline-load/c017"] == "4"
    assert not {"hotline-load/c018", "hotline-load/c099"} & told.facts.keys()
    assert told.seats == {"c017": {"hotline", "hotline-crisis", "hotline-woman"}}


def test_r47_who_is_owed_a_debriefing_is_told_and_rung_by_nobody(work: MemoryUnit) -> None:
    on_shift(work, "c017")
    owed = PresenceEvent(key="d", agent="c017", act=PresenceAct.DEBRIEF, at=NOW, source="system", reason="x")
    work.roster.add_presence(owed)
    told = wants(work)
    assert told.facts["hotline-debrief/c017"] == "1"
    assert told.members == frozenset()


def test_a_surge_rings_backups_until_it_ends_by_itself(work: MemoryUnit) -> None:
    on_shift(work, "c018", ShiftKind.BACKUP)
    begun = surge.begin(work, 2 * HOUR, actor="s001", now=NOW, reason="台风")
    told = wants(work)
    assert told.facts["hotline-surge/until"] == str(int(begun.until.timestamp()))
    assert told.members == {"c018"}
    assert told.edges[begun.until] == {"c018"}
    after = wants(work, begun.until)
    assert after.members == frozenset()
    assert "hotline-surge/until" not in after.facts


# --- surges and skills as verbs ---------------------------------------------------------------


def test_a_surge_is_ended_early_and_begun_anew(work: MemoryUnit) -> None:
    before = work.roster.revision()
    surge.begin(work, HOUR, actor="s001", now=NOW, reason="台风")
    longer = surge.begin(work, 2 * HOUR, actor="s001", now=NOW, reason="台风未过")
    assert surge.current(work, actor="c017", now=NOW) == longer
    surge.end(work, actor="s001", now=NOW + HOUR)
    assert surge.current(work, actor="c017", now=NOW + HOUR) is None
    assert work.roster.revision() >= before + 3
    with pytest.raises(Refused):
        surge.end(work, actor="s001", now=NOW + HOUR)


@pytest.mark.parametrize(
    ("length", "reason"),
    [(HOUR, " "), (timedelta(minutes=4), "台风"), (timedelta(hours=13), "台风")],
)
def test_a_surge_without_a_reason_or_of_no_sensible_length_is_refused(
    work: MemoryUnit, length: timedelta, reason: str
) -> None:
    with pytest.raises(Refused):
        surge.begin(work, length, actor="s001", now=NOW, reason=reason)
    with pytest.raises(Forbidden):
        surge.begin(work, HOUR, actor="c017", now=NOW, reason="台风")


def test_skills_are_set_by_a_supervisor_and_the_rest_is_left(work: MemoryUnit) -> None:
    before = work.roster.revision()
    set_skills(work, "c017", skills={Skill.CRISIS, Skill.WOMAN}, actor="s001", now=NOW)
    set_skills(work, "c017", share=60, most_nights=2, actor="s001", now=NOW)
    assert work.roster.revision() == before + 2
    set_skills(work, "c017", share=60, actor="s001", now=NOW)
    assert work.roster.revision() == before + 2
    found = {one.code: one.profile for one in skilled(work, actor="s001")}
    assert found["c017"] == StaffProfile(
        id="c017", skills=frozenset({Skill.CRISIS, Skill.WOMAN}), share=60, most_nights=2, revision=1
    )
    assert found["c018"] == StaffProfile(id="c018")
    assert "s001" not in found
    assert {(e.verb, e.object, e.field) for e in work.audit.recent(9)} == {
        ("staff.skills", "c017", name) for name in ("skills", "share", "most_nights")
    }


def test_nobody_is_woman_and_man_and_no_share_is_out_of_bounds(work: MemoryUnit) -> None:
    wrong: list[dict[str, object]] = [{"skills": {Skill.WOMAN, Skill.MAN}}, {"share": 5}, {"share": 101}]
    for change in [*wrong, {"most_nights": 15}]:
        with pytest.raises(Refused):
            set_skills(work, "c017", **change, actor="s001", now=NOW)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="不是咨询员"):
        set_skills(work, "s001", skills={Skill.CRISIS}, actor="s001", now=NOW)


# --- plans with callers -----------------------------------------------------------------------


def test_the_plans_worker_is_asked_for_unless_a_case_has_an_owner(work: MemoryUnit) -> None:
    agree(work, worker="c017")
    assert facts(work)[key("owner")] == "c017"
    assert facts(work)[key("code", "739105")] == "c017"
    follow(work, "c018")
    assert facts(work)[key("owner")] == "c018"
    assert facts(work)[key("code", "739105")] == "c018"
    assert "739105" not in str(facts(work))


def test_a_worker_without_a_phone_is_not_asked_for(work: MemoryUnit) -> None:
    agree(work, worker="c017")
    work.users.update(replace(work.users.get("c017"), phone=PhoneKind.NONE))
    assert not {key("owner"), key("code", "739105")} & facts(work).keys()


@pytest.mark.parametrize(("wish", "word"), [("woman", "wants_woman"), ("man", "wants_man"), ("", None)])
def test_a_wish_is_told_as_a_word(work: MemoryUnit, wish: Wish, word: str | None) -> None:
    agree(work, wish=wish)
    assert facts(work).get(key("fact")) == word


def test_a_plan_of_an_entry_that_was_merged_holds_for_the_whole_person(work: MemoryUnit) -> None:
    work.people.add(Person(id="p0", code="P-0", merged_into="p1", phones=(Phone(number="13900000000"),)))
    agree(work, "p0", worker="c018", wish="woman")
    told = facts(work)
    assert told[key("owner")] == told[key("owner", "13900000000")] == "c018"
    assert told[key("fact")] == "wants_woman"
    agree(work, "p1", worker="c017")
    assert facts(work)[key("owner")] == "c017"


def test_a_plan_raises_the_rank_but_never_lowers_it_nor_above_danger(work: MemoryUnit) -> None:
    agree(work, rank=7)
    assert facts(work)[key("prio")] == "7"
    follow(work, "c017", Level.MEDIUM)
    assert facts(work)[key("prio")] == "8"


def test_a_low_rank_leaves_what_a_debt_gives(work: MemoryUnit) -> None:
    agree(work, rank=1)
    owed = Obligation(
        id="ob-1",
        person="p1",
        kind=Kind.CALLBACK,
        due_at=NOW,
        window_end=NOW + HOUR,
        mode=Mode.HUMAN_ONLY,
        created_at=NOW,
    )
    work.debts.add(owed)
    assert int(facts(work)[key("prio")]) > 1


def test_a_rank_that_only_people_in_danger_have_is_refused(work: MemoryUnit) -> None:
    with pytest.raises(Refused):
        caller_plans.set_plan(work, "p1", rank=8, actor="s001", now=NOW)
    before = work.roster.revision()
    assert caller_plans.set_plan(work, "p1", rank=7, wish="man", actor="s001", now=NOW).wish == "man"
    assert work.roster.revision() == before + 1
    caller_plans.set_plan(work, "p1", times="周二 19:00", actor="s001", now=NOW)
    assert work.roster.revision() == before + 1


# --- load -------------------------------------------------------------------------------------


def talk(work: MemoryUnit, n: int, agent: str, minutes: int, ago: timedelta) -> str:
    start = NOW - ago
    record = CallRecord(
        id=f"call-{n}",
        direction=Direction.INBOUND,
        outcome=Outcome.ANSWERED,
        started_at=start,
        answered_at=start,
        ended_at=start + timedelta(minutes=minutes),
        answered_by=agent,
    )
    work.calls.put_many([record])
    return record.id


def test_the_load_counts_this_shifts_talks_of_those_on_duty(work: MemoryUnit) -> None:
    on_shift(work, "c017", since=3 * HOUR)
    on_shift(work, "c018", since=HOUR)
    talk(work, 1, "c017", 25, ago=2 * HOUR)
    talk(work, 2, "c018", 50, ago=2 * HOUR)  # before their shift began
    talk(work, 3, "s001", 50, ago=HOUR)
    assert loads_at(work, NOW) == {"c017": 2, "c018": 0}


def test_a_talk_with_somebody_in_danger_weighs_twice_however_it_is_known(work: MemoryUnit) -> None:
    on_shift(work, "c017")
    on_shift(work, "c018")
    call = talk(work, 1, "c017", 15, ago=HOUR / 2)
    assert loads_at(work, NOW)["c017"] == 1
    debrief = PresenceEvent(
        key="d", agent="c017", act=PresenceAct.DEBRIEF, at=NOW - HOUR / 4, source="system", reason=call
    )
    held = replace(debrief, key="e", act=PresenceAct.DEBRIEFED, at=NOW - HOUR / 8, reason="")
    for act in (debrief, held):
        work.roster.add_presence(act)
    assert loads_at(work, NOW)["c017"] == 3


def test_a_talk_about_somebody_whose_case_is_at_high_risk_weighs_twice(work: MemoryUnit) -> None:
    on_shift(work, "c017")
    on_shift(work, "c018")
    call = talk(work, 1, "c017", 15, ago=HOUR / 2)
    row = SessionRow(id="se-1", call=call, counsellor="c017", opened_at=NOW - HOUR / 2, person="p1")
    work.sessions.open_many([row])
    follow(work, "c017", Level.HIGH)
    assert loads_at(work, NOW)["c017"] == 3


def test_a_small_share_is_full_sooner_and_one_alone_has_no_load(work: MemoryUnit) -> None:
    on_shift(work, "c017")
    talk(work, 1, "c017", 15, ago=HOUR / 2)
    assert loads_at(work, NOW) == {"c017": 0}
    on_shift(work, "c018")
    set_skills(work, "c017", share=50, actor="s001", now=NOW)
    assert loads_at(work, NOW) == {"c017": 3, "c018": 0}
