"""What is in the picture of a flow: boxes, arrows, groups and a legend, before any drawing program.

Kinds of nodes differ in shape and border, so the pictures also work in black and white. The 0 that
leads to a human from everywhere stands in the legend instead of being drawn from everywhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from ivr.errors import DrawError
from ivr.flow import (
    HUMAN,
    Digits,
    Direction,
    End,
    Enqueue,
    Escalate,
    Fact,
    Flow,
    Free,
    Hours,
    Identify,
    Language,
    Library,
    Menu,
    Node,
    Outcome,
    Owner,
    Promise,
    Questionnaire,
    Record,
    Say,
    Transfer,
    Way,
    takes_keys,
)
from ivr.hearing import Texts, wrapped
from ivr.linking import RESERVED

#: More nodes than this nobody can read in one picture, and drawing them takes minutes.
MOST_NODES = 500
#: Columns of a text in a box.
_COLUMNS = 30
#: Lines of one text; a longer one ends in an ellipsis.
_LINES = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """How one kind of node is called and looks."""

    word: str
    #: graphviz's name.
    shape: str
    #: Light, so that it stays light when printed grey.
    fill: str
    border: float = 1.0
    #: The nearest that mermaid has.
    brackets: tuple[str, str] = ("[", "]")


_ASKS, _LOOKS, _PEOPLE, _SOUND, _WRITES = "#cfe3fb", "#efe6fb", "#ffd9a8", "#dff3df", "#f4f4ec"
_LEAN, _HEX, _DOUBLE, _FLAG = ("[/", "/]"), ("{{", "}}"), ("[[", "]]"), (">", "]")
KINDS: Mapping[type[Node], Kind] = {
    Say: Kind(word="say 播放", shape="round", fill="#ffffff", brackets=("(", ")")),
    Menu: Kind(word="menu 选单", shape="box", fill=_ASKS, border=1.6),
    Digits: Kind(word="digits 输号码", shape="component", fill=_ASKS, border=1.6, brackets=_LEAN),
    Identify: Kind(word="identify 核实身份", shape="box3d", fill="#f9cfd6", border=1.6, brackets=_LEAN),
    Questionnaire: Kind(word="questionnaire 问卷", shape="tab", fill=_ASKS, border=1.6),
    Record: Kind(word="record 录音", shape="component", fill=_SOUND, brackets=_LEAN),
    Library: Kind(word="library 微课", shape="folder", fill=_SOUND),
    End: Kind(word="end 结束", shape="double", fill="#dddddd", brackets=("([", "])")),
    Hours: Kind(word="hours 服务时间", shape="hexagon", fill=_LOOKS, brackets=_HEX),
    Fact: Kind(word="fact 事先知道", shape="hexagon", fill=_LOOKS, brackets=_HEX),
    Free: Kind(word="free 有人空闲", shape="hexagon", fill=_LOOKS, brackets=_HEX),
    Enqueue: Kind(word="enqueue 排队等人", shape="house", fill=_PEOPLE, border=2.6, brackets=_DOUBLE),
    Owner: Kind(word="owner 找负责人", shape="house", fill=_PEOPLE, border=2.6, brackets=_DOUBLE),
    Escalate: Kind(word="escalate 呼叫备班", shape="house", fill=_PEOPLE, border=2.6, brackets=_DOUBLE),
    Transfer: Kind(word="transfer 转接", shape="invhouse", fill=_PEOPLE, border=2.6, brackets=_DOUBLE),
    Language: Kind(word="language 换提示音", shape="note", fill=_WRITES, brackets=_FLAG),
    Outcome: Kind(word="outcome 记结果", shape="note", fill=_WRITES, brackets=_FLAG),
    Promise: Kind(word="promise 记承诺", shape="note", fill="#fff2b3", border=1.6, brackets=_FLAG),
}
_PART = Kind(word="flow 分段", shape="dashed", fill="#eeeeee", border=1.6, brackets=_DOUBLE)

#: What stands on an arrow for each way out.
_WORDS: Mapping[str, str] = {
    "next": "",
    "on_silence": "不按",
    "on_wrong": "按错",
    "on_cap": "等满",
    "on_tripwire": "警戒项",
    "answered": "接听后",
    "failed": "没成",
    "passed": "核实",
    "open": "开放",
    "closed": "休息",
    "yes": "是",
    "no": "否",
}
_GOES_ON = "接着"
_DASHED = frozenset({"on_silence", "on_wrong"})
_DOTTED = frozenset({"failed", "on_cap", "closed", "no"})
_DIRECTIONS = {Direction.INBOUND: "来电", Direction.OUTBOUND: "去电", Direction.PART: "分段"}
_OUTSIDE: Mapping[str, str] = {"return": "回到上一级", "human": "转人工"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A node, or a whole part of a flow drawn as one."""

    id: str
    kind: Kind
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrow:
    """All ways from one box to another."""

    source: str
    target: str
    words: str
    #: `solid`, `dashed` or `dotted`.
    line: str
    has_key: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The boxes of a flow or of a part in it, and the parts in that."""

    id: str
    name: str
    boxes: tuple[Box, ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """Everything in a picture."""

    name: str
    title: str
    start: str
    root: Group
    #: Where a part leads out of itself: id and words.
    outside: tuple[tuple[str, str], ...]
    arrows: tuple[Arrow, ...]
    legend: tuple[str, ...]


def picture_of(flow: Flow, texts: Texts, *, folded: bool = False) -> Picture:
    """Return a flow's picture; raise `DrawError` if it is too large to be one.

    Parts are groups of boxes; `folded`: one box each.
    """
    if len(flow.nodes) > MOST_NODES:
        raise DrawError(
            f"{flow.source}: {len(flow.nodes)} nodes are too many for a picture (at most {MOST_NODES}). "
            "Split the flow into several."
        )
    targets = {way.target for name in flow.nodes for way in flow.ways(name)}
    return Picture(
        name=flow.name,
        title=f"{flow.name}（{_DIRECTIONS[flow.direction]}）",
        start=_place(flow.start, folded=folded),
        root=_folded(flow, texts) if folded else _group(flow, texts, ""),
        outside=tuple((name, _OUTSIDE[name]) for name in sorted(targets & RESERVED)),
        arrows=tuple(_arrows(flow, folded=folded)),
        legend=tuple(_legend(flow, folded=folded)),
    )


def _place(name: str, *, folded: bool) -> str:
    """Return the box where a node is found."""
    return name.partition("__")[0] if folded else name


def _group(flow: Flow, texts: Texts, path: str) -> Group:
    """Return the boxes below a path such as `closing__back__`."""
    inside = [name[len(path) :] for name in flow.nodes if name.startswith(path)]
    parts = dict.fromkeys(name.partition("__")[0] for name in inside if "__" in name)
    return Group(
        id=path.removesuffix("__"),
        name=path.removesuffix("__").rpartition("__")[2],
        boxes=tuple(_box(flow, f"{path}{name}", texts) for name in inside if "__" not in name),
        groups=tuple(_group(flow, texts, f"{path}{part}__") for part in parts),
    )


def _folded(flow: Flow, texts: Texts) -> Group:
    names = dict.fromkeys(_place(name, folded=True) for name in flow.nodes)
    boxes = [_box(flow, name, texts) if name in flow.nodes else _part(flow, name) for name in names]
    return Group(id="", name="", boxes=tuple(boxes), groups=())


def _part(flow: Flow, name: str) -> Box:
    """Return a part's box; which flow it is tell the files its nodes come from."""
    own = [node for node in flow.nodes if node.startswith(f"{name}__") and node.count("__") == 1]
    files = dict.fromkeys(
        Path(flow.lines[node].rpartition(":")[0]).stem for node in own if node in flow.lines
    )
    star = "★ " if flow.human.startswith(f"{name}__") else ""
    return Box(id=name, kind=_PART, title=f"{star}{name} · {_PART.word}", lines=tuple(files))


def _box(flow: Flow, name: str, texts: Texts) -> Box:
    node = flow.nodes[name]
    kind = KINDS[type(node)]
    star = "★ " if name == flow.human else ""
    lines = [detail for detail in _details(node) if detail]
    for prompt in _said_by(node):
        lines += _cut(wrapped(texts(prompt) or f"〔{prompt}〕", _COLUMNS))
    title = f"{star}{name.rpartition('__')[2]} · {kind.word}"
    return Box(id=name, kind=kind, title=title, lines=tuple(lines))


def _cut(lines: list[str]) -> list[str]:
    return lines if len(lines) <= _LINES else [*lines[: _LINES - 1], f"{lines[_LINES - 1][:-1]}…"]


def _said_by(node: Node) -> tuple[str, ...]:
    """Return the prompts that are worth the room: not those of a second try."""
    match node:
        case Say() | Menu() | Digits() | Identify() | Record() | End() | Transfer():
            return node.prompts
        case Questionnaire():
            return (*node.items, *node.scale)
        case Library():
            return node.pieces
        case _:
            return ()


def _details(node: Node) -> tuple[str, ...]:
    match node:
        case Hours(hours=what) | Fact(fact=what) | Outcome(outcome=what) | Promise(kind=what):
            return (what,)
        case Free(queue=what) | Language(language=what):
            return (what,)
        case Enqueue():
            return (node.queue, f"优先 {node.priority}" if node.priority else "", _wait("最多等", node.cap))
        case Transfer():
            return (f"{node.destination}（{'先接受' if node.mode.value == 'warm' else '直接转'}）",)
        case Record():
            return (node.kind, _wait("最多录", node.longest))
        case _:
            return (_asking(node),)


def _asking(node: Node) -> str:
    """Return how a node asks for keys."""
    match node:
        case Menu():
            return f"{_wait('等', node.timeout)}，共 {node.tries} 次"
        case Digits():
            kept = f"，记为 {node.keep}" if node.keep else "，不留记录" if node.hold else ""
            return f"{node.least}-{node.most} 位{kept}，共 {node.tries} 次"
        case Identify():
            return f"{node.expect}，{node.length} 位，共 {node.tries} 次"
        case Questionnaire():
            scores = " ".join(f"{key}→{score}" for key, score in node.answers.items())
            return f"计分 {scores}，每题 {node.tries} 次"
        case _:
            return ""


def _wait(words: str, length: timedelta | None) -> str:
    return f"{words} {length.total_seconds():g} 秒" if length is not None else ""


def _arrows(flow: Flow, *, folded: bool) -> Iterator[Arrow]:
    found: dict[tuple[str, str], dict[str, None]] = {}
    for name, node in flow.nodes.items():
        for way in flow.ways(name):
            source, target = (_place(end, folded=folded) for end in (name, way.target))
            if _is_plain_zero(flow, node, way) or (source == target != name):
                continue
            # Out of a folded part it no longer matters by which of its ways.
            by = way.by if source == name else "next"
            found.setdefault((source, target), {})[by] = None
    for (source, target), ways in found.items():
        yield Arrow(
            source=source,
            target=target,
            words=_words(ways),
            line=_line(ways.keys()),
            has_key=any(by.startswith("key ") for by in ways),
        )


def _is_plain_zero(flow: Flow, node: Node, way: Way) -> bool:
    return way.by == f"key {HUMAN}" and way.target == flow.human and takes_keys(node)


def _words(ways: Collection[str]) -> str:
    """Return what stands on an arrow; going on is worth a word only beside others."""
    words = [_word(by) or (_GOES_ON if len(ways) > 1 else "") for by in ways]
    return " · ".join(filter(None, words))


def _word(by: str) -> str:
    kind, _, value = by.partition(" ")
    if kind == "key":
        return f"【{value}】"
    return f"≥{value} 分" if kind == "band" else _WORDS[by]


def _line(ways: Iterable[str]) -> str:
    by = frozenset(ways)
    if by <= _DASHED:
        return "dashed"
    return "dotted" if by <= _DOTTED else "solid"


def _legend(flow: Flow, *, folded: bool) -> Iterator[str]:
    if flow.human:
        human = _place(flow.human, folded=folded).replace("__", " / ")
        yield f"★ 凡是有话音的地方，按 0 都到 {human}（图中不另画）。* 重听，# 结束号码。"
    else:
        yield "凡是有话音的地方，按 0 都转人工（图中不另画）。* 重听，# 结束号码。"
    yield "房形粗边：有人接听。粗边：要按键。六边形：查一下再走。折角：写入话单。双边：说完挂断。"
    yield "实线：按键，或接着走。虚线：不按，或按错。点线：没接通、等满、休息、否。"
    if folded and any("__" in name for name in flow.nodes):
        yield "虚线框：一个分段，另有图。"
