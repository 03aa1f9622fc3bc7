"""What speaks: espeak-ng, or any command line the site names, so that it can use a better voice."""

from __future__ import annotations

import re
import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ivr.errors import SynthesisError
from ivr.prompts.tools import run

#: How digits are read out: numbers of three digits and more digit by digit, with 幺 for 1.
_SINGLE = dict(zip("0123456789", "零一二三四五六七八九", strict=True))
_PHONE = _SINGLE | {"1": "幺"}
#: The usual pace, characters (Chinese) or words (English) a minute.
PACE = {"zh": 220, "en": 150}
#: A program may take so long to begin, seconds, and so many times as long as the speech will last.
_BEGINNING, _TIMES = 30.0, 2.0
_MEND = "Mend `command` under [prompts] in the configuration, or empty it to use espeak-ng."


class Synthesiser(Protocol):
    """Turns words into a WAV. `recipe` names everything but the words that decides how it sounds."""

    def speak(self, text: str, *, language: str, pace: float) -> bytes:
        """Return a WAV that says the text; raise `SynthesisError` naming the mend."""
        ...

    def recipe(self, *, language: str, pace: float) -> str:
        """Return a text that changes exactly when old sounds must be spoken anew."""
        ...


def spoken(text: str, language: str = "zh") -> str:
    """Return the text as it is read out: 按1 -> 按一, 110 -> 幺幺零, 12356 -> 幺二三五六."""

    def read_out(match: re.Match[str]) -> str:
        digits = match.group()
        if language != "zh":
            return " ".join(digits)
        names = _PHONE if len(digits) >= 3 else _SINGLE
        return "".join(names[digit] for digit in digits)

    return re.sub(r"[0-9]+", read_out, text)


def expected(read_out: str, *, language: str, pace: float) -> float:
    """Return about how many seconds a text lasts that is read out at a pace (1.0: the usual one)."""
    count = len(read_out.split()) if language == "en" else sum(map(str.isalnum, read_out))
    return max(0.5, 60 * count / (PACE.get(language, PACE["zh"]) * pace))


def patience(read_out: str, *, language: str, pace: float) -> float:
    """Return how many seconds a program gets for a text: a prompt takes some, a program that hangs all."""
    return _BEGINNING + _TIMES * expected(read_out, language=language, pace=pace)


@dataclass(frozen=True, kw_only=True, slots=True)
class Voice:
    """An espeak-ng voice. `speed` is espeak's words per minute; measured in prompts, not believed."""

    #: Not `cmn`: espeak-ng 1.51 (Debian 12) spells out the pinyin of Hanzi there as English letters.
    name: str = "cmn-latn-pinyin"
    speed: int = 194
    pitch: int = 45

    def at(self, pace: float) -> int:
        """Return the speed for a pace. espeak keeps its pauses, so it needs less of a change than asked."""
        return round(self.speed * (0.2 + 0.8 * pace))


VOICES = {"zh": Voice(), "en": Voice(name="en", speed=160)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Espeak:
    """espeak-ng, with the shipped voice of each language or one voice for all."""

    voice: Voice | None = None

    def speak(self, text: str, *, language: str, pace: float) -> bytes:
        """Return the text spoken by espeak-ng."""
        voice = self._voice(language)
        command = [
            "espeak-ng",
            "-v",
            voice.name,
            "-s",
            str(voice.at(pace)),
            "-p",
            str(voice.pitch),
            "--stdout",
        ]
        read_out = spoken(text, language)
        return run(command, read_out.encode(), seconds=patience(read_out, language=language, pace=pace))

    def recipe(self, *, language: str, pace: float) -> str:
        """Return voice, speed and pitch."""
        voice = self._voice(language)
        return f"espeak-ng|{voice.name}|{voice.at(pace)}|{voice.pitch}"

    def _voice(self, language: str) -> Voice:
        if self.voice is not None:
            return self.voice
        if language not in VOICES:
            raise SynthesisError(f"no voice for language `{language}`. There are: {', '.join(VOICES)}.")
        return VOICES[language]


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandLine:
    """Any program. `template` is split into words as a shell would, and run without one.

    `{text_file}` is replaced by a file with the text, `{out}` by the WAV to write, `{language}` by zh
    or en, `{speed}` by 1.0 (usual) or 0.77 (slow). Without `{text_file}` the text comes on standard
    input; without `{out}` the WAV is read from standard output. `{text}` marks standard input, too.
    """

    template: str

    def speak(self, text: str, *, language: str, pace: float) -> bytes:
        """Return what the command made of the text; raise `SynthesisError` naming it and the mend."""
        words = self._words()
        with tempfile.TemporaryDirectory(prefix="hotline-speech-") as folder:
            given, out = Path(folder, "text.txt"), Path(folder, "out.wav")
            read_out = spoken(text, language)
            given.write_text(read_out, encoding="utf-8")
            values = {"text_file": str(given), "out": str(out), "language": language, "speed": f"{pace:g}"}
            seconds = patience(read_out, language=language, pace=pace)
            said = run(_filled(words, values), read_out.encode(), seconds=seconds, mend=_MEND)
            if "{out}" in self.template:
                said = out.read_bytes() if out.exists() else b""
        if said[:4] != b"RIFF":
            raise SynthesisError(f"{words[0]} made no WAV. {_MEND}")
        return said

    def recipe(self, *, language: str, pace: float) -> str:
        """Return the command line and what is filled into it."""
        return f"command|{self.template}|{language}|{pace:g}"

    def _words(self) -> list[str]:
        try:
            words = [word for word in shlex.split(self.template) if word != "{text}"]
        except ValueError as trouble:
            raise SynthesisError(f"`{self.template}`: {trouble}. {_MEND}") from None
        if not words:
            raise SynthesisError(f"`{self.template}` names no program. {_MEND}")
        return words


def synthesiser(command: str = "") -> Synthesiser:
    """Return what speaks: the command line, or espeak-ng if it is empty."""
    return CommandLine(template=command) if command.strip() else Espeak()


def _filled(words: list[str], values: dict[str, str]) -> list[str]:
    return [re.sub(r"\{(\w+)\}", lambda blank: values.get(blank[1], blank[0]), word) for word in words]
