"""People, files and statements by the thousand: what holds for one at a time holds for many at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from callcenter.domain.audit_chain import verify
from callcenter.domain.books import HOUSEHOLDS
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.households import Household
from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    HardshipFile,
    Person,
    Phone,
    Suppression,
    SuppressionKind,
)
from callcenter.domain.sessions import SessionRow
from callcenter.errors import Conflict, NotFound
from callcenter.ports import AuditEntry, Store, UnitOfWork

HOME = "13861705555"
IDENTITY = "11010519491231002X"


def a_person(n: int, *numbers: str) -> Person:
    phones = tuple(Phone(number=number) for number in numbers)
    return Person(id=f"p{n}", code=f"P-{n:04d}", name="沈建国", birth_year=1960, phones=phones)


def a_file(n: int, person: str) -> HardshipFile:
    return HardshipFile(
        file_no=f"WX-{n}", person=person, grade="深度困难", status=FileStatus.ACTIVE, since=date(2026, 3, 1)
    )


def a_consent(person: str, at: datetime) -> Consent:
    return Consent(person=person, kind=ConsentKind.IVR_CHECKIN, granted=True, at=at, channel="paper")


def a_wish(person: str, at: datetime) -> Suppression:
    return Suppression(person=person, kind=SuppressionKind.AUTOMATION, at=at, reason="孩子在睡觉")


def everything(work: UnitOfWork) -> object:
    ids = [person.id for person in work.people.all()]
    return (
        work.people.all(),
        work.people.files(),
        work.people.consents_of(ids),
        work.people.suppressions_of(ids),
        set(work.people.to_look_at(datetime.fromisoformat("2026-12-01T00:00:00Z"), 99)),
    )


def test_many_at_once_are_the_same_as_one_by_one(store: Store, now: datetime) -> None:
    people = [a_person(n, HOME, f"1390000{n:04d}") for n in range(1, 4)]
    spoken = replace(people[0], spoken="358146", identity_mark="ab" * 32)
    files = [a_file(n, f"p{n}") for n in range(1, 4)]
    moved = [replace(files[0], district="梁溪区"), replace(files[1], person="p3"), files[2]]
    with store() as work:
        for person in people:
            work.people.add(person)
        work.people.update(spoken)
        for file in (*files, *moved):
            work.people.put_file(file)
        for n in (1, 2):
            work.people.add_consent(a_consent(f"p{n}", now))
            work.people.add_suppression(a_wish(f"p{n}", now))
        one_by_one = everything(work)
    with store() as work:
        work.people.add_people(people)
        work.people.update_people([spoken])
        work.people.put_files(files)
        work.people.put_files(moved)
        work.people.add_consents([a_consent(f"p{n}", now) for n in (1, 2)])
        work.people.add_suppressions([a_wish(f"p{n}", now) for n in (1, 2)])
        assert everything(work) == one_by_one


def test_nobody_at_all_is_no_fault(store: Store) -> None:
    with store() as work:
        work.people.add_people([])
        work.people.update_people([])
        work.people.put_files([])
        work.people.add_consents([])
        work.people.add_suppressions([])
        assert work.people.all() == []


def test_a_file_that_is_put_as_it_stands_is_not_looked_at_again(store: Store, now: datetime) -> None:
    with store() as work:
        work.people.add_people([a_person(1), a_person(2)])
        files = [a_file(1, "p1"), a_file(2, "p2")]
        work.people.put_files(files)
        work.people.looked({"p1": None, "p2": None})
        work.people.put_files([files[0], replace(files[1], grade="相对困难")])
        assert work.people.to_look_at(now, 9) == ["p2"]


def test_somebody_who_is_there_already_refuses_all(store: Store) -> None:
    with store() as work:
        work.people.add(a_person(1))
        for taken in (a_person(1), replace(a_person(2), code="P-0001")):
            with pytest.raises(Conflict):
                work.people.add_people([a_person(3), taken])
        with pytest.raises(Conflict):
            work.people.add_people([a_person(3), a_person(3)])
        assert [person.id for person in work.people.all()] == ["p1"]


def test_what_is_written_about_nobody_is_refused(store: Store, now: datetime) -> None:
    with store() as work:
        work.people.add(a_person(1))
        for refused in (
            lambda: work.people.update_people([a_person(1), a_person(9)]),
            lambda: work.people.put_files([a_file(1, "p9")]),
            lambda: work.people.add_consents([a_consent("p9", now)]),
            lambda: work.people.add_suppressions([a_wish("p9", now)]),
        ):
            with pytest.raises(NotFound):
                refused()


def test_whose_numbers_they_are_is_asked_for_all_at_once(store: Store, now: datetime) -> None:
    with store() as work:
        work.people.add_people([a_person(1, HOME, "051085001111"), a_person(2, HOME), a_person(3)])
        spelt = ["+86 138 6170 5555", HOME, "051085001111", "13700000000"]
        assert work.people.holders_of(spelt) == {
            spelt[0]: ["p1", "p2"],
            HOME: ["p1", "p2"],
            "051085001111": ["p1"],
        }
        call = CallRecord(
            id="1.1", direction=Direction.INBOUND, outcome=Outcome.ANSWERED, started_at=now, number=HOME
        )
        work.calls.put_many([call])
        session = SessionRow(id="se-1", call="1.1", counsellor="c017", opened_at=now, person="p2")
        work.sessions.open_many([session])
        assert work.calls.known_numbers([HOME, "051085001111"]) == {HOME}
        assert work.sessions.about(["p1", "p2", "p9"]) == {"p2"}


def test_an_erased_number_is_nobodys(store: Store, now: datetime) -> None:
    with store() as work:
        work.people.add_people([a_person(1, HOME)])
        work.people.add_suppression(a_wish("p1", now))
        work.people.forget("p1")
        assert work.people.holders_of([HOME]) == {}
        work.people.update_people([a_person(1)])
        work.people.add_people([a_person(2, HOME)])
        assert [wish.person for wish in work.people.suppressions("p2")] == ["p1"]


def test_an_identity_number_is_found_by_its_mark_alone(store: Store) -> None:
    with store() as work:
        mark = work.people.mark_of(IDENTITY)
        assert mark == work.people.mark_of(IDENTITY)
        assert len({mark, work.people.mark_of(IDENTITY, "household"), work.people.mark_of("X")}) == 3
        assert IDENTITY not in mark
        work.people.add_people([replace(a_person(n), identity_mark=mark) for n in (1, 2)])
        assert work.people.marked([mark, work.people.mark_of("X")]) == {mark: ["p1", "p2"]}
        work.people.forget("p1")
        assert work.people.marked([mark]) == {mark: ["p2"]}


def test_households_that_stand_are_left_as_they_are(store: Store) -> None:
    with store() as work:
        households = work.book(HOUSEHOLDS)
        households.add(Household(id="hh-1", register_no="7"))
        households.add_many([Household(id="hh-1", register_no="8"), Household(id="hh-2", register_no="9")])
        assert [one.register_no for one in households.where()] == ["7", "9"]


def test_thousands_of_audit_entries_in_one_unit_stand_in_one_chain(store: Store, now: datetime) -> None:
    with store() as work:
        work.audit.append(AuditEntry(actor="k001", verb="hardship.add", object="WX-0", at=now))
        work.commit()
        for n in range(1, 1203):
            at = now + timedelta(seconds=n)
            work.audit.append(
                AuditEntry(actor="k001", verb="hardship.add", object=f"WX-{n}", at=at, reason="姓名")
            )
        work.commit()
        work.audit.append(AuditEntry(actor="k001", verb="hardship.add", object="WX-last", at=now))
        work.commit()
    with store() as work:
        entries = [link.entry for link in work.audit.links() if link.entry is not None]
        assert [(e.seq, e.object) for e in entries[-2:]] == [(1203, "WX-1202"), (1204, "WX-last")]
        assert entries[-2].reason == "姓名"
        assert verify(work.audit.links(), work.audit.mac).fault is None
