"""Users, roster, calls, sessions, journal and alarms in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from callcenter.domain.alarms import OF_CALLS, Alarm
from callcenter.domain.calls import CallRecord
from callcenter.domain.duty import PresenceEvent, Shift, current_acts
from callcenter.domain.numbers import normalise
from callcenter.domain.sessions import SessionRow, SessionStatus
from callcenter.domain.users import User
from callcenter.errors import Conflict, NotFound
from callcenter.memory.state import State, checked
from callcenter.ports import Checkpoint, UnreadRow


class _Part:
    def __init__(self, state: State) -> None:
        self._state = state


class MemoryUsers(_Part):
    """Named actors, by code."""

    def add(self, user: User) -> None:
        """Add a user; raise `Conflict` if the code is taken."""
        if user.code in self._state.users:
            raise Conflict(f"人员代码 {user.code} 已被占用。")
        self._state.users[user.code] = user

    def get(self, code: str) -> User:
        """Return a user, or raise `NotFound`."""
        if code not in self._state.users:
            raise NotFound(f"没有代码为 {code} 的人员。")
        return self._state.users[code]

    def all(self) -> Sequence[User]:
        """Return every user by code, disabled ones too."""
        return [self._state.users[code] for code in sorted(self._state.users)]

    def update(self, user: User) -> None:
        """Replace a user, or raise `NotFound`."""
        self.get(user.code)
        self._state.users[user.code] = user


class MemoryRoster(_Part):
    """Shifts and presence acts."""

    def add_shift(self, shift: Shift) -> None:
        """Add a shift; raise `Conflict` if its id is taken."""
        if shift.id in self._state.shifts:
            raise Conflict(f"班次 {shift.id} 已存在。")
        self._state.shifts[shift.id] = shift
        self._state.revision += 1

    def remove_shift(self, shift_id: str) -> Shift:
        """Remove a shift and return it, or raise `NotFound`."""
        if shift_id not in self._state.shifts:
            raise NotFound(f"没有班次 {shift_id}。")
        self._state.revision += 1
        return self._state.shifts.pop(shift_id)

    def shift(self, shift_id: str) -> Shift:
        """Return a shift, or raise `NotFound`."""
        if shift_id not in self._state.shifts:
            raise NotFound(f"没有班次 {shift_id}。")
        return self._state.shifts[shift_id]

    def hold(self) -> None:
        """Do nothing: one unit at a time is open here anyway."""

    def replace_shifts(self, gone: Iterable[str], new: Iterable[Shift]) -> None:
        """Take shifts off by id and put others on, at once; an id that is not there is no fault."""
        for shift_id in gone:
            self._state.shifts.pop(shift_id, None)
        for shift in new:
            if shift.id in self._state.shifts:
                raise Conflict(f"班次 {shift.id} 已存在。")
            self._state.shifts[shift.id] = shift
        self._state.revision += 1

    def shifts_between(self, start: datetime, end: datetime) -> Sequence[Shift]:
        """Return the shifts that touch [start, end), by start."""
        touching = (s for s in self._state.shifts.values() if s.start < end and s.end > start)
        return sorted(touching, key=lambda s: (s.start, s.id))

    def add_presence(self, event: PresenceEvent) -> bool:
        """Store an act; return False if its key is already known."""
        if event.key in self._state.presence:
            return False
        self._state.presence[event.key] = event
        self._state.revision += 1
        return True

    def presence_events(self) -> Sequence[PresenceEvent]:
        """Return the acts that say where each agent stands now (`current_acts`)."""
        return current_acts(self._state.presence.values())

    def presence_between(self, start: datetime, end: datetime) -> Sequence[PresenceEvent]:
        """Return every act in [start, end), oldest first."""
        within = (e for e in self._state.presence.values() if start <= e.at < end)
        return sorted(within, key=lambda e: (e.at, e.key))

    def touch(self) -> None:
        """Let the revision grow: something else that routing goes by has changed."""
        self._state.revision += 1

    def revision(self) -> int:
        """Return a number that grows with every change of shifts or presence."""
        return self._state.revision


class MemoryCalls(_Part):
    """Call records."""

    def put_many(self, records: Iterable[CallRecord]) -> None:
        """Upsert by id. A record that is closed is not overwritten by one that is open."""
        calls = self._state.calls
        for record in records:
            known = calls.get(record.id)
            if known is None or known.is_open or not record.is_open:
                calls[record.id] = checked(record)

    def get(self, call_id: str) -> CallRecord:
        """Return a call, or raise `NotFound`."""
        if call_id not in self._state.calls:
            raise NotFound(f"没有通话 {call_id}。")
        return self._state.calls[call_id]

    def known_closed(self, ids: Iterable[str]) -> frozenset[str]:
        """Return those of the ids whose record is here and closed."""
        calls = self._state.calls
        return frozenset(i for i in ids if i in calls and not calls[i].is_open)

    def between(self, start: datetime, end: datetime) -> Sequence[CallRecord]:
        """Return the calls that started in [start, end), by start."""
        return self._sorted(c for c in self._state.calls.values() if start <= c.started_at < end)

    def open_calls(self) -> Sequence[CallRecord]:
        """Return the calls that still go on, by start."""
        return self._sorted(c for c in self._state.calls.values() if c.is_open)

    def of_number(self, number: str, limit: int = 20) -> Sequence[CallRecord]:
        """Return the newest calls from or to a number, newest first."""
        wanted = same_number(number)
        of_it = (c for c in self._state.calls.values() if c.number and same_number(c.number) == wanted)
        return self._sorted(of_it)[::-1][:limit]

    def known_numbers(self, numbers: Iterable[str]) -> frozenset[str]:
        """Return those of the numbers from or to which there was a call."""
        called = {same_number(call.number) for call in self._state.calls.values() if call.number}
        return frozenset(number for number in numbers if same_number(number) in called)

    def forget_number(self, number: str) -> int:
        """Blank a number, and what was left by key, in every call from or to it; return how many."""
        wanted = same_number(number)
        theirs = [c for c in self._state.calls.values() if c.number and same_number(c.number) == wanted]
        for call in theirs:
            self._state.calls[call.id] = replace(call, number=None, kept=(), answers=())
        return len(theirs)

    def delete_all(self) -> int:
        """Forget every call row (replay rebuilds them); sessions stay."""
        count = len(self._state.calls)
        self._state.calls.clear()
        return count

    @staticmethod
    def _sorted(calls: Iterable[CallRecord]) -> list[CallRecord]:
        return sorted(calls, key=lambda c: (c.started_at, c.id))


class MemorySessions(_Part):
    """Handling records, one per call."""

    def open_many(self, sessions: Iterable[SessionRow]) -> int:
        """Open those whose call has none yet; return how many."""
        rows = self._state.sessions
        before = len(rows)
        for session in sessions:
            rows.setdefault(session.call, checked(session))
        return len(rows) - before

    def all(self, status: SessionStatus | None = None) -> Sequence[SessionRow]:
        """Return the sessions, oldest first; only those of a status if one is given."""
        wanted = (s for s in self._state.sessions.values() if status in (None, s.status))
        return sorted(wanted, key=lambda s: (s.opened_at, s.id))

    def since(self, start: datetime, *, counsellor: str | None = None) -> Sequence[SessionRow]:
        """Return the sessions opened from then on, oldest first; of one counsellor if given."""
        return [s for s in self.all() if s.opened_at >= start and counsellor in (None, s.counsellor)]

    def of_call(self, call_id: str) -> SessionRow | None:
        """Return the session of a call."""
        return self._state.sessions.get(call_id)

    def get(self, session_id: str) -> SessionRow:
        """Return a session, or raise `NotFound`."""
        for session in self._state.sessions.values():
            if session.id == session_id:
                return session
        raise NotFound(f"没有接访记录 {session_id}。")

    def of_person(self, person: str) -> Sequence[SessionRow]:
        """Return the sessions about a person, oldest first."""
        return [s for s in self.all() if s.person == person]

    def about(self, persons: Iterable[str]) -> frozenset[str]:
        """Return those of the people of whom there is a record."""
        return frozenset(persons) & {row.person for row in self._state.sessions.values() if row.person}

    def update(self, session: SessionRow, *, seen: int) -> None:
        """Replace the head if its version is still `seen`, or raise `Conflict`."""
        if self.get(session.id).version != seen:
            raise Conflict(f"接访记录 {session.id} 刚被别人改过,请重新打开再改。")
        self._state.sessions[session.call] = checked(session)


class MemoryJournal(_Part):
    """Reading positions and unreadable rows."""

    def checkpoint(self, source: str) -> Checkpoint | None:
        """Return how far a source has been folded."""
        return self._state.checkpoints.get(source)

    def set_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Replace the position of its source."""
        self._state.checkpoints[checkpoint.source] = checkpoint

    def keep_unread(self, rows: Iterable[UnreadRow]) -> int:
        """Keep rows whose key is new; return how many were."""
        before = len(self._state.unread)
        for row in rows:
            self._state.unread.setdefault(row.key, checked(row))
        return len(self._state.unread) - before

    def unread_count(self) -> int:
        """Return how many rows are kept unread."""
        return len(self._state.unread)

    def unread_until(self, last: datetime) -> Mapping[str, datetime]:
        """Return the unread rows of up to an instant: key -> when it was kept."""
        return {row.key: row.at for row in self._state.unread.values() if row.at <= last}

    def forget_unread(self, key: str) -> None:
        """Take an unread row away."""
        self._state.unread.pop(key, None)

    def forget(self) -> None:
        """Drop all checkpoints, so that the next reading starts at the oldest file."""
        self._state.checkpoints.clear()


class MemoryAlarms(_Part):
    """The alarm log."""

    def put(self, alarm: Alarm) -> None:
        """Upsert by id; raise `Conflict` if another alarm of its kind is open."""
        rivals = (a for a in self.open() if a.kind is alarm.kind and a.id != alarm.id)
        if alarm.is_open and alarm.kind not in OF_CALLS and any(rivals):
            raise Conflict(f"告警 {alarm.kind} 尚未确认,不再另发。")
        self._state.alarms[alarm.id] = checked(alarm)

    def get(self, alarm_id: str) -> Alarm:
        """Return an alarm, or raise `NotFound`."""
        if alarm_id not in self._state.alarms:
            raise NotFound(f"没有告警 {alarm_id}。")
        return self._state.alarms[alarm_id]

    def open(self) -> Sequence[Alarm]:
        """Return the alarms nobody acknowledged, oldest first."""
        still = (a for a in self._state.alarms.values() if a.is_open)
        return sorted(still, key=lambda a: (a.raised_at, a.id))

    def recent(self, limit: int) -> Sequence[Alarm]:
        """Return the newest alarms, newest first."""
        every = sorted(self._state.alarms.values(), key=lambda a: (a.raised_at, a.id))
        return every[::-1][:limit]


def same_number(number: str) -> str:
    """Return the one spelling under which a number is compared."""
    return normalise(number) or number
