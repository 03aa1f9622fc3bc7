"""A colleague's case, a reason that is none, a proposal nobody saw, a name that tells too much."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from actors import enlist

from callcenter.domain.books import CASE_EVENTS, CASES
from callcenter.domain.case_rules import ruling
from callcenter.domain.cases import Case, CaseState, CloseReason, RescueState
from callcenter.domain.levels import Level
from callcenter.domain.people import Person
from callcenter.domain.risk import RiskAnswers, finding
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import Role, User
from callcenter.errors import Forbidden, Refused
from callcenter.memory import MemoryStore, MemoryUnit
from callcenter.service.followup.case_steps import open_steps
from callcenter.service.names import digest, pseudonym
from callcenter.service.risk import case_verbs as verbs
from callcenter.service.risk import rescues
from callcenter.service.risk.cases import follow
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules

NOW = datetime(2026, 11, 24, 15, 20, tzinfo=SHANGHAI)
HOUR = timedelta(hours=1)
RULES = Rules()
HIGH, MEDIUM = RiskAnswers(asked=True, plan_soon=True), RiskAnswers(asked=True, thoughts=True)
PERSON = "p-77ab"


@pytest.fixture
def work() -> Iterator[MemoryUnit]:
    """陈梦瑶, two counsellors, two supervisors."""
    with MemoryStore()() as unit:
        enlist(unit)
        for code, role in (("c018", Role.COUNSELLOR), ("s002", Role.SUPERVISOR)):
            unit.users.add(User(code=code, name="吴倩", roles=frozenset({role})))
        unit.people.add(Person(id=PERSON, code=pseudonym(PERSON), name="陈梦瑶"))
        yield unit


def opened(work: MemoryUnit, said: RiskAnswers = MEDIUM, by: str = "c017", session: str = "se-1") -> Case:
    row = SessionRow(id=session, call=session[3:], counsellor="c017", opened_at=NOW)
    found = follow(
        work, session=row, person=PERSON, answers=said, ended_at=NOW, actor=by, now=NOW, rules=RULES
    )
    assert found is not None
    return found


Act = Callable[[MemoryUnit, Case, str, str], object]

#: What makes a case milder or ends it.
MILDER: dict[str, Act] = {
    "lower": lambda w, c, why, by: verbs.lower(
        w, c.id, Level.GENERAL, reason=why, actor=by, now=NOW, rules=RULES
    ),
    "watch": lambda w, c, why, by: verbs.watch(w, c.id, reason=why, actor=by, now=NOW),
    "close": lambda w, c, why, by: verbs.close(
        w, c.id, CloseReason.MISTAKE, note=why, actor=by, now=NOW, rules=RULES
    ),
}
#: Every verb that takes a reason or a note.
WITH_REASON: dict[str, Act] = {
    **MILDER,
    "raise": lambda w, c, why, by: verbs.raise_level(
        w, c.id, Level.HIGH, reason=why, actor=by, now=NOW, rules=RULES
    ),
    "hand over": lambda w, c, why, by: verbs.hand_over(w, c.id, "c018", reason=why, actor="s001", now=NOW),
    "tried": lambda w, c, why, by: verbs.tried(w, c.id, "上门", note=why, actor=by, now=NOW),
    "withdraw": lambda w, c, why, by: _withdrawn(w, c, why),
    "reopen": lambda w, c, why, by: _reopened(w, c, why),
    "close a rescue": lambda w, c, why, by: _rescue_closed(w, c, why),
    "tell the person": lambda w, c, why, by: _told(w, c, why),
}


def _withdrawn(work: MemoryUnit, case: Case, why: str) -> None:
    high = verbs.raise_level(
        work, case.id, Level.HIGH, reason="家属来电说买了药", actor="c017", now=NOW, rules=RULES
    )
    verbs.lower(work, high.id, Level.MEDIUM, reason="药已经交出", actor="c017", now=NOW, rules=RULES)
    verbs.withdraw(work, high.id, reason=why, actor="c017", now=NOW)


def _reopened(work: MemoryUnit, case: Case, why: str) -> None:
    MILDER["close"](work, case, "是误建的个案", "c017")
    verbs.reopen(work, case.id, reason=why, actor="s001", now=NOW, rules=RULES)


def _rescue(work: MemoryUnit, case: Case) -> str:
    verbs.raise_level(
        work, case.id, Level.IMMINENT, reason="正在服药自杀", actor="c017", now=NOW, rules=RULES
    )
    return rescues.of_case(work, case.id)[0].id


def _rescue_closed(work: MemoryUnit, case: Case, why: str) -> None:
    rescues.close(work, _rescue(work, case), reason=why, actor="s001", now=NOW)


def _told(work: MemoryUnit, case: Case, why: str) -> None:
    rescues.inform(work, _rescue(work, case), how=why, actor="c017", now=NOW)


# --- reasons ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WITH_REASON)
@pytest.mark.parametrize("why", ["", "。", "……！？——", "。。。。。。", "好了", "一一一一", "x x"])
def test_r12_signs_and_two_letters_are_no_reason_for_anything_done_to_a_case(
    work: MemoryUnit, name: str, why: str
) -> None:
    case = opened(work)
    with pytest.raises(Refused, match="写明"):
        WITH_REASON[name](work, case, why, "c017")


@pytest.mark.parametrize("name", WITH_REASON)
def test_four_letters_are_a_reason(work: MemoryUnit, name: str) -> None:
    case = opened(work)
    before = len(work.audit.recent(100))
    WITH_REASON[name](work, case, "陪同就医", "c017")
    assert len(work.audit.recent(100)) > before


def test_r12_a_record_is_not_milder_than_its_answers_by_a_full_stop() -> None:
    for why in ("", "。", "——————"):
        with pytest.raises(Refused, match="理由"):
            ruling(finding(HIGH, {}), RiskAnswers(asked=True, given=Level.GENERAL, given_reason=why))


def test_that_somebody_was_met_needs_more_than_a_sign(work: MemoryUnit) -> None:
    form = _rescue(work, opened(work))
    with pytest.raises(Refused, match="写明"):
        rescues.add_step(work, form, RescueState.REQUESTED, note="。。", actor="c017", now=NOW)
    with pytest.raises(Refused, match="写明"):
        rescues.add_step(work, form, RescueState.CONTACT_CONFIRMED, note="见了", actor="c017", now=NOW)


# --- whose case --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MILDER)
def test_a_colleague_neither_lowers_nor_watches_nor_closes_a_case(work: MemoryUnit, name: str) -> None:
    case = opened(work)
    with pytest.raises(Forbidden, match="c017 负责"):
        MILDER[name](work, case, "是误建的个案", "c018")
    assert work.book(CASES).get(case.id) == case
    MILDER[name](work, case, "是误建的个案", "s001")


@pytest.mark.parametrize("name", MILDER)
def test_a_case_nobody_has_is_taken_before_it_is_made_milder(work: MemoryUnit, name: str) -> None:
    case = opened(work)
    book = work.book(CASES)
    book.put(Case(**{**{f: getattr(case, f) for f in Case.__dataclass_fields__}, "owner": None}))
    with pytest.raises(Forbidden, match="hotline cases take"):
        MILDER[name](work, case, "是误建的个案", "c018")


def test_whoever_knows_of_danger_raises_a_colleagues_case_by_name(work: MemoryUnit) -> None:
    case = opened(work)
    raised = verbs.raise_level(
        work, case.id, Level.HIGH, reason="家属来电说买了药", actor="c018", now=NOW, rules=RULES
    )
    assert (raised.level, raised.owner) == (Level.HIGH, "c017")
    assert any(e.verb == "case.level" and e.actor == "c018" for e in work.audit.recent(20))


def test_reading_a_colleagues_case_leaves_a_trace_and_ones_own_does_not(work: MemoryUnit) -> None:
    case = opened(work)
    verbs.see_case(work, case.id, actor="c017", now=NOW)
    assert _looks(work) == []
    verbs.see_case(work, case.id, actor="c018", now=NOW)
    assert _looks(work) == [("c018", f"case:{case.id}")]


def _looks(work: MemoryUnit) -> list[tuple[str, str]]:
    return [(e.actor, e.object) for e in work.audit.recent(50, verb="case.see")]


def test_whoever_opens_their_own_case_has_it_in_hand_and_another_takes_it_up(work: MemoryUnit) -> None:
    assert opened(work).state is CaseState.ACTIVE


def test_a_case_opened_in_a_colleagues_name_waits_until_they_write_or_take_it(work: MemoryUnit) -> None:
    case = opened(work, by="s001")
    assert (case.state, case.owner) == (CaseState.OPEN, "c017")
    after = opened(work, HIGH, session="se-2")
    assert (after.id, after.state) == (case.id, CaseState.ACTIVE)


# --- confirming --------------------------------------------------------------------------------


def test_r12_a_supervisor_confirms_what_they_saw_and_not_what_is_proposed_by_now(work: MemoryUnit) -> None:
    case = opened(work, HIGH)
    lower = {"reason": "药已经交出", "now": NOW, "rules": RULES}
    verbs.lower(work, case.id, Level.MEDIUM, actor="c017", **lower)  # type: ignore[arg-type]
    verbs.lower(work, case.id, Level.INFORMATION, actor="s002", **lower)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="降为 4 咨询（s002 提出）"):
        verbs.confirm(work, case.id, Level.MEDIUM, actor="s001", now=NOW, rules=RULES)
    assert work.book(CASES).get(case.id).level is Level.HIGH


def test_r12_who_confirms_a_lower_level_does_not_close_the_case_instead(work: MemoryUnit) -> None:
    case = opened(work, HIGH)
    verbs.lower(work, case.id, Level.MEDIUM, reason="药已经交出", actor="c017", now=NOW, rules=RULES)
    verbs.close(work, case.id, CloseReason.MISTAKE, note="是误建的个案", actor="c017", now=NOW, rules=RULES)
    with pytest.raises(Refused, match="结案（误建，c017 提出）"):
        verbs.confirm(work, case.id, Level.MEDIUM, actor="s001", now=NOW, rules=RULES)
    with pytest.raises(Refused, match="结案（误建，c017 提出）"):
        verbs.confirm(work, case.id, CloseReason.REFERRED, actor="s001", now=NOW, rules=RULES)
    done = verbs.confirm(work, case.id, CloseReason.MISTAKE, actor="s001", now=NOW, rules=RULES)
    assert done.close_reason is CloseReason.MISTAKE


# --- names -------------------------------------------------------------------------------------


def test_r39_nothing_a_case_or_its_debts_are_called_is_worked_out_from_whose_they_are(
    work: MemoryUnit,
) -> None:
    case = opened(work, HIGH)
    person = work.people.get(PERSON)
    known = [digest(PERSON), digest("se-1"), digest("1"), person.code[2:].lower(), PERSON[2:]]
    names = [case.id, *case.steps]
    assert not [(name, stem) for name in names for stem in known if stem[:6] in name.lower()]
    step = open_steps(work, case)[0]
    # Whoever sees a case's name in an alarm and calls in a list tries out what belongs to what.
    tried = digest(f"{step.origin}/{step.due_at.isoformat()}")
    assert step.id != f"ob-{tried}"


def test_the_same_person_at_two_sites_has_two_names(work: MemoryUnit) -> None:
    with MemoryStore()() as other:
        enlist(other)
        other.people.add(Person(id=PERSON, code=pseudonym(PERSON)))
        assert opened(work, HIGH).id != opened(other, HIGH).id


def test_cases_of_one_person_one_after_another_are_told_apart(work: MemoryUnit) -> None:
    ids = []
    for n in range(3):
        case = opened(work, session=f"se-{n}")
        ids.append(case.id)
        MILDER["close"](work, case, "是误建的个案", "c017")
    assert len(set(ids)) == 3


def test_a_cases_log_begins_with_its_opening(work: MemoryUnit) -> None:
    case = opened(work, RiskAnswers(asked=True, plan_soon=True, given=Level.MEDIUM, given_reason="药已交出"))
    view = verbs.see_case(work, case.id, actor="c017", now=NOW)
    assert [e.kind for e in view.events] == ["opened", "proposed"]
    assert len(work.book(CASE_EVENTS).where(case=case.id)) == 2
