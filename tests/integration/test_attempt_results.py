"""What becomes of an automated call, for everything a network or a person may do (R23-R25, R27, R33).

All are called at once, by the product's own order to dial, through the product's own Asterisk; SIPp plays
the network and the people. Each result is read from the journal. See docs/reference/telephony.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from harness import Actors, Pbx
from placed import RING, Placed, played

from callcenter.demo.sipp import Answer, Behaviour, Ignore, Refuse, RingOn, presses
from callcenter.domain.people import PhoneStatus
from callcenter.service.followup.results import STATUSES
from scheduler.ladder import rungs
from scheduler.obligations import CauseSource, EvidenceKind, Kind, Result

pytestmark = pytest.mark.asterisk
SOON = timedelta(milliseconds=300)
SECOND = timedelta(seconds=1)
FLOW, SIP, TIMEOUT, OURS = CauseSource.FLOW, CauseSource.SIP, CauseSource.TIMEOUT, CauseSource.OURS


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """Somebody who is called, and what has to be on record afterwards."""

    does: Behaviour
    result: Result
    source: CauseSource | None
    cause: int | None = None
    early: bool = False
    phone: PhoneStatus = PhoneStatus.OK


def refused(status: int, result: Result, cause: int, **more: object) -> Case:
    """Return a case of the network's refusal after some ringing."""
    does = Refuse(status=status, after=SOON, announces=bool(more.pop("announces", False)))
    return Case(does=does, result=result, source=SIP, cause=cause, **more)  # type: ignore[arg-type]


def pressed(script: str, result: Result, talk: float | None = None, **more: object) -> Case:
    """Return a case of somebody who answers and presses these keys."""
    length = None if talk is None else timedelta(seconds=talk)
    does = Answer(after=SOON, keys=presses(script), talk=length)
    return Case(does=does, result=result, source=FLOW, **more)  # type: ignore[arg-type]


GONE = PhoneStatus.VACANT
NETWORK = {
    "busy": refused(486, Result.BUSY, 17),
    "busy everywhere": refused(600, Result.BUSY, 17),
    "temporarily unavailable": refused(480, Result.NO_ANSWER, 19),
    "declined": refused(603, Result.DECLINED, 21),
    "unwanted": refused(607, Result.DECLINED, 127),
    "vacant number": refused(404, Result.VACANT, 1, phone=GONE),
    "does not exist anywhere": refused(604, Result.VACANT, 1, phone=GONE),
    "incomplete number": refused(484, Result.VACANT, 28, phone=GONE),
    "changed number": refused(410, Result.VACANT, 22, phone=GONE),
    "we may not call": refused(403, Result.OWN_FAULT, 21),
    "we have to sign in": refused(407, Result.OWN_FAULT, 21),
    "our sound is not understood": refused(488, Result.OWN_FAULT, 58),
    "server error": refused(500, Result.NETWORK_CONGESTION, 38),
    "bad gateway": refused(502, Result.NETWORK_CONGESTION, 27),
    "service unavailable": refused(503, Result.NETWORK_CONGESTION, 34),
    "gateway time-out": refused(504, Result.NETWORK_CONGESTION, 102),
    "no answer, the network says": refused(408, Result.NO_ANSWER, 18),
    "announcement, then unavailable": refused(480, Result.NO_ANSWER, 19, announces=True, early=True),
    "announcement, then terminated": refused(487, Result.NO_ANSWER, 127, announces=True, early=True),
    "announcement, then vacant": refused(404, Result.VACANT, 1, announces=True, early=True, phone=GONE),
    "announcement for ever": Case(
        does=RingOn(announces=True), result=Result.NO_ANSWER, source=TIMEOUT, cause=19, early=True
    ),
    "rings for ever": Case(does=RingOn(), result=Result.NO_ANSWER, source=TIMEOUT, cause=19),
    "is tried for ever": Case(
        does=Ignore(trying=True), result=Result.NETWORK_CONGESTION, source=TIMEOUT, cause=19
    ),
    "dead trunk": Case(does=Ignore(), result=Result.OWN_FAULT, source=OURS, cause=19),
}
MACHINE, OTHER, SILENT = Result.ASSISTANT_OR_VOICEMAIL, Result.IDENTITY_FAILED, Result.REACHED_SELF_NO_KEY
PEOPLE = {
    "answers and is silent": pressed("", MACHINE),
    "voicemail with a long greeting": Case(
        does=Answer(after=SOON, speaks=25 * SECOND), result=MACHINE, source=FLOW
    ),
    "assistant asks who is calling": Case(
        does=Answer(after=SOON, speaks=4 * SECOND), result=MACHINE, source=FLOW
    ),
    "pocket presses many keys": pressed("5@0.3 8@0.7 4@1.2 6@1.7 7@2.2 5@2.7", OTHER),
    "pocket happens upon a 1": pressed("1@1 7@2 7@3 7@4 7@5 7@6 7@7", SILENT),
    "a relative": pressed("2@1", Result.REACHED_OTHER),
    "wrong number": pressed("3@1", Result.WRONG_PERSON, phone=PhoneStatus.WRONG),
    "9 before identity": pressed("9@1", Result.PHONE_REFUSED, phone=PhoneStatus.QUARANTINED),
    "0 before identity": pressed("0@1", OTHER),
    "all is well": pressed("1@1 1@2.4", Result.REACHED_SELF_IVR_OK),
    "wants a call back": pressed("1@1 2@2.4", Result.REACHED_SELF_CALLBACK),
    "wants somebody now": pressed("1@1 0@2.4", Result.REACHED_SELF_TRANSFER),
    "9 and no more": pressed("1@1 9@2.4", SILENT),
    "9 and 9 again": pressed("1@1 9@2.4 9@3.8", Result.OPTED_OUT),
    "is who they are, and silent": pressed("1@1", SILENT),
    "hangs up at once": pressed("", OTHER, talk=0.2),
    "hangs up while asked who": pressed("", OTHER, talk=1.2),
    "hangs up after a relative's key": pressed("2@1", Result.REACHED_OTHER, talk=2),
    "hangs up while asked how": pressed("1@1", SILENT, talk=2.6),
    "hangs up after key 1": pressed("1@1 1@2.4", Result.REACHED_SELF_IVR_OK, talk=3.4),
    "hangs up after key 2": pressed("1@1 2@2.4", Result.REACHED_SELF_CALLBACK, talk=3.4),
    "hangs up while waiting": pressed("1@1 0@2.4", Result.REACHED_SELF_TRANSFER, talk=3.4),
    "hangs up before the second 9": pressed("1@1 9@2.4", SILENT, talk=3),
    "lost once answered": Case(does=Answer(after=SOON, lost=True), result=MACHINE, source=FLOW),
    "lost after key 1": Case(
        does=Answer(after=SOON, keys=presses("1@1"), lost=True), result=SILENT, source=FLOW
    ),
}
#: Whose month of birth is known is asked for it: a relative can press 1 too.
MONTHS = {
    "knows the month": pressed("1@1 0@2.4 5@2.9 1@5.3", Result.REACHED_SELF_IVR_OK),
    "a relative presses 1 and guesses the month": pressed("1@1 0@2.4 6@2.9 0@4.4 7@4.9 1@7.3", OTHER),
    "a relative presses 1 and knows no month": pressed("1@1", OTHER),
}
CASES = NETWORK | PEOPLE | MONTHS
#: Answers at the very moment at which we stop ringing.
LATE = {f"answers {early} ms before the end": RING - timedelta(milliseconds=early) for early in (90, 45, 0)}
#: Refusals of every kind we have a word for, to see what Asterisk makes of them.
EVERY = {f"status {status}": Refuse(status=status, after=SOON) for status in STATUSES}
REASONS = {
    f"unavailable, reason {cause}": Refuse(status=480, after=SOON, reason=cause) for cause in (20, 27, 31)
}


@pytest.fixture(scope="module")
def told(_session_pbx: Pbx, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Placed]:
    """Everybody called once, and everything told."""
    late = {what: Answer(after=after) for what, after in LATE.items()}
    network = {what: case.does for what, case in NETWORK.items()}
    people = {what: case.does for what, case in (PEOPLE | MONTHS).items()}
    folder, first = tmp_path_factory.mktemp("called"), network | late | EVERY | REASONS
    yield played(_session_pbx, folder, first, people, months=dict.fromkeys(MONTHS, "05"))
    assert not _session_pbx.leak()


@pytest.mark.parametrize("what", CASES)
def test_a_call_ends_in_what_the_other_side_did(told: Placed, what: str) -> None:
    attempt, case = told.attempt(what), CASES[what]
    assert (attempt.result, attempt.cause_source) == (case.result, case.source)
    assert attempt.early_media is case.early
    assert attempt.cause == case.cause or case.cause is None
    assert told.phone(what).status is case.phone


def test_asterisk_makes_of_each_status_the_cause_we_expect(told: Placed) -> None:
    heard = {status: told.attempt(f"status {status}") for status in STATUSES}
    assert {s: (a.cause, a.result) for s, a in heard.items()} == {
        s: (known.cause, known.result) for s, known in STATUSES.items()
    }
    assert {a.cause_source for a in heard.values()} == {SIP}


def test_r23_nothing_but_key_one_after_identity_satisfies(told: Placed) -> None:
    proven = {what for what in told.numbers if told.evidence(what)}
    assert proven == {"all is well", "hangs up after key 1", "knows the month"}
    (proof,) = told.evidence("all is well")
    assert (proof.kind, proof.reference) == (EvidenceKind.IVR_KEY, told.attempt("all is well").id)


def test_r24_nobody_hears_what_it_is_about_before_they_said_who_they_are(told: Placed) -> None:
    asked_how = {what for what in PEOPLE | MONTHS if "how" in told.path(what)}
    known = {what for what, case in (PEOPLE | MONTHS).items() if case.result.value.startswith("reached_self")}
    assert asked_how == known | {"9 and 9 again"}


def test_r33_a_number_that_is_nobodys_is_marked_and_no_other(told: Placed) -> None:
    marked = {what for what in CASES if told.phone(what).status is not PhoneStatus.OK}
    of_no_use = {Result.VACANT, Result.WRONG_PERSON, Result.PHONE_REFUSED}
    assert marked == {what for what, case in CASES.items() if case.result in of_no_use}


def test_r25_who_asks_for_a_person_is_owed_one(told: Placed) -> None:
    asked = {what for what in told.numbers if Kind.CALLBACK in told.promised(what)}
    wanted = {"wants a call back", "hangs up after key 2", "wants somebody now", "0 before identity"}
    assert wanted <= asked
    assert asked - wanted <= {"hangs up while waiting"}


def test_r27_faults_of_the_network_and_ours_use_up_no_rung(told: Placed) -> None:
    free = {what for what in CASES if not told.attempt(what).counts}
    faults = {Result.OWN_FAULT, Result.NETWORK_CONGESTION}
    assert free == {what for what, case in CASES.items() if case.result in faults}
    assert not any(rungs([told.attempt(what)]) for what in free)
    assert all(len(rungs([told.attempt(what)])) == 1 for what in CASES if what not in free)


def test_an_answer_at_the_moment_we_stop_ringing_is_told_one_way_or_the_other(told: Placed) -> None:
    for what in LATE:
        attempt = told.attempt(what)
        assert attempt.result in {Result.NO_ANSWER, MACHINE, OTHER}, what
        assert told.evidence(what) == []


def test_what_a_reason_header_says_is_lost_by_this_asterisk(told: Placed) -> None:
    # 22.8 to 22.10.1 put the status's own cause in its place (docs/reference/telephony.md). Where one day
    # it survives, the result is OUT_OF_AREA by REASON: tests/unit/test_attempt_causes.py.
    for what in REASONS:
        attempt = told.attempt(what)
        assert (attempt.cause, attempt.cause_source, attempt.result) == (19, SIP, Result.NO_ANSWER), what


def test_a_counsellor_who_calls_learns_the_same_of_a_busy_line(pbx: Pbx, actors: Actors) -> None:
    placed = Placed(pbx=pbx)
    attempt = placed.owe("busy", by="c001")
    actors.carrier({placed.numbers["busy"]: Refuse(status=486, after=SOON, announces=True)})
    actors.phone("c001", behaviour=Answer(after=SOON))
    placed.dial([attempt], first_ring="c001", flow="preview")
    found = placed.attempt("busy")
    assert (found.result, found.cause, found.cause_source) == (Result.BUSY, 17, SIP)
    assert found.early_media


def test_no_carrier_at_all_is_our_own_fault(pbx: Pbx) -> None:
    placed = Placed(pbx=pbx)
    attempt = placed.owe("nobody there")
    placed.dial([attempt])
    found = placed.attempt("nobody there")
    assert (found.result, found.cause_source, found.counts) == (Result.OWN_FAULT, OURS, False)


def test_a_line_that_was_not_restarted_yet_takes_no_call_for_a_dead_trunk(pbx: Pbx, actors: Actors) -> None:
    placed = Placed(pbx=pbx)
    pbx.console("module unload func_hangupcause.so")
    try:
        people: dict[str, Behaviour] = {"busy": Refuse(status=486, after=SOON), "rings": RingOn()}
        placed.play(people, actors)
    finally:
        pbx.console("module load func_hangupcause.so")
    busy, rings = placed.attempt("busy"), placed.attempt("rings")
    assert (busy.result, busy.cause_source) == (Result.BUSY, SIP)
    assert (rings.result, rings.cause_source) == (Result.NO_ANSWER, TIMEOUT)
