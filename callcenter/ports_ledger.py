"""What the services need of the ledger: what is owed, what was tried, what proves it, and counts over it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from callcenter.domain.coverage import Coverage
from callcenter.domain.register import RegisterDebt
from scheduler.obligations import Attempt, Closing, ClosingKind, Evidence, Kind, Obligation, Result
from scheduler.outlook import Load


class Debts(Protocol):
    """Obligations, attempts and evidence."""

    def add(self, obligation: Obligation) -> bool:
        """Store it; return False if one of the same kind, person, origin and due date stands already.

        A person with an open obligation of the register's (`OF_REGISTER`) gets no second one of its kind
        either: missed routine periods are one debt.
        """
        ...

    def add_many(self, obligations: Sequence[Obligation]) -> frozenset[str]:
        """Store those that `add` would store, at once; return their ids."""
        ...

    def get(self, obligation_id: str) -> Obligation: ...
    def open(self, *, person: str | None = None, kind: Kind | None = None) -> Sequence[Obligation]:
        """Return obligations with neither evidence nor closing."""
        ...

    def open_of(self, persons: Iterable[str]) -> dict[str, Sequence[Obligation]]:
        """Return `open(person=...)` of several people at once; who is owed nothing is not there."""
        ...

    def page(
        self,
        now: datetime,
        *,
        until: datetime | None = None,
        kinds: Collection[Kind] | None = None,
        limit: int | None = None,
        plain: bool = False,
    ) -> Sequence[Obligation]:
        """Return the first open obligations that are due by `until` (now), the most pressing first (R29).

        What was handed up, due or not; urgent ones, then those whose last call got lost, then the oldest
        breach, then what is due by weight (`priority`, less what misses `raised`) and date; what is not due
        yet comes by its date; what somebody put off stands at the end, by its hour. `plain`: the oldest
        breach, then by date, whatever was done about it (R39).
        """
        ...

    def register(self, now: datetime, *, until: datetime, limit: int | None = None) -> Sequence[RegisterDebt]:
        """Return the same debts as `page(plain=True)` of the register's kinds, as the archive tells them."""
        ...

    def count_due(
        self, until: datetime, kinds: Collection[Kind] | None = None, *, most: int, plain: bool = False
    ) -> int:
        """Count the open obligations that `page` lists, due by `until`, and stop counting at `most`."""
        ...

    def astray(self, after: str, limit: int, kinds: Collection[Kind]) -> tuple[Sequence[str], str | None]:
        """Compare files and open routine debts of `limit` people with a file, after one by id.

        Returns those of them who are owed and have no open debt of one of `kinds`, or have an open routine
        debt and no file that calls for it; and the last one compared, None at the end.
        """
        ...

    def owned_by(self, owner: str) -> Sequence[Obligation]:
        """Return the open obligations that somebody took on or was given, oldest breach first."""
        ...

    def of_person(self, person: str) -> Sequence[Obligation]:
        """Return every obligation to a person, kept and closed ones too, by creation."""
        ...

    def move(self, obligation_id: str, person: str) -> None:
        """Make it another entry's (both are one person); raise `Conflict` if that one has the same."""
        ...

    def reopen(self, obligation_id: str) -> None:
        """Take a closing back, or raise `NotFound`."""
        ...

    def forget(self, person: str) -> None:
        """Blank the words, numbers and reasons in a person's obligations and attempts."""
        ...

    def due(self, now: datetime, limit: int) -> Sequence[Obligation]:
        """Return open obligations that are due, unleased and not waiting, oldest breach first (R29)."""
        ...

    def claim(self, obligation_id: str, owner: str, now: datetime, until: datetime) -> Obligation:
        """Lease it by compare-and-set, or raise `Conflict`; one lease per person at a time (I1)."""
        ...

    def release(self, obligation_id: str, fence: int, next_at: datetime | None) -> None: ...
    def close(
        self,
        obligation_id: str,
        reason: str,
        by: str,
        at: datetime,
        kind: ClosingKind = ClosingKind.OTHER,
    ) -> None: ...
    def close_many(self, closings: Mapping[str, Closing]) -> None:
        """End several, by id; raise `Conflict` if one of them was closed before."""
        ...

    def handle(self, changed: Obligation) -> None:
        """Save `owner`, `snoozed_until`, `escalated_at` and `raised` of an obligation, and nothing else."""
        ...

    def last_contact(self, person: str, kind: Kind | None = None) -> datetime | None: ...
    def last_contacts(
        self, kind: Kind | None = None, persons: Iterable[str] | None = None
    ) -> dict[str, datetime]:
        """Return, per person (of these) with any evidence (of one kind), when it last proved a contact."""
        ...

    def waived_until(self, persons: Iterable[str]) -> dict[tuple[str, Kind], datetime]:
        """Return, per person and kind, the end of the last period that a supervisor waived."""
        ...

    def remembered(self, key: str) -> str | None:
        """Return what the ledger keeps of itself: by which rules it was derived, how far it was compared."""
        ...

    def remember(self, key: str, value: str) -> None: ...
    def add_attempt(self, attempt: Attempt) -> None: ...
    def update_attempt(self, attempt: Attempt) -> None:
        """Replace an attempt, but for `placed_at`, or raise `NotFound`."""
        ...

    def note_placed(self, attempt_id: str, at: datetime) -> None:
        """Keep when the telephone system took the order, whatever else became of the attempt meanwhile."""
        ...

    def attempt(self, attempt_id: str) -> Attempt | None: ...
    def hold_attempt(self, attempt_id: str) -> Attempt | None:
        """Return an attempt; what is read here stays true until this transaction ends."""
        ...

    def attempts(self, obligation_id: str) -> Sequence[Attempt]: ...
    def attempts_of(self, obligations: Iterable[str]) -> dict[str, Sequence[Attempt]]:
        """Return `attempts` at several obligations at once; what was never tried is not there."""
        ...

    def kin_of(self, attempts: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return, per attempt, the ids of all that its person was ever owed of the same kind."""
        ...

    def attempts_in_doubt(self) -> Sequence[Attempt]: ...
    def dialled_since(self, since: datetime) -> Sequence[tuple[datetime, str | None]]:
        """Return when calls were dialled at `since` or later, and which of our numbers each showed (R37)."""
        ...

    def last_outcomes(self, limit: int) -> Sequence[tuple[datetime, Result]]:
        """Return when the newest attempts with a result were dialled, and how they ended; newest first."""
        ...

    def tried_since(self, persons: Iterable[str], since: datetime) -> dict[str, Sequence[Attempt]]:
        """Return, per person, the attempts of `since` or later at whatever they were owed, oldest first."""
        ...

    def last_by_hand(self) -> dict[str, tuple[datetime, str]]:
        """Return, per obligation somebody tried by hand, when and by whom it was tried last."""
        ...

    def add_evidence(self, evidence: Evidence) -> bool: ...
    def evidence(self, obligation_id: str) -> Sequence[Evidence]: ...
    def evidence_of(self, obligations: Iterable[str]) -> dict[str, Sequence[Evidence]]:
        """Return `evidence` of several obligations at once; what nothing proves is not there."""
        ...

    def proven_by(self, reference: str) -> Sequence[Evidence]:
        """Return all that one call or paper proves, oldest first."""
        ...


class Figures(Protocol):
    """Counts over the ledger, made by the database: nothing here opens a sealed field."""

    def loads(self, until: datetime) -> Sequence[Load]:
        """Return what is open and falls due by `until`, alike ones counted together."""
        ...

    def owed(self, now: datetime) -> tuple[int, int]:
        """Return how many obligations stand that are due, and how many of them past their end."""
        ...

    def tries_between(self, start: datetime, end: datetime) -> Sequence[tuple[datetime, bool, Result | None]]:
        """Return of each attempt in [start, end) when it was planned, whether by machine, and its result."""
        ...

    def proofs_between(self, start: datetime, end: datetime) -> Sequence[Evidence]:
        """Return the proofs of contacts in [start, end), oldest first."""
        ...

    def coverage(self, start: datetime, end: datetime, now: datetime) -> Sequence[Coverage]:
        """Return, by grade and district, who is in file, was contacted in [start, end), and is owed now."""
        ...
