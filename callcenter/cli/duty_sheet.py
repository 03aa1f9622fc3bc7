"""`hotline duty sheet`: a week of the roster to be printed and hung on the wall."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import click
import jinja2

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, pass_app
from callcenter.cli.duty_time import parse_day
from callcenter.cli.duty_words import LACKS
from callcenter.domain.duty import ShiftKind
from callcenter.domain.plan_rules import Fault
from callcenter.errors import Refused
from callcenter.service.duty.checking import rules_of
from callcenter.service.duty.wall_sheet import Week, week

_WEEK = re.compile(r"(\d{4})-?W(\d{2})", re.IGNORECASE)
_MARKS = {ShiftKind.LINE: "", ShiftKind.BACKUP: "备", ShiftKind.SUPERVISOR: "督"}
_DAY_NAMES = "一二三四五六日"

_environment = jinja2.Environment(
    loader=jinja2.PackageLoader("callcenter.cli", "pages"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@click.command()
@click.option("--week", "chosen", required=True, help="哪一周,如 2026-W49,或这一周里的一天")
@actor_option
@pass_app
def sheet(app: App, chosen: str, actor: str) -> None:
    """打印一周的墙报(HTML,A4 横向):hotline duty sheet --week 2026-W49 > sheet.html

    姓名同排班表一样遮住,没有号码;备班和督导有标记,缺口在最下面一行。
    """
    rules = rules_of(app.settings)
    with app.store() as work:
        found = week(work, monday_of(chosen), rules=rules, actor=actor)
    click.echo(page(found, site=app.settings.site.name, zone=app.settings.site.zone, now=app.clock()))


def monday_of(text: str) -> date:
    """Read a week, `2026-W49`, or a day in it; return its Monday. Raise `Refused`."""
    found = _WEEK.fullmatch(text.strip())
    if found is None:
        day = parse_day(text)
        return day - timedelta(days=day.weekday())
    try:
        first = date.fromisocalendar(int(found[1]), int(found[2]), 1)
    except ValueError:
        raise Refused(f"{found[1]} 年没有第 {int(found[2])} 周。请写成 2026-W49。") from None
    return parse_day(first.isoformat())


def page(found: Week, *, site: str, zone: ZoneInfo, now: datetime) -> str:
    """Return the sheet as a page (HTML) that needs no other file."""
    number = found.days[0].isocalendar()
    return _environment.get_template("wall_sheet.html.j2").render(
        site=site,
        year=number.year,
        number=number.week,
        days=[f"{day.month}月{day.day}日 周{_DAY_NAMES[day.weekday()]}" for day in found.days],
        rows=found.rows,
        marks=_MARKS,
        gaps=[[(_when(fault, zone), _what(fault)) for fault in faults] for faults in found.faults],
        printed=now.astimezone(zone).strftime("%Y-%m-%d %H:%M"),
        small=len(found.rows) > 8,
    )


def _when(fault: Fault, zone: ZoneInfo) -> str:
    first, last = fault.start.astimezone(zone), fault.end.astimezone(zone)
    if fault.end - fault.start >= timedelta(hours=23):  # a day may be an hour shorter
        return "全天"
    return f"{first:%H:%M}–{'24:00' if last.date() > first.date() else f'{last:%H:%M}'}"


def _what(fault: Fault) -> str:
    here = "、".join(sorted(fault.agents))
    return LACKS[fault.lack] + (f"(只有 {here})" if here else "")
