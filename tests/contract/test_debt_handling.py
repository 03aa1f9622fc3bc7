"""Handling debts in each store: two at once, the order of a page, and a routine period let go."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from actors import enlist

from callcenter.db.unit_of_work import SqlStore
from callcenter.domain.ledger import DebtAct, WaiverState
from callcenter.domain.people import FileStatus, HardshipFile, Person
from callcenter.domain.users import Role, User
from callcenter.errors import Conflict, Refused
from callcenter.ports import Store
from callcenter.service.followup import handling, pausing, waiving
from callcenter.service.followup.debts import sweep
from scheduler.gates import Rules
from scheduler.obligations import OF_REGISTER, ClosingKind, Kind, Mode, Obligation

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULES = Rules()
MANY = 4


def open_line(store: Store, *debts: Obligation) -> None:
    with store() as work:
        enlist(work)
        for n in range(MANY):
            work.users.add(User(code=f"c1{n}", name="林晓燕", roles=frozenset({Role.COUNSELLOR})))
        work.users.add(User(code="s002", name="吴敏华", roles=frozenset({Role.SUPERVISOR})))
        work.people.add(Person(id="p1", code="P-1", name="沈建国"))
        assert all([work.debts.add(one) for one in debts])
        work.commit()


def owed(n: int, now: datetime, **more: object) -> Obligation:
    plain = Obligation(
        id=f"ob-{n}",
        person="p1",
        kind=Kind.CALLBACK,
        due_at=now - HOUR,
        window_end=now + HOUR,
        mode=Mode.HUMAN_ONLY,
        origin=f"c{n}",
        created_at=now - HOUR,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def test_two_who_claim_at_once_are_one_who_has_it(sql_store: SqlStore, now: datetime) -> None:
    open_line(sql_store, owed(1, now))

    def claim(agent: str) -> str | None:
        try:
            with sql_store() as work:
                handling.claim(work, "ob-1", actor=agent, now=now)
                work.commit()
        except (Conflict, Refused):
            return None
        return agent

    with ThreadPoolExecutor(MANY) as pool:
        had = [agent for agent in pool.map(claim, [f"c1{n}" for n in range(MANY)]) if agent]
    with sql_store() as work:
        assert had == [work.debts.get("ob-1").owner]
        assert [e.by for e in handling.history(work, "ob-1")] == had


def test_two_supervisors_who_grant_at_once_end_it_once(sql_store: SqlStore, now: datetime) -> None:
    open_line(sql_store, owed(1, now, kind=Kind.MID_RISK))
    with sql_store() as work:
        asked = waiving.ask(work, "ob-1", reason="本人迁居外地", actor="s001", now=now)
        work.users.add(User(code="s003", name="周敏", roles=frozenset({Role.SUPERVISOR})))
        work.commit()

    def grant(actor: str) -> bool:
        try:
            with sql_store() as work:
                waiving.grant(work, asked.id, actor=actor, now=now)
                work.commit()
        except (Conflict, Refused):
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(grant, ["s002", "s003"])) == [False, True]
    with sql_store() as work:
        assert [e.act for e in handling.history(work, "ob-1")] == [DebtAct.WAIVER_ASKED, DebtAct.WAIVED]


def test_r29_handed_up_stands_first_and_put_off_last_until_its_hour(store: Store, now: datetime) -> None:
    debts = [
        owed(1, now, priority=1),
        owed(2, now, window_end=now - HOUR, due_at=now - DAY),
        owed(3, now, escalated_at=now - HOUR),
        owed(4, now, due_at=now + DAY, window_end=now + 2 * DAY, escalated_at=now),
        owed(5, now, due_at=now + DAY, window_end=now + 2 * DAY),
        owed(6, now, window_end=now - 2 * HOUR, due_at=now - DAY, snoozed_until=now + 2 * HOUR),
        owed(7, now, priority=0, snoozed_until=now + HOUR),
        owed(8, now, escalated_at=now - HOUR, snoozed_until=now + 3 * HOUR),
        owed(9, now, priority=2, snoozed_until=now),
    ]
    open_line(store, *debts)
    with store() as work:
        listed = [o.id for o in work.debts.page(now)]
        assert listed == [f"ob-{n}" for n in (3, 4, 1, 2, 9, 7, 6, 8)]
        assert [o.id for o in work.debts.page(now, limit=3)] == listed[:3]
        assert work.debts.count_due(now, most=99) == len(listed)
        later = [o.id for o in work.debts.page(now + 2 * HOUR)]
        assert later[:3] == ["ob-3", "ob-4", "ob-7"]
        assert later[-1] == "ob-8"
        every = work.debts.page(now, until=datetime.max.replace(tzinfo=UTC))
        assert {o.id for o in every} == {o.id for o in debts}


def test_r39_a_clerk_s_list_has_its_order_from_dates_alone(store: Store, now: datetime) -> None:
    first = owed(1, now, kind=Kind.HARDSHIP, window_end=now - 2 * HOUR, due_at=now - DAY)
    second = owed(2, now, kind=Kind.VISIT, window_end=now - HOUR, due_at=now - DAY)
    open_line(store, replace(first, snoozed_until=now + HOUR, raised=2), replace(second, escalated_at=now))
    with store() as work:
        plain = work.debts.page(now, kinds=OF_REGISTER, plain=True)
        assert [o.id for o in plain] == ["ob-1", "ob-2"]
        assert [o.id for o in work.debts.page(now, kinds=OF_REGISTER)] == ["ob-2", "ob-1"]


def test_a_period_that_was_let_go_is_followed_by_the_next(store: Store, now: datetime) -> None:
    open_line(store)
    with store() as work:
        file = HardshipFile(
            file_no="WX-1", person="p1", grade="深度困难", status=FileStatus.ACTIVE, since=date(2026, 10, 1)
        )
        work.people.put_file(file)
        (first,) = sweep(work, now, rules=RULES).opened
        waiver = waiving.ask(work, first, reason="本人住院", actor="s001", now=now)
        work.commit()
    assert waiver.state is WaiverState.GRANTED
    with store() as work:
        sweep(work, now + HOUR, rules=RULES)
        (following,) = work.debts.open(person="p1")
        ended = work.debts.get(first)
        assert ended.closing is not None
        assert ended.closing.kind is ClosingKind.WAIVED
        assert following.window_end.date() == ended.window_end.date() + timedelta(days=30)


@pytest.mark.parametrize("hours", [None, 2])
def test_a_pause_is_one_row_that_every_process_reads(store: Store, now: datetime, hours: int | None) -> None:
    open_line(store)
    until = None if hours is None else now + hours * HOUR
    for reason in ("话务高峰", "线路检修"):
        with store() as work:
            pausing.pause(work, reason=reason, until=until, actor="s001", now=now)
            work.commit()
    with store() as work:
        held = pausing.standing(work, now + HOUR)
        assert held is not None
        assert (held.reason, held.until) == ("线路检修", until)
        pausing.resume(work, actor="s002", now=now + HOUR)
        assert pausing.standing(work, now + HOUR) is None
