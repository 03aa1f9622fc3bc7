"""`hotline calls live`: the wallboard, text only, in 80 columns."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any, TypeVar

import click
from rich.cells import cell_len, set_cell_size
from rich.live import Live
from rich.text import Text

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, console, json_option, minutes, pass_app, show_one
from callcenter.cli.duty_presence import PAUSE_WORDS
from callcenter.cli.duty_time import midnight
from callcenter.cli.folding import WIDTH, visible
from callcenter.db.errors import StoreError
from callcenter.domain.alarms import AlarmKind
from callcenter.domain.calls import Direction
from callcenter.domain.duty import PauseReason
from callcenter.domain.wallboard import At, Board, OnBoard, OnLine, Pending, Priority, Standing
from callcenter.service.line import wallboard
from callcenter.words import ALARMS, LISTEN_WORDS

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

#: How many lines of each sort are shown; the others are counted.
_MOST = {"calls": 10, "pending": 6, "people": 24}
_PLACES = {At.WAITING: "等候", At.RINGING: "振铃", At.TALKING: "通话", At.LISTENING: "听语音"}
_PRIORITIES = {
    Priority.NONE: "",
    Priority.AT_RISK: "高危",
    Priority.AGREED: "约定优先",
    Priority.OWED: "欠回访",
    Priority.SOME: "优先",
}
_STANDINGS = {
    Standing.FREE: "等待",
    Standing.RINGING: "振铃",
    Standing.TALKING: "通话",
    Standing.WRAP_UP: "话后",
    Standing.PAUSED: "暂停",
    Standing.NOT_SIGNED_ON: "未签到",
    Standing.LEFT: "已签退",
    Standing.DEBRIEF: "待支持性谈话",
    Standing.ON_CALL: "待命",
}
_WAITS = "来电照常接听,通话记录在等待入库,恢复后自动补上。"
_KINDS = {"line": "", "backup": "备班", "supervisor": "督导值班"}


def _saying_what_waits(command: F) -> F:
    """Let an error of the store say what becomes of callers meanwhile (P5)."""

    @functools.wraps(command)
    def told(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except StoreError as error:
            raise type(error)(f"{error}{_WAITS}") from error

    return told  # type: ignore[return-value]


@click.command()
@click.option("--once", is_flag=True, help="只显示一次")
@_saying_what_waits
@actor_option
@json_option
@pass_app
def live(app: App, once: bool, actor: str, as_json: bool) -> None:
    """看板:谁在等、等了多久,谁在谈,谁在岗,今天接得怎样。

    每秒刷新,Ctrl-C 退出。号码已遮盖。电话系统停着也能看,最后一行说明有多新。
    """
    screen = console()
    if as_json:
        show_one(row_of(_board(app, actor)), [], as_json=True)
        return
    zone = app.settings.site.zone
    if once or not screen.is_terminal:
        click.echo("\n".join(lines_of(_board(app, actor), zone)))
        return
    last: list[str] = []
    with Live(console=screen, auto_refresh=False, screen=False) as view:
        try:
            while True:
                said: tuple[str, ...] = ()
                try:
                    last = lines_of(_board(app, actor), zone)
                except StoreError as error:
                    said = stale(error)
                view.update(Text("\n".join((*last, *said))), refresh=True)
                time.sleep(1)
        except KeyboardInterrupt:
            return


def stale(error: StoreError) -> tuple[str, ...]:
    """Return what stands below the last board while the store is away."""
    return ("", *map(clipped, str(error).splitlines()), _WAITS, "以上是最后一次看到的画面。")


def _board(app: App, actor: str) -> Board:
    now = app.clock()
    with app.reading() as work:
        return wallboard.board(
            work,
            midnight=midnight(now.astimezone(app.settings.site.zone).date(), app.settings.site.zone),
            wrap_up=app.settings.queue.wrap_up,
            unread=app.journal_unread(work),
            actor=actor,
            now=now,
        )


# --- as text -----------------------------------------------------------------------------------


def lines_of(board: Board, zone: tzinfo) -> list[str]:
    """Return the board as lines of at most 80 columns, whatever the names and however many people."""
    lines = [
        *_head(board, zone),
        *_part("待处理", board.pending, _MOST["pending"], lambda one: _pending(one, board.at)),
    ]
    for at, title in _PLACES.items():
        lines += _part(title, board.of(at), _MOST["calls"], lambda one: _call(one, board.at))
    lines += _part("在岗", board.people, _MOST["people"], lambda one: _person(one, board.at))
    return [clipped(line) for line in (*lines, *_today(board), _freshness(board))]


def clipped(line: str) -> str:
    """Return a line cut to 80 columns; what is cut away is marked."""
    plain = _plain(line).rstrip()
    return plain if cell_len(plain) <= WIDTH else set_cell_size(plain, WIDTH - 1).rstrip() + "…"


def _head(board: Board, zone: tzinfo) -> Iterator[str]:
    at = board.at.astimezone(zone)
    counts = " · ".join(f"{title} {len(board.of(place))}" for place, title in _PLACES.items())
    surge = f"   高峰接听至 {board.surge_until.astimezone(zone):%H:%M}" if board.surge_until else ""
    yield f"{at:%m-%d %H:%M:%S}   {counts}{surge}"
    waits = board.of(At.WAITING)
    if waits:
        yield f"最久等候 {_since(waits[0].since, board.at)}  {_number(waits[0])}"


def _part(title: str, values: Sequence[T], most: int, said: Callable[[T], str]) -> Iterator[str]:
    if not values:
        return
    yield ""
    yield title
    yield from (f"  {said(one)}" for one in values[:most])
    if len(values) > most:
        yield f"  另有 {len(values) - most}"


def _call(one: OnLine, now: datetime) -> str:
    where = "去电 " if one.direction is Direction.OUTBOUND else ""
    long = "已满 50 分钟,可以慢慢收尾" if one.is_long else ""
    ears = "、".join(f"{ear.by} {LISTEN_WORDS[ear.mode]}" for ear in one.ears)
    parts = (_PRIORITIES[one.priority], "、".join(one.who), long, ears)
    return f"{where}{_padded(_number(one), 13)}{_since(one.since, now):>7}  {'  '.join(filter(None, parts))}"


def _pending(one: Pending, now: datetime) -> str:
    who = f"{one.agent}→{one.to}" if one.to else one.agent
    about = one.id if one.kind in (AlarmKind.CRISIS, AlarmKind.HANDOVER_OPEN) else ""
    words = (ALARMS[one.kind], who, _since(one.since, now), about)
    return "  ".join(filter(None, words))


def _person(one: OnBoard, now: datetime) -> str:
    who = f"{_padded(one.agent, 8)}{_padded(one.name, 12)}"
    stands = _STANDINGS[one.standing]
    if one.standing is Standing.PAUSED and one.reason:
        stands += f":{PAUSE_WORDS.get(PauseReason(one.reason), one.reason)}"
    since = _since(one.since, now) if one.since else ""
    if one.standing is Standing.NOT_SIGNED_ON:
        since = f"迟 {since}"
    return f"{who}{_padded(stands, 16)}{since:<10}{_KINDS[one.kind]}"


def _today(board: Board) -> Iterator[str]:
    day = board.today
    level = day.service_level
    share = f" = {level:.0%}" if level is not None else ""
    yield ""
    yield f"今天 15 秒内接起 {day.in_time} ÷(进入接听 {day.offered} − 5 秒内挂断 {day.short}){share}"
    yield (
        f"     已接 {day.answered} · 等待时挂断 {day.abandoned} · 告知其他热线 {day.overflowed}"
        f" · 承诺回电 {day.promised} · 系统故障 {day.failed}"
    )


def _freshness(board: Board) -> str:
    match board.unread:
        case None:
            return "话务日志不在本机,画面以数据库为准"
        case 0:
            return "话务日志已读到最新"
        case many:
            return f"记录在等待入库:话务日志还有 {many} 字节没有读,画面会晚一些"


def _number(one: OnLine) -> str:
    return one.number or "未知号码"


def _since(moment: datetime, now: datetime) -> str:
    return minutes(max(now - moment, timedelta(0)))


def _padded(text: str, width: int) -> str:
    """Return text in just so many columns and at least one blank behind it."""
    plain = _plain(text)
    return set_cell_size(plain, width) if cell_len(plain) < width else set_cell_size(plain, width - 2) + "… "


def _plain(text: str) -> str:
    """Return text in which nothing acts on the screen, and which stays in one line."""
    return visible(" ".join(text.split()) if "\n" in text or "\t" in text else text)


# --- as JSON -----------------------------------------------------------------------------------


def row_of(board: Board) -> dict[str, object]:
    """Return the board under stable English keys."""
    day = board.today
    waits = board.of(At.WAITING)
    return {
        "at": board.at,
        "longest_wait": board.at - waits[0].since if waits else None,
        "calls": [_call_row(one, board.at) for at in _PLACES for one in board.of(at)],
        "people": [
            {
                "agent": one.agent,
                "name": one.name,
                "kind": one.kind,
                "standing": one.standing,
                "since": one.since,
                "reason": one.reason,
            }
            for one in board.people
        ],
        "pending": [
            {"kind": one.kind, "id": one.id, "since": one.since, "agent": one.agent, "to": one.to}
            for one in board.pending
        ],
        "today": {
            "service_level_of_offered_less_short": day.service_level,
            "in_time": day.in_time,
            "offered": day.offered,
            "short": day.short,
            "answered": day.answered,
            "abandoned": day.abandoned,
            "overflowed": day.overflowed,
            "promised": day.promised,
            "system_failure": day.failed,
        },
        "surge_until": board.surge_until,
        "journal_unread_bytes": board.unread,
    }


def _call_row(one: OnLine, now: datetime) -> dict[str, object]:
    return {
        "id": one.id,
        "at": one.at,
        "since": one.since,
        "lasts": now - one.since,
        "direction": one.direction,
        "number": one.number,
        "who": one.who,
        "priority": one.priority,
        "is_long": one.is_long,
        "ears": [{"by": ear.by, "mode": ear.mode} for ear in one.ears],
    }
