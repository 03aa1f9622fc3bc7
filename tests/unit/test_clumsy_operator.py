"""What an operator does by mistake: a clean line and exit code 1, never a traceback, nothing harmed."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from callcenter.asterisk.ami_session import Unanswered
from callcenter.asterisk.tree import find_asterisk
from callcenter.bootstrap import App
from callcenter.cli import main
from callcenter.cli.common import show_rows
from callcenter.config import Settings, load_settings
from callcenter.demo.stage import Stage
from callcenter.errors import ConfigError, InDoubt, PbxUnreachable
from callcenter.service.hardship.tables import ImportRefused, read_rows


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which the operator types."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOTLINE_ACTOR", "admin")
    monkeypatch.delenv("HOTLINE_CONFIG", raising=False)
    return tmp_path


@pytest.fixture
def signals() -> Iterator[None]:
    """`hotline demo` takes SIGTERM for itself."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def typed(*words: str) -> Result:
    result = CliRunner().invoke(main, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def refused(*words: str) -> str:
    result = typed(*words)
    assert result.exit_code == 1, result.output
    return result.output


def test_init_after_the_key_was_lost_makes_no_second_key(line: Path) -> None:
    assert typed("init").exit_code == 0
    key = line / "var/hotline/hotline.key"
    key.rename(line / "kept")
    assert "hotline keys recover" in refused("init")
    assert not key.exists()
    (line / "kept").rename(key)
    assert "admin" in typed("user", "list").output


def test_a_database_from_a_newer_program_is_left_alone(line: Path) -> None:
    typed("init")
    with sqlite3.connect(line / "var/hotline/hotline.db") as database:
        database.execute("update alembic_version set version_num = '9999'")
    database.close()
    assert "不认识" in refused("init")


def test_a_file_that_is_no_database_is_named_so(line: Path) -> None:
    typed("init")
    (line / "var/hotline/hotline.db").write_text("not a database at all")
    assert "NOTADB" in refused("init")


@pytest.mark.parametrize("home", ["taken", "taken/below"])
def test_a_home_that_cannot_be_a_folder(line: Path, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    (line / "taken").touch()
    monkeypatch.setenv("HOTLINE_HOME", home)
    assert "taken" in refused("init")
    assert "taken" in refused("user", "list")


def test_a_key_file_that_is_a_folder(line: Path) -> None:
    (line / "var/hotline/hotline.key").mkdir(parents=True)
    assert "hotline.key" in refused("user", "list")


def test_a_time_zone_nobody_knows(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLINE_SITE__TIMEZONE", "Mars/Base")
    assert "site.timezone" in refused("user", "list")


@pytest.mark.parametrize("year", ["0001-01-01", "1970-01-01", "9999-12-31"])
def test_days_beyond_any_line(line: Path, year: str) -> None:
    typed("init")
    assert "年份" in refused("duty", "show", "--day", year)
    assert "年份" in refused("calls", "list", "--day", year)
    assert "年份" in refused("duty", "add", "c001", f"{year} 10:00", "--length", "20h")


def test_a_list_that_is_a_device_is_not_read() -> None:
    with pytest.raises(ImportRefused, match="不是普通文件"):
        read_rows(Path("/dev/zero"))


def test_a_second_rehearsal_leaves_the_first_one_alone(tmp_path: Path, signals: None) -> None:
    folder = tmp_path / "rehearsal"
    folder.mkdir()
    (folder / "of the first").touch()
    first = Stage(folder, datetime.now(UTC))
    first.claim()
    assert "排练在进行" in refused("demo", "--check", "--folder", str(folder))
    assert (folder / "of the first").exists()
    first.release()


def test_ids_stay_whole_at_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    from click import Command, Context

    rows: list[dict[str, object]] = [
        {"id": "pbx1-1795464524.1234", "reason": "没有同意接听自动回访，由工作人员联系" * 3}
    ]
    with Context(Command("x"), obj=App(settings=Settings())):
        show_rows(rows, [("id", "编号"), ("reason", "现状"), ("reason", "现状"), ("reason", "现状")])
    assert "pbx1-1795464524.1234" in capsys.readouterr().out


def test_what_is_copied_stays_whole_even_where_eighty_columns_do_not_hold_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from click import Command, Context

    codes = {key: f"{key}-{'7' * 30}" for key in ("id", "call", "object")}
    with Context(Command("x"), obj=App(settings=Settings())):
        show_rows(
            [{**codes, "reason": "没有同意接听自动回访"}], [(key, "编号") for key in [*codes, "reason"]]
        )
    out = capsys.readouterr().out
    assert all(code in out for code in codes.values())


def test_codes_are_folded_only_where_there_is_no_room(capsys: pytest.CaptureFixture[str]) -> None:
    from click import Command, Context

    row = {"id": "ob-qtbgpa7kzmoc", "verb": "obligation.open", "reason": "由工作人员联系" * 4}
    columns = [("id", "编号"), ("verb", "操作"), *[("reason", "原因")] * 3]
    with Context(Command("x"), obj=App(settings=Settings())):
        show_rows([row], columns)
        out = capsys.readouterr().out
        assert "obligation.open" in out
        show_rows([row], [*columns, *[("verb", "操作")] * 2])
    out = capsys.readouterr().out
    assert "ob-qtbgpa7kzmoc" in out
    assert max(cell_len(line.rstrip()) for line in out.splitlines()) <= 80


def test_a_variable_that_names_no_section_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLINE_OUTBUND__PAUSED", "true")
    with pytest.raises(ConfigError, match="HOTLINE_OUTBUND__PAUSED"):
        load_settings()


@pytest.mark.parametrize("variable", ["HOTLINE_QUEUE__RING", "HOTLINE_ALARMS__WATCHDOG"])
def test_a_span_that_asterisk_would_take_for_no_limit_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "PT0S")
    with pytest.raises(ConfigError, match="不能小于"):
        load_settings()


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (PbxUnreachable("Getvar: not connected to the telephone system"), "电话系统没有应答"),
        (PbxUnreachable(), "hotline doctor"),
        (Unanswered("Originate: no answer"), "不知道做成了没有"),
        (InDoubt(), "不要马上再做一次"),
        (PbxUnreachable("没有放进去,请检查磁盘"), "没有放进去"),
    ],
)
def test_what_the_telephone_system_says_of_itself_is_told_in_chinese(
    line: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception, said: str
) -> None:
    def ask() -> None:
        raise trouble

    monkeypatch.setattr("callcenter.cli.login.whoami", click.Command("whoami", callback=ask))
    told = refused("whoami").replace("\n", "").replace(" ", "").replace("│", "")
    assert said.replace(" ", "") in told
    assert "Getvar" not in told
    assert "telephone" not in told


def test_a_machine_without_asterisk_is_told_so_in_chinese(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOTLINE_ASTERISK_TREE", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("callcenter.asterisk.tree._installed", lambda: None)
    with pytest.raises(ConfigError, match="这台机器上没有 Asterisk 20 或更新的版本。请运行"):
        find_asterisk(start=tmp_path)
