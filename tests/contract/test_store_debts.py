"""What is owed, who works on it, what was tried and what proves it; and alarms."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from callcenter.db.unit_of_work import SqlStore
from callcenter.domain.alarms import Alarm, AlarmKind
from callcenter.errors import Conflict, NotFound, Refused
from callcenter.ports import Store
from scheduler.obligations import (
    Attempt,
    Closing,
    Evidence,
    EvidenceKind,
    Kind,
    Lease,
    Mode,
    Obligation,
    Result,
)

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def owed(n: int, now: datetime, **changes: object) -> Obligation:
    plain = Obligation(
        id=f"ob-{n}",
        person=f"p{n}",
        kind=Kind.HARDSHIP,
        due_at=now - DAY,
        window_end=now + n * DAY,
        mode=Mode.IVR_OK,
        origin=f"WX-{n}",
        created_at=now - DAY,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def attempt(n: int, now: datetime, **changes: object) -> Attempt:
    plain = Attempt(
        id=f"at-{n}", obligation="ob-1", n=n, planned_at=now + n * HOUR, by="ivr", callee="13800000001"
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def proof(n: int, now: datetime, **changes: object) -> Evidence:
    plain = Evidence(
        id=f"ev-{n}", obligation="ob-1", kind=EvidenceKind.IVR_KEY, at=now, reference=f"at-{n}", by="ivr"
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def add(store: Store, *obligations: Obligation) -> None:
    with store() as work:
        assert all([work.debts.add(o) for o in obligations])
        work.commit()


def test_who_tried_last_by_hand_is_told_per_debt(store: Store, now: datetime) -> None:
    add(store, owed(1, now), owed(2, now), owed(3, now))
    with store() as work:
        for n, by in enumerate(("c017", "c018", "ivr"), start=1):
            work.debts.add_attempt(attempt(n, now, by=by))
        work.debts.add_attempt(attempt(9, now, obligation="ob-2"))
        work.commit()
        assert work.debts.last_by_hand() == {"ob-1": (now + 2 * HOUR, "c018")}


def test_every_field_of_an_obligation_comes_back(store: Store, now: datetime) -> None:
    full = owed(
        1,
        now,
        kind=Kind.CALLBACK,
        mode=Mode.HUMAN_ONLY,
        priority=1,
        detail="number=13861705678&code=1204",
        next_at=now + HOUR,
        closing=Closing(at=now, reason="本人不再需要", by="s001"),
        lease=Lease(owner="w1", until=now + HOUR, fence=7),
    )
    add(store, full)
    with store() as work:
        assert work.debts.get("ob-1") == full
        with pytest.raises(NotFound):
            work.debts.get("ob-2")


@pytest.mark.parametrize(
    "twin",
    [
        {"id": "ob-1", "person": "p2", "kind": Kind.CALLBACK},
        {"id": "ob-2", "person": "p1", "origin": "call", "kind": Kind.CALLBACK},
    ],
)
def test_a_sweep_that_runs_twice_owes_once(store: Store, now: datetime, twin: dict[str, object]) -> None:
    first = owed(1, now, kind=Kind.CALLBACK, origin="call")
    add(store, first)
    with store() as work:
        assert work.debts.add(replace(first, **twin)) is False  # type: ignore[arg-type]
        assert work.debts.open() == [first]


def test_missed_routine_periods_are_one_debt(store: Store, now: datetime) -> None:
    add(store, owed(1, now))
    next_period = owed(1, now, id="ob-9", due_at=now, window_end=now + DAY)
    with store() as work:
        assert work.debts.add(next_period) is False
        work.debts.close("ob-1", "换档", "s001", now)
        assert work.debts.add(next_period) is True
        work.commit()
    with store() as work:
        assert work.debts.open(person="p1") == [next_period]


def test_a_proven_contact_makes_room_for_the_next_period(store: Store, now: datetime) -> None:
    add(store, owed(1, now))
    with store() as work:
        work.debts.add_evidence(proof(1, now))
        assert work.debts.add(owed(1, now, id="ob-9", due_at=now, window_end=now + DAY)) is True


def test_promises_stand_beside_each_other(store: Store, now: datetime) -> None:
    add(store, *(owed(1, now, id=f"ob-{n}", kind=Kind.CALLBACK, origin=f"call-{n}") for n in range(3)))
    with store() as work:
        assert len(work.debts.open(person="p1")) == 3


def test_open_means_neither_proven_nor_closed_oldest_breach_first(store: Store, now: datetime) -> None:
    add(store, *(owed(n, now) for n in (4, 3, 2, 1)), owed(5, now, window_end=now + 3 * DAY, priority=1))
    with store() as work:
        work.debts.add_evidence(proof(1, now))
        work.debts.close("ob-2", "死亡", "s001", now)
        work.commit()
    with store() as work:
        assert [o.id for o in work.debts.open()] == ["ob-5", "ob-3", "ob-4"]
        assert [o.id for o in work.debts.open(person="p4")] == ["ob-4"]
        assert work.debts.get("ob-2").closing == Closing(at=now, reason="死亡", by="s001")


def test_due_leaves_out_what_waits_is_leased_or_lies_ahead(store: Store, now: datetime) -> None:
    add(
        store,
        owed(1, now, due_at=now),
        owed(2, now, due_at=now + HOUR),
        owed(3, now, next_at=now + HOUR),
        owed(4, now, next_at=now),
        owed(5, now, lease=Lease(owner="w1", until=now + HOUR, fence=1)),
        owed(6, now, lease=Lease(owner="w1", until=now, fence=1)),
    )
    with store() as work:
        assert [o.id for o in work.debts.due(now, 10)] == ["ob-1", "ob-4", "ob-6"]
        assert [o.id for o in work.debts.due(now, 2)] == ["ob-1", "ob-4"]


def test_a_claim_is_refused_until_the_lease_ends(store: Store, now: datetime) -> None:
    add(store, owed(1, now))
    with store() as work:
        claimed = work.debts.claim("ob-1", "w1", now, now + HOUR)
        work.commit()
    assert claimed == owed(1, now, lease=Lease(owner="w1", until=now + HOUR, fence=1))
    with store() as work:
        with pytest.raises(Conflict):
            work.debts.claim("ob-1", "w2", now, now + HOUR)
        taken_over = work.debts.claim("ob-1", "w2", now + HOUR, now + 2 * HOUR)
    assert taken_over.lease == Lease(owner="w2", until=now + 2 * HOUR, fence=2)


def test_a_person_is_worked_on_in_one_place_only(store: Store, now: datetime) -> None:
    add(store, owed(1, now), owed(1, now, id="ob-2", kind=Kind.CALLBACK, origin="call"))
    with store() as work:
        work.debts.claim("ob-1", "w1", now, now + HOUR)
        with pytest.raises(Conflict):
            work.debts.claim("ob-2", "w2", now, now + HOUR)


def test_what_is_settled_or_unknown_cannot_be_claimed(store: Store, now: datetime) -> None:
    add(store, owed(1, now), owed(2, now))
    with store() as work:
        work.debts.add_evidence(proof(1, now))
        work.debts.close("ob-2", "退档", "s001", now)
        for settled in ("ob-1", "ob-2"):
            with pytest.raises(Conflict):
                work.debts.claim(settled, "w1", now, now + HOUR)
        with pytest.raises(NotFound):
            work.debts.claim("ob-3", "w1", now, now + HOUR)


def test_releasing_sets_when_to_try_again_and_fences_out_the_stale(store: Store, now: datetime) -> None:
    add(store, owed(1, now))
    with store() as work:
        work.debts.claim("ob-1", "w1", now, now + HOUR)
        work.debts.claim("ob-1", "w2", now + HOUR, now + 2 * HOUR)
        with pytest.raises(Conflict):
            work.debts.release("ob-1", 1, None)
        work.debts.release("ob-1", 2, now + DAY)
        with pytest.raises(Conflict):
            work.debts.release("ob-1", 2, None)
        with pytest.raises(NotFound):
            work.debts.release("ob-9", 1, None)
        assert work.debts.get("ob-1") == owed(1, now, next_at=now + DAY)
        again = work.debts.claim("ob-1", "w3", now + DAY, now + 2 * DAY)
    assert again.lease
    assert again.lease.fence == 3, "a fence outlives its lease"


def test_many_workers_and_one_debt_give_one_lease(store: Store, now: datetime) -> None:
    add(store, owed(1, now))
    together = threading.Barrier(6)

    def claim(n: int) -> bool:
        together.wait()
        try:
            with store() as work:
                work.debts.claim("ob-1", f"w{n}", now, now + HOUR)
                work.commit()
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(claim, range(6))) == 1


@pytest.mark.postgres
def test_postgres_passes_over_a_debt_in_other_hands_without_waiting(
    postgres_url: str, open_sql_store: Callable[[str], SqlStore], now: datetime
) -> None:
    store = open_sql_store(postgres_url)
    add(store, owed(1, now), owed(1, now, id="ob-2", kind=Kind.CALLBACK, origin="call"), owed(3, now))
    with store() as first:
        first.debts.claim("ob-1", "w1", now, now + HOUR)
        with store() as second:
            for id_ in ("ob-1", "ob-2"):
                with pytest.raises(Conflict):
                    second.debts.claim(id_, "w2", now, now + HOUR)
            assert second.debts.claim("ob-3", "w2", now, now + HOUR).id == "ob-3"


def test_closing_is_done_once_by_a_name(store: Store, now: datetime) -> None:
    add(store, owed(1, now))
    with store() as work:
        work.debts.close("ob-1", "退档", "s001", now)
        with pytest.raises(Conflict):
            work.debts.close("ob-1", "再退", "s002", now)
        with pytest.raises(NotFound):
            work.debts.close("ob-9", "退档", "s001", now)


def test_an_attempt_is_written_before_and_settled_after(store: Store, now: datetime) -> None:
    add(store, owed(1, now))
    settled = attempt(1, now, dialled_at=now, result=Result.NO_ANSWER, settled_at=now + HOUR, cause=19)
    with store() as work:
        work.debts.add_attempt(attempt(1, now))
        work.debts.add_attempt(attempt(2, now))
        work.debts.update_attempt(settled)
        work.commit()
    with store() as work:
        assert work.debts.attempt("at-1") == settled
        assert work.debts.attempts("ob-1") == [settled, attempt(2, now)]
        assert work.debts.attempts_in_doubt() == [attempt(2, now)]
        assert work.debts.attempt("at-3") is None


def test_the_kin_of_an_attempt_is_all_its_person_was_owed_of_that_kind(store: Store, now: datetime) -> None:
    closed = owed(
        2, now, person="p1", kind=Kind.HARDSHIP, closing=Closing(reason="已联系", by="c017", at=now)
    )
    others = owed(3, now, person="p1", kind=Kind.CALLBACK), owed(4, now, person="p2", kind=Kind.HARDSHIP)
    add(store, owed(1, now, person="p1", kind=Kind.HARDSHIP), closed, *others)
    with store() as work:
        work.debts.add_attempt(attempt(1, now, obligation="ob-1"))
        work.debts.add_attempt(replace(attempt(1, now, obligation="ob-3"), id="at-3"))
        kin = work.debts.kin_of(["at-1", "at-3", "at-9"])
    assert kin == {"at-1": {"ob-1", "ob-2"}, "at-3": {"ob-3"}}


def test_which_number_was_shown_is_known_from_when_it_was_dialled(store: Store, now: datetime) -> None:
    add(store, owed(1, now))
    with store() as work:
        work.debts.add_attempt(attempt(1, now, dialled_at=now - DAY, did="0510001"))
        work.debts.add_attempt(attempt(2, now))
        assert list(work.debts.dialled_since(now)) == [(now + 2 * HOUR, None)]
        assert list(work.debts.dialled_since(now - DAY)) == [(now - DAY, "0510001"), (now + 2 * HOUR, None)]


def test_the_newest_outcomes_come_first_and_doubts_are_none(store: Store, now: datetime) -> None:
    add(store, owed(1, now))
    with store() as work:
        work.debts.add_attempt(attempt(1, now, result=Result.BUSY))
        work.debts.add_attempt(attempt(2, now, result=Result.OWN_FAULT))
        work.debts.add_attempt(attempt(3, now))
        outcomes = [(now + 2 * HOUR, Result.OWN_FAULT), (now + HOUR, Result.BUSY)]
        assert list(work.debts.last_outcomes(9)) == outcomes
        assert list(work.debts.last_outcomes(1)) == outcomes[:1]


def test_what_a_person_was_tried_for_lately_is_known_whatever_became_of_the_debt(
    store: Store, now: datetime
) -> None:
    add(store, owed(1, now))
    with store() as work:
        made = attempt(1, now, result=Result.BUSY)
        work.debts.add_attempt(made)
        work.debts.close("ob-1", "重复登记", "s001", now)
        assert work.debts.tried_since(["p1", "p2"], now - DAY) == {"p1": [made]}
        assert work.debts.tried_since(["p1"], now + DAY) == {}


@pytest.mark.parametrize("twin", [{"id": "at-9"}, {"n": 9}])
def test_the_same_try_is_not_made_twice(store: Store, now: datetime, twin: dict[str, object]) -> None:
    add(store, owed(1, now))
    with store() as work:
        work.debts.add_attempt(attempt(1, now))
        with pytest.raises(Conflict):
            work.debts.add_attempt(replace(attempt(1, now), **twin))  # type: ignore[arg-type]


def test_an_attempt_needs_its_obligation_and_an_update_its_attempt(store: Store, now: datetime) -> None:
    add(store, owed(1, now))
    with store() as work:
        with pytest.raises(NotFound):
            work.debts.add_attempt(attempt(1, now, obligation="ob-9"))
        with pytest.raises(NotFound):
            work.debts.update_attempt(attempt(1, now))


def test_the_same_proof_counts_once(store: Store, now: datetime) -> None:
    add(store, owed(1, now))
    later = proof(2, now, kind=EvidenceKind.HUMAN_TALK, at=now + HOUR, by="c017")
    with store() as work:
        assert work.debts.add_evidence(later) is True
        assert work.debts.add_evidence(proof(1, now)) is True
        assert work.debts.add_evidence(proof(3, now, reference="at-1")) is False
        assert work.debts.add_evidence(proof(1, now)) is False
        work.commit()
    with store() as work:
        assert work.debts.evidence("ob-1") == [proof(1, now), later]
        assert work.debts.last_contact("p1") == later.at
        assert work.debts.last_contact("p2") is None
        assert work.debts.last_contacts() == {"p1": later.at}


def test_contacts_are_told_apart_by_what_was_owed(store: Store, now: datetime) -> None:
    add(store, owed(1, now, kind=Kind.HARDSHIP))
    add(store, owed(2, now, kind=Kind.HIGH_RISK, person="p1"))
    with store() as work:
        work.debts.add_evidence(proof(1, now, obligation="ob-1"))
        work.debts.add_evidence(proof(2, now, obligation="ob-2", at=now + HOUR))
        work.commit()
    with store() as work:
        assert work.debts.last_contact("p1") == now + HOUR
        assert work.debts.last_contact("p1", Kind.HARDSHIP) == proof(1, now).at
        assert work.debts.last_contact("p1", Kind.CALLBACK) is None
        assert work.debts.last_contacts(Kind.HARDSHIP) == {"p1": proof(1, now).at}
        assert work.debts.last_contacts(kind=Kind.HIGH_RISK) == {"p1": now + HOUR}
        assert work.debts.last_contacts(kind=Kind.CALLBACK) == {}


def test_nothing_is_proven_without_naming_what_proves_it(store: Store, now: datetime) -> None:
    add(store, owed(1, now))
    with store() as work:
        with pytest.raises(Refused):
            work.debts.add_evidence(proof(1, now, reference=" "))
        with pytest.raises(NotFound):
            work.debts.add_evidence(proof(1, now, obligation="ob-9"))


def alarm(n: int, now: datetime, **changes: object) -> Alarm:
    plain = Alarm(id=f"al-{n}", kind=AlarmKind.TRUNK_DOWN, raised_at=now + n * HOUR)
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_an_alarm_stays_open_until_somebody_acknowledges_it(store: Store, now: datetime) -> None:
    rung = alarm(1, now, detail="trunk", rung_at=now, rounds=2, cleared_at=now + HOUR)
    with store() as work:
        work.alarms.put(alarm(1, now))
        work.alarms.put(rung)
        assert work.alarms.open() == [rung]
        done = replace(rung, acknowledged_at=now + HOUR, acknowledged_by="s001")
        work.alarms.put(done)
        work.commit()
    with store() as work:
        assert work.alarms.open() == []
        assert work.alarms.get("al-1") == done
        with pytest.raises(NotFound):
            work.alarms.get("al-2")


def test_one_alarm_of_a_kind_is_open(store: Store, now: datetime) -> None:
    with store() as work:
        work.alarms.put(alarm(1, now))
        with pytest.raises(Conflict):
            work.alarms.put(alarm(2, now))
        work.alarms.put(alarm(3, now, kind=AlarmKind.TEST))
        work.alarms.put(alarm(1, now, acknowledged_at=now, acknowledged_by="s001"))
        work.alarms.put(alarm(2, now))
        assert [a.id for a in work.alarms.open()] == ["al-2", "al-3"]
        assert [a.id for a in work.alarms.recent(2)] == ["al-3", "al-2"]


def test_a_lease_of_before_the_clock_was_set_back_keeps_nobody_waiting(store: Store, now: datetime) -> None:
    add(store, owed(1, now))
    with store() as work:
        work.debts.claim("ob-1", "w1", now + 5 * HOUR, now + 5 * HOUR + timedelta(minutes=3))
        assert [o.id for o in work.debts.due(now, 10)] == ["ob-1"]
        assert work.debts.claim("ob-1", "w2", now, now + timedelta(minutes=3)).lease is not None
        with pytest.raises(Conflict):
            work.debts.release("ob-1", 1, None)
