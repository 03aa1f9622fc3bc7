"""Obligations: what is owed, who works on it, and how it ended."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, or_, select, update

from callcenter.db import tables
from callcenter.db.repositories import looks, register
from callcenter.db.repositories.attempts import SqlAttempts
from callcenter.db.repositories.base import Row, among, chunks
from callcenter.db.repositories.debt_pages import by_date, counts, first_of, shelves
from callcenter.db.tables import attempts, obligations
from callcenter.domain.moments import check_aware
from callcenter.domain.register import RegisterDebt
from callcenter.errors import Conflict, NotFound
from scheduler.obligations import (
    LONGEST_LEASE,
    OF_REGISTER,
    Closing,
    ClosingKind,
    Kind,
    Lease,
    Mode,
    Obligation,
)

#: "debt": one sweep at a time adds routine debts.
_LOCK = 0x64656274
_REMEMBERED = select(tables.ledger_state.c.value).where(tables.ledger_state.c.key == bindparam("key"))
_IT = select(obligations).where(obligations.c.id == bindparam("which"))
_RELEASE = (
    update(obligations)
    .where(
        obligations.c.id == bindparam("which"),
        obligations.c.fence == bindparam("held"),
        obligations.c.lease_owner.is_not(None),
    )
    .values(lease_owner=None, lease_until=None, next_at=bindparam("next_at"))
)
#: Columns that an ended obligation has and an open one has not.
_CLOSED = ("closed_at", "closing_reason", "closed_by", "closed_as")
_CLOSE = (
    update(obligations)
    .where(obligations.c.id == bindparam("which"), obligations.c.closed_at.is_(None))
    .values({name: bindparam(name) for name in _CLOSED})
)


class SqlDebts(SqlAttempts):
    """What is owed. No column says "done": that follows from evidence and closing (I4, I12)."""

    def add(self, obligation: Obligation) -> bool:
        """Store it; return False if it stands already.

        It stands if its id does, or one of the same kind, person, origin and due date; and a person with
        an open obligation of the register's gets no second one of its kind: missed periods are one debt.
        """
        return bool(self.add_many([obligation]))

    def add_many(self, given: Sequence[Obligation]) -> frozenset[str]:
        """Store those that `add` would store, at once; return their ids."""
        routine = [o for o in given if o.kind in OF_REGISTER and o.closing is None]
        standing: set[tuple[str, Kind]] = set()
        if routine:
            self._wait_turn(_LOCK)
            owed = self.open_of({o.person for o in routine})
            standing = {(o.person, o.kind) for theirs in owed.values() for o in theirs}
        new = []
        for one in given:
            if one.kind in OF_REGISTER and one.closing is None:
                if (one.person, one.kind) in standing:
                    continue
                standing.add((one.person, one.kind))
            new.append(one)
        return self._insert_those_new(new)

    def _insert_those_new(self, new: Sequence[Obligation]) -> frozenset[str]:
        if len(new) == 1:
            return frozenset({new[0].id} if self._insert_new(obligations, self._row(new[0])) else ())
        added: set[str] = set()
        for chunk in chunks(new):
            ids = [o.id for o in chunk]
            known = set(
                self._connection.scalars(
                    select(obligations.c.id).where(among(self._connection, obligations.c.id, ids))
                )
            )
            fresh = [o for o in chunk if o.id not in known]
            if self._insert_all_new(obligations, [self._row(o) for o in fresh]) != len(fresh):
                there = select(obligations.c.id).where(obligations.c.id.in_([o.id for o in fresh]))
                fresh = [o for o in fresh if o.id in set(self._connection.scalars(there))]
            added.update(o.id for o in fresh)
        return frozenset(added)

    def get(self, obligation_id: str) -> Obligation:
        """Return an obligation, or raise `NotFound`."""
        row = self._first(_IT, {"which": obligation_id})
        if row is None:
            raise NotFound(f"没有待办 {obligation_id}。")
        return self._obligation(row)

    def open(self, *, person: str | None = None, kind: Kind | None = None) -> Sequence[Obligation]:
        """Return obligations with neither evidence nor closing, oldest breach first (R29)."""
        query = _open(person) if kind is None else _open(person).where(obligations.c.kind == kind.value)
        return [self._obligation(row) for row in self._all(_urgent_first(query))]

    def open_of(self, persons: Iterable[str]) -> dict[str, Sequence[Obligation]]:
        """Return what several people are owed, oldest breach first; who is owed nothing is not there."""
        found: dict[str, list[Obligation]] = {}
        for chunk in chunks(persons):
            theirs = _urgent_first(_open().where(among(self._connection, obligations.c.person, chunk)))
            for row in self._all(theirs):
                found.setdefault(row["person"], []).append(self._obligation(row))
        return dict(found)

    def page(
        self,
        now: datetime,
        *,
        until: datetime | None = None,
        kinds: Collection[Kind] | None = None,
        limit: int | None = None,
        plain: bool = False,
    ) -> Sequence[Obligation]:
        """Return the first open obligations that are due by `until` (now), the most pressing first (R29)."""
        rows: list[Row] = []
        given = {"now": check_aware(now), "until": until or now}
        for shelf in (by_date if plain else shelves)(_frozen(kinds)):
            left = None if limit is None else limit - len(rows)
            if left == 0:
                break
            found = first_of(shelf, limited=left is not None)
            rows += self._all(found, {**given, "most": left})
        return [self._obligation(row) for row in rows]

    def register(self, now: datetime, *, until: datetime, limit: int | None = None) -> Sequence[RegisterDebt]:
        """Return the same debts as `page(plain=True)` of the register's kinds, as the archive tells them."""
        return register.page(self._connection, self._cipher, check_aware(now), until, limit)

    def count_due(
        self, until: datetime, kinds: Collection[Kind] | None = None, *, most: int, plain: bool = False
    ) -> int:
        """Count the open obligations that `page` lists, due by `until`, and stop counting at `most`."""
        given = {"until": until, "most": most}
        found = (self._connection.scalar(one, given) or 0 for one in counts(_frozen(kinds), plain))
        return min(most, sum(found))

    def astray(self, after: str, limit: int, kinds: Collection[Kind]) -> tuple[Sequence[str], str | None]:
        """Compare files and open routine debts of `limit` files after a person; return whom they differ for.

        The second is the person up to whom everybody was compared; None at the end.
        """
        return looks.astray(self._connection, after, limit, kinds)

    def owned_by(self, owner: str) -> Sequence[Obligation]:
        """Return the open obligations that somebody took on or was given, oldest breach first."""
        theirs = _open().where(obligations.c.owner == owner, obligations.c.owner.is_not(None))
        return [self._obligation(row) for row in self._all(_urgent_first(theirs))]

    def of_person(self, person: str) -> Sequence[Obligation]:
        """Return every obligation to a person, kept and closed ones too, by creation."""
        theirs = select(obligations).where(obligations.c.person == person)
        in_order = theirs.order_by(obligations.c.created_at, obligations.c.id)
        return [self._obligation(row) for row in self._all(in_order)]

    def move(self, obligation_id: str, person: str) -> None:
        """Make it another entry's; raise `Conflict` if that one has the same."""
        moved = self.get(obligation_id)
        names = ("kind", "origin", "due_at")
        same = [obligations.c[name] == getattr(moved, name) for name in names]
        is_other = obligations.c.id != obligation_id
        if self._first(select(obligations).where(obligations.c.person == person, is_other, *same)):
            raise Conflict(f"待办 {obligation_id} 在对方名下已有同样的一项。")
        is_it = obligations.c.id == obligation_id
        self._connection.execute(update(obligations).where(is_it).values(person=person))
        if moved.kind in OF_REGISTER:
            looks.touch(self._connection, [moved.person, person])

    def reopen(self, obligation_id: str) -> None:
        """Take a closing back, or raise `NotFound`."""
        reopened = self.get(obligation_id)
        is_it = obligations.c.id == obligation_id
        self._connection.execute(update(obligations).where(is_it).values(**dict.fromkeys(_CLOSED)))
        self._touch(reopened.id)

    def forget(self, person: str) -> None:
        """Blank the words, numbers and reasons in a person's obligations and attempts."""
        is_theirs = obligations.c.person == person
        blank = {"detail": None, "closing_reason": None}
        self._connection.execute(update(obligations).where(is_theirs).values(**blank))
        theirs = attempts.c.obligation.in_(select(obligations.c.id).where(is_theirs))
        self._connection.execute(update(attempts).where(theirs).values(callee=None))

    def due(self, now: datetime, limit: int) -> Sequence[Obligation]:
        """Return open obligations that are due, unleased and not waiting, oldest breach first (R29)."""
        ready = _open().where(
            obligations.c.due_at <= now,
            or_(obligations.c.next_at.is_(None), obligations.c.next_at <= now),
            or_(obligations.c.snoozed_until.is_(None), obligations.c.snoozed_until <= now),
            _is_free(now),
        )
        return [self._obligation(row) for row in self._all(_urgent_first(ready).limit(limit))]

    def claim(self, obligation_id: str, owner: str, now: datetime, until: datetime) -> Obligation:
        """Lease it by compare-and-set, or raise `Conflict`.

        Refused while it, or another one of the same person (I1), is leased, and once it is closed or
        proven. What is returned is fresh: check `next_at` again before dialling.
        """
        person = self.get(obligation_id).person
        mine = self._lock_open(person)
        free = all(o.lease is None or not o.lease.holds(now) for o in mine.values())
        if obligation_id not in mine or not free:
            raise Conflict(f"待办 {obligation_id} 正由他人办理,或已了结。")
        lease = update(obligations).where(obligations.c.id == obligation_id)
        self._connection.execute(
            lease.values(lease_owner=owner, lease_until=check_aware(until), fence=obligations.c.fence + 1)
        )
        return self.get(obligation_id)

    def _lock_open(self, person: str) -> dict[str, Obligation]:
        """Return a person's open obligations, locked; nothing if somebody is working on one of them."""
        seen = {row["id"] for row in self._all(_open(person))}
        # PostgreSQL: rows in another claim's hands are passed over instead of waited for.
        locking = _open(person).order_by(obligations.c.id).with_for_update(of=obligations, skip_locked=True)
        locked = {row["id"]: self._obligation(row) for row in self._all(locking)}
        return locked if seen <= locked.keys() else {}

    def release(self, obligation_id: str, fence: int, next_at: datetime | None) -> None:
        """End the lease and set when to try again; raise `Conflict` if the lease is no longer ours."""
        held = {"which": obligation_id, "held": fence, "next_at": next_at}
        if self._connection.execute(_RELEASE, held).rowcount != 1:
            self.get(obligation_id)
            raise Conflict(f"待办 {obligation_id} 已不由此处办理。")

    def close(
        self,
        obligation_id: str,
        reason: str,
        by: str,
        at: datetime,
        kind: ClosingKind = ClosingKind.OTHER,
    ) -> None:
        """End it without contact, by a name; raise `Conflict` if it was closed before."""
        closed = self._closing_row(Closing(at=at, reason=reason, by=by, kind=kind))
        if self._connection.execute(_CLOSE, {"which": obligation_id, **closed}).rowcount != 1:
            self.get(obligation_id)
            raise Conflict(f"待办 {obligation_id} 早已关闭。")
        self._touch(obligation_id)

    def close_many(self, closings: Mapping[str, Closing]) -> None:
        """End several without contact; raise `Conflict` if one was closed before, and close none."""
        if not closings:
            return
        done = self._connection.execute(
            _CLOSE.execution_options(preserve_rowcount=True),
            [{"which": which, **self._closing_row(one)} for which, one in closings.items()],
        )
        if done.rowcount != len(closings):
            raise Conflict("其中有待办早已关闭。")
        self._touch(*closings)

    def handle(self, changed: Obligation) -> None:
        """Save who has it, until when it was put off, when it was handed up, and how far misses raised it."""
        names = ("owner", "snoozed_until", "escalated_at", "raised")
        change = update(obligations).where(obligations.c.id == changed.id)
        values = {name: getattr(changed, name) for name in names}
        if self._connection.execute(change.values(**values)).rowcount != 1:
            raise NotFound(f"没有待办 {changed.id}。")

    def last_contact(self, person: str, kind: Kind | None = None) -> datetime | None:
        """Return when evidence (of this kind of debt, if given) last proved a contact with this person."""
        last = _proven(kind, func.max(tables.evidence.c.at)).where(obligations.c.person == person)
        at: datetime | None = self._connection.scalar(last)
        return at

    def last_contacts(
        self, kind: Kind | None = None, persons: Iterable[str] | None = None
    ) -> dict[str, datetime]:
        """Return, per person (of these) with any evidence (of one kind), when it last proved a contact."""
        last = func.max(tables.evidence.c.at)
        query = _proven(kind, obligations.c.person, last).group_by(obligations.c.person)
        if persons is None:
            return {person: at for person, at in self._connection.execute(query)}
        found: dict[str, datetime] = {}
        for chunk in chunks(persons):
            theirs = query.where(among(self._connection, obligations.c.person, chunk))
            found.update((person, at) for person, at in self._connection.execute(theirs))
        return found

    def waived_until(self, persons: Iterable[str]) -> dict[tuple[str, Kind], datetime]:
        """Return, per person and kind, the end of the last period that a supervisor waived."""
        whose = (obligations.c.person, obligations.c.kind)
        ends = select(*whose, func.max(obligations.c.window_end)).group_by(*whose)
        waived = ends.where(obligations.c.closed_as == ClosingKind.WAIVED.value)
        found: dict[tuple[str, Kind], datetime] = {}
        for chunk in chunks(persons):
            rows = self._connection.execute(
                waived.where(among(self._connection, obligations.c.person, chunk))
            )
            found.update(((person, Kind(kind)), end) for person, kind, end in rows)
        return found

    def remembered(self, key: str) -> str | None:
        """Return what the ledger keeps of itself under a key."""
        value: str | None = self._connection.scalar(_REMEMBERED, {"key": key})
        return value

    def remember(self, key: str, value: str) -> None:
        """Keep something of the ledger itself under a key."""
        put = self._insert(tables.ledger_state).values(key=key, value=value)
        self._connection.execute(put.on_conflict_do_update(index_elements=["key"], set_={"value": value}))

    def _row(self, owed: Obligation) -> Row:
        lease = owed.lease
        closed = self._closing_row(owed.closing) if owed.closing else dict.fromkeys(_CLOSED)
        return {
            "id": owed.id,
            "person": owed.person,
            "kind": owed.kind.value,
            "due_at": owed.due_at,
            "window_end": owed.window_end,
            "mode": owed.mode.value,
            "priority": owed.priority,
            "origin": owed.origin,
            "detail": self._cipher.seal(owed.detail or None, "obligations.detail"),
            "created_at": owed.created_at,
            **closed,
            "lease_owner": lease.owner if lease else None,
            "lease_until": lease.until if lease else None,
            "fence": lease.fence if lease else 0,
            "next_at": owed.next_at,
            "owner": owed.owner,
            "snoozed_until": owed.snoozed_until,
            "escalated_at": owed.escalated_at,
            "raised": owed.raised,
        }

    def _obligation(self, row: Row) -> Obligation:
        return Obligation(
            id=row["id"],
            person=row["person"],
            kind=Kind(row["kind"]),
            due_at=row["due_at"],
            window_end=row["window_end"],
            mode=Mode(row["mode"]),
            priority=row["priority"],
            origin=row["origin"],
            detail=self._cipher.open(row["detail"], "obligations.detail") or "",
            created_at=row["created_at"],
            closing=self._closing(row),
            lease=_lease(row),
            next_at=row["next_at"],
            owner=row["owner"],
            snoozed_until=row["snoozed_until"],
            escalated_at=row["escalated_at"],
            raised=row["raised"],
        )

    def _closing_row(self, closing: Closing) -> Row:
        sealed = self._cipher.seal(closing.reason, "obligations.closing_reason")
        return dict(zip(_CLOSED, (closing.at, sealed, closing.by, closing.kind.value), strict=True))

    def _closing(self, row: Row) -> Closing | None:
        if row["closed_at"] is None:
            return None
        reason = self._cipher.open(row["closing_reason"], "obligations.closing_reason") or ""
        kind = ClosingKind(row["closed_as"] or ClosingKind.OTHER)
        return Closing(at=row["closed_at"], reason=reason, by=row["closed_by"], kind=kind)


def _frozen(kinds: Collection[Kind] | None) -> frozenset[Kind] | None:
    return None if kinds is None else frozenset(kinds)


def _open(person: str | None = None) -> Select[Any]:
    query = select(obligations).where(obligations.c.closed_at.is_(None), obligations.c.proven_at.is_(None))
    return query if person is None else query.where(obligations.c.person == person)


def _proven(kind: Kind | None, *what: ColumnElement[Any]) -> Select[Any]:
    """Select of evidence and its obligations, of one kind or of all."""
    joined = tables.evidence.join(obligations, obligations.c.id == tables.evidence.c.obligation)
    query = select(*what).select_from(joined)
    return query if kind is None else query.where(obligations.c.kind == kind.value)


def _urgent_first(query: Select[Any]) -> Select[Any]:
    owed = obligations.c
    return query.order_by(owed.window_end, owed.priority, owed.due_at, owed.id)


def _is_free(now: datetime) -> ColumnElement[bool]:
    """Compare as `Lease.holds` does."""
    until = obligations.c.lease_until
    return or_(obligations.c.lease_owner.is_(None), until <= now, until > now + LONGEST_LEASE)


def _lease(row: Row) -> Lease | None:
    if row["lease_owner"] is None:
        return None
    return Lease(owner=row["lease_owner"], until=row["lease_until"], fence=row["fence"])
