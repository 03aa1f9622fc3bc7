"""The ledger at scale: many asked at once are as each alone, a page is in R29's order, nobody gets lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from session_desk import staff
from sqlalchemy import event

from callcenter.config import Settings
from callcenter.db.unit_of_work import SqlStore
from callcenter.domain.books import MERGES
from callcenter.domain.people import (
    Consent,
    ConsentKind,
    ExitReason,
    FileStatus,
    Grade,
    HardshipFile,
    Person,
    Phone,
    Suppression,
    SuppressionKind,
)
from callcenter.domain.privacy import Merge
from callcenter.errors import Conflict
from callcenter.ports import Store, UnitOfWork
from callcenter.service.followup import debt_rows
from callcenter.service.followup.debts import line_facts, rules_of, sweep
from callcenter.service.followup.sweep_rounds import compare, sweep_all
from callcenter.service.followup.sweeping import kinds_of, sweep_people
from scheduler.cadence import Cadence
from scheduler.obligations import (
    OF_REGISTER,
    Attempt,
    Closing,
    ClosingKind,
    Evidence,
    EvidenceKind,
    Kind,
    Mode,
    Obligation,
    Result,
)
from scheduler.urgency import is_lost, rank

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)
RULES = rules_of(Settings())


def debt(n: int, **changes: object) -> Obligation:
    plain = Obligation(
        id=f"ob-{n:03d}",
        person=f"p{n}",
        kind=Kind.HARDSHIP,
        due_at=NOW - DAY,
        window_end=NOW + DAY,
        mode=Mode.IVR_OK,
        origin=f"WX-{n}",
        created_at=NOW - DAY,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def tried(n: int, of: str, result: Result | None, by: str = "ivr", nth: int = 1) -> Attempt:
    return Attempt(id=f"at-{n}", obligation=of, n=nth, planned_at=NOW, by=by, result=result)


def proof(n: int, of: str, at: datetime = NOW) -> Evidence:
    return Evidence(
        id=f"ev-{n}", obligation=of, kind=EvidenceKind.HUMAN_TALK, at=at, reference=f"c{n}", by="c017"
    )


def worker(work: UnitOfWork, n: int, *, number: str | None = None, **file: object) -> HardshipFile:
    """Add a worker with a file."""
    phones = (Phone(number=number or f"138000{n:05d}", listed=True),)
    work.people.add(Person(id=f"p{n}", code=f"P-{n:04d}", name="沈建国", phones=phones))
    plain = HardshipFile(
        file_no=f"WX-{n}",
        person=f"p{n}",
        grade=Grade.DEEP,
        status=FileStatus.ACTIVE,
        since=date(2026, 10, 1),
    )
    work.people.put_file(replace(plain, **file))  # type: ignore[arg-type]
    return plain


# --- many at once ----------------------------------------------------------------------------


def test_several_are_stored_at_once_as_one_by_one(store: Store) -> None:
    with store() as work:
        assert work.debts.add_many([debt(1), debt(2)]) == {"ob-001", "ob-002"}
        second = debt(3, person="p1")
        twin = debt(4, person="p4"), debt(5, person="p4")
        visit = debt(6, person="p1", kind=Kind.VISIT)
        promise = debt(7, person="p1", kind=Kind.CALLBACK)
        assert work.debts.add_many([debt(1), second, *twin, visit, promise]) == {"ob-004", "ob-006", "ob-007"}
        assert work.debts.add_many([]) == frozenset()
        assert [o.id for o in work.debts.open(person="p1")] == ["ob-001", "ob-006", "ob-007"]


def test_what_is_asked_of_many_is_what_is_asked_of_each(store: Store) -> None:
    with store() as work:
        work.debts.add_many([debt(1), debt(2), debt(3), debt(4, person="p1", kind=Kind.CALLBACK)])
        work.debts.add_attempt(tried(1, "ob-001", Result.BUSY))
        work.debts.add_attempt(tried(2, "ob-001", None, nth=2))
        work.debts.add_evidence(proof(1, "ob-003", NOW - DAY))
        work.debts.add_evidence(proof(2, "ob-003", NOW))
        persons, ids = ["p1", "p2", "p3", "nobody"], ["ob-001", "ob-002", "ob-003"]
        assert work.debts.open_of(persons) == {p: work.debts.open(person=p) for p in ("p1", "p2")}
        assert work.debts.attempts_of(ids) == {"ob-001": work.debts.attempts("ob-001")}
        assert work.debts.evidence_of(ids) == {"ob-003": work.debts.evidence("ob-003")}
        assert work.debts.last_contacts(Kind.HARDSHIP, persons) == {"p3": NOW}
        assert work.debts.last_contacts(Kind.VISIT, persons) == {}
        assert work.debts.last_contacts(None, ["p1"]) == {}


def test_a_waived_period_ends_with_its_window_per_person_and_kind(store: Store) -> None:
    with store() as work:
        work.debts.add_many([debt(1), debt(2), debt(3, person="p1", kind=Kind.VISIT)])
        work.debts.close("ob-001", "本期免除", "s001", NOW, ClosingKind.WAIVED)
        work.debts.close("ob-002", "不愿接听", "system", NOW, ClosingKind.REFUSED)
        assert work.debts.waived_until(["p1", "p2"]) == {("p1", Kind.HARDSHIP): NOW + DAY}


@pytest.mark.parametrize("kind", ClosingKind)
def test_how_a_debt_ended_comes_back(store: Store, kind: ClosingKind) -> None:
    with store() as work:
        work.debts.add_many([debt(1), debt(2)])
        work.debts.close("ob-001", "已核实", "s001", NOW, kind)
        work.debts.close_many({"ob-002": Closing(at=NOW, reason="已核实", by="s001", kind=kind)})
        ended = Closing(at=NOW, reason="已核实", by="s001", kind=kind)
        assert [work.debts.get(o).closing for o in ("ob-001", "ob-002")] == [ended, ended]


def test_several_are_ended_once(store: Store) -> None:
    ended = Closing(at=NOW, reason="退档", by="system", kind=ClosingKind.LEFT)
    with store() as work:
        work.debts.add_many([debt(1), debt(2)])
        work.debts.close_many({})
        work.debts.close_many({"ob-001": ended})
        work.commit()
    with store() as work, pytest.raises(Conflict):
        work.debts.close_many({"ob-002": ended, "ob-001": ended})
    with store() as work:
        assert work.debts.get("ob-002").closing is None


def test_what_people_do_about_a_debt_is_saved_and_nothing_else(store: Store) -> None:
    with store() as work:
        work.debts.add(debt(1))
        handled = {"owner": "c017", "snoozed_until": NOW + DAY, "escalated_at": NOW, "raised": 2}
        work.debts.handle(debt(1, **handled, priority=1, origin="WX-9"))
        assert work.debts.get("ob-001") == debt(1, **handled)


def test_words_and_files_of_several_people_are_those_of_each(store: Store) -> None:
    with store() as work:
        for n in (1, 2, 3):
            worker(work, n)
        work.people.put_file(replace(work.people.files_of("p1")[0], file_no="WX-1B", district="梁溪区"))
        # 2 is found to be 1: what was said there holds for both from now on.
        work.people.update(replace(work.people.get("p2"), merged_into="p1"))
        work.book(MERGES).add(Merge(id="me-1", kept="p1", merged="p2", by="s001", at=NOW, reason="同一人"))
        said = Consent(person="p2", kind=ConsentKind.IVR_CHECKIN, granted=True, at=NOW, channel="paper")
        work.people.add_consent(said)
        topic = Suppression(
            person="p2", kind=SuppressionKind.TOPIC, at=NOW, reason="", until=NOW + DAY, topic="visit"
        )
        work.people.add_suppression(topic)
        persons = ["p1", "p2", "p3", "nobody"]
        assert work.people.consents_of(persons) == {"p1": [said], "p2": [said]}
        assert work.people.suppressions_of(persons) == {"p1": [topic], "p2": [topic]}
        assert work.people.files_of_many(persons) == {p: work.people.files_of(p) for p in ("p1", "p2", "p3")}
        assert work.people.parts_of(["p1", "p3"]) == {"p1": {"p1", "p2"}, "p3": {"p3"}}
        assert work.people.files_named(["WX-1B", "WX-9"]) == {"WX-1B": work.people.file("WX-1B")}


def test_r32_of_several_people_too_an_erased_ones_opt_out_binds_who_has_the_number(store: Store) -> None:
    with store() as work:
        for n, number in ((1, "13861705555"), (2, "13861705555"), (3, "13900001111")):
            worker(work, n, number=number)
        work.people.add_suppression(
            Suppression(person="p1", kind=SuppressionKind.ALL_OUTBOUND, at=NOW, reason="不要再打")
        )
        work.people.forget("p1")
        bound = work.people.suppressions_of(["p1", "p2", "p3"])
        assert bound == {"p1": work.people.suppressions("p1"), "p2": work.people.suppressions("p2")}
        assert [one.person for one in bound["p2"]] == ["p1"]


def test_files_that_left_are_counted_until_somebody_made_sure(store: Store) -> None:
    with store() as work:
        worker(work, 1)
        left = worker(work, 2, status=FileStatus.CLOSED, exit_reason=ExitReason.MOVED)
        assert work.people.count_unchecked() == 1
        work.people.put_file(replace(left, status=FileStatus.CLOSED, exit_confirmed_by="s001"))
        assert work.people.count_unchecked() == 0


# --- at whom a sweep looks -------------------------------------------------------------------


def test_who_was_looked_at_is_looked_at_again_when_touched_or_when_their_day_comes(store: Store) -> None:
    with store() as work:
        for n in (1, 2, 3):
            worker(work, n)
        assert sorted(work.people.to_look_at(NOW, 9)) == ["p1", "p2", "p3"]
        assert len(work.people.to_look_at(NOW, 2)) == 2
        work.people.looked({"p1": None, "p2": NOW + DAY, "p3": None})
        assert list(work.people.to_look_at(NOW, 9)) == []
        assert list(work.people.to_look_at(NOW + DAY, 9)) == ["p2"]
        work.people.put_file(work.people.files_of("p3")[0])
        assert list(work.people.to_look_at(NOW, 9)) == [], "nothing changed"
        work.people.touch(["p3"])
        assert list(work.people.to_look_at(NOW, 9)) == ["p3"]


def test_everybody_is_touched_some_at_a_time(store: Store) -> None:
    with store() as work:
        for n in range(1, 8):
            worker(work, n)
        work.people.looked({f"p{n}": None for n in range(1, 8)})
        after: str | None = ""
        steps = 0
        while after is not None:
            after = work.people.touch_next(after, 3)
            steps += 1
            assert len(work.people.to_look_at(NOW, 99)) <= 4 * steps
        assert len(work.people.to_look_at(NOW, 99)) == 7
        assert steps >= 2


def test_what_the_ledger_remembers_of_itself_is_replaced(store: Store) -> None:
    with store() as work:
        assert work.debts.remembered("rules") is None
        work.debts.remember("rules", "a")
        work.debts.remember("rules", "b")
        assert (work.debts.remembered("rules"), work.debts.remembered("compared")) == ("b", None)


# --- the page --------------------------------------------------------------------------------


def many_debts(work: UnitOfWork, seed: int, count: int = 60) -> None:
    """Add debts of every sort: late and early, urgent, tried, lost, handed up, put off, raised."""
    some = Random(seed)
    for n in range(count):
        due = NOW + some.choice((-9, -3, -1, 1, 5)) * DAY
        one = debt(
            n,
            kind=some.choice(tuple(Kind)),
            due_at=due,
            window_end=max(due, NOW + some.choice((-2, -1, 1, 9)) * DAY),
            priority=some.choice((1, 3, 5, 5, 6)),
            raised=some.choice((0, 0, 2)),
            snoozed_until=some.choice((None, None, None, NOW - DAY, NOW + DAY)),
            escalated_at=some.choice((None, None, None, NOW - DAY)),
        )
        if not work.debts.add(one):
            continue
        if some.random() < 0.4:
            result = some.choice((Result.UNKNOWN, Result.UNKNOWN, Result.BUSY, None))
            work.debts.add_attempt(tried(n, one.id, result, some.choice(("ivr", "c017"))))
        if some.random() < 0.1:
            work.debts.close(one.id, "重复", "s001", NOW)


@pytest.mark.parametrize("seed", range(3))
def test_r29_a_page_is_the_beginning_of_the_whole_list_in_the_order_of_rank(store: Store, seed: int) -> None:
    with store() as work:
        many_debts(work, seed)
        until = NOW + 5 * DAY
        whole = work.debts.page(NOW, until=until)
        ranks = [rank(o, NOW, in_doubt=is_lost(work.debts.attempts(o.id))) for o in whole]
        assert ranks == sorted(ranks)
        assert {o.id for o in whole} == {o.id for o in work.debts.open() if o.due_at <= until}
        for limit in (1, 7, 25):
            assert list(work.debts.page(NOW, until=until, limit=limit)) == list(whole[:limit])
        mine = [o for o in whole if o.kind in OF_REGISTER]
        assert list(work.debts.page(NOW, until=until, kinds=OF_REGISTER)) == mine
        assert work.debts.count_due(until, most=1000) == len(whole)
        assert work.debts.count_due(until, OF_REGISTER, most=3) == min(3, len(mine))


def test_r35_who_used_to_answer_and_missed_calls_stands_before_others_of_the_day(store: Store) -> None:
    with store() as work:
        work.debts.add_many([debt(1), debt(2), debt(3, priority=3)])
        work.debts.handle(debt(2, raised=3))
        assert [o.id for o in work.debts.page(NOW)] == ["ob-002", "ob-003", "ob-001"]


def test_a_list_outlives_the_unit_it_was_read_in(store: Store) -> None:
    with store() as work:
        for user in staff():
            work.users.add(user)
        for n in range(1, 4):
            worker(work, n)
        sweep(work, NOW, rules=RULES)
        found = debt_rows.queue(work, line_facts(work, NOW, None, RULES), actor="s001", all_of_them=True)
        work.commit()
    assert {debt_rows.whole_row(one)["file_no"] for one in found} == {"WX-1", "WX-2", "WX-3"}


def test_a_list_of_many_asks_no_more_often_than_a_list_of_few(sql_store: SqlStore) -> None:
    asked: list[str] = []
    with sql_store() as work:
        for user in staff():
            work.users.add(user)
        for n in range(60):
            worker(work, n)
        many_debts(work, 1)
        sweep(work, NOW, rules=RULES)
        work.commit()

    def statements(limit: int) -> int:
        asked.clear()
        with sql_store() as work:
            facts = line_facts(work, NOW, None, RULES)
            found = debt_rows.queue(work, facts, actor="s001", all_of_them=True, limit=limit)
            debt_rows.owed(work, facts, actor="k001", all_of_them=True, limit=limit)
            assert [debt_rows.whole_row(one) for one in found]
        return len(asked)

    event.listen(sql_store._engine, "before_cursor_execute", lambda _c, _k, sql, *_: asked.append(sql))
    # The few stand on the first shelf, the many reach the last.
    assert statements(40) <= statements(2) + len(Kind)


# --- the sweep -------------------------------------------------------------------------------


def kinds_open(work: UnitOfWork, person: str) -> list[str]:
    return sorted(o.kind.value for o in work.debts.open(person=person))


def test_a_crash_between_two_pages_loses_nobody(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callcenter.service.followup.sweeping.PAGE", 2)
    with store() as work:
        for n in range(1, 8):
            worker(work, n)
        work.commit()
    with store() as work:
        assert sweep(work, NOW, rules=RULES, pages=1).looked == 2
        work.commit()
    with store() as work:
        sweep(work, NOW, rules=RULES, pages=1)  # and the process dies before it commits
    with store() as work:
        assert len(work.debts.open(kind=Kind.HARDSHIP)) == 2
    assert sweep_all(store, NOW, RULES).looked == 5
    with store() as work:
        assert len(work.debts.open(kind=Kind.HARDSHIP)) == len(work.debts.open(kind=Kind.VISIT)) == 7


def test_who_left_costs_no_round_anything_however_many_they_are(store: Store) -> None:
    gone = {"status": FileStatus.CLOSED, "exit_reason": ExitReason.RECOVERED}
    with store() as work:
        for n in range(1, 4):
            worker(work, n)
        for n in range(4, 9):
            worker(work, n, **gone, exit_confirmed_by="s001" if n % 2 else None)
        work.commit()
    assert sweep_all(store, NOW, RULES).looked == 8, "once, as they came"
    for later in (timedelta(minutes=1), DAY, 2 * DAY):
        swept = sweep_all(store, NOW + later, RULES)
        assert (swept.looked, swept.changed) == (0, 0), "not in a day's comparison either"
    with store() as work:
        work.people.put_file(replace(work.people.files_of("p4")[0], status=FileStatus.ACTIVE))
        work.commit()
    assert sweep_all(store, NOW + 3 * DAY, RULES).looked == 1, "who came back is looked at, and nobody else"


def test_new_rules_reach_everybody_page_by_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callcenter.service.followup.sweeping.PAGE", 2)
    with store() as work:
        for n in range(1, 8):
            worker(work, n)
        work.commit()
    sweep_all(store, NOW, RULES)
    weekly = replace(RULES, cadences={**RULES.cadences, "深度困难": Cadence(every=7)})
    with store() as work:
        some = sweep(work, NOW, rules=weekly, pages=1)
        work.commit()
    assert 0 < len(some.moved) < 7
    assert len(some.moved) + len(sweep_all(store, NOW, weekly).moved) == 7
    assert sweep_all(store, NOW, weekly).looked == 0
    with store() as work:
        assert {o.window_end.day for o in work.debts.open(kind=Kind.HARDSHIP)} == {8}


def test_a_lost_mark_loses_nobody(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    with store() as work:
        for n in range(1, 5):
            worker(work, n)
        work.commit()
    sweep_all(store, NOW, RULES)
    with store() as work:
        # Somebody's debts went, somebody's file went to another entry, and no mark tells of either.
        for one in work.debts.open(person="p1"):
            work.debts.close(one.id, "误删", "x001", NOW)
        work.people.put_file(replace(work.people.files_of("p2")[0], person="p3"))
        work.people.looked(dict.fromkeys(("p1", "p2", "p3"), None))
        work.commit()
    assert sweep_all(store, NOW, RULES).looked == 0, "compared today already"
    mended = compare(store, NOW + DAY, RULES)
    assert (len(mended.opened), len(mended.left)) == (2, 2)
    assert "debts differed from files" in caplog.text
    with store() as work:
        assert kinds_open(work, "p1") == ["hardship", "visit"]
        assert work.debts.open(person="p2") == []
    assert compare(store, NOW + 3 * DAY, RULES).changed == 0


def test_whoever_ever_made_a_wish_is_compared_like_everybody(store: Store) -> None:
    def wish(topic: str, **more: Any) -> Suppression:
        return Suppression(person="p1", kind=SuppressionKind.TOPIC, at=NOW, reason="", topic=topic, **more)

    with store() as work:
        worker(work, 1)
        # One about something else, one that is over, one that was taken back: none keeps a routine away.
        work.people.add_suppression(wish("callback"))
        work.people.add_suppression(wish("hardship", until=NOW + DAY))
        work.people.add_suppression(wish("visit"))
        work.people.add_suppression(wish("visit", lifted=True))
        work.commit()
    at = NOW + 2 * DAY
    sweep_all(store, at, RULES)
    with store() as work:
        for one in work.debts.open(person="p1"):
            work.debts.close(one.id, "误删", "x001", at)
        work.people.looked({"p1": None})
        work.commit()
    assert len(compare(store, at + DAY, RULES).opened) == 2
    with store() as work:
        assert kinds_open(work, "p1") == ["hardship", "visit"]


def test_a_grade_without_a_rule_stops_nobody_else_and_is_asked_about(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with store() as work:
        worker(work, 1, grade="新类别")
        worker(work, 2)
        sweep(work, NOW, rules=RULES)
        assert kinds_open(work, "p1") == ["verify"]
        assert kinds_open(work, "p2") == ["hardship", "visit"]
        assert "grades without a rule" in caplog.text
        work.people.touch(["p1"])
        sweep(work, NOW + DAY, rules=RULES)
        assert kinds_open(work, "p1") == ["verify"], "asked once"
        known = replace(RULES, cadences={**RULES.cadences, "新类别": Cadence(every=30)})
        sweep(work, NOW + DAY, rules=known)
        assert kinds_open(work, "p1") == ["hardship", "visit"]


def test_a_topic_nobody_wants_ends_that_kind_alone_and_comes_back_by_itself(store: Store) -> None:
    with store() as work:
        worker(work, 1)
        wish = Suppression(
            person="p1", kind=SuppressionKind.TOPIC, at=NOW, reason="", until=NOW + 9 * DAY, topic="hardship"
        )
        sweep(work, NOW, rules=RULES)
        work.people.add_suppression(wish)
        sweep(work, NOW, rules=RULES)
        assert kinds_open(work, "p1") == ["visit"]
        assert sweep_people(work, work.debts.astray("", 100, kinds_of(RULES))[0], NOW, RULES).changed == 0
        sweep(work, NOW + 8 * DAY, rules=RULES)
        assert kinds_open(work, "p1") == ["visit"]
        sweep(work, NOW + 9 * DAY, rules=RULES)
        assert kinds_open(work, "p1") == ["hardship", "visit"]
