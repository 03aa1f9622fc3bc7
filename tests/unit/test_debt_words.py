"""What colleagues write about a debt goes with the person; that it was so stays (R42, R43)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from people_world import peopled

from callcenter.domain.books import DEBT_EVENTS, SHIFT_SHEETS, WAIVERS
from callcenter.domain.ledger import ShiftSheet
from callcenter.domain.people import FileStatus, Grade, HardshipFile, Person
from callcenter.domain.privacy import RequestKind
from callcenter.domain.retention import FLOORS, Rule
from callcenter.errors import Refused
from callcenter.memory import MemoryStore
from callcenter.ports import Store, UnitOfWork
from callcenter.service.followup import handling, waiving
from callcenter.service.people.merging import merge, unmerge
from callcenter.service.privacy.copies import copy_of
from callcenter.service.privacy.erasing import Erasure, erase
from callcenter.service.privacy.holds import held, set_hold
from callcenter.service.privacy.redoing import redo, remembered
from callcenter.service.privacy.requests import open_request
from callcenter.service.privacy.retention_finds import Ground, find
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules
from scheduler.obligations import Kind, Mode, Obligation

WORDS = "他爱人接的，说本人住院了"
HOUR = timedelta(hours=1)


def owed(work: UnitOfWork, now: datetime, name: str = "ob-1", person: str = "p1") -> Obligation:
    one = Obligation(
        id=name,
        person=person,
        kind=Kind.CALLBACK,
        due_at=now,
        window_end=now + HOUR,
        mode=Mode.HUMAN_ONLY,
        origin=name,
        created_at=now,
    )
    assert work.debts.add(one)
    return one


def handled(work: UnitOfWork, now: datetime) -> None:
    """沈建国's call back was put off and then let go, and a shift told the next of it."""
    owed(work, now)
    handling.snooze(work, "ob-1", now + HOUR, reason=WORDS, actor="c017", now=now, rules=Rules())
    sheet = ShiftSheet(
        id="sh-1",
        by="c017",
        at=now,
        lines=(f"promise ob-1 - {now.isoformat()} callback",),
        note=f"明早再打：{WORDS}",
        state="accepted",
        accepted_by="s001",
        accepted_at=now,
    )
    work.book(SHIFT_SHEETS).add(sheet)
    waiving.ask(work, "ob-1", reason=WORDS, actor="s001", now=now)


def erased(work: UnitOfWork, now: datetime) -> Erasure:
    made = open_request(
        work, "p1", RequestKind.ERASURE, identity_check="当面看过身份证", actor="c017", now=now
    )
    return erase(work, made.id, actor="s001", now=now, reason="本人要求删除")


def words_left(work: UnitOfWork) -> str:
    events, waivers = work.book(DEBT_EVENTS).where(), work.book(WAIVERS).where()
    sheets = work.book(SHIFT_SHEETS).where()
    said = [*(e.reason for e in events), *(w.reason + w.decision for w in waivers)]
    return "".join([*said, *(s.note + "".join(s.lines) for s in sheets)])


def test_r43_reasons_go_with_the_person_and_who_did_what_when_stays(store: Store, now: datetime) -> None:
    with peopled(store)() as work:
        handled(work, now)
        before = [(e.act, e.by, e.at) for e in handling.history(work, "ob-1")]
        found = erased(work, now)
        gone = {item.what: item.count for item in found.goes}
        assert gone["办理回访时写的理由"] == 3
        assert gone["提到本人的交班单的内容"] == 1
        assert words_left(work) == ""
        assert [(e.act, e.by, e.at) for e in handling.history(work, "ob-1")] == before
        assert work.book(SHIFT_SHEETS).get("sh-1").accepted_by == "s001"


def test_r43_nobody_is_erased_while_a_sheet_that_names_them_waits_for_a_name(
    store: Store, now: datetime
) -> None:
    with peopled(store)() as work:
        handled(work, now)
        waiting = replace(
            work.book(SHIFT_SHEETS).get("sh-1"), accepted_at=None, accepted_by=None, state="open"
        )
        work.book(SHIFT_SHEETS).put(waiting)
        with pytest.raises(Refused, match="交班单没有人接下"):
            erased(work, now)


def test_r43_after_a_restore_the_reasons_go_again(store: Store, now: datetime) -> None:
    with peopled(store)() as work:
        handled(work, now)
        erased(work, now)
        memory = remembered(work)
    with peopled(MemoryStore())() as older:
        handled(older, now)
        assert WORDS in words_left(older)
        redo(older, memory, by="x001", now=now, zone=SHANGHAI)
        assert words_left(older) == ""


def test_r42_an_accepted_sheet_is_blank_after_three_years_unless_it_is_held(
    store: Store, now: datetime
) -> None:
    with peopled(store)() as work:
        handled(work, now)
        later = now + timedelta(days=3 * 366)
        ground = Ground(work=work, terms=FLOORS, until=later, held=held(work))
        (going,) = find(ground, Rule.SHEETS)
        assert not ground.is_held(going)
        set_hold(work, "person:p1", reason="法院调取证据", actor="s001", now=now)
        assert Ground(work=work, terms=FLOORS, until=later, held=held(work)).is_held(going)
        assert list(find(Ground(work=work, terms=FLOORS, until=now, held=held(work)), Rule.SHEETS)) == []


def test_r43_a_copy_says_until_when_they_were_put_off_and_no_word_of_why(store: Store, now: datetime) -> None:
    with peopled(store)() as work:
        handled(work, now)
        owed(work, now, "ob-2")
        handling.snooze(work, "ob-2", now + HOUR, reason=WORDS, actor="c017", now=now, rules=Rules())
        sheets = copy_of(work, work.people.get("p1"), SHANGHAI, with_facts=True)
        (plan,) = (sheet.rows for sheet in sheets if sheet.title == "联系安排")
        states = [row[2] for row in plan]
        hour = (now + HOUR).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
        assert states == ["这一次免去", f"待联系,约在 {hour} 以后"]
        assert WORDS not in str(sheets)


def test_a_merge_takes_the_history_of_a_debt_with_it_and_back(store: Store, now: datetime) -> None:
    with peopled(store)() as work:
        work.people.add(Person(id="p8", code="P-8", name="沈建国"))
        owed(work, now, "ob-8", "p8")
        handling.claim(work, "ob-8", actor="c017", now=now)
        done = merge(work, "p1", "p8", actor="s001", now=now, reason="本人当面确认是同一人")
        assert (work.debts.get("ob-8").person, work.debts.get("ob-8").owner) == ("p1", "c017")
        handling.escalate(work, "ob-8", reason=WORDS, actor="c017", now=now)
        unmerge(work, done.id, actor="s001", now=now, reason="本人说不是同一人")
        back = work.debts.get("ob-8")
        assert (back.person, back.owner, back.escalated_at) == ("p8", "c017", now)
        assert len(handling.history(work, "ob-8")) == 2


def test_two_owed_visits_of_one_person_are_one_after_a_merge(store: Store, now: datetime) -> None:
    with peopled(store)() as work:
        work.people.add(Person(id="p8", code="P-8", name="沈建国"))
        for n, person in ((1, "p1"), (2, "p8")):
            visit = Obligation(
                id=f"ob-{n}",
                person=person,
                kind=Kind.VISIT,
                due_at=now,
                window_end=now + n * HOUR,
                mode=Mode.HUMAN_ONLY,
                origin=f"WX-{n}",
                created_at=now,
            )
            assert work.debts.add(visit)
            work.people.put_file(
                HardshipFile(
                    file_no=f"WX-{n}",
                    person=person,
                    grade=Grade.DEEP,
                    status=FileStatus.ACTIVE,
                    since=now.date(),
                )
            )
        done = merge(work, "p1", "p8", actor="s001", now=now, reason="本人当面确认是同一人")
        assert [o.id for o in work.debts.open(person="p1") if o.kind is Kind.VISIT] == ["ob-1"]
        unmerge(work, done.id, actor="s001", now=now, reason="本人说不是同一人")
        assert [o.id for o in work.debts.open(person="p8")] == ["ob-2"]
