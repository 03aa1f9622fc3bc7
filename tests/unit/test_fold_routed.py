"""Calls that went through several queues, captured from a real Asterisk 22.10.1: one contact, one wait."""

from __future__ import annotations

import pytest
from journal_text import TRACES, only_call

from callcenter.domain.calls import EndedBy, Outcome
from callcenter.domain.folding.call import fold_call
from callcenter.domain.queue_log import QueueRow, read_queue_line


def test_danger_that_waited_for_the_trained_first_is_one_contact_with_one_wait() -> None:
    call = only_call("danger_through_two_queues")
    assert (call.outcome, call.answered_by, call.answered_via) == (Outcome.ANSWERED, "c003", "queue")
    assert call.path[-1] == "queue"
    assert call.path.count("queue") == 1
    assert (call.queue_entries, call.rings_not_answered) == (3, 1)
    # From the first queue on, not from the one in which somebody picked up at once.
    assert call.wait is not None
    assert 6 <= call.wait.total_seconds() < 7
    assert call.rung == ("c001=no_answer", "c003=answered")
    assert call.ended_by is EndedBy.CALLER


def test_a_wish_left_by_a_key_is_one_contact_too() -> None:
    call = only_call("wish_left_by_a_key")
    assert (call.outcome, call.answered_by, call.answered_via) == (Outcome.ANSWERED, "c003", "queue")
    assert "queue=3" in call.keys
    assert call.queue_entries == 3
    assert call.wait is not None
    assert 4.5 < call.wait.total_seconds() < 5


@pytest.mark.parametrize("name", ["danger_through_two_queues", "wish_left_by_a_key"])
def test_where_only_the_queues_own_log_is_left_it_is_still_one_answered_call(name: str) -> None:
    text = (TRACES / f"{name}.queue_log").read_text(encoding="ascii")
    rows = [row for line in text.splitlines() if (row := read_queue_line(line))]
    call = fold_call(rows[0].call, (), rows, 0.0)
    assert call is not None
    assert (call.outcome, call.answered_by, call.queue_entries) == (Outcome.ANSWERED, "c003", 3)
    assert call.wait is not None
    assert call.wait.total_seconds() > 4


@pytest.mark.parametrize("interface", ["PJSIP/c001", "Local/c004@hotline-mobile/n"])
def test_a_penalty_is_a_line_of_no_call(interface: str) -> None:
    row = read_queue_line(f"1795753225|NONE|hotline-crisis|{interface}|PENALTY|20")
    assert row == QueueRow(1795753225, "NONE", "hotline-crisis", interface, "PENALTY", ("20",))
