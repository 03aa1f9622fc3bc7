"""Captured from a real Asterisk 22.10.1 with SIPp callers. Input is what the PBX printed; the assertion
is what a supervisor would say. Callers' numbers are invented."""

from __future__ import annotations

import pytest
from journal_text import TRACES, only_call, trace, trace_rows

from callcenter.domain.calls import CallRecord, Direction, EndedBy, Outcome
from callcenter.domain.duty import PresenceAct
from callcenter.domain.folding.call import fold_call
from callcenter.domain.queue_log import QueueRow


def seconds(call: CallRecord) -> tuple[float | None, float | None]:
    """Return wait and talk, to the tenth of a second."""
    lengths = (length and round(length.total_seconds(), 1) for length in (call.wait, call.talk))
    wait, talk = lengths
    return wait, talk


def test_counsellor_answers_and_the_caller_hangs_up() -> None:
    call = only_call("answered")
    assert (call.direction, call.outcome) == (Direction.INBOUND, Outcome.ANSWERED)
    assert (call.answered_by, call.answered_via) == ("c017", "queue")
    assert seconds(call) == (0.8, 3.2)
    assert (call.ended_by, call.hangup_cause) == (EndedBy.CALLER, 16)
    assert (call.number, call.dialled) == ("13800001111", "4000850966")
    assert (call.path, call.rung) == (("greeting", "queue"), ("c017=answered",))


def test_counsellor_ends_the_talk() -> None:
    call = only_call("counsellor_hangs_up")
    assert (call.outcome, call.ended_by) == (Outcome.ANSWERED, EndedBy.COUNSELLOR)


def test_caller_hangs_up_while_the_counsellor_rings() -> None:
    call = only_call("abandoned")
    assert (call.outcome, call.ended_by) == (Outcome.ABANDONED, EndedBy.CALLER)
    assert (seconds(call), call.rung) == ((1.1, None), ("c017=no_answer",))


def test_caller_who_leaves_in_the_greeting_was_not_offered() -> None:
    call = only_call("left_in_greeting")
    assert (call.outcome, call.offered_at) == (Outcome.LEFT_IN_GREETING, None)


def test_two_queue_entries_are_one_call_and_one_wait() -> None:
    call = only_call("two_queue_entries")
    assert (call.outcome, call.queue_entries, call.rings_not_answered) == (Outcome.ABANDONED, 2, 4)
    assert seconds(call) == (16.0, None)
    assert call.rung == (*["c017=no_answer"] * 4, "c030=no_answer")


def test_nobody_on_duty_and_nobody_at_the_mobile_is_overflow() -> None:
    call = only_call("nobody_on_duty")
    assert (call.outcome, call.flow_outcome) == (Outcome.OVERFLOWED, "overflowed")
    assert call.path == ("greeting", "queue", "escalate", "closed")
    assert call.ended_by is EndedBy.SYSTEM


def test_mobile_that_presses_the_accept_key_took_the_call() -> None:
    call = only_call("escalation_accepted")
    assert (call.outcome, call.answered_by, call.answered_via) == (Outcome.ANSWERED, "c030", "escalation")
    assert (seconds(call), call.rung) == ((2.2, 8.4), ("c030=answered",))


def test_voicemail_that_picks_up_is_no_answer() -> None:
    call = only_call("escalation_voicemail")
    assert (call.outcome, call.answered_at, call.rung) == (Outcome.OVERFLOWED, None, ("c030=no_answer",))


def test_caller_leaves_while_the_mobile_rings() -> None:
    call = only_call("leaves_while_mobile_rings")
    assert (call.outcome, call.ended_by, call.rung) == (
        Outcome.ABANDONED,
        EndedBy.CALLER,
        ("c030=no_answer",),
    )


def test_whoever_waits_when_the_pbx_is_told_to_restart_has_not_given_up() -> None:
    call = only_call("pbx_restarted_while_waiting")
    assert (call.outcome, call.ended_by) == (Outcome.SYSTEM_FAILURE, EndedBy.SYSTEM)
    assert (call.offered_at is not None, call.end_is_uncertain) == (True, False)


def test_mobile_in_the_queue_answers_with_the_accept_key() -> None:
    call = only_call("mobile_member_accepts")
    assert (call.answered_by, call.answered_via, call.rung) == ("c030", "queue", ("c030=answered",))
    assert seconds(call) == (2.2, 8.4)


def test_mobile_in_the_queue_whose_voicemail_picks_up_is_rung_again_and_not_answered() -> None:
    call = only_call("mobile_member_voicemail")
    assert (call.outcome, call.queue_entries, call.answered_by) == (Outcome.OVERFLOWED, 2, None)
    assert call.rung == ("c030=no_answer",) * 5


def test_caller_with_a_hostile_number_is_recorded_like_anybody() -> None:
    call = only_call("hostile_caller")
    assert (call.outcome, call.number) == (Outcome.ANSWERED, None)
    assert (call.answered_by, seconds(call)) == ("c017", (0.8, 2.2))


def test_blind_transfer_goes_on_as_the_same_call() -> None:
    call = only_call("blind_transfer")
    assert (call.outcome, call.answered_by, seconds(call)) == (Outcome.ANSWERED, "c017", (0.8, 9.7))
    assert (call.rung, call.ended_by) == (("c017=answered", "c021=answered"), EndedBy.CALLER)


def test_pbx_that_dies_under_a_ringing_call_is_a_system_failure() -> None:
    dead, next_caller = trace("pbx_killed_while_ringing").calls
    assert (dead.outcome, dead.ended_by, dead.end_is_uncertain) == (
        Outcome.SYSTEM_FAILURE,
        EndedBy.SYSTEM,
        True,
    )
    assert seconds(dead) == (2.0, None)
    assert next_caller.outcome is Outcome.LEFT_IN_GREETING


def test_pbx_that_dies_under_a_talk_leaves_it_answered_with_an_uncertain_end() -> None:
    call = only_call("pbx_killed_in_talk")
    assert (call.outcome, call.answered_by, call.ended_by) == (Outcome.ANSWERED, "c017", EndedBy.SYSTEM)
    assert call.end_is_uncertain


def test_pbx_that_dies_under_a_caller_whom_the_counsellor_left_leaves_their_end_uncertain() -> None:
    rows, queue = trace_rows("counsellor_hangs_up")
    without_the_callers_end = rows[:-3]
    died_at = float(rows[-1].time)
    told = {
        name: fold_call("pbx1-1795459409.2", without_the_callers_end, lines, died_at + 5)
        for name, lines in (("agent", queue), ("caller", [by_the_caller(line) for line in queue]))
    }
    assert {name: call and call.outcome for name, call in told.items()} == dict.fromkeys(
        told, Outcome.ANSWERED
    )
    assert {name: call and call.end_is_uncertain for name, call in told.items()} == {
        "agent": True,
        "caller": False,
    }


def by_the_caller(line: QueueRow) -> QueueRow:
    """Return what queue_log says where the caller ends the same talk."""
    return line._replace(event="COMPLETECALLER") if line.event == "COMPLETEAGENT" else line


def test_check_in_answered_with_key_1() -> None:
    call = only_call("checkin_answered_key_1")
    assert (call.direction, call.outcome) == (Direction.OUTBOUND, Outcome.OUTBOUND)
    assert call.id == "at-00000000000000000000000000000001"
    assert (call.keys, call.flow_outcome) == (("how=1",), "reached_self_ivr_ok")
    assert (call.path, call.answered_by, call.offered_at) == (("who", "how"), None, None)


def test_check_in_in_which_nobody_presses_a_key() -> None:
    call = only_call("checkin_no_key")
    assert (call.keys, call.flow_outcome) == ((), "reached_self_no_key")


@pytest.mark.parametrize(("name", "cause"), [("checkin_no_answer", 19), ("checkin_busy", 17)])
def test_check_in_nobody_picks_up(name: str, cause: int) -> None:
    call = only_call(name)
    assert (call.answered_at, call.hangup_cause, call.path) == (None, cause, ())


def test_preview_call_is_answered_when_counsellor_and_person_meet() -> None:
    call = only_call("preview_answered")
    assert (call.direction, call.answered_by, call.answered_via) == (Direction.OUTBOUND, "c017", "direct")
    wait, talk = seconds(call)
    assert wait is None
    assert talk is not None
    assert talk > 1


def test_preview_call_to_a_busy_person_tells_why() -> None:
    call = only_call("preview_busy")
    assert (call.answered_at, call.answered_by, call.hangup_cause) == (None, None, 17)


def test_feature_code_signs_a_counsellor_on() -> None:
    facts = trace("duty_on")
    assert [(event.agent, event.act) for event in facts.presence] == [("c017", PresenceAct.ON)]
    assert [call.direction for call in facts.calls] == [Direction.INTERNAL]


def test_pushing_facts_is_no_call() -> None:
    assert trace("facts_pushed").calls == ()


def test_offered_is_the_sum_of_its_outcomes_over_all_traces() -> None:
    calls = [call for file in TRACES.glob("*.csv") for call in trace(file.stem).calls]
    five = {
        Outcome.ANSWERED,
        Outcome.ABANDONED,
        Outcome.OVERFLOWED,
        Outcome.PROMISED,
        Outcome.SYSTEM_FAILURE,
    }
    assert [c.id for c in calls if c.offered_at] == [c.id for c in calls if c.outcome in five]
