"""A talk is recorded after the caller's own key and not before, with nothing of ours but Asterisk alive.

Each person hums a note of their own (`voices`): the file says who was recorded, and when not.
"""

from __future__ import annotations

import math
import re
import struct
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import Pbx
from voices import AUDIBLE, Voice, level

from callcenter.asterisk.journal_rows import parse_journal
from callcenter.config import Recording
from callcenter.demo.runner import Address, until
from callcenter.domain.calls import Outcome
from callcenter.domain.fold import fold

pytestmark = pytest.mark.asterisk

COUNSELLOR, CALLER, SECRET, ANNOUNCED = 500.0, 800.0, 1300.0, 1700.0


@pytest.fixture(scope="module")
def _recording_pbx(new_pbx: Callable[..., Pbx]) -> Pbx:
    pbx = new_pbx(recording=Recording(enabled=True))
    pbx.provision()
    conf = pbx.home / "etc" / "extensions.conf"
    quicker, count = re.subn(r"(hotline/record_ask,1,,1),6\)", r"\1,2)", conf.read_text(encoding="utf-8"))
    assert count == 1
    conf.write_text(quicker, encoding="utf-8")  # silence is a no after two seconds here
    pbx.process.start()
    for prompt in ("record_on", "record_paused", "record_over", "record_not", "record_no"):
        write_note(pbx.home / "sounds" / "zh" / "hotline" / f"{prompt}.wav", ANNOUNCED)
    return pbx


@pytest.fixture
def pbx(_recording_pbx: Pbx) -> Iterator[Pbx]:
    _recording_pbx.reset()
    for wav in spool(_recording_pbx).iterdir():
        wav.unlink()
    yield _recording_pbx
    left = _recording_pbx.leak()
    if left:
        pytest.fail(f"channels left behind:\n{left}", pytrace=False)


def write_note(file: Path, note: float) -> None:
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        samples = (round(8000 * math.sin(2 * math.pi * note * n / 8000)) for n in range(4000))
        out.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))


def spool(pbx: Pbx) -> Path:
    return pbx.home / "spool" / "recordings"


def notes_in(sound: Path | bytes) -> set[float]:
    """Return which notes can be heard in any fifth of a second of a recording."""
    frames = (sound.read_bytes() if isinstance(sound, Path) else sound)[44:]
    samples = [s / 32768 for (s,) in struct.iter_unpack("<h", frames[: len(frames) // 2 * 2])]
    pieces = [samples[start : start + 1600] for start in range(0, len(samples), 1600)]
    known = (COUNSELLOR, CALLER, SECRET, ANNOUNCED)
    return {note for note in known if any(level(piece, note) > AUDIBLE for piece in pieces)}


class Talk:
    """王女士 talks with c001, or with c004 at a mobile."""

    def __init__(self, pbx: Pbx, agent: str) -> None:
        self.pbx, self.agent = pbx, agent
        here, there = Address(host="127.0.0.1", port=0), Address(host=pbx.trunk.host, port=0)
        if agent == "c004":
            self.counsellor = Voice(pbx.sip, pbx.trunk, "mobile", note=COUNSELLOR)
        else:
            password = pbx.keys.password(f"sip:{agent}")
            self.counsellor = Voice(pbx.sip, here, agent, note=COUNSELLOR, password=password).register()
        self.caller = Voice(pbx.sip, there, "13800138000", note=CALLER)
        pbx.on_duty(agent)
        self.caller.dial("4000850966")
        self.counsellor.until_up()
        if agent == "c004":
            self.counsellor.press("1")
        until(self.they_talk, 15, what="the two to hear each other")

    def they_talk(self) -> bool:
        return self.caller.hears(self.counsellor) and self.counsellor.hears(self.caller)

    def call(self) -> str:
        """Return the id of the caller's call."""
        return next(row[8] for row in self.pbx.journal() if row[0] == "CHAN_START")

    def acts(self) -> list[str]:
        """Return the acts of RECORD rows, in order."""
        rows = [text for name, text in self.pbx.user_events() if name == "RECORD"]
        assert all(f"agent={self.agent}&" in text for text in rows)
        return [text.rpartition("act=")[2].rstrip('"}') for text in rows]

    def asks(self) -> None:
        """Press *7 and wait until the caller is asked."""
        asked = self.acts().count("asked")
        self.counsellor.press("*7")
        until(lambda: self.acts().count("asked") > asked, what="the caller to be asked")

    def agrees(self) -> Path:
        """Let the caller say yes, and return the file once it grows."""
        self.caller.press("1")
        until(lambda: self.acts()[-1] == "agreed", what="the caller's yes")
        until(lambda: self.files() and self.files()[-1].stat().st_size > 16000, what="the tape to run")
        return self.files()[-1]

    def presses(self, keys: str, act: str) -> None:
        """Let the counsellor press a code, and wait for its row."""
        self.counsellor.press(keys)
        until(lambda: self.acts()[-1] == act, what=act)

    def files(self) -> list[Path]:
        return sorted(spool(self.pbx).glob("*.wav"))

    def close(self) -> None:
        if self.caller.is_up:
            self.caller.hang_up()
        self.caller.close()
        self.counsellor.close()


@pytest.fixture
def talk(pbx: Pbx) -> Iterator[Callable[[str], Talk]]:
    made: list[Talk] = []

    def begin(agent: str = "c001") -> Talk:
        made.append(Talk(pbx, agent))
        return made[-1]

    yield begin
    for one in made:
        one.close()


def still(file: Path) -> bool:
    """Tell whether a file has stopped growing, for longer than the tape takes to write."""
    size, since = file.stat().st_size, time.monotonic()
    until(lambda: file.stat().st_size != size or time.monotonic() - since > 1.0, what="a second")
    return file.stat().st_size == size


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
    until(line.they_talk, what="the two to talk on")
    for voice in (line.caller, line.counsellor):
        assert voice.ever_heard(ANNOUNCED, before)
    assert file.name == f"{line.call()}-1.wav"
    assert spool(line.pbx).stat().st_mode & 0o777 == 0o700
    line.caller.hang_up()
    until(lambda: line.pbx.channels() == 0, what="the tape to end with the call")
    assert {COUNSELLOR, CALLER} <= notes_in(file)
    (told,) = fold(parse_journal(b"".join(line.pbx.journal_rows()), final=True).rows).calls
    assert (told.id, told.answered_by, told.outcome) == (line.call(), agent, Outcome.ANSWERED)


@pytest.mark.parametrize("answer", ["5", ""], ids=["another key", "silence"])
def test_r15_whatever_is_not_a_one_is_no(talk: Callable[..., Talk], answer: str) -> None:
    line = talk()
    line.caller.press("*7*6*8")  # a caller's keys do nothing
    line.asks()
    if answer:
        line.caller.press(answer)
    until(lambda: line.acts()[-1] == "refused", 20, what="the no")
    until(line.they_talk, what="the two to talk on")
    assert line.acts() == ["asked", "refused"]
    assert line.files() == []


def test_r15_nobody_is_asked_more_than_twice(talk: Callable[..., Talk]) -> None:
    line = talk()
    for _ in range(2):
        line.asks()
        line.caller.press("2")
        until(lambda: line.acts()[-1] == "refused", what="the no")
        until(line.they_talk, what="the two to talk on")
    line.counsellor.press("*7*6*8")
    until(line.they_talk, what="the two to talk on")
    assert line.acts() == ["asked", "refused"] * 2
    assert line.files() == []


def test_r15_nobody_in_danger_is_asked(talk: Callable[..., Talk]) -> None:
    line = talk()
    line.counsellor.press("*9")
    until(lambda: any(name == "CRISIS" for name, _ in line.pbx.user_events()), what="the crisis")
    until(line.they_talk, what="the two to talk on")
    before = time.monotonic()
    line.counsellor.press("*7")
    until(lambda: line.counsellor.ever_heard(ANNOUNCED, before), what="the counsellor to be told")
    until(line.they_talk, what="the two to talk on")
    assert not line.caller.ever_heard(ANNOUNCED, before)
    assert line.acts() == []
    line.pbx.console("channel request hangup all")  # the alarm rings on


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
