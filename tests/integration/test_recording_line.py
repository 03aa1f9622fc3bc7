"""A talk is recorded after the caller's own key and not before, with nothing of ours but Asterisk alive."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from taped import ANNOUNCED, CALLER, COUNSELLOR, SECRET, Talk, notes_in, spool, still
from voices import AUDIBLE

from callcenter.asterisk.journal_rows import parse_journal
from callcenter.demo.runner import until
from callcenter.domain.calls import Outcome
from callcenter.domain.fold import fold

pytestmark = pytest.mark.asterisk


@pytest.mark.parametrize("agent", ["c001", "c004"], ids=["at a SIP phone", "at a mobile"])
def test_r15_after_the_callers_own_key_both_are_told_and_both_are_recorded(
    talk: Callable[..., Talk], agent: str
) -> None:
    line = talk(agent)
    before = time.monotonic()
    line.asks()
    assert line.files() == []
    file = line.agrees()
    assert line.acts() == ["asked", "agreed"]
    until(line.they_talk, 30, what="the two to talk on")
    for voice in (line.caller, line.counsellor):
        assert voice.ever_heard(ANNOUNCED, before)
    assert file.name == f"{line.call()}-1.wav"
    assert spool(line.pbx).stat().st_mode & 0o777 == 0o700
    line.caller.hang_up()
    until(lambda: line.pbx.channels() == 0, what="the tape to end with the call")
    assert {COUNSELLOR, CALLER} <= notes_in(file)
    (told,) = fold(parse_journal(b"".join(line.pbx.journal_rows()), final=True).rows).calls
    assert (told.id, told.answered_by, told.outcome) == (line.call(), agent, Outcome.ANSWERED)


def test_what_is_said_in_a_pause_is_not_in_the_file(talk: Callable[..., Talk]) -> None:
    line = talk()
    line.asks()
    file = line.agrees()
    line.presses("*6", "paused")
    until(lambda: line.counsellor.ever_heard(ANNOUNCED, time.monotonic() - 1), what="to be told of it")
    line.caller.note = SECRET
    until(lambda: line.counsellor.loudness(SECRET) > AUDIBLE, what="the secret to be said")
    assert still(file)
    line.caller.note = CALLER
    until(lambda: line.counsellor.hears(line.caller), what="the secret to be over")
    until(lambda: not line.counsellor.loudness(SECRET) > AUDIBLE, what="the secret to be over")
    size = file.stat().st_size
    line.presses("*6", "resumed")
    until(lambda: file.stat().st_size > size + 16000, what="the tape to run on")
    line.caller.hang_up()
    until(lambda: line.pbx.channels() == 0, what="the end")
    assert {COUNSELLOR, CALLER} <= notes_in(file)
    assert SECRET not in notes_in(file)


def test_r15_taking_it_back_stops_it_at_once_and_for_this_call(talk: Callable[..., Talk]) -> None:
    line = talk()
    line.asks()
    file = line.agrees()
    line.presses("*8", "withdrawn")
    until(lambda: line.pbx.channels() == 2, what="the tape to end")
    line.caller.note = SECRET
    until(lambda: line.counsellor.loudness(SECRET) > AUDIBLE, what="to talk on")
    line.counsellor.press("*6*7")
    assert still(file)
    assert line.acts() == ["asked", "agreed", "withdrawn"]
    assert SECRET not in notes_in(file)


def test_it_ends_with_the_counsellors_part_though_the_caller_stays(talk: Callable[..., Talk]) -> None:
    line = talk()
    line.asks()
    file = line.agrees()
    line.pbx.off_duty(line.agent)
    line.counsellor.hang_up()
    until(lambda: line.pbx.channels() == 1, what="the tape to end")
    assert line.caller.is_up
    assert still(file)
