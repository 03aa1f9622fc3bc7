"""A site's own file for one of the shipped scales."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callcenter.domain.instruments import FOLDER, InstrumentError, read_instrument


def site_file(folder: Path, name: str, *changes: tuple[str, str]) -> Path:
    """Write a site's file: ours with these changes, another version, and the checksum it ought to have."""
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    for old, new in (("version: 1\n", "version: 100\n"), *changes):
        assert old in text
        text = text.replace(old, new)
    file = folder / f"{name}.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InstrumentError) as trouble:
        read_instrument(file)
    right = re.search(r"set `checksum: ([0-9a-f]{64})", str(trouble.value))
    assert right is not None, trouble.value
    file.write_text(re.sub(r"(?m)^checksum: .*$", f"checksum: {right[1]}", text), encoding="utf-8")
    return file
