"""Whatever order, however often and however incompletely rows arrive: the same calls, and the sum holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_text import TRACES, row, row_bytes, trace, trace_rows

from callcenter.asterisk.journal_rows import parse_journal
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.fold import fold
from callcenter.domain.journal import Row
from callcenter.domain.queue_log import QueueRow

FIVE = {
    Outcome.ANSWERED,
    Outcome.ABANDONED,
    Outcome.OVERFLOWED,
    Outcome.PROMISED,
    Outcome.SYSTEM_FAILURE,
}
NAMES = sorted(file.stem for file in TRACES.glob("*.csv"))


@dataclass
class History:
    """A call in the making: what the PBX would write of it."""

    id: str
    now: float
    rows: list[Row]
    queue: list[QueueRow]
    channels: int = 0

    def event(self, name: str, channel: str = "", unique: str = "", **more: str) -> None:
        self.now += 0.25
        where = channel or f"PJSIP/trunk-{int(self.now) % 10_000:08x}"
        self.rows.append(row(name, self.now, where, unique or self.id, self.id, **more))

    def line(self, agent: str, event: str, *data: str) -> None:
        self.queue.append(QueueRow(int(self.now), self.id, "hotline", agent, event, data))

    def leg(self) -> tuple[str, str]:
        self.channels += 1
        return f"PJSIP/c017-{self.channels:08x}", f"{self.id}{self.channels}"


def _queue(call: History, how: str) -> None:
    caller = call.rows[0].channel
    call.event("IVR_NODE", caller, words="flow=inbound&node=queue")
    call.event("APP_START", caller, app="Queue")
    call.line("NONE", "ENTERQUEUE", "", "13800001111", "1")
    channel, unique = call.leg()
    call.event("CHAN_START", channel, unique)
    if how == "answered":
        bridge = '{"bridge_id":"b1","bridge_technology":"simple_bridge"}'
        call.event("ANSWER", channel, unique, app="AppQueue")
        call.line("c017", "CONNECT", "1", unique, "1")
        call.event("BRIDGE_ENTER", channel, unique, app="AppQueue", extra=bridge)
        call.event("BRIDGE_ENTER", caller, app="Queue", peer=channel, extra=bridge)
        call.now += 60
        call.event("BRIDGE_EXIT", caller, app="Queue", extra=bridge)
        call.line("c017", "COMPLETECALLER", "1", "60", "1")
    else:
        call.line("c017", "RINGNOANSWER", "4000")
        call.line("NONE", "ABANDON" if how == "abandoned" else "EXITWITHTIMEOUT", "1", "1", "4")
    call.event("HANGUP", channel, unique, extra='{"hangupcause":16,"hangupsource":"","dialstatus":""}')
    call.event("CHAN_END", channel, unique)
    call.event("APP_END", caller, app="Queue")


#: What a flow may write besides its way, known words and unknown ones.
LEFT = st.sampled_from(
    [
        ("IVR_DIGITS", "flow=inbound&node=ask&keep=number&digits=13900002222"),
        ("IVR_DIGITS", "flow=inbound&node=ask&keep=code&digits=1204"),
        ("IVR_DIGITS", "flow=inbound&node=ask&keep=shoe&digits=42"),
        ("IVR_ANSWER", "flow=phq9&node=phq&item=9&score=1"),
        ("IVR_ANSWER", "flow=phq9&node=phq&item=9&score=lots"),
        ("IVR_SCORE", "flow=phq9&node=phq&score=14"),
        ("IVR_ITEM", "flow=class&node=play&item=breath_1"),
        ("IVR_LEFT", "flow=inbound&node=menu"),
        ("IVR_NEWER", "flow=inbound&node=menu"),
        ("PROMISE", "flow=inbound&kind=talk"),
        ("PROMISE", "flow=inbound&kind=moon"),
        ("PROMISE", "flow=inbound"),
    ]
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Row], list[QueueRow]]:
    """Some calls of the line, one after the other, and perhaps the PBX dying under the last."""
    rows: list[Row] = []
    lines: list[QueueRow] = []
    now = 1_795_459_000.0
    for number in range(draw(st.integers(1, 4))):
        how = draw(
            st.sampled_from(["greeting", "abandoned", "answered", "overflowed", "promised", "accepted"])
        )
        call = History(f"pbx1-{int(now)}.{number + 1}", now, [], [])
        call.event("CHAN_START", num="13800001111", exten="4000850966", context="hotline-trunk")
        caller = call.rows[0].channel
        call.event("IVR_NODE", caller, words="flow=inbound&node=greet")
        call.event("ANSWER", caller, app="Answer")
        if how != "greeting":
            for event, words in draw(st.lists(LEFT, max_size=4)):
                call.event(event, caller, words=words)
            _queue(call, how if how in {"answered", "abandoned"} else "timeout")
        if how == "accepted":
            bridge = '{"bridge_id":"b2","bridge_technology":"simple_bridge"}'
            call.event("RING", caller, words="by=c030")
            call.event("ACCEPT", "PJSIP/trunk-000000ff", f"{call.id}9", words="by=c030")
            call.event("BRIDGE_ENTER", "PJSIP/trunk-000000ff", f"{call.id}9", app="AppDial", extra=bridge)
            call.event("BRIDGE_ENTER", caller, app="Dial", peer="PJSIP/trunk-000000ff", extra=bridge)
        if how == "overflowed":
            call.event("IVR_OUTCOME", caller, words="flow=inbound&outcome=overflowed")
        if how == "promised":
            call.event("PROMISE", caller, words="flow=inbound&kind=callback")
        call.event(
            "HANGUP", caller, extra='{"hangupcause":16,"hangupsource":"' + caller + '","dialstatus":""}'
        )
        call.event("CHAN_END", caller)
        call.event("LINKEDID_END", caller)
        rows += call.rows
        lines += call.queue
        now = call.now + 10
    if draw(st.booleans()):
        rows = rows[: draw(st.integers(1, len(rows)))]
        died = float(rows[-1].time)
        lines = [line for line in lines if line.time <= died]
        lines.append(QueueRow(int(died) + 3, "NONE", "NONE", "NONE", "QUEUESTART", ("",)))
    return rows, lines


def _sum_holds(calls: Sequence[CallRecord]) -> None:
    closed = [call for call in calls if not call.is_open and call.direction is Direction.INBOUND]
    assert {c.id for c in closed if c.offered_at} == {c.id for c in closed if c.outcome in FIVE}
    for call in closed:
        assert call.ended_at is not None
        assert call.wait is None or call.wait.total_seconds() >= 0
        assert call.talk is None or call.talk.total_seconds() >= 0
        assert (call.outcome is Outcome.ANSWERED) == (call.answered_at is not None)
    assert len({call.id for call in calls}) == len(calls)


@given(history=histories(), seed=st.integers(0, 2**32))
def test_rows_duplicated_and_shuffled_give_the_same_calls(
    history: tuple[list[Row], list[QueueRow]], seed: int
) -> None:
    rows, lines = history
    mixed = rows + Random(seed).choices(rows, k=len(rows) // 2)
    again = lines + lines[: len(lines) // 2]
    Random(seed).shuffle(mixed)
    Random(seed).shuffle(again)
    assert fold(mixed, again) == fold(rows, lines)


@given(history=histories(), data=st.data())
def test_offered_is_the_sum_of_its_outcomes_whatever_rows_are_lost(
    history: tuple[list[Row], list[QueueRow]], data: st.DataObject
) -> None:
    rows, lines = history
    keep = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    seen = data.draw(st.lists(st.booleans(), min_size=len(lines), max_size=len(lines)))
    _sum_holds(fold(rows, lines).calls)
    left = [one for one, kept in zip(rows, keep, strict=True) if kept]
    _sum_holds(fold(left, [one for one, kept in zip(lines, seen, strict=True) if kept]).calls)


@given(history=histories())
def test_queue_log_alone_still_tells_every_call_that_waited(
    history: tuple[list[Row], list[QueueRow]],
) -> None:
    rows, lines = history
    told = {call.id: call for call in fold((), lines).calls}
    for call in fold(rows, lines).calls:
        if call.queue_entries and not call.is_open and any(line.call == call.id for line in lines):
            assert told[call.id].witness == "queue_log"
            assert (told[call.id].outcome is Outcome.ANSWERED) == (call.answered_via == "queue")


@given(history=histories())
def test_rows_written_and_read_back_are_the_same(history: tuple[list[Row], list[QueueRow]]) -> None:
    rows, _ = history
    assert parse_journal(b"".join(map(row_bytes, rows)), final=True).rows == rows


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32))
def test_real_rows_duplicated_and_shuffled_give_the_same_calls(name: str, seed: int) -> None:
    rows, lines = trace_rows(name)
    mixed = [*rows, *rows]
    Random(seed).shuffle(mixed)
    assert fold(mixed, [*lines, *lines]) == trace(name)


@given(junk=st.binary(max_size=400), at=st.integers(0, 16), name=st.sampled_from(NAMES))
def test_junk_between_rows_loses_no_row(junk: bytes, at: int, name: str) -> None:
    lines = (TRACES / f"{name}.csv").read_bytes().splitlines(keepends=True)
    if name == "hostile_caller":  # its rows are several lines long
        at = 0
    data = b"".join([*lines[:at], junk, b"\n", *lines[at:]])
    rows = parse_journal(data, final=True).rows
    assert set(trace_rows(name)[0]) <= set(rows)
