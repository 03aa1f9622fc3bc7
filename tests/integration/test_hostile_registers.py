"""Clumsy and hostile lists through `hotline hardship import`: taken rightly, or refused as a whole."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from openpyxl import Workbook
from sqlalchemy import Engine, func, select

from callcenter.bootstrap import App
from callcenter.cli import main
from callcenter.db.engine import make_engine
from callcenter.db.tables import metadata
from callcenter.demo.runner import until

HEADING = "档案编号,姓名,联系电话,困难类别,档案状态,建档日期,同意自动回访,同意日期"
GOOD = "WX-{n},周伟,1370000{n:04d},深度困难,在档,2026-01-05,是,2026-01-05"

Import = Callable[[bytes | str, str], Result]


def good(count: int) -> list[str]:
    return [GOOD.format(n=n) for n in range(1, count + 1)]


def listed(*lines: str, heading: str = HEADING) -> str:
    return "\n".join([heading, *lines, ""])


def workbook(*rows: list[object]) -> bytes:
    book, out = Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    for row in ([*HEADING.split(",")], *rows):
        sheet.append(row)
    book.save(out)
    return out.getvalue()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """A site as `hotline init` leaves it, with five workers imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path))
    assert CliRunner().invoke(main, ["init"]).exit_code == 0
    clerk = ["user", "add", "k001", "--name", "李录入", "--role", "clerk", "--as", "admin"]
    assert CliRunner().invoke(main, clerk).exit_code == 0
    monkeypatch.setenv("HOTLINE_ACTOR", "k001")
    first = tmp_path / "first.csv"
    first.write_text(listed(*good(5)), encoding="utf-8")
    assert CliRunner().invoke(main, ["hardship", "import", str(first)]).exit_code == 0
    return App()


@pytest.fixture
def hand_in(site: App, tmp_path: Path) -> Import:
    """Imports a file of this content, as the clerk does."""

    def run(content: bytes | str, name: str = "list.csv") -> Result:
        file = tmp_path / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return CliRunner().invoke(main, ["hardship", "import", str(file)])

    return run


def counts(site: App) -> dict[str, int]:
    """Return how many rows each table of the store has."""
    engine: Engine = make_engine(site.settings.database_url)
    try:
        with engine.connect() as connection:
            return {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in metadata.sorted_tables
            }
    finally:
        engine.dispose()


def zip_bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/workbook.xml", bytes(210 * 1024 * 1024))
    return out.getvalue()


#: What is handed in, and a word the refusal must have.
REFUSED: dict[str, tuple[Callable[[], bytes | str], str, str]] = {
    "a wrong heading": (lambda: listed("1,周伟", heading="甲,乙"), "list.csv", "档案编号"),
    "no heading at all": (lambda: "\n".join(good(3)), "list.csv", "标题"),
    "the same file number twice": (lambda: listed(*good(6), *good(1)), "list.csv", "第8行"),
    "one bad row among fifty": (
        lambda: listed(*good(25), GOOD.format(n=26).replace("深度困难", "不清楚"), *good(50)[26:]),
        "list.csv",
        "第27行",
    ),
    "a formula in a name": (
        lambda: listed(*good(2), GOOD.format(n=3).replace("周伟", "=cmd|' /C calc'!A0")),
        "list.csv",
        "第4行",
    ),
    "a formula in a spreadsheet": (
        lambda: workbook(
            ["WX-9", "=HYPERLINK(1)", "13700000009", "深度困难", "在档", "2026-01-05", "否", ""]
        ),
        "list.xlsx",
        "公式",
    ),
    "nothing": (lambda: b"", "list.csv", "空"),
    "blanks only": (lambda: b" \n\n \n", "list.csv", "空"),
    "a heading and nobody": (lambda: listed(), "list.csv", ""),
    "a huge cell": (lambda: listed(GOOD.format(n=1).replace("周伟", "周" * 200_000)), "list.csv", "长"),
    "an open quote": (lambda: listed('WX-1,"周伟,1370000'), "list.csv", "引号"),
    "bytes that are no text": (lambda: bytes(range(128, 256)) * 20, "list.csv", ""),
    "a nul byte": (lambda: listed(*good(1)) + "\0", "list.csv", "空字符"),
    "an old or locked workbook": (
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512),
        "list.xls",
        "xlsx",
    ),
    "a broken workbook": (lambda: workbook()[:-200], "list.xlsx", "xlsx"),
    "a workbook that unpacks to a disk": (zip_bomb, "list.xlsx", "过大"),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(100), "list.csv", ""),
    "a date of no calendar": (
        lambda: listed(GOOD.format(n=7).replace("2026-01-05,是", "2026-02-30,是")),
        "list.csv",
        "第2行",
    ),
    "a number that is none": (
        lambda: listed(GOOD.format(n=7).replace("13700000007", "12")),
        "list.csv",
        "第2行",
    ),
    "somebody else's number": (
        lambda: listed(GOOD.format(n=7).replace("13700000007", "13700000001").replace("周伟", "吴芳")),
        "list.csv",
        "WX-",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_bad_list_is_refused_and_nothing_is_written(site: App, hand_in: Import, what: str) -> None:
    content, name, word = REFUSED[what]
    before = counts(site)
    refused = hand_in(content(), name)
    assert refused.exit_code == 1, refused.output
    assert "Traceback" not in refused.output
    assert isinstance(refused.exception, SystemExit)
    assert word in refused.output
    assert "周伟" not in refused.output
    assert "13700000" not in refused.output
    assert len(refused.output) < 20_000
    assert counts(site) == before


#: What is handed in and means six workers, five of them known already.
TAKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "UTF-8": (lambda: listed(*good(6)).encode(), "list.csv"),
    "UTF-8 with a mark": (lambda: listed(*good(6)).encode("utf-8-sig"), "list.csv"),
    "GB18030": (lambda: listed(*good(6)).encode("gb18030"), "list.csv"),
    "UTF-16": (lambda: listed(*good(6)).encode("utf-16"), "list.csv"),
    "line ends of Windows": (lambda: listed(*good(6)).replace("\n", "\r\n").encode(), "list.csv"),
    "semicolons": (lambda: listed(*good(6)).replace(",", ";").encode(), "list.csv"),
    "blank lines and blanks": (lambda: listed(*(f"\n  {one}  " for one in good(6))).encode(), "list.csv"),
    "a spreadsheet": (lambda: workbook(*(list(one.split(",")) for one in good(6))), "list.xlsx"),
    "a spreadsheet with the wrong ending": (
        lambda: workbook(*(list(one.split(",")) for one in good(6))),
        "list.csv",
    ),
}


@pytest.mark.parametrize("what", TAKEN)
def test_a_clumsy_list_is_taken_rightly(site: App, hand_in: Import, what: str) -> None:
    content, name = TAKEN[what]
    before = counts(site)
    taken = hand_in(content(), name)
    assert taken.exit_code == 0, taken.output
    assert "新增 1" in taken.output
    after = counts(site)
    for table in ("people", "hardship_files"):
        assert after[table] == before[table] + 1
    again = hand_in(content(), name)
    assert "新增 0" in again.output
    assert counts(site) | {"audit": 0} == after | {"audit": 0}


@pytest.mark.parametrize("moment", ["while it reads", "while it writes"])
def test_an_import_killed_halfway_leaves_all_or_nothing(site: App, tmp_path: Path, moment: str) -> None:
    before = counts(site)
    file = tmp_path / "long.csv"
    file.write_text(listed(*good(2005)), encoding="utf-8")
    wal = tmp_path / "hotline.db-wal"
    command = [sys.executable, "-m", "callcenter.cli", "hardship", "import", str(file)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
        assert running.stderr is not None
        running.stderr.readline()  # the progress after a thousand rows
        if moment == "while it writes":
            until(lambda: running.poll() is not None or (wal.exists() and wal.stat().st_size > 0), 30)
        running.kill()
    after = counts(site)
    added = after["hardship_files"] - before["hardship_files"]
    assert added in ((0,) if moment == "while it reads" else (0, 2000))
    if added == 0:
        assert after == before
    whole = CliRunner().invoke(main, ["hardship", "import", str(file)])
    assert whole.exit_code == 0, whole.output
    assert counts(site)["people"] == before["people"] + 2000
