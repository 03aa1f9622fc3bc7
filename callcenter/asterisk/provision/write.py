"""Rendered files -> the PBX's `etc` folder, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from callcenter.asterisk.provision.tone import hold_tone
from callcenter.files import write_private

#: Names the files we wrote last time, so that one no longer rendered can go.
LIST = ".hotline-files"


def write(files: Mapping[str, str], folder: Path) -> frozenset[str]:
    """Write what changed (0600, in a 0700 folder), remove what is no longer rendered; return both.

    Each file is replaced in one step, so that Asterisk never reads half of one. Files we did not
    write are left alone.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    changed = {name for name, text in files.items() if _replace(folder / name, text)}
    gone = _written_before(folder) - files.keys()
    for name in gone:
        (folder / name).unlink(missing_ok=True)
    _replace(folder / LIST, json.dumps(sorted(files)) + "\n")
    return frozenset(changed | gone)


def write_hold_tone(home: Path) -> None:
    """Put the tone that waiting callers hear where musiconhold.conf looks for it."""
    folder = home / "moh"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / "wait.alaw"
    if not file.exists():
        fresh = folder / ".wait.new"
        fresh.write_bytes(hold_tone())
        fresh.replace(file)


def _replace(file: Path, text: str) -> bool:
    data = text.encode()
    if file.exists() and file.read_bytes() == data:
        file.chmod(0o600)
        return False
    write_private(file, data)
    return True


def _written_before(folder: Path) -> set[str]:
    """Return the names in our list; only plain names, so that a damaged list removes nothing else."""
    try:
        names = json.loads((folder / LIST).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return set()
    return {name for name in names if isinstance(name, str) and name == Path(name).name}
