"""`hotline sessions quick`: two keystrokes write off nobody in danger, and state nothing that nobody said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from session_desk import desk, talked

from callcenter.domain.books import CASES, RESCUES
from callcenter.domain.cases import Case, CaseState, Rescue, RescueState
from callcenter.domain.levels import Level
from callcenter.domain.session_words import QUICK
from callcenter.errors import Refused
from callcenter.memory import MemoryStore
from callcenter.service.sessions.quick import submit_quick
from callcenter.service.sessions.writing import RecordRefused, Submitted, submit

DESK = desk()
NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
SHORT = timedelta(seconds=8)


def quick(store: MemoryStore, session: str, kind: str, **how: object) -> Submitted:
    with store() as work:
        done = submit_quick(work, session, kind, desk=DESK, actor="c017", now=NOW, **how)  # type: ignore[arg-type]
        work.commit()
    return done


def case(session: str, level: Level, state: CaseState = CaseState.OPEN) -> Case:
    return Case(
        id="ca-1", person="p-1", level=level, state=state, owner="c017", opened_at=NOW, opened_from=session
    )


def opens_rescue(store: MemoryStore, session: str) -> None:
    with store() as work:
        rescue = Rescue(
            id="re-ca-9-1", case="ca-9", session=session, state=RescueState.REQUESTED, agency="120"
        )
        work.book(RESCUES).add(rescue)
        work.commit()


def opens_case(store: MemoryStore, session: str) -> None:
    with store() as work:
        work.book(CASES).add(case(session, Level.MEDIUM))
        work.commit()


def goes_on(store: MemoryStore, session: str) -> None:
    with store() as work:
        call = work.calls.get(session.removeprefix("se-"))
        work.calls.put_many([replace(call, ended_at=None)])
        work.commit()


def pressed_that_they_are_in_danger(store: MemoryStore, session: str) -> None:
    with store() as work:
        call = work.calls.get(session.removeprefix("se-"))
        work.calls.put_many([replace(call, flow_outcome="silent_in_danger")])
        work.commit()


@pytest.mark.parametrize("kind", QUICK)
@pytest.mark.parametrize(
    ("happens", "words"),
    [
        (opens_rescue, "救援 re-ca-9-1 还没有结束"),
        (opens_case, "个案 ca-1(中危)"),
        (goes_on, "通话还没有结束"),
        (pressed_that_they_are_in_danger, "紧急的话"),
    ],
)
def test_a_caller_who_may_be_in_danger_is_never_written_off(
    kind: str, happens: Callable[[MemoryStore, str], None], words: str
) -> None:
    store = MemoryStore()
    session = talked(store, NOW, talk=SHORT)
    happens(store, session)
    with pytest.raises(Refused) as caught:
        quick(store, session, kind, why="技术中断")
    assert words in str(caught.value)
    assert f"hotline sessions write {session}" in str(caught.value)
    with store() as work:
        assert work.sessions.get(session).version == 0


@pytest.mark.parametrize("happens", [opens_rescue, opens_case, goes_on, pressed_that_they_are_in_danger])
def test_nor_by_a_whole_record_that_says_it_was_no_service(
    happens: Callable[[MemoryStore, str], None],
) -> None:
    store = MemoryStore()
    session = talked(store, NOW)
    happens(store, session)
    answers = {"kind": "骚扰", "risk_asked": False, "not_asked_reason": "非服务来电"}
    how: dict[str, Any] = {"desk": DESK, "draft": None, "actor": "c017", "now": NOW}
    with store() as work, pytest.raises(RecordRefused, match="不能写「非服务来电」"):
        submit(work, session, answers, **how)
    with store() as work:
        assert submit(work, session, {**answers, "kind": "沉默", "not_asked_reason": "技术中断"}, **how)


def test_what_has_ended_or_is_another_calls_forbids_nothing() -> None:
    store = MemoryStore()
    session, other = talked(store, NOW, 1), talked(store, NOW, 2)
    opens_rescue(store, other)
    with store() as work:
        work.book(CASES).add(case(session, Level.HIGH, CaseState.CLOSED))
        work.commit()
    assert quick(store, session, "骚扰").session.version == 1


@pytest.mark.parametrize(("seconds", "passes"), [(10, True), (11, False), (2880, False)])
def test_short_is_what_the_calls_record_says_is_short(seconds: int, passes: bool) -> None:
    store = MemoryStore()
    session = talked(store, NOW, talk=timedelta(seconds=seconds))
    if passes:
        assert quick(store, session, "短挂").session.version == 1
        return
    with pytest.raises(Refused, match=f"谈了 {seconds} 秒"):
        quick(store, session, "短挂")


def test_of_a_call_that_was_forgotten_nobody_knows_that_it_was_short() -> None:
    store = MemoryStore()
    session = talked(store, NOW, talk=SHORT)
    with store() as work:
        work.calls.delete_all()
        work.commit()
    with pytest.raises(Refused, match="没有时长"):
        quick(store, session, "短挂")


def test_a_wrong_number_of_an_hour_is_said_twice() -> None:
    store = MemoryStore()
    session = talked(store, NOW)
    with pytest.raises(Refused, match="谈了 2880 秒,不像「误拨」"):
        quick(store, session, "误拨")
    assert quick(store, session, "误拨", is_sure=True).version.answers["kind"] == "误拨"


def test_why_a_silent_caller_was_not_asked_is_never_made_up() -> None:
    store = MemoryStore()
    session = talked(store, NOW)
    with pytest.raises(Refused, match="为什么没有问"):
        quick(store, session, "沉默")
    done = quick(store, session, "沉默", why="技术中断")
    assert done.version.answers["not_asked_reason"] == "技术中断"
