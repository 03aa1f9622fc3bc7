"""What became of a call of ours, from rows that a real Asterisk 22.10.1 wrote, and the page that says so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from journal_text import only_call, trace_rows

from callcenter.domain.calls import CallRecord
from callcenter.domain.fold import fold
from callcenter.domain.people import Person, Phone, PhoneStatus
from callcenter.domain.users import Role, User
from callcenter.errors import Refused
from callcenter.memory import MemoryStore, MemoryUnit
from callcenter.service.followup import handling
from callcenter.service.followup.dispatch import StoreLedger
from callcenter.service.followup.results import REASONS, STATUSES, result_of, source_of
from callcenter.service.followup.settling import PHONE_STATUS, settle
from callcenter.words import attempt_words
from scheduler.gates import Rules
from scheduler.ladder_table import LadderTable, Then
from scheduler.obligations import (
    BY_IVR,
    FREE_RESULTS,
    Attempt,
    CauseSource,
    Kind,
    Mode,
    Obligation,
    Result,
)

NUMBER = "13700000001"
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "telephony.md"
SIP, REASON, FLOW, TIMEOUT = CauseSource.SIP, CauseSource.REASON, CauseSource.FLOW, CauseSource.TIMEOUT


def read(call: CallRecord, by: str = BY_IVR) -> tuple[Result, CauseSource | None, bool]:
    """Return what an attempt's call means: result, who told, and whether something was played before."""
    attempt = Attempt(id=call.id, obligation="ob-1", n=1, planned_at=call.started_at, by=by)
    return result_of(call, attempt), source_of(call), call.early_media


@pytest.mark.parametrize(
    ("name", "result", "source", "early"),
    [
        ("checkin_declined", Result.DECLINED, SIP, False),
        ("checkin_unavailable", Result.NO_ANSWER, SIP, False),
        ("checkin_we_may_not_call", Result.OWN_FAULT, SIP, False),
        ("checkin_bad_gateway", Result.NETWORK_CONGESTION, SIP, False),
        ("checkin_announcement", Result.NO_ANSWER, SIP, True),
        ("checkin_announcement_for_ever", Result.NO_ANSWER, TIMEOUT, True),
        ("checkin_rings_for_ever", Result.NO_ANSWER, TIMEOUT, False),
        ("checkin_is_tried_for_ever", Result.NETWORK_CONGESTION, TIMEOUT, False),
        ("checkin_dead_trunk", Result.OWN_FAULT, CauseSource.OURS, False),
        ("checkin_voicemail", Result.ASSISTANT_OR_VOICEMAIL, FLOW, False),
        ("checkin_hangs_up_at_once", Result.IDENTITY_FAILED, FLOW, False),
        ("checkin_network_lost", Result.REACHED_SELF_NO_KEY, FLOW, False),
    ],
)
def test_an_automated_call_that_came_to_nothing_is_told_apart(
    name: str, result: Result, source: CauseSource, early: bool
) -> None:
    assert read(only_call(name)) == (result, source, early)


@pytest.mark.parametrize(
    ("name", "result", "source"),
    [("checkin_busy", Result.BUSY, SIP), ("checkin_no_answer", Result.NO_ANSWER, TIMEOUT)],
)
def test_a_journal_of_before_tells_by_its_cause_alone(name: str, result: Result, source: CauseSource) -> None:
    assert read(only_call(name)) == (result, source, False)


@pytest.mark.parametrize(
    ("cause", "result"), [(20, Result.OUT_OF_AREA), (27, Result.OUT_OF_AREA), (17, Result.BUSY)]
)
def test_a_cause_the_network_named_says_more_than_its_status(cause: int, result: Result) -> None:
    # As an Asterisk writes it that keeps the Reason header; 22.8 to 22.10.1 do not.
    rows, queue = trace_rows("checkin_unavailable")
    kept = [row._replace(extra=row.extra.replace('cause"":19', f'cause"":{cause}')) for row in rows]
    (call,) = fold(kept, queue).calls
    assert read(call) == (result, REASON, False)


@pytest.mark.parametrize("said", ["sip=480", "sip=x&heard=1", "sip=480&heard=", "heard=3", "sip=-1&heard=0"])
def test_a_row_of_the_network_that_says_nothing_is_no_fact(said: str) -> None:
    rows, queue = trace_rows("checkin_announcement")
    text = f'{{""extra"":""{said}""}}'
    spoilt = [row._replace(extra=text) if row.event == "NETWORK" else row for row in rows]
    (call,) = fold(spoilt, queue).calls
    assert (call.sip_status, call.early_media, call.hangup_cause) == (None, False, 19)


@pytest.mark.parametrize(
    ("status", "result"),
    [(499, Result.OWN_FAULT), (580, Result.NETWORK_CONGESTION), (699, Result.NO_ANSWER)],
)
def test_a_status_nobody_listed_is_whose_fault_its_class_says(status: int, result: Result) -> None:
    unlisted = replace(only_call("checkin_unavailable"), sip_status=status, hangup_cause=127)
    assert read(unlisted) == (result, SIP, False)


def test_a_persons_own_call_that_nobody_took_is_told_by_the_same_words() -> None:
    assert read(only_call("checkin_declined"), by="c017")[0] is Result.DECLINED


# --- the page ---------------------------------------------------------------------------------


def told() -> dict[Result, list[str]]:
    """Return the page's row of each result: statuses, causes, what else tells, rung, number, next."""
    rows = re.findall(r"^\| `([a-z_]+)` \|(.+)\|$", section(), re.MULTILINE)
    return {Result(name): [cell.strip() for cell in rest.split("|")] for name, rest in rows}


def section() -> str:
    page = PAGE.read_text(encoding="utf-8")
    return page.partition("## What the network says of a call of ours\n")[2].partition("\n## ")[0]


def numbers(cell: str) -> set[int]:
    return {int(word) for word in re.findall(r"\b[0-9]+\b", cell)}


def test_every_result_has_its_row() -> None:
    assert list(told()) == list(Result)


@pytest.mark.parametrize("result", Result)
def test_the_page_says_what_the_tables_say(result: Result) -> None:
    statuses, causes, _, rung, number, then = told()[result]
    assert numbers(statuses) == {s for s, known in STATUSES.items() if known.result is result}
    assert numbers(causes) == {c for c, meant in REASONS.items() if meant is result}
    assert rung == ("no" if result in FREE_RESULTS else "yes")
    assert number == (f"`{PHONE_STATUS[result].value}`" if result in PHONE_STATUS else "")
    words = {Then.RETRY: "again", Then.FAULT: "again", Then.HUMAN: "person", Then.STOP_NUMBER: "person"}
    if result is not Result.REACHED_SELF_IVR_OK and result is not Result.REACHED_SELF_HUMAN:
        assert words[LadderTable().row(result).then] in then


# --- what only an announcement said -----------------------------------------------------------


@pytest.fixture
def store() -> MemoryStore:
    """A store in which 周伟 is owed a call that was dialled."""
    call = only_call("checkin_announcement")
    dialled, week, made = call.started_at, timedelta(days=7), MemoryStore()
    with made() as unit:
        unit.users.add(User(code="c017", name="周敏", roles=frozenset({Role.COUNSELLOR})))
        unit.people.add(Person(id="p1", code="P-1", name="周伟", phones=(Phone(number=NUMBER),)))
        unit.debts.add(
            Obligation(
                id="ob-1", person="p1", kind=Kind.HARDSHIP, mode=Mode.IVR_OK,
                due_at=dialled - week, window_end=dialled + week, created_at=dialled - week,
            )
        )  # fmt: skip
        unit.debts.claim("ob-1", call.id, dialled, dialled + week)
        unit.debts.add_attempt(
            Attempt(id=call.id, obligation="ob-1", n=1, planned_at=dialled, by=BY_IVR, callee=NUMBER)
        )
        unit.commit()
    return made


@pytest.fixture
def work(store: MemoryStore) -> Iterator[MemoryUnit]:
    """The same, and nobody answered, behind an announcement."""
    with store() as unit:
        settle(unit, [only_call("checkin_announcement")], unit.debts.attempts("ob-1")[0].planned_at)
        yield unit


def test_a_call_that_could_not_be_begun_was_our_own_fault(store: MemoryStore) -> None:
    call = only_call("checkin_announcement")
    StoreLedger(store, Rules()).settle(call.id, Result.OWN_FAULT, call.started_at)
    with store() as unit:
        (attempt,) = unit.debts.attempts("ob-1")
    assert (attempt.result, attempt.cause_source, attempt.counts) == (
        Result.OWN_FAULT,
        CauseSource.OURS,
        False,
    )


def test_an_announcement_is_no_answer_for_the_ladder_and_marked(work: MemoryUnit) -> None:
    (attempt,) = work.debts.attempts("ob-1")
    assert (attempt.result, attempt.cause_source, attempt.early_media) == (Result.NO_ANSWER, SIP, True)
    assert attempt.counts
    assert attempt_words(attempt) == "无人接听（有提示音）"


def test_a_person_who_heard_the_announcement_says_once_what_it_was(work: MemoryUnit) -> None:
    (attempt,) = work.debts.attempts("ob-1")
    later = attempt.planned_at + timedelta(hours=1)
    heard = handling.outcome(work, "ob-1", Result.SUSPENDED, actor="c017", now=later, call=attempt.id)
    assert (heard.result, heard.cause_source, heard.early_media) == (
        Result.SUSPENDED,
        CauseSource.HUMAN,
        True,
    )
    assert work.people.get("p1").phones[0].status is PhoneStatus.SUSPENDED
    with pytest.raises(Refused, match="已有结果"):
        handling.outcome(work, "ob-1", Result.BUSY, actor="c017", now=later, call=attempt.id)
    settle(work, [only_call("checkin_announcement")], later)
    assert work.debts.attempts("ob-1") == [heard]


def test_where_the_network_named_a_reason_nobody_says_another(work: MemoryUnit) -> None:
    (attempt,) = work.debts.attempts("ob-1")
    named = replace(attempt, result=Result.BUSY)
    assert not named.may_be_heard
    assert not replace(attempt, early_media=False).may_be_heard
