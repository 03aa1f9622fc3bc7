"""What every `CallControl` must do, whoever's line it is. Subclass it and give a `line` fixture."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from callcenter.errors import PbxError
from callcenter.ports import CallControl, PlaceCall

#: 王女士, a number nobody has.
NUMBER = "13800001234"
SHOWN = "051085000966"


class PlayedLine(Protocol):
    """A line whose other side the test plays."""

    control: CallControl

    def placed(self) -> int:
        """Return how many calls the network was handed."""
        ...

    def callee_hangs_up(self, call_id: str) -> None: ...
    def refuse_next(self) -> None: ...


def a_call(call_id: str = "at-0001", number: str = NUMBER) -> PlaceCall:
    return PlaceCall(
        id=call_id, number=number, shown_number=SHOWN, flow="checkin", ring=timedelta(seconds=45)
    )


class CallControlContract:
    """The same expectations of every line."""

    def test_a_placed_call_lives_under_the_id_we_gave_it(self, line: PlayedLine) -> None:
        asyncio.run(line.control.place(a_call()))
        assert asyncio.run(line.control.is_live("at-0001"))
        assert line.placed() == 1

    def test_a_call_never_placed_is_not_live(self, line: PlayedLine) -> None:
        assert not asyncio.run(line.control.is_live("at-0009"))

    def test_the_same_id_is_refused_while_its_call_lives(self, line: PlayedLine) -> None:
        asyncio.run(line.control.place(a_call()))
        with pytest.raises(PbxError):
            asyncio.run(line.control.place(a_call()))
        assert line.placed() == 1

    def test_a_call_the_callee_ended_is_not_live(self, line: PlayedLine) -> None:
        asyncio.run(line.control.place(a_call()))
        line.callee_hangs_up("at-0001")
        assert not asyncio.run(line.control.is_live("at-0001"))

    def test_of_several_calls_those_that_go_on_are_told(self, line: PlayedLine) -> None:
        asyncio.run(line.control.place(a_call("at-0001")))
        asyncio.run(line.control.place(a_call("at-0002", "13900005678")))
        line.callee_hangs_up("at-0001")
        found = asyncio.run(line.control.alive({"at-0001", "at-0002", "at-0003"}))
        assert found.ids == {"at-0002"}

    def test_an_order_that_was_held_up_for_too_long_is_not_sent(self, line: PlayedLine) -> None:
        late = replace(a_call(), order_by=datetime(2001, 1, 1, tzinfo=UTC))
        with pytest.raises(PbxError):
            asyncio.run(line.control.place(late))
        assert line.placed() == 0

    def test_hanging_up_ends_the_call_and_twice_is_no_fault(self, line: PlayedLine) -> None:
        asyncio.run(line.control.place(a_call()))
        asyncio.run(line.control.hang_up("at-0001"))
        asyncio.run(line.control.hang_up("at-0001"))
        assert not asyncio.run(line.control.is_live("at-0001"))

    def test_hanging_up_a_call_never_placed_is_no_fault(self, line: PlayedLine) -> None:
        asyncio.run(line.control.hang_up("at-0009"))

    def test_a_refused_call_raises_and_does_not_live(self, line: PlayedLine) -> None:
        line.refuse_next()
        with pytest.raises(PbxError) as caught:
            asyncio.run(line.control.place(a_call()))
        assert NUMBER not in str(caught.value)
        assert not asyncio.run(line.control.is_live("at-0001"))

    def test_two_calls_do_not_touch_each_other(self, line: PlayedLine) -> None:
        asyncio.run(line.control.place(a_call("at-0001")))
        asyncio.run(line.control.place(a_call("at-0002", "13900005678")))
        asyncio.run(line.control.hang_up("at-0001"))
        assert asyncio.run(line.control.is_live("at-0002"))
