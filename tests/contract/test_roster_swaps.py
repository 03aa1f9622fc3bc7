"""Swapping shifts: who may do what when, and that the roster changes only with the approval, and at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, time, timedelta
from threading import Barrier

import pytest
from plan_world import MONDAY, NOON, RULES, TRAINEE, join, planned, shift, wall

from callcenter.domain.books import STAFF, SWAPS, TEMPLATES
from callcenter.domain.duty import ShiftKind
from callcenter.domain.plan_rules import Lack
from callcenter.domain.roster import Swap, SwapState
from callcenter.domain.users import Role
from callcenter.errors import CallCenterError, Forbidden, Refused
from callcenter.ports import Store, UnitOfWork
from callcenter.service.duty import publishing, roster, swaps, templates
from callcenter.service.duty.swaps import WorsePlan

EVENING = wall(23, 19)


@pytest.fixture(autouse=True)
def _published(store: Store) -> None:
    join(store)
    planned(store, "c017", "c018")
    publish(store)


def publish(store: Store, now: datetime = NOON) -> int:
    with store() as work:
        done = publishing.publish(
            work, MONDAY, MONDAY, rules=RULES, actor="s001", now=now, reason="白天由其他机构接听"
        )
        work.commit()
    return len(done.new)


def owners(store: Store) -> dict[str, str]:
    with store() as work:
        return {s.id: s.agent for s in work.roster.shifts_between(wall(23, 0), wall(25, 0))}


def of(store: Store, agent: str) -> str:
    return next(shift for shift, owner in owners(store).items() if owner == agent)


def offered(store: Store, agent: str = "c017") -> str:
    with store() as work:
        made = swaps.offer(work, of_unit(work, agent), actor=agent, now=NOON, reason="孩子家长会")
        work.commit()
    return made.id


def of_unit(work: UnitOfWork, agent: str) -> str:
    shifts = work.roster.shifts_between(wall(23, 0), wall(25, 0))
    return next(s.id for s in shifts if s.agent == agent)


def taken(store: Store, by: str = "c019", agent: str = "c017") -> str:
    swap = offered(store, agent)
    with store() as work:
        swaps.take(work, swap, actor=by, now=NOON)
        work.commit()
    return swap


def approve(store: Store, swap: str, now: datetime = NOON) -> Swap:
    with store() as work:
        done = swaps.approve(work, swap, rules=RULES, actor="s001", now=now)
        work.commit()
    return done


def test_a_shift_stays_its_owners_until_a_supervisor_says_yes(store: Store) -> None:
    mine, before = of(store, "c017"), owners(store)
    swap = taken(store)
    assert owners(store) == before
    done = approve(store, swap)
    assert owners(store) == {**before, mine: "c019"}
    assert (done.state, done.decided_by, done.decided_at) == (SwapState.APPROVED, "s001", NOON)
    with store() as work:
        verbs = [e.verb for e in work.audit.recent(3)]
    assert verbs == ["duty.swap_approve", "duty.swap_take", "duty.swap_offer"]


def test_an_approved_swap_outlives_publishing_again_and_may_go_back(store: Store) -> None:
    mine = of(store, "c017")
    approve(store, taken(store))
    assert publish(store) == 0
    assert owners(store)[mine] == "c019"
    approve(store, taken(store, by="c017", agent="c019"))
    assert publish(store) == 0
    assert owners(store)[mine] == "c017"


def test_a_shift_planned_by_hand_is_swapped_like_any_other(store: Store) -> None:
    with store() as work:
        extra = roster.add_shift(work, "c019", wall(24, 9), timedelta(hours=3), actor="s001", now=NOON)
        made = swaps.offer(work, extra.shift.id, actor="c019", now=NOON)
        swaps.take(work, made.id, actor="c018", now=NOON)
        swaps.approve(work, made.id, rules=RULES, actor="s002", now=NOON)
        assert work.roster.shift(extra.shift.id).agent == "c018"


def test_only_ones_own_shift_that_has_not_begun_and_only_once(store: Store) -> None:
    mine = of(store, "c017")
    with store() as work:
        with pytest.raises(Forbidden, match="不是您的"):
            swaps.offer(work, mine, actor="c018", now=NOON)
        with pytest.raises(Refused, match="已经开始"):
            swaps.offer(work, mine, actor="c017", now=EVENING)
    offered(store)
    with store() as work, pytest.raises(Refused, match="已经在换班"):
        swaps.offer(work, mine, actor="c017", now=NOON)


def test_who_is_busy_then_or_cannot_have_it_cannot_take_it(store: Store) -> None:
    swap = offered(store)
    with store() as work:
        for actor, words in (("c017", "自己"), ("c018", "已有班次"), ("s002", "角色")):
            with pytest.raises(Refused, match=words):
                swaps.take(work, swap, actor=actor, now=NOON)


def test_of_two_who_take_one_offer_one_has_it(store: Store) -> None:
    swap = taken(store)
    with store() as work, pytest.raises(Refused, match="不能这样办"):
        swaps.take(work, swap, actor=TRAINEE, now=NOON)


def test_both_may_change_their_mind_until_it_is_decided(store: Store) -> None:
    swap = taken(store)
    with store() as work:
        with pytest.raises(Forbidden):
            swaps.withdraw(work, swap, actor="c018", now=NOON)
        free = swaps.withdraw(work, swap, actor="c019", now=NOON)
        assert (free.state, free.taker) == (SwapState.OFFERED, "")
        gone = swaps.withdraw(work, swap, actor="c017", now=NOON)
        assert gone.state is SwapState.WITHDRAWN
        with pytest.raises(Refused):
            swaps.take(work, swap, actor="c019", now=NOON)
        work.commit()
    assert "c017" in owners(store).values()


def test_a_swap_that_is_refused_changes_nothing_and_says_why(store: Store) -> None:
    before, swap = owners(store), taken(store)
    with store() as work:
        with pytest.raises(Refused, match="理由"):
            swaps.refuse(work, swap, actor="s001", now=NOON, reason=" ")
        swaps.refuse(work, swap, actor="s001", now=NOON, reason="当晚要带教")
        work.commit()
    assert owners(store) == before
    with pytest.raises(Refused):
        approve(store, swap)


def test_a_trainee_may_not_take_the_only_experienced_seat(store: Store) -> None:
    with store() as work:
        work.roster.replace_shifts([of_unit(work, "c018")], [])
        work.roster.add_shift(shift(TRAINEE, EVENING))
        work.users.add(replace(work.users.get(TRAINEE), code="c021"))
        profile = work.book(STAFF).get(TRAINEE)
        work.book(STAFF).add(replace(profile, id="c021"))
        work.commit()
    swap = taken(store, by="c021")
    with pytest.raises(WorsePlan) as refused:
        approve(store, swap)
    assert {f.lack for f in refused.value.faults} == {Lack.TRAINEE_ALONE}
    assert "c017" in owners(store).values()


def test_a_taker_who_was_planned_meanwhile_is_found_out(store: Store) -> None:
    swap = taken(store)
    with store() as work:
        roster.add_shift(work, "c019", wall(24, 0), timedelta(hours=2), actor="s001", now=NOON)
        work.commit()
    with pytest.raises(WorsePlan) as refused:
        approve(store, swap)
    assert [(f.lack, f.agents) for f in refused.value.faults] == [(Lack.OVERLAP, frozenset({"c019"}))]


def test_a_shift_that_is_short_handed_anyway_may_change_hands(store: Store) -> None:
    with store() as work:
        roster.remove_shift(work, of_unit(work, "c018"), actor="s001", now=NOON)
        work.commit()
    assert approve(store, taken(store)).state is SwapState.APPROVED


def test_a_shift_that_began_or_went_is_not_swapped_any_more(store: Store) -> None:
    swap = taken(store)
    with pytest.raises(Refused, match="已经开始"):
        approve(store, swap, now=EVENING)
    with store() as work:
        roster.remove_shift(work, of_unit(work, "c017"), actor="s001", now=NOON)
        assert work.book(SWAPS).get(swap).state is SwapState.WITHDRAWN
        work.commit()
    with pytest.raises(Refused):
        approve(store, swap)


def test_what_was_offered_is_withdrawn_when_publishing_moves_the_shift(store: Store) -> None:
    swap = taken(store)
    with store() as work:
        (found,) = work.book(TEMPLATES).where()
        later = replace(found, start=time(20))
        templates.change_template(work, later, actor="s001", now=NOON)
        work.commit()
    assert publish(store) == 2
    with store() as work:
        assert work.book(SWAPS).get(swap).state is SwapState.WITHDRAWN


def test_nobody_approves_a_swap_of_their_own(store: Store) -> None:
    swap = taken(store)
    with store() as work:
        user = work.users.get("c019")
        work.users.update(replace(user, roles=user.roles | {Role.SUPERVISOR}))
        with pytest.raises(Refused, match="另一位督导"):
            swaps.approve(work, swap, rules=RULES, actor="c019", now=NOON)
    assert approve(store, swap).state is SwapState.APPROVED


def test_supervisors_on_call_swap_among_supervisors(store: Store) -> None:
    with store() as work:
        on_call = roster.add_shift(
            work, "s001", wall(24, 9), timedelta(hours=8), kind=ShiftKind.SUPERVISOR, actor="s001", now=NOON
        )
        made = swaps.offer(work, on_call.shift.id, actor="s001", now=NOON)
        with pytest.raises(Refused, match="角色"):
            swaps.take(work, made.id, actor="c019", now=NOON)
        assert swaps.take(work, made.id, actor="s002", now=NOON).taker == "s002"


def test_everybody_sees_what_is_on_offer_and_only_the_two_and_supervisors_what_was_decided(
    store: Store,
) -> None:
    swap = taken(store)
    with store() as work:
        for actor in ("c017", "c018", "c019", "s002"):
            assert [v.swap.id for v in swaps.list_swaps(work, actor=actor, now=NOON)] == [swap]
        swaps.refuse(work, swap, actor="s001", now=NOON, reason="当晚要带教")
        seen = {
            actor: len(swaps.list_swaps(work, actor=actor, now=NOON, everything=True))
            for actor in ("c017", "c018", "c019", "s002")
        }
        assert swaps.list_swaps(work, actor="s002", now=NOON) == []
    assert seen == {"c017": 1, "c018": 0, "c019": 1, "s002": 1}


# --- at the same time ----------------------------------------------------------------------------


def at_once(*acts: Callable[[], Swap]) -> list[SwapState | type[Exception]]:
    """Do things in as many threads; return what became of each."""
    start = Barrier(len(acts))

    def done(act: Callable[[], Swap]) -> SwapState | type[Exception]:
        start.wait()
        try:
            return act().state
        except CallCenterError as error:
            return type(error)

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(done, acts))


def test_two_supervisors_do_not_give_one_person_two_shifts_at_a_time(store: Store) -> None:
    mine, theirs = taken(store), taken(store, agent="c018")
    outcomes = at_once(lambda: approve(store, mine), lambda: approve(store, theirs))
    assert sorted(map(str, outcomes)) == sorted(map(str, [SwapState.APPROVED, WorsePlan]))
    assert sorted(owners(store).values()) in (["c017", "c019"], ["c018", "c019"])


def test_of_two_who_take_one_offer_at_the_same_time_one_has_it(store: Store) -> None:
    swap = offered(store)

    def by(actor: str) -> Swap:
        with store() as work:
            done = swaps.take(work, swap, actor=actor, now=NOON)
            work.commit()
        return done

    outcomes = at_once(lambda: by("c019"), lambda: by(TRAINEE))
    assert outcomes.count(SwapState.TAKEN) == 1
    with store() as work:
        assert work.book(SWAPS).get(swap).taker in ("c019", TRAINEE)
