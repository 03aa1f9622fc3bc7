"""Whatever people offer, take and decide: each shift has one owner, nobody is planned twice at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from plan_world import MONDAY, NOON, RULES, SHANGHAI, join, planned

from callcenter.domain.books import OVERRIDES, SWAPS, TEMPLATES
from callcenter.domain.duty import Shift, ShiftKind
from callcenter.domain.planning import expand
from callcenter.domain.roster import SwapState
from callcenter.errors import CallCenterError
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.duty import publishing, roster, swaps
from callcenter.service.duty.swaps import PENDING

LAST = MONDAY + timedelta(days=6)
PLACE = st.integers(0, 30)
WHO = st.sampled_from(["c017", "c018", "c019", "c020", "s001", "s002"])
DECIDES = st.sampled_from(["s001", "s002", "c018"])
HOURS = st.sampled_from([1, 5, 9, 30])
ENDED = frozenset(SwapState) - set(PENDING)


class Swaps(RuleBasedStateMachine):
    """Some days with six people, evenings by a template, and shifts planned by hand."""

    @initialize()
    def begin(self) -> None:
        self.store, self.now = MemoryStore(), NOON
        join(self.store)
        planned(self.store, "c017", "c018")
        planned(self.store, "s001", kind=ShiftKind.SUPERVISOR, every=2)
        self.publish()
        self.ended: dict[str, SwapState] = {}
        self.shown = dict(self.store.state.shifts)
        #: Ids that swaps may not make or lose.
        self.expected = set(self.shown)

    # --- what happens ----------------------------------------------------------------------

    @rule(hours=HOURS)
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(place=PLACE, by=WHO, stranger=st.booleans())
    def somebody_offers(self, place: int, by: str, stranger: bool) -> None:
        if shift := self._shift(place):
            actor = by if stranger else shift.agent
            self._try(lambda work: swaps.offer(work, shift.id, actor=actor, now=self.now))

    @precondition(lambda self: self.store.state.books[SWAPS.table])
    @rule(place=PLACE, by=WHO)
    def somebody_takes(self, place: int, by: str) -> None:
        swap = self._swap(place, SwapState.OFFERED)
        self._try(lambda work: swaps.take(work, swap, actor=by, now=self.now))

    @precondition(lambda self: self.store.state.books[SWAPS.table])
    @rule(place=PLACE, by=WHO)
    def somebody_takes_it_back(self, place: int, by: str) -> None:
        swap = self._swap(place)
        self._try(lambda work: swaps.withdraw(work, swap, actor=by, now=self.now))

    @precondition(lambda self: self.store.state.books[SWAPS.table])
    @rule(place=PLACE, by=DECIDES)
    def a_swap_is_approved(self, place: int, by: str) -> None:
        self._approve(self._swap(place, SwapState.TAKEN), by)

    @precondition(lambda self: self.store.state.books[SWAPS.table])
    @rule(place=PLACE, by=DECIDES)
    def a_swap_is_refused(self, place: int, by: str) -> None:
        swap = self._swap(place)
        self._try(lambda work: swaps.refuse(work, swap, actor=by, now=self.now, reason="当晚要带教"))

    @rule(place=PLACE, by=WHO, decides=DECIDES)
    def a_shift_changes_hands(self, place: int, by: str, decides: str) -> None:
        self.somebody_offers(place, by, stranger=False)
        swap = self._swap(-1, SwapState.OFFERED)
        self._try(lambda work: swaps.take(work, swap, actor=by, now=self.now))
        self._approve(swap, decides)

    @rule(place=PLACE, by=WHO, decides=DECIDES)
    def a_taker_is_planned_meanwhile(self, place: int, by: str, decides: str) -> None:
        if shift := self._shift(place):
            self.somebody_offers(place, by, stranger=False)
            swap = self._swap(-1, SwapState.OFFERED)
            self._try(lambda work: swaps.take(work, swap, actor=by, now=self.now))
            self._add(by, shift.start, ShiftKind.LINE)
            self._approve(swap, decides)

    @rule(by=WHO, hours=HOURS, kind=st.sampled_from(ShiftKind))
    def a_shift_is_planned_by_hand(self, by: str, hours: int, kind: ShiftKind) -> None:
        self._add(by, self.now + timedelta(hours=hours), kind)

    @rule(place=PLACE)
    def a_shift_is_taken_off(self, place: int) -> None:
        shift = self._shift(place)
        how = {"actor": "s001", "now": self.now, "reason": "临时有事,先回去"}
        if shift and self._try(lambda work: roster.remove_shift(work, shift.id, **how)):  # type: ignore[arg-type]
            if shift.start >= self.now:
                self.expected.discard(shift.id)
            else:
                assert self.store.state.shifts[shift.id].end == self.now < shift.end

    @rule()
    def publish(self) -> None:
        done: list[publishing.Published] = []
        how = {"rules": RULES, "actor": "s001", "now": self.now, "reason": "先发布再补缺"}
        self._try(lambda work: done.append(publishing.publish(work, MONDAY, LAST, **how)))  # type: ignore[arg-type]
        if hasattr(self, "expected"):
            assert [(d.new, d.gone) for d in done] in ([], [((), ())]), "a swap or a cancelling was undone"

    # --- what always holds -----------------------------------------------------------------

    @invariant()
    def no_shift_is_lost_or_made_by_swapping(self) -> None:
        assert self.store.state.shifts.keys() == self.expected

    @invariant()
    def nobody_is_planned_twice_at_a_time(self) -> None:
        shifts = list(self.store.state.shifts.values())
        for n, one in enumerate(shifts):
            for other in shifts[:n]:
                apart = one.end <= other.start or other.end <= one.start
                assert apart or one.agent != other.agent, (one, other)

    @invariant()
    def the_plan_says_what_is_published(self) -> None:
        books = self.store.state.books
        plan = expand(
            books[TEMPLATES.table].values(), books[OVERRIDES.table].values(), MONDAY, LAST, SHANGHAI
        )
        published = [s for s in self.store.state.shifts.values() if s.source]
        assert {s.id: s.agent for s in plan} == {s.id: s.agent for s in published}

    @invariant()
    def a_shift_has_one_open_swap_at_most_and_what_ended_stays(self) -> None:
        found = self.store.state.books[SWAPS.table].values()
        pending = [swap.shift for swap in found if swap.state in PENDING]
        assert len(set(pending)) == len(pending)
        assert all(
            (swap.taker != "") is (swap.state is SwapState.TAKEN) for swap in found if swap.state in PENDING
        )
        states = {swap.id: swap.state for swap in found if swap.state in ENDED}
        assert self.ended.items() <= states.items()
        self.ended = states

    # --- how -------------------------------------------------------------------------------

    def _try(self, act: Callable[[UnitOfWork], object]) -> bool:
        """Do it and commit, or have it refused and nothing changed; tell which."""
        with suppress(CallCenterError), self.store() as work:
            act(work)
            work.commit()
            return True
        return False

    def _approve(self, swap: str, by: str) -> None:
        before = dict(self.store.state.shifts)
        if not self._try(lambda work: swaps.approve(work, swap, rules=RULES, actor=by, now=self.now)):
            assert self.store.state.shifts == before
            return
        done = self.store.state.books[SWAPS.table][swap]
        changed = {i: s for i, s in self.store.state.shifts.items() if before[i] != s}
        assert {i: s.agent for i, s in changed.items()} == {done.shift: done.taker}
        assert before[done.shift].agent == done.agent
        assert before[done.shift].start > self.now

    def _add(self, agent: str, start: datetime, kind: ShiftKind) -> None:
        length = timedelta(hours=4)
        self._try(
            lambda work: roster.add_shift(work, agent, start, length, kind=kind, actor="s001", now=self.now)
        )
        self.expected |= self.store.state.shifts.keys()

    def _swap(self, place: int, *states: SwapState) -> str:
        """Return one that stands so, if any does, or any."""
        found = list(self.store.state.books[SWAPS.table].values())
        fitting = [swap for swap in found if swap.state in states] or found
        return fitting[place % len(fitting)].id if fitting else "x"

    def _shift(self, place: int) -> Shift | None:
        """Return one; in the order of time and people, since ids are random."""
        found = sorted(self.store.state.shifts.values(), key=lambda s: (s.start, s.agent))
        return found[place % len(found)] if found else None


TestSwaps = Swaps.TestCase
TestSwaps.settings = settings(max_examples=150, stateful_step_count=30)
