"""Take in what people have recorded: all of it or, if anything is wrong with it, nothing.

A recording is bound to the words it says by their checksum: when the words change, it is no longer
played (R48). Files are named as the prompts are: `greet.wav` says `greet`.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ivr.errors import RecordingError, SynthesisError
from ivr.prompts.audio import Sound, from_recording
from ivr.prompts.catalogue import Catalogue, Prompt
from ivr.prompts.sets import PromptSet
from ivr.prompts.store import (
    RECORDED,
    Made,
    alone_in,
    read_manifest,
    recording_file,
    recording_key,
    sound_file,
    write_atomically,
    write_manifest,
)
from ivr.prompts.survey import LONGEST_SENTENCE, longest_sentence
from ivr.prompts.synthesis import now

#: Names a recording may end in.
ENDINGS = (".wav", ".mp3", ".m4a", ".aac", ".ogg", ".oga", ".opus", ".flac")
#: What cameras, phones and file managers leave lying about.
_LITTER = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """A recording that may go on the line. Levels are dBFS, before and after levelling."""

    prompt: Prompt
    file: Path
    sound: Sound
    level_before: float


def read_recordings(
    source: Path,
    catalogue: Catalogue,
    chosen: PromptSet,
    *,
    prompt: str | None = None,
    pieces: Container[str] = (),
) -> tuple[Recording, ...]:
    """Return a file's or a folder's recordings, converted; change nothing.

    `catalogue` must have its blanks filled. `prompt` names what a single file says; otherwise its name
    does. `pieces` are the ids that nothing but libraries play, whose sentences may be long. Raise
    `RecordingError` with one line for every file that is refused.
    """
    if chosen.is_overlay:
        raise RecordingError(
            f"`{chosen.name}` borrows its sounds. Import into `{chosen.falls_back}` instead: "
            + ", ".join(dict.fromkeys(chosen.says.values()))
            + "."
        )
    wanted = _named(source, prompt)
    refused = list(_wrong_names(wanted, catalogue))
    found: list[Recording] = []
    for file, key in wanted:
        if key in catalogue.prompts and _is_audio(file):
            try:
                found.append(_recording(file, catalogue.prompts[key], short=key not in pieces))
            except SynthesisError as trouble:
                refused.append(f"{_shown(file)}: {_printable(str(trouble))}")
    if refused:
        raise RecordingError("\n".join([*refused, "Nothing was imported."]))
    return tuple(found)


def keep(sounds: Path, chosen: PromptSet, recordings: tuple[Recording, ...], *, by: str) -> None:
    """Store recordings and put them on the line; `by` names who recorded or approved them."""
    with alone_in(sounds, chosen.name):
        manifest = read_manifest(sounds, chosen.name)
        for one in recordings:
            content = one.sound.wav()
            made = Made(
                kind=RECORDED,
                checksum=one.prompt.checksum,
                by=by,
                at=now(),
                level=round(one.sound.level, 1),
            )
            write_atomically(recording_file(sounds, chosen.name, one.prompt), content)
            write_atomically(sound_file(sounds, chosen.name, one.prompt.id), content)
            manifest |= {one.prompt.id: made, recording_key(one.prompt): made}
        write_manifest(sounds, chosen.name, manifest)


def _named(source: Path, prompt: str | None) -> list[tuple[Path, str]]:
    """Return the files with the prompts they say they are."""
    if source.is_file():
        return [(source, prompt or source.stem)]
    if not source.is_dir():
        raise RecordingError(f"{_shown(source)}: no such file or folder. Check the path.")
    if prompt is not None:
        raise RecordingError("an id goes with one file, not with a folder. Name the files by their ids.")
    files = [
        file
        for file in sorted(source.iterdir())
        if not file.name.startswith(".") and file.name.lower() not in _LITTER
    ]
    if not files:
        raise RecordingError(f"{_shown(source)}: the folder is empty. Put recordings in it.")
    return [(file, file.stem) for file in files]


def _wrong_names(wanted: list[tuple[Path, str]], catalogue: Catalogue) -> Iterator[str]:
    seen: dict[str, Path] = {}
    for file, key in wanted:
        if not _is_audio(file):
            endings = ", ".join(ending[1:] for ending in ENDINGS)
            yield f"{_shown(file)}: is no recording. Take it away, or give one of {endings}."
        elif key not in catalogue.prompts:
            yield f"{_shown(file)}: there is no prompt `{_printable(key)}`. Name it by an id that is listed."
        elif key in seen:
            yield f"{_shown(file)}: `{key}` is there twice, see {_shown(seen[key])}. Keep one."
        seen.setdefault(key, file)


def _is_audio(file: Path) -> bool:
    return file.is_file() and file.suffix.lower() in ENDINGS


def _recording(file: Path, prompt: Prompt, *, short: bool) -> Recording:
    sound, before = from_recording(file)
    longest = longest_sentence(prompt.text, sound.seconds)
    if short and longest > LONGEST_SENTENCE:
        raise RecordingError(
            f"its longest sentence takes {longest:.1f} s, more than {LONGEST_SENTENCE:.0f} (R1). Speak "
            "faster, or shorten the text."
        )
    return Recording(prompt=prompt, file=file, sound=sound, level_before=before)


def _shown(file: Path) -> str:
    """Return a file's name so that it cannot disturb the terminal."""
    return _printable(file.name)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def summary(recordings: tuple[Recording, ...]) -> list[Mapping[str, object]]:
    """Return what became of each recording: id, file, seconds and levels."""
    return [
        {
            "id": one.prompt.id,
            "file": _shown(one.file),
            "seconds": round(one.sound.seconds, 1),
            "level_before": round(one.level_before, 1),
            "level": round(one.sound.level, 1),
        }
        for one in recordings
    ]
