"""`hotline calls crisis`: somebody in a call is in danger, and supervisors are called to it (R14)."""

from __future__ import annotations

import click

from callcenter.bootstrap import App
from callcenter.cli.common import json_option, known_actor, pass_app, say, show_one
from callcenter.db.errors import StoreError
from callcenter.domain.alarms import Alarm
from callcenter.errors import CallCenterError, NotFound, Refused
from callcenter.service.line import crisis as service
from callcenter.service.risk.rescue_calls import HonestRoad

_SHOW = [("call", "通话"), ("alarm", "告警"), ("acknowledged_by", "确认人")]


@click.command()
@click.argument("call", metavar="通话编号")
@click.option("--as", "actor", envvar="HOTLINE_ACTOR", help="以谁的名义(人员代码);也可用 HOTLINE_ACTOR")
@json_option
@pass_app
def crisis(app: App, call: str, actor: str | None, as_json: bool) -> None:
    """通话中有人处境危险:马上呼叫督导。来电者仍由咨询员陪着,没有人加入通话。

    咨询员在话机上按 *9 是同一件事。数据库没有应答时也呼叫督导。
    """
    road = HonestRoad(app.road, answers=app.pbx_answers())
    try:
        alarm, heard = _call_for_help(app, road, call, actor)
    except (Refused, NotFound):
        raise
    except (CallCenterError, StoreError, OSError) as error:
        _ring_blind(app, road, call, error, as_json)
        raise SystemExit(1) from error
    row = {"call": call, "alarm": alarm.id, "acknowledged_by": alarm.acknowledged_by, "rung": heard}
    show_one(row, _SHOW, as_json)
    if not as_json:
        say("正在呼叫督导。" if heard else _YOURSELF)
    if not heard:
        raise SystemExit(1)


_YOURSELF = (
    "督导的电话没有响（电话系统没有应答，或告警名单里没有人）：请马上打电话给督导，同时拨 110 或 120。"
)


def _call_for_help(app: App, road: HonestRoad, call: str, actor: str | None) -> tuple[Alarm, bool]:
    """Return the alarm, and whether somebody who can be rung is rung now."""
    by, now = known_actor(app, actor), app.clock()
    with app.store() as work:
        called = service.call_for_help(work, road, call, actor=by, now=now)
        work.commit()
    return called.alarm, bool(called.chain and road.rung)


def _ring_blind(app: App, road: HonestRoad, call: str, problem: Exception, as_json: bool) -> None:
    """Ring although nothing can be written: who asks cannot be checked then, and danger does not wait."""
    rings = bool(road.rung) or service.ring_blind(road, call, app.clock())
    told = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
    if as_json:
        show_one({"call": call, "recorded": False, "rung": rings, "problem": told}, [], as_json=True)
        return
    say("正在呼叫督导。" if rings else _YOURSELF)
    say(f"没有写下：{told}。恢复后请补登：hotline calls crisis {call}")
