"""Files that a list took out: a person looks at each, whatever ended with it (R34)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from people_world import a_promise
from test_hardship_filing import DAY, FILE, NOW, REGISTER, owed, step, with_ties
from test_hardship_filing import work as work  # the fixture

from callcenter.domain.people import ExitReason, FileStatus, Person, Suppression, SuppressionKind
from callcenter.memory import MemoryUnit
from callcenter.service.followup.debts import sweep
from callcenter.service.hardship import filing
from scheduler.obligations import Kind

CLOSED = replace(FILE, status=FileStatus.CLOSED)


def exits_asked(work: MemoryUnit, person: str = "p1") -> list[str]:
    """Sweep twice, and return what is asked about."""
    sweep(work, NOW, rules=REGISTER.owed)
    work.people.touch([person])
    sweep(work, NOW + DAY, rules=REGISTER.owed)
    return [o.origin for o in work.debts.open(person=person, kind=Kind.VERIFY)]


def test_r34_one_of_two_files_that_leaves_is_asked_about_though_the_other_is_owed(work: MemoryUnit) -> None:
    work.people.put_file(replace(FILE, file_no="WX-2", grade="相对困难"))
    sweep(work, NOW, rules=REGISTER.owed)
    work.people.put_file(replace(CLOSED, file_no="WX-2", grade="相对困难"))
    assert exits_asked(work) == ["exit/WX-2"]


def test_r34_a_confirmed_exit_that_a_list_turns_into_death_is_asked_about_again(work: MemoryUnit) -> None:
    with_ties(work)
    step(work, filing.leave, because=ExitReason.RETIRED)
    gone = step(work, filing.confirm).after
    assert exits_asked(work) == []
    work.people.put_file(replace(gone, exit_reason=ExitReason.DIED, exit_confirmed_by=None))
    assert exits_asked(work) == ["exit/WX-1"]
    step(work, filing.confirm, NOW + DAY, by="s001")
    assert owed(work) == [Kind.HIGH_RISK], "plans and promises to the dead end"


@pytest.mark.parametrize(
    ("first", "stood"), [(None, FileStatus.APPLIED), (date(2026, 9, 7), FileStatus.NOTICE)]
)
def test_r34_an_applicant_who_died_by_a_list_is_asked_about_and_goes_back_among_applicants(
    work: MemoryUnit, first: date | None, stood: FileStatus
) -> None:
    work.people.add(Person(id="p2", code="P-2", name="钱秀英"))
    applied = replace(FILE, file_no="WX-2", person="p2", status=stood, notice_from=first)
    work.people.put_file(applied)
    sweep(work, NOW, rules=REGISTER.owed)
    work.people.put_file(replace(applied, status=FileStatus.CLOSED, exit_reason=ExitReason.DIED))
    assert exits_asked(work, "p2") == ["exit/WX-2"]
    back = step(work, filing.confirm, NOW + DAY, file_no="WX-2", back=True, by="s001").after
    assert back.status is stood


def test_r34_who_refused_every_routine_and_leaves_is_asked_about(work: MemoryUnit) -> None:
    for topic in ("hardship", "visit"):
        work.people.add_suppression(
            Suppression(person="p1", kind=SuppressionKind.TOPIC, at=NOW, reason="", topic=topic)
        )
    sweep(work, NOW, rules=REGISTER.owed)
    assert owed(work) == []
    work.people.put_file(CLOSED)
    assert exits_asked(work) == ["exit/WX-1"]


@pytest.mark.parametrize(("because", "asked"), [(ExitReason.RETIRED, []), (ExitReason.DIED, ["exit/WX-2"])])
def test_r34_who_was_out_before_we_knew_them_is_asked_about_if_they_died(
    work: MemoryUnit, because: ExitReason, asked: list[str]
) -> None:
    work.people.add(Person(id="p2", code="P-2", name="钱秀英"))
    work.people.put_file(replace(CLOSED, file_no="WX-2", person="p2", exit_reason=because))
    assert exits_asked(work, "p2") == asked
    work.debts.add(a_promise("y", "p2", NOW))
    work.people.touch(["p2"])
    assert exits_asked(work, "p2") == ["exit/WX-2"], "a promise may be to the dead"
