"""Bringing a roster file into the roster, and taking the roster out as one: all of it, or nothing.

What a file has and the roster has not is planned as by hand, under the same conditions. What the roster
has and the file has not stays: a file of one week says nothing of the others.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from callcenter.domain.access import Verb
from callcenter.domain.duty import Shift, ShiftKind
from callcenter.domain.plan_rules import Fault, PlanRules
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.duty.checking import ALWAYS, UNFIT_WORDS, faults_between, staff_of
from callcenter.service.duty.filed import LONGEST, Filed, Filing, Problem, RosterFileRefused
from callcenter.service.duty.presence import note
from callcenter.service.duty.swaps import withdraw_stale
from callcenter.service.duty.templates import keep_in_plan

#: Ids of shifts planned by hand. Those of templates are made of template and day, and made again.
_BY_HAND = re.compile(r"sh-[0-9a-f]{12}")
_EVER, _NEVER = datetime(1990, 1, 1, tzinfo=UTC), datetime(2110, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """What an import does, or would do."""

    new: tuple[Shift, ...]
    #: Before and after.
    changed: tuple[tuple[Shift, Shift], ...]
    #: Shifts that stand in the roster already.
    unchanged: int
    #: What the roster lacks then, over the time of what is new and changed (R44).
    faults: tuple[Fault, ...] = ()


@guarded(Verb.DUTY_PLAN)
def codes(work: UnitOfWork, *, actor: str) -> frozenset[str]:
    """Return the codes an event of a calendar may be about; raise `Forbidden`."""
    allow(work, actor, Verb.DUTY_PLAN)
    return frozenset(user.code for user in work.users.all())


@guarded(Verb.DUTY_PLAN)
def import_shifts(
    work: UnitOfWork,
    filing: Filing,
    *,
    rules: PlanRules = ALWAYS,
    actor: str,
    now: datetime,
    reason: str = "",
    dry_run: bool = False,
) -> Difference:
    """Plan what a file says (unless `dry_run`) and return the difference to the roster.

    A shift that the roster has under the file's id is changed to what the file says. Raise
    `RosterFileRefused`, before anything is written, for people who cannot have the shift, times that are
    over, and people who would be in two places.
    """
    allow(work, actor, Verb.DUTY_PLAN)
    work.roster.hold()
    known = work.roster.shifts_between(_EVER, _NEVER)
    pairs, unchanged = _paired(filing, known, now)
    problems = [*_unfit(work, pairs, now), *_overlaps(pairs, known)]
    if problems:
        raise RosterFileRefused(filing.name, problems)
    if not dry_run:
        _write(work, pairs, actor, now, reason)
    return Difference(
        new=tuple(new for _, old, new in pairs if old is None),
        changed=tuple((old, new) for _, old, new in pairs if old is not None),
        unchanged=unchanged,
        faults=() if dry_run else _faults_after(work, [new for _, _, new in pairs], rules, now),
    )


@guarded(Verb.DUTY_SEE)
def shifts_to_file(
    work: UnitOfWork, start: datetime, end: datetime, agents: frozenset[str] | None, *, actor: str
) -> list[Shift]:
    """Return the published shifts that begin in [start, end), of these people or of all."""
    allow(work, actor, Verb.DUTY_SEE)
    found = work.roster.shifts_between(start, end)
    return [s for s in found if s.start >= start and (agents is None or s.agent in agents)]


# --- what differs --------------------------------------------------------------------------------

#: A shift of the file, what the roster has of it, and what it shall be.
_Pair = tuple[Filed, Shift | None, Shift]


def _paired(filing: Filing, known: Sequence[Shift], now: datetime) -> tuple[list[_Pair], int]:
    by_id = {shift.id: shift for shift in known}
    standing = set(map(_what, known))
    problems: list[Problem] = []
    lines: dict[str, int] = {}
    pairs: list[_Pair] = []
    for filed in filing.shifts:
        if _what(filed) in standing:
            continue
        own = _own_id(filed)
        if filed.id and (first := lines.setdefault(own, filed.line)) != filed.line:
            problems.append(Problem(line=filed.line, message=f"编号和第 {first} 行相同。新排的班,编号留空。"))
        old = by_id.get(filed.id) or by_id.get(own)
        if old is not None and old.end <= now:
            old, own = None, _fresh()  # what was, stays
        pairs.append((filed, old, _shift(filed, own)))
    if problems:
        raise RosterFileRefused(filing.name, problems)
    return pairs, len(filing.shifts) - len(pairs)


def _what(shift: Shift | Filed) -> tuple[str, datetime, timedelta, ShiftKind]:
    return shift.agent, shift.start, shift.length, shift.kind


def _own_id(filed: Filed) -> str:
    """Return the id of the shift that a filed one is or becomes: with an id of its own, always the same."""
    if not filed.id:
        return _fresh()
    if _BY_HAND.fullmatch(filed.id):
        return filed.id
    return f"sh-{hashlib.sha256(filed.id.encode()).hexdigest()[:12]}"


def _fresh() -> str:
    return f"sh-{uuid4().hex[:12]}"


def _shift(filed: Filed, own: str) -> Shift:
    return Shift(id=own, agent=filed.agent, start=filed.start, length=filed.length, kind=filed.kind)


def _faults_after(
    work: UnitOfWork, shifts: Sequence[Shift], rules: PlanRules, now: datetime
) -> tuple[Fault, ...]:
    if not shifts:
        return ()
    start, end = min(s.start for s in shifts), max(s.end for s in shifts)
    return faults_between(work, max(start, now), end, rules)


# --- what is wrong -------------------------------------------------------------------------------


def _unfit(work: UnitOfWork, pairs: Sequence[_Pair], now: datetime) -> Iterable[Problem]:
    staff = staff_of(work)
    for filed, _, _ in pairs:
        if filed.end <= now:
            yield Problem(line=filed.line, message="班次已经结束,不能再排。请改正日期,或删去这一行。")
        elif (lack := staff.unfit(filed.agent, filed.kind)) is not None:
            told = f"{filed.agent} {UNFIT_WORDS[lack]},不能排班。用 hotline user list 查看,或改正代码。"
            yield Problem(line=filed.line, message=told)


def _overlaps(pairs: Sequence[_Pair], known: Iterable[Shift]) -> Iterable[Problem]:
    """Yield where somebody would have two shifts at a time: with the roster, or within the file."""
    gone = {old.id for _, old, _ in pairs if old is not None}
    standing: dict[str, list[Shift]] = defaultdict(list)
    for shift in sorted(known, key=lambda s: s.start):
        if shift.id not in gone:
            standing[shift.agent].append(shift)
    seen: dict[str, Filed] = {}
    for filed, _, new in sorted(pairs, key=lambda p: (p[2].start, p[0].line)):
        if _met(standing[new.agent], new):
            told = f"{new.agent} 在这段时间已有班次。先用 hotline duty remove 取消,或从文件里删去。"
            yield Problem(line=filed.line, message=told)
        before = seen.get(new.agent)
        if before is not None and before.end > new.start:
            told = f"{new.agent} 的这个班和第 {before.line} 行的重叠。请改正时间,或删去一个。"
            yield Problem(line=filed.line, message=told)
        if before is None or filed.end > before.end:
            seen[new.agent] = filed


def _met(theirs: Sequence[Shift], new: Shift) -> bool:
    """Tell whether one of somebody's shifts, by start, touches the new one; none is longer than a day."""
    at = bisect_left(theirs, new.start - LONGEST, key=lambda s: s.start)
    while at < len(theirs) and theirs[at].start < new.end:
        if theirs[at].end > new.start:
            return True
        at += 1
    return False


# --- writing -------------------------------------------------------------------------------------


def _write(work: UnitOfWork, pairs: Sequence[_Pair], actor: str, now: datetime, reason: str) -> None:
    if not pairs:
        return
    gone = [old for _, old, _ in pairs if old is not None]
    for shift in gone:
        # One from a template stays off when its day is published again: the file's stands there now.
        keep_in_plan(work, shift, None, by=actor, now=now, reason=reason)
    withdraw_stale(work, {shift.id for shift in gone}, by=actor, now=now)
    work.roster.replace_shifts([shift.id for shift in gone], [new for _, _, new in pairs])
    for _, _, new in pairs:
        note(work, actor, "duty.import", new.id, now, reason)
