"""`hotline people block`, `unblock`, `blocks`: numbers that are not put through for a while."""

from __future__ import annotations

from datetime import timedelta

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, show_one, show_rows
from callcenter.cli.people import typed_number
from callcenter.domain.numbers import mask_number
from callcenter.domain.privacy import Block
from callcenter.errors import Refused
from callcenter.service.people import blocking as service

_ROWS = [
    ("id", "编号"),
    ("number", "号码"),
    ("since", "起"),
    ("until", "止"),
    ("by", "停接人"),
    ("reason", "理由"),
    ("lifted_at", "提前解除"),
]


@click.command()
@click.option("--call", "call_id", help="停接这通电话的号码")
@click.option("--number", help="号码;写 - 则另行输入,不留在命令历史里")
@click.option("--days", type=click.IntRange(1, 30), required=True, help="几天,最多 30")
@click.option("--reason", required=True, help="理由(至少 4 个字)")
@actor_option
@json_option
@pass_app
def block(
    app: App, call_id: str | None, number: str | None, days: int, reason: str, actor: str, as_json: bool
) -> None:
    """停接一个号码:来电者仍会听到 12356、110、120。有风险 2 级以上个案的人不能停接。"""
    if (call_id is None) == (number is None):
        raise Refused("请给出 --call 或 --number 之一。")
    length, now = timedelta(days=days), app.clock()
    with app.store() as work:
        if call_id is not None:
            made = service.block_caller(work, call_id, length=length, actor=actor, now=now, reason=reason)
        else:
            typed = typed_number(number)
            made = service.block(work, typed, length=length, actor=actor, now=now, reason=reason)
        work.commit()
    show_one(_row(made), _ROWS, as_json)


@click.command()
@click.argument("block_id", metavar="编号")
@click.option("--reason", required=True, help="理由(至少 4 个字)")
@actor_option
@json_option
@pass_app
def unblock(app: App, block_id: str, reason: str, actor: str, as_json: bool) -> None:
    """提前解除停接。"""
    with app.store() as work:
        lifted = service.lift(work, block_id, actor=actor, now=app.clock(), reason=reason)
        work.commit()
    show_one(_row(lifted), _ROWS, as_json)


@click.command()
@click.option("--all", "everything", is_flag=True, help="已到期、已解除的也列出")
@actor_option
@json_option
@pass_app
def blocks(app: App, everything: bool, actor: str, as_json: bool) -> None:
    """列出停接的号码,先到期的在前。"""
    with app.store() as work:
        found = service.blocks(work, actor=actor, now=app.clock(), everything=everything)
    show_rows([_row(one) for one in found], _ROWS, as_json)


def _row(one: Block) -> dict[str, object]:
    return {**{key: getattr(one, key) for key, _ in _ROWS}, "number": mask_number(one.number)}
