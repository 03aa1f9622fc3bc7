"""Sound as the telephone carries it: 8 kHz, mono, 16 bit; measured, levelled, trimmed.

Levels are dBFS, of speech while somebody speaks: pauses do not count, so a slow speaker is not made
louder than a quick one. Every sound of the line is brought to `TARGET`.
"""

from __future__ import annotations

import array
import io
import math
import operator
import sys
import wave
from dataclasses import dataclass
from pathlib import Path

from ivr.errors import RecordingError, SynthesisError
from ivr.prompts.tools import run

RATE = 8000
#: What speech is brought to, dBFS; some dB above the -26 that ITU-T P.56 asks of talk, for old ears.
TARGET = -20.0
#: No sample comes nearer than this to the top, dBFS.
CEILING = -1.5
#: Quieter than this is silence, dBFS.
SILENT = -50.0
_FULL = 32767
#: Rate at which a recording is looked at for clipping.
_STUDIO = 48000
#: A sample this near to full scale, three in a row, is a flat top; more than this share of them is too much.
_TOP = 32300
_CLIPPED = 0.0005
_SHORTEST = 0.15
_MARGIN = 10**-1.59
#: Telephone band, and no rumble in the measurement.
_BAND_SOX = ("highpass", "200", "lowpass", "3400")
#: Decoders that recordings may use. Not: playlists, which would read other files.
_FORMATS = "wav,mp3,mov,mp4,m4a,3gp,3g2,mj2,aac,ogg,flac"
#: Longer than anything the line says, seconds: a longer recording is refused, not cut.
LONGEST_RECORDING = 600


@dataclass(frozen=True, kw_only=True, slots=True)
class Sound:
    """Samples at 8 kHz."""

    samples: array.array[int]

    @property
    def seconds(self) -> float:
        """Return how long it is."""
        return len(self.samples) / RATE

    @property
    def level(self) -> float:
        """Return the level of the speech in it, dBFS; `-inf` for digital silence."""
        return _level(self.samples)

    @property
    def peak(self) -> float:
        """Return the loudest sample, dBFS."""
        return _decibels(_top(self.samples) / _FULL)

    def wav(self) -> bytes:
        """Return it as a WAV file."""
        out = io.BytesIO()
        with wave.open(out, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(_little(self.samples))
        return out.getvalue()


def read_sound(file: Path) -> Sound:
    """Read one of our own WAVs; raise `SynthesisError` if it is none, or not 8 kHz mono 16 bit."""
    try:
        with wave.open(str(file), "rb") as found:
            kind = (found.getframerate(), found.getnchannels(), found.getsampwidth())
            content = found.readframes(found.getnframes())
    except (OSError, EOFError, wave.Error) as trouble:
        raise SynthesisError(f"{file}: not a WAV file that can be read ({trouble}).") from None
    if kind != (RATE, 1, 2):
        raise SynthesisError(f"{file}: is {kind[0]} Hz, {kind[1]} channels, {8 * kind[2]} bit.")
    return _sound(content)


def length_of(file: Path) -> float | None:
    """Return a WAV's length in seconds from its header, or None if it cannot be read."""
    try:
        with wave.open(str(file), "rb") as found:
            return found.getnframes() / found.getframerate()
    except (OSError, EOFError, wave.Error, ZeroDivisionError):
        return None


def from_speech(speech: bytes) -> Sound:
    """Return a synthesiser's WAV as the telephone carries it, with a breath at its end."""
    raw = ["-t", "raw", "-r", str(RATE), "-c", "1", "-b", "16", "-e", "signed-integer", "-L", "-"]
    content = run(["sox", "-t", "wav", "--ignore-length", "-", *raw, *_BAND_SOX, "pad", "0", "0.1"], speech)
    return levelled(_sound(content))


def from_recording(file: Path) -> tuple[Sound, float]:
    """Return a person's recording as the telephone carries it, and its level before, in dBFS.

    It is trimmed at both ends, kept to the telephone's band and levelled. Raise `SynthesisError` if it
    cannot be decoded, is silent, or was clipped when it was recorded.
    """
    _refuse_clipped(_decoded(file, _STUDIO))
    sound = _trimmed(_sound(_decoded(file, RATE, "-af", "highpass=f=200,lowpass=f=3400")))
    if sound.level < SILENT or sound.seconds < _SHORTEST:
        raise RecordingError("nothing is heard in it. Record it again, nearer to the microphone.")
    return _brought_to_target(sound), sound.level


def levelled(sound: Sound) -> Sound:
    """Return the sound at `TARGET`, or as near to it as its loudest sample allows."""
    if sound.level < SILENT:
        return sound
    return _louder(sound, min(TARGET - sound.level, CEILING - sound.peak))


def _decoded(file: Path, rate: int, *more: str) -> bytes:
    """Return any recording as little-endian 16-bit mono; raise `RecordingError` if it is too long."""
    content = run(
        [
            *("ffmpeg", "-nostdin", "-v", "error", "-protocol_whitelist", "file"),
            *(
                "-format_whitelist",
                _FORMATS,
                "-i",
                f"file:{file.absolute()}",
                "-t",
                str(LONGEST_RECORDING + 1),
                "-vn",
            ),
            *(*more, "-ac", "1", "-ar", str(rate), "-f", "s16le", "-"),
        ],
        seconds=120,
        mend="Give a wav, mp3, m4a, ogg or flac file that plays elsewhere.",
    )
    if not content:
        raise RecordingError("there is no sound in it. Give a wav, mp3, m4a, ogg or flac file.")
    if len(content) > 2 * rate * LONGEST_RECORDING:
        raise RecordingError(f"it is longer than {LONGEST_RECORDING // 60} minutes. Cut it into pieces.")
    return content


def _refuse_clipped(content: bytes) -> None:
    """Refuse what was too loud for the microphone: flat tops, which no later levelling mends."""
    samples = _sound(content).samples
    flat = run_length = 0
    for sample in samples:
        run_length = run_length + 1 if abs(sample) >= _TOP else 0
        flat += 3 if run_length == 3 else run_length > 3
    if flat > len(samples) * _CLIPPED:
        share = f"{100 * flat / len(samples):.1f} %"
        raise RecordingError(f"it is clipped ({share} of it). Record it again with a lower input level.")


def _trimmed(sound: Sound) -> Sound:
    """Return the sound without the silence at its ends, keeping a breath of 80 ms."""
    powers = _powers(sound.samples, RATE // 100)
    floor = 10 ** ((sound.level - 30) / 10) if sound.samples else 0.0
    heard = [index for index, power in enumerate(powers) if power > floor]
    if not heard:
        return Sound(samples=array.array("h"))
    first = max(0, heard[0] - 8) * (RATE // 100)
    last = (heard[-1] + 9) * (RATE // 100)
    return Sound(samples=sound.samples[first:last])


def _brought_to_target(sound: Sound) -> Sound:
    """Return the sound at `TARGET`; peaks that would stand out above `CEILING` are held down."""
    gain = TARGET - sound.level
    if sound.peak + gain <= CEILING:
        return _louder(sound, gain)
    raw = ["-f", "s16le", "-ar", str(RATE), "-ac", "1"]
    limit = f"alimiter=limit={10 ** (CEILING / 20):.3f}:attack=2:release=40:level=disabled"
    hold = f"aformat=sample_fmts=flt,volume={gain:.2f}dB:precision=float,{limit}"
    command = ["ffmpeg", "-nostdin", "-v", "error", *raw, "-i", "pipe:0", "-af", hold, *raw, "-"]
    return _sound(run(command, _little(sound.samples)))


def _louder(sound: Sound, decibels: float) -> Sound:
    factor = 10 ** (decibels / 20)
    samples = (round(sample * factor) for sample in sound.samples)
    return Sound(samples=array.array("h", (max(-_FULL, min(_FULL, sample)) for sample in samples)))


def _level(samples: array.array[int]) -> float:
    """Return the mean power of the frames that are at most 15.9 dB below it (after ITU-T P.56).

    The loudest twentieth of what is heard counts as no louder than the rest: a knock is not a voice.
    """
    powers = _powers(samples, RATE // 50)
    heard = sorted(power for power in powers if power > 10 ** (SILENT / 10)) or [0.0]
    most = heard[(len(heard) * 19 - 1) // 20]
    powers = [min(power, most) for power in powers] if most else powers
    active = sum(powers) / len(powers) if powers else 0.0
    for _ in range(20):
        loud = [power for power in powers if power > active * _MARGIN]
        if not loud or active == (active := sum(loud) / len(loud)):
            break
    return _decibels(math.sqrt(active))


def _powers(samples: array.array[int], size: int) -> list[float]:
    """Return the mean square of each frame of `size` samples, full scale being 1."""
    frames = (samples[start : start + size] for start in range(0, len(samples), size))
    return [sum(map(operator.mul, frame, frame)) / len(frame) / _FULL**2 for frame in frames]


def _top(samples: array.array[int]) -> int:
    return max(max(samples), -min(samples)) if samples else 0


def _decibels(amplitude: float) -> float:
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf


def _sound(content: bytes) -> Sound:
    samples = array.array("h")
    samples.frombytes(content[: len(content) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    return Sound(samples=samples)


def _little(samples: array.array[int]) -> bytes:
    if sys.byteorder == "little":
        return samples.tobytes()
    turned = array.array("h", samples)
    turned.byteswap()
    return turned.tobytes()
