"""Run the programs that speak and convert, and say plainly what to mend when one fails."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from ivr.errors import SynthesisError

#: Programs whose Debian package has their name.
_PACKAGES = frozenset({"espeak-ng", "sox", "ffmpeg"})


def run(command: Sequence[str], given: bytes = b"", *, seconds: float = 30, mend: str = "") -> bytes:
    """Return what a program wrote; `given` is its input.

    Raise `SynthesisError` naming the program, its last words and `mend` if it is missing, fails or
    takes longer than `seconds`. Never a shell, so no text can become a command.
    """
    tool = command[0]
    try:
        done = subprocess.run(command, input=given, capture_output=True, timeout=seconds, check=True)
    except (FileNotFoundError, PermissionError):
        raise SynthesisError(_absent(tool, mend)) from None
    except subprocess.TimeoutExpired:
        raise SynthesisError(_sentence(f"{tool} did not finish within {seconds:g} s.", mend)) from None
    except subprocess.CalledProcessError as trouble:
        words = trouble.stderr.decode(errors="replace").strip().splitlines()
        said = words[-1] if words else str(trouble.returncode)
        raise SynthesisError(_sentence(f"{tool} failed: {said}", mend)) from None
    return done.stdout


def _absent(tool: str, mend: str) -> str:
    if tool in _PACKAGES:
        return f"{tool} is not installed. Run: apt-get install {tool}"
    return _sentence(f"{tool} cannot be run.", mend)


def _sentence(problem: str, mend: str) -> str:
    return f"{problem} {mend}" if mend else problem
