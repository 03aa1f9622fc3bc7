"""`hotline export`: files that leave the store, marked, written down, and gone after some days."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, show_one, show_rows
from callcenter.domain.privacy import Export
from callcenter.domain.spreadsheets import Sheet
from callcenter.errors import Refused
from callcenter.ports import UnitOfWork
from callcenter.service.followup.debts import line_facts, rules_of
from callcenter.service.privacy import export_sheets
from callcenter.service.privacy import exports as leaving
from callcenter.service.privacy.audit import note_head
from callcenter.service.privacy.export_files import FileKind
from callcenter.service.privacy.exports import Kind

_LIST = [
    ("id", "编号"),
    ("kind_text", "内容"),
    ("by", "由谁"),
    ("at", "何时"),
    ("rows", "行数"),
    ("expires_at", "到期"),
    ("deleted_at", "已删除"),
]
_ONE = [*_LIST, ("reason", "理由"), ("file", "文件"), ("known_by", "凭什么认出")]
KIND_WORDS = {
    Kind.SESSIONS: "接访统计",
    Kind.HARDSHIP: "应联系名单",
    Kind.AUDIT: "操作留痕",
    Kind.PERSON: "本人的资料",
}
_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")


@click.group()
def export() -> None:
    """导出的文件：带水印，登记在册，到期自动删除。"""


@export.command()
@click.argument("kind", type=click.Choice([Kind.SESSIONS.value, Kind.HARDSHIP.value, Kind.AUDIT.value]))
@click.option(
    "--format", "form", type=click.Choice([k.value for k in FileKind]), default="xlsx", show_default=True
)
@click.option("--from", "first", help="接访统计：起始月份，如 2026-01")
@click.option("--to", "last", help="接访统计：截止月份，如 2026-12")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="操作留痕：从哪一天起")
@click.option("--reason", required=True, help="为什么导出、交给谁")
@json_option
@actor_option
@pass_app
def make(
    app: App,
    kind: str,
    form: str,
    first: str | None,
    last: str | None,
    since: datetime | None,
    reason: str,
    as_json: bool,
    actor: str,
) -> None:
    """导出 sessions（接访统计）、hardship（应联系名单）或 audit（操作留痕）。"""
    zone = app.settings.site.zone
    sheets: dict[str, Callable[[UnitOfWork], Sheet]] = {
        Kind.SESSIONS: lambda work: export_sheets.sessions(
            work,
            *_months(first, last),
            actor=actor,
            now=app.clock(),
            zone=zone,
            smallest=app.settings.reports.smallest,
        ),
        Kind.HARDSHIP: lambda work: export_sheets.hardship(
            work, line_facts(work, app.clock(), None, rules_of(app.settings)), actor=actor
        ),
        Kind.AUDIT: lambda work: export_sheets.audit_trail(
            work, since.replace(tzinfo=zone) if since else None, actor=actor, zone=zone
        ),
    }
    with app.store() as work:
        made = leaving.make(
            work,
            Kind(kind),
            [sheets[kind](work)],
            form=FileKind(form),
            lasts=timedelta(days=app.settings.exports.days),
            zone=zone,
            actor=actor,
            now=app.clock(),
            reason=reason,
        )
        work.commit()
        note_head(work, app.settings.home)
    file = leaving.save(made, app.settings.exports_folder)
    show_one({**_row(made.export), "file": str(file)}, _ONE[:-1], as_json)
    for sheet, row, heading in made.replaced:
        click.echo(f"{sheet} 第{row}行 {heading}：含有诊断用语，已换成指引。", err=True)


def _months(first: str | None, last: str | None) -> tuple[str, str]:
    if first is None or last is None:
        raise Refused("接访统计要写明月份：--from 2026-01 --to 2026-12。")
    if not _MONTH.fullmatch(first) or not _MONTH.fullmatch(last) or first > last:
        raise Refused("月份应写作 2026-01，起始不晚于截止。")
    return first, last


@export.command("list")
@json_option
@actor_option
@pass_app
def list_(app: App, as_json: bool, actor: str) -> None:
    """列出导出登记：本人的；督导和审计员看得到所有人的。"""
    with app.store() as work:
        found = leaving.exports(work, actor=actor)
    show_rows([_row(one) for one in found], _LIST, as_json)


@export.command()
@click.argument("export_id")
@click.option("--reason", default="", help="为什么提前删除")
@click.option("--dry-run", is_flag=True, help="只看会删除哪一份，不写入")
@actor_option
@pass_app
def delete(app: App, export_id: str, reason: str, dry_run: bool, actor: str) -> None:
    """提前删除一份导出的文件；登记保留。"""
    with app.store() as work:
        gone = leaving.delete(work, export_id, actor=actor, now=app.clock(), reason=reason)
        if not dry_run:
            work.commit()
    if not dry_run:
        leaving.remove_file(app.settings.exports_folder, gone.id)
    click.echo(f"{'将' if dry_run else '已'}删除 {gone.id}（{KIND_WORDS[Kind(gone.kind)]}）。")


@export.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@actor_option
@pass_app
@click.pass_context
def trace(ctx: click.Context, app: App, file: Path, as_json: bool, actor: str) -> None:
    """查一份文件是谁导出的：按校验和，或按文件里的水印。查不到时退出码为 1。"""
    with app.store() as work:
        found, known_by = leaving.trace(work, file, actor=actor, now=app.clock())
        work.commit()
    if found is None:
        click.echo("null" if as_json else "不是本系统导出的文件，或水印已被去掉。")
        ctx.exit(1)
    said = {"checksum": "校验和（未改动）", "mark": "水印（另存或改动过）"}[known_by]
    show_one({**_row(found), "known_by": known_by if as_json else said}, _ONE[:-2] + _ONE[-1:], as_json)


def _row(one: Export) -> dict[str, object]:
    return {
        "id": one.id,
        "kind": one.kind,
        "kind_text": KIND_WORDS[Kind(one.kind)],
        "by": one.by,
        "at": one.at,
        "rows": one.rows,
        "expires_at": one.expires_at,
        "deleted_at": one.deleted_at,
        "reason": one.reason,
        "checksum": one.checksum,
    }
