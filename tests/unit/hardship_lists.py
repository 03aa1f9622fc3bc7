"""Reading and bringing in lists, for tests of the import."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from actors import enlist

from callcenter.memory import MemoryStore, MemoryUnit
from callcenter.service.hardship.fields import Entry, parse_mapping
from callcenter.service.hardship.importing import Diff, import_entries, read_list
from callcenter.service.hardship.tables import ImportRefused
from scheduler.cadence import SHANGHAI

NOW = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
HEAD = "档案编号,姓名,手机,困难类别,建档日期,区县,同意自动回访,同意日期"
SHEN = "WX-001,沈建国,13800001111,深度困难,2026-09-01,梁溪区,是,2026-09-01"
ZHOU = "WX-002,周秀英,13900002222,相对困难,2026-08-05,滨湖区,否,"


@pytest.fixture(name="work")
def a_store() -> Iterator[MemoryUnit]:
    """A store with nobody in it but a clerk."""
    with MemoryStore()() as unit:
        enlist(unit, "k001")
        yield unit


def write(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    file = folder / "list.csv"
    file.write_bytes("\r\n".join(lines).encode(encoding))
    return file


def read(folder: Path, *lines: str, encoding: str = "utf-8", maps: tuple[str, ...] = ()) -> list[Entry]:
    return read_list(write(folder, *lines, encoding=encoding), parse_mapping(maps), NOW)[1]


def problems(folder: Path, *lines: str, maps: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(ImportRefused) as refused:
        read(folder, *lines, maps=maps)
    return [str(p) for p in refused.value.problems]


def bring(work: MemoryUnit, entries: list[Entry], *, dry_run: bool = False, at: datetime = NOW) -> Diff:
    return import_entries(work, entries, actor="k001", now=at, dry_run=dry_run)
