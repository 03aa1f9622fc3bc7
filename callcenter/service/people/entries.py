"""Which entry stands for somebody: merges followed, callers recognised."""

from __future__ import annotations

from callcenter.domain.books import CASES
from callcenter.domain.calls import CallRecord
from callcenter.domain.cases import Case
from callcenter.domain.numbers import normalise
from callcenter.domain.people import Person, PhoneSource
from callcenter.errors import Conflict, NotFound
from callcenter.ports import UnitOfWork
from callcenter.service.names import ATTEMPT_PREFIX, anonymous_id

#: No chain of merges is longer; one that is was made by hand.
_LONGEST = 100


def resolve(work: UnitOfWork, person_id: str) -> Person:
    """Return the entry that stands for this one after all merges, or raise `NotFound`."""
    return _standing(work, work.people.get(person_id))


def _standing(work: UnitOfWork, person: Person) -> Person:
    for _ in range(_LONGEST):
        if person.merged_into is None:
            return person
        person = work.people.get(person.merged_into)
    raise Conflict(f"{person.id} 的合并记录成环,请找管理员核对。")


def entry(work: UnitOfWork, name: str) -> Person:
    """Return the very entry an id or a pseudonym names, or raise `NotFound`."""
    said = name.strip()[:60]
    if not said.isprintable():
        raise NotFound("编号和代号里没有这样的字符。")
    known = work.people.many([said]).get(said) or work.people.by_code(said.upper())
    if known is None:
        raise NotFound(f"没有编号或代号为 {said} 的人。")
    return known


def named(work: UnitOfWork, name: str) -> Person:
    """Return whom an id or a pseudonym names, merges followed, or raise `NotFound`."""
    return _standing(work, entry(work, name))


def group_of(work: UnitOfWork, person: Person) -> tuple[str, ...]:
    """Return the id of an entry and of all that were merged into it."""
    return (person.id, *work.people.merged(person.id))


def own_numbers(work: UnitOfWork, person: Person) -> list[str]:
    """Return somebody's numbers that nobody else has: a family's phone is not theirs alone.

    One that a counsellor typed may be anybody's until a supervisor made sure.
    """
    group = set(group_of(work, person))
    numbers = {phone.number for one in group for phone in work.people.get(one).phones if phone.is_known}
    return sorted(n for n in numbers if all(one.id in group for one in work.people.having(n)))


def open_cases(work: UnitOfWork, person: Person) -> list[Case]:
    """Return the cases that are open for somebody, the worst first."""
    found = [case for entry in group_of(work, person) for case in work.book(CASES).where(person=entry)]
    return sorted((case for case in found if case.is_open), key=lambda case: (case.level, case.id))


def caller_of(work: UnitOfWork, call: CallRecord) -> Person | None:
    """Return whom a call was with: whom we dialled, whose number it is, or who was promised something.

    A number that a counsellor typed tells of nobody until a supervisor made sure (decision 0025). Of a
    shared phone whoever called before goes before whom only a list names, then the first by id. None:
    nobody we know, or the number was withheld.
    """
    attempt = work.debts.attempt(call.id) if call.id.startswith(ATTEMPT_PREFIX) else None
    if attempt is not None:
        return resolve(work, work.debts.get(attempt.obligation).person)
    known = _having(work, call.number) if call.number else []
    if known:
        return _standing(work, known[0])
    promised = anonymous_id(call.id)
    return resolve(work, promised) if work.people.many([promised]) else None


def _having(work: UnitOfWork, number: str) -> list[Person]:
    """Return who may be taken for the caller, by a number that is known to be theirs."""
    spelling = normalise(number) or number
    found: list[tuple[bool, Person]] = []
    for one in work.people.having(number):
        for phone in one.phones:
            if phone.is_known and (normalise(phone.number) or phone.number) == spelling:
                found.append((phone.source is PhoneSource.REGISTER, one))
    return [one for _, one in sorted(found, key=lambda pair: (pair[0], pair[1].id))]
