"""A clumsy flow file is refused with file, line and mend."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from ivr.errors import FlowError
from ivr.flow import Direction, Menu, Say
from ivr.loader import SHIPPED, load_flow, shipped

GOOD = """\
flow: mini
direction: inbound
language: zh
start: hello
nodes:
  hello:
    do: say
    prompts: [greet]
    next: ask
  ask:
    do: menu
    prompts: [closed, closed_keys]
    timeout: 2.5
    tries: 3
    options: {1: bye, 0: bye}
    on_silence: bye
    on_wrong: bye
  bye:
    do: end
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "流程.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_flow_is_read_as_written(tmp_path: Path) -> None:
    flow = load_flow(write(tmp_path, GOOD))
    assert (flow.name, flow.direction, flow.start) == ("mini", Direction.INBOUND, "hello")
    assert flow.nodes["hello"] == Say(prompts=("greet",), next="ask")
    ask = flow.nodes["ask"]
    assert isinstance(ask, Menu)
    assert ask.options == {"1": "bye", "0": "bye"}
    assert (ask.timeout, ask.tries, ask.repeat) == (timedelta(seconds=2.5), 3, "*")
    assert flow.where("ask").endswith(":11")


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("next: ask", "next: nowhere", 7, "`hello` leads by `next` to `nowhere`"),
        ("start: hello", "start: elsewhere", 4, "there is no node `elsewhere`"),
        ("do: say", "do: sing", 7, "unknown `do: sing`"),
        ("    do: say\n", "", 7, "`do` is missing"),
        ("next: ask", "nxet: ask", 9, "unknown key `nxet`"),
        ("    next: ask\n", "", 7, "`next` is missing"),
        ("timeout: 2.5", "timeout: soon", 13, "`soon` is not a number of seconds"),
        ("timeout: 2.5", "timeout: 0", 13, "between 1 and 60"),
        ("timeout: 2.5", "timeout: nan", 13, "between 1 and 60"),
        ("tries: 3", "tries: 0", 14, "from 1 to 9"),
        ("{1: bye, 0: bye}", "{1: bye, 1: bye}", 15, "stands here twice"),
        ("{1: bye, 0: bye}", "{12: bye}", 15, "`12` is not a key"),
        ("{1: bye, 0: bye}", '{"#": bye}', 15, "`#` is not a key"),
        ("{1: bye, 0: bye}", "{}", 15, "at least one key"),
        ("prompts: [greet]", "prompts: greet", 8, "a list belongs here"),
        ("prompts: [greet]", 'prompts: ["a,b"]', 8, "cannot be a name"),
        ("prompts: [greet]", "prompts: [问候]", 8, "cannot be a name"),
        ("prompts: [greet]", 'prompts: ["${EVIL}"]', 8, "cannot be a name"),
        ("prompts: [greet]", 'prompts: ["x\\ny"]', 8, "cannot be a name"),
        ("flow: mini", "flow: [mini]", 1, "a single value"),
        ("direction: inbound", "direction: sideways", 2, "inbound or outbound"),
        ("language: zh", "language: 中文", 3, "is not a language"),
        ("  hello:", "  h:", 6, "cannot be a name"),
        ("language: zh", "language: zh\nidentity: {menu: hello, key: 1}", 4, "a menu and one of its keys"),
        ("next: ask", "next: ]", 9, "not YAML"),
    ],
)
def test_a_mistake_names_its_line(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    file = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(FlowError) as caught:
        load_flow(file)
    assert f"{file}:{line}: " in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a list\n", "just words\n"])
def test_a_file_that_is_no_flow_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(FlowError, match=r"流程\.yaml:1: "):
        load_flow(write(tmp_path, text))


def test_a_missing_file_and_a_foreign_encoding_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match="no such file"):
        load_flow(tmp_path / "missing.yaml")
    file = tmp_path / "gb.yaml"
    file.write_bytes("flow: 你好".encode("gb18030"))
    with pytest.raises(FlowError, match="not UTF-8"):
        load_flow(file)


def test_only_shipped_flows_go_by_name() -> None:
    assert {shipped(name).name for name in SHIPPED} == set(SHIPPED)
    with pytest.raises(FlowError, match="There are: inbound, checkin"):
        shipped("../../etc/passwd")
