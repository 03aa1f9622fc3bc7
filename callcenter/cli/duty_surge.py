"""`hotline duty surge`: for a while backups on call are rung like everybody at the line."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, show_one
from callcenter.domain.roster import Surge
from callcenter.errors import Refused
from callcenter.service.line import surge as service

_COLUMNS = [("state_text", "高峰接听"), ("until_text", "到"), ("by", "发起人")]


@click.group()
def surge() -> None:
    """高峰接听:备班人员也一起响铃,到时自动结束。"""


@surge.command()
@click.option("--for", "length", help="多久,如 90m、2h、1h30m;不写则按配置 duty.surge_lasts")
@click.option("--reason", default="", help="原因(必填,记入操作留痕)")
@actor_option
@json_option
@pass_app
def on(app: App, length: str | None, reason: str, actor: str, as_json: bool) -> None:
    """从现在起让备班人员一起响铃;已经开始的改为到新的时间。"""
    with app.store() as work:
        now = app.clock()
        lasts = app.settings.duty.surge_lasts if length is None else _length(length)
        begun = service.begin(work, lasts, actor=actor, now=now, reason=reason)
        work.commit()
    _show(begun, now, app.settings.site.zone, as_json)


@surge.command()
@click.option("--reason", default="", help="原因(记入操作留痕)")
@actor_option
@json_option
@pass_app
def off(app: App, reason: str, actor: str, as_json: bool) -> None:
    """现在就结束高峰接听。"""
    with app.store() as work:
        now = app.clock()
        ended = service.end(work, actor=actor, now=now, reason=reason)
        work.commit()
    _show(ended, now, app.settings.site.zone, as_json)


@surge.command()
@actor_option
@json_option
@pass_app
def show(app: App, actor: str, as_json: bool) -> None:
    """看现在是否高峰接听、到几点。"""
    with app.store() as work:
        now = app.clock()
        standing = service.current(work, actor=actor, now=now)
    _show(standing, now, app.settings.site.zone, as_json)


def _length(text: str) -> timedelta:
    hours, _, minutes = text.partition("h") if "h" in text else ("0", "", text)
    minutes = minutes.removesuffix("m") or "0"
    if not (hours.isascii() and hours.isdigit() and minutes.isascii() and minutes.isdigit()):
        raise Refused("时长写作 90m、2h 或 1h30m。")
    if len(hours) > 3 or len(minutes) > 4:
        raise Refused("高峰接听为 5 分钟至 12 小时。更久请排班。")
    return timedelta(hours=int(hours), minutes=int(minutes))


def _show(found: Surge | None, now: datetime, zone: ZoneInfo, as_json: bool) -> None:
    is_on = found is not None and found.until > now
    if found is None or not is_on:
        none = {"on": False, "until": None, "by": None, "state_text": "没有", "until_text": None}
        show_one(none, _COLUMNS[:1], as_json)
        return
    until = found.until.astimezone(zone)
    row = {"on": True, "until": found.until, "by": found.by}
    show_one({**row, "state_text": "进行中", "until_text": f"{until:%m-%d %H:%M}"}, _COLUMNS, as_json)
