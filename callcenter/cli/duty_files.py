"""`hotline duty export|import|calendar`: the roster as files, out and in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, say, show_one
from callcenter.cli.duty_time import midnight, parse_day, span
from callcenter.cli.duty_words import fault_row, say_dry, warn_of
from callcenter.domain.duty import Shift
from callcenter.errors import Refused
from callcenter.files import write_private
from callcenter.service.duty import calendars, importing, tables
from callcenter.service.duty.checking import rules_of
from callcenter.service.duty.filed import KIND_WORDS, Filing, read_text
from callcenter.service.duty.importing import Difference

#: A calendar of one's own reaches so far ahead unless somebody says otherwise.
_AHEAD = timedelta(days=62)
_MOST_DAYS = 400
#: So many differences are shown of each kind.
_SHOWN = 30

_from = click.option("--from", "first", help="从哪一天起(含),如 2026-11-30;默认今天")
_to = click.option("--to", "last", help="到哪一天止(含);默认 62 天以后")
_out = click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="写到文件;不写则打印出来")


@click.command()
@click.option(
    "--format", "kind", type=click.Choice(["csv", "ics"]), default="csv", show_default=True, help="写成什么"
)
@_from
@_to
@click.option("--agent", "agents", multiple=True, help="只要这个人的(可多次)")
@_out
@actor_option
@pass_app
def export(
    app: App,
    kind: str,
    first: str | None,
    last: str | None,
    agents: tuple[str, ...],
    out: Path | None,
    actor: str,
) -> None:
    """把已发布的班次写成表格(CSV)或日历(iCalendar)。

    只有人员代码,没有姓名和号码。日历里每个班有固定的编号,再次导入不会重复。
    """
    _write_out(app, kind, _days(app, first, last), frozenset(agents) or None, out, actor)


@click.command()
@click.argument("agent")
@_from
@_to
@_out
@actor_option
@pass_app
def calendar(app: App, agent: str, first: str | None, last: str | None, out: Path | None, actor: str) -> None:
    """把一个人的班次写成日历(iCalendar),可放进手机。"""
    _write_out(app, "ics", _days(app, first, last), frozenset({agent}), out, actor)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="只看会改什么,不写入")
@click.option("--reason", default="", help="说明,记入操作留痕")
@json_option
@actor_option
@pass_app
def import_(app: App, file: Path, dry_run: bool, reason: str, as_json: bool, actor: str) -> None:
    """从 CSV 表格或 .ics 日历导入班次。全部导入,或一个也不导入。

    表格的列:代码、开始、结束(或时长)、类别。日历的事件:标题里写人员代码。
    文件里没有的班次不会取消。
    """
    now = app.clock()
    with app.store() as work:
        known = importing.codes(work, actor=actor)
    # Read while nothing is held: a large file takes seconds.
    filing = _read(app, file, known, now)
    with app.store() as work:
        found = importing.import_shifts(
            work,
            filing,
            rules=rules_of(app.settings),
            actor=actor,
            now=now,
            reason=reason,
            dry_run=dry_run,
        )
        if not dry_run:
            work.commit()
    if as_json:
        show_one(_difference_row(found, filing, dry_run), [], as_json=True)
    else:
        _say_difference(app, found, filing, dry_run)


# --- out -----------------------------------------------------------------------------------------


def _write_out(
    app: App,
    kind: str,
    days: tuple[datetime, datetime],
    agents: frozenset[str] | None,
    out: Path | None,
    actor: str,
) -> None:
    zone = app.settings.site.zone
    with app.store() as work:
        shifts = importing.shifts_to_file(work, *days, agents, actor=actor)
    content = tables.written(shifts, zone) if kind == "csv" else calendars.written(shifts, zone, app.clock())
    if out is None:
        click.echo(content, nl=False)
        return
    write_private(out, content)
    click.echo(f"已写 {len(shifts)} 个班到 {out}。")


def _days(app: App, first: str | None, last: str | None) -> tuple[datetime, datetime]:
    zone = app.settings.site.zone
    begins = parse_day(first) if first else app.clock().astimezone(zone).date()
    ends = parse_day(last) if last else begins + _AHEAD
    if not begins <= ends <= begins + timedelta(days=_MOST_DAYS):
        raise Refused(f"起始不晚于截止,最多 {_MOST_DAYS} 天。")
    return midnight(begins, zone), midnight(ends + timedelta(days=1), zone)


# --- in ------------------------------------------------------------------------------------------


def _read(app: App, file: Path, known: frozenset[str], now: datetime) -> Filing:
    zone = app.settings.site.zone
    text = read_text(file)
    if text.lstrip("\ufeff \r\n").upper().startswith("BEGIN:"):
        return calendars.read(text, file.name, zone, now, known)
    return tables.read(text, file.name, zone, now)


def _say_difference(app: App, found: Difference, filing: Filing, dry_run: bool) -> None:
    zone = app.settings.site.zone

    def told(shift: Shift) -> str:
        return f"{shift.agent} {span(shift.start, shift.end, zone)} {KIND_WORDS[shift.kind]}"

    lines = [f"新增 {told(new)}" for new in found.new]
    for before, after in found.changed:
        lines.append(f"改动 {told(before)} → {told(after)}")
    for line in lines[:_SHOWN]:
        say(line, further="  ")
    if more := len(lines) - _SHOWN if len(lines) > _SHOWN else 0:
        click.echo(f"还有 {more} 个,此处不列。")
    say(f"新增 {len(found.new)} 个班,改动 {len(found.changed)} 个,已有 {found.unchanged} 个。")
    for sentence in _left_out(app, filing):
        say(sentence)
    warn_of(found.faults[:_SHOWN], zone)
    if (hidden := len(found.faults) - _SHOWN) > 0:
        click.echo(f"还有 {hidden} 处不足,此处不列;--json 列出全部。")
    say_dry(dry_run)


def _left_out(app: App, filing: Filing) -> list[str]:
    said = []
    if filing.past:
        said.append(f"已经过去的事件 {filing.past} 个,没有导入。")
    if filing.cancelled:
        said.append(
            f"日历里已取消的事件 {filing.cancelled} 个,没有导入;排班表里的要用 hotline duty remove 取消。"
        )
    if filing.cut_at is not None:
        said.append(f"没有尽头的重复只排到 {filing.cut_at.astimezone(app.settings.site.zone):%Y-%m-%d}。")
    return said


def _difference_row(found: Difference, filing: Filing, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "new": [_row(shift) for shift in found.new],
        "changed": [{"before": _row(before), "after": _row(after)} for before, after in found.changed],
        "unchanged": found.unchanged,
        "past": filing.past,
        "cancelled": filing.cancelled,
        "cut_at": filing.cut_at,
        "faults": [fault_row(fault) for fault in found.faults],
    }


def _row(shift: Shift) -> dict[str, object]:
    return {
        "id": shift.id,
        "agent": shift.agent,
        "start": shift.start.astimezone(UTC).isoformat(),
        "end": shift.end.astimezone(UTC).isoformat(),
        "kind": shift.kind.value,
    }
