"""`hotline people request`, `requests`, `answer`, `erase`: what people ask about their own data."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, show_one, show_rows
from callcenter.cli.people import person_argument
from callcenter.domain.privacy import DataRequest, RequestKind, RequestState
from callcenter.errors import Refused
from callcenter.service.followup.debts import rules_of
from callcenter.service.privacy import requests as service
from callcenter.service.privacy.copies import answer_access
from callcenter.service.privacy.erasing import Erasure, Item
from callcenter.service.privacy.erasing import erase as erase_person
from callcenter.service.privacy.export_files import FileKind
from callcenter.service.privacy.exports import remove_file, save

_KINDS = {RequestKind.ACCESS: "查阅", RequestKind.CORRECTION: "更正", RequestKind.ERASURE: "删除"}
_STATES = {RequestState.OPEN: "待答复", RequestState.ANSWERED: "已答复", RequestState.REFUSED: "已拒绝"}
_LIST = [
    ("id", "编号"),
    ("kind_text", "请求"),
    ("person", "对象"),
    ("due_at", "最晚答复"),
    ("state_text", "状态"),
]
_SHOW = [
    *_LIST,
    ("opened_at", "提出"),
    ("identity_check", "如何核实本人"),
    ("wish", "本人怎么说"),
    ("answer", "答复"),
    ("answered_by", "答复人"),
]


@click.command()
@person_argument
@click.argument("kind", type=click.Choice([kind.value for kind in RequestKind]), metavar="请求")
@click.option("--identity", required=True, help="怎样核实是本人,如 当面看过身份证")
@click.option("--wish", default="", help="本人怎么说")
@actor_option
@json_option
@pass_app
def request(app: App, person: str, kind: str, identity: str, wish: str, actor: str, as_json: bool) -> None:
    """登记本人的请求:access 查阅、correction 更正、erasure 删除。15 个工作日内答复。"""
    with app.store() as work:
        made = service.open_request(
            work,
            person,
            RequestKind(kind),
            identity_check=identity,
            wish=wish,
            actor=actor,
            now=app.clock(),
            calendar=rules_of(app.settings).calendar,
            zone=app.settings.site.zone,
            days=app.settings.people.request_days,
        )
        work.commit()
    show_one(_row(made, app.clock()), _SHOW, as_json)


@click.command()
@click.option("--overdue", is_flag=True, help="只列逾期的")
@click.option("--all", "everything", is_flag=True, help="已答复的也列出")
@actor_option
@json_option
@pass_app
def requests(app: App, overdue: bool, everything: bool, actor: str, as_json: bool) -> None:
    """列出本人的请求,先到期的在前。"""
    now = app.clock()
    with app.store() as work:
        found = service.requests(work, actor=actor, now=now, overdue=overdue, everything=everything)
    show_rows([_row(one, now) for one in found], _LIST, as_json)


@click.command()
@click.argument("request_id", metavar="编号")
@click.option("--text", help="答复的话")
@click.option("--refuse", "why_not", help="不予办理,写明理由(要告诉本人)")
@click.option("--copy", "form", type=click.Choice([kind.value for kind in FileKind]), help="查阅:做一份副本")
@click.option("--with-facts", is_flag=True, help="副本带上接访文字:已逐条看过,没有他人的信息")
@click.option("--set", "field", type=click.Choice(service.CORRECTABLE), help="更正哪一项")
@click.option("--value", help="更正为")
@actor_option
@json_option
@pass_app
def answer(
    app: App,
    request_id: str,
    text: str | None,
    why_not: str | None,
    form: str | None,
    with_facts: bool,
    field: str | None,
    value: str | None,
    actor: str,
    as_json: bool,
) -> None:
    """答复请求:做副本、更正一项、用话答复,或写明理由不予办理。四者选一。"""
    given = [one for one in (text, why_not, form, field) if one is not None]
    if len(given) != 1 or (field is None) != (value is None):
        raise Refused("请选一种答复:--text、--refuse、--copy,或 --set 与 --value。")
    if form is not None:
        _copy(app, request_id, FileKind(form), with_facts, actor, as_json)
        return
    with app.store() as work:
        now = app.clock()
        if field is not None and value is not None:
            done = service.correct(work, request_id, field, value, actor=actor, now=now)
        elif why_not is not None:
            done = service.refuse(work, request_id, actor=actor, now=now, reason=why_not)
        else:
            done = service.answer(work, request_id, text or "", actor=actor, now=now)
        work.commit()
    show_one(_row(done, app.clock()), _SHOW, as_json)


@click.command()
@click.argument("request_id", metavar="编号")
@click.option("--reason", required=True, help="理由(至少 4 个字)")
@click.option("--dry-run", is_flag=True, help="只看什么会删、什么保留、为什么")
@actor_option
@json_option
@pass_app
def erase(app: App, request_id: str, reason: str, dry_run: bool, actor: str, as_json: bool) -> None:
    """办理删除请求。先用 --dry-run 看;删除不能恢复。"""
    with app.store() as work:
        done = erase_person(
            work,
            request_id,
            actor=actor,
            now=app.clock(),
            reason=reason,
            dry_run=dry_run,
            zone=app.settings.site.zone,
        )
        if not dry_run:
            work.commit()
    if not dry_run:
        _delete_files(app, done)
    _show_erasure(done, dry_run, as_json)


def _copy(app: App, request_id: str, form: FileKind, with_facts: bool, actor: str, as_json: bool) -> None:
    with app.store() as work:
        made = answer_access(
            work,
            request_id,
            form=form,
            lasts=timedelta(days=app.settings.exports.days),
            zone=app.settings.site.zone,
            with_facts=with_facts,
            actor=actor,
            now=app.clock(),
            reason="本人查阅",
        )
        work.commit()
    file = save(made, app.settings.exports_folder)
    told = {"export": made.export.id, "file": str(file), "expires_at": made.export.expires_at}
    show_one(told, [("export", "导出编号"), ("file", "文件"), ("expires_at", "到期删除")], as_json)
    if not as_json:
        click.echo("请当面交给本人;文件带有编号,到期自动删除。")


def _delete_files(app: App, done: Erasure) -> None:
    for export in done.copies:
        remove_file(app.settings.exports_folder, export)
    for name in done.files:
        (app.settings.recordings_folder / Path(name).name).unlink(missing_ok=True)


def _show_erasure(done: Erasure, dry_run: bool, as_json: bool) -> None:
    if as_json:
        row = {
            "person": done.person,
            "goes": [_item(item) for item in done.goes],
            "stays": [_item(item) for item in done.stays],
            "hindered": list(done.hindered),
            "dry_run": dry_run,
        }
        show_one(row, [], as_json=True)
        return
    for title, items in (("会删除" if dry_run else "已删除", done.goes), ("保留", done.stays)):
        click.echo(f"{title}:")
        for item in items:
            click.echo(f"  {item.what} {item.count}" + (f"\n    {item.why}" if item.why else ""))
    for sentence in done.hindered:
        click.echo(f"还不能删除:{sentence}")
    if dry_run:
        click.echo("只是预演,没有删除。")


def _item(item: Item) -> dict[str, object]:
    return {"what": item.what, "count": item.count, "why": item.why}


def _row(one: DataRequest, now: datetime) -> dict[str, object]:
    late = service.is_overdue(one, now)
    return {
        "id": one.id,
        "kind": one.kind,
        "kind_text": _KINDS[one.kind],
        "person": one.person,
        "state": one.state,
        "state_text": "逾期" if late else _STATES[one.state],
        "overdue": late,
        "opened_at": one.opened_at,
        "due_at": one.due_at,
        "identity_check": one.identity_check,
        "wish": one.wish,
        "answer": one.answer,
        "answered_by": one.answered_by,
    }
