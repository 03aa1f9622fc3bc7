"""`hotline handover`: a call or a case goes to somebody else, who says by name that they have it (R45)."""

from __future__ import annotations

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, local, pass_app, say, show_one, show_rows
from callcenter.domain.handover import HANDOVER_WORDS, Handover, HandoverState, is_to_agency
from callcenter.errors import Refused
from callcenter.service.risk import handovers

_COLUMNS = [
    ("id", "编号"),
    ("about", "交接什么"),
    ("from", "交出"),
    ("to", "交给"),
    ("sent_text", "交出时间"),
    ("state_text", "状态"),
    ("accepted_by", "接下的人"),
]

handover_argument = click.argument("handover_id", metavar="编号")


@click.group()
def handover() -> None:
    """交接来电或个案:对方具名接下之前,仍由交出的人负责。"""


@handover.command()
@click.option("--call", default="", metavar="通话编号", help="交接一通来电")
@click.option("--case", default="", metavar="个案编号", help="交接一个个案")
@click.option("--to", required=True, metavar="人员代码或机构", help="交给谁:人员代码,或 110、120、12356")
@click.option("--told", required=True, help="告知了对方什么")
@actor_option
@json_option
@pass_app
def give(app: App, call: str, case: str, to: str, told: str, actor: str, as_json: bool) -> None:
    """交给同事或机构。对方接下之前,来电和个案仍是您的。"""
    if bool(call) == bool(case):
        raise Refused("请写明交接的是来电（--call）还是个案（--case），二选一。")
    about = f"call:{call}" if call else f"case:{case}"
    with app.store() as work:
        one = handovers.give(work, about, to, told=told, actor=actor, now=app.clock())
        work.commit()
    show_one(_row(one), _COLUMNS[:6], as_json)
    if not as_json:
        whose = "问到对方姓名后" if is_to_agency(one) else f"由 {one.to} "
        name = " --name 对方姓名" if is_to_agency(one) else ""
        say(f"还没有接下：{whose}登记 hotline handover accept {one.id}{name}")


@handover.command()
@handover_argument
@click.option("--name", default="", help="机构里接下的人的姓名;同事接下时不用写")
@actor_option
@json_option
@pass_app
def accept(app: App, handover_id: str, name: str, actor: str, as_json: bool) -> None:
    """具名接下。个案从这时起归接下的同事。"""
    with app.store() as work:
        one = handovers.accept(work, handover_id, name=name, actor=actor, now=app.clock())
        work.commit()
    show_one(
        {**_row(one), "told": one.told, "accepted_at": one.accepted_at},
        [*_COLUMNS, ("told", "告知内容")],
        as_json,
    )


@handover.command("list")
@click.option("--all", "all_of_them", is_flag=True, help="也列出已接下和已收回的")
@actor_option
@json_option
@pass_app
def list_handovers(app: App, all_of_them: bool, actor: str, as_json: bool) -> None:
    """列出还没有人接下的交接,最久的在前。"""
    with app.store() as work:
        found = handovers.listed(work, actor=actor, all_of_them=all_of_them)
    show_rows([_row(one) for one in found], _COLUMNS, as_json)


@handover.command()
@handover_argument
@click.option("--reason", required=True, help="为什么收回")
@click.option("--dry-run", is_flag=True, help="只看能不能收回,不写入")
@actor_option
@pass_app
def back(app: App, handover_id: str, reason: str, dry_run: bool, actor: str) -> None:
    """收回还没有人接下的交接。"""
    with app.store() as work:
        handovers.take_back(work, handover_id, reason=reason, actor=actor, now=app.clock())
        if not dry_run:
            work.commit()
    say(f"{handover_id} {'可以收回（试算，没有写入）' if dry_run else '已收回，负责人不变'}。")


def _row(one: Handover) -> dict[str, object]:
    return {
        "id": one.id,
        "about": one.about,
        "from": one.from_agent,
        "to": one.to,
        "sent_at": one.sent_at,
        "sent_text": local(one.sent_at)[:11],
        "state": one.state,
        "state_text": HANDOVER_WORDS[one.state],
        "accepted_by": _name(one),
        "accepted_at": one.accepted_at,
    }


def _name(one: Handover) -> str | None:
    """Return who took it: a colleague's code; of somebody at an agency only that there is a name."""
    if one.state is not HandoverState.ACCEPTED:
        return None
    return f"{one.accepted_by[:1]}*" if is_to_agency(one) else one.accepted_by
