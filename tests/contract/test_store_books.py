"""Books: every kind of value comes back as it was put, and the rules of each book hold in every store."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from callcenter.domain.books import (
    BLOCKS,
    BOOKS,
    CASES,
    RESCUES,
    SESSION_VERSIONS,
    TOMBSTONES,
    BookOf,
)
from callcenter.domain.cases import Case, CaseState, Lowering, Rescue, RescueState, RescueStep
from callcenter.domain.privacy import Block, Tombstone
from callcenter.domain.risk import Level
from callcenter.domain.sessions import SessionStatus, SessionVersion
from callcenter.errors import Conflict, NotFound, Refused
from callcenter.ports import Store


def a_case(now: datetime, **changes: object) -> Case:
    case = Case(
        id="ca-1",
        person="p1",
        level=Level.HIGH,
        state=CaseState.OPEN,
        owner="c017",
        opened_at=now,
        opened_from="se-1",
        proposed=Lowering(level=Level.MEDIUM, by="c017", reason="沈师傅说已经睡得着了", at=now),
    )
    return replace(case, **changes)  # type: ignore[arg-type]


def a_version(now: datetime, n: int = 1) -> SessionVersion:
    return SessionVersion(
        id=f"se-1/{n}",
        session="se-1",
        n=n,
        status=SessionStatus.SUBMITTED,
        form="session/1",
        checksum="0" * 64,
        answers={"facts": "来电者说睡不好", "start": {"distress": 70}, "codes": ["睡眠"]},
        by="c017",
        at=now,
    )


def test_a_value_comes_back_whole(store: Store, now: datetime) -> None:
    step = RescueStep(state=RescueState.REQUESTED, at=now, by="s001", note="太湖大道 1 号,一个人")
    rescue = Rescue(
        id="re-1",
        case="ca-1",
        session="se-1",
        state=RescueState.REQUESTED,
        agency="120",
        given="三楼,门没锁",
        steps=(step,),
    )
    with store() as work:
        work.book(CASES).add(a_case(now))
        work.book(RESCUES).add(rescue)
        work.book(SESSION_VERSIONS).add(a_version(now))
        work.commit()
    with store() as work:
        assert work.book(CASES).get("ca-1") == a_case(now)
        assert work.book(RESCUES).get("re-1") == rescue
        assert work.book(SESSION_VERSIONS).get("se-1/1") == a_version(now)


def test_somebody_who_read_it_earlier_cannot_overwrite_it(store: Store, now: datetime) -> None:
    with store() as work:
        work.book(CASES).add(a_case(now))
        first = work.book(CASES).get("ca-1")
        after = work.book(CASES).put(replace(first, state=CaseState.ACTIVE))
        assert after.revision == 1
        with pytest.raises(Conflict):
            work.book(CASES).put(replace(first, owner="c018"))
        assert work.book(CASES).get("ca-1") == after


def test_found_by_its_clear_columns(store: Store, now: datetime) -> None:
    with store() as work:
        cases = work.book(CASES)
        cases.add(a_case(now))
        cases.add(a_case(now, id="ca-2", level=Level.MEDIUM, owner=None))
        cases.add(a_case(now, id="ca-3", person="p2", state=CaseState.CLOSED))
        assert [c.id for c in cases.where(person="p1")] == ["ca-1", "ca-2"]
        assert [c.id for c in cases.where(up_to={"level": Level.HIGH})] == ["ca-1", "ca-3"]
        assert [c.id for c in cases.where(owner=None)] == ["ca-2"]
        assert [c.id for c in cases.where()] == ["ca-1", "ca-2", "ca-3"]


def test_an_outline_tells_the_clear_columns_and_opens_nothing(store: Store, now: datetime) -> None:
    with store() as work:
        versions = work.book(SESSION_VERSIONS)
        versions.add(a_version(now))
        later = now + timedelta(days=1)
        versions.add(replace(a_version(now), id="se-1/2", n=2, at=later))
        told = [dict(row) for row in versions.outline()]
        assert told == [
            {"id": "se-1/1", "session": "se-1", "n": 1, "at": now},
            {"id": "se-1/2", "session": "se-1", "n": 2, "at": later},
        ]
        assert [row["id"] for row in versions.outline(up_to={"at": now})] == ["se-1/1"]


def test_an_append_only_book_neither_changes_nor_forgets(store: Store, now: datetime) -> None:
    with store() as work:
        work.book(SESSION_VERSIONS).add(a_version(now))
        work.commit()
    with store() as work, pytest.raises(Refused):
        work.book(SESSION_VERSIONS).put(replace(a_version(now), reason="改"))
    with store() as work, pytest.raises(Refused):
        work.book(SESSION_VERSIONS).remove("se-1/1")
    with store() as work:
        assert work.book(SESSION_VERSIONS).get("se-1/1") == a_version(now)


def test_what_has_a_tombstone_may_go(store: Store, now: datetime) -> None:
    stone = Tombstone(id="to-1", object="session:se-1", rule="forms", by="admin", at=now)
    with store() as work:
        work.book(SESSION_VERSIONS).add(a_version(now))
        work.book(TOMBSTONES).add(stone)
        work.book(SESSION_VERSIONS).remove("se-1/1")
        assert work.book(SESSION_VERSIONS).one("se-1/1") is None
        work.commit()
    with store() as work, pytest.raises(Refused):
        work.book(TOMBSTONES).remove("to-1")


def test_what_is_not_there(store: Store, now: datetime) -> None:
    with store() as work:
        assert work.book(BLOCKS).one("bl-1") is None
        block = Block(id="bl-1", number="13800001111", since=now, until=now, by="s001", reason="骚扰")
        for miss in (lambda: work.book(BLOCKS).get("bl-1"), lambda: work.book(BLOCKS).put(block)):
            with pytest.raises(NotFound):
                miss()
        work.book(BLOCKS).add(replace(block, until=now + timedelta(days=3)))
        with pytest.raises(Conflict):
            work.book(BLOCKS).add(block)


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.table)
def test_what_is_not_there_is_named_as_people_name_it(store: Store, book: BookOf[Any]) -> None:
    with store() as work:
        with pytest.raises(NotFound) as missing:
            work.book(book).get("x-1")
        assert str(missing.value) == f"没有编号为 x-1 的{book.called}。"
        assert book.table not in str(missing.value)
