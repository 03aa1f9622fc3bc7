"""Whatever stands in the store: nothing goes before its time or under a hold, and nothing without a word."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from retention_world import (
    NOW,
    add_case,
    add_draft,
    add_file,
    add_person,
    add_record,
    add_small_things,
    add_users,
    carry_out,
    planned,
)

from callcenter.domain.books import BOOKS, CASES, HOLDS, SESSION_VERSIONS, TOMBSTONES
from callcenter.domain.people import FileStatus
from callcenter.domain.privacy import Hold
from callcenter.memory import MemoryStore

PEOPLE = ("p1", "p2", "p3")
NUMBERS = {"p1": "13800001111", "p2": "13800002222", "p3": None}
#: By three calendar years and by what is counted from the start of the day, never sooner than this.
THREE_YEARS = timedelta(days=3 * 365)

# Around the three years, and anywhere before and after them.
days_ago = st.one_of(st.integers(1080, 1110), st.integers(0, 1100), st.integers(1100, 3000))
moments = days_ago.map(lambda days: NOW - timedelta(days=days))
who = st.sampled_from([*PEOPLE, None])
#: What is put into the store: (kind, person, when, when it ended, whether it ended at all).
things = st.lists(
    st.tuples(
        st.sampled_from(["record", "draft", "case", "file", "small"]), who, moments, moments, st.booleans()
    ),
    max_size=12,
)
held_ones = st.lists(st.sampled_from(["person:p1", "person:p2", "session:se-0", "session:se-1"]), max_size=2)


def build(
    given_things: Iterable[tuple[str, str | None, datetime, datetime, bool]], merged: bool
) -> MemoryStore:
    store = MemoryStore()
    add_users(store)
    filed: set[str] = set()
    with store() as work:
        for person in PEOPLE:
            into = "p1" if merged and person == "p2" else None
            add_person(work, person, number=NUMBERS[person], merged_into=into)
        for n, (kind, person, start, end, is_over) in enumerate(given_things):
            number = NUMBERS.get(person or "")
            match kind:
                case "record":
                    add_record(work, str(n), start, person=person, number=number)
                case "draft":
                    add_record(work, str(n), start, person=person, number=number)
                    add_draft(work, str(n), end)
                case "case" if person:
                    add_case(work, str(n), person, min(start, end), max(start, end) if is_over else None)
                case "file" if person and person not in filed:
                    filed.add(person)
                    status = FileStatus.CLOSED if is_over else FileStatus.ACTIVE
                    add_file(work, person, start.date(), status)
                case "small":
                    add_small_things(work, str(n), start, person=person or "", number=number or "")
        work.commit()
    return store


def rows(store: MemoryStore) -> dict[str, dict[str, Any]]:
    """Every row of every book, and what a person or call still says of who it is."""
    found = {book.table: dict(store.state.books[book.table]) for book in BOOKS}
    found["calls"] = {c.id: c for c in store.state.calls.values() if c.number or c.kept or c.answers}
    found["people"] = {p.id: p for p in store.state.people.values() if p.name or p.phones}
    found["unread"] = dict(store.state.unread)
    return found


#: Table -> what its tombstone calls the row.
NAMED = {
    "session_versions": lambda row: f"session:{row.session}",
    "assessments": lambda row: f"session:{row.session}",
    "drafts": lambda row: f"session:{row.id}",
    "cases": lambda row: f"case:{row.id}",
    "case_events": lambda row: f"case:{row.case}",
    "rescues": lambda row: f"rescue:{row.id}",
    "caller_plans": lambda row: f"plan:{row.id}",
    "blocks": lambda row: f"block:{row.id}",
    "requests": lambda row: f"request:{row.id}",
    "logins": lambda row: f"login:{row.id}",
    "recordings": lambda row: f"recording:{row.id}",
    "calls": lambda row: f"call:{row.id}",
    "people": lambda row: f"person:{row.id}",
    "unread": lambda row: f"unread:{row.key}",
}


Things = list[tuple[str, str | None, datetime, datetime, bool]]


class Ran:
    """What a run took away from a store full of things, and what the store was before."""

    def __init__(self, given_things: Things, held: list[str], merged: bool) -> None:
        self.store, self.held, self.merged = build(given_things, merged), held, merged
        with self.store() as work:
            for n, name in enumerate(held):
                work.book(HOLDS).add(Hold(id=f"ho-{n}", object=name, by="a001", at=NOW, reason="法院调取"))
            work.commit()
        before, self.old = rows(self.store), self.store.state
        self.kept_back = [thing for one in carry_out(self.store) for thing in one.kept]
        self.after = rows(self.store)
        self.gone = {
            table: [row for key, row in kept.items() if key not in self.after[table]]
            for table, kept in before.items()
        }

    def group(self, person: str | None) -> set[str | None]:
        return {"p1", "p2"} if self.merged and person in ("p1", "p2") else {person} - {None}

    def head(self, session: str) -> Any:
        return next(s for s in self.old.sessions.values() if s.id == session)

    def bound(self) -> set[str | None]:
        """Whom the holds bind, told without asking the code under test."""
        named = {thing.removeprefix("person:") for thing in self.held if thing.startswith("person:")}
        of_sessions = {s.person for s in self.old.sessions.values() if f"session:{s.id}" in self.held}
        return {p for one in named | of_sessions for p in self.group(one)}


ran = st.builds(Ran, things, held_ones, st.booleans())


@settings(max_examples=150)
@given(run=ran)
def test_everything_that_went_left_a_tombstone(run: Ran) -> None:
    stones = {stone.object for stone in run.after["tombstones"].values()}
    for table, lost in run.gone.items():
        for row in lost:
            assert NAMED[table](row) in stones, (table, row)


@settings(max_examples=150)
@given(run=ran)
def test_no_record_goes_within_three_years_of_itself_or_of_a_case(run: Ran) -> None:
    for version in run.gone["session_versions"]:
        head = run.head(version.session)
        assert version.at <= NOW - THREE_YEARS
        for case in run.old.books[CASES.table].values():
            if case.person in run.group(head.person):
                assert case.closed_at is not None
                assert case.closed_at <= NOW - THREE_YEARS
    assert all(case.closed_at <= NOW - THREE_YEARS for case in run.gone["cases"])
    assert all(call.ended_at <= NOW - THREE_YEARS + timedelta(days=1) for call in run.gone["calls"])


@settings(max_examples=150)
@given(run=ran)
def test_nobody_is_forgotten_who_is_in_a_file_or_called_within_three_years(run: Ran) -> None:
    for person in run.gone["people"]:
        entries = run.group(person.id)
        in_file = (f for f in run.old.files.values() if f.status is not FileStatus.CLOSED)
        assert not any(file.person in entries for file in in_file)
        lately = (s for s in run.old.sessions.values() if s.opened_at > NOW - THREE_YEARS)
        assert not any(session.person in entries for session in lately)


@settings(max_examples=150)
@given(run=ran)
def test_nothing_goes_that_a_hold_binds(run: Ran) -> None:
    bound = run.bound()
    numbers = {NUMBERS[person] for person in bound if person} - {None}
    for version in run.gone["session_versions"]:
        assert f"session:{version.session}" not in run.held
        assert run.head(version.session).person not in bound
    assert not any(case.person in bound for case in run.gone["cases"])
    assert not any(person.id in bound for person in run.gone["people"])
    assert not any(one.person in bound for one in run.gone["requests"])
    assert not any(one.number in numbers for one in (*run.gone["calls"], *run.gone["blocks"]))


#: Table -> days that its rows stay at least.
LEAST = {"blocks": 30, "unread": 7, "logins": 180, "recordings": 1095, "requests": 1095}


@given(run=ran)
def test_the_small_things_stay_their_least_time(run: Ran) -> None:
    for table, days in LEAST.items():
        for row in run.gone[table]:
            ends = (getattr(row, name, None) for name in ("answered_at", "expires_at", "until", "at"))
            assert next(end for end in ends if end) <= NOW - timedelta(days=days), (table, row)


@settings(max_examples=150)
@given(run=ran)
def test_running_it_again_changes_nothing(run: Ran) -> None:
    assert not run.kept_back
    assert planned(run.store).going == ()
    carry_out(run.store)
    assert rows(run.store) == run.after


@given(given_things=things)
def test_an_old_record_of_nobody_in_particular_always_goes(given_things: Things) -> None:
    store = build(given_things, merged=False)
    with store() as work:
        add_record(work, "old", NOW - timedelta(days=1100))
        work.commit()
    carry_out(store)
    with store() as work:
        assert not work.book(SESSION_VERSIONS).where(session="se-old")
        assert work.book(TOMBSTONES).where(object="session:se-old")
