"""Who is asked to agree to a recording, and who is not; and what the crisis key has to do with it.

Nothing of ours runs but Asterisk.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from harness import Pbx
from taped import ANNOUNCED, CALLER, COUNSELLOR, NOT_NOW, SECRET, Talk
from voices import Voice

from callcenter.asterisk.journal_rows import parse_journal
from callcenter.asterisk.spool import Spool
from callcenter.demo.runner import Address, until
from callcenter.domain.alarms import crisis_id
from callcenter.domain.fold import fold

pytestmark = pytest.mark.asterisk


@pytest.mark.parametrize("answer", ["5", ""], ids=["another key", "silence"])
def test_r15_whatever_is_not_a_one_is_no(talk: Callable[..., Talk], answer: str) -> None:
    line = talk()
    line.caller.press("*7*6*8")  # a caller's keys do nothing
    line.asks()
    if answer:
        line.caller.press(answer)
    until(lambda: line.acts()[-1] == "refused", 20, what="the no")
    until(line.they_talk, 30, what="the two to talk on")
    assert line.acts() == ["asked", "refused"]
    assert line.files() == []


@pytest.mark.parametrize(
    ("key", "rows"),
    [("*9", ["asked", "refused"]), ("*8", ["asked", "withdrawn", "refused"])],
    ids=["in danger", "taken back"],
)
def test_r15_a_yes_is_none_once_the_counsellor_has_stopped_the_question(
    talk: Callable[..., Talk], key: str, rows: list[str]
) -> None:
    line = talk()
    line.asks()
    line.counsellor.press(key)
    until(lambda: line.is_crisis() if key == "*9" else line.acts()[-1] == "withdrawn", what="the key's row")
    line.caller.press("1")
    until(lambda: line.acts()[-1] == "refused", what="the no")
    until(line.they_talk, 30, what="the two to talk on")
    line.is_told_not_now()
    assert line.acts() == rows
    assert line.files() == []
    line.pbx.console("channel request hangup all")  # an alarm rings on


def test_r15_who_has_just_said_no_is_not_asked_again_and_after_a_minute_once(
    talk: Callable[..., Talk],
) -> None:
    line, begun = talk(), time.monotonic()
    line.counsellor.press("*7*7")  # the second while the caller is asked
    until(lambda: "asked" in line.acts(), what="the caller to be asked")
    line.caller.press("2")
    until(lambda: line.counsellor.ever_heard(NOT_NOW, begun), 20, what="the counsellor to be told")
    until(line.they_talk, 30, what="the two to talk on")
    line.is_told_not_now()
    assert line.acts() == ["asked", "refused"]
    line.a_minute_passes()
    line.asks()
    line.caller.press("2")
    until(lambda: line.acts()[-1] == "refused", what="the no")
    until(line.they_talk, 30, what="the two to talk on")
    line.a_minute_passes()
    line.is_told_not_now()
    line.counsellor.press("*6*8")
    until(line.they_talk, 30, what="the two to talk on")
    assert line.acts() == ["asked", "refused"] * 2
    assert line.files() == []


def test_r15_nobody_in_danger_is_asked_whoever_talks_to_them_next(
    talk: Callable[..., Talk], colleague: Voice
) -> None:
    line = talk()
    line.is_in_danger()
    line.is_told_not_now()
    line.counsellor.hand_on("*32002")
    colleague.until_up()
    until(lambda: colleague.hears(line.caller) and line.caller.hears(colleague), what="to be handed on")
    line.is_told_not_now(by=colleague)
    assert line.acts() == []
    line.pbx.console("channel request hangup all")  # the alarm rings on


def test_r15_nor_is_somebody_in_danger_whom_we_called(taped: Pbx, colleague: Voice) -> None:
    here = Address(host="127.0.0.1", port=0)
    first = Voice(taped.sip, here, "c001", note=COUNSELLOR, password=taped.keys.password("sip:c001"))
    called = Voice(taped.sip, taped.trunk, "wang", note=CALLER, number="13800138000")
    try:
        first.register()
        told = ("HOTLINE_NUMBER=13800138000", "HOTLINE_BY=c001")
        to = ("Channel: PJSIP/c001", "Context: hotline-preview", "Extension: s", "Priority: 1")
        Spool(taped.home).put("wang.call", (*to, *(f"Setvar: {word}" for word in told)))
        until(lambda: called.hears(first) and first.hears(called), 15, what="the two to hear each other")
        first.press("*9")
        until(lambda: crises(taped), what="the crisis")
        first.hand_on("*32002")
        until(lambda: called.hears(colleague) and colleague.hears(called), 15, what="to be handed on")
        begun = time.monotonic()
        colleague.press("*7")
        until(lambda: colleague.ever_heard(NOT_NOW, begun), what="the colleague to be told")
        assert "RECORD" not in {name for name, _ in taped.user_events()}
    finally:
        taped.console("channel request hangup all")  # the alarm rings on
        first.close()
        called.close()


def crises(pbx: Pbx) -> list[str]:
    return [text for name, text in pbx.user_events() if name == "CRISIS"]


def test_r14_a_key_on_the_second_line_is_about_the_caller_on_the_first(
    talk: Callable[..., Talk], colleague: Voice
) -> None:
    """王女士 waits at the first line while 李老师 is asked on the second; a colleague is never recorded."""
    line, here = talk(), Address(host="127.0.0.1", port=0)
    password = line.pbx.keys.password("sip:c001")
    second = Voice(line.pbx.sip, here, "c001", note=SECRET, password=password)
    try:
        second.dial("*32002")
        until(lambda: second.hears(colleague) and colleague.hears(second), what="the two to hear each other")
        line.is_told_not_now(by=second)
        line.insists("*9", line.is_crisis, by=second)
        line.insists("*9", lambda: len(crises(line.pbx)) > 1, by=colleague)
        line.is_told_not_now()
        assert line.acts() == []
        facts = fold(parse_journal(b"".join(line.pbx.journal_rows()), final=True).rows)
        assert {act.call for act in facts.line} == {line.call()}
        assert {(act.agent, act.reason) for act in facts.presence} == {
            ("c001", line.call()),
            ("c002", line.call()),
        }
        climbing = line.pbx.console("group show channels")
        assert crisis_id(line.call()).rpartition("-")[2] in climbing
    finally:
        line.pbx.console("channel request hangup all")  # the alarm rings on
        second.close()


def test_r14_the_tape_of_a_caller_in_danger_runs_on_and_nothing_is_said(talk: Callable[..., Talk]) -> None:
    line = talk()
    line.asks()
    file = line.agrees()
    until(line.they_talk, 30, what="the two to talk on")
    before, size = time.monotonic(), file.stat().st_size
    line.is_in_danger()
    until(lambda: file.stat().st_size > size + 16000, what="the tape to run on")
    assert not line.caller.ever_heard(ANNOUNCED, before + 0.5)
    line.insists("*8", lambda: line.acts()[-1] == "withdrawn")
    assert line.acts() == ["asked", "agreed", "withdrawn"]
    line.pbx.console("channel request hangup all")  # the alarm rings on
