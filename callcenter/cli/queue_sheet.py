"""`hotline queue sheet`: what one shift leaves to the next, accepted by name."""

from __future__ import annotations

from collections.abc import Sequence

import click

from callcenter.bootstrap import App
from callcenter.cli.common import (
    actor_option,
    json_option,
    known_actor,
    local,
    pass_app,
    say,
    show_one,
    show_rows,
)
from callcenter.domain.alarms import AlarmKind
from callcenter.domain.ledger import ShiftSheet
from callcenter.domain.levels import Level
from callcenter.service.followup import sheets
from callcenter.service.followup.sheets import About, Line
from callcenter.words import ALARMS, KIND_WORDS, LEVEL_WORDS
from scheduler.obligations import Kind

_ABOUT = {
    About.CASE: "危险个案",
    About.STEP: "随访",
    About.PROMISE: "承诺",
    About.TASK: "下一班的事",
    About.HANDOVER: "未接下的交接",
    About.WAIVER: "待第二人同意",
    About.DEBRIEF: "待谈的来电",
    About.BLOCK: "新停接的号码",
    About.ALARM: "告警",
}
_LINES = [("about_text", "什么"), ("id", "编号"), ("owner", "负责"), ("at_text", "时间"), ("what_text", "是")]
_SHEETS = [
    ("id", "编号"),
    ("by", "交班"),
    ("at_text", "写于"),
    ("count", "几项"),
    ("state_text", "状态"),
    ("accepted_by", "接班"),
    ("accepted_text", "接于"),
]


@click.group(invoke_without_command=True)
@click.option("--as", "actor", envvar="HOTLINE_ACTOR", help="以谁的名义（人员代码）；也可用 HOTLINE_ACTOR")
@json_option
@pass_app
@click.pass_context
def sheet(context: click.Context, app: App, actor: str | None, as_json: bool) -> None:
    """交班单:还开着的事。不写子命令则列出此刻会写上什么。"""
    if context.invoked_subcommand is not None:
        return  # it has an actor of its own
    who = known_actor(app, actor)
    with app.store() as work:
        lines = sheets.standing(work, actor=who, now=app.clock())
    _show_lines(lines, as_json)


@sheet.command()
@click.option("--note", "told", default="", help="要交代的话(加密保存)")
@actor_option
@json_option
@pass_app
def write(app: App, told: str, actor: str, as_json: bool) -> None:
    """下班时写交班单。接班的人具名接下之前一直开着。"""
    with app.store() as work:
        one = sheets.write(work, told=told, actor=actor, now=app.clock())
        work.commit()
    show_one(_row(one), _SHEETS[:5], as_json)
    if not as_json:
        say(f"请接班的人看过并接下：hotline queue sheet accept {one.id}")


@sheet.command("list")
@click.option("--all", "every", is_flag=True, help="已接下的也列出")
@actor_option
@json_option
@pass_app
def list_(app: App, every: bool, actor: str, as_json: bool) -> None:
    """列出还没有人接下的交班单。"""
    with app.store() as work:
        found = sheets.listed(work, every=every, actor=actor)
    show_rows([_row(one) for one in found], _SHEETS, as_json)


@sheet.command()
@click.argument("sheet_id", metavar="编号")
@actor_option
@json_option
@pass_app
def show(app: App, sheet_id: str, actor: str, as_json: bool) -> None:
    """看一张交班单。"""
    with app.store() as work:
        one = sheets.read(work, sheet_id, actor=actor)
    lines = [Line.of(text) for text in one.lines]
    if as_json:
        show_one({**_row(one), "note": one.note, "lines": [_line(line) for line in lines]}, [], as_json=True)
        return
    show_one({**_row(one), "note": one.note or None}, [*_SHEETS, ("note", "交代")])
    _show_lines(lines, as_json=False)


@sheet.command()
@click.argument("sheet_id", metavar="编号")
@actor_option
@json_option
@pass_app
def accept(app: App, sheet_id: str, actor: str, as_json: bool) -> None:
    """接班:具名接下一张交班单。不能接下自己写的。"""
    with app.store() as work:
        one = sheets.accept(work, sheet_id, actor=actor, now=app.clock())
        work.commit()
    show_one(_row(one), _SHEETS, as_json)


def _show_lines(lines: Sequence[Line], as_json: bool) -> None:
    if not lines and not as_json:
        say("没有要交代的事。")
        return
    show_rows([_line(line) for line in lines], _LINES, as_json)


def _row(one: ShiftSheet) -> dict[str, object]:
    return {
        "id": one.id,
        "by": one.by,
        "at": one.at,
        "at_text": local(one.at),
        "count": len(one.lines),
        "state": one.state,
        "state_text": "已接下" if one.state == "accepted" else "等待接下",
        "accepted_by": one.accepted_by,
        "accepted_at": one.accepted_at,
        "accepted_text": local(one.accepted_at) if one.accepted_at else None,
    }


def _line(line: Line) -> dict[str, object]:
    return {
        "about": line.about,
        "about_text": _ABOUT[line.about],
        "id": line.id,
        "owner": line.owner or None,
        "at": line.at.isoformat(),
        "at_text": local(line.at),
        "what": line.what or None,
        "what_text": _what(line),
    }


def _what(line: Line) -> str | None:
    """Say in words what a line's code means."""
    match line.about:
        case About.CASE:
            return LEVEL_WORDS[Level(int(line.what))]
        case About.STEP | About.PROMISE | About.TASK:
            return KIND_WORDS[Kind(line.what)]
        case About.ALARM:
            return ALARMS[AlarmKind(line.what)]
        case _:
            return None
