"""Sounds and catalogues for tests of prompts, made when they are needed."""

from __future__ import annotations

import io
import math
import subprocess
import wave
from dataclasses import dataclass, field
from pathlib import Path

from ivr.prompts.catalogue import UNAPPROVED, Catalogue, checksum_of, load_catalogue


def catalogue_of(folder: Path, language: str = "zh", **texts: str) -> Catalogue:
    """Return a catalogue read from a file `目录.yaml` in the folder."""
    lines = [f"language: {language}", "prompts:"]
    for id_, text in texts.items():
        lines += [f"  {id_}:", f"    text: {text}", "    version: 1"]
        lines += [f"    checksum: {checksum_of(text)}", f"    approver: {UNAPPROVED}"]
    file = folder / "目录.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    return load_catalogue(file)


@dataclass
class Humming:
    """A synthesiser that hums, a tenth of a second for each character, and remembers what it hummed."""

    said: list[str] = field(default_factory=list)

    def speak(self, text: str, *, language: str, pace: float) -> bytes:
        self.said.append(text)
        return hum(len(text) / 10 / pace)

    def recipe(self, *, language: str, pace: float) -> str:
        return f"humming|{language}|{pace}"


def hum(seconds: float, *, loudness: float = 0.3, rate: int = 8000) -> bytes:
    """Return a WAV of a swelling 440 Hz tone, somewhat like speech."""
    count = round(seconds * rate)
    waves = (
        loudness * (0.6 + 0.4 * math.sin(20 * n / rate)) * math.sin(2 * math.pi * 440 * n / rate)
        for n in range(count)
    )
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(round(w * 32767).to_bytes(2, "little", signed=True) for w in waves))
    return out.getvalue()


def recording(file: Path, *effects: str, seconds: float = 2.0, loudness: float = 0.3) -> Path:
    """Write a recording in the format of the file's name; `effects` are ffmpeg audio filters."""
    source = file.with_name(f".{file.name}.source")
    source.write_bytes(hum(seconds, loudness=loudness, rate=44100))
    filters = ["-af", ",".join(effects)] if effects else []
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", f"file:{source}", *filters, f"file:{file}"]
    subprocess.run(command, check=True)
    source.unlink()
    return file


def kind_of(file: Path) -> tuple[int, int, int]:
    """Return channels, bytes of a sample, rate of a WAV."""
    with wave.open(str(file)) as sound:
        return sound.getnchannels(), sound.getsampwidth(), sound.getframerate()


TELEPHONE = (1, 2, 8000)
