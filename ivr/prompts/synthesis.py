"""Speak the catalogue: espeak-ng (Mandarin) -> sox -> 8 kHz mono 16-bit WAV, for Asterisk and TwiML.

Files land as `<sounds>/<language>/hotline/<id>.wav`. Only what changed is spoken again; several
processes may run this at once. A stand-in until people have recorded the prompts.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ivr.errors import SynthesisError
from ivr.prompts.catalogue import Catalogue, Prompt

log = logging.getLogger(__name__)

#: Called with (prompts ready, prompts in all, id of the last one).
Progress = Callable[[int, int, str], None]

_MANIFEST = "manifest.json"
_TOOL_SECONDS = 30
#: How digits are read out: numbers of three digits and more digit by digit, with 幺 for 1.
_SINGLE = dict(zip("0123456789", "零一二三四五六七八九", strict=True))
_PHONE = _SINGLE | {"1": "幺"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Voice:
    """An espeak-ng voice. `speed` is espeak's words per minute; measured in prompts, not believed."""

    #: Not `cmn`: espeak-ng 1.51 (Debian 12) spells out the pinyin of Hanzi there as English letters.
    name: str = "cmn-latn-pinyin"
    speed: int = 180
    pitch: int = 45


VOICES = {"zh": Voice()}


def synthesise(
    catalogue: Catalogue,
    sounds: Path,
    *,
    voice: Voice | None = None,
    progress: Progress | None = None,
) -> tuple[str, ...]:
    """Make every sound file that is missing or out of date; return the ids that were spoken anew.

    Raise `SynthesisError` if espeak-ng or sox is missing or fails. Files are replaced atomically, so
    a call in progress never hears half a prompt.
    """
    voice = voice or _voice_of(catalogue.language)
    folder = sounds / catalogue.language / "hotline"
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with _alone_in(folder):
        manifest = _read_manifest(folder)
        for count, prompt in enumerate(catalogue.prompts.values(), start=1):
            fingerprint = _fingerprint(prompt, voice)
            file = sound_file(sounds, catalogue.language, prompt.id)
            if manifest.get(prompt.id) != fingerprint or not file.exists():
                _speak(prompt, voice, file)
                manifest[prompt.id] = fingerprint
                made.append(prompt.id)
            if progress:
                progress(count, len(catalogue.prompts), prompt.id)
        _write_atomically(folder / _MANIFEST, json.dumps(manifest, indent=1).encode())
    log.info("prompts are ready", extra={"action": "prompts_synthesised", "count": len(made)})
    return tuple(made)


def sound_file(sounds: Path, language: str, prompt: str) -> Path:
    """Return where a prompt's sound stands."""
    return sounds / language / "hotline" / f"{prompt}.wav"


def spoken(text: str) -> str:
    """Return the text as it is read out: 按1 -> 按一, 110 -> 幺幺零, 12356 -> 幺二三五六."""

    def read_out(match: re.Match[str]) -> str:
        digits = match.group()
        names = _PHONE if len(digits) >= 3 else _SINGLE
        return "".join(names[digit] for digit in digits)

    return re.sub(r"[0-9]+", read_out, text)


def _voice_of(language: str) -> Voice:
    if language not in VOICES:
        raise SynthesisError(f"no voice for language `{language}`. There are: {', '.join(VOICES)}.")
    return VOICES[language]


def _fingerprint(prompt: Prompt, voice: Voice) -> str:
    recipe = f"1|{voice.name}|{voice.speed}|{voice.pitch}|{prompt.checksum}"
    return hashlib.sha256(recipe.encode()).hexdigest()


def _speak(prompt: Prompt, voice: Voice, file: Path) -> None:
    speech = _run(
        ["espeak-ng", "-v", voice.name, "-s", str(voice.speed), "-p", str(voice.pitch), "--stdout"],
        spoken(prompt.text).encode(),
    )
    # Telephone band, one level for all prompts, and a breath at the end against clipped last words.
    shape = ["highpass", "200", "lowpass", "3400", "norm", "-3", "pad", "0", "0.1"]
    telephone = ["-t", "wav", "-r", "8000", "-c", "1", "-b", "16", "-"]
    sound = _run(["sox", "-t", "wav", "--ignore-length", "-", *telephone, *shape], speech)
    _write_atomically(file, _with_true_length(sound))


def _run(command: list[str], given: bytes) -> bytes:
    tool = command[0]
    try:
        done = subprocess.run(command, input=given, capture_output=True, timeout=_TOOL_SECONDS, check=True)
    except FileNotFoundError:
        raise SynthesisError(f"{tool} is not installed. Run: apt-get install {tool}") from None
    except subprocess.TimeoutExpired:
        raise SynthesisError(f"{tool} did not finish within {_TOOL_SECONDS} s.") from None
    except subprocess.CalledProcessError as trouble:
        words = trouble.stderr.decode(errors="replace").strip().splitlines()
        raise SynthesisError(f"{tool} failed: {words[-1] if words else trouble.returncode}") from None
    return done.stdout


def _with_true_length(sound: bytes) -> bytes:
    """Return the WAV with its sizes filled in: sox cannot seek back in a pipe to write them."""
    data = sound.index(b"data")
    body = sound[data + 8 :]
    return (
        b"RIFF"
        + (data + len(body)).to_bytes(4, "little")
        + sound[8 : data + 4]
        + len(body).to_bytes(4, "little")
        + body
    )


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read_manifest(folder: Path) -> dict[str, str]:
    try:
        stored = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return {str(key): str(value) for key, value in stored.items()} if isinstance(stored, dict) else {}


def _write_atomically(file: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".making-")
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
        os.chmod(name, 0o644)
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
