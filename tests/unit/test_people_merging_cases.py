"""Two entries with a case each become one: no danger falls silent, and no search is dropped."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from people_world import peopled, with_case

from callcenter.domain.books import CASE_EVENTS, CASES, RESCUES
from callcenter.domain.cases import CloseReason, Ending, Lowering, Rescue, RescueState
from callcenter.domain.privacy import Merge
from callcenter.domain.risk import Level
from callcenter.errors import Refused
from callcenter.ports import Store, UnitOfWork
from callcenter.service.line.risk_clock import unacknowledged
from callcenter.service.people.merging import merge, unmerge
from callcenter.service.risk.case_verbs import acknowledge, close, confirm, reopen, see_case
from callcenter.service.risk.rescues import asked_again, of_case
from scheduler.gates import Rules
from scheduler.risk_ladder import RiskRules

WHY = "同一单位、同一生日,本人在电话里确认"
NOT_ONE = "两人同名,不是一人"
HOUR = timedelta(hours=1)
RULES = Rules()


def one_person(work: UnitOfWork, now: datetime) -> Merge:
    return merge(work, "p1", "p2", actor="s001", now=now, reason=WHY)


def events(work: UnitOfWork, case: str) -> list[str]:
    return sorted(event.kind for event in work.book(CASE_EVENTS).where(case=case))


def waiting(work: UnitOfWork, now: datetime) -> list[str]:
    """Return the cases the risk clock runs for."""
    return [cause.partition("@")[0] for cause in unacknowledged(work, now, RiskRules())]


def known_and_fresh(store: Store, now: datetime) -> None:
    """Shen's case a supervisor knows of, and lowering it is proposed; of Qian's, as bad, nobody knows yet."""
    proposed = Lowering(level=Level.GENERAL, by="c017", reason="家人已陪同就医", at=now - HOUR)
    with_case(
        store,
        "p1",
        Level.HIGH,
        now - 5 * HOUR,
        alarming_since=now - 5 * HOUR,
        acknowledged_by="s001",
        acknowledged_at=now - 4 * HOUR,
        proposed=proposed,
    )
    with_case(store, "p2", Level.HIGH, now - HOUR, alarming_since=now - HOUR)


def test_r12_a_danger_nobody_knows_of_is_not_covered_by_a_name_given_for_the_other(
    store: Store, now: datetime
) -> None:
    peopled(store)
    known_and_fresh(store, now)
    with store() as work:
        one_person(work, now)
        going = work.book(CASES).get("ca-p1")
        assert (going.acknowledged_by, going.acknowledged_at) == (None, None)
        assert going.alarming_since == now - HOUR
        assert waiting(work, now) == ["ca-p1"]
        assert events(work, "ca-p1") == ["unacknowledged", "withdrawn"]
        with pytest.raises(Refused, match="没有待确认的降级"):
            confirm(work, "ca-p1", Level.MEDIUM, actor="s002", now=now, rules=RULES)
        acknowledge(work, "ca-p1", actor="s002", now=now)
        assert waiting(work, now) == []


def test_the_earlier_of_two_clocks_runs_on(store: Store, now: datetime) -> None:
    peopled(store)
    for who, since in (("p1", now - HOUR), ("p2", now - 2 * HOUR)):
        with_case(store, who, Level.HIGH, since, alarming_since=since)
    with store() as work:
        one_person(work, now)
        assert work.book(CASES).get("ca-p1").alarming_since == now - 2 * HOUR


def test_what_was_proposed_of_the_ending_case_is_said_to_be_void(store: Store, now: datetime) -> None:
    peopled(store)
    ending = Ending(reason=CloseReason.REFERRED, note="已转精神科", by="c018", at=now)
    with_case(store, "p1", Level.HIGH, now, acknowledged_by="s001", acknowledged_at=now)
    with_case(store, "p2", Level.HIGH, now, acknowledged_by="s001", acknowledged_at=now, ending=ending)
    with store() as work:
        done = one_person(work, now)
        assert work.book(CASES).get("ca-p1").acknowledged_by == "s001"
        assert events(work, "ca-p2") == ["closed", "withdrawn"]
        unmerge(work, done.id, actor="s001", now=now, reason=NOT_ONE)
        assert work.book(CASES).get("ca-p2").ending is None


def test_parted_again_each_case_has_the_name_it_had(store: Store, now: datetime) -> None:
    peopled(store)
    known_and_fresh(store, now)
    with store() as work:
        done = one_person(work, now)
        unmerge(work, done.id, actor="s001", now=now, reason=NOT_ONE)
        assert work.book(CASES).get("ca-p1").acknowledged_by == "s001"
        assert waiting(work, now) == ["ca-p2"]


def test_a_name_given_while_both_were_one_stays_with_the_case_that_went_on(
    store: Store, now: datetime
) -> None:
    peopled(store)
    known_and_fresh(store, now)
    with store() as work:
        done = one_person(work, now)
        acknowledge(work, "ca-p1", actor="s002", now=now)
        unmerge(work, done.id, actor="s001", now=now, reason=NOT_ONE)
        assert work.book(CASES).get("ca-p1").acknowledged_by == "s002"
        assert waiting(work, now) == ["ca-p2"]


def searched_for(store: Store, now: datetime) -> None:
    """Both are at the same level; the police look for Qian."""
    for who in ("p1", "p2"):
        with_case(store, who, Level.MEDIUM, now, steps=(f"ob-{who}",))
    with store() as work:
        running = Rescue(
            id="re-ca-p2-1", case="ca-p2", session="se-2", state=RescueState.REQUESTED, agency="110"
        )
        work.book(RESCUES).add(running)
        work.commit()


def test_r14_who_is_being_searched_for_is_not_dropped_with_the_case_that_ends(
    store: Store, now: datetime
) -> None:
    peopled(store)
    searched_for(store, now)
    with store() as work:
        one_person(work, now)
        assert [r.id for r in see_case(work, "ca-p1", actor="s001", now=now).rescues] == ["re-ca-p2-1"]
        with pytest.raises(Refused, match="re-ca-p2-1"):
            close(work, "ca-p1", CloseReason.REFERRED, note="已转介门诊", actor="s001", now=now, rules=RULES)


def test_r14_parted_again_the_search_belongs_to_whom_it_was_for(store: Store, now: datetime) -> None:
    peopled(store)
    searched_for(store, now)
    with store() as work:
        done = one_person(work, now)
        unmerge(work, done.id, actor="s001", now=now, reason=NOT_ONE)
        assert of_case(work, "ca-p1") == ()
        assert [r.id for r in of_case(work, "ca-p2")] == ["re-ca-p2-1"]


def test_another_rescue_finds_a_name_of_its_own_after_a_merge_and_after_parting(
    store: Store, now: datetime
) -> None:
    peopled(store)
    searched_for(store, now)
    with store() as work:
        done = one_person(work, now)
        arrived = work.book(RESCUES).get("re-ca-p2-1")
        work.book(RESCUES).put(Rescue(**{**_fields(arrived), "state": RescueState.CLOSED}))
        for turn in range(2):
            going = work.book(CASES).get("ca-p1")
            asked = asked_again(work, going, session=f"se-{turn}", by="c017", now=now)
            work.book(RESCUES).put(Rescue(**{**_fields(asked), "state": RescueState.CLOSED}))
        close(work, "ca-p1", CloseReason.REFERRED, note="已转介门诊", actor="s001", now=now, rules=RULES)
        again = reopen(work, "ca-p2", reason="又来电话了", actor="s001", now=now, rules=RULES)
        asked_again(work, again, session="se-3", by="c017", now=now)
        unmerge(work, done.id, actor="s001", now=now, reason=NOT_ONE)
        asked_again(work, work.book(CASES).get("ca-p1"), session="se-4", by="c017", now=now)
        assert len(list(work.book(RESCUES).where())) == 5


def _fields(rescue: Rescue) -> dict[str, object]:
    return {name: getattr(rescue, name) for name in Rescue.__slots__}
