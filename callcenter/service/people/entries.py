"""Which entry stands for somebody: merges followed, callers recognised."""

from __future__ import annotations

from collections.abc import Iterable

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
    known = _taken_for(work.people.having(call.number), call.number) if call.number else []
    if known:
        return _standing(work, known[0])
    promised = anonymous_id(call.id)
    return resolve(work, promised) if work.people.many([promised]) else None


class Callers:
    """Whom many calls were with, read in a few statements: what `caller_of` says of each.

    For the length of one unit of work. Who is added to the store meanwhile is to be told (`met`).
    """

    def __init__(self, work: UnitOfWork, calls: Iterable[CallRecord]) -> None:
        others = [call for call in calls if not call.id.startswith(ATTEMPT_PREFIX)]
        self._work = work
        self._asked = frozenset(call.id for call in others)
        holders = work.people.holders_of({_spelt(call.number) for call in others if call.number})
        self._holders = {number: set(ids) for number, ids in holders.items()}
        promised = {anonymous_id(call.id) for call in others}
        self._people = work.people.many(promised.union(*self._holders.values()))

    def of(self, call: CallRecord) -> Person | None:
        """Return whom a call was with."""
        if call.id not in self._asked:
            return caller_of(self._work, call)
        number = _spelt(call.number or "")
        known = _taken_for((self._people[one] for one in self._holders.get(number, ())), number)
        found = known[0] if known else self._people.get(anonymous_id(call.id))
        return None if found is None else _standing(self._work, found)

    def met(self, person: Person) -> None:
        """Take note of somebody who was added to the store."""
        self._people[person.id] = person
        for phone in person.phones:
            self._holders.setdefault(_spelt(phone.number), set()).add(person.id)


def _taken_for(having: Iterable[Person], number: str) -> list[Person]:
    """Return who of those who have a number may be taken for the caller: it is known to be theirs."""
    spelling = _spelt(number)
    found: list[tuple[bool, Person]] = []
    for one in having:
        for phone in one.phones:
            if phone.is_known and _spelt(phone.number) == spelling:
                found.append((phone.source is PhoneSource.REGISTER, one))
    return [one for _, one in sorted(found, key=lambda pair: (pair[0], pair[1].id))]


def _spelt(number: str) -> str:
    """Return the one spelling of a number."""
    return normalise(number) or number
