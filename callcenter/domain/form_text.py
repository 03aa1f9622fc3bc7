"""A form as plain text for an editor, and back: `parse(form, render(form, answers)).answers == answers`.

A line that begins with `#` says nothing. `标签:answer` at the beginning of a line is an answer; what
follows it, indented or not, belongs to it. Text lines are indented by two blanks, so that no sentence
can be taken for a label.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from callcenter.domain.columns import folded, width
from callcenter.domain.form_values import is_nothing, read_value, said_value
from callcenter.domain.forms import NO, YES, Answers, Field, FieldKind, Form, told
from callcenter.domain.session_words import NOT_RATED

#: Begins a comment that names what is wrong; taken out when the text is looked at again.
MARK = "#! "
#: Begins a line of what somebody else saved at the same time.
OTHERS = "#| "
_LABELLED = re.compile(r"([^\s:\uff1a]{1,16})[ \t]*[:\uff1a](.*)")
_DASH = re.compile(r"[ \t]*-(?:[ \t]+|(?=[^\s]))(.*)|[ \t]*-[ \t]*")
_TEXTS = (FieldKind.TEXT, FieldKind.LONG)
#: Widest line of remarks, in columns.
_WIDE = 78


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What is wrong at a line (1-based), and the mend."""

    line: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """What a text says."""

    answers: dict[str, Any] = field(repr=False)
    problems: tuple[Problem, ...] = ()
    #: Field id -> the line of its label.
    lines: dict[str, int] = field(default_factory=dict)


# --- to text -------------------------------------------------------------------------------


def render(
    form: Form,
    answers: Answers,
    *,
    head: Sequence[str] = (),
    hidden: Iterable[str] = (),
    notes: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return the text in which these answers stand.

    `head`: remarks above it; `hidden`: ids left out; `notes`: field id -> what the site itself adds.
    """
    away = frozenset(hidden)
    lines = [line for remark in head for line in _remark(remark)]
    for section in form.sections:
        lines += ["", f"# ==== {section.label} ===="]
        for one in section.fields:
            if one.id not in away:
                more = _remark(notes[one.id], "  ") if one.id in notes else ()
                lines += ["", *_comments(form, one), *more, *_answer(one, answers.get(one.id))]
    return "\n".join(lines).strip("\n") + "\n"


def _comments(form: Form, one: Field) -> Iterator[str]:
    marks = [
        "必填" if one.required else "",
        f"{told(form, one.required_when)}时必填" if one.required_when else "",
        f"只在{told(form, one.when)}时填写" if one.when else "",
        _KINDS.get(one.kind, ""),
    ]
    said = ";".join(mark for mark in marks if mark)
    if said or one.hint:
        yield from _remark(f"{one.label}{f'({said})' if said else ''}{f':{one.hint}' if one.hint else ''}")
    yield from _choice_lines(one, "#   ")
    for part in one.fields:
        yield from _choice_lines(part, f"#   {part.label}  ")
        if part.kind not in _CHOSEN:
            words = _KINDS.get(part.kind, "")
            said = f"{part.label}{f'({words})' if words else ''}{f'  {part.hint}' if part.hint else ''}"
            yield from _remark(said, "  ")


def _remark(text: str, lead: str = "") -> Iterator[str]:
    """Yield a remark in lines that a terminal of 80 columns shows whole; what goes on is set in."""
    for n, line in enumerate(folded(text, _WIDE - 4 - len(lead))):
        yield f"# {lead}{'  ' if n else ''}{line}".rstrip()


_CHOSEN = (FieldKind.CHOICE, FieldKind.CHOICES)
_KINDS = {
    FieldKind.CHOICES: "可填几个",
    FieldKind.SCALE: f"0 至 100,或 {NOT_RATED}",
    FieldKind.NUMBER: "数字",
    FieldKind.YESNO: f"{YES} 或 {NO}",
    FieldKind.DAY: "日期,如 2026-11-23",
    FieldKind.ITEMS: "题号=答案,如 1=2 2=好几天;也可写 phq9_1=2",
    FieldKind.RECORDS: "可写几条,每条以 - 开头",
    FieldKind.LONG: "可写多行,每行前面空两格",
}


def _choice_lines(one: Field, lead: str) -> Iterator[str]:
    line = lead
    for n, word in enumerate(one.choices, start=one.first):
        more = f"{n} {word}  "
        if line != lead and width(line + more) > _WIDE:
            yield line.rstrip()
            line = "#" + " " * (width(lead) - 1)
        line += more
    if one.choices:
        yield line.rstrip()


def _answer(one: Field, value: Any) -> list[str]:
    if one.kind is FieldKind.RECORDS:
        return [f"{one.label}:", *(line for group in value or [{}] for line in _group(one, group))]
    if is_nothing(value):
        return [f"{one.label}:"]
    if one.kind is FieldKind.LONG:
        return [f"{one.label}:", *(f"  {line}" if line else "" for line in str(value).split("\n"))]
    return [f"{one.label}:{said_value(one, value)}"]


def _group(one: Field, group: Answers) -> Iterator[str]:
    for n, part in enumerate(one.fields):
        given = "" if is_nothing(group.get(part.id)) else said_value(part, group[part.id])
        yield f"{'    ' if n else '  - '}{part.label}:{given}"


# --- from text -----------------------------------------------------------------------------


@dataclass(kw_only=True, slots=True)
class _Piece:
    """What stands under one label: its own line's answer and the lines that follow."""

    of: Field
    line: int
    lines: list[tuple[int, str]]


def parse(form: Form, text: str) -> Parsed:
    """Return what a text says. It never raises: what cannot be read is a problem with its line."""
    problems: list[Problem] = []
    answers: dict[str, Any] = {}
    places: dict[str, int] = {}
    for piece in _pieces(form, text, problems):
        value = _read(piece, problems)
        if is_nothing(value):
            places.setdefault(piece.of.id, piece.line)
            continue
        if piece.of.id in answers:
            before = places[piece.of.id]
            problems.append(
                _problem(piece.line, f"「{piece.of.label}」在第 {before} 行已经填过,请只留一处。")
            )
            continue
        answers[piece.of.id], places[piece.of.id] = value, piece.line
    ordered = {name: answers[name] for name in form.fields if name in answers}
    return Parsed(answers=ordered, problems=tuple(sorted(problems, key=lambda p: p.line)), lines=places)


def _pieces(form: Form, text: str, problems: list[Problem]) -> list[_Piece]:
    labels = {one.label: one for one in form.fields.values()}
    pieces: list[_Piece] = []
    for number, line in enumerate(_lines(text), start=1):
        if line.startswith("#"):
            continue
        found = _LABELLED.match(line)
        if found and found[1] in labels:
            pieces.append(_Piece(of=labels[found[1]], line=number, lines=[(number, found[2])]))
        elif not pieces:
            if line.strip():
                problems.append(_problem(number, "这一行前面没有项目名,不知道填的是什么。"))
        elif found and not _is_part(found[1], pieces[-1].of):
            said = f"没有「{found[1]}」这一项。若是正文,请在行首空两格。"
            problems.append(_problem(number, said))
        else:
            pieces[-1].lines.append((number, line))
    return pieces


def _is_part(label: str, of: Field) -> bool:
    return label in {part.label for part in of.fields}


def _lines(text: str) -> list[str]:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _read(piece: _Piece, problems: list[Problem]) -> Any:
    if piece.of.kind is FieldKind.RECORDS:
        return _read_groups(piece, problems)
    if piece.of.kind is FieldKind.LONG:
        return _read_one(piece.of, "\n".join(_outdented(piece)), piece.line, problems)
    rest = [(number, line) for number, line in piece.lines[1:] if line.strip()]
    if piece.of.kind not in _TEXTS and piece.lines[0][1].strip() and rest:
        problems.append(_problem(rest[0][0], f"「{piece.of.label}」只填一行,这一行不知道属于哪一项。"))
        rest = []
    return _read_one(piece.of, "\n".join(line for _, line in [piece.lines[0], *rest]), piece.line, problems)


def _outdented(piece: _Piece) -> Iterator[str]:
    (_, first), *rest = piece.lines
    yield first.strip()
    for _, line in rest:
        yield line[2:] if line.startswith("  ") else line.removeprefix(" ").removeprefix("\t")


def _read_one(of: Field, raw: str, line: int, problems: list[Problem]) -> Any:
    try:
        return read_value(of, raw)
    except ValueError as error:
        problems.append(_problem(line, f"「{of.label}」{error}"))
        return None


def _read_groups(piece: _Piece, problems: list[Problem]) -> Any:
    parts = {part.label: part for part in piece.of.fields}
    groups: list[dict[str, Any]] = []
    last: Field | None = None
    for number, line in piece.lines[1:] if not piece.lines[0][1].strip() else piece.lines:
        dash = _DASH.fullmatch(line)
        if dash:
            groups.append({})
            last, line = None, dash[1] or ""
        if not line.strip():
            continue
        found = _LABELLED.match(line.strip())
        if found and found[1] in parts and groups:
            last = parts[found[1]]
            _put(groups[-1], last, found[2], number, problems)
        elif last and last.kind is FieldKind.TEXT and last.id in groups[-1]:
            groups[-1][last.id] += " " + line.strip()
        else:
            said = f"「{piece.of.label}」每条以 - 开头,写明:{'、'.join(parts)}。"
            problems.append(_problem(number, said))
    return _read_whole(piece, [group for group in groups if group], problems)


def _put(group: dict[str, Any], part: Field, raw: str, line: int, problems: list[Problem]) -> None:
    if part.id in group:
        problems.append(_problem(line, f"这一条的「{part.label}」写了两次,请只留一处;另起一条请以 - 开头。"))
        return
    value = _read_one(part, raw, line, problems)
    if not is_nothing(value):
        group[part.id] = value


def _read_whole(piece: _Piece, groups: list[dict[str, Any]], problems: list[Problem]) -> Any:
    try:
        return read_value(piece.of, groups)
    except ValueError as error:
        problems.append(_problem(piece.line, f"「{piece.of.label}」{error}"))
        return None


def _problem(line: int, text: str) -> Problem:
    return Problem(line=line, text=text)


# --- problems in the text ------------------------------------------------------------------


def unmarked(text: str) -> str:
    """Return the text without the remarks that `marked` put in."""
    return "\n".join(line for line in _lines(text) if not line.startswith(MARK))


def marked(text: str, problems: Sequence[Problem]) -> str:
    """Return the text with each problem as a remark above its line, named by where the line now stands.

    The problems' lines count in `unmarked(text)`.
    """
    lines = _lines(unmarked(text))
    told_at: dict[int, list[str]] = {}
    for problem in problems:
        said = " ".join(_lines(problem.text))
        told_at.setdefault(min(max(problem.line, 1), len(lines)), []).append(said)
    out: list[str] = []
    for number, line in enumerate(lines, start=1):
        here = told_at.get(number, [])
        out += _marks(here, len(out))
        out.append(line)
    return "\n".join(out)


def _marks(here: Sequence[str], above: int) -> list[str]:
    """Return the remarks above a line, folded: how many lines they take is part of what they say."""
    taken = len(here)
    while True:
        said = [line for one in here for line in folded(f"第 {above + taken + 1} 行:{one}", _WIDE - 4)]
        if len(said) <= taken:
            return [f"{MARK}{line}" for line in said]
        taken = len(said)


def beside(text: str, other: str) -> str:
    """Return a text with another one below it as remarks: both are kept, the first one counts."""
    told = [
        "# ---- 下面是同一时间在别处保存的文字,不会提交 ----",
        *(f"{OTHERS}{line}" for line in _lines(other)),
    ]
    return "\n".join([text.rstrip("\n"), "", *told, ""])
