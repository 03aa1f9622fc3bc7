"""The rehearsal's terminal: one line whenever something on the line changes, then a summary.

Reads the store and never writes to it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from zoneinfo import ZoneInfo

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.numbers import mask_name, mask_number
from callcenter.ports import Store
from scheduler.obligations import Kind

OUTCOMES = {
    Outcome.ANSWERED: "已接听",
    Outcome.ABANDONED: "排队中挂断",
    Outcome.OVERFLOWED: "无人接听,已告知 12356",
    Outcome.PROMISED: "承诺回电",
    Outcome.SYSTEM_FAILURE: "系统故障",
    Outcome.LEFT_IN_GREETING: "问候时挂断",
    Outcome.OUTBOUND: "去电结束",
    Outcome.OPEN: "进行中",
}
RESULTS = {
    "reached_self_ivr_ok": "本人按 1:一切都好",
    "reached_self_callback": "本人按 2:请回电",
    "no_answer": "无人接听",
    "busy": "占线",
}


class Screen:
    """Prints what happens, as it happens."""

    def __init__(self, console: Console, zone: ZoneInfo) -> None:
        self.console = console
        self._zone = zone

    def title(self, text: str) -> None:
        """Print the heading of a scene."""
        self.console.print(f"\n[bold]{escape(text)}[/bold]")

    def line(self, text: str, at: datetime | None = None) -> None:
        """Print one thing that happened, with its wall time."""
        wall = (at or datetime.now(UTC)).astimezone(self._zone).strftime("%H:%M:%S")
        self.console.print(f"[dim]{wall}[/dim]  {escape(text)}", highlight=False)

    def table(self, titles: list[str], rows: list[list[str]]) -> None:
        """Print a table that fits 80 columns."""
        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for title in titles:
            table.add_column(title, overflow="fold")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        self.console.print(table)


class Watcher:
    """Follows the store in a thread of its own and tells the screen what changed."""

    def __init__(self, store: Store, screen: Screen, since: datetime) -> None:
        self._store = store
        self._screen = screen
        self._since = since
        self._said: dict[str, str] = {}
        self._stop = Event()
        self._thread = Thread(target=self._run, name="rehearsal-watcher", daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.look()

    def _run(self) -> None:
        while not self._stop.wait(0.3):
            self.look()

    def look(self) -> None:
        """Say each change since the last look, once."""
        with self._store() as work:
            calls = work.calls.between(self._since, datetime.now(UTC) + timedelta(minutes=1))
            sessions = work.sessions.all()
            alarms = work.alarms.recent(20)
        for call in sorted(calls, key=lambda c: c.started_at):
            self._say(f"call {call.id}", _tell_call(call))
        for session in sessions:
            self._say(f"session {session.id}", f"    接访记录已建立,待 {session.counsellor or '咨询员'} 填写")
        for alarm in alarms:
            state = f"{alarm.acknowledged_by} 已确认" if alarm.acknowledged_at else "正在呼叫值班督导"
            self._say(f"alarm {alarm.id}", f"    告警 {alarm.kind.value}:{state}")

    def _say(self, key: str, text: str | None) -> None:
        if text and self._said.get(key) != text:
            self._said[key] = text
            self._screen.line(text)


def _tell_call(call: CallRecord) -> str | None:
    who = mask_number(call.number)
    match call.direction:
        case Direction.INTERNAL:
            return None
        case Direction.OUTBOUND:
            if call.is_open:
                return f"去电 {who}:正在呼叫"
            return f"去电 {who}:{RESULTS.get(call.flow_outcome or '', call.flow_outcome or '未接通')}"
        case Direction.INBOUND:
            return f"来电 {who}:{_tell_inbound(call)}"


def _tell_inbound(call: CallRecord) -> str:
    if call.is_open and call.answered_at:
        return f"{call.answered_by} 接听,等待 {seconds(call.wait)}"
    if call.is_open:
        return "排队中" if call.offered_at else "听问候"
    if call.outcome is Outcome.ANSWERED:
        return f"结束,{call.answered_by} 接听,等待 {seconds(call.wait)},通话 {seconds(call.talk)}"
    return f"结束,{OUTCOMES[call.outcome]},等待 {seconds(call.wait)}"


def seconds(length: timedelta | None) -> str:
    """Return a duration as people read it on a wallboard: 4.2 秒."""
    return "—" if length is None else f"{length.total_seconds():.1f} 秒"


def show_calls(screen: Screen, calls: list[CallRecord]) -> None:
    """Print every call of the public, one row each."""
    screen.table(
        ["来电", "结果", "谁接听", "等待", "通话"],
        [
            [
                mask_number(call.number),
                OUTCOMES[call.outcome],
                call.answered_by or "—",
                seconds(call.wait),
                seconds(call.talk),
            ]
            for call in sorted(calls, key=lambda c: c.started_at)
            if call.direction is Direction.INBOUND
        ],
    )


def show_owed(screen: Screen, store: Store, now: datetime) -> None:
    """Print who is still owed something."""
    with store() as work:
        debts = [debt for debt in work.debts.open() if debt.due_at <= now]
        people = work.people.many(debt.person for debt in debts)
    kinds = {Kind.HARDSHIP: "困难职工回访", Kind.CALLBACK: "承诺的回电"}
    screen.table(
        ["仍欠", "事由", "方式"],
        [
            [
                mask_name(people[debt.person].name) if debt.person in people else debt.person,
                kinds[debt.kind],
                "人工" if debt.mode.value == "human_only" else "自动或人工",
            ]
            for debt in debts
        ],
    )
