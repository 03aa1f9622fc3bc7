"""Obligations, attempts and evidence in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from callcenter.domain.moments import check_aware
from callcenter.domain.people import OWED_STATUSES, PhoneStatus
from callcenter.domain.register import RegisterDebt
from callcenter.errors import Conflict, NotFound, Refused
from callcenter.memory.people import AT_ONCE, MemoryPeople, people_after
from callcenter.memory.state import State, checked
from scheduler.obligations import (
    OF_REGISTER,
    Attempt,
    Closing,
    ClosingKind,
    Evidence,
    Kind,
    Lease,
    Obligation,
    Result,
)
from scheduler.urgency import by_date, is_lost, is_put_off, rank


class MemoryDebts:
    """What is owed."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, obligation: Obligation) -> bool:
        """Store it; return False if it stands already.

        It stands if its id does, or one of the same kind, person, origin and due date; and a person with
        an open obligation of the register's gets no second one of its kind: missed periods are one debt.
        """
        stands = any(_identity(o) == _identity(obligation) for o in self._state.obligations.values())
        if stands or obligation.id in self._state.obligations or self._is_second(obligation):
            return False
        self._state.obligations[obligation.id] = checked(obligation)
        return True

    def _is_second(self, obligation: Obligation) -> bool:
        routine = obligation.kind in OF_REGISTER and obligation.closing is None
        return routine and any(o.kind is obligation.kind for o in self.open(person=obligation.person))

    def add_many(self, obligations: Sequence[Obligation]) -> frozenset[str]:
        """Store those that `add` would store; return their ids."""
        return frozenset(o.id for o in obligations if self.add(o))

    def get(self, obligation_id: str) -> Obligation:
        """Return an obligation, or raise `NotFound`."""
        if obligation_id not in self._state.obligations:
            raise NotFound(f"没有待办 {obligation_id}。")
        return self._state.obligations[obligation_id]

    def open(self, *, person: str | None = None, kind: Kind | None = None) -> Sequence[Obligation]:
        """Return obligations with neither evidence nor closing, oldest breach first (R29)."""
        proven = {e.obligation for e in self._state.evidence.values()}
        still = (o for o in self._state.obligations.values() if o.closing is None and o.id not in proven)
        asked = (o for o in still if person in (None, o.person) and kind in (None, o.kind))
        return sorted(asked, key=_urgency)

    def open_of(self, persons: Iterable[str]) -> dict[str, Sequence[Obligation]]:
        """Return what several people are owed; who is owed nothing is not there."""
        found: dict[str, list[Obligation]] = {}
        wanted = set(persons)
        for one in self.open():
            if one.person in wanted:
                found.setdefault(one.person, []).append(one)
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
        check_aware(now)
        ours = (o for o in self.open() if kinds is None or o.kind in kinds)
        if plain:
            due = (o for o in ours if o.due_at <= (until or now))
            return sorted(due, key=lambda o: by_date(o, now))[:limit]
        listed = (o for o in ours if o.due_at <= (until or now) or _stands_first(o, now))
        return sorted(listed, key=lambda o: rank(o, now, in_doubt=is_lost(self.attempts(o.id))))[:limit]

    def register(self, now: datetime, *, until: datetime, limit: int | None = None) -> Sequence[RegisterDebt]:
        """Return the same debts as `page(plain=True)` of the register's kinds, as the archive tells them."""
        found = self.page(now, until=until, kinds=OF_REGISTER, limit=limit, plain=True)
        return [self._of_register(one) for one in found]

    def _of_register(self, one: Obligation) -> RegisterDebt:
        person, file = self._state.people[one.person], self._state.files.get(one.origin.split("#")[0])
        told = (p.number for p in person.phones if p.listed and p.status is PhoneStatus.OK)
        return RegisterDebt(
            id=one.id,
            kind=one.kind,
            due_at=one.due_at,
            window_end=one.window_end,
            code=person.code,
            name=person.name,
            number=next(told, None),
            file_no=file.file_no if file else None,
            grade=file.grade if file else None,
            district=file.district if file else None,
        )

    def count_due(
        self, until: datetime, kinds: Collection[Kind] | None = None, *, most: int, plain: bool = False
    ) -> int:
        """Count the open obligations that `page` lists, due by `until`, and stop counting at `most`."""
        return len(self.page(until, kinds=kinds, limit=most, plain=plain))

    def astray(self, after: str, limit: int, kinds: Collection[Kind]) -> tuple[Sequence[str], str | None]:
        """Compare files and open routine debts of `limit` people after one; return whom they differ for."""
        _, last = people_after(self._state, after, limit)
        spared = {p for p, at in self._state.looks.items() if at <= AT_ONCE}
        owed = {f.person for f in self._state.files.values() if f.status in OWED_STATUSES}
        held = {kind: {o.person for o in self.open(kind=kind)} for kind in OF_REGISTER}
        found = {p for kind in kinds for p in owed - held[kind] - spared}
        found |= {p for theirs in held.values() for p in theirs - owed}
        return sorted(p for p in found if p > after and (last is None or p <= last)), last

    def owned_by(self, owner: str) -> Sequence[Obligation]:
        """Return the open obligations that somebody took on or was given, oldest breach first."""
        return [one for one in self.open() if one.owner == owner]

    def of_person(self, person: str) -> Sequence[Obligation]:
        """Return every obligation to a person, kept and closed ones too, by creation."""
        theirs = (o for o in self._state.obligations.values() if o.person == person)
        return sorted(theirs, key=lambda o: (o.created_at, o.id))

    def move(self, obligation_id: str, person: str) -> None:
        """Make it another entry's; raise `Conflict` if that one has the same."""
        moved = replace(self.get(obligation_id), person=person)
        others = (o for o in self._state.obligations.values() if o.id != obligation_id)
        if any(_identity(o) == _identity(moved) for o in others):
            raise Conflict(f"待办 {obligation_id} 在对方名下已有同样的一项。")
        self._touch(obligation_id)
        self._state.obligations[obligation_id] = moved
        self._touch(obligation_id)

    def reopen(self, obligation_id: str) -> None:
        """Take a closing back, or raise `NotFound`."""
        self._state.obligations[obligation_id] = replace(self.get(obligation_id), closing=None)
        self._touch(obligation_id)

    def forget(self, person: str) -> None:
        """Blank the words, numbers and reasons in a person's obligations and attempts."""
        for owed in self.of_person(person):
            closing = replace(owed.closing, reason="") if owed.closing else None
            self._state.obligations[owed.id] = replace(owed, detail="", closing=closing)
            for attempt in self.attempts(owed.id):
                self._state.attempts[attempt.id] = replace(attempt, callee=None)

    def due(self, now: datetime, limit: int) -> Sequence[Obligation]:
        """Return open obligations that are due, unleased and not waiting, oldest breach first (R29)."""
        check_aware(now)
        return [o for o in self.open() if o.due_at <= now and _is_free(o, now) and not _waits(o, now)][:limit]

    def claim(self, obligation_id: str, owner: str, now: datetime, until: datetime) -> Obligation:
        """Lease it by compare-and-set, or raise `Conflict`.

        Refused while it, or another one of the same person (I1), is leased, and once it is closed or
        proven. What is returned is fresh: check `next_at` again before dialling.
        """
        person = self.get(obligation_id).person
        mine = {o.id: o for o in self.open(person=person)}
        if obligation_id not in mine or not all(_is_free(o, now) for o in mine.values()):
            raise Conflict(f"待办 {obligation_id} 正由他人办理,或已了结。")
        fence = self._state.fences.get(obligation_id, 0) + 1
        self._state.fences[obligation_id] = fence
        lease = Lease(owner=owner, until=check_aware(until), fence=fence)
        self._state.obligations[obligation_id] = claimed = replace(mine[obligation_id], lease=lease)
        return claimed

    def release(self, obligation_id: str, fence: int, next_at: datetime | None) -> None:
        """End the lease and set when to try again; raise `Conflict` if the lease is no longer ours."""
        held = self.get(obligation_id)
        if held.lease is None or held.lease.fence != fence:
            raise Conflict(f"待办 {obligation_id} 已不由此处办理。")
        self._state.obligations[obligation_id] = checked(replace(held, lease=None, next_at=next_at))

    def close(
        self,
        obligation_id: str,
        reason: str,
        by: str,
        at: datetime,
        kind: ClosingKind = ClosingKind.OTHER,
    ) -> None:
        """End it without contact, by a name; raise `Conflict` if it was closed before."""
        standing = self.get(obligation_id)
        if standing.closing is not None:
            raise Conflict(f"待办 {obligation_id} 早已关闭。")
        closing = checked(Closing(at=at, reason=reason, by=by, kind=kind))
        self._state.obligations[obligation_id] = replace(standing, closing=closing)
        self._touch(obligation_id)

    def _touch(self, obligation_id: str) -> None:
        """Have the sweep look at whose routine debt began, ended or went to somebody else."""
        one = self._state.obligations[obligation_id]
        if one.kind in OF_REGISTER:
            MemoryPeople(self._state).touch([one.person])

    def close_many(self, closings: Mapping[str, Closing]) -> None:
        """End several without contact; raise `Conflict` if one was closed before."""
        for which, one in closings.items():
            self.close(which, one.reason, one.by, one.at, one.kind)

    def handle(self, changed: Obligation) -> None:
        """Save who has it, until when it was put off, when it was handed up, and how far misses raised it."""
        names = ("owner", "snoozed_until", "escalated_at", "raised")
        values = {name: getattr(changed, name) for name in names}
        self._state.obligations[changed.id] = checked(replace(self.get(changed.id), **values))

    def last_contact(self, person: str, kind: Kind | None = None) -> datetime | None:
        """Return when evidence (of this kind of debt, if given) last proved a contact with this person."""
        return self.last_contacts(kind).get(person)

    def last_contacts(
        self, kind: Kind | None = None, persons: Iterable[str] | None = None
    ) -> dict[str, datetime]:
        """Return, per person (of these) with any evidence (of one kind), when it last proved a contact."""
        wanted = None if persons is None else set(persons)
        of_kind = (o for o in self._state.obligations.values() if kind in (None, o.kind))
        asked = {o.id: o.person for o in of_kind if wanted is None or o.person in wanted}
        proofs = (e for e in self._state.evidence.values() if e.obligation in asked)
        return {asked[e.obligation]: e.at for e in sorted(proofs, key=lambda e: e.at)}

    def waived_until(self, persons: Iterable[str]) -> dict[tuple[str, Kind], datetime]:
        """Return, per person and kind, the end of the last period that a supervisor waived."""
        wanted = set(persons)
        every = sorted(self._state.obligations.values(), key=lambda o: o.window_end)
        waived = (o for o in every if o.closing and o.closing.kind is ClosingKind.WAIVED)
        return {(o.person, o.kind): o.window_end for o in waived if o.person in wanted}

    def remembered(self, key: str) -> str | None:
        """Return what the ledger keeps of itself under a key."""
        return self._state.remembered.get(key)

    def remember(self, key: str, value: str) -> None:
        """Keep something of the ledger itself under a key."""
        self._state.remembered[key] = value

    def add_attempt(self, attempt: Attempt) -> None:
        """Write an attempt; raise `Conflict` if its id or its number within the obligation is taken."""
        self.get(attempt.obligation)
        taken = any(a.n == attempt.n for a in self.attempts(attempt.obligation))
        if taken or attempt.id in self._state.attempts:
            raise Conflict(f"外呼 {attempt.id}(第 {attempt.n} 次)已有记录。")
        self._state.attempts[attempt.id] = checked(attempt)

    def update_attempt(self, attempt: Attempt) -> None:
        """Replace an attempt, but for `placed_at`, or raise `NotFound`."""
        if attempt.id not in self._state.attempts:
            raise NotFound(f"没有外呼 {attempt.id}。")
        placed_at = self._state.attempts[attempt.id].placed_at
        self._state.attempts[attempt.id] = checked(replace(attempt, placed_at=placed_at))

    def hold_attempt(self, attempt_id: str) -> Attempt | None:
        """Return an attempt; what is read here stays true until this transaction ends."""
        return self.attempt(attempt_id)

    def note_placed(self, attempt_id: str, at: datetime) -> None:
        """Keep when the telephone system took the order, whatever else became of the attempt meanwhile."""
        known = self._state.attempts.get(attempt_id)
        if known is not None:
            self._state.attempts[attempt_id] = checked(replace(known, placed_at=at))

    def attempt(self, attempt_id: str) -> Attempt | None:
        """Return an attempt."""
        return self._state.attempts.get(attempt_id)

    def attempts(self, obligation_id: str) -> Sequence[Attempt]:
        """Return the attempts at an obligation, in order."""
        made = (a for a in self._state.attempts.values() if a.obligation == obligation_id)
        return sorted(made, key=lambda a: a.n)

    def attempts_of(self, obligations: Iterable[str]) -> dict[str, Sequence[Attempt]]:
        """Return the attempts at several obligations; what was never tried is not there."""
        return {o: made for o in obligations if (made := self.attempts(o))}

    def kin_of(self, attempts: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return, per attempt, the ids of all that its person was ever owed of the same kind."""
        found: dict[str, frozenset[str]] = {}
        for known in filter(None, map(self.attempt, attempts)):
            whose = self.get(known.obligation)
            same = (o for o in self.of_person(whose.person) if o.kind is whose.kind)
            found[known.id] = frozenset(o.id for o in same)
        return found

    def attempts_in_doubt(self) -> Sequence[Attempt]:
        """Return the attempts without a result, oldest first."""
        unsettled = (a for a in self._state.attempts.values() if a.in_doubt)
        return sorted(unsettled, key=lambda a: (a.planned_at, a.id))

    def dialled_since(self, since: datetime) -> Sequence[tuple[datetime, str | None]]:
        """Return when calls were dialled at `since` or later, and which of our numbers each showed."""
        return sorted(
            ((a.at, a.did) for a in self._state.attempts.values() if a.at >= since), key=lambda one: one[0]
        )

    def last_outcomes(self, limit: int) -> Sequence[tuple[datetime, Result]]:
        """Return when the newest attempts with a result were dialled, and how they ended; newest first."""
        settled = [a for a in self._state.attempts.values() if a.result is not None]
        newest = sorted(settled, key=lambda a: (a.planned_at, a.id), reverse=True)[:limit]
        return [(a.at, a.result) for a in newest if a.result is not None]

    def tried_since(self, persons: Iterable[str], since: datetime) -> dict[str, Sequence[Attempt]]:
        """Return, per person, the attempts of `since` or later at whatever they were owed, oldest first."""
        wanted, found = set(persons), dict[str, list[Attempt]]()
        for attempt in sorted(self._state.attempts.values(), key=lambda a: (a.planned_at, a.id)):
            person = self._state.obligations[attempt.obligation].person
            if person in wanted and attempt.planned_at >= since:
                found.setdefault(person, []).append(attempt)
        return dict(found)

    def last_by_hand(self) -> dict[str, tuple[datetime, str]]:
        """Return, per obligation somebody tried by hand, when and by whom it was tried last."""
        by_hand = (a for a in self._state.attempts.values() if not a.is_automatic)
        ordered = sorted(by_hand, key=lambda a: (a.planned_at, a.n))
        return {a.obligation: (a.planned_at, a.by) for a in ordered}

    def add_evidence(self, evidence: Evidence) -> bool:
        """Store a proof; return False if this reference proves this obligation already.

        Raises `Refused` without a reference and `NotFound` without its obligation.
        """
        if not evidence.reference.strip():
            raise Refused("佐证必须写明依据(通话或家访的编号)。")
        self.get(evidence.obligation)
        known = {(e.obligation, e.reference) for e in self._state.evidence.values()}
        if evidence.id in self._state.evidence or (evidence.obligation, evidence.reference) in known:
            return False
        self._state.evidence[evidence.id] = checked(evidence)
        self._touch(evidence.obligation)
        return True

    def evidence(self, obligation_id: str) -> Sequence[Evidence]:
        """Return what proves an obligation, oldest first."""
        proofs = (e for e in self._state.evidence.values() if e.obligation == obligation_id)
        return sorted(proofs, key=lambda e: (e.at, e.id))

    def evidence_of(self, obligations: Iterable[str]) -> dict[str, Sequence[Evidence]]:
        """Return what proves several obligations; what nothing proves is not there."""
        return {o: proofs for o in obligations if (proofs := self.evidence(o))}

    def proven_by(self, reference: str) -> Sequence[Evidence]:
        """Return all that one call or paper proves, oldest first."""
        proofs = (e for e in self._state.evidence.values() if e.reference == reference)
        return sorted(proofs, key=lambda e: (e.at, e.id))


def _stands_first(obligation: Obligation, now: datetime) -> bool:
    return obligation.escalated_at is not None and not is_put_off(obligation, now)


def _identity(obligation: Obligation) -> tuple[Kind, str, str, datetime]:
    return obligation.kind, obligation.person, obligation.origin, obligation.due_at


def _urgency(obligation: Obligation) -> tuple[datetime, int, datetime, str]:
    return obligation.window_end, obligation.priority, obligation.due_at, obligation.id


def _is_free(obligation: Obligation, now: datetime) -> bool:
    return obligation.lease is None or not obligation.lease.holds(now)


def _waits(obligation: Obligation, now: datetime) -> bool:
    until = (obligation.next_at, obligation.snoozed_until)
    return any(at is not None and at > now for at in until)
