"""`hotline duty hours|correct`: who was there for how long, for fees and for care."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, check_year, json_option, pass_app, say, show_one, show_rows
from callcenter.cli.duty_presence import PAUSE_WORDS
from callcenter.cli.duty_time import midnight, parse_shift, span
from callcenter.domain.attendance import ENOUGH_CALLS, ENOUGH_TIME
from callcenter.domain.staff import AttendanceCorrection
from callcenter.errors import Refused
from callcenter.service.duty import attendance as service
from callcenter.service.duty.attendance import Sheet, Tired

_MONTH = re.compile(r"(\d{4})-(\d{1,2})")
_PARTS = ("planned", "present", "late", "left_early", "away", "missed", "outside")
_TITLES = [
    *(("agent", "代码"), ("planned", "排班"), ("present", "在岗"), ("late", "迟到"), ("left_early", "早退")),
    *(("away", "离岗"), ("missed", "缺勤"), ("outside", "班外"), ("paused", "暂停"), ("calls", "通话")),
]


@click.command()
@click.option("--month", required=True, help="哪个月,例如 2026-11")
@click.option("--agent", help="只看一个人(咨询员只能看自己)")
@actor_option
@json_option
@pass_app
def hours(app: App, month: str, agent: str | None, actor: str, as_json: bool) -> None:
    """列出一个月的出勤:排班、在岗、迟到、早退、离岗、缺勤、班外、暂停(时:分)。

    在岗含暂停;班外是没有排班而签到的时间,单列。还没到的班次只算在“排班”里。
    """
    zone = app.settings.site.zone
    start, end = _month(month, zone)
    with app.store() as work:
        found = service.sheets(work, start, end, agent=agent, actor=actor, now=app.clock())
    if as_json:
        show_rows([_plain(sheet) for sheet in found], [], as_json=True)
        return
    if not found:
        click.echo("这个月没有排班,也没有人签到。")
        return
    if len(found) == 1:
        _show_person(found[0], zone)
    else:
        show_rows([_short(sheet) for sheet in found], _TITLES)
    for sheet in found:
        _say_enough(sheet)


@click.command()
@click.argument("agent")
@click.argument("start")
@click.argument("end", required=False)
@click.option("--length", help="时长,例如 30m 或 1h30m(代替结束时间)")
@click.option("--counts/--counts-not", default=None, help="这段时间算在岗,还是不算")
@click.option("--reason", required=True, help="为什么更正,本人和督导看得到,记入操作留痕")
@actor_option
@pass_app
def correct(
    app: App,
    agent: str,
    start: str,
    end: str | None,
    length: str | None,
    counts: bool | None,
    reason: str,
    actor: str,
) -> None:
    """更正一段出勤;签到签退的原记录不动,更正另记一条。

    时间的写法和 hotline duty add 一样,例如 "2026-11-23 19:00" 19:30。后写的更正为准。
    """
    if counts is None:
        raise click.UsageError("请写明算在岗(--counts)还是不算(--counts-not)。")
    zone = app.settings.site.zone
    begins, lasts = parse_shift(start, end, length, zone)
    with app.store() as work:
        made = service.correct(
            work, agent, begins, begins + lasts, counts, reason=reason, actor=actor, now=app.clock()
        )
        work.commit()
    say(f"已更正 {made.id}:{agent} {_said(made, zone)}")


def say_tired(found: Iterable[Tired]) -> None:
    """Print a kind word about whoever has had enough for one shift."""
    for one in found:
        many = f"、接了 {one.calls} 通" if one.calls else ""
        text = f"提醒:{one.agent} 这一班已在线 {_clock(one.at_line)}{many},可以歇一歇,或请人接替。"
        say(text, further="  ")


def _month(text: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    found = _MONTH.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        first = date(int(found[1]), int(found[2]), 1)
    except ValueError:
        raise Refused(f"看不懂月份 {text!r}。请写成 2026-11") from None
    check_year(first)
    after = (first + timedelta(days=31)).replace(day=1)
    return midnight(first, zone), midnight(after, zone)


def _plain(sheet: Sheet) -> dict[str, object]:
    found = sheet.hours
    return {
        "agent": found.agent,
        "name": sheet.name,
        **{part: getattr(found, part) for part in _PARTS},
        "paused": {reason.value: length for reason, length in found.paused.items()},
        "calls": sheet.calls,
        "long_shifts": found.long_shifts,
        "busy_shifts": sheet.busy_shifts,
        "corrections": [
            {"id": c.id, "start": c.start, "end": c.end, "counts": c.counts, "reason": c.reason, "by": c.by}
            for c in sheet.corrections
        ],
    }


def _short(sheet: Sheet) -> dict[str, object]:
    found = sheet.hours
    rested = sum(found.paused.values(), timedelta())
    times: Mapping[str, timedelta] = {part: getattr(found, part) for part in _PARTS}
    return {
        "agent": found.agent,
        "calls": sheet.calls,
        "paused": _clock(rested),
        **{part: _clock(length) for part, length in times.items()},
    }


def _show_person(sheet: Sheet, zone: ZoneInfo) -> None:
    row = {**_short(sheet), "name": sheet.name}
    show_one(row, [_TITLES[0], ("name", "姓名"), *_TITLES[1:]])
    for reason, length in sheet.hours.paused.items():
        click.echo(f"  暂停({PAUSE_WORDS[reason]}) {_clock(length)}")
    for one in sorted(sheet.corrections, key=lambda c: (c.at, c.id)):
        say(f"更正 {_said(one, zone)}:{one.reason}({one.by})", further="  ")


def _said(one: AttendanceCorrection, zone: ZoneInfo) -> str:
    return f"{span(one.start, one.end, zone)} {'计入' if one.counts else '不计'}"


def _say_enough(sheet: Sheet) -> None:
    longest, most = _clock(ENOUGH_TIME), ENOUGH_CALLS
    told = []
    if sheet.hours.long_shifts:
        told.append(f"{sheet.hours.long_shifts} 个班在线超过 {longest}")
    if sheet.busy_shifts:
        told.append(f"{sheet.busy_shifts} 个班接听超过 {most} 通")
    if told:
        say(f"提醒:{sheet.hours.agent} 有 {'、'.join(told)},请留意休息。", further="  ")


def _clock(length: timedelta) -> str:
    """Return a duration as `h:mm`."""
    whole = round(length.total_seconds() / 60)
    return f"{whole // 60}:{whole % 60:02d}"
