"""How handling records look on a screen of 80 columns, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from callcenter.cli.common import console, local, minutes
from callcenter.domain.columns import folded
from callcenter.domain.form_diff import Changed
from callcenter.domain.form_values import said_value
from callcenter.domain.forms import Field, FieldKind, Form
from callcenter.domain.session_words import LEVELS
from callcenter.domain.sessions import SessionRow, SessionStatus, SessionVersion
from callcenter.service.sessions.listing import Listed
from callcenter.service.sessions.reading import Record

STATUS = {
    SessionStatus.OPEN: "待填写",
    SessionStatus.SUBMITTED: "已提交",
    SessionStatus.REVIEWED: "已审阅",
    SessionStatus.AMENDED: "已修改",
}
_MADE_BY = {SessionStatus.SUBMITTED: "提交", SessionStatus.REVIEWED: "审阅", SessionStatus.AMENDED: "修改"}
_WIDTH = 80
GONE = "已按保存期删除"


def say(text: str, *, err: bool = False) -> None:
    """Print a text in lines of 80 columns at most; what goes on is set in by two blanks."""
    for line in text.split("\n"):
        first, *_ = folded(line, _WIDTH)
        click.echo(first, err=err)
        if rest := line[len(first) :].lstrip():
            for more in folded(rest, _WIDTH - 2):
                click.echo(f"  {more}", err=err)


def row(session: SessionRow) -> dict[str, object]:
    """Return a record's head as a row: not whom it is about."""
    return {
        "id": session.id,
        "call": session.call,
        "counsellor": session.counsellor,
        "opened_at": session.opened_at,
        "submitted_at": session.submitted_at,
        "version": session.version,
        "status": session.status,
        "status_text": STATUS[session.status],
    }


def listed_row(one: Listed) -> dict[str, object]:
    """Return a record in a list as a row."""
    return {
        **row(one.session),
        "number": one.number or None,
        "talk": one.talk,
        "live": one.is_live,
        "draft_by": one.draft_by,
        "gone": one.is_gone,
        "kind": one.kind,
        "level": None if one.level is None else LEVELS.index(one.level),
        "marks": list(one.marks),
        "opened_text": minute(one.session.opened_at),
        "about": _about(one),
    }


def minute(moment: datetime) -> str:
    """Return the wall time at the site to the minute: `11-23 19:04`."""
    return local(moment)[:11]


def _about(one: Listed) -> str:
    """Return in a few words where a record stands and what to mind."""
    draft = f"{one.draft_by}正在写" if one.draft_by not in (None, one.session.counsellor) else "有草稿"
    words = [
        STATUS[one.session.status],
        *(["通话中"] if one.is_live else []),
        *([draft] if one.draft_by else []),
        *([GONE] if one.is_gone else []),
        *(word for word in (one.kind, one.level) if word),
        *one.marks,
    ]
    return " ".join(words)


def which_call(one: Listed) -> str:
    """Return which call a record is about: when, the number masked, how long."""
    talk = f"谈了 {minutes(one.talk)}" if one.talk is not None else "时长不明"
    draft = ",有草稿" if one.draft_by else ""
    return f"{minute(one.session.opened_at)}  {one.number or '号码不明'}  {talk}{draft}({one.session.id})"


def record_row(record: Record) -> dict[str, object]:
    """Return a record for JSON."""
    return {
        **row(record.session),
        "person": record.person,
        "named": record.named,
        "gone": record.is_gone,
        "shown_version": record.version.n if record.version else None,
        "form": record.version.form if record.version else None,
        "marks": list(record.marks),
        "answers": dict(record.answers),
        "history": [version_row(one) for one in record.history],
    }


def version_row(version: SessionVersion) -> dict[str, object]:
    """Return what made a version: not what is in it."""
    return {
        "n": version.n,
        "status": version.status,
        "by": version.by,
        "at": version.at,
        "reason": version.reason,
    }


def change_row(one: Changed) -> dict[str, object]:
    """Return a change for JSON."""
    return {"field": one.id, "label": one.label, "before": one.before, "after": one.after}


def show_record(record: Record) -> None:
    """Print a record: its head, what is in it by section, its history."""
    head = record.session
    say(f"{head.id}  {STATUS[head.status]}  咨询员 {head.counsellor or '—'}  {local(head.opened_at)}")
    if record.person:
        click.echo(f"当事人 {record.person}")
    if record.named:
        say(f"来电者所说的代码属于 {record.named};确认是同一人的,用 hotline people merge 合并。")
    for mark in record.marks:
        say(f"※ {mark}")
    if record.is_gone:
        click.echo(f"{GONE}:内容不在了,只留下有过这一通。")
        return
    if record.form is None or record.version is None:
        click.echo("还没有提交。")
        return
    for section in record.form.sections:
        shown = [one for one in section.fields if one.id in record.answers]
        if shown:
            click.echo(f"\n── {section.label}")
            _show_lines([(one.label, text_of(one, record.answers[one.id])) for one in shown])
    click.echo("\n── 历史")
    _show_lines(_history(record.history, record.version.n))


def _history(history: Sequence[SessionVersion], shown: int) -> list[tuple[str, str]]:
    lines = []
    for one in history:
        why = f":{one.reason}" if one.reason else ""
        made = f"{local(one.at)} {one.by} {_MADE_BY.get(one.status, '')}{why}"
        lines.append((f"第 {one.n} 版{'(本页)' if one.n == shown else ''}", made))
    return lines


def show_changes(form_changes: Iterable[Changed], form: Form) -> None:
    """Print what changed, before and after, field by field."""
    for one in form_changes:
        field = form.fields[one.id]
        click.echo(f"── {one.label}")
        _show_lines([("原来", text_of(field, one.before)), ("现在", text_of(field, one.after))])


def text_of(field: Field, value: Any) -> str:
    """Return an answer as people read it; a group of records is one line each."""
    if value is None:
        return "—"
    if field.kind is not FieldKind.RECORDS or not isinstance(value, list):
        return said_value(field, value)
    parts = {part.id: part for part in field.fields}
    groups = (
        ";".join(f"{parts[name].label} {said_value(parts[name], inner)}" for name, inner in group.items())
        for group in value
    )
    return "\n".join(f"{n}. {group}" for n, group in enumerate(groups, start=1))


def _show_lines(lines: Sequence[tuple[str, str]]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for title, text in lines:
        # As it was written: what stands in square brackets is no order to the screen.
        table.add_row(title, Text(text))
    console().print(table)
