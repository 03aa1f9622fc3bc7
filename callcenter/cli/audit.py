"""`hotline audit`: who did what, when and why."""

from __future__ import annotations

import click

from callcenter.bootstrap import App
from callcenter.cli.common import json_option, pass_app, show_rows
from callcenter.ports import AuditEntry

COLUMNS = [
    ("seq", "序号"),
    ("at", "时间"),
    ("actor", "人员"),
    ("verb", "操作"),
    ("object", "对象"),
    ("field", "字段"),
    ("reason", "原因"),
]


@click.group()
def audit() -> None:
    """操作留痕。"""


@audit.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="最多几条")
@json_option
@pass_app
def list_(app: App, limit: int, as_json: bool) -> None:
    """列出最近的操作,新的在前。"""
    with app.store() as work:
        entries = work.audit.recent(limit)
    show_rows([_row(entry) for entry in entries], COLUMNS, as_json)


def _row(entry: AuditEntry) -> dict[str, object]:
    return {
        "seq": entry.seq,
        "at": entry.at,
        "actor": entry.actor,
        "verb": entry.verb,
        "object": entry.object,
        "field": entry.field,
        "reason": entry.reason,
    }
