"""`hotline duty swap`: offering a shift, taking one, deciding."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, say, show_rows
from callcenter.cli.duty_plan import reason_option
from callcenter.cli.duty_time import span
from callcenter.cli.duty_words import SWAP_STATES, warn_of
from callcenter.service.duty import swaps as service
from callcenter.service.duty.checking import rules_of
from callcenter.service.duty.filed import KIND_WORDS
from callcenter.service.duty.swaps import SwapView, WorsePlan


@click.group()
def swap() -> None:
    """换班:让出、接班、批准。批准以前,班次仍是原来的人。"""


@swap.command()
@click.argument("shift_id", metavar="班次编号")
@reason_option
@actor_option
@pass_app
def offer(app: App, shift_id: str, reason: str, actor: str) -> None:
    """让出自己一个还没开始的班。"""
    with app.store() as work:
        made = service.offer(work, shift_id, actor=actor, now=app.clock(), reason=reason)
        work.commit()
    say(f"已提出换班 {made.id}。有人接、督导批准以后才换;在那以前仍是您的班。")


@swap.command()
@click.argument("swap_id", metavar="编号")
@actor_option
@pass_app
def take(app: App, swap_id: str, actor: str) -> None:
    """接一个别人让出的班,等督导批准。"""
    with app.store() as work:
        taken = service.take(work, swap_id, actor=actor, now=app.clock())
        work.commit()
    say(f"已登记由您接 {taken.agent} 的班,等督导批准:hotline duty swap approve {swap_id}")


@swap.command()
@click.argument("swap_id", metavar="编号")
@reason_option
@actor_option
@pass_app
def approve(app: App, swap_id: str, reason: str, actor: str) -> None:
    """批准换班;会让排班更不足的不能批准。"""
    with app.store() as work:
        try:
            done = service.approve(
                work, swap_id, rules=rules_of(app.settings), actor=actor, now=app.clock(), reason=reason
            )
        except WorsePlan as error:
            warn_of(error.faults, app.settings.site.zone)
            raise
        work.commit()
    say(f"已批准 {swap_id}:{done.shift} 由 {done.agent} 换给 {done.taker}。")


@swap.command()
@click.argument("swap_id", metavar="编号")
@click.option("--reason", required=True, help="理由,记入操作留痕")
@actor_option
@pass_app
def refuse(app: App, swap_id: str, reason: str, actor: str) -> None:
    """不同意换班,班次仍是原来的人。"""
    with app.store() as work:
        done = service.refuse(work, swap_id, actor=actor, now=app.clock(), reason=reason)
        work.commit()
    say(f"{swap_id} 未同意,{done.shift} 仍是 {done.agent} 的班。")


@swap.command()
@click.argument("swap_id", metavar="编号")
@reason_option
@actor_option
@pass_app
def withdraw(app: App, swap_id: str, reason: str, actor: str) -> None:
    """撤回自己提出的换班,或不接了。"""
    with app.store() as work:
        done = service.withdraw(work, swap_id, actor=actor, now=app.clock(), reason=reason)
        work.commit()
    say(f"{swap_id} {SWAP_STATES[done.state]}。{done.shift} 仍是 {done.agent} 的班。")


@swap.command("list")
@click.option("--all", "everything", is_flag=True, help="已办完的也列出")
@actor_option
@json_option
@pass_app
def list_swaps(app: App, everything: bool, actor: str, as_json: bool) -> None:
    """列出还没办完的换班。"""
    with app.store() as work:
        found = service.list_swaps(work, actor=actor, now=app.clock(), everything=everything)
    if not found and not as_json:
        click.echo("现在没有换班。")
        return
    columns = [("id", "编号"), ("state", "情况"), ("time", "班次"), ("kind", "类别"), ("who", "谁的班")]
    rows = [_row(view, app.settings.site.zone, as_json) for view in found]
    show_rows(rows, [*columns, ("taker", "谁来接"), ("shift", "班次编号")], as_json)


def _row(view: SwapView, zone: ZoneInfo, as_json: bool) -> dict[str, object]:
    swap, shift = view.swap, view.shift
    keys = ("id", "shift", "agent", "taker", "state", "at", "decided_by", "decided_at")
    row: dict[str, object] = {key: getattr(swap, key) for key in keys}
    if as_json:
        times = {"start": shift.start, "end": shift.end, "kind": shift.kind} if shift else {}
        return {**row, **times}
    time = span(shift.start, shift.end, zone) if shift else "已取消"
    kind = KIND_WORDS[shift.kind] if shift else ""
    return {**row, "state": SWAP_STATES[swap.state], "time": time, "kind": kind, "who": swap.agent}
