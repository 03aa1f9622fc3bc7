"""A site that records, and talks there between people who each hum a note of their own (`voices`).

The file then says who was recorded, and when not.
"""

from __future__ import annotations

import math
import re
import struct
import time
import wave
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from harness import Pbx
from voices import AUDIBLE, Voice, level

from callcenter.config import Recording
from callcenter.demo.runner import Address, until

COUNSELLOR, CALLER, SECRET, ANNOUNCED = 500.0, 800.0, 1300.0, 1700.0
#: What the counsellor alone is told: nobody is asked now.
NOT_NOW = 2100.0
COLLEAGUE = 1100.0


def recording_pbx(new_pbx: Callable[..., Pbx]) -> Pbx:
    """Return a running line that records, where silence is a no after two seconds."""
    pbx = new_pbx(recording=Recording(enabled=True))
    pbx.provision()
    conf = pbx.home / "etc" / "extensions.conf"
    quicker, count = re.subn(r"(hotline/record_ask,1,,1),6\)", r"\1,2)", conf.read_text(encoding="utf-8"))
    assert count == 1
    conf.write_text(quicker, encoding="utf-8")
    pbx.process.start()
    for prompt in ("record_on", "record_paused", "record_over", "record_not"):
        write_note(pbx.home / "sounds" / "zh" / "hotline" / f"{prompt}.wav", ANNOUNCED)
    write_note(pbx.home / "sounds" / "zh" / "hotline" / "record_no.wav", NOT_NOW)
    return pbx


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
        until(self.they_talk, 30, what="the two to hear each other")

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

    def is_in_danger(self) -> None:
        """Press *9 and wait until it is told."""
        self.insists("*9", self.is_crisis)
        until(self.they_talk, 30, what="the two to talk on")

    def is_crisis(self) -> bool:
        return "CRISIS" in {name for name, _ in self.pbx.user_events()}

    def a_minute_passes(self) -> None:
        """Forget when the caller said no."""
        chan = next(row[6] for row in self.pbx.journal() if row[0] == "CHAN_START")
        self.pbx.console(f"dialplan set chanvar {chan} HOTLINE_REFUSED 0")

    def is_told_not_now(self, by: Voice | None = None) -> None:
        """Press *7, until the counsellor alone is told that nobody is asked now."""
        begun, counsellor = time.monotonic(), by or self.counsellor
        self.insists("*7", lambda: counsellor.ever_heard(NOT_NOW, begun), by=counsellor)
        assert not self.caller.ever_heard(NOT_NOW, begun)

    def insists(self, keys: str, done: Callable[[], bool], by: Voice | None = None) -> None:
        """Press keys again while nothing comes of them: pressed in the middle of a tone they are lost."""
        for _ in range(3):
            (by or self.counsellor).press(keys)
            with suppress(TimeoutError):
                until(done, 5)
                return
        until(done, what=f"something to come of {keys}")

    def files(self) -> list[Path]:
        return sorted(spool(self.pbx).glob("*.wav"))

    def close(self) -> None:
        if self.caller.is_up:
            self.caller.hang_up()
        self.caller.close()
        self.counsellor.close()


def still(file: Path) -> bool:
    """Tell whether a file has stopped growing, for longer than the tape takes to write."""
    size, since = file.stat().st_size, time.monotonic()
    until(lambda: file.stat().st_size != size or time.monotonic() - since > 1.0, what="a second")
    return file.stat().st_size == size
