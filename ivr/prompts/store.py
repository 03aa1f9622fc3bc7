"""One set's folder of sounds: where each file stands, who made it, and one writer at a time.

    <sounds>/<set>/hotline/<id>.wav             what callers hear
    <sounds>/<set>/digits/<n>.wav               numbers, where Asterisk looks for them
    <sounds>/<set>/hotline/manifest.json        for each of them: kind, checksum, by, at, level; and for
                                                each recording, whether it is played or not
    <sounds>/<set>/recorded/<id>.<check>.wav    recordings, bound to their text by its checksum

A recording outlives its use: when a text is changed and changed back, it is current again.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ivr.errors import SynthesisError
from ivr.prompts.catalogue import Prompt

RECORDED = "recorded"
SYNTHESISED = "synthesised"
_MANIFEST = "manifest.json"
_NUMBER = re.compile(r"digit_([0-9]+)")
#: So much of a text's sha256 stands in a recording's name.
_SHORT = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """One line of the manifest. `recipe` is empty for a recording; `level` is dBFS; `at` ISO 8601."""

    kind: str
    checksum: str
    recipe: str = ""
    by: str = ""
    at: str = ""
    level: float | None = None


def sound_file(sounds: Path, language: str, prompt: str) -> Path:
    """Return where a prompt's sound stands in one set (`language`, as Asterisk calls it)."""
    number = _NUMBER.fullmatch(prompt)
    return sounds / language / (f"digits/{number[1]}.wav" if number else f"hotline/{prompt}.wav")


def recording_key(prompt: Prompt) -> str:
    """Return the manifest's key of the recording of exactly this wording."""
    return f"{prompt.id}.{prompt.checksum[:_SHORT]}"


def recording_file(sounds: Path, language: str, prompt: Prompt) -> Path:
    """Return where the recording of exactly this wording is kept."""
    return sounds / language / "recorded" / f"{recording_key(prompt)}.wav"


def has_recording_of_old(sounds: Path, language: str, prompt: Prompt) -> bool:
    """Tell whether the prompt was recorded, but in another wording than it has now."""
    if recording_file(sounds, language, prompt).exists():
        return False
    return any((sounds / language / "recorded").glob(f"{prompt.id}.*.wav"))


@contextmanager
def alone_in(sounds: Path, language: str) -> Iterator[None]:
    """Make the set's folders, and keep every other process out of them meanwhile."""
    for part in ("hotline", "digits", "recorded"):
        (sounds / language / part).mkdir(parents=True, exist_ok=True)
    with (sounds / language / "hotline" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def read_manifest(sounds: Path, language: str) -> dict[str, Made]:
    """Return who made which sound; a damaged manifest costs only time, never a recording."""
    try:
        stored = json.loads((sounds / language / "hotline" / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    lines = stored.items() if isinstance(stored, dict) else ()
    found = {str(key): _made(value) for key, value in lines}
    return {key: made for key, made in found.items() if made is not None}


def _made(value: object) -> Made | None:
    if not isinstance(value, dict):
        return None
    try:
        made = Made(**value)
    except TypeError:
        return None
    words = (made.kind, made.checksum, made.recipe, made.by, made.at)
    return made if all(isinstance(word, str) for word in words) else None


def write_manifest(sounds: Path, language: str, manifest: Mapping[str, Made]) -> None:
    """Write the manifest in one go."""
    content = json.dumps({key: asdict(made) for key, made in manifest.items()}, ensure_ascii=False, indent=1)
    write_atomically(sounds / language / "hotline" / _MANIFEST, content.encode())


def write_atomically(file: Path, content: bytes) -> None:
    """Write a file so that a call in progress hears all of the old or all of the new.

    Raise `SynthesisError` naming the file and the mend if it cannot be written.
    """
    try:
        _write(file, content)
    except OSError as trouble:
        raise SynthesisError(f"{file}: {trouble.strerror}. Free space or mend who may write there.") from None


def _write(file: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".making-")
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
        os.chmod(name, 0o644)
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
