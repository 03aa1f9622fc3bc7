"""A unit of work is one decision: all of it, or nothing of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from callcenter.domain.people import Person
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import Conflict, NotFound
from callcenter.memory import MemoryStore
from callcenter.ports import AuditEntry, Store

LIN = User(
    code="c017",
    name="林晓燕",
    roles=frozenset({Role.COUNSELLOR, Role.SUPERVISOR}),
    phone=PhoneKind.MOBILE,
    mobile="13861700017",
    pin_verifier="a" * 40,
    escalation_rank=1,
    alarm_rank=2,
)


def test_a_committed_unit_is_seen_by_the_next(store: Store) -> None:
    with store() as work:
        work.users.add(LIN)
        work.commit()
    with store() as work:
        assert work.users.get("c017") == LIN


def test_leaving_without_commit_undoes_everything(store: Store, now: datetime) -> None:
    with store() as work:
        work.users.add(LIN)
        work.audit.append(AuditEntry(actor="system", verb="add", object="user:c017", at=now))
    with store() as work:
        assert work.users.all() == []
        assert work.audit.recent(5) == []


def test_an_error_in_the_block_undoes_everything_and_goes_on_up(store: Store) -> None:
    def fail() -> None:
        with store() as work:
            work.users.add(LIN)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with store() as work:
        assert work.users.all() == []


def test_a_unit_may_go_on_after_commit_and_only_the_rest_is_undone(store: Store) -> None:
    with store() as work:
        work.people.add(Person(id="p1", code="P-AAAA"))
        work.commit()
        work.people.add(Person(id="p2", code="P-BBBB"))
    with store() as work:
        assert set(work.people.many(["p1", "p2"])) == {"p1"}


def test_a_refused_add_leaves_the_unit_usable(store: Store) -> None:
    with store() as work:
        work.users.add(LIN)
        with pytest.raises(Conflict):
            work.users.add(LIN)
        work.people.add(Person(id="p1", code="P-AAAA"))
        work.commit()
    with store() as work:
        assert work.users.get("c017") == LIN
        assert work.people.get("p1").code == "P-AAAA"


def test_units_of_many_threads_lose_nothing(store: Store, now: datetime) -> None:
    def act(n: int) -> None:
        with store() as work:
            work.audit.append(AuditEntry(actor=f"c{n}", verb="test", object="line", at=now))
            work.commit()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(act, range(40)))
    with store() as work:
        entries = work.audit.recent(100)
    assert [e.seq for e in entries] == list(range(40, 0, -1))
    assert {e.actor for e in entries} == {f"c{n}" for n in range(40)}


def test_a_unit_inside_a_unit_is_refused_in_memory() -> None:
    store = MemoryStore()
    with store(), pytest.raises(RuntimeError, match="open already"), store():
        pass


def test_another_thread_waits_for_the_unit_in_memory() -> None:
    store, began, seen = MemoryStore(), threading.Event(), list[int]()

    def count() -> None:
        began.set()
        with store() as work:
            seen.append(len(work.users.all()))

    with store() as work:
        other = threading.Thread(target=count)
        other.start()
        began.wait()
        work.users.add(LIN)
        work.commit()
    other.join()
    assert seen == [1]


def test_users_are_listed_by_code_and_replaced_whole(store: Store) -> None:
    first = User(code="a001", name="周敏", roles=frozenset({Role.ADMIN}))
    with store() as work:
        work.users.add(LIN)
        work.users.add(first)
        moved = User(code="c017", name="林晓燕", roles=frozenset({Role.CLERK}), active=False)
        work.users.update(moved)
        work.commit()
    with store() as work:
        assert work.users.all() == [first, moved]


@pytest.mark.parametrize("act", ["get", "update"])
def test_an_unknown_user_is_not_found(store: Store, act: str) -> None:
    acts: dict[str, Callable[..., object]]
    with store() as work:
        acts = {"get": lambda: work.users.get("c017"), "update": lambda: work.users.update(LIN)}
        with pytest.raises(NotFound):
            acts[act]()


def test_audit_is_numbered_and_read_newest_first(store: Store, now: datetime) -> None:
    with store() as work:
        for verb in ("add", "set_pin", "disable"):
            work.audit.append(
                AuditEntry(actor="a001", verb=verb, object="user:c017", field="pin", reason="丢失", at=now)
            )
        work.commit()
    with store() as work:
        assert [(e.seq, e.verb) for e in work.audit.recent(2)] == [(3, "disable"), (2, "set_pin")]
        last = work.audit.recent(1)[0]
    assert (last.actor, last.object, last.field, last.reason) == ("a001", "user:c017", "pin", "丢失")
    assert last.at == now


def test_a_moment_without_a_zone_is_refused(store: Store) -> None:
    naive = datetime(2026, 11, 23, 8, 0)  # noqa: DTZ001
    entry = AuditEntry(actor="a001", verb="add", object="x", at=naive)

    def append() -> None:
        with store() as work:
            work.audit.append(entry)
            work.commit()

    with pytest.raises(ValueError, match="without a zone"):
        append()
    with store() as work:
        assert work.audit.recent(5) == []
