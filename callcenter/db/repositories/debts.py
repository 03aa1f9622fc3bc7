"""Obligations, attempts and evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, update

from callcenter.db import tables
from callcenter.db.repositories.base import Repository, Row, chunks
from callcenter.db.repositories.looks import touch
from callcenter.db.tables import attempts, obligations
from callcenter.domain.moments import check_aware
from callcenter.errors import Conflict, NotFound, Refused
from scheduler.obligations import (
    BY_IVR,
    OF_REGISTER,
    Attempt,
    CauseSource,
    Closing,
    ClosingKind,
    Evidence,
    EvidenceKind,
    Kind,
    Lease,
    Mode,
    Obligation,
    Result,
)

#: Under this key stands by which rules the ledger was derived.
_RULES = "rules"
#: "debt": one sweep at a time adds routine debts.
_LOCK = 0x64656274


class SqlDebts(Repository):
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
            known = set(self._connection.scalars(select(obligations.c.id).where(obligations.c.id.in_(ids))))
            fresh = [o for o in chunk if o.id not in known]
            if self._insert_all_new(obligations, [self._row(o) for o in fresh]) != len(fresh):
                there = select(obligations.c.id).where(obligations.c.id.in_([o.id for o in fresh]))
                fresh = [o for o in fresh if o.id in set(self._connection.scalars(there))]
            added.update(o.id for o in fresh)
        return frozenset(added)

    def get(self, obligation_id: str) -> Obligation:
        """Return an obligation, or raise `NotFound`."""
        row = self._first(select(obligations).where(obligations.c.id == obligation_id))
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
            theirs = _urgent_first(_open().where(obligations.c.person.in_(chunk)))
            for row in self._all(theirs):
                found.setdefault(row["person"], []).append(self._obligation(row))
        return dict(found)

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
            touch(self._connection, [moved.person, person])

    def reopen(self, obligation_id: str) -> None:
        """Take a closing back, or raise `NotFound`."""
        reopened = self.get(obligation_id)
        unclosed = dict.fromkeys(("closed_at", "closing_reason", "closed_by", "closed_as"))
        is_it = obligations.c.id == obligation_id
        self._connection.execute(update(obligations).where(is_it).values(**unclosed))
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
        free = all(o.lease is None or o.lease.until <= now for o in mine.values())
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
        held = update(obligations).where(
            obligations.c.id == obligation_id,
            obligations.c.fence == fence,
            obligations.c.lease_owner.is_not(None),
        )
        freed = held.values(lease_owner=None, lease_until=None, next_at=next_at)
        if self._connection.execute(freed).rowcount != 1:
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
        standing = update(obligations).where(
            obligations.c.id == obligation_id, obligations.c.closed_at.is_(None)
        )
        sealed = self._cipher.seal(reason, "obligations.closing_reason")
        closed = standing.values(closed_at=at, closing_reason=sealed, closed_by=by, closed_as=kind.value)
        if self._connection.execute(closed).rowcount != 1:
            self.get(obligation_id)
            raise Conflict(f"待办 {obligation_id} 早已关闭。")
        self._touch(obligation_id)

    def _touch(self, obligation_id: str) -> None:
        """Have the sweep look at whose routine debt began or ended."""
        routine = obligations.c.kind.in_([kind.value for kind in OF_REGISTER])
        whose = select(obligations.c.person).where(obligations.c.id == obligation_id, routine)
        touch(self._connection, self._connection.scalars(whose).all())

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
            theirs = query.where(obligations.c.person.in_(chunk))
            found.update((person, at) for person, at in self._connection.execute(theirs))
        return found

    def waived_until(self, persons: Iterable[str]) -> dict[tuple[str, Kind], datetime]:
        """Return, per person and kind, the end of the last period that a supervisor waived."""
        whose = (obligations.c.person, obligations.c.kind)
        ends = select(*whose, func.max(obligations.c.window_end)).group_by(*whose)
        waived = ends.where(obligations.c.closed_as == ClosingKind.WAIVED.value)
        found: dict[tuple[str, Kind], datetime] = {}
        for chunk in chunks(persons):
            rows = self._connection.execute(waived.where(obligations.c.person.in_(chunk)))
            found.update(((person, Kind(kind)), end) for person, kind, end in rows)
        return found

    def derived_by(self) -> str | None:
        """Return by which rules everything was derived last."""
        noted = select(tables.ledger_state.c.value).where(tables.ledger_state.c.key == _RULES)
        value: str | None = self._connection.scalar(noted)
        return value

    def set_derived_by(self, rules: str) -> None:
        """Note by which rules everything is derived from now on."""
        put = self._insert(tables.ledger_state).values(key=_RULES, value=rules)
        self._connection.execute(put.on_conflict_do_update(index_elements=["key"], set_={"value": rules}))

    def add_attempt(self, attempt: Attempt) -> None:
        """Write an attempt; raise `Conflict` if its id or its number within the obligation is taken."""
        self.get(attempt.obligation)
        if not self._insert_new(attempts, self._attempt_row(attempt)):
            raise Conflict(f"外呼 {attempt.id}(第 {attempt.n} 次)已有记录。")

    def update_attempt(self, attempt: Attempt) -> None:
        """Replace an attempt, or raise `NotFound`."""
        change = update(attempts).where(attempts.c.id == attempt.id).values(**self._attempt_row(attempt))
        if self._connection.execute(change).rowcount != 1:
            raise NotFound(f"没有外呼 {attempt.id}。")

    def attempt(self, attempt_id: str) -> Attempt | None:
        """Return an attempt."""
        row = self._first(select(attempts).where(attempts.c.id == attempt_id))
        return self._attempt(row) if row else None

    def attempts(self, obligation_id: str) -> Sequence[Attempt]:
        """Return the attempts at an obligation, in order."""
        made = select(attempts).where(attempts.c.obligation == obligation_id)
        return [self._attempt(row) for row in self._all(made.order_by(attempts.c.n))]

    def attempts_of(self, ids: Iterable[str]) -> dict[str, Sequence[Attempt]]:
        """Return the attempts at several obligations, in order; what was never tried is not there."""
        found: dict[str, list[Attempt]] = {}
        for chunk in chunks(ids):
            made = select(attempts).where(attempts.c.obligation.in_(chunk))
            for row in self._all(made.order_by(attempts.c.obligation, attempts.c.n)):
                found.setdefault(row["obligation"], []).append(self._attempt(row))
        return dict(found)

    def attempts_in_doubt(self) -> Sequence[Attempt]:
        """Return the attempts without a result, oldest first."""
        unsettled = select(attempts).where(attempts.c.result.is_(None))
        return [
            self._attempt(row) for row in self._all(unsettled.order_by(attempts.c.planned_at, attempts.c.id))
        ]

    def attempts_since(self, since: datetime) -> int:
        """Count the attempts dialled (or, not yet dialled, planned) at `since` or later."""
        began = func.coalesce(attempts.c.dialled_at, attempts.c.planned_at)
        made = select(func.count()).select_from(attempts).where(began >= since)
        return self._connection.scalar(made) or 0

    def last_by_hand(self) -> dict[str, tuple[datetime, str]]:
        """Return, per obligation somebody tried by hand, when and by whom it was tried last."""
        by_hand = select(attempts.c.obligation, attempts.c.planned_at, attempts.c.by)
        found = by_hand.where(attempts.c.by != BY_IVR).order_by(attempts.c.planned_at, attempts.c.n)
        return {row["obligation"]: (row["planned_at"], row["by"]) for row in self._all(found)}

    def add_evidence(self, evidence: Evidence) -> bool:
        """Store a proof; return False if this reference proves this obligation already.

        Raises `Refused` without a reference and `NotFound` without its obligation.
        """
        if not evidence.reference.strip():
            raise Refused("佐证必须写明依据(通话或家访的编号)。")
        self.get(evidence.obligation)
        row = {
            "id": evidence.id,
            "obligation": evidence.obligation,
            "kind": evidence.kind.value,
            "at": evidence.at,
            "reference": evidence.reference,
            "by": evidence.by,
        }
        if not self._insert_new(tables.evidence, row):
            return False
        self._touch(evidence.obligation)
        return True

    def evidence(self, obligation_id: str) -> Sequence[Evidence]:
        """Return what proves an obligation, oldest first."""
        proofs = select(tables.evidence).where(tables.evidence.c.obligation == obligation_id)
        return [
            _evidence(row) for row in self._all(proofs.order_by(tables.evidence.c.at, tables.evidence.c.id))
        ]

    def _row(self, owed: Obligation) -> Row:
        closing, lease = owed.closing, owed.lease
        reason = closing.reason if closing else None
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
            "closed_at": closing.at if closing else None,
            "closing_reason": self._cipher.seal(reason, "obligations.closing_reason"),
            "closed_by": closing.by if closing else None,
            "closed_as": closing.kind.value if closing else None,
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

    def _attempt_row(self, attempt: Attempt) -> Row:
        return {
            "id": attempt.id,
            "obligation": attempt.obligation,
            "n": attempt.n,
            "planned_at": attempt.planned_at,
            "by": attempt.by,
            "dialled_at": attempt.dialled_at,
            "result": attempt.result.value if attempt.result else None,
            "settled_at": attempt.settled_at,
            "cause": attempt.cause,
            "callee": self._cipher.seal(attempt.callee, "attempts.callee"),
            "did": attempt.did,
            "cause_source": attempt.cause_source.value if attempt.cause_source else None,
            "early_media": attempt.early_media,
        }

    def _attempt(self, row: Row) -> Attempt:
        result = None if row["result"] is None else Result(row["result"])
        callee = self._cipher.open(row["callee"], "attempts.callee")
        source = None if row["cause_source"] is None else CauseSource(row["cause_source"])
        return Attempt(**{**row, "result": result, "callee": callee, "cause_source": source})

    def _closing(self, row: Row) -> Closing | None:
        if row["closed_at"] is None:
            return None
        reason = self._cipher.open(row["closing_reason"], "obligations.closing_reason") or ""
        kind = ClosingKind(row["closed_as"] or ClosingKind.OTHER)
        return Closing(at=row["closed_at"], reason=reason, by=row["closed_by"], kind=kind)


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
    return or_(obligations.c.lease_owner.is_(None), obligations.c.lease_until <= now)


def _lease(row: Row) -> Lease | None:
    if row["lease_owner"] is None:
        return None
    return Lease(owner=row["lease_owner"], until=row["lease_until"], fence=row["fence"])


def _evidence(row: Row) -> Evidence:
    return Evidence(**{**row, "kind": EvidenceKind(row["kind"])})
