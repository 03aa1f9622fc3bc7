"""The hand-over sheet between shifts: what stands open, written down, and accepted by name (R45).

It is made of ids and codes; who reads it looks up what they may see. Written is not accepted: until the
next shift says by name that they have it, it stays open and, after a while, rings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from secrets import token_hex

from callcenter.domain.access import Verb
from callcenter.domain.books import BLOCKS, CASES, DEBRIEFS, HANDOVERS, SHIFT_SHEETS
from callcenter.domain.cases import CaseState
from callcenter.domain.handover import HandoverState
from callcenter.domain.ledger import ShiftSheet
from callcenter.domain.levels import Level
from callcenter.domain.staff import DebriefState
from callcenter.errors import Conflict, Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup import waiving
from callcenter.service.followup.ahead import worst_cases
from callcenter.service.followup.settling import note
from scheduler.obligations import PROMISED, Kind, Mode

#: How far the next shift reaches: what falls due within it is theirs.
NEXT_SHIFT = timedelta(hours=12)
#: Numbers stopped since then are told of: the shift that ends did it, or the one before.
_LATELY = timedelta(hours=24)
LONGEST_NOTE = 1000


class About(StrEnum):
    """What a line of the sheet is about, in the sheet's order."""

    #: Somebody at level 0 or 1.
    CASE = "case"
    #: A step of somebody's in danger that is overdue, or falls due in the next shift.
    STEP = "step"
    #: A promise that is overdue, or falls due in the next shift.
    PROMISE = "promise"
    #: A planned contact, or something a person has to look at, of the next shift.
    TASK = "task"
    #: A hand-over nobody accepted yet.
    HANDOVER = "handover"
    #: A waiver that waits for the second supervisor.
    WAIVER = "waiver"
    #: A hard call that is still to be talked over (R47).
    DEBRIEF = "debrief"
    #: A number stopped lately.
    BLOCK = "block"
    #: A fault, or a danger, that an alarm told of and that still stands.
    ALARM = "alarm"


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One thing that stands open."""

    about: About
    id: str
    #: Whose it is; empty: nobody's.
    owner: str = ""
    #: When it is due, was sent, or began.
    at: datetime
    #: A code: a kind of debt, a level, a kind of alarm.
    what: str = ""

    def __str__(self) -> str:
        """Return it as a sheet keeps it: words that are never personal data."""
        return " ".join((self.about, self.id, self.owner or "-", self.at.isoformat(), self.what or "-"))

    @classmethod
    def of(cls, text: str) -> Line:
        """Read one back."""
        about, name, owner, at, what = text.split(" ")
        return cls(
            about=About(about),
            id=name,
            owner="" if owner == "-" else owner,
            at=datetime.fromisoformat(at),
            what="" if what == "-" else what,
        )


@guarded(Verb.SHEET_WRITE)
def standing(work: UnitOfWork, *, actor: str, now: datetime) -> tuple[Line, ...]:
    """Return what would stand on a sheet written now; raise `Forbidden`."""
    allow(work, actor, Verb.SHEET_WRITE)
    order = list(About)
    lines = (
        *_of_people(work, now),
        *_of_debts(work, now),
        *_of_waivers(work, actor, now),
        *_of_the_line(work, now),
    )
    return tuple(sorted(lines, key=lambda line: (order.index(line.about), line.at, line.id)))


@guarded(Verb.SHEET_WRITE)
def write(work: UnitOfWork, *, told: str = "", actor: str, now: datetime) -> ShiftSheet:
    """Write the sheet of the shift that ends, with a word of whoever leaves; raise `Forbidden`, `Refused`."""
    lines = standing(work, actor=actor, now=now)
    if len(told) > LONGEST_NOTE:
        raise Refused(f"交班说明最多 {LONGEST_NOTE} 个字。")
    sheet = ShiftSheet(
        id=f"sh-{token_hex(4)}", by=actor, at=now, lines=tuple(map(str, lines)), note=told.strip()
    )
    work.book(SHIFT_SHEETS).add(sheet)
    note(work, actor, "sheet.write", sheet.id, now)
    return sheet


@guarded(Verb.SHEET_ACCEPT)
def accept(work: UnitOfWork, sheet_id: str, *, actor: str, now: datetime) -> ShiftSheet:
    """Take a sheet over by one's own name. Raises `NotFound`, `Forbidden`, `Refused`, `Conflict`."""
    allow(work, actor, Verb.SHEET_ACCEPT)
    sheet = work.book(SHIFT_SHEETS).get(sheet_id)
    if sheet.state != "open":
        raise Conflict(f"{sheet_id} 已由 {sheet.accepted_by} 接下。")
    if sheet.by == actor:
        raise Refused("自己写的交班单要由接班的人接下。")
    taken = replace(sheet, state="accepted", accepted_by=actor, accepted_at=now)
    note(work, actor, "sheet.accept", sheet.id, now)
    return work.book(SHIFT_SHEETS).put(taken)


@guarded(Verb.SHEET_ACCEPT)
def read(work: UnitOfWork, sheet_id: str, *, actor: str) -> ShiftSheet:
    """Return a sheet; raise `NotFound`, `Forbidden`."""
    allow(work, actor, Verb.SHEET_ACCEPT)
    return work.book(SHIFT_SHEETS).get(sheet_id)


@guarded(Verb.SHEET_ACCEPT)
def listed(work: UnitOfWork, *, every: bool = False, actor: str) -> list[ShiftSheet]:
    """Return the sheets that wait for somebody (or all), the oldest first; raise `Forbidden`."""
    allow(work, actor, Verb.SHEET_ACCEPT)
    book = work.book(SHIFT_SHEETS)
    return sorted(book.where() if every else book.where(state="open"), key=lambda one: (one.at, one.id))


def _of_people(work: UnitOfWork, now: datetime) -> Iterable[Line]:
    high = {"level": int(Level.HIGH)}
    for state in (CaseState.OPEN, CaseState.ACTIVE, CaseState.WATCH):
        for case in work.book(CASES).where(state=state, up_to=high):
            since = case.alarming_since or case.opened_at
            yield Line(
                about=About.CASE, id=case.id, owner=case.owner or "", at=since, what=str(int(case.level))
            )
    for one in work.book(DEBRIEFS).where(state=DebriefState.OWED):
        yield Line(about=About.DEBRIEF, id=one.id, owner=one.agent, at=one.since)


def _of_debts(work: UnitOfWork, now: datetime) -> Iterable[Line]:
    about = {
        **dict.fromkeys((Kind.HIGH_RISK, Kind.MID_RISK), About.STEP),
        **dict.fromkeys(PROMISED, About.PROMISE),
        **dict.fromkeys((Kind.MISSED_CALL, Kind.FOLLOW_UP, Kind.PLANNED, Kind.VERIFY), About.TASK),
    }
    owed = [
        one
        for kind in about
        for one in work.debts.open(kind=kind)
        if one.mode is Mode.HUMAN_ONLY and one.due_at <= now + NEXT_SHIFT
    ]
    cases = worst_cases(work, {one.person for one in owed if about[one.kind] is About.STEP})
    for one in owed:
        case = cases.get(one.person) if about[one.kind] is About.STEP else None
        owner = one.owner or (case.owner if case else None) or ""
        yield Line(about=about[one.kind], id=one.id, owner=owner, at=one.window_end, what=one.kind)


def _of_waivers(work: UnitOfWork, actor: str, now: datetime) -> Iterable[Line]:
    for waiver in waiving.waivers(work, actor=actor, now=now):
        yield Line(about=About.WAIVER, id=waiver.id, owner=waiver.asked_by, at=waiver.asked_at)


def _of_the_line(work: UnitOfWork, now: datetime) -> Iterable[Line]:
    for sent in work.book(HANDOVERS).where(state=HandoverState.OPEN):
        yield Line(about=About.HANDOVER, id=sent.id, owner=sent.from_agent, at=sent.sent_at)
    for block in work.book(BLOCKS).where():
        if block.lifted_at is None and block.since > now - _LATELY and block.until > now:
            yield Line(about=About.BLOCK, id=block.id, owner=block.by, at=block.until)
    for alarm in work.alarms.open():
        yield Line(about=About.ALARM, id=alarm.id, at=alarm.raised_at, what=alarm.kind)
