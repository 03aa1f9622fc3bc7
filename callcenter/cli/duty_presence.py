"""`hotline duty on|off|pause|resume`: who takes calls now, and who rests, why."""

from __future__ import annotations

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, pass_app, say
from callcenter.domain.duty import PauseReason, Presence, PresenceAct
from callcenter.service.duty import presence

PAUSE_WORDS = {
    PauseReason.REST: "休息",
    PauseReason.MEAL: "用餐",
    PauseReason.PAPERWORK: "写记录",
    PauseReason.TRAINING: "培训",
    PauseReason.OTHER: "其他",
}
_NOW_STANDS = {
    PresenceAct.ON: "已签到",
    PresenceAct.OFF: "已签退",
    PresenceAct.PAUSE: "已暂停接听",
    PresenceAct.UNPAUSE: "已恢复接听",
}


@click.command()
@click.argument("agent")
@actor_option
@pass_app
def on(app: App, agent: str, actor: str) -> None:
    """签到:轮到班次时开始接听。"""
    _act(app, agent, PresenceAct.ON, actor)


@click.command()
@click.argument("agent")
@actor_option
@pass_app
def off(app: App, agent: str, actor: str) -> None:
    """签退:不再接听。"""
    _act(app, agent, PresenceAct.OFF, actor)


@click.command()
@click.argument("agent")
@click.option(
    "--why",
    type=click.Choice([reason.value for reason in PauseReason]),
    default=PauseReason.REST.value,
    show_default=True,
    help="为什么:rest 休息、meal 用餐、paperwork 写记录、training 培训、other 其他",
)
@actor_option
@pass_app
def pause(app: App, agent: str, why: str, actor: str) -> None:
    """暂停接听,仍算签到。"""
    _act(app, agent, PresenceAct.PAUSE, actor, why=PauseReason(why))


@click.command()
@click.argument("agent")
@click.option("--waive-debrief", is_flag=True, help="不等支持性谈话就接听(只能由本人决定)")
@actor_option
@pass_app
def resume(app: App, agent: str, waive_debrief: bool, actor: str) -> None:
    """恢复接听。"""
    _act(app, agent, PresenceAct.UNPAUSE, actor, waive=waive_debrief)


def _act(
    app: App,
    agent: str,
    what: PresenceAct,
    actor: str,
    why: PauseReason = PauseReason.REST,
    waive: bool = False,
) -> None:
    now = app.clock()
    with app.store() as work:
        stands = presence.act(work, agent, what, why=why, waive=waive, actor=actor, now=now)
        ringing = agent in presence.members_at(work, now)
        work.commit()
    reason = f"({PAUSE_WORDS[why]})" if what is PresenceAct.PAUSE else ""
    say(f"{agent} {_NOW_STANDS[what]}{reason}。{_outlook(stands, ringing)}")


def _outlook(stands: Presence, ringing: bool) -> str:
    if ringing:
        return "现在在班,来电会响铃。"
    if stands.signed_on and stands.debrief:
        return "上一通电话还没有谈过:督导谈过并登记后再接听;现在就接,请本人用 resume --waive-debrief。"
    return "现在不在班内,到班次时间自动开始接听。" if stands.signed_on and not stands.paused else ""


def stands_in_words(row: dict[str, object]) -> str:
    """Return in a few words where somebody on the board stands."""
    if row["debrief"]:
        return "待支持谈话"
    if row["paused"]:
        why = str(row["why"])
        return f"暂停({PAUSE_WORDS[PauseReason(why)]})" if why in set(PauseReason) else "暂停"
    return "在班接听" if row["on_duty"] else "已签到" if row["signed_on"] else "未签到"
