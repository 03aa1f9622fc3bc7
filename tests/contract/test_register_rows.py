"""A clerk's list is made of the archive alone, and says what the whole view of a debt would (R39)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from actors import enlist

from callcenter.config import Settings
from callcenter.domain.fields import DEBT_FIELDS, visible
from callcenter.domain.people import FileStatus, Grade, HardshipFile, Person, Phone, PhoneStatus
from callcenter.domain.users import Role
from callcenter.ports import Store, UnitOfWork
from callcenter.service.followup import debt_rows, debt_views
from callcenter.service.followup.debts import line_facts, rules_of
from scheduler.obligations import OF_REGISTER, Kind, Mode, Obligation

DAY = timedelta(days=1)
RULES = replace(rules_of(Settings()), visit_every=0)


def fill(work: UnitOfWork, now: datetime) -> None:
    enlist(work)
    learned, listed = Phone(number="13800000001"), Phone(number="13800000002", listed=True)
    bad = replace(listed, number="13800000003", status=PhoneStatus.VACANT)
    numbers = {
        "p1": (learned, listed),
        "p2": (bad, replace(listed, number="13800000004")),
        "p3": (learned,),
        "p4": (),
        "p5": (bad,),
    }
    for n, (person, phones) in enumerate(numbers.items()):
        name = None if person == "p4" else f"沈建{'国平华明生'[n]}"
        work.people.add(Person(id=person, code=f"P-{person.upper()}", name=name, phones=phones))
        if person != "p5":  # whose file is not here any more
            work.people.put_file(
                HardshipFile(
                    file_no=f"WX-{n}",
                    person=person,
                    grade=Grade.DEEP,
                    status=FileStatus.ACTIVE,
                    since=date(2026, 9, 1),
                    district="梁溪区" if n % 2 else "",
                )
            )
        for kind, ends in ((Kind.HARDSHIP, n - 2), (Kind.VISIT, 3 - n)):
            end = now + ends * DAY + timedelta(minutes=n)
            work.debts.add(
                Obligation(
                    id=f"ob-{kind}-{n}",
                    person=person,
                    kind=kind,
                    due_at=min(end, now) - n * DAY,
                    window_end=end,
                    mode=Mode.IVR_OK,
                    origin=f"WX-{n}" + ("#2" if n == 2 else ""),
                    created_at=now - 60 * DAY,
                )
            )


@pytest.mark.parametrize("limit", [None, 1, 4, 50])
def test_r39_a_clerks_rows_are_those_of_the_whole_view_with_the_keys_they_may_see(
    store: Store, now: datetime, limit: int | None
) -> None:
    with store() as work:
        fill(work, now)
        facts, clerk = line_facts(work, now, None, RULES), work.users.get("k001")
        listed = work.debts.page(now, kinds=OF_REGISTER, limit=limit, plain=True)
        views = debt_views.unread(work, listed, facts)
        by_view = [debt_rows._debt_row(clerk, view) for view in views]
        shown = debt_rows._register_rows(work, clerk, facts, now, limit)
        assert shown == by_view
        assert len(shown) == min(10, limit or 10)
        assert all(row.keys() == visible({Role.CLERK}, row, DEBT_FIELDS).keys() for row in shown)


def test_a_value_of_the_archive_names_nobody_where_it_is_printed(store: Store, now: datetime) -> None:
    with store() as work:
        fill(work, now)
        assert "沈" not in repr(list(work.debts.register(now, until=now)))
        assert "138" not in repr(list(work.debts.register(now, until=now)))
