"""Counts over the ledger: every store counts as the one in memory, which looks at everything."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

from callcenter.domain.coverage import Coverage
from callcenter.domain.people import Consent, ConsentKind, FileStatus, Grade, HardshipFile, Person
from callcenter.ports import Store, UnitOfWork
from scheduler.obligations import Attempt, Evidence, EvidenceKind, Kind, Mode, Obligation, Result
from scheduler.outlook import Load

DAY = timedelta(days=1)


def debt(person: str, now: datetime, **changes: object) -> Obligation:
    plain = Obligation(
        id=f"ob-{person}",
        person=person,
        kind=Kind.HARDSHIP,
        due_at=now - DAY,
        window_end=now + 5 * DAY,
        mode=Mode.IVR_OK,
        origin=f"WX-{person}",
        created_at=now - 30 * DAY,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def enrol(
    work: UnitOfWork, person: str, grade: str, district: str, status: FileStatus = FileStatus.ACTIVE
) -> None:
    work.people.add(Person(id=person, code=f"P-{person.upper()}", name="沈建国"))
    work.people.put_file(
        HardshipFile(
            file_no=f"WX-{person}",
            person=person,
            grade=grade,
            status=status,
            since=date(2026, 9, 1),
            district=district,
        )
    )


def prove(work: UnitOfWork, debt_id: str, at: datetime, kind: EvidenceKind = EvidenceKind.HUMAN_TALK) -> None:
    name = debt_id.removeprefix("ob-")
    proof = Evidence(id=f"ev-{name}", obligation=debt_id, kind=kind, at=at, reference=f"c-{name}", by="c017")
    assert work.debts.add_evidence(proof)


def test_what_is_due_and_what_of_it_is_late_is_counted(store: Store, now: datetime) -> None:
    with store() as work:
        for name in ("p1", "p2", "p3", "p4", "p5"):
            enrol(work, name, Grade.DEEP, "梁溪区")
        work.debts.add(debt("p1", now))
        work.debts.add(debt("p2", now, due_at=now - 9 * DAY, window_end=now - DAY))
        work.debts.add(debt("p3", now, due_at=now + DAY))
        work.debts.add(debt("p4", now))
        prove(work, "ob-p4", now)
        work.debts.add(debt("p5", now))
        work.debts.close("ob-p5", "本人要求", "admin", now)
        assert work.figures.owed(now) == (2, 1)


def test_alike_debts_are_counted_together_and_the_last_word_on_automation_counts(
    store: Store, now: datetime
) -> None:
    with store() as work:
        for name in ("p1", "p2", "p3", "p4"):
            enrol(work, name, Grade.DEEP, "梁溪区")
            work.debts.add(debt(name, now))
        for person, granted, at in (("p1", True, now), ("p2", True, now), ("p2", False, now + DAY)):
            work.people.add_consent(
                Consent(person=person, kind=ConsentKind.IVR_CHECKIN, granted=granted, at=at, channel="call")
            )
        prove(work, "ob-p4", now)
        work.debts.add(
            debt(
                "p9",
                now,
                kind=Kind.CALLBACK,
                mode=Mode.HUMAN_ONLY,
                due_at=now + 9 * DAY,
                window_end=now + 9 * DAY,
            )
        )
        found = work.figures.loads(now + DAY)
    alike = {"mode": Mode.IVR_OK, "due": now - DAY, "end": now + 5 * DAY}
    assert list(found) == [
        Load(consented=False, count=2, **alike),  # type: ignore[arg-type]
        Load(consented=True, count=1, **alike),  # type: ignore[arg-type]
    ]


def test_coverage_counts_people_once_in_each_group_and_only_those_in_file(
    store: Store, now: datetime
) -> None:
    with store() as work:
        enrol(work, "p1", Grade.DEEP, "梁溪区")
        enrol(work, "p2", Grade.DEEP, "梁溪区")
        enrol(work, "p3", Grade.RELATIVE, "滨湖区", FileStatus.WATCH)
        enrol(work, "p4", Grade.DEEP, "梁溪区", FileStatus.CLOSED)
        enrol(work, "p5", Grade.DEEP, "梁溪区", FileStatus.NOTICE)
        work.debts.add(debt("p1", now))
        prove(work, "ob-p1", now - 2 * DAY)
        work.debts.add(debt("p1", now, id="ob-p1b", kind=Kind.VISIT, origin="visit"))
        prove(work, "ob-p1b", now - DAY, EvidenceKind.HOME_VISIT)
        work.debts.add(debt("p2", now, window_end=now - timedelta(hours=1)))
        work.debts.add(debt("p3", now, due_at=now + DAY))
        work.debts.add(debt("p4", now))
        # What is proven of a promise is none of the register's contacts (R39).
        work.debts.add(debt("p3", now, id="ob-p3c", kind=Kind.CALLBACK, origin="c-1"))
        prove(work, "ob-p3c", now - DAY)
        found = list(work.figures.coverage(now - 5 * DAY, now, now))
        before = list(work.figures.coverage(now - 9 * DAY, now - 5 * DAY, now))
    assert found == [
        Coverage(grade="深度困难", district="梁溪区", in_file=2, contacted=1, owed=1, overdue=1),
        Coverage(grade="脱困观察", district="滨湖区", in_file=1, contacted=0, owed=0, overdue=0),
    ]
    assert found[0].share == 0.5
    assert [one.contacted for one in before] == [0, 0]


def test_tries_and_proofs_of_a_span_begin_at_its_start_and_end_before_its_end(
    store: Store, now: datetime
) -> None:
    with store() as work:
        enrol(work, "p1", Grade.DEEP, "梁溪区")
        work.debts.add(debt("p1", now))
        for n, (at, by, result) in enumerate(
            ((now, "ivr", Result.NO_ANSWER), (now + DAY, "c017", None), (now + 2 * DAY, "ivr", Result.BUSY))
        ):
            work.debts.add_attempt(
                Attempt(id=f"at-{n}", obligation="ob-p1", n=n + 1, planned_at=at, by=by, result=result)
            )
        prove(work, "ob-p1", now)
        tries = work.figures.tries_between(now, now + 2 * DAY)
        proofs = work.figures.proofs_between(now, now + DAY)
        assert work.figures.proofs_between(now - DAY, now) == []
    assert list(tries) == [(now, True, Result.NO_ANSWER), (now + DAY, False, None)]
    assert [(p.id, p.kind, p.at) for p in proofs] == [("ev-p1", EvidenceKind.HUMAN_TALK, now)]
