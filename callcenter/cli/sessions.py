"""`hotline sessions`: the handling records that answered calls opened."""

from __future__ import annotations

from datetime import timedelta

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, show_one, show_rows
from callcenter.cli.session_screen import (
    change_row,
    listed_row,
    minute,
    record_row,
    row,
    show_changes,
    show_record,
)
from callcenter.cli.session_write import amend, opened, quick, write
from callcenter.domain.session_words import UPTAKES
from callcenter.domain.sessions import SessionStatus
from callcenter.service.sessions import drafts, listing
from callcenter.service.sessions import reading as records
from callcenter.service.sessions import writing as session_writing
from callcenter.service.sessions.forms import form_of

_COLUMNS = [
    ("id", "编号"),
    ("opened_text", "开始"),
    ("number", "号码"),
    ("talk", "时长"),
    ("counsellor", "咨询员"),
    ("about", "情况"),
]
_REFERRALS = [("id", "编号"), ("n", "第几条"), ("to", "转到"), ("uptake", "去向")]
_REPORTS = [("id", "编号"), ("counsellor", "负责"), ("opened_text", "来电"), ("owed_text", "还要做")]


@click.group()
def sessions() -> None:
    """接访记录。"""


@sessions.command("list")
@click.option("--open", "only_open", is_flag=True, help="只列出还没有填写的")
@click.option("--late", is_flag=True, help="只列出过了 24 小时还没有填写的")
@click.option("--mine", is_flag=True, help="只列出自己的,和还没有归到谁的")
@click.option("--status", type=click.Choice([s.value for s in SessionStatus]), help="只列出这种状态的")
@click.option("--reports", is_flag=True, help="只列出疑似侵害未成年人、还没有报告或没有告诉督导的")
@click.option("--days", type=click.IntRange(1, 3660), default=30, show_default=True, help="几天之内的")
@actor_option
@json_option
@pass_app
def list_sessions(
    app: App,
    only_open: bool,
    late: bool,
    mine: bool,
    status: str | None,
    reports: bool,
    days: int,
    actor: str,
    as_json: bool,
) -> None:
    """列出接访记录。每一通接听的来电都有一条;还没有填写的,不论多久都在。"""
    if reports:
        _list_reports(app, actor, as_json)
        return
    wanted = SessionStatus.OPEN if only_open else SessionStatus(status) if status else None
    with app.store() as work:
        found = listing.list_sessions(
            work,
            status=wanted,
            late=late,
            mine=mine,
            past=timedelta(days=days),
            actor=actor,
            now=app.clock(),
        )
    show_rows([listed_row(one) for one in found], _COLUMNS, as_json)


def _list_reports(app: App, actor: str, as_json: bool) -> None:
    with app.store() as work:
        found = listing.open_reports(work, actor=actor, now=app.clock())
        work.commit()
    rows = [
        {**row(head), "opened_text": minute(head.opened_at), "owed": list(owed), "owed_text": "、".join(owed)}
        for head, owed in found
    ]
    show_rows(rows, _REPORTS, as_json)


@sessions.command()
@click.argument("session_id", metavar="ID")
@click.option("--version", "n", type=click.IntRange(min=1), help="第几版;不写为最新一版")
@click.option("--reveal", is_flag=True, help="不遮盖(需写 --reason,留痕)")
@click.option("--reason", default="", help="原因(记入操作留痕)")
@actor_option
@json_option
@pass_app
def show(
    app: App, session_id: str, n: int | None, reveal: bool, reason: str, actor: str, as_json: bool
) -> None:
    """显示一条接访记录;姓名和号码遮盖。"""
    with app.store() as work:
        record = records.read_session(
            work, session_id, n=n, reveal=reveal, reason=reason, actor=actor, now=app.clock()
        )
        work.commit()
    if as_json:
        show_one(record_row(record), [], as_json=True)
    else:
        show_record(record)


@sessions.command()
@click.argument("session_id", metavar="ID")
@click.argument("older", type=click.IntRange(min=1))
@click.argument("newer", type=click.IntRange(min=1))
@actor_option
@json_option
@pass_app
def diff(app: App, session_id: str, older: int, newer: int, actor: str, as_json: bool) -> None:
    """显示一条接访记录的两版之间改了什么。"""
    with app.store() as work:
        changed = records.compare(work, session_id, older, newer, actor=actor, now=app.clock())
        form = form_of(work, records.versions_of(work, session_id)[newer - 1].form)
        work.commit()
    if as_json:
        show_rows([change_row(one) for one in changed], [], as_json=True)
    elif changed:
        show_changes(changed, form)
    else:
        click.echo("内容没有改动。")


@sessions.command()
@click.argument("session_id", metavar="ID")
@click.option("--remarks", default="", help="审阅意见(留在记录的历史里)")
@click.option("--version", "n", type=click.IntRange(min=1), help="审阅的是第几版;不写为最新一版")
@actor_option
@json_option
@pass_app
def review(app: App, session_id: str, remarks: str, n: int | None, actor: str, as_json: bool) -> None:
    """审阅别人提交的接访记录 ID(督导)。先用 show 看过。"""
    with app.store() as work:
        head = session_writing.review(work, session_id, remarks=remarks, seen=n, actor=actor, now=app.clock())
        work.commit()
    if as_json:
        show_one(row(head), [], as_json=True)
    else:
        click.echo(f"{head.id} 已审阅。")


@sessions.command()
@click.argument("session_id", metavar="[ID]", required=False)
@click.argument("n", type=click.IntRange(min=1), required=False)
@click.argument("result", metavar="[去向]", type=click.Choice(UPTAKES), required=False)
@click.option("--note", "reason", default="", help="从哪里得知的")
@actor_option
@json_option
@pass_app
def uptake(
    app: App,
    session_id: str | None,
    n: int | None,
    result: str | None,
    reason: str,
    actor: str,
    as_json: bool,
) -> None:
    """登记转介的去向:ID、第几条、结果。什么都不写则列出还要再问的。"""
    if session_id is None:
        _list_referrals(app, actor, as_json)
        return
    if n is None or result is None:
        raise click.UsageError("写全:hotline sessions uptake ID 第几条 去向。")
    with app.store() as work:
        session_writing.note_uptake(work, session_id, n, result, reason=reason, actor=actor, now=app.clock())
        work.commit()
    click.echo(f"{session_id} 第 {n} 条转介:{result}。")


def _list_referrals(app: App, actor: str, as_json: bool) -> None:
    with app.store() as work:
        found = listing.referrals_to_ask(work, actor=actor, now=app.clock())
        work.commit()
    rows = [
        {"id": head.id, "n": n, "to": one.get("to"), "uptake": one.get("uptake")}
        for head, still in found
        for n, one in still
    ]
    show_rows(rows, _REFERRALS, as_json)


@sessions.command()
@click.argument("session_id", metavar="ID")
@click.option("--dry-run", is_flag=True, help="只看会丢弃什么")
@actor_option
@pass_app
def discard(app: App, session_id: str, dry_run: bool, actor: str) -> None:
    """丢弃接访记录 ID 的草稿。"""
    _, draft = opened(app, session_id, actor)
    if draft is not None and dry_run:
        click.echo(f"{session_id} 的草稿:{draft.by} 写的,{len(draft.text)} 字。没有丢弃。")
        return
    with app.store() as work:
        drafts.discard_draft(work, session_id, actor=actor, now=app.clock())
        work.commit()
    click.echo(f"{session_id} 的草稿已丢弃。")


for _command in (write, amend, quick):
    sessions.add_command(_command)
