"""`hotline calls`: what happened on the line, and what is happening."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

import click

from callcenter.bootstrap import App
from callcenter.cli.calls_crisis import crisis
from callcenter.cli.calls_listen import ears, listen
from callcenter.cli.calls_live import live
from callcenter.cli.calls_message import message
from callcenter.cli.calls_recording import recording
from callcenter.cli.common import (
    actor_option,
    check_year,
    json_option,
    pass_app,
    say_parts,
    show_one,
    show_rows,
)
from callcenter.cli.people_reveal import reveal_call
from callcenter.domain.calls import OFFERED, CallRecord, Direction, EndedBy, Outcome
from callcenter.domain.numbers import mask_number
from callcenter.service.line import call_views
from callcenter.service.line.call_views import ShownCall
from callcenter.service.line.records import count_outcomes
from callcenter.words import FLOW_WORDS, OUTCOMES, RESULT_WORDS
from scheduler.obligations import Result

_DIRECTIONS = {Direction.INBOUND: "来电", Direction.OUTBOUND: "去电", Direction.INTERNAL: "内部"}
_ROADS = {"queue": "排队接入", "escalation": "值守手机", "owner": "经办人", "direct": "直接接通"}
_ENDED_BY = {
    EndedBy.CALLER: "对方",
    EndedBy.COUNSELLOR: "咨询员",
    EndedBy.NETWORK: "线路",
    EndedBy.SYSTEM: "系统",
    EndedBy.UNKNOWN: "不明",
}
_RINGS = {"answered": "接听", "no_answer": "未接", "rung": "振铃"}
_COLUMNS = [
    ("time_text", "开始"),
    ("direction_text", "方向"),
    ("number", "号码"),
    ("outcome_text", "结果"),
    ("wait", "等待"),
    ("talk", "通话"),
    ("answered_by", "接听人"),
    ("id", "编号"),
]
_DETAILS = [
    ("id", "编号"),
    ("direction_text", "方向"),
    ("outcome_text", "结果"),
    ("number", "对方号码"),
    ("dialled", "拨打的号码"),
    ("started_at", "开始"),
    ("offered_at", "进入接听"),
    ("answered_at", "接通"),
    ("ended_at", "结束"),
    ("end_is_uncertain", "结束时间不确定"),
    ("wait", "等待"),
    ("talk", "通话"),
    ("answered_by", "接听人"),
    ("road_text", "接通方式"),
    ("ended_by_text", "挂断方"),
    ("hangup_cause", "挂断原因(Q.850)"),
    ("queue_entries", "排队次数"),
    ("rings_not_answered", "未接振铃"),
    ("path", "流程经过"),
    ("keys", "按键"),
    ("promises", "承诺"),
    ("kept", "留下的号码与编号"),
    ("items_answered", "问卷作答题数"),
    ("pieces", "听过的片段"),
    ("left_at", "挂断之处"),
    ("flow_outcome_text", "流程结果"),
    ("rung_text", "振铃"),
    ("witness", "依据"),
]


@click.group()
def calls() -> None:
    """通话记录与实时画面。"""


calls.add_command(message)
calls.add_command(listen)
calls.add_command(live)
calls.add_command(ears)
calls.add_command(recording)
calls.add_command(crisis)


calls.add_command(reveal_call, "reveal")


@calls.command("list")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="哪一天(默认今天),如 2026-11-23")
@click.option("--all", "everything", is_flag=True, help="连同内部通话(签到、告警、自检)")
@actor_option
@json_option
@pass_app
def list_calls(app: App, day: datetime | None, everything: bool, actor: str, as_json: bool) -> None:
    """列出一天的通话。号码已遮盖。"""
    start = _midnight(app, day)
    first, end = start.astimezone(UTC), _next_midnight(start).astimezone(UTC)
    with app.store() as work:
        found = call_views.calls_between(work, first, end, actor=actor)
    shown = [one for one in found if everything or one.call.direction is not Direction.INTERNAL]
    zone = app.settings.site.zone
    show_rows([_row(one) if as_json else _listed(one, zone) for one in shown], _COLUMNS, as_json)
    if not as_json:
        _say_sum([one.call for one in shown])


@calls.command()
@click.argument("call_id", metavar="编号")
@actor_option
@json_option
@pass_app
def show(app: App, call_id: str, actor: str, as_json: bool) -> None:
    """看一通电话的全过程。号码已遮盖。

    咨询员看不到同事来电里说了什么、按了什么键。
    """
    with app.store() as work:
        found = call_views.one_call(work, call_id, actor=actor)
    show_one(_row(found), _DETAILS, as_json)


@calls.command()
@click.option("--keep", is_flag=True, help="不先清空通话表,只重新写入")
@actor_option
@json_option
@pass_app
def replay(app: App, keep: bool, actor: str, as_json: bool) -> None:
    """从话机系统的流水重建通话表。接访记录、回访债务和留痕不受影响。

    流水里已经没有的旧通话不会被清掉。
    """
    follower = app.follower(replay=True)
    since, now = follower.reaches_back_to(), app.clock()
    with app.store() as work:
        forgotten = call_views.forget_calls(work, since, keep=keep, actor=actor, now=now)
        work.commit()
    total = follower.catch_up(now)
    told = {
        "rows": total.rows,
        "queue_rows": total.queue_rows,
        "unread": total.unread,
        "calls": total.calls,
        "sessions": total.sessions,
        "open_calls": total.open_calls,
        "forgotten": forgotten,
    }
    titles = [
        ("rows", "流水行"),
        ("queue_rows", "排队日志行"),
        ("unread", "新发现的坏行"),
        ("calls", "写入通话"),
        ("sessions", "新开接访记录"),
        ("open_calls", "进行中"),
        ("forgotten", "清空的通话"),
    ]
    show_one(told, titles, as_json)


#: Keys of a row that are worked out from a field of another name.
_COMES_FROM = {
    "items_answered": "answers",
    "flow_outcome_text": "flow_outcome",
}


def _row(shown: ShownCall) -> dict[str, object]:
    """Return the row without what the actor does not see: an absent key is not an empty value."""
    row, gone = _whole_row(shown.call), shown.hidden - {"number"}
    return {key: value for key, value in row.items() if _COMES_FROM.get(key, key) not in gone}


def _whole_row(call: CallRecord) -> dict[str, object]:
    return {
        "id": call.id,
        "direction": call.direction,
        "direction_text": _DIRECTIONS[call.direction],
        "outcome": call.outcome,
        "outcome_text": _outcome(call),
        "number": mask_number(call.number),
        "dialled": call.dialled,
        "started_at": call.started_at,
        "offered_at": call.offered_at,
        "answered_at": call.answered_at,
        "ended_at": call.ended_at,
        "end_is_uncertain": call.end_is_uncertain,
        "wait": call.wait,
        "talk": call.talk,
        "answered_by": call.answered_by,
        "answered_via": call.answered_via,
        "road_text": _ROADS.get(call.answered_via or "", ""),
        "ended_by": call.ended_by,
        "ended_by_text": _ENDED_BY[call.ended_by],
        "hangup_cause": call.hangup_cause,
        "queue_entries": call.queue_entries,
        "rings_not_answered": call.rings_not_answered,
        "path": call.path,
        "keys": call.keys,
        "promises": call.promises,
        "kept": tuple(_left(pair) for pair in call.kept),
        # How many, never which: the answers are between the person and whoever talks with them.
        "items_answered": sum("/" in one for one in call.answers),
        "pieces": call.pieces,
        "left_at": call.left_at,
        "flow_outcome": call.flow_outcome,
        "flow_outcome_text": _said_by_flow(call.flow_outcome),
        "unheard": call.unheard,
        "rung": call.rung,
        "rung_text": tuple(_ring(one) for one in call.rung),
        "witness": call.witness,
    }


def _listed(shown: ShownCall, zone: tzinfo) -> dict[str, object]:
    """Return a row of a day's table, which needs no date, and tells whom a crash of the PBX cut off."""
    call = shown.call
    cut_off = call.outcome is Outcome.ANSWERED and call.end_is_uncertain
    told = {"outcome_text": "接听后中断"} if cut_off else {}
    return _row(shown) | told | {"time_text": call.started_at.astimezone(zone).strftime("%H:%M:%S")}


def _outcome(call: CallRecord) -> str:
    told = call.flow_outcome if call.direction is Direction.OUTBOUND else None
    return RESULT_WORDS[Result(told)] if told in set(Result) else OUTCOMES[call.outcome]


def _said_by_flow(word: str | None) -> str | None:
    return RESULT_WORDS[Result(word)] if word in set(Result) else FLOW_WORDS.get(word or "", word)


def _ring(one: str) -> str:
    agent, _, end = one.partition("=")
    return f"{agent}{_RINGS.get(end, end)}"


def _left(pair: str) -> str:
    word, _, digits = pair.partition("=")
    return f"{word}={mask_number(digits) if word == 'number' else digits}"


def _say_sum(found: list[CallRecord]) -> None:
    counts = count_outcomes(found)
    offered = sum(counts[outcome] for outcome in OFFERED)
    say_parts(f"进入接听 {offered} = ", [f"{OUTCOMES[o]} {counts[o]}" for o in OFFERED])
    rest = [f"{OUTCOMES[o]} {n}" for o, n in counts.items() if n and o not in OFFERED]
    if rest:
        say_parts("另有 ", rest)


def _midnight(app: App, day: datetime | None) -> datetime:
    zone = app.settings.site.zone
    date = day.date() if day else app.clock().astimezone(zone).date()
    check_year(date)
    return datetime.combine(date, datetime.min.time(), tzinfo=zone)


def _next_midnight(start: datetime) -> datetime:
    return datetime.combine(start.date() + timedelta(days=1), start.time(), tzinfo=start.tzinfo)
