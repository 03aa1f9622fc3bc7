"""The sweep: the open routine debts made equal to what files, contacts and people's own words say.

What is owed follows from files, evidence, waivers and opt-outs alone, so that a sweep may run at any time
and any number of times. It looks only at people of whom something changed since the last one, or whose day
has come (`People.to_look_at`), and at everybody, some at a time, once the rules themselves have changed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count

from callcenter.domain.hardship_files import is_unconfirmed
from callcenter.domain.people import (
    OWED_STATUSES,
    ExitReason,
    FileStatus,
    Grade,
    HardshipFile,
    Suppression,
    SuppressionKind,
    in_force,
)
from callcenter.errors import Conflict
from callcenter.ports import UnitOfWork
from callcenter.service.followup.settling import SYSTEM, note
from callcenter.service.followup.verifying import WITHIN, ask_about_exit, drop_answered
from callcenter.service.names import digest
from scheduler.cadence import Cadence, Due, next_due
from scheduler.gates import Rules
from scheduler.obligations import Closing, ClosingKind, Kind, Mode, Obligation

log = logging.getLogger(__name__)

#: People looked at together.
PAGE = 500
#: Pages that somebody who only looks waits for; the next round does the rest.
PEEK = 2
#: What is being worked on this minute is looked at in the next.
_SOON = timedelta(minutes=1)
#: Under this key stands by which rules everything was derived; behind `@`, up to whom it was so far.
_RULES = "rules"
#: Beginning of `Obligation.origin` where a file's grade has no rule here.
_OF_GRADE = "grade/"


@dataclass(frozen=True, kw_only=True, slots=True)
class Swept:
    """What a sweep changed, by obligation id."""

    opened: tuple[str, ...] = ()
    #: Replaced by one with another due date (new grade, new first day, another contact).
    moved: tuple[str, ...] = ()
    #: Ended because the file left, or the person refused: a human confirms (R34).
    left: tuple[str, ...] = ()
    #: How many people were looked at; two sweeps are alike if they changed the same.
    looked: int = field(default=0, compare=False)

    def __add__(self, other: Swept) -> Swept:
        """Return both together."""
        return Swept(
            opened=self.opened + other.opened,
            moved=self.moved + other.moved,
            left=self.left + other.left,
            looked=self.looked + other.looked,
        )

    @property
    def changed(self) -> int:
        """Return how many debts began or ended."""
        return len(self.opened) + len(self.moved) + len(self.left)


def sweep(work: UnitOfWork, now: datetime, *, rules: Rules | None = None, pages: int | None = None) -> Swept:
    """Bring the routine debts up to date: per person one contact and one visit at a time.

    What is being worked on this minute is left for the next sweep. `pages`: no more than so many times
    `PAGE` people, for a caller who commits between or only looks. The caller commits.
    """
    rules = rules or Rules()
    mark, done = _fingerprint(rules), Swept()
    for _ in count() if pages is None else range(pages):
        _look_further(work, mark)
        persons = work.people.to_look_at(now, PAGE)
        if not persons:
            break
        done += _Page(work, persons, now, rules).swept()
    return done


def sweep_people(work: UnitOfWork, persons: Iterable[str], now: datetime, rules: Rules) -> Swept:
    """Bring the routine debts of these people up to date, whatever waits to be looked at."""
    return _Page(work, list(persons), now, rules).swept()


def is_leased(obligation: Obligation, now: datetime) -> bool:
    """Tell whether somebody is working on it."""
    return obligation.lease is not None and obligation.lease.holds(now)


def kinds_of(rules: Rules) -> tuple[Kind, ...]:
    """Return what the register owes people; visits only where the site makes them."""
    return (Kind.HARDSHIP, Kind.VISIT) if rules.visit_every else (Kind.HARDSHIP,)


def _fingerprint(rules: Rules) -> str:
    """Return what says by which rules everything was derived."""
    table = sorted((day.isoformat(), is_work) for day, is_work in (rules.calendar.site or {}).items())
    what = (sorted(rules.cadences.items()), rules.visit_every, table, str(rules.windows.zone))
    return digest(f"{what}/{rules.calendar.edition}")


def _look_further(work: UnitOfWork, mark: str) -> None:
    """Have some more people looked at, if the rules have changed since everybody was."""
    known = work.debts.remembered(_RULES)
    if known == mark:
        return
    if known is None:  # nobody was ever looked at: every file still waits for it
        work.debts.remember(_RULES, mark)
        return
    rules, _, after = known.partition("@")
    last = work.people.touch_next(after if rules == mark else "", PAGE)
    work.debts.remember(_RULES, mark if last is None else f"{mark}@{last}")


class _Page:
    """Several people at once: everything about them is read together, and written together."""

    def __init__(self, work: UnitOfWork, persons: Sequence[str], now: datetime, rules: Rules) -> None:
        self._work, self._persons, self._now, self._rules = work, persons, now, rules
        self._files = work.people.files_of_many(persons)
        self._open = work.debts.open_of(persons)
        self._wishes = work.people.suppressions_of(persons)
        self._waived = work.debts.waived_until(persons)
        # R39: what follows from a call for help moves no routine debt, or the clerk would see it was there.
        self._contacts = {kind: work.debts.last_contacts(kind, persons) for kind in kinds_of(rules)}
        self._busy = {a.obligation for a in work.debts.attempts_in_doubt()}
        self._new: list[Obligation] = []
        self._moved: list[Obligation] = []
        self._left: list[str] = []
        self._unknown: list[Obligation] = []
        self._ended: dict[str, Closing] = {}

    def swept(self) -> Swept:
        """Look at everybody of the page and write what follows."""
        again = {person: self._look_at(person) for person in self._persons}
        self._work.debts.close_many(self._ended)
        opened, moved = self._added(self._new, "cadence"), self._added(self._moved, "cadence")
        if self._added(self._unknown, "verify"):
            log.error("grades without a rule", extra={"action": "sweep", "count": len(self._unknown)})
        self._work.people.looked(again)
        return Swept(opened=opened, moved=moved, left=tuple(self._left), looked=len(again))

    def _look_at(self, person: str) -> datetime | None:
        """Decide about one person; return when to look at them again."""
        drop_answered(self._work, self._open.get(person, ()), self._files.get(person, ()), self._now)
        standing = {o.kind: o for o in self._open.get(person, ()) if o.kind in kinds_of(self._rules)}
        if any(o.id in self._busy or is_leased(o, self._now) for o in standing.values()):
            return self._now + _SOON
        self._ask_about_grades(person)
        self._ask_about_exits(person)
        for kind in kinds_of(self._rules):
            self._decide(person, kind, standing.get(kind))
        ends = [w.until for w in self._wishes.get(person, ()) if w.until is not None and w.until > self._now]
        return min(ends, default=None)

    def _decide(self, person: str, kind: Kind, standing: Obligation | None) -> None:
        files = self._files.get(person, ())
        owed = [file for file in files if file.status in OWED_STATUSES]
        known = [file for file in owed if self._has_rule(file)]
        if not owed:
            self._leave(files, standing)
        elif (wish := _refusal(self._wishes.get(person, ()), kind, self._now)) is not None:
            self._end(standing, "本人不愿接听", ClosingKind.REFUSED, reason=f"refused since {wish.at.date()}")
        elif known:
            # One person is owed one routine contact, whatever their files say: the one that is owed soonest.
            since = self._since(person, kind)
            dues = [(due_of(file, since, self._rules, kind), file) for file in known]
            due, file = min(dues, key=lambda one: (one[0].window_end, one[1].file_no))
            self._owe(kind, file, due, standing)

    def _since(self, person: str, kind: Kind) -> datetime | None:
        """Return the last contact, or the end of a period that was let go, whichever is later."""
        known = (self._contacts[kind].get(person), self._waived.get((person, kind)))
        return max((at for at in known if at is not None), default=None)

    def _owe(self, kind: Kind, file: HardshipFile, due: Due, standing: Obligation | None) -> None:
        if standing is None:
            self._new.append(_routine(kind, file, due, self._now))
        elif standing.window_end != due.window_end:
            self._end(
                standing, "档案或最近一次联系有变，改期", ClosingKind.SUPERSEDED, reason="due date moved"
            )
            self._moved.append(_routine(kind, file, due, standing.created_at))

    def _leave(self, files: Sequence[HardshipFile], standing: Obligation | None) -> None:
        if standing is None:
            return
        file = next((f for f in files if _is_of(standing, f)), None)
        died = file is not None and file.exit_reason is ExitReason.DIED
        words = f"档案已{file.status.value}" if file is not None else "档案已归他人名下"
        self._end(standing, words, ClosingKind.DIED if died else ClosingKind.LEFT, reason="file left")
        self._left.append(standing.id)

    def _ask_about_exits(self, person: str) -> None:
        """Have a person look at each file that left and that nobody confirmed, whatever it ended (R34).

        Of somebody who was out before we knew them nothing could be forgotten, unless they died: a list of
        many years would ask of thousands (decision 0037).
        """
        left = [file for file in self._files.get(person, ()) if is_unconfirmed(file)]
        known = bool(left) and self._is_known(person)
        for file in left:
            if known or file.exit_reason is ExitReason.DIED:
                ask_about_exit(self._work, file, self._now)

    def _is_known(self, person: str) -> bool:
        """Tell whether anything was ever owed to somebody, or they refused a routine."""
        return (
            bool(self._open.get(person))
            or any(wish.kind is SuppressionKind.TOPIC for wish in self._wishes.get(person, ()))
            or bool(self._work.debts.of_person(person))
        )

    def _has_rule(self, file: HardshipFile) -> bool:
        return _grade_of(file) in self._rules.cadences

    def _ask_about_grades(self, person: str) -> None:
        """Have a person look at a file whose grade has no rule; what is owed already stays owed."""
        asked = {o.origin: o for o in self._open.get(person, ()) if o.origin.startswith(_OF_GRADE)}
        files = (file for file in self._files.get(person, ()) if file.status in OWED_STATUSES)
        unknown = {f"{_OF_GRADE}{file.file_no}" for file in files if not self._has_rule(file)}
        for origin in sorted(unknown - asked.keys()):
            self._unknown.append(_question(origin, person, self._now))
        for origin in asked.keys() - unknown:
            self._end(asked[origin], "困难类别已有规则", ClosingKind.VERIFIED, reason="grade has a rule")

    def _end(self, standing: Obligation | None, words: str, kind: ClosingKind, *, reason: str) -> None:
        if standing is None:
            return
        self._ended[standing.id] = Closing(at=self._now, reason=words, by=SYSTEM, kind=kind)
        verb = "obligation.supersede" if kind is ClosingKind.SUPERSEDED else "obligation.close"
        note(self._work, SYSTEM, verb, standing.id, self._now, reason=reason)

    def _added(self, wanted: Sequence[Obligation], reason: str) -> tuple[str, ...]:
        """Add debts and return their ids. One of the same date that already ended stands in no way."""
        stored = self._work.debts.add_many(wanted)
        ids = [one.id if one.id in stored else self._added_anew(one) for one in wanted]
        for added in filter(None, ids):
            note(self._work, SYSTEM, "obligation.open", added, self._now, reason=reason)
        return tuple(filter(None, ids))

    def _added_anew(self, wanted: Obligation) -> str | None:
        for again in range(1, 100):
            # Somebody else may have swept at the same moment: then the debt stands, and once.
            if any(o.kind is wanted.kind for o in self._work.debts.open(person=wanted.person)):
                return None
            one = _named(wanted, f"{wanted.origin}#{again}")
            if self._work.debts.add(one):
                return one.id
        raise Conflict(f"file {wanted.origin}: its debt cannot be opened")


def due_of(
    file: HardshipFile, last_contact: datetime | None, rules: Rules, kind: Kind = Kind.HARDSHIP
) -> Due:
    """Return when the next contact, or visit, is owed for a file."""
    grade = _grade_of(file)
    visits = {grade: Cadence(every=rules.visit_every)}
    return next_due(
        grade,
        since=file.since,
        last_contact=last_contact,
        calendar=rules.calendar,
        zone=rules.windows.zone,
        cadences=visits if kind is Kind.VISIT else rules.cadences,
    )


def _grade_of(file: HardshipFile) -> str:
    """Return by which grade's rule a file is owed."""
    return Grade.WATCH.value if file.status is FileStatus.WATCH else str(file.grade)


def _question(origin: str, person: str, now: datetime) -> Obligation:
    """Return what has a person look at a file whose grade nobody knows here."""
    return Obligation(
        id=f"ob-{digest(f'verify/{origin}/{person}/{now.isoformat()}')}",
        person=person,
        kind=Kind.VERIFY,
        due_at=now,
        window_end=now + WITHIN,
        mode=Mode.HUMAN_ONLY,
        origin=origin,
        created_at=now,
    )


def _routine(kind: Kind, file: HardshipFile, due: Due, created_at: datetime) -> Obligation:
    is_visit = kind is Kind.VISIT
    plain = Obligation(
        id="",
        person=file.person,
        kind=kind,
        due_at=due.at,
        window_end=due.window_end,
        mode=Mode.HUMAN_ONLY if is_visit else Mode.IVR_OK,
        priority=6 if is_visit else 5,
        created_at=created_at,
    )
    return _named(plain, file.file_no)


def _named(obligation: Obligation, origin: str) -> Obligation:
    """Return it under the id that follows from its origin: whoever sweeps twice finds the same."""
    what = f"{origin}/{obligation.person}/{obligation.due_at.isoformat()}"
    seed = what if obligation.kind is Kind.HARDSHIP else f"{obligation.kind}/{what}"
    return replace(obligation, id=f"ob-{digest(seed)}", origin=origin)


def _is_of(obligation: Obligation, file: HardshipFile) -> bool:
    return obligation.origin.split("#")[0] == file.file_no


def _refusal(wishes: Sequence[Suppression], kind: Kind, now: datetime) -> Suppression | None:
    """Return the person's own word that ends this kind of routine, if one is in force.

    Who wants no calls at all is still owed: a visit keeps it too, and what they said to the line about
    being called is none of the register's business (R39).
    """
    said = in_force(wishes, now)
    return next((w for w in said if w.kind is SuppressionKind.TOPIC and w.topic == kind.value), None)
