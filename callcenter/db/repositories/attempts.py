"""Attempts and evidence: what was tried for a debt, and what proves that it was kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, select, update

from callcenter.db import tables
from callcenter.db.repositories.base import Repository, Row, among, chunks
from callcenter.db.repositories.looks import touch
from callcenter.db.tables import attempts, obligations
from callcenter.errors import Conflict, NotFound, Refused
from scheduler.obligations import (
    BY_IVR,
    OF_REGISTER,
    Attempt,
    CauseSource,
    Doubt,
    Evidence,
    EvidenceKind,
    Result,
)

_WHOSE = select(obligations.c.person, obligations.c.kind)
_WHOSE_IS = _WHOSE.where(obligations.c.id == bindparam("which"))
#: Of an attempt, what may change. These statements are made once: a week's journal says them by the thousand.
_CHANGED = frozenset(attempts.c.keys()) - {"id", "placed_at"}
_IS_IT = attempts.c.id == bindparam("which")
_CHANGE = update(attempts).where(_IS_IT).values({name: bindparam(name) for name in sorted(_CHANGED)})
_HOLD = select(attempts).where(_IS_IT).with_for_update()
_OTHERS = obligations.alias()
_KIN = select(attempts.c.id, _OTHERS.c.id).select_from(
    attempts.join(obligations, obligations.c.id == attempts.c.obligation).join(
        _OTHERS, (_OTHERS.c.person == obligations.c.person) & (_OTHERS.c.kind == obligations.c.kind)
    )
)


class SqlAttempts(Repository):
    """Tries and proofs. A proof of a routine debt has the sweep look at its person."""

    def add_attempt(self, attempt: Attempt) -> None:
        """Write an attempt; raise `Conflict` if its id or its number within the obligation is taken."""
        self._check_known(attempt.obligation)
        if not self._insert_new(attempts, self._attempt_row(attempt)):
            raise Conflict(f"外呼 {attempt.id}(第 {attempt.n} 次)已有记录。")

    def update_attempt(self, attempt: Attempt) -> None:
        """Replace an attempt, but for `placed_at`, or raise `NotFound`."""
        row = {key: value for key, value in self._attempt_row(attempt).items() if key in _CHANGED}
        if self._connection.execute(_CHANGE, {"which": attempt.id, **row}).rowcount != 1:
            raise NotFound(f"没有外呼 {attempt.id}。")

    def attempt(self, attempt_id: str) -> Attempt | None:
        """Return an attempt."""
        row = self._first(select(attempts).where(attempts.c.id == attempt_id))
        return self._attempt(row) if row else None

    def hold_attempt(self, attempt_id: str) -> Attempt | None:
        """Return an attempt; what is read here stays true until this transaction ends."""
        row = self._first(_HOLD, {"which": attempt_id})
        return self._attempt(row) if row else None

    def note_placed(self, attempt_id: str, at: datetime) -> None:
        """Keep when the telephone system took the order, whatever else became of the attempt meanwhile."""
        change = update(attempts).where(attempts.c.id == attempt_id).values(placed_at=at)
        self._connection.execute(change)

    def attempts(self, obligation_id: str) -> Sequence[Attempt]:
        """Return the attempts at an obligation, in order."""
        made = select(attempts).where(attempts.c.obligation == obligation_id)
        return [self._attempt(row) for row in self._all(made.order_by(attempts.c.n))]

    def attempts_of(self, ids: Iterable[str]) -> dict[str, Sequence[Attempt]]:
        """Return the attempts at several obligations, in order; what was never tried is not there."""
        found: dict[str, list[Attempt]] = {}
        for chunk in chunks(ids):
            made = select(attempts).where(among(self._connection, attempts.c.obligation, chunk))
            for row in self._all(made.order_by(attempts.c.obligation, attempts.c.n)):
                found.setdefault(row["obligation"], []).append(self._attempt(row))
        return dict(found)

    def kin_of(self, ids: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return, per attempt, the ids of all that its person was ever owed of the same kind."""
        found: dict[str, set[str]] = {}
        for chunk in chunks(ids):
            theirs = _KIN.where(among(self._connection, attempts.c.id, chunk))
            for attempt, kin in self._connection.execute(theirs):
                found.setdefault(attempt, set()).add(kin)
        return {attempt: frozenset(kin) for attempt, kin in found.items()}

    def attempts_in_doubt(self) -> Sequence[Attempt]:
        """Return the attempts without a result, oldest first."""
        unsettled = select(attempts).where(attempts.c.result.is_(None))
        return [
            self._attempt(row) for row in self._all(unsettled.order_by(attempts.c.planned_at, attempts.c.id))
        ]

    def dialled_since(self, since: datetime) -> Sequence[tuple[datetime, str | None]]:
        """Return when calls were dialled at `since` or later, and which of our numbers each showed."""
        began = func.coalesce(attempts.c.dialled_at, attempts.c.planned_at)
        # Nobody plans a call and dials it a day later; so the index tells where to look.
        is_near = attempts.c.planned_at >= since - timedelta(days=1)
        made = select(attempts.c.dialled_at, attempts.c.planned_at, attempts.c.did)
        found = self._all(made.where(is_near, began >= since).order_by(began))
        return [(row["dialled_at"] or row["planned_at"], row["did"]) for row in found]

    def last_outcomes(self, limit: int) -> Sequence[tuple[datetime, Result]]:
        """Return when the newest attempts with a result were dialled, and how they ended; newest first."""
        settled = select(attempts.c.dialled_at, attempts.c.planned_at, attempts.c.result)
        newest = settled.where(attempts.c.result.is_not(None)).order_by(
            attempts.c.planned_at.desc(), attempts.c.id.desc()
        )
        found = self._all(newest.limit(limit))
        return [(row["dialled_at"] or row["planned_at"], Result(row["result"])) for row in found]

    def tried_since(self, persons: Iterable[str], since: datetime) -> dict[str, Sequence[Attempt]]:
        """Return, per person, the attempts of `since` or later at whatever they were owed, oldest first."""
        joined = attempts.join(obligations, obligations.c.id == attempts.c.obligation)
        made = select(attempts, obligations.c.person.label("whose")).select_from(joined)
        found: dict[str, list[Attempt]] = {}
        for chunk in chunks(persons):
            theirs = made.where(obligations.c.person.in_(chunk), attempts.c.planned_at >= since)
            for row in self._all(theirs.order_by(attempts.c.planned_at, attempts.c.id)):
                plain = {name: value for name, value in row.items() if name != "whose"}
                found.setdefault(row["whose"], []).append(self._attempt(plain))
        return dict(found)

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
        whose = self._connection.execute(_WHOSE_IS, {"which": evidence.obligation}).first()
        if whose is None:
            raise NotFound(f"没有待办 {evidence.obligation}。")
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
        if whose.kind in OF_REGISTER:
            touch(self._connection, {whose.person})
        return True

    def evidence(self, obligation_id: str) -> Sequence[Evidence]:
        """Return what proves an obligation, oldest first."""
        proofs = select(tables.evidence).where(tables.evidence.c.obligation == obligation_id)
        return [
            _evidence(row) for row in self._all(proofs.order_by(tables.evidence.c.at, tables.evidence.c.id))
        ]

    def evidence_of(self, ids: Iterable[str]) -> dict[str, Sequence[Evidence]]:
        """Return what proves several obligations, oldest first; what nothing proves is not there."""
        found: dict[str, list[Evidence]] = {}
        proofs = select(tables.evidence).order_by(tables.evidence.c.at, tables.evidence.c.id)
        for chunk in chunks(ids):
            for row in self._all(proofs.where(tables.evidence.c.obligation.in_(chunk))):
                found.setdefault(row["obligation"], []).append(_evidence(row))
        return dict(found)

    def proven_by(self, reference: str) -> Sequence[Evidence]:
        """Return all that one call or paper proves, oldest first."""
        proofs = select(tables.evidence).where(tables.evidence.c.reference == reference)
        return [
            _evidence(row) for row in self._all(proofs.order_by(tables.evidence.c.at, tables.evidence.c.id))
        ]

    def _check_known(self, obligation_id: str) -> None:
        known = select(obligations.c.id).where(obligations.c.id == obligation_id)
        if self._connection.scalar(known) is None:
            raise NotFound(f"没有待办 {obligation_id}。")

    def _touch(self, *ids: str) -> None:
        """Have the sweep look at whose routine debts began or ended."""
        for chunk in chunks(ids):
            rows = self._connection.execute(_WHOSE.where(obligations.c.id.in_(chunk)))
            touch(self._connection, {person for person, kind in rows if kind in OF_REGISTER})

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
            "placed_at": attempt.placed_at,
            "doubt": attempt.doubt.value if attempt.doubt else None,
            "pbx_since": attempt.pbx_since,
            "read_to": attempt.read_to,
        }

    def _attempt(self, row: Row) -> Attempt:
        result = None if row["result"] is None else Result(row["result"])
        callee = self._cipher.open(row["callee"], "attempts.callee")
        source = None if row["cause_source"] is None else CauseSource(row["cause_source"])
        doubt = None if row["doubt"] is None else Doubt(row["doubt"])
        told = {"result": result, "callee": callee, "cause_source": source, "doubt": doubt}
        return Attempt(**{**row, **told})


def _evidence(row: Row) -> Evidence:
    return Evidence(**{**row, "kind": EvidenceKind(row["kind"])})
