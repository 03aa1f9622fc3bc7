"""`hotline duty`: who is on shift, who signed on, where the roster is thin."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, say, show_rows
from callcenter.cli.duty_debrief import debrief
from callcenter.cli.duty_files import calendar, export, import_
from callcenter.cli.duty_gaps import gaps
from callcenter.cli.duty_hours import correct, hours, say_tired
from callcenter.cli.duty_plan import kind_option, need, override, reason_option, template
from callcenter.cli.duty_presence import off, on, pause, resume, stands_in_words
from callcenter.cli.duty_publish import publish
from callcenter.cli.duty_route import duty_route
from callcenter.cli.duty_sheet import sheet
from callcenter.cli.duty_surge import surge
from callcenter.cli.duty_swap import swap
from callcenter.cli.duty_time import midnight, next_midnight, parse_day, parse_shift, span
from callcenter.cli.duty_words import warn_of
from callcenter.domain.duty import ShiftKind
from callcenter.service.duty import attendance, roster
from callcenter.service.duty.checking import rules_of
from callcenter.service.duty.filed import KIND_WORDS


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
    start = midnight(parse_day(day) if day else now.astimezone(zone).date(), zone)
    with app.store() as work:
        places = roster.board(work, start, next_midnight(start, zone), actor=actor, now=now)
        tired = attendance.tired(work, actor=actor, now=now) if day is None else ()
    rows = [
        {
            "agent": p.shift.agent,
            "name": p.name,
            "kind": p.shift.kind,
            "start": p.shift.start,
            "end": p.shift.end,
            "signed_on": p.signed_on,
            "paused": p.paused,
            "why": p.why,
            "debrief": p.debrief,
            "on_duty": p.on_duty,
            "id": p.shift.id,
        }
        for p in places
    ]
    if not rows and not as_json:
        click.echo("这一天没有排班。用 hotline duty add 排班。")
        return
    columns = [("agent", "代码"), ("name", "姓名"), ("kind", "类别"), ("time", "班次"), ("stands", "现在")]
    columns.append(("id", "班次编号"))
    show_rows(rows if as_json else [_worded(row, zone) for row in rows], columns, as_json)
    if not as_json:
        say_tired(tired)


# --- planning ------------------------------------------------------------------------------


@duty.command()
@click.argument("agent")
@click.argument("start")
@click.argument("end", required=False)
@click.option("--length", help="班次时长,例如 6h 或 1h30m(代替结束时间)")
@kind_option
@reason_option
@actor_option
@pass_app
def add(
    app: App,
    agent: str,
    start: str,
    end: str | None,
    length: str | None,
    kind: str,
    reason: str,
    actor: str,
) -> None:
    """排一个班。START 为当地时间,如 "2026-11-23 19:00";END 如 01:00,可过午夜。

    也可写成 "2026-11-23 19:00-01:00"。已经开始的班,只能替别人补排,要写理由。
    """
    zone = app.settings.site.zone
    begins, lasts = parse_shift(start, end, length, zone)
    with app.store() as work:
        planned = roster.add_shift(
            work,
            agent,
            begins,
            lasts,
            kind=ShiftKind(kind),
            rules=rules_of(app.settings),
            actor=actor,
            now=app.clock(),
            reason=reason,
        )
        work.commit()
    click.echo(f"已排班 {planned.shift.id}:{agent} {span(planned.shift.start, planned.shift.end, zone)}")
    warn_of(planned.gaps, zone)


@duty.command()
@click.argument("shift_id")
@reason_option
@actor_option
@pass_app
def remove(app: App, shift_id: str, reason: str, actor: str) -> None:
    """取消一个班次(编号见 hotline duty show)。

    正在值的班从现在起结束,值过的时间照算,要写理由;已经结束的班不能取消。
    """
    zone = app.settings.site.zone
    with app.store() as work:
        gone = roster.remove_shift(
            work, shift_id, rules=rules_of(app.settings), actor=actor, now=app.clock(), reason=reason
        )
        work.commit()
    if gone.kept is not None:
        worked = span(gone.kept.start, gone.kept.end, zone)
        say(f"{gone.shift.agent} 的班已提前结束:{worked}。值过的时间照算。")
    else:
        click.echo(f"已取消 {gone.shift.agent} {span(gone.shift.start, gone.shift.end, zone)}")
    warn_of(gone.gaps, zone)


# --- words ---------------------------------------------------------------------------------


def _worded(row: dict[str, object], zone: ZoneInfo) -> dict[str, object]:
    start, end = row["start"], row["end"]
    if not isinstance(start, datetime) or not isinstance(end, datetime):
        raise TypeError("a shift has a start and an end")
    return {
        **row,
        "time": span(start, end, zone),
        "kind": KIND_WORDS[ShiftKind(str(row["kind"]))],
        "stands": stands_in_words(row),
    }


for command in (template, need, override, publish, swap, surge):
    duty.add_command(command)
for command in (on, off, pause, resume, debrief, hours, correct):
    duty.add_command(command)
for command in (gaps, sheet, export, import_, calendar):
    duty.add_command(command)
duty.add_command(duty_route)
