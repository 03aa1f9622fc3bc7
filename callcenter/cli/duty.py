"""`hotline duty`: who is on shift, who signed on, where the roster is thin."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, check_year, json_option, pass_app, show_rows
from callcenter.domain.duty import Presence, PresenceAct
from callcenter.errors import Refused
from callcenter.service.duty import presence, roster
from callcenter.service.duty.roster import Gap, Lack

_START = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})[ T](\d{1,2}):(\d{2})")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_LENGTH = re.compile(r"(?:(\d{1,2})h)?(?:(\d{1,3})m)?")

_LACKS = {Lack.NOBODY: "无人值班", Lack.THIN: "不足两席", Lack.NO_SUPERVISOR: "没有可呼叫的督导"}
_NOW_STANDS = {
    PresenceAct.ON: "已签到",
    PresenceAct.OFF: "已签退",
    PresenceAct.PAUSE: "已暂停接听",
    PresenceAct.UNPAUSE: "已恢复接听",
}


@click.group()
def duty() -> None:
    """排班与值守。"""


# --- looking -------------------------------------------------------------------------------


@duty.command()
@click.option("--day", help="看哪一天,例如 2026-11-23;默认今天")
@actor_option
@json_option
@pass_app
def show(app: App, day: str | None, actor: str, as_json: bool) -> None:
    """列出当天的班次,以及各人现在是否签到、暂停、应接听。"""
    zone, now = app.settings.site.zone, app.clock()
    start = _midnight(_day(day) if day else now.astimezone(zone).date(), zone)
    with app.store() as work:
        places = roster.board(work, start, _next_midnight(start, zone), actor=actor, now=now)
    rows = [
        {
            "agent": p.shift.agent,
            "name": p.name,
            "start": p.shift.start,
            "end": p.shift.end,
            "signed_on": p.signed_on,
            "paused": p.paused,
            "on_duty": p.on_duty,
            "id": p.shift.id,
        }
        for p in places
    ]
    if not rows and not as_json:
        click.echo("这一天没有排班。用 hotline duty add 排班。")
        return
    columns = [("agent", "代码"), ("name", "姓名"), ("time", "班次"), ("stands", "现在"), ("id", "班次编号")]
    show_rows(rows if as_json else [_worded(row, zone) for row in rows], columns, as_json)


@duty.command()
@click.option("--days", type=click.IntRange(1, 60), default=14, show_default=True, help="往后看几天")
@actor_option
@json_option
@pass_app
def gaps(app: App, days: int, actor: str, as_json: bool) -> None:
    """列出往后无人值班或不足两席的时段。"""
    now = app.clock().replace(second=0, microsecond=0)
    with app.store() as work:
        found = roster.gaps_ahead(work, now, now + timedelta(days=days), actor=actor)
    rows = [
        {"lack": g.lack, "start": g.start, "end": g.end, "length": g.end - g.start, "agents": g.agents}
        for g in found
    ]
    if as_json:
        show_rows(rows, [], as_json=True)
    elif found:
        _say_gaps(found, app.settings.site.zone)
    else:
        click.echo(f"往后 {days} 天每个时段都有两席以上。")


# --- planning ------------------------------------------------------------------------------


@duty.command()
@click.argument("agent")
@click.argument("start")
@click.argument("end", required=False)
@click.option("--length", help="班次时长,例如 6h 或 1h30m(代替结束时间)")
@click.option("--reason", default="", help="说明,记入操作留痕")
@actor_option
@pass_app
def add(
    app: App, agent: str, start: str, end: str | None, length: str | None, reason: str, actor: str
) -> None:
    """排一个班。START 为当地时间,如 "2026-11-23 19:00";END 如 01:00,可过午夜。

    也可写成 "2026-11-23 19:00-01:00"。
    """
    zone = app.settings.site.zone
    begins, lasts = parse_shift(start, end, length, zone)
    with app.store() as work:
        planned = roster.add_shift(work, agent, begins, lasts, actor=actor, now=app.clock(), reason=reason)
        work.commit()
    click.echo(f"已排班 {planned.shift.id}:{agent} {_span(planned.shift.start, planned.shift.end, zone)}")
    _say_gaps(planned.gaps, zone)


@duty.command()
@click.argument("shift_id")
@click.option("--reason", default="", help="说明,记入操作留痕")
@actor_option
@pass_app
def remove(app: App, shift_id: str, reason: str, actor: str) -> None:
    """取消一个班次(编号见 hotline duty show)。"""
    zone = app.settings.site.zone
    with app.store() as work:
        gone = roster.remove_shift(work, shift_id, actor=actor, now=app.clock(), reason=reason)
        work.commit()
    click.echo(f"已取消 {gone.shift.agent} {_span(gone.shift.start, gone.shift.end, zone)}")
    _say_gaps(gone.gaps, zone)


# --- presence ------------------------------------------------------------------------------


def _presence_command(name: str, what: PresenceAct, text: str) -> None:
    @duty.command(name, help=text)
    @click.argument("agent")
    @actor_option
    @pass_app
    def command(app: App, agent: str, actor: str) -> None:
        _act(app, agent, what, actor)


_presence_command("on", PresenceAct.ON, "签到:轮到班次时开始接听。")
_presence_command("off", PresenceAct.OFF, "签退:不再接听。")
_presence_command("pause", PresenceAct.PAUSE, "暂停接听,仍算签到。")
_presence_command("resume", PresenceAct.UNPAUSE, "恢复接听。")


def _act(app: App, agent: str, what: PresenceAct, actor: str) -> None:
    now = app.clock()
    with app.store() as work:
        stands = presence.act(work, agent, what, actor=actor, now=now)
        ringing = agent in presence.members_at(work, now)
        work.commit()
    click.echo(f"{agent} {_NOW_STANDS[what]}。{_outlook(stands, ringing)}")


def _outlook(stands: Presence, ringing: bool) -> str:
    if ringing:
        return "现在在班,来电会响铃。"
    return "现在不在班内,到班次时间自动开始接听。" if stands.signed_on and not stands.paused else ""


# --- words ---------------------------------------------------------------------------------


def parse_shift(
    start: str, end: str | None, length: str | None, zone: ZoneInfo
) -> tuple[datetime, timedelta]:
    """Return the start and length of a shift as people write it; raise `Refused` with an example.

    The length is real time: an hour that the clock skips is not in it.
    """
    if end is None and length is None and (found := re.fullmatch(rf"({_START.pattern})-(.+)", start)):
        start, end = found[1], found[found.re.groups]
    begins = _wall(start, zone)
    match end, length:
        case str(), None:
            ends = _end_after(begins, end, zone)
        case None, str():
            ends = begins + _length(length)
        case _:
            raise Refused("结束时间和 --length 要给一个,也只给一个。例如:19:00-01:00 或 --length 6h")
    return begins, ends - begins


def _wall(text: str, zone: ZoneInfo) -> datetime:
    found = _START.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        local = datetime(*map(int, found.groups()), tzinfo=zone)  # type: ignore[misc,arg-type]
    except ValueError:
        raise Refused(f"看不懂时间 {text!r}。请写成 2026-11-23 19:00") from None
    check_year(local)
    return local.astimezone(UTC)


def _end_after(begins: datetime, text: str, zone: ZoneInfo) -> datetime:
    """Read the end: a full date, or a clock time which is the next such time after the start."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        return _wall(text, zone)
    local = begins.astimezone(zone)
    try:
        clock = time(0 if found[0] == "24:00" else int(found[1]), int(found[2]))
    except ValueError:
        raise Refused(f"看不懂结束时间 {text!r}。请写成 01:00") from None
    day = local.date() if clock > local.time() else local.date() + timedelta(days=1)
    return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)


def _length(text: str) -> timedelta:
    found = _LENGTH.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        raise Refused(f"看不懂时长 {text!r}。请写成 6h 或 1h30m")
    return timedelta(hours=int(found[1] or 0), minutes=int(found[2] or 0))


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Refused(f"看不懂日期 {text!r}。请写成 2026-11-23") from None
    check_year(day)
    return day


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def _next_midnight(start: datetime, zone: ZoneInfo) -> datetime:
    return _midnight(start.astimezone(zone).date() + timedelta(days=1), zone)


def _span(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """Return `11-23 19:00–01:00`; the day of the end is named where the clock alone misleads."""
    first, last = start.astimezone(zone), end.astimezone(zone)
    short = first.date() == last.date() or end - start <= timedelta(hours=12)
    return f"{first:%m-%d %H:%M}–{last:%H:%M}" if short else f"{first:%m-%d %H:%M}–{last:%m-%d %H:%M}"


def _worded(row: dict[str, object], zone: ZoneInfo) -> dict[str, object]:
    start, end = row["start"], row["end"]
    if not isinstance(start, datetime) or not isinstance(end, datetime):
        raise TypeError("a shift has a start and an end")
    return {**row, "time": _span(start, end, zone), "stands": _stands(row)}


def _stands(row: dict[str, object]) -> str:
    words = (("on_duty", "在班接听"), ("paused", "暂停"), ("signed_on", "已签到"))
    return next((text for key, text in words if row[key]), "未签到")


def _say_gaps(gaps: Iterable[Gap], zone: ZoneInfo) -> None:
    for gap in gaps:
        who = f"(只有 {'、'.join(sorted(gap.agents))})" if gap.agents else ""
        click.echo(f"注意:{_span(gap.start, gap.end, zone)} {_LACKS[gap.lack]}{who}")
