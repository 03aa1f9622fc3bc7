"""What people wrote about somebody's debts, and its going when who they are goes (R42, R43).

That a debt was put off, handed up or let go, by whom and when, stays: it is about nobody then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from callcenter.domain.books import CASES, DEBT_EVENTS, SHIFT_SHEETS, WAIVERS
from callcenter.domain.ledger import DebtEvent, ShiftSheet, Waiver
from callcenter.ports import UnitOfWork


def acts_with_words(work: UnitOfWork, person: str) -> list[DebtEvent]:
    """Return the acts on an entry's debts that have a reason yet."""
    owed = (one.id for one in work.debts.of_person(person))
    return [event for debt in owed for event in work.book(DEBT_EVENTS).where(obligation=debt) if event.reason]


def waivers_with_words(work: UnitOfWork, person: str) -> list[Waiver]:
    """Return the waivers of an entry's debts that have a reason yet."""
    owed = (one.id for one in work.debts.of_person(person))
    found = (waiver for debt in owed for waiver in work.book(WAIVERS).where(obligation=debt))
    return [waiver for waiver in found if waiver.reason or waiver.decision]


def forget_words(work: UnitOfWork, person: str) -> None:
    """Blank the reasons of what was done with an entry's debts. The caller leaves a tombstone."""
    for event in acts_with_words(work, person):
        work.book(DEBT_EVENTS).put(replace(event, reason=""))
    for waiver in waivers_with_words(work, person):
        work.book(WAIVERS).put(replace(waiver, reason="", decision=""))


def sheets_about(work: UnitOfWork, persons: Iterable[str]) -> list[ShiftSheet]:
    """Return the shift sheets that name something of these entries and are not blank yet."""
    theirs: set[str] = set()
    for person in persons:
        owed = {one.id for one in work.debts.of_person(person)}
        asked = {waiver.id for debt in owed for waiver in work.book(WAIVERS).where(obligation=debt)}
        theirs |= owed | asked | {case.id for case in work.book(CASES).where(person=person)}
    return [sheet for sheet in work.book(SHIFT_SHEETS).where() if theirs & named_on(sheet)]


def named_on(sheet: ShiftSheet) -> set[str]:
    """Return the ids that a sheet's lines name: `case ca-1 …`."""
    return {words[1] for line in sheet.lines if len(words := line.split(" ")) > 1}
