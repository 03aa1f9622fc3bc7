"""`hotline people reveal`: what is masked elsewhere, in clear, once; and the look over it afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, show_one, show_rows
from callcenter.cli.people import person_argument
from callcenter.service.people import reveal as revealing

_SHOWN = [
    ("seq", "序号"),
    ("at", "时间"),
    ("actor", "查看人"),
    ("object", "对象"),
    ("field", "项目"),
    ("reason", "理由"),
    ("state_text", "复核"),
]


@click.command()
@person_argument
@click.option(
    "--field",
    "fields",
    multiple=True,
    type=click.Choice(list(revealing.FIELDS)),
    default=("numbers",),
    help="看哪一项,可多次;默认 numbers",
)
@click.option("--reason", required=True, help="为什么要看(至少 4 个字,24 小时内复核)")
@actor_option
@json_option
@pass_app
def reveal(app: App, person: str, fields: Sequence[str], reason: str, actor: str, as_json: bool) -> None:
    """明文查看一次姓名、号码等。谁看了什么、为什么,都会记下。"""
    with app.store() as work:
        told = revealing.reveal(work, person, fields, actor=actor, now=app.clock(), reason=reason)
        work.commit()
    titles = {"name": "姓名", "numbers": "电话", "birth": "出生年月", "code": "来电口令"}
    show_one(told, [(field, titles[field]) for field in told], as_json)
    if not as_json:
        say_recorded()


@click.command()
@click.argument("call_id", metavar="编号")
@click.option("--reason", required=True, help="为什么要看(至少 4 个字,24 小时内复核)")
@actor_option
@json_option
@pass_app
def reveal_call(app: App, call_id: str, reason: str, actor: str, as_json: bool) -> None:
    """明文查看一次一通电话的号码。谁看了、为什么,都会记下。"""
    with app.store() as work:
        number = revealing.reveal_call(work, call_id, actor=actor, now=app.clock(), reason=reason)
        work.commit()
    show_one({"number": number}, [("number", "号码")], as_json)
    if not as_json:
        say_recorded()


@click.command()
@click.option("--days", type=click.IntRange(1, 365), default=7, show_default=True, help="看最近几天")
@click.option("--open", "only_open", is_flag=True, help="只列还没有复核的")
@click.option("--review", type=int, metavar="序号", help="把这一条记为已复核")
@click.option("--remark", default="", help="复核意见")
@actor_option
@json_option
@pass_app
def reveals(
    app: App, days: int, only_open: bool, review: int | None, remark: str, actor: str, as_json: bool
) -> None:
    """谁明文看了什么:督导在 24 小时内逐条复核。"""
    now = app.clock()
    with app.store() as work:
        if review is not None:
            revealing.look_over(work, review, actor=actor, now=now, remark=remark)
            work.commit()
        found = revealing.shown(work, actor=actor, now=now, since=now - timedelta(days=days))
    shown = [one for one in found if one.reviewed_by is None or not only_open]
    show_rows([_shown_row(one) for one in shown], _SHOWN, as_json)


def say_recorded() -> None:
    """Say that a look was written down."""
    click.echo("这次查看已记入留痕,督导会复核。请勿抄写、截图、外传。")


def _shown_row(one: revealing.Shown) -> dict[str, object]:
    state = f"{one.reviewed_by} 已复核" if one.reviewed_by else "逾期未复核" if one.overdue else "待复核"
    return {
        "seq": one.seq,
        "at": one.at,
        "actor": one.actor,
        "object": one.object,
        "field": one.field,
        "reason": one.reason,
        "reviewed_by": one.reviewed_by,
        "overdue": one.overdue,
        "state_text": state,
    }
