"""What a call is to whoever watches it in a terminal: lines, JSON, or sound."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import click
from rich.text import Text

from callcenter.cli.common import console, plain
from callcenter.cli.ivr_words import Line, lines_of, question, said
from callcenter.errors import Refused
from ivr.acts import Ask, Effect, Entered, Event, Found, Look, Play, PlayPiece, Put, Resume, Speak
from ivr.backends.simulator import Moment, Walk
from ivr.hearing import Texts, wrapped

#: Programs that play sound files, the likeliest first.
_PLAYERS = (("play", "-q"), ("aplay", "-q"), ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"))
#: Width of what stands before each line: two blanks, a mark of one Chinese character, a blank.
_INDENT = 5
_BLANK = " " * _INDENT


class Screen(Protocol):
    """Where a call is shown."""

    def show(self, moment: Moment) -> None:
        """Show one step."""
        ...

    def end(self, walk: Walk, *, rows: bool) -> None:
        """Show what became of the call, and its rows in the journal if wanted."""
        ...


class PlainScreen:
    """Lines of at most 80 columns, Chinese counted as two."""

    def __init__(self, language: str, texts_of: Callable[[str], Texts]) -> None:
        self._console = console()
        self._texts_of = texts_of
        self._texts = texts_of(language)
        self._look: Look | None = None

    def show(self, moment: Moment) -> None:
        """Print what happened and what it led to."""
        if moment.event is not None:
            self._event(moment.event)
        for effect in moment.effects:
            if isinstance(effect, Entered):
                self._console.print(Text(effect.node, style="bold"))
            elif isinstance(effect, Look):
                self._look = effect
            elif isinstance(effect, Speak):
                self._texts = self._texts_of(effect.language)
            self._lines([*lines_of(effect, self._texts)])
        if not moment.effects:
            self._lines([("无", "不起作用")])

    def _event(self, event: Event) -> None:
        if isinstance(event, Found) and self._look is not None:
            self._lines([("查", f"{question(self._look)} {said(event)}")])
        else:
            self._console.print(Text(f"> {said(event)}", style="cyan"))

    def _lines(self, lines: Sequence[Line]) -> None:
        for mark, text in lines:
            style = "" if mark in {"听", "续"} else "dim"
            for place, line in enumerate(wrapped(text, max(self._console.width - _INDENT, _INDENT))):
                self._console.print(Text(_BLANK if place else f"  {mark} ").append(line, style=style))

    def end(self, walk: Walk, *, rows: bool) -> None:
        """Print how it ended."""
        self._console.print("（通话结束）" if walk.over else "（到此为止：再等下去也还是这样）")
        if rows:
            for name, text in walk.rows:
                self._console.print(Text(f"{name},{text}"), soft_wrap=True)


class JsonScreen:
    """One JSON object a step; English keys, stable."""

    def show(self, moment: Moment) -> None:
        """Print event, state and effects."""
        event = None if moment.event is None else _named(moment.event)
        effects = [_named(effect) for effect in moment.effects]
        _print({"event": event, "state": asdict(moment.state), "effects": effects})

    def end(self, walk: Walk, *, rows: bool) -> None:
        """Print how it ended."""
        _print({"flow": walk.flow, "over": walk.over} | ({"rows": walk.rows} if rows else {}))


def _named(value: Event | Effect) -> dict[str, Any]:
    return {"type": type(value).__name__, **asdict(value)}


def _print(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, default=plain))


class Speaker:
    """Plays prompts with whatever player the machine has; a key at the terminal ends them."""

    def __init__(self, sounds: Path, language: str) -> None:
        found = [words for words in _PLAYERS if shutil.which(words[0])]
        if not found:
            raise Refused("没有能播放声音的程序。请安装:apt-get install sox")
        self._player = found[0]
        self._sounds = sounds
        self._language = language
        self._playing: subprocess.Popen[bytes] | None = None

    def play(self, effects: Sequence[Effect]) -> None:
        """Begin to play what these effects say, in order."""
        files: list[Path] = []
        for effect in effects:
            if isinstance(effect, Speak):
                self._language = effect.language
            files += [file for prompt in _prompts(effect) if (file := self._file(prompt))]
        if files:
            self._playing = subprocess.Popen(
                [*self._player, *map(str, files)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def finish(self) -> None:
        """Wait until it is said."""
        if self._playing is not None:
            self._playing.wait()
            self._playing = None

    def cut(self) -> None:
        """Fall silent."""
        if self._playing is not None:
            self._playing.terminate()
        self.finish()

    def _file(self, prompt: str) -> Path | None:
        """Return a prompt's sound in the set, or in what stands in for it, as Asterisk does."""
        name = self._language
        while name:
            file = self._sounds / name / "hotline" / f"{prompt}.wav"
            if file.exists():
                return file
            name = name.rpartition("_")[0]
        return None


def _prompts(effect: Effect) -> tuple[str, ...]:
    match effect:
        case Ask() | Play() | Put():
            return effect.prompts
        case PlayPiece() | Resume():
            return (effect.piece,)
        case _:
            return ()
