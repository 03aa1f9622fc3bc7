"""Answers that come from a file, a pipe, JSON or single fields, and not from an editor."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from callcenter.cli.common import local
from callcenter.cli.session_editor import decoded
from callcenter.cli.session_typing import Keeper, Submit, say_problems
from callcenter.domain.form_text import OTHERS, parse, render, unmarked
from callcenter.domain.form_values import read_answers
from callcenter.domain.forms import FieldKind, Form
from callcenter.domain.sessions import Draft
from callcenter.errors import CallCenterError, Conflict, Refused
from callcenter.service.sessions.writing import Submitted

#: Longest text taken from a file or a pipe, bytes.
_MOST = 1_000_000

from_option = click.option("--from", "source", help="从文件(- 为标准输入)读:与编辑器里相同的文字,或 JSON")
set_option = click.option("--set", "fields", multiple=True, metavar="FIELD=VALUE", help="直接填一项,可重复")


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """What was handed in: a whole text or JSON (`source`), and single fields."""

    source: str | None
    fields: tuple[str, ...]
    #: What stood there before, of a record that is amended.
    before: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        return self.source is not None or bool(self.fields)


def hand_in(
    given: Given, form: Form, keeper: Keeper, draft: Draft | None, submit: Submit | None
) -> Submitted | None:
    """Submit what was handed in, or without `submit` keep it as the draft (None).

    What is refused is kept as the draft too, unless that would take the place of what somebody typed;
    the message says which. Raises `Refused` and `Conflict`.
    """
    answers = _answers(given, form, keeper, draft)
    if submit is None:
        # A text was kept already, word for word.
        if not keeper.was_handed_in or given.fields:
            _keep(given, form, keeper, draft, answers)
        return None
    try:
        return submit(answers, keeper.revision, True)
    except CallCenterError as error:
        raise Refused(f"{error}\n{_kept_or_not(given, form, keeper, draft, answers)}") from error


def _answers(given: Given, form: Form, keeper: Keeper, draft: Draft | None) -> dict[str, Any]:
    """Return the answers of `--from` and `--set`, on top of the draft or of what stood there before."""
    if given.source is not None:
        _check_replaceable(draft, keeper.actor)
    answers = dict(given.before)
    if draft is not None and given.source is None:
        answers = _of_draft(form, draft)
    if given.source is not None:
        answers |= _from_source(form, keeper, given.source)
    return answers | dict(_set_field(form, word) for word in given.fields)


def _check_replaceable(draft: Draft | None, actor: str) -> None:
    """Raise `Conflict` unless the draft is what the actor handed in before: then this takes its place."""
    if draft is None or (draft.handed_in and draft.by == actor):
        return
    raise Conflict(
        f"这条记录有 {draft.by} 在 {local(draft.at)} 写的旧草稿,--from 不会盖掉它。\n"
        f"接着写:hotline sessions write {draft.id}(已提交过的用 amend)\n"
        f"不要了:hotline sessions discard {draft.id}"
    )


def _of_draft(form: Form, draft: Draft) -> dict[str, Any]:
    found = parse(form, unmarked(draft.text))
    if found.problems:
        say_problems(found.problems)
        raise Refused(
            f"{draft.by} 在 {local(draft.at)} 写的旧草稿里有读不懂的地方(上面的行号是旧草稿的),"
            f"没有提交;--set 的内容没有存,旧草稿没有动。\n请用编辑器改正:hotline sessions write {draft.id}"
        )
    return found.answers


# --- kept as a draft -----------------------------------------------------------------------


def _keep(given: Given, form: Form, keeper: Keeper, draft: Draft | None, answers: Mapping[str, Any]) -> None:
    """Save answers as the draft; refuse what is no answer, naming each."""
    read, wrongs = read_answers(form, answers)
    if wrongs:
        told = "\n".join(f"- {wrong.text}" for wrong in wrongs)
        raise Refused(f"这些内容读不懂,没有存为草稿:\n{told}")
    text = render(form, read, head=[f"接访记录 {keeper.session}  表单 {form.id}"])
    beside = [line for line in (draft.text if draft else "").split("\n") if line.startswith(OTHERS)]
    keeper.keep("\n".join([text, *beside]) if beside else text, handed_in=given.source is not None)


def _kept_or_not(
    given: Given, form: Form, keeper: Keeper, draft: Draft | None, answers: Mapping[str, Any]
) -> str:
    """Keep what was refused where nothing typed is in its way; return what became of it, in words."""
    if draft is not None and given.source is None:
        return "旧草稿没有动;--set 的内容没有存为草稿。"
    if given.source is not None and keeper.was_handed_in:
        return _KEPT
    try:
        _keep(given, form, keeper, draft, answers)
    except CallCenterError:
        return "没有存为草稿:内容只在您手里。"
    return _KEPT if keeper.was_handed_in else "已存为草稿:用 hotline sessions write 打开接着写。"


_KEPT = "已存为草稿:改正文件后再用 --from 会取代它,也可用 hotline sessions write 打开接着写。"


# --- read ----------------------------------------------------------------------------------


def _from_source(form: Form, keeper: Keeper, source: str) -> dict[str, Any]:
    raw = sys.stdin.buffer.read(_MOST + 1) if source == "-" else _read(Path(source))
    if len(raw) > _MOST:
        raise Refused(f"{source}:超过 {_MOST} 字节,不像一条接访记录。没有存为草稿。")
    text = decoded(raw)
    start = text.lstrip("\ufeff \t\r\n")[:1]
    if start == "{" or (start and start in '["' and _is_json(text)):
        return _from_json(text, source)
    keeper.keep(text, handed_in=True)
    found = parse(form, unmarked(text))
    if found.problems:
        say_problems(found.problems)
        kept = _KEPT if keeper.was_handed_in else "没有存为草稿。"
        raise Refused(f"{source}:有读不懂的地方,没有提交。\n{kept}")
    return found.answers


def _read(file: Path) -> bytes:
    with file.open("rb") as source:
        return source.read(_MOST + 1)


def _is_json(text: str) -> bool:
    try:
        json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return False
    return True


def _from_json(text: str, source: str) -> dict[str, Any]:
    try:
        found = json.loads(text.lstrip("\ufeff"), object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise Refused(f"{source}:{error.lineno}:不是 JSON,请改正这一行。没有存为草稿。") from None
    except (ValueError, RecursionError):
        raise Refused(f"{source}:不是 JSON,请改正。没有存为草稿。") from None
    if not isinstance(found, dict):
        what = "一个列表 [...]" if isinstance(found, list) else "别的东西"
        raise Refused(f"{source}:JSON 最外层应是 {{...}},现在是{what}。没有存为草稿。")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON in which no name stands twice: the last one would silently win."""
    names = [name for name, _ in pairs]
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise Refused(f"JSON 里「{doubled[:40]}」写了两次,请只留一个。没有存为草稿。")
    return dict(pairs)


def _set_field(form: Form, word: str) -> tuple[str, Any]:
    name, sign, value = word.partition("=")
    labels = {one.label: one.id for one in form.fields.values()}
    name = labels.get(name, name)
    if not sign or name not in form.fields:
        raise Refused(f"--set {word[:40]}:写成 字段=值,字段用表单里的名称或标签。")
    if form.fields[name].kind is FieldKind.RECORDS and value.strip():
        return name, _from_json_list(value, name)
    return name, value


def _from_json_list(value: str, name: str) -> Any:
    try:
        return json.loads(value, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise Refused(f"--set {name}=…:这一项有几条,请写成 JSON 列表。") from None
