"""`hotline alarm`: what is wrong, who knows of it, and whether the roads still work."""

from __future__ import annotations

import asyncio

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, local, pass_app, show_one, show_rows
from callcenter.domain.alarms import Alarm, AlarmKind
from callcenter.errors import CallCenterError, PbxUnreachable, Refused
from callcenter.service.line import alarms as service
from callcenter.service.line.self_dial import JournalEar, SelfDial, self_dial, settle
from callcenter.words import ALARMS

_COLUMNS = [
    ("id", "编号"),
    ("kind_text", "告警"),
    ("raised_at", "发生"),
    ("cleared_text", "恢复"),
    # Orders to ring, as far as a PBX was there to take them: who was reached, only a name tells.
    ("rings", "呼叫"),
    ("acknowledged_by", "确认人"),
]
#: The order lies in the spool folder and is carried out when Asterisk comes up.
_LATER = "Asterisk 没有在运行,要等它启动后才会依次呼叫:"
_PROBLEMS = {
    "not_placed": "呼叫没有发出去,请看电话系统是否在运行、外线是否注册。",
    "not_heard": "呼叫发出后没有回到热线,请与运营商核对线路。",
}


@click.group()
def alarm() -> None:
    """告警:哪里不对,谁已知道。"""


@alarm.command("list")
@click.option("--open", "only_open", is_flag=True, help="只列出还没有人确认的")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="最多几条")
@actor_option
@json_option
@pass_app
def list_alarms(app: App, only_open: bool, limit: int, actor: str, as_json: bool) -> None:
    """列出告警,新的在前。恢复不等于确认:要有人具名确认才会停止响铃。"""
    with app.store() as work:
        found = service.seen_alarms(work, actor=actor, only_open=only_open, limit=limit)
    show_rows([_row(one) for one in found], _COLUMNS, as_json)


@alarm.command()
@click.argument("alarm_id", metavar="编号")
@click.option("--reason", default="", help="原因或已采取的措施(记入操作留痕)")
@actor_option
@json_option
@pass_app
def ack(app: App, alarm_id: str, reason: str, actor: str, as_json: bool) -> None:
    """具名确认一条告警,让它停止响铃。"""
    with app.store() as work:
        done = service.acknowledge(work, alarm_id, actor=actor, now=app.clock(), reason=reason)
        work.commit()
    app.road.silence(alarm_id)
    show_one(_row(done), [*_COLUMNS, ("acknowledged_at", "确认时间")], as_json)


@alarm.command()
@actor_option
@json_option
@pass_app
def test(app: App, actor: str, as_json: bool) -> None:
    """真的响一次铃:按次序呼叫告警名单上的人,直到有人按 1 确认。"""
    with app.store() as work:
        people = service.allow_test(work, actor=actor)
    if not people:
        raise Refused("告警名单是空的,告警不会有人听到。用 hotline user set 给督导设 --alarm-rank。")
    bell = service.Bell(app.store, app.road, service.policy_of(app.settings.alarms))
    rung = bell.raise_alarm(AlarmKind.TEST, "by_command", app.clock(), actor=actor)
    if rung.rung_at is None:
        raise PbxUnreachable(f"{app.settings.pbx_home}/spool 写不进去,告警没有响。请检查磁盘和权限。")
    if not as_json:
        click.echo(("正在依次呼叫:" if _pbx_answers(app) else _LATER) + " → ".join(p.code for p in people))
    show_one(_row(rung), _COLUMNS[:3], as_json)


@alarm.command()
@actor_option
@json_option
@pass_app
def selfdial(app: App, actor: str, as_json: bool) -> None:
    """从外线拨打自己的热线号码,证明来电真的打得进来。最长等一分钟。"""
    with app.store() as work:
        service.allow_test(work, actor=actor)
    result = asyncio.run(_dial(app))
    bell = service.Bell(app.store, app.road, service.policy_of(app.settings.alarms))
    settle(bell, result, app.clock(), actor=actor)
    titles = [("probe", "编号"), ("works", "打得进来"), ("members", "队列人数"), ("took", "用时")]
    show_one(_said(result), titles, as_json)
    if result.problem:
        raise PbxUnreachable(_PROBLEMS[result.problem])


def _pbx_answers(app: App) -> bool:
    try:
        app.console().run("core show uptime")
    except CallCenterError:
        return False
    return True


async def _dial(app: App) -> SelfDial:
    ear = JournalEar(app.settings.pbx_home / "log" / "cel-custom")
    async with app.telephony() as line:
        return await self_dial(line.queue, line.calls, ear, app.settings.site, app.clock)


def _row(one: Alarm) -> dict[str, object]:
    return {
        "id": one.id,
        "kind": one.kind,
        "kind_text": ALARMS[one.kind],
        "detail": one.detail,
        "raised_at": one.raised_at,
        "rung_at": one.rung_at,
        "rings": one.rounds + 1 if one.rung_at else 0,
        "cleared_at": one.cleared_at,
        "cleared_text": local(one.cleared_at)[6:11] if one.cleared_at else None,
        "acknowledged_at": one.acknowledged_at,
        "acknowledged_by": one.acknowledged_by,
    }


def _said(result: SelfDial) -> dict[str, object]:
    return {
        "probe": result.probe,
        "at": result.at,
        "works": result.works,
        "problem": result.problem,
        "members": result.members,
        "took": result.took,
    }
