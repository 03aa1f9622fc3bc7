"""`hotline ivr`: what a person at the terminal sees."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from callcenter.cli import main
from ivr.loader import shipped

RUNNER = CliRunner()


def hotline(*words: str, home: Path | None = None) -> Result:
    return RUNNER.invoke(main, list(words), env={"HOTLINE_HOME": str(home)} if home else {})


def test_the_shipped_flows_pass() -> None:
    done = hotline("ivr", "check")
    assert done.exit_code == 0, done.output
    assert "检查通过:inbound(" in done.output


def test_an_unsafe_flow_is_told_by_line_and_fails(tmp_path: Path) -> None:
    text = Path(shipped("inbound").source).read_text(encoding="utf-8")
    file = tmp_path / "坏流程.yaml"
    file.write_text(text.replace("on_silence: closed_goodbye", "on_silence: queue"), encoding="utf-8")
    done = hotline("ivr", "check", str(file))
    assert done.exit_code == 1
    assert f"{file}:" in done.output
    assert "有 1 处不安全" in done.output


def test_a_broken_file_is_one_clean_line(tmp_path: Path) -> None:
    file = tmp_path / "半个.yaml"
    file.write_text("flow: x", encoding="utf-8")
    done = hotline("ivr", "check", str(file))
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    assert f"{file}:1: " in done.output
