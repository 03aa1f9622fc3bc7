"""Merging and taking apart, in any order with everything else that happens to two entries of one person."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from callcenter.domain.books import CASES
from callcenter.domain.cases import Case, CaseState
from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    Grade,
    HardshipFile,
    Person,
    Phone,
    PhoneStatus,
    Suppression,
    SuppressionKind,
)
from callcenter.domain.privacy import Merge
from callcenter.domain.risk import Level
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import Role, User
from callcenter.memory import MemoryStore
from callcenter.service.followup.debts import sweep
from callcenter.service.people.entries import open_cases, resolve
from callcenter.service.people.merging import merge, unmerge
from scheduler.obligations import Kind, Mode, Obligation

BOTH = ("p1", "p2")
WHO = st.sampled_from(BOTH)
NUMBERS = st.sampled_from(["13800000001", "13800000002", "051085000003"])
WHY = "生日和单位都一致"


class TwoEntries(RuleBasedStateMachine):
    """Two entries; whether they are one changes as the supervisors learn."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.now = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
        self.n = 0
        self.done: Merge | None = None
        self.opted_out: set[str] = set()
        self.numbers: set[str] = set()

    @initialize(name=st.sampled_from([None, "沈建国"]), other=st.sampled_from([None, "沈建国", "沈师傅"]))
    def begin(self, name: str | None, other: str | None) -> None:
        with self.store() as work:
            work.users.add(User(code="s001", name="顾明", roles=frozenset({Role.SUPERVISOR})))
            work.people.add(Person(id="p1", code="P-AAAA", name=name))
            work.people.add(Person(id="p2", code="P-CCCC", name=other, birth_month=5))
            work.commit()

    def _tick(self) -> str:
        self.now += timedelta(minutes=7)
        self.n += 1
        return str(self.n)

    def _standing(self, who: str) -> str:
        """Return where something said of an entry is written: services follow merges."""
        with self.store() as work:
            return resolve(work, who).id

    @rule(who=WHO, number=NUMBERS, status=st.sampled_from(PhoneStatus), safe=st.booleans())
    def a_number(self, who: str, number: str, status: PhoneStatus, safe: bool) -> None:
        with self.store() as work:
            person = work.people.get(self_standing := resolve(work, who).id)
            if number not in {phone.number for phone in person.phones}:
                phone = Phone(number=number, status=status, safe_to_call=safe)
                work.people.update(replace(person, phones=(*person.phones, phone)))
                self.numbers.add(number)
            assert self_standing in BOTH
            work.commit()

    @rule(who=WHO, spared=st.booleans())
    def how_they_are_spoken_to(self, who: str, spared: bool) -> None:
        with self.store() as work:
            work.people.update(replace(resolve(work, who), no_ivr=spared, speaks="zh_wx"))
            work.commit()

    @rule(who=WHO)
    def a_promise(self, who: str) -> None:
        name, person = self._tick(), self._standing(who)
        with self.store() as work:
            work.debts.add(
                Obligation(
                    id=f"ob-{name}",
                    person=person,
                    kind=Kind.CALLBACK,
                    due_at=self.now,
                    window_end=self.now + timedelta(hours=2),
                    mode=Mode.HUMAN_ONLY,
                    origin=name,
                    created_at=self.now,
                )
            )
            work.commit()

    @rule(
        who=WHO,
        grade=st.sampled_from([Grade.DEEP, Grade.RELATIVE]),
        since=st.dates(date(2026, 1, 1), date(2026, 11, 1)),
    )
    def a_file(self, who: str, grade: Grade, since: date) -> None:
        with self.store() as work:
            file = HardshipFile(
                file_no=f"WX-{who}",
                person=resolve(work, who).id,
                grade=grade,
                status=FileStatus.ACTIVE,
                since=since,
            )
            if work.people.file(file.file_no) is None:
                work.people.put_file(file)
            work.commit()

    @rule()
    def the_sweep(self) -> None:
        self._tick()
        with self.store() as work:
            sweep(work, self.now)
            work.commit()
            for person in BOTH:
                routine = [o for o in work.debts.open(person=person) if o.kind is Kind.HARDSHIP]
                assert len(routine) == bool(work.people.files_of(person))

    @rule(who=WHO)
    def a_record(self, who: str) -> None:
        name, person = self._tick(), self._standing(who)
        with self.store() as work:
            work.sessions.open_many(
                [SessionRow(id=f"se-{name}", call=name, counsellor="c017", opened_at=self.now, person=person)]
            )
            work.commit()

    @rule(who=WHO, granted=st.booleans())
    def what_they_agree_to(self, who: str, granted: bool) -> None:
        self._tick()
        with self.store() as work:
            work.people.add_consent(
                Consent(
                    person=resolve(work, who).id,
                    kind=ConsentKind.IVR_CHECKIN,
                    granted=granted,
                    at=self.now,
                    channel="电话",
                )
            )
            work.commit()

    @rule(who=WHO)
    def an_opt_out(self, who: str) -> None:
        self._tick()
        with self.store() as work:
            person = resolve(work, who).id
            wish = Suppression(person=person, kind=SuppressionKind.ALL_OUTBOUND, at=self.now, reason="本人")
            work.people.add_suppression(wish)
            work.commit()
        self.opted_out |= {person} if self.done is None else set(BOTH)

    @rule(who=WHO, level=st.sampled_from(Level))
    def a_case(self, who: str, level: Level) -> None:
        name = self._tick()
        with self.store() as work:
            person = resolve(work, who)
            if not open_cases(work, person):
                case = Case(
                    id=f"ca-{name}",
                    person=person.id,
                    level=level,
                    state=CaseState.ACTIVE,
                    owner="c017",
                    opened_at=self.now,
                    opened_from="se-1",
                )
                work.book(CASES).add(case)
            work.commit()

    @precondition(lambda self: self.done is None)
    @rule(kept=WHO)
    def they_are_one(self, kept: str) -> None:
        self._tick()
        [other] = set(BOTH) - {kept}
        owed, cases = self._owed(), self._worst()
        with self.store() as work:
            self.done = merge(work, kept, other, actor="s001", now=self.now, reason=WHY)
            work.commit()
        assert bool(self._owed()) == bool(owed), "merging ends no last debt"
        assert {o for o in owed if "ob-" in o} >= self._owed()
        assert self._worst() == cases, "of two cases the worse one goes on"

    @precondition(lambda self: self.done is not None)
    @rule()
    def they_are_two_after_all(self) -> None:
        self._tick()
        assert self.done is not None
        with self.store() as work:
            unmerge(work, self.done.id, actor="s001", now=self.now, reason="原来是两兄弟")
            work.commit()
        if self.done.kept in self.opted_out or self.done.merged in self.opted_out:
            bound = {p for p in BOTH if self._suppressed(p)}
            assert bound >= self.opted_out & bound
        self.done = None

    @precondition(lambda self: self.done is None)
    @rule(kept=WHO)
    def a_mistake_mended_at_once(self, kept: str) -> None:
        self._tick()
        [other] = set(BOTH) - {kept}
        before = self._everything()
        with self.store() as work:
            done = merge(work, kept, other, actor="s001", now=self.now, reason=WHY)
            unmerge(work, done.id, actor="s001", now=self.now, reason="按错了一行")
            work.commit()
        assert self._everything() == before

    @invariant()
    def nothing_is_lost(self) -> None:
        state = self.store.state
        if not state.people:
            return
        held = {phone.number for person in state.people.values() for phone in person.phones}
        assert held == self.numbers
        assert all(o.person in BOTH for o in state.obligations.values())

    @invariant()
    def whoever_refused_is_bound(self) -> None:
        if self.store.state.people:
            with self.store() as work:
                for person in self.opted_out:
                    assert work.people.suppressions(resolve(work, person).id)

    @invariant()
    def one_entry_stands_for_both_and_has_it_all(self) -> None:
        if self.done is None:
            return
        with self.store() as work:
            merged = self.done.merged
            assert resolve(work, merged).id == self.done.kept
            assert not work.people.get(merged).phones
            assert not work.debts.of_person(merged)
            assert not work.sessions.of_person(merged)
            assert not work.people.files_of(merged)
            assert len(open_cases(work, resolve(work, merged))) <= 1

    def _owed(self) -> set[str]:
        with self.store() as work:
            return {o.id for o in work.debts.open()}

    def _worst(self) -> Level | None:
        cases = self.store.state.books[CASES.table].values()
        return min((case.level for case in cases if case.is_open), default=None)

    def _suppressed(self, person: str) -> bool:
        with self.store() as work:
            return bool(work.people.suppressions(person))

    def _everything(self) -> dict[str, Any]:
        """Return all rows but those that say what was done: merges, the audit, a case's log."""
        state = self.store.state.copy()
        cases = {i: replace(case, revision=0) for i, case in state.books[CASES.table].items()}
        return {
            "people": state.people,
            "obligations": state.obligations,
            "sessions": state.sessions,
            "files": state.files,
            "consents": state.consents,
            "suppressions": state.suppressions,
            "cases": cases,
        }


TestTwoEntries = TwoEntries.TestCase
TestTwoEntries.settings = settings(max_examples=150, stateful_step_count=25)
