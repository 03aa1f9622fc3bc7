"""A small world of people, calls and cases, for tests of what is done about people."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

from callcenter.domain.books import CASES
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.cases import Case, CaseState
from callcenter.domain.people import FileStatus, Grade, HardshipFile, Person, Phone
from callcenter.domain.risk import Level
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import Role, User
from callcenter.ports import Store, UnitOfWork
from scheduler.obligations import Kind, Mode, Obligation

SHEN = Person(id="p1", code="P-7F3K", name="沈建国", birth_month=11, phones=(Phone(number="13861705555"),))
QIAN = Person(id="p2", code="P-4KXA", name="钱秀英", phones=(Phone(number="13912345678"),))
STAFF = (
    User(code="c017", name="周岚", roles=frozenset({Role.COUNSELLOR})),
    User(code="c018", name="吴桐", roles=frozenset({Role.COUNSELLOR})),
    User(code="s001", name="顾明", roles=frozenset({Role.SUPERVISOR})),
    User(code="s002", name="陆遥", roles=frozenset({Role.SUPERVISOR})),
    User(code="k001", name="许帆", roles=frozenset({Role.CLERK})),
    User(code="x001", name="韩非", roles=frozenset({Role.ADMIN})),
)


def peopled(store: Store, *people: Person) -> Store:
    """Put the staff and these people (Shen and Qian) into a store."""
    with store() as work:
        for user in STAFF:
            work.users.add(user)
        for person in people or (SHEN, QIAN):
            work.people.add(person)
        work.commit()
    return store


def a_case(person: str, level: Level, now: datetime, **changes: object) -> Case:
    """Return an open case."""
    given = {"id": f"ca-{person}", "owner": "c017", "state": CaseState.ACTIVE, **changes}
    return Case(person=person, level=level, opened_at=now, opened_from="se-1", **given)  # type: ignore[arg-type]


def with_case(store: Store, person: str, level: Level, now: datetime, **changes: object) -> None:
    """Open a case for somebody."""
    with store() as work:
        work.book(CASES).add(a_case(person, level, now, **changes))
        work.commit()


def a_call(call_id: str, now: datetime, number: str | None = "13861705555", **changes: object) -> CallRecord:
    """Return an answered call from somebody."""
    plain = CallRecord(
        id=call_id,
        direction=Direction.INBOUND,
        outcome=Outcome.ANSWERED,
        started_at=now,
        number=number,
        answered_at=now + timedelta(seconds=5),
        ended_at=now + timedelta(minutes=20),
        answered_by="c017",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def a_session(call_id: str, now: datetime, **changes: object) -> SessionRow:
    """Return the head of a call's record."""
    given = {"counsellor": "c017", **changes}
    return SessionRow(id=f"se-{call_id}", call=call_id, opened_at=now, **given)  # type: ignore[arg-type]


def near(work: UnitOfWork, now: datetime, *people: str, by: str = "c017") -> None:
    """Let a counsellor have records still to be written about these people."""
    work.sessions.open_many(
        a_session(f"near-{by}-{person}", now, person=person, counsellor=by) for person in people
    )


def on_file(work: UnitOfWork, person: str, **changes: object) -> None:
    """Put somebody on the register of hardship workers."""
    plain = HardshipFile(
        file_no=f"WX-{person}",
        person=person,
        grade=Grade.DEEP,
        status=FileStatus.ACTIVE,
        since=date(2026, 9, 1),
    )
    work.people.put_file(replace(plain, **changes))  # type: ignore[arg-type]


def a_promise(name: str, person: str, now: datetime, **changes: object) -> Obligation:
    """Return a call back that is owed."""
    given = {"kind": Kind.CALLBACK, "mode": Mode.HUMAN_ONLY, "origin": f"call-{name}", **changes}
    return Obligation(
        id=f"ob-{name}",
        person=person,
        due_at=now,
        window_end=now + timedelta(hours=2),
        created_at=now,
        **given,  # type: ignore[arg-type]
    )
