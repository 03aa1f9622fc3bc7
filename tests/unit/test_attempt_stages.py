"""How far an attempt has come, when it is in doubt, and the one sentence a person reads of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from callcenter.words import attempt_words, doubt_words
from scheduler.cadence import SHANGHAI
from scheduler.obligations import Attempt, Doubt, Result
from scheduler.stages import (
    BORN_WITHIN,
    ORDER_WITHIN,
    UNREAD_FOR,
    Look,
    Progress,
    Stage,
    doubt_after,
    may_be_ordered,
    stage_of,
)

AT = datetime(2026, 11, 27, 10, 3, 5, tzinfo=SHANGHAI)
SECOND = timedelta(seconds=1)
WRITTEN = Attempt(id="at-1", obligation="ob-1", n=1, planned_at=AT, by="ivr", dialled_at=AT)
PLACED = replace(WRITTEN, placed_at=AT + SECOND)
LOST = replace(WRITTEN, result=Result.UNKNOWN, settled_at=AT, doubt=Doubt.SILENT, read_to=AT + 19 * SECOND)


@pytest.mark.parametrize(
    ("attempt", "progress", "stage", "words"),
    [
        (WRITTEN, Progress.NONE, Stage.WRITTEN, "还不知道拨出没有"),
        (PLACED, Progress.NONE, Stage.PLACED, "已下令拨打"),
        (WRITTEN, Progress.BEGUN, Stage.RINGING, "正在振铃"),
        (PLACED, Progress.ANSWERED, Stage.ANSWERED, "正在通话"),
        (replace(PLACED, result=Result.BUSY), Progress.NONE, Stage.SETTLED, "占线"),
        (LOST, Progress.NONE, Stage.IN_DOUBT, "结果不明"),
        # Of before: no reason is on record.
        (replace(LOST, doubt=None), Progress.NONE, Stage.IN_DOUBT, "结果不明"),
        # Somebody dialled, talked, and has not said yet whom they reached.
        (replace(LOST, doubt=None, by="c017"), Progress.NONE, Stage.SETTLED, "结果不明"),
    ],
)
def test_a_stage_follows_from_what_is_on_record(
    attempt: Attempt, progress: Progress, stage: Stage, words: str
) -> None:
    assert stage_of(attempt, progress) is stage
    assert attempt_words(attempt, progress) == words


def look(after: timedelta, **found: Any) -> Look:
    return Look(at=AT + after, **{"live": False, "begun": False, "read": True, **found})


@pytest.mark.parametrize(
    ("attempt", "seen", "doubt"),
    [
        (WRITTEN, look(BORN_WITHIN - SECOND), None),
        (WRITTEN, look(BORN_WITHIN), Doubt.SILENT),
        (PLACED, look(3 * SECOND), Doubt.SILENT),
        (PLACED, look(3 * SECOND, begun=True), Doubt.UNENDED),
        (PLACED, look(timedelta(hours=9), live=True, begun=True), None),
        (PLACED, look(UNREAD_FOR - SECOND, read=False), None),
        (PLACED, look(UNREAD_FOR, read=False, begun=True), Doubt.UNREAD),
        # A clock that was put back makes nothing young again.
        (WRITTEN, look(timedelta(hours=-2)), Doubt.SILENT),
        (replace(PLACED, result=Result.BUSY), look(timedelta(hours=1)), None),
    ],
)
def test_doubt_needs_a_call_that_is_gone_and_a_journal_that_was_read(
    attempt: Attempt, seen: Look, doubt: Doubt | None
) -> None:
    assert doubt_after(attempt, seen) is doubt


def test_an_order_goes_out_at_once_or_never() -> None:
    assert may_be_ordered(WRITTEN, AT + ORDER_WITHIN - SECOND)
    assert not may_be_ordered(WRITTEN, AT + ORDER_WITHIN)
    assert not may_be_ordered(WRITTEN, AT - timedelta(hours=1))
    assert not may_be_ordered(LOST, AT)


def test_a_person_reads_what_is_known_in_one_sentence() -> None:
    lost = replace(LOST, pbx_since=AT + 4 * SECOND)
    assert said(lost) == (
        "为何不明：10:03:05 下令拨打，没有等到电话系统的答复；10:03:09 电话系统重新启动过；"
        "话务日志从那时到 10:03:24 为止没有这通电话，不能断定对方的电话响过没有。"
    )


def test_a_telephone_system_that_was_up_before_did_not_restart() -> None:
    assert "重新启动" not in said(replace(LOST, pbx_since=AT - SECOND))
    assert "重新启动" in said(replace(LOST, pbx_since=AT, planned_at=AT, dialled_at=AT + SECOND / 2))


@pytest.mark.parametrize("doubt", [*Doubt, None])
def test_every_doubt_has_its_sentence_and_no_call_without_one_has_any(doubt: Doubt | None) -> None:
    taken = replace(LOST, doubt=doubt, placed_at=AT + SECOND)
    assert "10:03:06 电话系统已接受" in said(taken)
    assert said(taken).count("。") == 1
    assert said(replace(taken, result=Result.BUSY)) == ""
    assert said(replace(taken, result=None)) == ""


def said(attempt: Attempt) -> str:
    return doubt_words(attempt, lambda at: f"{at:%H:%M:%S}")
