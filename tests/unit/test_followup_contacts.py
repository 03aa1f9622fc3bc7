"""What keeps a step of somebody in danger: one real contact, in its time, by who answers for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from actors import enlist

from callcenter.domain.books import CASE_EVENTS, SESSION_VERSIONS
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.cases import Case
from callcenter.domain.people import Person, Phone
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow, SessionStatus, SessionVersion
from callcenter.domain.users import Role, User
from callcenter.errors import Forbidden, NotFound, Refused
from callcenter.memory import MemoryStore, MemoryUnit
from callcenter.service.followup.debts import done_by_call, done_by_visit
from callcenter.service.people.merging import merge
from callcenter.service.people.people import add_phone
from callcenter.service.risk.case_verbs import hand_over
from callcenter.service.risk.cases import follow
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules
from scheduler.obligations import Attempt, Evidence, EvidenceKind, Kind

ENDED = datetime(2026, 11, 24, 15, 20, tzinfo=SHANGHAI)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
#: When the first step, 24 hours after the call, falls due.
DUE = ENDED + DAY
NUMBER, OTHERS = "13800001111", "13700003333"


@pytest.fixture
def work() -> Iterator[MemoryUnit]:
    """陈梦瑶, and two counsellors."""
    with MemoryStore()() as unit:
        enlist(unit)
        unit.users.add(User(code="c018", name="吴倩", roles=frozenset({Role.COUNSELLOR})))
        unit.people.add(Person(id="p1", code="P-7F3K", name="陈梦瑶", phones=(Phone(number=NUMBER),)))
        yield unit


def followed(work: MemoryUnit, answers: RiskAnswers | None = None) -> Case:
    row = SessionRow(id="se-1", call="1", counsellor="c017", opened_at=ENDED)
    case = follow(
        work,
        session=row,
        person="p1",
        answers=answers or RiskAnswers(asked=True, plan_soon=True),
        ended_at=ENDED,
        actor="c017",
        now=ENDED + 20 * MINUTE,
        rules=Rules(),
    )
    assert case is not None
    return case


def talked(work: MemoryUnit, call_id: str, at: datetime, **more: object) -> str:
    plain = CallRecord(
        id=call_id,
        direction=Direction.INBOUND,
        outcome=Outcome.ANSWERED,
        started_at=at,
        answered_at=at + MINUTE,
        ended_at=at + 20 * MINUTE,
        answered_by="c017",
        number=NUMBER,
    )
    work.calls.put_many([replace(plain, **more)])  # type: ignore[arg-type]
    return call_id


def by_call(work: MemoryUnit, step: str, call: str, *, now: datetime, actor: str = "c017") -> Evidence:
    return done_by_call(work, step, call, actor=actor, now=now)


def visited(work: MemoryUnit, step: str, visit: str = "走访-117", **other: object) -> Evidence:
    given: dict[str, object] = {
        "actor": "c017",
        "now": DUE + HOUR,
        "at": DUE,
        "met": "本人",
        "note": "在家，情绪平稳",
        "visitors": ("c017", "街道张主任"),
    }
    return done_by_visit(work, step, visit, **(given | other))  # type: ignore[arg-type]


# --- calls ----------------------------------------------------------------------------------


def test_a_call_with_the_person_in_its_time_keeps_the_step_and_is_logged(work: MemoryUnit) -> None:
    case = followed(work)
    proof = by_call(work, case.steps[0], talked(work, "c9", DUE - HOUR), now=DUE)
    assert (proof.kind, proof.reference) == (EvidenceKind.HUMAN_TALK, "c9")
    (event,) = [e for e in work.book(CASE_EVENTS).where(case=case.id) if e.kind == "contact"]
    assert (event.before, event.after, event.by) == (case.steps[0], "c9", "c017")


def test_a_call_an_hour_after_the_first_is_not_the_contact_owed_tomorrow(work: MemoryUnit) -> None:
    case = followed(work)
    with pytest.raises(Refused, match="还没有到时候"):
        by_call(work, case.steps[0], talked(work, "c9", ENDED + HOUR), now=ENDED + 2 * HOUR)


@pytest.mark.parametrize(("before", "counts"), [(6 * HOUR, True), (6 * HOUR + 2 * MINUTE, False)])
def test_a_quarter_of_the_interval_before_its_time_a_contact_counts(
    work: MemoryUnit, before: timedelta, counts: bool
) -> None:
    step, call = followed(work).steps[0], talked(work, "c9", DUE - before)
    if counts:
        by_call(work, step, call, now=DUE)
        return
    with pytest.raises(Refused, match="还没有到时候"):
        by_call(work, step, call, now=DUE)


def test_one_call_keeps_one_step_even_where_two_are_owed(work: MemoryUnit) -> None:
    case = followed(work)
    week = ENDED + 8 * DAY
    call = talked(work, "c9", week)
    by_call(work, case.steps[0], call, now=week + HOUR)
    with pytest.raises(Refused, match="一次联系只完成一步"):
        by_call(work, case.steps[1], call, now=week + HOUR)


def test_a_call_of_the_future_proves_nothing(work: MemoryUnit) -> None:
    step, call = followed(work).steps[0], talked(work, "c9", DUE + DAY)
    with pytest.raises(Refused, match="将来"):
        by_call(work, step, call, now=DUE)


def test_another_callers_number_written_down_afterwards_makes_no_contact(work: MemoryUnit) -> None:
    case = followed(work)
    call = talked(work, "c9", DUE - HOUR, number=OTHERS)
    add_phone(work, "p1", OTHERS, actor="c017", now=DUE)
    with pytest.raises(Refused, match="通话以前就登记"):
        by_call(work, case.steps[0], call, now=DUE + HOUR)
    later = talked(work, "c10", DUE + HOUR, number=OTHERS)
    assert by_call(work, case.steps[0], later, now=DUE + 2 * HOUR).reference == "c10"


def test_merging_afterwards_does_not_make_a_number_written_down_later_an_old_one(work: MemoryUnit) -> None:
    case = followed(work)
    call = talked(work, "c9", DUE - HOUR, number=OTHERS)
    add_phone(work, "p1", OTHERS, actor="c017", now=DUE)
    work.people.add(Person(id="p2", code="P-2222", phones=(Phone(number="13900002222"),)))
    merge(work, "p1", "p2", actor="s001", now=DUE, reason="同一个人，两次来电")
    with pytest.raises(Refused, match="通话以前就登记"):
        by_call(work, case.steps[0], call, now=DUE + HOUR)


def test_a_call_from_a_familys_phone_counts_once_its_record_says_who_talked(work: MemoryUnit) -> None:
    work.people.add(Person(id="p2", code="P-2222", name="陈国强", phones=(Phone(number=NUMBER),)))
    step, call = followed(work).steps[0], talked(work, "c9", DUE)
    with pytest.raises(Refused, match="共用的号码"):
        by_call(work, step, call, now=DUE + HOUR)
    written(work, call, "p2")
    with pytest.raises(Refused, match="不是与这位"):
        by_call(work, step, call, now=DUE + HOUR)
    head = work.sessions.get(f"se-{call}")
    work.sessions.update(replace(head, person="p1"), seen=1)
    assert by_call(work, step, call, now=DUE + HOUR).reference == call


@pytest.mark.parametrize("about", ["p2", None])
def test_a_call_dialled_for_the_step_that_somebody_else_answered_is_none(
    work: MemoryUnit, about: str | None
) -> None:
    work.people.add(Person(id="p2", code="P-2222"))
    step = followed(work).steps[0]
    dialled(work, step)
    written(work, "at-1", about, caller_type="third")
    with pytest.raises(Refused, match="不是与这位"):
        by_call(work, step, "at-1", now=DUE + HOUR)


def test_a_call_dialled_for_the_step_counts_whatever_number_was_reached(work: MemoryUnit) -> None:
    step = followed(work).steps[0]
    dialled(work, step)
    assert by_call(work, step, "at-1", now=DUE + HOUR).reference == "at-1"


def test_high_risk_is_kept_by_the_owner_or_a_supervisor_and_medium_by_any_counsellor(
    work: MemoryUnit,
) -> None:
    case = followed(work)
    call = talked(work, "c9", DUE)
    with pytest.raises(Forbidden, match="负责人或督导"):
        by_call(work, case.steps[0], call, now=DUE + HOUR, actor="c018")
    assert by_call(work, case.steps[0], call, now=DUE + HOUR, actor="s001").by == "s001"
    hand_over(work, case.id, "c018", reason="换班交接", actor="s001", now=DUE)
    week = talked(work, "c10", ENDED + 7 * DAY)
    assert by_call(work, case.steps[1], week, now=ENDED + 8 * DAY, actor="c018").by == "c018"


def test_medium_risk_is_kept_by_any_counsellor_with_a_real_contact(work: MemoryUnit) -> None:
    case = followed(work, RiskAnswers(asked=True, thoughts=True))
    assert work.debts.get(case.steps[0]).kind is Kind.MID_RISK
    at = ENDED + 3 * DAY
    with pytest.raises(Refused, match="时间"):
        done_by_visit(work, case.steps[0], "走访-1", actor="c018", now=at)
    call = talked(work, "c9", at)
    assert by_call(work, case.steps[0], call, now=at + HOUR, actor="c018").by == "c018"


# --- visits ---------------------------------------------------------------------------------


def test_a_visit_to_somebody_in_danger_is_logged_with_who_went_and_how_it_was(work: MemoryUnit) -> None:
    case = followed(work)
    assert visited(work, case.steps[0]).at == DUE
    (event,) = [e for e in work.book(CASE_EVENTS).where(case=case.id) if e.kind == "contact"]
    assert event.reason == "c017、街道张主任：在家，情绪平稳"
    assert not any("平稳" in entry.reason for entry in work.audit.recent(100))


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"at": None}, "--at"),
        ({"met": ""}, "--met"),
        ({"met": "母亲"}, "--met"),
        ({"note": " "}, "--note"),
        ({"visitors": ("c017",)}, "两个人"),
        ({"visitors": ("c017", "c017")}, "两个人"),
        ({"visitors": ("张三", "李四")}, "热线人员"),
        ({"at": DUE + 2 * HOUR}, "将来"),
        ({"at": ENDED - HOUR}, "早于"),
        ({"at": ENDED + HOUR}, "还没有到时候"),
        ({"actor": "c018"}, "负责人或督导"),
    ],
)
def test_a_visit_of_which_too_little_is_known_keeps_no_step(
    work: MemoryUnit, wrong: dict[str, object], word: str
) -> None:
    case = followed(work)
    with pytest.raises(Refused, match=word):
        visited(work, case.steps[0], **wrong)
    assert len(work.debts.open(person="p1")) == len(case.steps)


@pytest.mark.parametrize("again", ["走访-117", "家访-117", "走访-117号", "117"])
def test_one_visit_keeps_one_step_however_its_paper_is_called(work: MemoryUnit, again: str) -> None:
    case = followed(work)
    visited(work, case.steps[0])
    week = ENDED + 7 * DAY
    with pytest.raises(Refused, match="一次联系只完成一步"):
        visited(work, case.steps[1], again, now=week + HOUR, at=week)


def test_r39_a_clerk_hears_the_same_of_a_risk_debt_and_of_none_at_all(work: MemoryUnit) -> None:
    said = set()
    for debt in (*followed(work).steps, "ob-404"):
        for visit in ("走访-117", "沈建国家"):
            with pytest.raises(NotFound) as refused:
                done_by_visit(work, debt, visit, actor="k001", now=DUE)
            said.add(str(refused.value).replace(debt, "ob"))
    assert said == {"没有待办 ob。"}


# --- how ------------------------------------------------------------------------------------


def dialled(work: MemoryUnit, step: str) -> None:
    work.debts.add_attempt(Attempt(id="at-1", obligation=step, n=1, planned_at=DUE, by="c017"))
    talked(work, "at-1", DUE, direction=Direction.OUTBOUND, outcome=Outcome.OUTBOUND, number=None)


def written(work: MemoryUnit, call: str, person: str | None, **answers: object) -> None:
    head = SessionRow(
        id=f"se-{call}",
        call=call,
        counsellor="c017",
        opened_at=DUE,
        person=person,
        status=SessionStatus.SUBMITTED,
        version=1,
    )
    work.sessions.open_many([head])
    work.book(SESSION_VERSIONS).add(
        SessionVersion(
            id=f"{head.id}/1",
            session=head.id,
            n=1,
            status=SessionStatus.SUBMITTED,
            form="session/1",
            checksum="",
            answers=answers,
            by="c017",
            at=DUE,
        )
    )
