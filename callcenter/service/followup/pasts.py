"""What was tried and proven before, of one kind of debt with one person: what the ladder goes on from.

R39: of this kind alone, so that a routine call tells nothing of what else somebody talks to us about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from callcenter.ports import UnitOfWork
from scheduler.ladder import REACHED
from scheduler.obligations import Attempt, Evidence, EvidenceKind, Kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """The attempts at one obligation in order, those at the others of its kind, and what proved any."""

    attempts: tuple[Attempt, ...]
    before: tuple[Attempt, ...]
    proofs: tuple[Evidence, ...]

    @property
    def is_proven(self) -> bool:
        """Tell whether a contact was ever proven."""
        return bool(self.proofs)

    @property
    def answered_at(self) -> tuple[datetime, ...]:
        """Return when contacts succeeded."""
        talks = {p.at for p in self.proofs if p.kind is EvidenceKind.HUMAN_TALK}
        return tuple(sorted(talks | {a.at for a in (*self.before, *self.attempts) if a.result in REACHED}))


def past_of(
    obligation: str,
    made: Mapping[str, Sequence[Attempt]],
    proofs: Mapping[str, Sequence[Evidence]],
    kin: Iterable[str] | None = None,
) -> Past:
    """Return the past of an obligation, given what was tried and proven of its kind (`kin`: of these)."""
    ids = sorted(made.keys() | proofs.keys() if kin is None else kin)
    return Past(
        attempts=tuple(made.get(obligation, ())),
        before=tuple(a for one in ids if one != obligation for a in made.get(one, ())),
        proofs=tuple(p for one in ids for p in proofs.get(one, ())),
    )


class Pasts:
    """The pasts of many attempts, read in a few statements, for one unit of work.

    What one of them changes is read anew for the next one of the same kind with the same person.
    """

    def __init__(self, work: UnitOfWork, attempts: Iterable[str]) -> None:
        self._work = work
        self._kin = work.debts.kin_of(attempts)
        ids = frozenset[str]().union(*self._kin.values())
        self._made = work.debts.attempts_of(ids)
        self._proofs = work.debts.evidence_of(ids)
        self._changed: set[str] = set()

    def after(self, attempt: Attempt, kind: Kind) -> Past:
        """Return the past of an attempt's obligation once the attempt has been saved as it is now."""
        kin = self._kin.get(attempt.id)
        # Calls in the same stretch keep call backs of missed calls, and do not tell us.
        if kin is None or kin & self._changed or kind is Kind.MISSED_CALL:
            return self._read(attempt)
        self._changed |= kin
        self._made[attempt.obligation] = [
            attempt if one.id == attempt.id else one for one in self._made.get(attempt.obligation, ())
        ]
        return past_of(attempt.obligation, self._made, self._proofs, kin)

    def _read(self, attempt: Attempt) -> Past:
        kin = self._work.debts.kin_of([attempt.id])[attempt.id]
        made, proofs = self._work.debts.attempts_of(kin), self._work.debts.evidence_of(kin)
        return past_of(attempt.obligation, made, proofs)
