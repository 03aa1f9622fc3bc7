"""A clumsy flow file is refused with file, line and mend."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from ivr.errors import FlowError
from ivr.flow import Digits, Direction, Menu, Say
from ivr.loader import FLOWS, SHIPPED, load_flow, shipped, site_flow

GOOD = """\
flow: mini
direction: inbound
language: zh
start: hello
human: bye
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
    options: {1: bye, 3: bye}
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
    assert ask.options == {"1": "bye", "3": "bye"}
    assert (ask.timeout, ask.tries) == (timedelta(seconds=2.5), 3)
    assert flow.where("ask").endswith(":12")


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("next: ask", "next: nowhere", 8, "`hello` leads by `next` to `nowhere`"),
        ("start: hello", "start: elsewhere", 4, "there is no node `elsewhere`"),
        ("do: say", "do: sing", 8, "unknown `do: sing`"),
        ("    do: say\n", "", 8, "`do` is missing"),
        ("next: ask", "nxet: ask", 10, "unknown key `nxet`"),
        ("    next: ask\n", "", 8, "`next` is missing"),
        ("timeout: 2.5", "timeout: soon", 14, "`soon` is not a number of seconds"),
        ("timeout: 2.5", "timeout: 0", 14, "between 1 and 60"),
        ("timeout: 2.5", "timeout: nan", 14, "is not a number of seconds"),
        ("tries: 3", "tries: 0", 15, "from 1 to 9"),
        ("{1: bye, 3: bye}", "{1: bye, 1: bye}", 16, "stands here twice"),
        ("{1: bye, 3: bye}", "{12: bye}", 16, "`12` is not a key"),
        ("{1: bye, 3: bye}", '{"#": bye}', 16, "`#` is not a key"),
        ("{1: bye, 3: bye}", "{}", 12, "at least one key"),
        ("prompts: [greet]", "prompts: greet", 9, "a list belongs here"),
        ("prompts: [greet]", 'prompts: ["a,b"]', 9, "cannot be a name"),
        ("prompts: [greet]", "prompts: [问候]", 9, "cannot be a name"),
        ("prompts: [greet]", 'prompts: ["${EVIL}"]', 9, "cannot be a name"),
        ("prompts: [greet]", 'prompts: ["x\\ny"]', 9, "cannot be a name"),
        ("flow: mini", "flow: [mini]", 1, "a single value"),
        ("direction: inbound", "direction: sideways", 2, "inbound, outbound or part"),
        ("language: zh", "language: 中文", 3, "is not a language"),
        ("  hello:", "  h:", 7, "cannot be a name"),
        (
            "language: zh",
            "language: zh\nidentity: {node: hello, way: key 1}",
            4,
            "a node and one of its ways",
        ),
        ("language: zh", "language: zh\nidentity: {node: ask, way: on_silence}", 4, "Silence proves nothing"),
        ("human: bye", "human: nobody", 5, "`human` leads to `nobody`"),
        ("human: bye\n", "", 1, "`human` is missing"),
        ("human: bye", "human: bye\nguard: 9", 6, "would deafen the line"),
        ("human: bye", "human: bye\nneutral: perhaps", 6, "neither true nor false"),
        ("human: bye", "human: bye\ntimeouts: {first: 99}", 6, "between 1 and 60"),
        ("  bye:", "  human:", 20, "always leads elsewhere"),
        ("next: ask", "next: ]", 10, "not YAML"),
        ("next: ask", "next: null", 10, "no word to YAML"),
        ("next: ask", "next: true", 10, "no word to YAML"),
        ("next: ask", "next:", 10, "cannot be a name"),
        ("next: ask", "next: ask\n    on_hangup: null", 11, 'put it in quotes: "null"'),
        ("tries: 3", "tries: 1_0", 15, "`1_0` is not a whole number"),
        ("tries: 3", 'tries: "03"', 15, "`03` is not a whole number"),
        ("tries: 3", "tries: 2.5", 15, "`2.5` is not a whole number"),
        ("tries: 3", "tries: .inf", 15, "`.inf` is not a whole number"),
        ("tries: 3", "tries: 3\n    records: 'true'", 16, "without quotes"),
        ("timeout: 2.5", "timeout: 1_0", 14, "`1_0` is not a number of seconds"),
    ],
)
def test_a_mistake_names_its_line(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    file = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(FlowError) as caught:
        load_flow(file)
    assert f"{file}:{line}: " in str(caught.value)
    assert words in str(caught.value)


def test_a_null_in_quotes_and_a_number_in_quotes_are_what_they_say(tmp_path: Path) -> None:
    text = GOOD.replace("next: ask", 'next: ask\n    on_hangup: "null"').replace("tries: 3", "tries: '3'")
    flow = load_flow(write(tmp_path, text))
    assert flow.nodes["hello"] == Say(prompts=("greet",), next="ask", on_hangup="null")
    assert (
        flow.nodes["ask"] == load_flow(write(tmp_path, GOOD.replace("tries: 3", "tries: 3.0"))).nodes["ask"]
    )


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
    with pytest.raises(FlowError, match="There are: inbound, return_call"):
        shipped("../../etc/passwd")


def with_node(text: str) -> str:
    """Return the good flow with one more node, at line 22."""
    body = "".join(f"    {line}\n" for line in text.strip().splitlines())
    return f"{GOOD}  more:\n{body}"


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (
            "do: digits\nprompts: [number]\nleast: 3\nmost: 2\nnext: bye\non_silence: bye\non_wrong: bye",
            "1 <= least <=",
        ),
        (
            "do: identify\nprompts: [code]\nexpect: birth_month\nlength: 1\n"
            "passed: bye\nfailed: bye\non_silence: bye",
            "guessed too",
        ),
        (
            "do: enqueue\nqueue: hotline\noptions: {0: bye}\nanswered: bye\nfailed: bye\non_cap: bye",
            "Take 0 out",
        ),
        ("do: library\npieces: []\nnext: bye", "at least one piece"),
        ("do: library\npieces: [greet]\noptions: {2: bye}\nnext: bye", "a library's own keys"),
        ("do: transfer\ndestination: '12356'\nmode: tepid\nfailed: bye", "warm or blind"),
        ("do: record\nprompts: [greet]\nkind: message\nlongest: 9999\nnext: bye", "use 1 to 600 seconds"),
        ("do: language\nlanguage: ZH\nnext: bye", "is not a language"),
    ],
)
def test_a_node_that_cannot_work_says_the_mend(tmp_path: Path, node: str, words: str) -> None:
    file = write(tmp_path, with_node(node))
    with pytest.raises(FlowError) as caught:
        load_flow(file)
    assert f"{file}:" in str(caught.value)
    assert words in str(caught.value)


FORM = """\
do: questionnaire
items: [phq9_1, phq9_9]
scale: [phq9_scale]
answers: {1: 0, 2: 1}
tripwires: {phq9_9: 1}
on_tripwire: bye
bands: {0: bye, 2: hello}
on_silence: bye
on_wrong: bye
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("items: [phq9_1, phq9_9]", "items: []", "needs `items` and `answers`"),
        ("answers: {1: 0, 2: 1}", "answers: {0: 0, 1: 1}", "0 leads to a human"),
        ("answers: {1: 0, 2: 1}", "answers: {1: 0, 2: 1}\noptions: {2: bye}", "both an answer and an option"),
        ("bands: {0: bye, 2: hello}", "bands: {2: hello}", "add `0: ...`"),
        ("tripwires: {phq9_9: 1}", "tripwires: {phq9_8: 1}", "tripwire `phq9_8` is no item"),
        ("tripwires: {phq9_9: 1}", "tripwires: {phq9_9: 2}", "can never be tripped"),
        ("bands: {0: bye, 2: hello}", "bands: {0: bye, 3: hello}", "no sum reaches band 3"),
        ("on_tripwire: bye\n", "", "belong together"),
    ],
)
def test_a_form_that_cannot_work_says_the_mend(tmp_path: Path, old: str, new: str, words: str) -> None:
    load_flow(write(tmp_path, with_node(FORM)))
    file = write(tmp_path, with_node(FORM.replace(old, new, 1)))
    with pytest.raises(FlowError, match=r"流程\.yaml:22: ") as caught:
        load_flow(file)
    assert words in str(caught.value)


def test_what_a_flow_says_once_holds_for_its_nodes_unless_they_say_otherwise(tmp_path: Path) -> None:
    text = with_node(
        "do: digits\nprompts: [number]\nleast: 2\nmost: 4\nnext: bye\non_silence: bye\non_wrong: bye"
    )
    text = text.replace("human: bye", "human: bye\ntimeouts: {first: 15, between: 7}\ntries: 4", 1)
    flow = load_flow(write(tmp_path, text))
    more, ask = flow.nodes["more"], flow.nodes["ask"]
    assert isinstance(more, Digits)
    assert isinstance(ask, Menu)
    assert (more.timeout, more.between, more.tries) == (timedelta(seconds=15), timedelta(seconds=7), 4)
    assert (ask.timeout, ask.tries) == (timedelta(seconds=2.5), 3)


PART = """\
flow: chat
direction: part
language: zh
start: talk
nodes:
  talk:
    do: menu
    prompts: [greet]
    options: {1: return, 2: human}
    on_silence: return
    on_wrong: human
"""
HOST = (
    GOOD.replace("next: ask", "next: middle", 1) + "  middle:\n    do: flow\n    flow: chat\n    next: ask\n"
)


def test_a_part_goes_in_and_comes_out_where_its_host_says(tmp_path: Path) -> None:
    (tmp_path / "chat.yaml").write_text(PART, encoding="utf-8")
    flow = load_flow(write(tmp_path, HOST))
    assert flow.nodes["hello"] == Say(prompts=("greet",), next="middle__talk")
    talk = flow.nodes["middle__talk"]
    assert isinstance(talk, Menu)
    assert talk.options == {"1": "ask", "2": "bye"}  # `human` is the host's
    assert (talk.on_silence, talk.on_wrong) == ("ask", "bye")
    assert flow.where("middle__talk").endswith("chat.yaml:7")


@pytest.mark.parametrize(
    ("part", "host", "words"),
    [
        (
            PART.replace("direction: part", "direction: inbound\nhuman: talk"),
            HOST,
            "to `return`, which does not exist",
        ),
        (PART.replace("{1: return, 2: human}", "{1: lost}"), HOST, "`lost`, which does not exist"),
        (PART, HOST.replace("flow: chat", "flow: gone"), "Write gone.yaml beside it"),
        (PART, HOST.replace("middle", "m" * 38), "too long for a name"),
        (
            PART + "  again:\n    do: flow\n    flow: chat\n    next: talk\n",
            HOST,
            "`chat` contains itself",
        ),
    ],
)
def test_a_part_that_does_not_fit_names_its_place(tmp_path: Path, part: str, host: str, words: str) -> None:
    (tmp_path / "chat.yaml").write_text(part, encoding="utf-8")
    with pytest.raises(FlowError, match=r"\.yaml:\d+: ") as caught:
        load_flow(write(tmp_path, host))
    assert words in str(caught.value)


def test_a_sites_own_part_goes_into_our_flow(tmp_path: Path) -> None:
    own = (FLOWS / "satisfaction.yaml").read_text(encoding="utf-8").replace("timeout: 5", "timeout: 9")
    (tmp_path / "satisfaction.yaml").write_text(own, encoding="utf-8")
    ours, theirs = shipped("inbound"), site_flow("inbound", tmp_path)
    assert ours.nodes["satisfaction__rate"] != theirs.nodes["satisfaction__rate"]
    assert {**ours.nodes, "satisfaction__rate": theirs.nodes["satisfaction__rate"]} == dict(theirs.nodes)
    assert theirs.where("satisfaction__rate").startswith(str(tmp_path))


def test_a_sites_own_flow_takes_the_place_of_ours(tmp_path: Path) -> None:
    own = (FLOWS / "talks.yaml").read_text(encoding="utf-8").replace("talks_greet", "greet")
    (tmp_path / "talks.yaml").write_text(own, encoding="utf-8")
    assert site_flow("talks", tmp_path).nodes["greet"] == Say(prompts=("greet",), next="requests__which")
    assert site_flow("silent", tmp_path) == shipped("silent")
