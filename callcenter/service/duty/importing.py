"""Bringing a roster file into the roster, and taking the roster out as one: all of it, or nothing.

What a file has and the roster has not is planned as by hand, under the same conditions. What the roster
has and the file has not stays: a file of one week says nothing of the others.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from callcenter.domain.access import Verb
from callcenter.domain.duty import Shift, ShiftKind
from callcenter.domain.plan_rules import Fault, PlanRules
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.duty.checking import ALWAYS, UNFIT_WORDS, faults_of, late_words, staff_of
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
    #: What the roster lacks then, over the time of what is new and changed, before and after (R44).
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
    over, a change of what has begun, and people who would be in two places.
    """
    allow(work, actor, Verb.DUTY_PLAN)
    work.roster.hold()
    known = work.roster.shifts_between(_EVER, _NEVER)
    pairs, unchanged = _paired(filing, known, now)
    problems = [*_unfit(work, pairs), *_begun(pairs, actor, now, reason), *_overlaps(pairs, known)]
    if problems:
        raise RosterFileRefused(filing.name, problems)
    found = _faults_after(work, pairs, known, rules, now)
    if not dry_run:
        _write(work, pairs, actor, now, reason)
    return Difference(
        new=tuple(new for _, old, new in pairs if old is None),
        changed=tuple((old, new) for _, old, new in pairs if old is not None),
        unchanged=unchanged,
        faults=found,
    )


@guarded(Verb.DUTY_SEE)
def shifts_to_file(
    work: UnitOfWork, start: datetime, end: datetime, agents: frozenset[str] | None, *, actor: str
) -> list[Shift]:
    """Return the published shifts that begin in [start, end), of these people (else `NotFound`) or of all."""
    allow(work, actor, Verb.DUTY_SEE)
    for agent in sorted(agents or ()):
        work.users.get(agent)
    found = work.roster.shifts_between(start, end)
    return [s for s in found if s.start >= start and (agents is None or s.agent in agents)]


# --- what differs --------------------------------------------------------------------------------

#: A shift of the file, what the roster has of it, and what it shall be.
_Pair = tuple[Filed, Shift | None, Shift]


def _paired(filing: Filing, known: Sequence[Shift], now: datetime) -> tuple[list[_Pair], int]:
    """Return what the file changes, and how many of its shifts stand in the roster already.

    A shift whose id is known is compared with that one alone: what it was may be another's now. One
    without may be any that stands and that no other line is about.
    """
    by_id = {shift.id: shift for shift in known}
    owns = [_its_own(filed, by_id) for filed in filing.shifts]
    _check_told_once(filing, owns)
    claimed = {own.id for own in owns if own is not None}
    standing: dict[object, list[Shift]] = defaultdict(list)
    for shift in known:
        if shift.id not in claimed:
            standing[_what(shift)].append(shift)
    pairs: list[_Pair] = []
    for filed, own in zip(filing.shifts, owns, strict=True):
        if own is not None and _what(own) == _what(filed):
            continue
        if own is not None and own.end <= now < filed.start:
            own = None  # what was, stays, and the file's is another
        if own is None and standing[_what(filed)]:
            standing[_what(filed)].pop()
            continue
        pairs.append((filed, own, _shift(filed, _free_id(filed, own, by_id))))
    return pairs, len(filing.shifts) - len(pairs)


def _its_own(filed: Filed, by_id: Mapping[str, Shift]) -> Shift | None:
    """Return the shift of the roster that a filed one is about."""
    return (by_id.get(filed.id) or by_id.get(_own_id(filed.id))) if filed.id else None


def _check_told_once(filing: Filing, owns: Sequence[Shift | None]) -> None:
    lines: dict[str, int] = {}
    problems = []
    for filed, own in zip(filing.shifts, owns, strict=True):
        one = own.id if own is not None else filed.id and _own_id(filed.id)
        if one and (first := lines.setdefault(one, filed.line)) != filed.line:
            told = f"编号和第 {first} 行相同。新排的班,编号留空。"
            problems.append(Problem(line=filed.line, message=told))
    if problems:
        raise RosterFileRefused(filing.name, problems)


def _what(shift: Shift | Filed) -> tuple[str, datetime, timedelta, ShiftKind]:
    return shift.agent, shift.start, shift.length, shift.kind


def _own_id(told: str) -> str:
    """Return the id of the shift that a file's id becomes: always the same."""
    return told if _BY_HAND.fullmatch(told) else f"sh-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def _free_id(filed: Filed, old: Shift | None, by_id: Mapping[str, Shift]) -> str:
    """Return the id of the shift that a filed one becomes, which no other shift has."""
    own = _own_id(filed.id) if filed.id else _fresh()
    return own if own not in by_id or by_id[own] is old else _fresh()


def _fresh() -> str:
    return f"sh-{uuid4().hex[:12]}"


def _shift(filed: Filed, own: str) -> Shift:
    return Shift(id=own, agent=filed.agent, start=filed.start, length=filed.length, kind=filed.kind)


def _faults_after(
    work: UnitOfWork, pairs: Sequence[_Pair], known: Sequence[Shift], rules: PlanRules, now: datetime
) -> tuple[Fault, ...]:
    """Return what the roster lacks with the file, where it changes it: where somebody goes, too."""
    gone = {old.id: old for _, old, _ in pairs if old is not None}
    new = [new for _, _, new in pairs]
    touched = [*gone.values(), *new]
    start = max(now, min((s.start for s in touched), default=now))
    end = max((s.end for s in touched), default=now)
    after = [*(s for s in known if s.id not in gone), *new]
    return faults_of(work, after, start, end, rules) if start < end else ()


# --- what is wrong -------------------------------------------------------------------------------


def _unfit(work: UnitOfWork, pairs: Sequence[_Pair]) -> Iterable[Problem]:
    staff = staff_of(work)
    for filed, _, _ in pairs:
        if (lack := staff.unfit(filed.agent, filed.kind)) is not None:
            told = f"{filed.agent} {UNFIT_WORDS[lack]},不能排班。用 hotline user list 查看,或改正代码。"
            yield Problem(line=filed.line, message=told)


def _begun(pairs: Sequence[_Pair], actor: str, now: datetime, reason: str) -> Iterable[Problem]:
    """Yield where a file changes what has begun, or plans what should have begun by now."""
    for filed, old, _ in pairs:
        if old is not None and old.start <= now:
            told = "这个班已经开始,文件不能改它。请照排班表写,或删去这一行;提前结束用 hotline duty remove。"
        elif filed.end <= now:
            told = "班次已经结束,不能再排。请改正日期,或删去这一行。"
        else:
            told = late_words(filed.agent, filed.start, by=actor, now=now, reason=reason) or ""
        if told:
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
