"""R39: whatever contact somebody in danger had, the clerk's list stands as if there had been none."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from actors import enlist
from hypothesis import given, settings
from hypothesis import strategies as st

from callcenter.domain.people import FileStatus, Grade, HardshipFile, Person
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.followup import debt_rows
from callcenter.service.followup.debts import line_facts, sweep
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules
from scheduler.obligations import Attempt, Evidence, EvidenceKind, Kind, Mode, Obligation, Result

NOW = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULES = Rules()
PEOPLE = ("p1", "p2", "p3")
GRADES = (Grade.DEEP, Grade.RELATIVE, Grade.ACCIDENT)

contacts = st.lists(
    st.tuples(
        st.sampled_from(PEOPLE),
        st.sampled_from([kind for kind in Kind if kind is not Kind.HARDSHIP]),
        st.sampled_from([EvidenceKind.HUMAN_TALK, EvidenceKind.HOME_VISIT]),
        st.integers(0, 90 * 24),
        st.booleans(),
    ),
    max_size=8,
)


def town() -> MemoryStore:
    """Three workers with files, swept weeks ago."""
    store = MemoryStore()
    with store() as work:
        enlist(work)
        for n, (person, grade) in enumerate(zip(PEOPLE, GRADES, strict=True)):
            work.people.add(Person(id=person, code=f"P-{n}", name="沈建国"))
            since = date(2026, 8, 1) + timedelta(days=n)
            work.people.put_file(
                HardshipFile(
                    file_no=f"WX-{n}", person=person, grade=grade, status=FileStatus.ACTIVE, since=since
                )
            )
        sweep(work, NOW - 95 * DAY, rules=RULES)
        work.commit()
    return store


def in_danger(
    work: UnitOfWork, n: int, person: str, kind: Kind, proof: EvidenceKind, ago: int, missed: bool
) -> None:
    """Let somebody be owed a contact for what they told us, be missed, and be reached."""
    at = NOW - ago * HOUR
    debt = Obligation(
        id=f"ob-{n}",
        person=person,
        kind=kind,
        due_at=at,
        window_end=at,
        mode=Mode.HUMAN_ONLY,
        origin=f"ca-{n}",
        created_at=at,
    )
    work.debts.add(debt)
    result = Result.NO_ANSWER if missed else Result.REACHED_SELF_HUMAN
    for again in (1, 2):
        work.debts.add_attempt(
            Attempt(
                id=f"at-{n}-{again}", obligation=debt.id, n=again, planned_at=at, by="c017", result=result
            )
        )
    work.debts.add_evidence(
        Evidence(id=f"ev-{n}", obligation=debt.id, kind=proof, at=at, reference=f"r{n}", by="c017")
    )


def seen_by_the_clerk(work: UnitOfWork) -> tuple[object, ...]:
    facts = line_facts(work, NOW, None, RULES)
    lists = [debt_rows.owed(work, facts, actor="k001", all_of_them=every).rows for every in (False, True)]
    files = [debt_rows.one_file(work, f"WX-{n}", facts, actor="k001") for n in range(len(PEOPLE))]
    return (lists, files, debt_rows.files(work, actor="k001", now=NOW))


@settings(max_examples=60, deadline=None)
@given(contacts)
def test_r39_contacts_for_what_somebody_told_us_move_nothing_a_clerk_sees(
    told: list[tuple[str, Kind, EvidenceKind, int, bool]],
) -> None:
    quiet, talked = town(), town()
    with talked() as work:
        for n, (person, kind, proof, ago, missed) in enumerate(told):
            in_danger(work, n, person, kind, proof, ago, missed)
        work.commit()
    with quiet() as without, talked() as with_them:
        swept = sweep(with_them, NOW, rules=RULES)
        assert swept == sweep(without, NOW, rules=RULES)
        assert seen_by_the_clerk(with_them) == seen_by_the_clerk(without)
        again = sweep(with_them, NOW, rules=RULES)
        assert (again.opened, again.moved, again.left) == ((), (), ())
