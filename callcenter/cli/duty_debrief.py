"""`hotline duty debrief`: hard calls that are to be talked over before the next one (R47)."""

from __future__ import annotations

from collections.abc import Sequence

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, say, show_rows
from callcenter.domain.staff import Debrief, DebriefState
from callcenter.service.duty import debriefs as service

_STATES = {DebriefState.OWED: "待谈", DebriefState.HELD: "已谈", DebriefState.WAIVED: "本人放弃"}


@click.group()
def debrief() -> None:
    """支持性谈话:高危来电之后,谈过再接下一通。"""


@debrief.command("list")
@click.option("--all", "every", is_flag=True, help="也列出已谈的和放弃的")
@actor_option
@json_option
@pass_app
def list_(app: App, every: bool, actor: str, as_json: bool) -> None:
    """列出待谈的支持性谈话;咨询员只看到自己的。"""
    with app.store() as work:
        found = service.listed(work, every=every, actor=actor)
    if not found and not as_json:
        click.echo("没有支持性谈话的记录。" if every else "没有待谈的支持性谈话。")
        return
    columns = [
        ("agent", "咨询员"),
        ("since", "从何时起"),
        ("about", "哪一通"),
        ("state", "情况"),
        ("by", "谁"),
    ]
    columns += [("note", "说明")] if every else []
    show_rows([_row(one, as_json) for one in found], columns, as_json)


@debrief.command()
@click.argument("agent")
@click.option("--note", required=True, help="谈得怎样,还需要什么(加密保存,只有督导和本人看得到)")
@actor_option
@pass_app
def held(app: App, agent: str, note: str, actor: str) -> None:
    """登记已经和咨询员谈过,之后恢复派话。"""
    with app.store() as work:
        done = service.hold(work, agent, note=note, actor=actor, now=app.clock())
        work.commit()
    _say(f"已登记:{actor} 和 {agent} 谈过", done)


@debrief.command()
@actor_option
@pass_app
def waive(app: App, actor: str) -> None:
    """自己决定不谈,继续接听。"""
    with app.store() as work:
        done = service.waive(work, actor=actor, now=app.clock())
        work.commit()
    _say(f"{actor} 放弃了支持性谈话", done)


def _say(what: str, done: Sequence[Debrief]) -> None:
    say(f"{what}({len(done)} 通)。在班、已签到、没有暂停的,马上恢复派话。")


def _row(one: Debrief, as_json: bool) -> dict[str, object]:
    return {
        "agent": one.agent,
        "about": one.about,
        "since": one.since,
        "state": one.state if as_json else _STATES[one.state],
        "by": one.by,
        "at": one.at,
        "note": one.note,
    }
