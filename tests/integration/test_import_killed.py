"""A list that is being written when its process dies: nothing of it stays, in either database."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from actors import enlist
from sqlalchemy import func, select

from callcenter.config import load_settings
from callcenter.db.engine import make_engine
from callcenter.db.tables import audit, hardship_files, people
from callcenter.db.unit_of_work import open_store
from callcenter.keys import KeyRing

HEAD = "档案编号,姓名,联系电话,困难类别,建档日期"
ROWS = 6_000


def counted(url: str) -> list[int]:
    engine = make_engine(url)
    try:
        with engine.connect() as link:
            tables = (people, hardship_files, audit)
            return [link.execute(select(func.count()).select_from(one)).scalar_one() for one in tables]
    finally:
        engine.dispose()


def test_a_kill_in_the_middle_of_writing_leaves_nothing(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path))
    monkeypatch.setenv("HOTLINE_DATABASE__URL", database_url)
    monkeypatch.setenv("HOTLINE_ACTOR", "k001")
    store = open_store(database_url, KeyRing.create(load_settings().key_file))
    with store() as work:
        enlist(work, "k001")
        work.commit()
    store.close()
    before = counted(database_url)
    file = tmp_path / "long.csv"
    lines = (f"WX-{n},周伟,13700{n:06d},深度困难,2026-01-05" for n in range(ROWS))
    file.write_text("\n".join([HEAD, *lines]), encoding="utf-8")
    command = [sys.executable, "-m", "callcenter.cli", "hardship", "import", str(file)]
    told = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=dict(os.environ), **told) as running:  # type: ignore[call-overload]
        assert any("写入档案" in line for line in running.stderr), "it was writing"
        running.kill()
    assert running.returncode < 0, "it did not come to its end"
    assert counted(database_url) == before
