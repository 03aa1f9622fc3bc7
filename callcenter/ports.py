"""What the services need of the world, as small Protocols. `callcenter.memory` is their fake.

Two worlds: the store (synchronous, one unit of work per decision) and telephony (asynchronous).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from callcenter.domain.alarms import Alarm
from callcenter.domain.audit_chain import AuditEntry as AuditEntry
from callcenter.domain.audit_chain import Head, Link
from callcenter.domain.books import BookOf
from callcenter.domain.calls import CallRecord
from callcenter.domain.duty import PresenceEvent, Shift
from callcenter.domain.people import Consent, HardshipFile, Person, PhoneStatus, Suppression
from callcenter.domain.reconcile import FAMILIES, Seat
from callcenter.domain.sessions import SessionRow, SessionStatus
from callcenter.domain.users import User
from callcenter.ports_bulk import PeopleInBulk
from callcenter.ports_ledger import Debts as Debts
from callcenter.ports_ledger import Figures as Figures

T = TypeVar("T")

# --- the store -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class UnreadRow:
    """A journal row nobody could parse: kept as it was (encrypted), counted, alarmed."""

    #: `segment:offset`, so that the same row is kept once.
    key: str
    raw: bytes = field(repr=False)
    reason: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """How far a file of the PBX has been folded. Survives rotation: `segment` names the file's birth."""

    source: str
    segment: str
    offset: int
    #: Start of the oldest call still open: reading resumes here.
    low_segment: str
    low_offset: int


class Users(Protocol):
    """Named actors."""

    def add(self, user: User) -> None: ...
    def get(self, code: str) -> User: ...
    def all(self) -> Sequence[User]: ...
    def update(self, user: User) -> None: ...


class AuditLog(Protocol):
    """Append-only, and chained (`callcenter.domain.audit_chain`)."""

    def append(self, entry: AuditEntry) -> None: ...
    def recent(
        self,
        limit: int,
        *,
        actor: str | None = None,
        verb: str | None = None,
        object: str | None = None,
        since: datetime | None = None,
    ) -> Sequence[AuditEntry]:
        """Return the newest entries that are equal to what is given, newest first."""
        ...

    def links(self) -> Iterator[Link]:
        """Return every entry and its hash in sequence order, as they are found, without keeping them."""
        ...

    def mac(self, before: bytes, data: bytes) -> bytes:
        """Return the keyed hash that links `data` to what stands before it."""
        ...

    def head(self) -> Head | None:
        """Return the newest entry's number and hash; None if there is none, or it has no hash."""
        ...

    def passes(self, head: Head) -> bool:
        """Tell whether the entry of that number stands here with that hash."""
        ...


class Roster(Protocol):
    """Shifts and presence acts. `revision` grows with every change of either."""

    def add_shift(self, shift: Shift) -> None: ...
    def remove_shift(self, shift_id: str) -> Shift: ...
    def shift(self, shift_id: str) -> Shift:
        """Return a shift, or raise `NotFound`."""
        ...

    def hold(self) -> None:
        """Let one transaction at a time plan: what was read from here on stands until it commits."""
        ...

    def replace_shifts(self, gone: Iterable[str], new: Iterable[Shift]) -> None:
        """Take shifts off by id and put others on, at once; an id that is not there is no fault."""
        ...

    def shifts_between(self, start: datetime, end: datetime) -> Sequence[Shift]: ...
    def add_presence(self, event: PresenceEvent) -> bool:
        """Store an act; return False if its key is already known."""
        ...

    def presence_events(self) -> Sequence[PresenceEvent]:
        """Return the acts that say where each agent stands now (`callcenter.domain.duty.current_acts`)."""
        ...

    def presence_between(self, start: datetime, end: datetime) -> Sequence[PresenceEvent]:
        """Return every act in [start, end), oldest first."""
        ...

    def revision(self) -> int: ...
    def touch(self) -> None:
        """Let the revision grow: something else that routing goes by has changed."""
        ...


class Calls(Protocol):
    """Call records and their sessions. `put` is an upsert by id."""

    def put_many(self, records: Iterable[CallRecord]) -> None: ...
    def get(self, call_id: str) -> CallRecord: ...
    def known_closed(self, ids: Iterable[str]) -> frozenset[str]: ...
    def between(self, start: datetime, end: datetime) -> Sequence[CallRecord]: ...
    def open_calls(self) -> Sequence[CallRecord]: ...
    def of_number(self, number: str, limit: int = 20) -> Sequence[CallRecord]: ...
    def known_numbers(self, numbers: Iterable[str]) -> frozenset[str]:
        """Return those of the numbers from or to which there was a call."""
        ...

    def forget_number(self, number: str) -> int:
        """Blank a number, and what was left by key, in every call from or to it; return how many."""
        ...

    def delete_all(self) -> int:
        """Forget every call row (replay rebuilds them); sessions stay."""
        ...


class Sessions(Protocol):
    """Handling records; one per answered call, idempotent by call id."""

    def open_many(self, sessions: Iterable[SessionRow]) -> int: ...
    def all(self, status: SessionStatus | None = None) -> Sequence[SessionRow]: ...
    def since(self, start: datetime, *, counsellor: str | None = None) -> Sequence[SessionRow]: ...
    def of_call(self, call_id: str) -> SessionRow | None: ...
    def get(self, session_id: str) -> SessionRow: ...
    def of_person(self, person: str) -> Sequence[SessionRow]: ...
    def about(self, persons: Iterable[str]) -> frozenset[str]:
        """Return those of the people of whom there is a record."""
        ...

    def update(self, session: SessionRow, *, seen: int) -> None:
        """Replace the head if its version is still `seen`, or raise `Conflict`."""
        ...


class Journal(Protocol):
    """Durable reading position and unreadable rows."""

    def checkpoint(self, source: str) -> Checkpoint | None: ...
    def set_checkpoint(self, checkpoint: Checkpoint) -> None: ...
    def keep_unread(self, rows: Iterable[UnreadRow]) -> int: ...
    def unread_count(self) -> int: ...
    def unread_until(self, last: datetime) -> Mapping[str, datetime]:
        """Return the unread rows of up to an instant: key -> when it was kept."""
        ...

    def forget_unread(self, key: str) -> None: ...
    def forget(self) -> None:
        """Drop all checkpoints, so that the next reading starts at the oldest file."""
        ...


class People(PeopleInBulk, Protocol):
    """Workers, their phones, consents, suppressions and hardship files."""

    def add(self, person: Person) -> None: ...
    def update(self, person: Person) -> None: ...
    def get(self, person_id: str) -> Person: ...
    def many(self, ids: Iterable[str]) -> dict[str, Person]: ...
    def all(self) -> Sequence[Person]: ...
    def by_number(self, number: str) -> Person | None: ...
    def having(self, number: str) -> Sequence[Person]:
        """Return everybody who has this number (a family's phone), by id."""
        ...

    def by_code(self, code: str) -> Person | None: ...
    def by_spoken(self, digits: str) -> Person | None:
        """Return whom we gave this code to keep."""
        ...

    def set_phone_status(self, number: str, status: PhoneStatus) -> int: ...
    def add_consent(self, consent: Consent) -> None: ...
    def merged(self, person_id: str) -> Sequence[str]:
        """Return the ids of the entries that were merged into this one, also by way of others."""
        ...

    def parts_of(self, persons: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return, per person, their own id and those of `merged`."""
        ...

    def consents(self, person_id: str) -> Sequence[Consent]:
        """Return the statements of a person and of the entries merged into theirs, oldest first."""
        ...

    def add_suppression(self, suppression: Suppression) -> None: ...
    def suppressions(self, person_id: str) -> Sequence[Suppression]:
        """Return the opt-outs that bind a person, oldest first.

        Their own, those of merged entries, and those of erased people whose number they have (R32).
        """
        ...

    def forget(self, person_id: str) -> int:
        """Erase name, birth, numbers and words of a person; return how many numbers there were.

        Of the numbers of somebody who opted out the keyed hash stays, so that the opt-out still binds.
        """
        ...

    def consents_of(self, persons: Iterable[str]) -> dict[str, Sequence[Consent]]:
        """Return `consents` of several people at once; who said nothing is not there."""
        ...

    def suppressions_of(self, persons: Iterable[str]) -> dict[str, Sequence[Suppression]]:
        """Return `suppressions` of several people at once; whom none binds is not there."""
        ...

    def files_of(self, person_id: str) -> Sequence[HardshipFile]: ...
    def files_of_many(self, persons: Iterable[str]) -> dict[str, Sequence[HardshipFile]]:
        """Return `files_of` several people at once; who has none is not there."""
        ...

    def files_of_household(self, household: str) -> Sequence[HardshipFile]:
        """Return the files of a household, open and closed ones, by number."""
        ...

    def touch(self, persons: Iterable[str]) -> None:
        """Have the next sweep look at these people's files, and at those of whom they are part.

        Putting a file, a proof or the end of a routine debt, and an opt-out do so by themselves.
        """
        ...

    def touch_next(self, after: str, limit: int) -> str | None:
        """Have the next sweep look at the files of the `limit` people after one; return the last of them.

        None: there is nobody after them. So everybody is looked at, some at a time, once rules change.
        """
        ...

    def to_look_at(self, now: datetime, limit: int) -> Sequence[str]:
        """Return people with a file that a sweep has to look at by `now`."""
        ...

    def looked(self, again: Mapping[str, datetime | None]) -> None:
        """Note when each of these people's files has to be looked at again; None: when something changes."""
        ...

    def put_file(self, file: HardshipFile) -> None: ...
    def file(self, file_no: str) -> HardshipFile | None: ...
    def files(self) -> Sequence[HardshipFile]: ...
    def files_named(self, numbers: Iterable[str]) -> dict[str, HardshipFile]:
        """Return those of the files that are here, by number."""
        ...

    def count_unchecked(self) -> int:
        """Count the files that left and that nobody has looked at since (R34)."""
        ...


class Alarms(Protocol):
    """The alarm log."""

    def put(self, alarm: Alarm) -> None: ...
    def get(self, alarm_id: str) -> Alarm: ...
    def open(self) -> Sequence[Alarm]: ...
    def recent(self, limit: int) -> Sequence[Alarm]: ...


class Book(Protocol[T]):
    """Values of one kind, each kept sealed whole (`callcenter.domain.books`)."""

    def add(self, value: T) -> None:
        """Add a value; raise `Conflict` if its id is taken."""
        ...

    def add_many(self, values: Iterable[T]) -> None:
        """Add those values whose ids are free; the others stay as they stand."""
        ...

    def get(self, value_id: str) -> T:
        """Return a value, or raise `NotFound`."""
        ...

    def one(self, value_id: str) -> T | None: ...
    def put(self, value: T) -> T:
        """Replace a value and return it as it now stands.

        Raises `NotFound`, and `Conflict` if somebody else replaced it since it was read.
        """
        ...

    def where(self, *, up_to: Mapping[str, Any] | None = None, **equal: Any) -> Sequence[T]:
        """Return the values whose clear columns are equal to these and at most those, by id."""
        ...

    def among(self, name: str, wanted: Iterable[Any]) -> Sequence[T]:
        """Return the values of which a clear column is one of these, by id."""
        ...

    def outline(self, *, up_to: Mapping[str, Any] | None = None) -> Sequence[Mapping[str, Any]]:
        """Return the ids and clear columns of all values, without opening any."""
        ...

    def remove(self, value_id: str) -> None:
        """Take a value away, or raise `NotFound`. From an append-only book only with a tombstone."""
        ...


class UnitOfWork(Protocol):
    """One transaction. Leaving the block without `commit` undoes everything."""

    users: Users
    audit: AuditLog
    roster: Roster
    calls: Calls
    sessions: Sessions
    journal: Journal
    people: People
    debts: Debts
    figures: Figures
    alarms: Alarms

    def book(self, of: BookOf[T]) -> Book[T]:
        """Return the book of one kind of value: `work.book(CASES).get(case_id)`."""
        ...

    def recount(self) -> None:
        """Let the database look at how much it holds now, after thousands of rows were written.

        Within the transaction that wrote them it would go on reading them as the few there were before.
        """
        ...

    def commit(self) -> None: ...


#: Opens a unit of work: `with store() as work: ...; work.commit()`.
Store = Callable[[], AbstractContextManager[UnitOfWork]]

Clock = Callable[[], datetime]

# --- telephony -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class PlaceCall:
    """A call to place. `id` becomes the channel id, so the journal can settle any doubt."""

    id: str
    number: str = field(repr=False)
    #: Shown to the callee; must be the site's own outbound number.
    shown_number: str
    #: Flow that runs when the callee answers (`checkin`); with `first_ring` also `preview`, or `listen`:
    #: then nobody else is called, and what is listened to stands in `variables`.
    flow: str
    ring: timedelta
    #: Code of the counsellor whose phone rings first (preview dialling).
    first_ring: str | None = None
    #: What the flow is told about the person: words joined by `&` (`callcenter.service.followup.callers`).
    facts: str = ""
    #: Digits only the person knows, by what they are: `birth_month` -> `05`.
    expected: dict[str, str] = field(default_factory=dict, repr=False)
    variables: dict[str, str] = field(default_factory=dict)
    #: An order that was held up beyond this instant is not sent any more; None: it may be late.
    order_by: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveCalls:
    """Which of the calls somebody asked about go on."""

    ids: frozenset[str]
    #: Since when the telephone system has been up; None: it does not say.
    since: datetime | None = None


class CallControl(Protocol):
    """Placing and ending single calls; Asterisk and Twilio both speak it."""

    async def place(self, call: PlaceCall) -> None:
        """Hand the call to the network; return when it was accepted. Raise `PbxError` otherwise."""
        ...

    async def is_live(self, call_id: str) -> bool: ...
    async def alive(self, call_ids: Collection[str]) -> LiveCalls:
        """Return which of these calls go on, in whatever shape; raise `PbxError` if nobody can tell."""
        ...

    async def talks_with(self, call_id: str) -> str | None:
        """Return the channel that a call's own channel talks with; None if there is none."""
        ...

    async def hang_up(self, call_id: str) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """An agent in the queue, as the PBX has it."""

    agent: str
    paused: bool = False
    in_call: bool = False
    #: False: the phone is not registered, so the member cannot be rung.
    reachable: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueState:
    """The live queues."""

    #: Everybody on duty: the members of the general queue.
    members: tuple[Member, ...]
    #: Callers who wait, in any queue.
    waiting: int
    #: Every place in every queue of ours.
    seats: tuple[Seat, ...] = ()


class QueueControl(Protocol):
    """Who is in the queues, and the facts that dialplan reads at call time."""

    async def state(self) -> QueueState: ...
    async def decide(self, agents: Sequence[str]) -> None:
        """Have dialplan seat these agents, or take them out, as the facts say."""
        ...

    async def remove(self, seat: Seat) -> None:
        """Take one place away; nobody there is no fault."""
        ...

    async def facts(self, families: Sequence[str] = FAMILIES) -> dict[str, str]:
        """Return every fact of these families (of ours), `family/key` -> value."""
        ...

    async def push_facts(self, changes: dict[str, str | None]) -> None:
        """Set facts; None removes one."""
        ...


class ShiftEdges(Protocol):
    """Shift edges laid ahead in the PBX, so that a shift changes while nothing of ours runs."""

    def lay(self, edges: dict[datetime, frozenset[str]]) -> None:
        """Make the PBX re-decide these agents at these instants; replace what was laid before."""
        ...


class AlarmRoad(Protocol):
    """Rings the supervisors through the PBX without AMI or database."""

    def ring(self, alarm: Alarm) -> None: ...
    def silence(self, alarm_id: str) -> None:
        """End a climb that is under way: somebody acknowledged by another road."""
        ...

    def rearm_watchdog(self, at: datetime) -> None:
        """Have the PBX ring by itself at `at` unless this is called again first."""
        ...


#: Extra fields of a log line must come from this list (`callcenter.logs`).
LogFields = dict[str, Any]
