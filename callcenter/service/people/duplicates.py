"""Entries that share a number: one person twice, or a family with one telephone. A supervisor tells which.

An import never decides it: a list that brings the number of somebody who called makes an entry of its
own, and the two stand here until they are merged (decision 0025).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import combinations

from callcenter.domain.access import Verb
from callcenter.domain.numbers import normalise
from callcenter.domain.people import Person
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.people.entries import group_of, open_cases


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two entries that share a number; of `one` there are records, a case or an older entry."""

    number: str = field(repr=False)
    one: Person = field(repr=False)
    other: Person = field(repr=False)
    #: Of each: whether there is a hardship file, and whether there are records or a case.
    filed: tuple[bool, bool]
    recorded: tuple[bool, bool]


@guarded(Verb.PEOPLE_MERGE)
def duplicates(work: UnitOfWork, *, actor: str) -> list[Pair]:
    """Return every two standing entries that share a number, by their pseudonyms. Raises `Forbidden`."""
    allow(work, actor, Verb.PEOPLE_MERGE)
    having: defaultdict[str, dict[str, Person]] = defaultdict(dict)
    for person in work.people.all():
        if person.merged_into is None:
            for phone in person.phones:
                having[normalise(phone.number) or phone.number][person.id] = person
    pairs = [
        _pair(work, number, one, other)
        for number, people in having.items()
        for one, other in combinations(people.values(), 2)
    ]
    return sorted(pairs, key=lambda pair: (pair.one.code, pair.other.code))


def _pair(work: UnitOfWork, number: str, one: Person, other: Person) -> Pair:
    first, second = sorted((one, other), key=lambda person: (not _recorded(work, person), person.id))
    return Pair(
        number=number,
        one=first,
        other=second,
        filed=(_filed(work, first), _filed(work, second)),
        recorded=(_recorded(work, first), _recorded(work, second)),
    )


def _filed(work: UnitOfWork, person: Person) -> bool:
    return any(work.people.files_of(entry) for entry in group_of(work, person))


def _recorded(work: UnitOfWork, person: Person) -> bool:
    return bool(open_cases(work, person)) or any(
        work.sessions.of_person(entry) for entry in group_of(work, person)
    )
