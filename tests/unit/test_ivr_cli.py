"""`hotline ivr`: what a person at the terminal sees."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from callcenter.cli import main
from ivr.loader import shipped
from ivr.prompts.catalogue import checksum_of
from ivr.prompts.wording import site_texts

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
    file.write_text(text.replace("on_silence: at_risk", "on_silence: reconnect"), encoding="utf-8")
    done = hotline("ivr", "check", str(file))
    assert done.exit_code == 1
    assert f"{file}:" in done.output
    assert "round for ever" in done.output


def test_a_broken_file_is_one_clean_line(tmp_path: Path) -> None:
    file = tmp_path / "半个.yaml"
    file.write_text("flow: x", encoding="utf-8")
    done = hotline("ivr", "check", str(file))
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    assert f"{file}:1: " in done.output


def test_a_site_checks_its_own_flow_and_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    text = Path(shipped("talks").source).read_text(encoding="utf-8")
    (tmp_path / "flows" / "talks.yaml").write_text(text.replace("talks_greet", "our_greet"), encoding="utf-8")
    done = hotline("ivr", "check", home=tmp_path)
    assert done.exit_code == 1
    assert "talks.yaml:11: says `our_greet`, which is not in the catalogue" in done.output
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "zh.yaml").write_text(OWN_TEXT, encoding="utf-8")
    done = hotline("ivr", "check", home=tmp_path)
    assert done.exit_code == 0, done.output
    assert "还没有提示音" in done.output


OWN_TEXT = f"""\
language: zh
prompts:
  our_greet:
    text: 您好，这里是登记专线。
    version: 1
    checksum: {checksum_of("您好，这里是登记专线。")}
    approver: 王敏
"""


def test_a_site_approves_wording_by_name_and_it_is_on_record(tmp_path: Path) -> None:
    assert hotline("init", home=tmp_path).exit_code == 0
    added = hotline(
        "user", "add", "s001", "--name", "王敏", "--role", "supervisor", "--as", "admin", home=tmp_path
    )
    assert added.exit_code == 0, added.output
    done = hotline("ivr", "prompts", "approve", "goodbye", "greet", "--as", "s001", home=tmp_path)
    assert done.exit_code == 0, done.output
    assert "审定:王敏" in done.output
    rows = json.loads(hotline("ivr", "prompts", "list", "--json", home=tmp_path).output)
    assert {row["id"] for row in rows if row["approved"]} == {"goodbye", "greet"}
    new = "谢谢您，再见。"
    done = hotline("ivr", "prompts", "approve", "goodbye", "--text", new, "--as", "s001", home=tmp_path)
    assert "第 2 版" in done.output
    assert site_texts("zh", tmp_path / "texts").text("goodbye") == new
    audit = hotline("audit", "list", "--json", "--as", "s001", home=tmp_path).output
    assert audit.count("prompt.approve") == 3


def test_nobody_approves_without_a_name_or_what_is_not_there(tmp_path: Path) -> None:
    hotline("init", home=tmp_path)
    hotline("user", "add", "s001", "--name", "王敏", "--role", "supervisor", "--as", "admin", home=tmp_path)
    done = hotline("ivr", "prompts", "approve", "goodby", "--as", "s001", home=tmp_path)
    assert done.exit_code == 1
    assert "no prompt `goodby`" in done.output
    for nobody in ("nobody", "admin"):
        refused = hotline("ivr", "prompts", "approve", "goodbye", "--as", nobody, home=tmp_path)
        assert refused.exit_code != 0
    assert not (tmp_path / "texts").exists()
