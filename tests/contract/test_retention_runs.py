"""What has stood its time goes, with a tombstone; what a hold binds stays; in every store (R42, I6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from retention_world import (
    NOW,
    TERMS,
    ZONE,
    add_case,
    add_draft,
    add_file,
    add_person,
    add_record,
    add_small_things,
    add_users,
    carry_out,
    planned,
    years_ago,
)

from callcenter.domain.books import (
    ASSESSMENTS,
    CALLER_PLANS,
    CASE_EVENTS,
    CASES,
    DEBRIEFS,
    DRAFTS,
    HANDOVERS,
    LISTENINGS,
    MERGES,
    RECORDINGS,
    RESCUES,
    SESSION_VERSIONS,
    TOMBSTONES,
)
from callcenter.domain.handover import Handover, HandoverState, taken_back
from callcenter.domain.listening import Listening, ListenMode
from callcenter.domain.people import FileStatus
from callcenter.domain.retention import Rule
from callcenter.domain.staff import Debrief, DebriefState
from callcenter.errors import Conflict, Forbidden, NotFound, Refused
from callcenter.ports import Store
from callcenter.service.privacy import retention
from callcenter.service.privacy.holds import holds, is_held, release_hold, set_hold

NUMBER = "13800001111"


@pytest.fixture(autouse=True)
def _people_who_act(store: Store) -> None:
    add_users(store)


def hold(store: Store, thing: str) -> str:
    with store() as work:
        made = set_hold(work, thing, actor="a001", now=NOW, reason="法院调取通知 12 号")
        work.commit()
    return made.id


def test_a_record_goes_three_years_after_its_case_was_closed_and_leaves_counts(store: Store) -> None:
    with store() as work:
        add_person(work, "p1", number=NUMBER)
        add_file(work, "p1", years_ago(8).date(), FileStatus.ACTIVE)
        add_record(work, "1", years_ago(5), person="p1", number=NUMBER)
        add_case(work, "1", "p1", years_ago(5), years_ago(3.1))
        work.commit()
    carry_out(store)
    with store() as work:
        assert not work.book(SESSION_VERSIONS).where(session="se-1")
        assert not work.book(ASSESSMENTS).where(session="se-1")
        for book, thing in ((CASES, "ca-1"), (CASE_EVENTS, "ce-1"), (RESCUES, "re-1")):
            assert work.book(book).one(thing) is None
        head, call = work.sessions.get("se-1"), work.calls.get("call-1")
        assert head.person is None
        assert (call.number, call.kept, call.answers, call.talk) == (None, (), (), timedelta(minutes=25))
        assert work.people.get("p1").name == "沈建国"  # still in a file
        stones = {stone.object: stone for stone in work.book(TOMBSTONES).where()}
        assert {"session:se-1", "case:ca-1", "rescue:re-1", "call:call-1"} <= stones.keys()
        left = stones["statistics:2025-06"].counts
        assert left["codes"] == {"睡眠": 1, "工作压力": 1}
        assert left["level_given"] == {"高危": 1}
        assert left["length"] == {"under_30": 1}
        assert "睡不着" not in str(left)


def test_what_was_told_when_somebody_was_handed_over_goes_with_the_call_and_the_case(store: Store) -> None:
    given = {"from_agent": "c001", "told": "电话里说了家里的事", "sent_at": years_ago(5)}
    with store() as work:
        add_person(work, "p1", number=NUMBER)
        add_record(work, "1", years_ago(5), person="p1", number=NUMBER)
        add_case(work, "1", "p1", years_ago(5), years_ago(3.1))
        for n, about in enumerate(("call:call-1", "case:ca-1"), start=1):
            for state in (HandoverState.ACCEPTED, HandoverState.TAKEN_BACK, HandoverState.OPEN):
                one = Handover(id=f"ho-{n}-{state}", about=about, to="120", state=state, **given)
                work.book(HANDOVERS).add(one)
        work.commit()
    carry_out(store)
    with store() as work:
        left = sorted(work.book(HANDOVERS).where(), key=lambda one: one.id)
        # Somebody still has to say that they took them over.
        assert [one.id for one in left] == ["ho-1-open", "ho-2-open"]
        for one in left:
            work.book(HANDOVERS).put(taken_back(one))
        work.commit()
    carry_out(store)
    with store() as work:
        assert not work.book(HANDOVERS).where()


def test_what_was_written_of_a_talk_goes_with_its_record_and_that_it_was_so_stays(store: Store) -> None:
    with store() as work:
        for name, years in (("old", 3.2), ("young", 2.9)):
            at, call = years_ago(years), f"call-{name}"
            add_record(work, name, at, number=NUMBER)
            ear = Listening(
                id=f"ls-{name}",
                call=call,
                agent="c017",
                by="s001",
                mode=ListenMode.LISTEN,
                reason="沈建国哭得厉害",
                asked_at=at,
            )
            talk = Debrief(
                id=f"db-{name}",
                agent="c017",
                about=call,
                since=at,
                state=DebriefState.HELD,
                by="s001",
                at=at,
                note="谈了沈建国的事",
            )
            work.book(LISTENINGS).add(ear)
            work.book(DEBRIEFS).add(talk)
        work.book(DEBRIEFS).add(Debrief(id="db-owed", agent="c018", about="call-old", since=years_ago(3.2)))
        work.commit()
    carry_out(store)
    with store() as work:
        ears = {one.id: (one.by, one.reason) for one in work.book(LISTENINGS).where()}
        assert ears == {"ls-old": ("s001", ""), "ls-young": ("s001", "沈建国哭得厉害")}
        notes = {one.id: (one.state, one.note) for one in work.book(DEBRIEFS).where()}
        assert notes == {
            "db-old": (DebriefState.HELD, ""),
            "db-young": (DebriefState.HELD, "谈了沈建国的事"),
            "db-owed": (DebriefState.OWED, ""),
        }


@pytest.mark.parametrize("closed", [None, 2.9])
def test_a_record_stays_while_its_case_is_open_or_was_closed_lately(
    store: Store, closed: float | None
) -> None:
    with store() as work:
        add_person(work, "p1", number=NUMBER)
        add_record(work, "1", years_ago(9), person="p1", number=NUMBER)
        add_case(work, "1", "p1", years_ago(9), closed and years_ago(closed))
        add_case(work, "2", "p1", years_ago(9), years_ago(8))
        work.commit()
    assert planned(store).going == ()


def test_a_merged_persons_open_case_keeps_the_records_of_both(store: Store) -> None:
    with store() as work:
        add_person(work, "p1", number=NUMBER)
        add_person(work, "p2", merged_into="p1")
        add_record(work, "2", years_ago(9), person="p2")
        add_case(work, "1", "p1", years_ago(9), None)
        work.commit()
    assert planned(store).going == ()


def test_somebody_gone_from_the_file_three_years_ago_becomes_nobody(store: Store) -> None:
    with store() as work:
        add_person(work, "p1", number=NUMBER)
        add_file(work, "p1", years_ago(3.5).date(), FileStatus.CLOSED)
        add_record(work, "1", years_ago(4), person="p1", number=NUMBER)
        work.commit()
    carry_out(store)
    with store() as work:
        left = work.people.get("p1")
        assert (left.name, left.phones, left.birth_month) == (None, (), None)
        assert work.book(CALLER_PLANS).one("p1") is None
        assert work.book(TOMBSTONES).where(object="person:p1")
        assert work.book(TOMBSTONES).where(object="plan:p1")


def test_what_a_merge_remembered_of_both_goes_with_them(store: Store) -> None:
    with store() as work:
        add_person(work, "p1", number=NUMBER)
        add_person(work, "p2", merged_into="p1")
        add_record(work, "1", years_ago(5), person="p1", number=NUMBER)
        add_case(work, "1", "p1", years_ago(5), years_ago(4))
        merge = work.book(MERGES).get("me-p2")
        remembered = replace(
            merge,
            kept_before=work.people.get("p1"),
            merged_before=work.people.get("p2"),
            cases_before=(work.book(CASES).get("ca-1"),),
        )
        work.book(MERGES).put(remembered)
        work.commit()
    carry_out(store)
    with store() as work:
        assert work.people.get("p1").name is work.people.get("p2").name is None
        left = work.book(MERGES).get("me-p2")
        assert (left.reason, left.kept_before, left.merged_before, left.cases_before) == ("", None, None, ())
        assert work.people.get("p2").merged_into == "p1"


@pytest.mark.parametrize("thing", ["person:p1", "session:se-2"])
def test_a_hold_on_a_person_or_on_one_session_binds_everything_of_that_person(
    store: Store, thing: str
) -> None:
    with store() as work:
        add_person(work, "p1", number=NUMBER)
        add_person(work, "p2", merged_into="p1")
        add_record(work, "1", years_ago(5), person="p1", number=NUMBER)
        add_record(work, "2", years_ago(5), person="p2")
        add_case(work, "1", "p1", years_ago(5), years_ago(4))
        add_small_things(work, "1", years_ago(5), person="p1", number=NUMBER)
        work.commit()
    before = {going.object for going in planned(store).going}
    assert {"session:se-1", "session:se-2", "case:ca-1", "call:call-1", "recording:rec-1"} <= before
    made = hold(store, thing)
    found = planned(store)
    # Nobody's: who signed in, and a row nobody could read.
    assert {going.object for going in found.going} == {"login:lo-1", "unread:seg:1"}
    assert found.held[Rule.FORMS] == 2
    assert found.held[Rule.RECORDINGS] == found.held[Rule.BLOCKS] == found.held[Rule.REQUESTS] == 1
    with store() as work:
        for bound in (
            "person:p1",
            "person:p2",
            "session:se-1",
            "case:ca-1",
            "call:call-2",
            "recording:rec-1",
        ):
            assert is_held(work, bound), bound
        with pytest.raises(Refused, match="保全"):
            retention.bury(work, "person:p2", "erasure", by="s001", now=NOW, reason="本人申请")
        release_hold(work, made, actor="s001", now=NOW, reason="法院已结案")
        work.commit()
    assert {going.object for going in planned(store).going} == before


def test_a_hold_that_was_set_between_looking_and_doing_wins(store: Store) -> None:
    with store() as work:
        add_person(work, "p1", number=NUMBER)
        add_record(work, "1", years_ago(5), person="p1")
        add_record(work, "2", years_ago(5))
        work.commit()
    agreed = planned(store)
    hold(store, "person:p1")
    with store() as work:
        with pytest.raises(Conflict, match="dry-run"):
            retention.agreed(work, agreed.token, actor="x001", now=NOW, terms=TERMS, zone=ZONE)
        # Even in the middle of a run that began before.
        gone = retention.run(
            work, agreed.going, actor="x001", now=NOW, reason="年度清理", terms=TERMS, zone=ZONE
        )
        assert {"session:se-1", "call:call-1", "person:p1"} <= set(gone.kept)
        assert {"session:se-2", "call:call-2"} <= set(gone.objects)


def test_yesterdays_list_is_no_list_of_today(store: Store) -> None:
    with store() as work:
        add_record(work, "1", years_ago(5))
        work.commit()
    token = planned(store).token
    with store() as work, pytest.raises(Conflict):
        retention.agreed(work, token, actor="x001", now=NOW + timedelta(days=1), terms=TERMS, zone=ZONE)
    assert planned(store, NOW + timedelta(hours=5)).token == token


def test_a_run_that_was_cut_off_is_gone_on_with(store: Store) -> None:
    with store() as work:
        for n in range(5):
            add_record(work, str(n), years_ago(5))
        work.commit()
    first = next(iter(planned(store).batches(2)))
    with store() as work:
        retention.run(work, first, actor="x001", now=NOW, reason="年度清理", terms=TERMS, zone=ZONE)
        work.commit()
    with store() as work:  # the same batch once more: nothing is there any more, nothing is buried twice
        again = retention.run(work, first, actor="x001", now=NOW, reason="年度清理", terms=TERMS, zone=ZONE)
        assert again.objects == ()
    carry_out(store)
    with store() as work:
        assert work.book(SESSION_VERSIONS).where() == []
        stones = [s.object for s in work.book(TOMBSTONES).where() if s.object.startswith("session:")]
        assert sorted(stones) == [f"session:se-{n}" for n in range(5)]
    assert planned(store).going == ()


def test_a_forgotten_draft_goes_and_a_fresh_one_keeps_its_record(store: Store) -> None:
    with store() as work:
        add_record(work, "1", years_ago(5))
        add_draft(work, "1", years_ago(4))
        add_record(work, "2", years_ago(5))
        add_draft(work, "2", years_ago(1))
        work.commit()
    carry_out(store)
    with store() as work:
        assert [draft.id for draft in work.book(DRAFTS).where()] == ["se-2"]
        assert [version.id for version in work.book(SESSION_VERSIONS).where()] == ["se-2/1"]
        assert work.calls.get("call-2").kept


def test_the_small_things_go_by_their_own_terms(store: Store) -> None:
    with store() as work:
        add_small_things(work, "old", years_ago(3.1))
        add_small_things(work, "mid", years_ago(1.1))
        add_small_things(work, "new", years_ago(0.1))
        work.commit()
    gone = carry_out(store)
    assert sorted(thing for one in gone for thing in one.objects) == sorted(
        ["recording:rec-old", "request:rq-old"]
        + [f"{kind}-{age}" for kind in ("block:bl", "login:lo") for age in ("old", "mid")]
        + ["unread:seg:old", "unread:seg:mid"]
    )
    assert [file for one in gone for file in one.files] == ["old.sealed"]
    with store() as work:
        assert len(work.book(RECORDINGS).where()) == 2
        assert work.journal.unread_count() == 1


def test_it_is_written_down_what_went_and_by_whom(store: Store) -> None:
    with store() as work:
        add_record(work, "1", years_ago(5))
        work.commit()
    carry_out(store)
    with store() as work:
        noted = work.audit.recent(9, verb="retention.run")
        assert {(e.actor, e.object, e.field, e.reason) for e in noted} == {
            ("x001", "retention:forms", "1", "年度清理"),
            ("x001", "retention:calls", "1", "年度清理"),
        }
        seen = retention.tombstones(work, actor="a001", object="session:se-1")
        assert [(s.rule, s.by, s.reason) for s in seen] == [("forms", "x001", "年度清理")]


def test_only_an_administrator_runs_it_only_supervisors_and_auditors_hold(store: Store) -> None:
    with store() as work:
        add_person(work, "p1")
        for actor in ("s001", "a001"):
            with pytest.raises(Forbidden):
                retention.plan(work, actor=actor, now=NOW, terms=TERMS, zone=ZONE)
        with pytest.raises(Forbidden):
            set_hold(work, "person:p1", actor="x001", now=NOW, reason="法院调取通知")
        with pytest.raises(Forbidden):
            holds(work, actor="x001")


def test_a_hold_needs_a_reason_something_to_hold_and_is_set_once(store: Store) -> None:
    with store() as work:
        add_person(work, "p1")
        with pytest.raises(Refused, match="理由"):
            set_hold(work, "person:p1", actor="a001", now=NOW, reason=" ")
        with pytest.raises(Refused, match="person:"):
            set_hold(work, "call:1", actor="a001", now=NOW, reason="法院调取通知")
        with pytest.raises(NotFound):
            set_hold(work, "session:se-9", actor="a001", now=NOW, reason="法院调取通知")
        made = set_hold(work, "person:P-P1", actor="a001", now=NOW, reason="法院调取通知")
        assert made.object == "person:p1"
        with pytest.raises(Conflict):
            set_hold(work, "person:p1", actor="s001", now=NOW, reason="法院又来调取")
        release_hold(work, made.id, actor="a001", now=NOW, reason="法院已结案")
        with pytest.raises(Conflict):
            release_hold(work, made.id, actor="a001", now=NOW, reason="法院已结案")
        assert holds(work, actor="a001") == []
        assert [h.id for h in holds(work, actor="a001", released=True)] == [made.id]
