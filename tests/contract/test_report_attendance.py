"""What an employer is told: sums of their own unit, and none so small that it says who (R40, R39)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from callcenter.domain.books import TOMBSTONES
from callcenter.domain.people import FileStatus, Grade, HardshipFile, Person
from callcenter.domain.users import Role, User
from callcenter.errors import Forbidden, NotFound, Refused
from callcenter.ports import Store, UnitOfWork
from callcenter.service.privacy.attendance import Report, attendance, contacts
from scheduler.obligations import Evidence, EvidenceKind, Kind, Mode, Obligation

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 15, 2, 0, tzinfo=UTC)
EMPLOYERS = {"e001": "甲厂"}


@pytest.fixture(autouse=True)
def _people_who_act(store: Store) -> None:
    with store() as work:
        for code, role in (("e001", Role.EMPLOYER), ("e002", Role.EMPLOYER), ("s001", Role.SUPERVISOR)):
            work.users.add(User(code=code, name="周玲", roles=frozenset({role})))
        work.commit()


def kept(store: Store, unit: str, kind: Kind, people: int, *, times: int = 1, at: datetime = OCTOBER) -> None:
    """So many people of a unit each keep something so often."""
    with store() as work:
        for n in range(people):
            person = f"{unit}-{n}"
            if not work.people.many([person]):
                work.people.add(Person(id=person, code=f"P-{unit}-{n}", name="沈建国"))
                file = HardshipFile(
                    file_no=f"WX-{person}",
                    person=person,
                    grade=Grade.DEEP,
                    status=FileStatus.ACTIVE,
                    since=date(2026, 1, 1),
                    union_unit=unit,
                )
                work.people.put_file(file)
            for turn in range(times):
                keep(work, f"{person}/{kind}/{turn}/{at:%d}", person, kind, at + timedelta(hours=turn))
        work.commit()


def keep(work, name: str, person: str, kind: Kind, at: datetime) -> None:  # type: ignore[no-untyped-def]
    owed = Obligation(
        id=name,
        person=person,
        kind=kind,
        due_at=at,
        window_end=at,
        mode=Mode.HUMAN_ONLY,
        origin=name,
        created_at=at,
    )
    work.debts.add(owed)
    proof = Evidence(
        id=f"ev-{name}", obligation=name, kind=EvidenceKind.HUMAN_TALK, at=at, reference=name, by="c017"
    )
    work.debts.add_evidence(proof)


def seen(store: Store, *, actor: str = "s001", unit: str | None = None, month: str = "2026-10") -> Report:
    with store() as work:
        return attendance(work, month, unit, actor=actor, now=NOW, zone=ZONE, smallest=5, employers=EMPLOYERS)


def test_an_employer_sees_the_sums_of_their_own_unit(store: Store) -> None:
    kept(store, "甲厂", Kind.APPOINTMENT, 8)
    kept(store, "甲厂", Kind.TALK, 20)
    kept(store, "乙厂", Kind.TALK, 30)
    assert seen(store, actor="e001").rows() == [{"unit": "甲厂", "预约": 8, "讲座": 20, "total": 28}]
    with pytest.raises(Forbidden, match="甲厂"):
        seen(store, actor="e001", unit="乙厂")
    with pytest.raises(Forbidden, match=r"reports\.employers"):
        seen(store, actor="e002", unit="甲厂")


def test_a_few_are_hidden_with_what_they_could_be_worked_out_from(store: Store) -> None:
    for unit in ("甲厂", "乙厂", "丙厂"):
        kept(store, unit, Kind.APPOINTMENT, 3 if unit == "甲厂" else 12)
        kept(store, unit, Kind.TALK, 20)
    [row] = seen(store, actor="e001").rows()
    assert (row["预约"], row["讲座"], row["total"]) == (None, None, 23)
    rows = {row["unit"]: row for row in seen(store).rows()}
    assert rows[None] == {"unit": None, "预约": 27, "讲座": 60, "total": 87}
    hidden = {(unit, key) for unit, row in rows.items() for key in ("预约", "讲座") if row[key] is None}
    assert len(hidden) == 4
    assert {("甲厂", "预约"), ("甲厂", "讲座")} < hidden


def test_few_people_who_come_often_are_still_few(store: Store) -> None:
    kept(store, "甲厂", Kind.APPOINTMENT, 2, times=10)
    kept(store, "乙厂", Kind.APPOINTMENT, 9)
    rows = {row["unit"]: row for row in seen(store).rows()}
    assert rows["甲厂"]["预约"] is None


def test_only_what_was_kept_in_that_month_counts(store: Store) -> None:
    kept(store, "甲厂", Kind.APPOINTMENT, 6)
    kept(store, "甲厂", Kind.TALK, 6, at=datetime(2026, 9, 30, 15, 59, tzinfo=UTC))
    kept(store, "甲厂", Kind.HARDSHIP, 6)
    assert seen(store, unit="甲厂").rows()[0] == {"unit": "甲厂", "预约": 6, "讲座": 0, "total": 6}
    assert seen(store, unit="甲厂", month="2026-09").rows()[0]["讲座"] == 6


def test_r40_a_month_once_shown_is_not_changed_by_a_worker_who_changes_units(store: Store) -> None:
    kept(store, "甲厂", Kind.APPOINTMENT, 7)
    kept(store, "乙厂", Kind.APPOINTMENT, 9)
    with store() as work:
        first = _asked(work).rows()
        work.commit()
    with store() as work:
        moved = work.people.file("WX-甲厂-0")
        assert moved is not None
        work.people.put_file(replace(moved, union_unit="乙厂"))
        keep(work, "late", "甲厂-1", Kind.TALK, OCTOBER)
        work.commit()
    with store() as work:
        assert _asked(work).rows() == first
        assert _asked(work, actor="e001").rows() == [next(row for row in first if row["unit"] == "甲厂")]


def test_a_hidden_count_is_not_in_what_is_kept_of_a_shown_table(store: Store) -> None:
    kept(store, "甲厂", Kind.APPOINTMENT, 2)
    kept(store, "乙厂", Kind.APPOINTMENT, 9)
    with store() as work:
        _asked(work)
        [stone] = work.book(TOMBSTONES).where(object="attendance:2026-10")
        assert "预约" not in stone.counts["甲厂"]


def test_each_month_and_each_table_is_fixed_by_itself(store: Store) -> None:
    kept(store, "甲厂", Kind.APPOINTMENT, 6)
    kept(store, "甲厂", Kind.HARDSHIP, 6)
    with store() as work:
        assert _asked(work).rows()[0]["total"] == 6
        assert _asked(work, month="2026-09").rows()[0]["total"] == 0
        found = contacts(work, "2026-10", None, actor="s001", now=NOW, zone=ZONE, smallest=5)
        assert found.rows()[0]["困难回访"] == 6


def _asked(work: UnitOfWork, *, actor: str = "s001", month: str = "2026-10") -> Report:
    return attendance(work, month, None, actor=actor, now=NOW, zone=ZONE, smallest=5, employers=EMPLOYERS)


@pytest.mark.parametrize("month", ["2026-11", "2027-01", "十月", "2026-13", ""])
def test_a_month_that_is_not_over_or_none_is_refused(store: Store, month: str) -> None:
    kept(store, "甲厂", Kind.APPOINTMENT, 6)
    with pytest.raises(Refused):
        seen(store, month=month)


def test_a_unit_nobody_is_of_is_said_to_be_so(store: Store) -> None:
    with pytest.raises(NotFound, match="丁厂"):
        seen(store, unit="丁厂")


def test_contacts_with_hardship_workers_are_no_employers_business(store: Store) -> None:
    kept(store, "甲厂", Kind.HARDSHIP, 7)
    kept(store, "乙厂", Kind.HARDSHIP, 9)
    with store() as work:
        with pytest.raises(Forbidden):
            contacts(work, "2026-10", None, actor="e001", now=NOW, zone=ZONE, smallest=5)
        found = contacts(work, "2026-10", None, actor="s001", now=NOW, zone=ZONE, smallest=5)
    assert [(row["unit"], row["困难回访"]) for row in found.rows()] == [("乙厂", 9), ("甲厂", 7), (None, 16)]
