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
from callcenter.ports import Store, UnitOfWork
from callcenter.words import ALARMS, KIND_WORDS, MODE_WORDS, OUTCOMES, RESULT_WORDS
from scheduler.obligations import Result


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
            called = {call.id: _callee(work, call) for call in calls if call.direction is Direction.OUTBOUND}
        for call in sorted(calls, key=lambda c: c.started_at):
            self._say(f"call {call.id}", _tell_call(call, called.get(call.id, "")))
        for session in sessions:
            self._say(f"session {session.id}", f"    接访记录已建立,待 {session.counsellor or '咨询员'} 填写")
        for alarm in alarms:
            state = f"{alarm.acknowledged_by} 已确认" if alarm.acknowledged_at else "正在呼叫值班督导"
            self._say(f"alarm {alarm.id}", f"    告警“{ALARMS[alarm.kind]}”:{state}")

    def _say(self, key: str, text: str | None) -> None:
        if text and self._said.get(key) != text:
            self._said[key] = text
            self._screen.line(text)


def _callee(work: UnitOfWork, call: CallRecord) -> str:
    """Return whom an attempt's call is for, masked."""
    attempt = work.debts.attempt(call.id)
    if attempt is None:
        return mask_number(call.number)
    return mask_name(work.people.get(work.debts.get(attempt.obligation).person).name)


def _tell_call(call: CallRecord, callee: str) -> str | None:
    match call.direction:
        case Direction.INTERNAL:
            return None
        case Direction.OUTBOUND:
            return f"去电 {callee}:{_tell_outbound(call)}"
        case Direction.INBOUND:
            return f"来电 {mask_number(call.number)}:{_tell_inbound(call)}"


def _tell_outbound(call: CallRecord) -> str:
    if call.is_open:
        return "接通,正在问候" if call.answered_at else "正在呼叫"
    return RESULT_WORDS[Result(call.flow_outcome)] if call.flow_outcome else "未接通"


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
    screen.table(
        ["仍欠", "事由", "方式"],
        [
            [
                mask_name(people[debt.person].name) if debt.person in people else debt.person,
                KIND_WORDS[debt.kind],
                MODE_WORDS[debt.mode],
            ]
            for debt in debts
        ],
    )
