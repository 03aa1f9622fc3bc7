"""Whatever happens in whatever order: I1 to I6, nobody forgotten, and never two calls for one.

Files, grades, plans, promises, calls in vain, attempts with every result, two schedulers, crashes, late and
repeated records, waivers, opt-outs and lifts, imports, and a clock that jumps. `tests/debt_world.py` is the
line; here is what may happen to it and what always holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from debt_world import IN_DANGER, ON_FILE, PEOPLE, PLANNED, START, DebtWorld
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from callcenter.domain.books import CASES, PLANS, WAIVERS
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.ledger import DebtAct, PlanState, WaiverState
from callcenter.domain.people import FileStatus, Grade, PhoneStatus, Suppression, SuppressionKind, in_force
from callcenter.errors import CallCenterError
from callcenter.ports import UnitOfWork
from callcenter.service.followup import handling, planning, waiving
from callcenter.service.followup.debts import done_by_call, done_by_visit
from callcenter.service.followup.settling import promised_in
from callcenter.service.followup.sweeping import is_leased
from callcenter.service.line.records import was_talk
from scheduler.cadence import SHANGHAI
from scheduler.obligations import (
    OF_REGISTER,
    ClosingKind,
    EvidenceKind,
    Kind,
    Obligation,
    Result,
    Status,
    status_of,
)

#: Words a flow may leave, and none; and one that means nothing.
WORDS = st.sampled_from([*Result, None, "nonsense"])
CAUSES = st.sampled_from([None, 1, 3, 16, 17, 18, 19, 20, 21, 34, 38, 127])
WHO = st.sampled_from(PEOPLE)
#: The third agreed to be called back; the fifth withholds the number.
CALLERS = st.sampled_from([1, 2, 3, 3, 3, 4, 5])
#: Mostly what keeps people owed and within reach: a machine of the departed finds nothing.
STATUSES = st.sampled_from([*[FileStatus.ACTIVE] * 4, *FileStatus])
PHONES = st.sampled_from([*[PhoneStatus.OK] * 4, *PhoneStatus])
IN_VAIN = (Outcome.ABANDONED, Outcome.OVERFLOWED, Outcome.SYSTEM_FAILURE, Outcome.LEFT_IN_GREETING)
MINUTE = timedelta(minutes=1)


class Debts(RuleBasedStateMachine):
    """A year of work, in any order."""

    @initialize(
        days=st.sampled_from([0, 1, 2, 10, 5, 11, 46, 60]), hour=st.sampled_from([9, 10, 15, 17, 3, 13, 21])
    )
    def enrol(self, days: int, hour: int) -> None:
        self.world = DebtWorld(START.replace(hour=hour) + timedelta(days=days))

    # --- the line --------------------------------------------------------------------------

    @rule(which=st.integers(0, 1))
    def tick(self, which: int) -> None:
        self.world.tick(which)

    @rule(after=st.integers(0, 3))
    def two_schedulers_tick_at_once(self, after: int) -> None:
        self.world.tick_beside(lambda _: self.world.rounds[1](), after)

    @rule()
    def a_supervisor_dials_whoever_a_round_is_about_to_dial(self) -> None:
        if self.world.now >= self.world.latest:
            self.world.tick_beside(self.world.dial_another, 0)

    @rule(ticks=st.integers(2, 5), minutes=st.sampled_from([1, 4, 40]))
    def the_line_runs_for_a_while(self, ticks: int, minutes: int) -> None:
        for n in range(ticks):
            self.world.tick(n % 2)
            self.world.now += timedelta(minutes=minutes)

    @rule(days=st.sampled_from([0, 1, 5, 30]), words=st.lists(WORDS, min_size=1, max_size=3))
    def a_day_on_the_line(self, days: int, words: list[str | None]) -> None:
        """From half past nine, every two hours: whoever may be dialled is, and each call ends in a word."""
        world = self.world
        morning = world.now.astimezone(SHANGHAI).replace(hour=9, minute=30) + timedelta(days=days)
        self._calls_end()
        world.now = max(world.now, morning)
        for word in words:
            world.tick()
            for call_id in world.live():
                self._end(call_id, word, 16, answered=word is not None, told=True)
            world.now += timedelta(hours=2, minutes=10)

    @rule(when=st.sampled_from(["before", "after"]))
    def tick_and_die(self, when: str) -> None:
        self.world.tick_and_die(when)

    @rule(minutes=st.sampled_from([1, 3, 17, 125, 60 * 7, 60 * 24, 60 * 24 * 11, 60 * 24 * 40]))
    def time_passes(self, minutes: int) -> None:
        if minutes > 120:
            self._calls_end()
        self.world.now += timedelta(minutes=minutes)

    @rule(minutes=st.sampled_from([1, 5, 90]))
    def the_clock_jumps_back(self, minutes: int) -> None:
        self.world.now -= timedelta(minutes=minutes)
        self.world.jumped = True

    @precondition(lambda self: self.world.control.live)
    @rule(data=st.data(), word=WORDS, cause=CAUSES, answered=st.booleans(), told=st.booleans())
    def a_call_ends(
        self, data: st.DataObject, word: str | None, cause: int | None, answered: bool, told: bool
    ) -> None:
        call_id = data.draw(st.sampled_from(self.world.live()))
        self._end(call_id, word, cause, answered=answered, told=told)

    @rule(n=CALLERS, ended=st.sampled_from([Outcome.ANSWERED, Outcome.PROMISED, *IN_VAIN]))
    def somebody_calls_us(self, n: int, ended: Outcome) -> None:
        self.world.tell(self.world.call_from(n, ended, MINUTE))

    @rule(n=CALLERS, ended=st.sampled_from([Outcome.ANSWERED, *IN_VAIN]), short=st.booleans())
    def somebody_calls_us_and_the_journal_is_late(self, n: int, ended: Outcome, short: bool) -> None:
        record = self.world.call_from(n, ended, MINUTE / 10 if short else MINUTE)
        self.world.untold[record.id] = record

    @precondition(lambda self: self.world.untold)
    @rule(data=st.data())
    def the_journal_tells_what_is_late(self, data: st.DataObject) -> None:
        late = data.draw(st.lists(st.sampled_from(list(self.world.untold)), max_size=3, unique=True))
        for call_id in late:
            self.world.tell(self.world.untold[call_id])

    @precondition(lambda self: self.world.records)
    @rule(data=st.data())
    def the_journal_is_read_again(self, data: st.DataObject) -> None:
        world = self.world
        some = data.draw(st.lists(st.sampled_from(list(world.records)), max_size=5))
        before = world.everything()
        world.tell(*(world.records[i] for i in some))
        assert world.everything() == before

    @rule(waiting=st.integers(0, 2))
    def callers_wait(self, waiting: int) -> None:
        self.world.queue.waiting = waiting

    # --- people ----------------------------------------------------------------------------

    @rule(
        person=WHO,
        data=st.data(),
        agent=st.sampled_from(["c017", None]),
        overridden=st.booleans(),
        ends=st.sampled_from(["talk", "nobody", "later"]),
    )
    def a_supervisor_has_somebody_dialled(
        self, person: str, data: st.DataObject, agent: str | None, overridden: bool, ends: str
    ) -> None:
        debt, before = self._one_of(person, data), self.world.live()
        if debt is None or self.world.now < self.world.latest:
            return
        try:
            self.world.dial(debt, agent, "家属来电要求" if overridden else None)
        except CallCenterError:
            return
        for call_id in set(self.world.live()) - set(before) if ends != "later" else ():
            self._end(call_id, None, 16, answered=ends == "talk", told=True)

    @rule(person=WHO, data=st.data())
    def a_counsellor_records_a_talk(self, person: str, data: st.DataObject) -> None:
        call_id = data.draw(st.sampled_from(["", *self.world.records]))
        self._on_debt(
            person, data, lambda w, o: done_by_call(w, o, call_id, actor="c017", now=self.world.now)
        )

    @rule(person=WHO, data=st.data(), number=st.sampled_from(["", "走访-1", "走访-2"]))
    def a_visit_is_recorded(self, person: str, data: st.DataObject, number: str) -> None:
        now = self.world.now
        more = {"at": now, "met": "本人", "note": "一起坐了一会儿", "visitors": ("c017", "刘芳")}
        told = more if person == IN_DANGER else {}
        self._on_debt(person, data, lambda w, o: done_by_visit(w, o, number, actor="s001", now=now, **told))

    @rule(person=WHO, data=st.data(), heard=st.sampled_from(Result), of_call=st.booleans())
    def somebody_writes_down_what_they_heard(
        self, person: str, data: st.DataObject, heard: Result, of_call: bool
    ) -> None:
        def write(work: UnitOfWork, debt: str) -> object:
            tried = [a.id for a in work.debts.attempts(debt)]
            call = tried[-1] if of_call and tried else None
            return handling.outcome(work, debt, heard, actor="c017", now=self.world.now, call=call)

        self._on_debt(person, data, write)

    @rule(person=WHO, data=st.data(), verb=st.sampled_from(["claim", "snooze", "escalate", "wake"]))
    def somebody_handles_a_debt(self, person: str, data: st.DataObject, verb: str) -> None:
        now, rules = self.world.now, self.world.rules
        acts = {
            "claim": lambda w, o: handling.claim(w, o, actor="c017", now=now),
            "snooze": lambda w, o: handling.snooze(
                w, o, now + timedelta(hours=3), reason="本人上班", actor="c017", now=now, rules=rules
            ),
            "escalate": lambda w, o: handling.escalate(w, o, reason="联系不上", actor="c017", now=now),
            "wake": lambda w, o: handling.wake(w, o, actor="c017", now=now),
        }
        self._on_debt(person, data, acts[verb])

    @rule(person=WHO, data=st.data(), second=st.sampled_from(["s001", "s002"]))
    def a_debt_is_let_go(self, person: str, data: st.DataObject, second: str) -> None:
        """A supervisor asks; of somebody in danger another one, or the same, agrees."""
        now = self.world.now
        self._on_debt(
            person, data, lambda w, o: waiving.ask(w, o, reason="住院，家属陪同", actor="s001", now=now)
        )

        def agree(work: UnitOfWork) -> None:
            for asked in work.book(WAIVERS).where(state=WaiverState.OPEN):
                waiving.grant(work, asked.id, actor=second, now=now)

        self.world.attempt(agree)

    @rule(days=st.sampled_from([0, 1, 5, 30]))
    def a_hospital_day_is_moved(self, days: int) -> None:
        world, day = self.world, self.world.now.astimezone(SHANGHAI).date() + timedelta(days=days)
        self.world.attempt(
            lambda w: planning.move(
                w, "pl-1", day, reason="医院改期", actor="s001", now=world.now, rules=world.rules
            )
        )

    @rule()
    def the_plan_ends(self) -> None:
        self.world.attempt(
            lambda w: planning.end(w, "pl-1", reason="疗程结束", actor="s001", now=self.world.now)
        )

    @rule(
        person=WHO,
        what=st.sampled_from(["automation", "all", "hardship", "planned"]),
        lifted=st.booleans(),
        days=st.sampled_from([1, 40]),
    )
    def somebody_opts_out_or_in_again(self, person: str, what: str, lifted: bool, days: int) -> None:
        kinds = {"automation": SuppressionKind.AUTOMATION, "all": SuppressionKind.ALL_OUTBOUND}
        wish = Suppression(
            person=person,
            kind=kinds.get(what, SuppressionKind.TOPIC),
            topic="" if what in kinds else what,
            at=self.world.now,
            until=None if lifted else self.world.now + timedelta(days=days),
            reason="本人电话",
            lifted=lifted,
        )
        self.world.attempt(lambda w: w.people.add_suppression(wish))

    @rule(person=st.sampled_from(ON_FILE), status=STATUSES, grade=st.sampled_from(Grade))
    def a_file_changes(self, person: str, status: FileStatus, grade: Grade) -> None:
        with self.world.store() as work:
            file = next(f for f in work.people.files() if f.person == person)
            work.people.put_file(replace(file, status=status, grade=grade))
            work.commit()

    @rule()
    def the_register_is_imported_again(self) -> None:
        with self.world.store() as work:
            for file in work.people.files():
                work.people.put_file(file)
            work.commit()

    @rule(n=st.integers(1, 4), status=PHONES)
    def a_number_is_verified(self, n: int, status: PhoneStatus) -> None:
        with self.world.store() as work:
            work.people.set_phone_status(f"1380000000{n}", status)
            work.commit()

    # --- what always holds -----------------------------------------------------------------

    @invariant()
    def i1_one_lease_and_one_call_per_person(self) -> None:
        world = self.world
        with world.store() as work:
            for person in PEOPLE:
                mine = work.debts.open(person=person)
                assert sum(is_leased(o, world.now) for o in mine) <= 1
                assert sum(a.in_doubt for o in mine for a in work.debts.attempts(o.id)) <= 1
            live = [
                work.debts.get(a.obligation).person
                for a in world.attempts(work)
                if a.id in world.control.live
            ]
        assert len(live) == len(set(live))

    @invariant()
    def i2_every_talk_has_its_record_once(self) -> None:
        world = self.world
        talks = {record.id for record in world.records.values() if was_talk(record)}
        with world.store() as work:
            rows = [row.call for row in work.sessions.all()]
        assert sorted(rows) == sorted(talks)

    @invariant()
    def i3_whoever_is_in_danger_is_owed_a_contact(self) -> None:
        with self.world.store() as work:
            for case in work.book(CASES).where():
                if case.is_open and case.level.is_high:
                    assert work.debts.open(person=case.person, kind=Kind.HIGH_RISK)

    @invariant()
    def i4_satisfied_means_evidence_of_something_on_record(self) -> None:
        world = self.world
        with world.store() as work:
            still = {o.id for o in work.debts.open()}
            for one in world.obligations(work):
                proofs = tuple(work.debts.evidence(one.id))
                status = status_of(one, proofs, world.now)
                assert (one.id in still) == (status not in {Status.SATISFIED, Status.CLOSED})
                for proof in proofs:
                    assert proof.by
                    match proof.kind:
                        case EvidenceKind.IVR_KEY:
                            attempt = work.debts.attempt(proof.reference)
                            assert attempt is not None
                            assert attempt.result is Result.REACHED_SELF_IVR_OK
                            assert one.kind is Kind.HARDSHIP
                        case EvidenceKind.HUMAN_TALK:
                            assert world.records[proof.reference].answered_at is not None
                            assert one.kind is not Kind.VISIT
                        case EvidenceKind.HOME_VISIT:
                            assert proof.reference.startswith("走访")

    @invariant()
    def i4_closed_means_a_name_and_a_reason(self) -> None:
        with self.world.store() as work:
            closings = [o.closing for o in self.world.obligations(work) if o.closing is not None]
        assert all(closing.by and closing.reason for closing in closings)

    @invariant()
    def i5_nobody_is_called_outside_the_windows_but_by_a_supervisors_word(self) -> None:
        world, windows, calendar = self.world, self.world.rules.windows, self.world.rules.calendar
        with world.store() as work:
            for at, call in world.control.placed_at:
                attempt = work.debts.attempt(call.id)
                assert attempt is not None
                debt = work.debts.get(attempt.obligation)
                open_now = windows.is_open(at) and calendar.may_automate(at.astimezone(SHANGHAI).date())
                imminent = debt.kind is Kind.HIGH_RISK and debt.priority == 0
                allowed = open_now if call.first_ring is None else imminent or not windows.is_quiet(at)
                said = [e for e in world.events(work, debt.id) if e.act is DebtAct.OVERRIDDEN and e.at == at]
                assert allowed or any(e.by and e.reason for e in said)

    @invariant()
    def i6_nothing_is_ever_gone(self) -> None:
        world = self.world
        with world.store() as work:
            present = {
                "obligation": {o.id for o in world.obligations(work)},
                "attempt": {a.id for a in world.attempts(work)},
                "evidence": {e.id for e in world.proofs(work)},
            }
            begun = {e.object for e in work.audit.recent(100_000) if e.verb == "attempt.begin"}
        assert all(world.seen[kind] <= present[kind] for kind in present)
        assert begun <= present["attempt"]
        world.seen = present

    @invariant()
    def nobody_in_file_promised_or_planned_for_is_forgotten(self) -> None:
        world = self.world
        with world.store() as work:
            world.derive(work)
            for person in ON_FILE:
                self._check_file(work, person)
            self._check_plan(work)
            for record in world.records.values():
                self._check_promises(work, record)
                self._check_missed(work, record)

    @invariant()
    def nobody_has_two_open_debts_of_one_kind_of_the_register_or_two_steps_of_a_plan(self) -> None:
        single = OF_REGISTER | {Kind.PLANNED, Kind.MISSED_CALL}
        with self.world.store() as work:
            mine = [(o.person, o.kind) for o in work.debts.open() if o.kind in single]
        assert len(mine) == len(set(mine))

    @invariant()
    def every_call_that_went_out_has_its_attempt_and_its_own_id(self) -> None:
        ids = [call.id for _, call in self.world.control.placed_at]
        with self.world.store() as work:
            known = {a.id for a in self.world.attempts(work)}
        assert len(ids) == len(set(ids))
        assert set(ids) <= known

    @invariant()
    def nobody_is_called_by_machine_more_than_allowed_a_day(self) -> None:
        days: dict[tuple[str, date], list[datetime]] = {}
        for at, call in self.world.control.placed_at:
            if call.first_ring is None:
                days.setdefault((call.number, at.astimezone(SHANGHAI).date()), []).append(at)
        # Two rungs; a busy line's quick retries (two each) belong to their rung; faults are free.
        for calls in days.values():
            assert len(calls) <= 2 * 3 + 8

    # --- how -------------------------------------------------------------------------------

    def _calls_end(self) -> None:
        """No call lasts for hours: it is over, and the journal has not told it yet."""
        for call_id in self.world.live():
            self._end(call_id, None, 16, answered=False, told=False)

    def _end(self, call_id: str, word: str | None, cause: int | None, *, answered: bool, told: bool) -> None:
        world = self.world
        world.control.end(call_id)
        with world.store() as work:
            by = None if (made := work.debts.attempt(call_id)) is None or made.is_automatic else made.by
        record = CallRecord(
            id=call_id,
            direction=Direction.OUTBOUND,
            outcome=Outcome.OUTBOUND,
            started_at=world.now,
            answered_at=world.now if answered else None,
            ended_at=world.now + MINUTE / 2,
            answered_by=by or ("c017" if word == Result.REACHED_SELF_TRANSFER else None)
            if answered
            else None,
            flow_outcome=word if answered else None,
            hangup_cause=cause,
        )
        world.untold[call_id] = record
        if told:
            world.tell(record)

    def _check_file(self, work: UnitOfWork, person: str) -> None:
        """On file: one routine contact is owed, unless they said they want none."""
        in_file = any(f.status in {FileStatus.ACTIVE, FileStatus.WATCH} for f in work.people.files_of(person))
        mine = [o for o in work.debts.open(person=person) if o.kind in OF_REGISTER]
        if in_file and not self._refused(work, person, Kind.HARDSHIP) and not self._busy(work, mine):
            assert len(work.debts.open(person=person, kind=Kind.HARDSHIP)) == 1

    def _check_plan(self, work: UnitOfWork) -> None:
        """A plan that stands: one step is owed, unless they said they want none."""
        plan = work.book(PLANS).get("pl-1")
        steps = work.debts.open(person=PLANNED, kind=Kind.PLANNED)
        if plan.state is PlanState.ENDED:
            assert plan.ended_because
            assert not steps
        elif not self._refused(work, PLANNED, Kind.PLANNED):
            (step,) = steps
            today = self.world.now.astimezone(SHANGHAI).date()
            assert self._busy(work, steps) or step.window_end.astimezone(
                SHANGHAI
            ).date() >= today - timedelta(days=1)

    def _check_promises(self, work: UnitOfWork, record: CallRecord) -> None:
        """What a call promised stands under its name, whatever became of it."""
        if record.direction is Direction.INBOUND and promised_in(record):
            kinds = {o.kind for o in self.world.obligations(work) if o.origin == record.id}
            assert kinds >= set(promised_in(record))

    def _check_missed(self, work: UnitOfWork, record: CallRecord) -> None:
        """Who agreed to be called and rang in vain is owed a call back, or was talked with since."""
        if record.number != "13800000003" or record.outcome not in IN_VAIN or record.ended_at is None:
            return
        said = [w for w in work.people.suppressions(PLANNED) if w.at < record.started_at]
        refused = any(w.kind is SuppressionKind.ALL_OUTBOUND for w in in_force(said, record.started_at))
        if refused or record.ended_at - record.started_at <= timedelta(seconds=10):
            return
        mine = [o for o in work.debts.of_person(PLANNED) if o.kind is Kind.MISSED_CALL]
        assert any(self._covers(work, one, record.ended_at) for one in mine)

    def _covers(self, work: UnitOfWork, one: Obligation, rang: datetime) -> bool:
        if one.closing is not None and one.closing.kind is ClosingKind.SUPERSEDED:
            return False
        ends = [e.at for e in work.debts.evidence(one.id)]
        ends += [one.closing.at] if one.closing else []
        return one.created_at <= rang and (not ends or min(ends) >= rang)

    def _busy(self, work: UnitOfWork, owed: Sequence[Obligation]) -> bool:
        """Tell whether somebody is at work on one of these: what follows is derived a minute later."""
        doubts = [a for o in owed for a in work.debts.attempts(o.id) if a.in_doubt]
        return bool(doubts) or any(is_leased(o, self.world.now) for o in owed)

    def _refused(self, work: UnitOfWork, person: str, kind: Kind) -> bool:
        said = in_force(work.people.suppressions(person), self.world.now)
        return any(w.kind is SuppressionKind.TOPIC and w.topic == kind.value for w in said)

    def _one_of(self, person: str, data: st.DataObject) -> str | None:
        with self.world.store() as work:
            mine = sorted(work.debts.open(person=person), key=lambda o: (o.due_at, o.kind, o.created_at))
        return data.draw(st.sampled_from([o.id for o in mine])) if mine else None

    def _on_debt(self, person: str, data: st.DataObject, act: object) -> None:
        debt = self._one_of(person, data)
        if debt is not None:
            self.world.attempt(lambda work: act(work, debt))  # type: ignore[operator]


TestDebts = Debts.TestCase
TestDebts.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
