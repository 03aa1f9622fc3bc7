"""Typed keys for a caller's: single presses at a terminal, words from a pipe or a file."""

from __future__ import annotations

import os
import sys
import termios
import tty
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from callcenter.cli.ivr_words import offers, question, takes_luck
from callcenter.errors import Refused
from ivr.acts import Answered, Capped, EarlyKey, Effect, Failed, Found, HungUp, Key, Look, Question, Silence
from ivr.backends.simulator import EARLY, Act, Luck, Rings, World
from ivr.flow import ANY_KEYS, Flow
from ivr.hearing import width_of
from ivr.machine import State

#: Longest script: longer than any call, short enough to be meant.
_SCRIPT_CHARS = 100_000
_PRESSES: Mapping[str, Act] = {
    **dict.fromkeys("\r\n- ", Silence()),
    **dict.fromkeys("hq\x04", HungUp()),
}
_ANSWERS: Mapping[str, bool] = {"y": True, "n": False}
#: Width of a hint.
_COLUMNS = 78
_LUCKS: Mapping[str, Luck] = {"a": Answered(), "f": Failed(), "c": Capped()}


def read_script(file: Path | None) -> str:
    """Return the words of a file, or of the standard input; raise `Refused` if they cannot be meant."""
    try:
        if file is None:
            text = sys.stdin.read(_SCRIPT_CHARS + 1)
        else:
            with file.open(encoding="utf-8") as source:
                text = source.read(_SCRIPT_CHARS + 1)
    except UnicodeDecodeError:
        raise Refused(f"{file or '标准输入'} 不是文本。请写成 1 0 - h 这样的按键。") from None
    if len(text) > _SCRIPT_CHARS:
        raise Refused(f"{file or '标准输入'} 太长:最多 {_SCRIPT_CHARS} 个字符。")
    return text


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What the options said of the world; what they did not say is asked."""

    world: World
    questions: frozenset[Question]
    number: bool

    def settles(self, look: Look) -> bool:
        """Tell whether the options answer this."""
        if look.question is Question.FACT:
            return self.number if look.of == "number" else bool(self.world.facts)
        return look.question in self.questions


class Keyboard:
    """Somebody at the terminal plays everybody but the line. Use with `with`.

    The terminal gives single keys for as long as the call lasts, so that none typed early is lost.
    """

    def __init__(self, flow: Flow, told: Told) -> None:
        self.otherwise = told.world.otherwise
        self._flow = flow
        self._told = told
        self._typed: deque[str] = deque()
        self._answers: dict[tuple[str, str, str], bool] = {}
        self._fd = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._fd)

    def __enter__(self) -> Keyboard:
        tty.setcbreak(self._fd, termios.TCSANOW)
        return self

    def __exit__(self, *_: object) -> None:
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)

    def act(self, state: State, last: Effect) -> Act | None:
        """Wait for a key press; keys typed at once are a burst."""
        rings = isinstance(last, Rings)
        if not self._typed:
            self._hint(state.node or "", rings=rings)
        while True:
            press = self._press()
            if press == EARLY:
                press = self._press()
                if press in ANY_KEYS:
                    return EarlyKey(press)
            if rings and press in _LUCKS:
                return _LUCKS[press]
            if press in ANY_KEYS:
                return Key(press)
            if press in _PRESSES:
                return _PRESSES[press]

    def found(self, look: Look) -> Found:
        """Answer by the options, else ask once."""
        if self._told.settles(look):
            return self._told.world.found(look)
        asked = (look.question, look.of, look.digits)
        if asked not in self._answers:
            self._answers[asked] = self._ask(question(look), usual=self._told.world.found(look).yes)
        return Found(self._answers[asked])

    def _ask(self, words: str, *, usual: bool) -> bool:
        click.secho(f"  {words} {'[Y/n]' if usual else '[y/N]'}", dim=True, err=True)
        while True:
            press = self._press().lower()
            if press in _ANSWERS:
                return _ANSWERS[press]
            if press in _PRESSES:
                return usual

    def _hint(self, node: str, *, rings: bool) -> None:
        people = takes_luck(self._flow, node) if rings else ()
        line = " "
        for word in (*people, *offers(self._flow, node), "- 不按", "h 挂机"):
            if width_of(f"{line} {word} ·") > _COLUMNS:
                click.secho(line, dim=True, err=True)
                line = " "
            line += f" {word} ·"
        click.secho(line.removesuffix(" ·"), dim=True, err=True)

    def _press(self) -> str:
        if not self._typed:
            self._typed.extend(os.read(self._fd, 64).decode(errors="replace") or "h")
        return self._typed.popleft()
