"""Whatever happens to people in danger, in whatever order: I3, one open case, no level that drops alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from callcenter.domain.books import CASE_EVENTS, CASES
from callcenter.domain.cases import Case, CloseReason
from callcenter.domain.levels import Level
from callcenter.domain.people import Person
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import Role, User
from callcenter.errors import CallCenterError
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.followup.case_steps import open_steps
from callcenter.service.followup.debts import close as close_debt
from callcenter.service.followup.debts import done_by_visit, sweep
from callcenter.service.risk import case_verbs as verbs
from callcenter.service.risk import rescues
from callcenter.service.risk.cases import follow
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules
from scheduler.obligations import Kind, Mode
from scheduler.risk_ladder import counts_from

PEOPLE = ("p1", "p2")
RULES = Rules()
START = datetime(2026, 11, 24, 9, tzinfo=SHANGHAI)
WHO = st.sampled_from(["c017", "c018", "s001", "s002"])
LEVELS = st.sampled_from(Level)
REASONS = st.sampled_from(["", "已由家人陪同就医"])
ANSWERS = st.builds(
    RiskAnswers,
    asked=st.booleans(),
    acting=st.booleans(),
    thoughts=st.booleans(),
    plan_soon=st.booleans(),
    scores=st.sampled_from([{}, {"beijing": 3.0}, {"beijing": 6.0}, {"beijing": 12.0}]),
    given=st.one_of(st.none(), LEVELS),
    given_reason=REASONS,
)


def waits(case: Case) -> Level | CloseReason:
    """Return what is proposed; a lower level where nothing is."""
    if case.ending is not None:
        return case.ending.reason
    return case.proposed.level if case.proposed else Level.MEDIUM


class Cases(RuleBasedStateMachine):
    """A year with two people in danger, two counsellors and two supervisors."""

    @initialize()
    def begin(self) -> None:
        self.store, self.now, self.serial = MemoryStore(), START, 0
        self.told: dict[str, tuple[RiskAnswers, datetime, str]] = {}
        with self.store() as work:
            for code in ("c017", "c018", "s001", "s002"):
                role = Role.COUNSELLOR if code.startswith("c") else Role.SUPERVISOR
                work.users.add(User(code=code, name="吴倩", roles=frozenset({role})))
            for person in PEOPLE:
                work.people.add(Person(id=person, code=f"P-{person}"))
            work.commit()

    # --- what happens ----------------------------------------------------------------------

    @rule(minutes=st.sampled_from([1, 40, 60 * 5, 60 * 24, 60 * 24 * 8, 60 * 24 * 40]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(person=st.sampled_from(PEOPLE), answers=ANSWERS, ago=st.sampled_from([0, 5, 60 * 30]), by=WHO)
    def a_record_is_submitted(self, person: str, answers: RiskAnswers, ago: int, by: str) -> None:
        self.serial += 1
        ended = max(START, self.now - timedelta(minutes=ago))
        self._follow(f"se-{self.serial}", person, answers, ended, by)

    @rule(data=st.data(), answers=ANSWERS, by=WHO)
    def a_record_is_amended(self, data: st.DataObject, answers: RiskAnswers, by: str) -> None:
        if self.told:
            session = data.draw(st.sampled_from(sorted(self.told)))
            _, ended, person = self.told[session]
            self._follow(session, person, answers, ended, by)

    @rule(data=st.data(), level=LEVELS, by=WHO, reason=REASONS, verb=st.sampled_from(["raise", "lower"]))
    def a_level_is_changed(self, data: st.DataObject, level: Level, by: str, reason: str, verb: str) -> None:
        act = verbs.raise_level if verb == "raise" else verbs.lower
        self._on_case(
            data, lambda w, c: act(w, c.id, level, reason=reason, actor=by, now=self.now, rules=RULES)
        )

    @rule(data=st.data(), by=WHO)
    def somebody_confirms(self, data: st.DataObject, by: str) -> None:
        self._on_case(
            data, lambda w, c: verbs.confirm(w, c.id, waits(c), actor=by, now=self.now, rules=RULES)
        )

    @rule(data=st.data(), by=WHO, why=st.sampled_from(CloseReason))
    def a_case_is_closed(self, data: st.DataObject, by: str, why: CloseReason) -> None:
        self._on_case(
            data,
            lambda w, c: verbs.close(w, c.id, why, note="已说明情况", actor=by, now=self.now, rules=RULES),
        )

    @rule(data=st.data(), by=WHO)
    def a_case_is_reopened(self, data: st.DataObject, by: str) -> None:
        self._on_case(
            data, lambda w, c: verbs.reopen(w, c.id, reason="又来电话了", actor=by, now=self.now, rules=RULES)
        )

    @rule(data=st.data(), by=WHO, verb=st.sampled_from(["take", "watch", "ack", "withdraw", "rescue"]))
    def something_small_happens(self, data: st.DataObject, by: str, verb: str) -> None:
        acts: dict[str, Callable[[UnitOfWork, Case], object]] = {
            "take": lambda w, c: verbs.take(w, c.id, actor=by, now=self.now),
            "watch": lambda w, c: verbs.watch(w, c.id, reason="情绪已稳定", actor=by, now=self.now),
            "ack": lambda w, c: verbs.acknowledge(w, c.id, actor=by, now=self.now),
            "withdraw": lambda w, c: verbs.withdraw(w, c.id, reason="说得不妥", actor=by, now=self.now),
            "rescue": lambda w, c: [
                rescues.close(w, r.id, reason="已经不需要", actor=by, now=self.now)
                for r in rescues.of_case(w, c.id)
            ],
        }
        self._on_case(data, acts[verb])

    @rule(person=st.sampled_from(PEOPLE), place=st.integers(0, 9), by=WHO, again=st.booleans())
    def a_step_is_kept(self, person: str, place: int, by: str, again: bool = False) -> None:
        """Somebody is visited when a step falls due; `again`: under the number of the last visit."""
        self.serial += not again

        def keep(work: UnitOfWork) -> None:
            mine = work.debts.open(person=person)
            if mine:
                one = mine[place % len(mine)]
                self.now = max(self.now, one.due_at, one.created_at)
                done_by_visit(
                    work,
                    one.id,
                    f"走访-{self.serial}",
                    actor=by,
                    now=self.now,
                    at=self.now,
                    met="本人",
                    note="在家",
                    visitors=("c017", "c018"),
                )

        self._try(keep)

    @rule(person=st.sampled_from(PEOPLE), by=WHO)
    def every_step_is_kept(self, person: str, by: str) -> None:
        with self.store() as work:
            owed = len(work.debts.open(person=person))
        for _ in range(owed):
            self.a_step_is_kept(person, 0, by)

    @rule(data=st.data(), first=WHO, second=WHO, closing=st.booleans())
    def one_proposes_and_one_confirms(
        self, data: st.DataObject, first: str, second: str, closing: bool
    ) -> None:
        def both(work: UnitOfWork, case: Case) -> None:
            if closing:
                why = CloseReason.IN_TREATMENT
                verbs.close(work, case.id, why, note="已说明情况", actor=first, now=self.now, rules=RULES)
            else:
                level, why_lower = Level.MEDIUM, "家人一直陪同"
                verbs.lower(work, case.id, level, reason=why_lower, actor=first, now=self.now, rules=RULES)
            verbs.confirm(
                work, case.id, waits(work.book(CASES).get(case.id)), actor=second, now=self.now, rules=RULES
            )

        self._on_case(data, both)

    @rule(person=st.sampled_from(PEOPLE), by=WHO)
    def somebody_tries_to_wave_a_step_off(self, person: str, by: str) -> None:
        self._try(
            lambda work: [
                close_debt(work, o.id, reason="忙", actor=by, now=self.now)
                for o in work.debts.open(person=person)
            ]
        )

    @rule()
    def the_files_are_swept(self) -> None:
        self._try(lambda work: sweep(work, self.now, rules=RULES))

    # --- what always holds -----------------------------------------------------------------

    @invariant()
    def i3_whoever_is_at_high_risk_is_owed_a_contact(self) -> None:
        with self.store() as work:
            for case in self._cases(work):
                if case.is_open and case.level.is_high:
                    assert any(o.kind is Kind.HIGH_RISK for o in open_steps(work, case)), case

    @invariant()
    def nobody_has_two_open_cases(self) -> None:
        with self.store() as work:
            persons = [case.person for case in self._cases(work) if case.is_open]
            assert len(persons) == len(set(persons))

    @invariant()
    def what_is_closed_is_owed_nothing_any_more(self) -> None:
        with self.store() as work:
            ended = [case for case in self._cases(work) if not case.is_open]
            assert [step for case in ended for step in open_steps(work, case)] == []

    @invariant()
    def r12_from_high_risk_two_people_only_and_with_a_reason(self) -> None:
        with self.store() as work:
            for event in work.book(CASE_EVENTS).where():
                lowered = event.kind == "level" and int(event.before) <= 1 < int(event.after)
                if lowered or event.second:
                    assert event.second.startswith("s")
                    assert event.by != event.second
                    assert event.reason

    @invariant()
    def one_visit_keeps_one_step(self) -> None:
        with self.store() as work:
            for person in PEOPLE:
                steps = work.debts.of_person(person)
                used = [proof.reference for one in steps for proof in work.debts.evidence(one.id)]
                assert len(used) == len(set(used))

    @invariant()
    def nothing_is_kept_before_its_time(self) -> None:
        with self.store() as work:
            for one in (o for person in PEOPLE for o in work.debts.of_person(person)):
                for proof in work.debts.evidence(one.id):
                    assert proof.at >= counts_from(one.created_at, one.due_at)
                    assert proof.at >= one.created_at

    @invariant()
    def people_only_call_people_in_danger(self) -> None:
        with self.store() as work:
            assert {o.mode for o in work.debts.open()} <= {Mode.HUMAN_ONLY}

    # --- how -------------------------------------------------------------------------------

    def _follow(self, session: str, person: str, answers: RiskAnswers, ended: datetime, by: str) -> None:
        row = SessionRow(id=session, call=session, counsellor=by, opened_at=ended)
        self.told[session] = (answers, ended, person)
        self._try(
            lambda work: follow(
                work,
                session=row,
                person=person,
                answers=answers,
                ended_at=ended,
                actor=by,
                now=self.now,
                rules=RULES,
            )
        )

    def _on_case(self, data: st.DataObject, act: Callable[[UnitOfWork, Case], object]) -> None:
        with self.store() as work:
            known = self._cases(work)
        if known:
            case = data.draw(st.sampled_from(known))
            self._try(lambda work: act(work, case))

    def _try(self, act: Callable[[UnitOfWork], object]) -> None:
        with suppress(CallCenterError), self.store() as work:
            act(work)
            work.commit()

    @staticmethod
    def _cases(work: UnitOfWork) -> list[Case]:
        return list(work.book(CASES).where())


TestCases = Cases.TestCase
TestCases.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
