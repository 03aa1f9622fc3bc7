"""The handling record in every store: submitted, reviewed, amended; nothing lost, nothing half-written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from session_desk import DANGER, FULL, desk, talked

from callcenter.domain.books import CASES, DRAFTS, FORMS, SESSION_VERSIONS
from callcenter.domain.form_file import parse_form
from callcenter.domain.levels import Level
from callcenter.domain.sessions import SessionRow, SessionStatus
from callcenter.errors import Conflict, Forbidden, Refused
from callcenter.ports import Store
from callcenter.service.risk import handovers
from callcenter.service.sessions import drafts, listing
from callcenter.service.sessions import reading as sessions
from callcenter.service.sessions import writing as session_writing
from callcenter.service.sessions.writing import RecordRefused, Submitted
from scheduler.obligations import Kind, Mode

DESK = desk()


def submit(
    store: Store, session: str, now: datetime, answers: Mapping[str, Any] = FULL, **how: Any
) -> Submitted:
    given = {"desk": DESK, "draft": None, "actor": "c017", "now": now, **how}
    with store() as work:
        done = session_writing.submit(work, session, answers, **given)
        work.commit()
    return done


def amend(store: Store, session: str, now: datetime, answers: Mapping[str, Any], **how: Any) -> Submitted:
    given = {"desk": DESK, "draft": None, "actor": "c017", "now": now, "seen": 1, "reason": "漏写了一段"}
    given |= how
    with store() as work:
        done = session_writing.amend(work, session, answers, **given)
        work.commit()
    return done


def review(store: Store, session: str, now: datetime, **how: Any) -> SessionRow:
    given = {"remarks": "问得很细。", "seen": 1, "actor": "s001", "now": now, **how}
    with store() as work:
        done = session_writing.review(work, session, **given)
        work.commit()
    return done


def draft(store: Store, session: str, text: str, now: datetime, **how: Any) -> int:
    given = {"form": DESK.form, "base": 0, "seen": None, "actor": "c017", "now": now, **how}
    with store() as work:
        kept = drafts.save_draft(work, session, text, **given)
        work.commit()
    return kept.revision


def test_a_submitted_record_says_what_was_done_and_whom_it_is_about(store: Store, now: datetime) -> None:
    session = talked(store, now)
    done = submit(store, session, now)
    assert (done.session.status, done.session.version) == (SessionStatus.SUBMITTED, 1)
    with store() as work:
        head = work.sessions.get(session)
        assert head == done.session
        assert head.person is not None
        assert work.people.get(head.person).phones[0].number == "13800001111"
        kept = work.book(SESSION_VERSIONS).get(f"{session}/1")
        assert kept.answers == FULL
        assert (kept.form, kept.checksum) == (DESK.form.id, DESK.form.checksum)
        assert work.book(FORMS).get(DESK.form.id).checksum == DESK.form.checksum
        assert [e.verb for e in work.audit.recent(20) if e.object == f"session:{session}"] == [
            "session.submit"
        ]


def test_r20_danger_opens_a_case_and_owes_contact_from_the_end_of_the_call(
    store: Store, now: datetime
) -> None:
    session = talked(store, now)
    done = submit(store, session, now + timedelta(hours=3), {**FULL, **DANGER})
    assert done.case is not None
    assert (done.case.level, done.case.owner) == (Level.HIGH, "c017")
    with store() as work:
        owed = [o for o in work.debts.open(person=done.session.person) if o.kind is Kind.HIGH_RISK]
        assert owed
        assert min(o.due_at for o in owed) <= now + timedelta(hours=24)
        assert {o.mode for o in owed} == {Mode.HUMAN_ONLY}


def test_the_same_caller_again_is_the_same_person(store: Store, now: datetime) -> None:
    first, second = talked(store, now, 1), talked(store, now + timedelta(days=1), 2)
    assert submit(store, first, now).session.person == submit(store, second, now).session.person


def test_if_the_case_cannot_follow_nothing_changed_and_the_draft_is_there(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = talked(store, now)
    text = "事实:\n  说了很久,声音越来越小"
    kept = draft(store, session, text, now)

    def fails(*_: object, **__: object) -> None:
        raise Refused("个案打不开")

    monkeypatch.setattr(session_writing, "follow", fails)
    with pytest.raises(Refused, match="个案打不开"):
        submit(store, session, now, {**FULL, **DANGER}, draft=kept)
    with store() as work:
        head = work.sessions.get(session)
        assert (head.status, head.version, head.person) == (SessionStatus.OPEN, 0, None)
        assert work.book(SESSION_VERSIONS).where(session=session) == []
        assert work.book(CASES).where() == []
        assert work.people.all() == []
        assert work.book(DRAFTS).get(session).text == text


def test_a_draft_goes_with_the_record_it_became(store: Store, now: datetime) -> None:
    session = talked(store, now)
    kept = draft(store, session, "事实:\n  说了很久", now)
    submit(store, session, now, draft=kept)
    with store() as work:
        assert work.book(DRAFTS).one(session) is None


def test_what_was_typed_on_elsewhere_is_never_submitted_past(store: Store, now: datetime) -> None:
    session = talked(store, now)
    first = draft(store, session, "事实:\n  第一句", now)
    draft(store, session, "事实:\n  第一句\n  第二句", now, seen=first)
    for stale in (None, first):
        with pytest.raises(Conflict, match="草稿"):
            submit(store, session, now, draft=stale)
    with store() as work:
        assert "第二句" in work.book(DRAFTS).get(session).text


def test_two_who_type_into_one_draft_both_find_their_words_in_it(store: Store, now: datetime) -> None:
    session = talked(store, now)
    first = draft(store, session, "事实:\n  原来的话", now)
    draft(store, session, "事实:\n  在单位电脑上写的", now, seen=first)
    draft(store, session, "事实:\n  在家里写的", now, seen=first)
    with store() as work:
        kept = work.book(DRAFTS).get(session).text
    assert "在家里写的" in kept
    assert "在单位电脑上写的" in kept


@pytest.mark.parametrize(
    "text", ["", "\0\x1b[2J", "\ud800 半个字", "#" * 1000, "事实" * 40_000, "没有标签的话"]
)
def test_any_text_is_kept_as_a_draft(store: Store, now: datetime, text: str) -> None:
    session = talked(store, now)
    draft(store, session, text, now)
    with store() as work:
        kept = work.book(DRAFTS).get(session)
    assert kept.text == text.replace("\0", "").replace("\ud800", "?")


def test_amending_keeps_every_version_and_names_the_reason(store: Store, now: datetime) -> None:
    session = talked(store, now)
    submit(store, session, now)
    changed = {**FULL, "facts": "夜里两三点醒。还说到上个月跌了一跤。"}
    done = amend(store, session, now, changed)
    assert (done.session.status, done.session.version) == (SessionStatus.AMENDED, 2)
    with store() as work:
        history = sessions.versions_of(work, session)
    assert [(v.n, v.status, v.reason) for v in history] == [
        (1, SessionStatus.SUBMITTED, ""),
        (2, SessionStatus.AMENDED, "漏写了一段"),
    ]
    assert history[0].answers["facts"] == FULL["facts"]


def test_somebody_else_amended_meanwhile_and_nothing_is_lost(store: Store, now: datetime) -> None:
    session = talked(store, now)
    submit(store, session, now)
    mine = draft(store, session, "事实:\n  我补写的话", now, base=1)
    amend(store, session, now, {**FULL, "summary": "督导改的"}, actor="s001", draft=mine)
    mine = draft(store, session, "事实:\n  我补写的话", now, base=1)
    with pytest.raises(Conflict, match="第 2 版"):
        amend(store, session, now, {**FULL, "summary": "我改的"}, draft=mine)
    with store() as work:
        assert work.book(DRAFTS).get(session).text == "事实:\n  我补写的话"
        assert sessions.versions_of(work, session)[-1].answers["summary"] == "督导改的"


def test_an_amended_record_that_shows_more_danger_raises_the_level(store: Store, now: datetime) -> None:
    session = talked(store, now)
    assert submit(store, session, now).case is None
    done = amend(store, session, now + timedelta(hours=1), {**FULL, **DANGER})
    assert done.case is not None
    assert done.case.level is Level.HIGH


def test_a_supervisor_reviews_what_others_wrote_and_only_once(store: Store, now: datetime) -> None:
    session = talked(store, now)
    with pytest.raises(Refused, match="还没有提交"):
        review(store, session, now)
    submit(store, session, now)
    head = review(store, session, now)
    assert (head.status, head.version) == (SessionStatus.REVIEWED, 2)
    with store() as work:
        newest = sessions.versions_of(work, session)[-1]
    assert (newest.status, newest.reason, newest.answers) == (SessionStatus.REVIEWED, "问得很细。", FULL)
    with pytest.raises(Refused, match="已经审阅"):
        review(store, session, now, seen=2)


def test_r45_a_record_is_not_closed_while_nobody_at_the_agency_took_the_caller(
    store: Store, now: datetime
) -> None:
    session = talked(store, now)
    submit(store, session, now)
    with store() as work:
        about = f"call:{work.sessions.get(session).call}"
        told = "说了情况和地址"
        one = handovers.give(work, about, "120", told=told, actor="c017", now=now)
        work.commit()
    with pytest.raises(Refused, match="hotline handover accept"):
        review(store, session, now)
    with store() as work:
        handovers.accept(work, one.id, name="周调度员", actor="c017", now=now)
        work.commit()
    assert review(store, session, now).status is SessionStatus.REVIEWED


def test_nobody_reviews_their_own_record_nor_what_they_amended(store: Store, now: datetime) -> None:
    own = talked(store, now, 1, by="s002")
    submit(store, own, now, actor="s002")
    with pytest.raises(Forbidden):
        review(store, own, now, actor="s002")
    other = talked(store, now, 2)
    submit(store, other, now)
    amend(store, other, now, {**FULL, "summary": "改过"}, actor="s001")
    with pytest.raises(Forbidden):
        review(store, other, now, seen=2)


def test_a_review_of_what_changed_since_it_was_read_is_refused(store: Store, now: datetime) -> None:
    session = talked(store, now)
    submit(store, session, now)
    amend(store, session, now, {**FULL, "summary": "改过"})
    with pytest.raises(Conflict):
        review(store, session, now, seen=1)


def test_whether_somebody_arrived_is_noted_later_and_the_review_stays(store: Store, now: datetime) -> None:
    session = talked(store, now)
    submit(store, session, now)
    review(store, session, now)
    with store() as work:
        asked = listing.referrals_to_ask(work, actor="c017", now=now)
        assert [(head.id, n) for head, still in asked for n, _ in still] == [(session, 1)]
        session_writing.note_uptake(work, session, 1, "已到达", actor="c017", now=now)
        work.commit()
    with store() as work:
        assert listing.referrals_to_ask(work, actor="c017", now=now) == []
        assert work.sessions.get(session).status is SessionStatus.REVIEWED
        history = sessions.versions_of(work, session)
    assert [v.answers["referrals"][0]["uptake"] for v in history] == ["已建议", "已建议", "已到达"]


def test_submitting_twice_changes_nothing(store: Store, now: datetime) -> None:
    session = talked(store, now)
    submit(store, session, now)
    with pytest.raises(Conflict, match="已经提交"):
        submit(store, session, now, {**FULL, "summary": "第二次"})
    with store() as work:
        assert len(sessions.versions_of(work, session)) == 1


def test_a_refused_record_leaves_nobody_behind(store: Store, now: datetime) -> None:
    session = talked(store, now)
    with pytest.raises(RecordRefused):
        submit(store, session, now, {**FULL, "risk_asked": None})
    with store() as work:
        assert work.people.all() == []
        assert work.book(FORMS).where() == []


def test_a_call_that_was_forgotten_is_still_written_about(store: Store, now: datetime) -> None:
    session = talked(store, now)
    with store() as work:
        work.calls.delete_all()
        work.commit()
    done = submit(store, session, now, {**FULL, **DANGER})
    assert done.case is not None
    assert done.session.person is not None


def test_an_old_record_is_shown_and_amended_by_the_form_it_was_written_on(
    store: Store, now: datetime
) -> None:
    session = talked(store, now)
    submit(store, session, now)
    fresh = parse_form(
        DESK.form.text.replace("version: 1", "version: 2").replace("label: 小结", "label: 印象"), "x"
    )
    newer = replace(DESK, form=fresh)
    other = talked(store, now, 2)
    submit(store, other, now, desk=newer)
    done = amend(store, session, now, {**FULL, "summary": "补一句"}, desk=newer)
    assert done.version.form == "session/1"
    with store() as work:
        shown = [sessions.read_session(work, one, actor="s001", now=now).form for one in (session, other)]
    assert [form.fields["summary"].label for form in shown if form] == ["小结", "印象"]


def test_a_form_changed_under_its_version_stops_the_record_and_keeps_it(store: Store, now: datetime) -> None:
    session, other = talked(store, now), talked(store, now, 2)
    submit(store, session, now)
    changed = replace(DESK, form=parse_form(DESK.form.text.replace("label: 小结", "label: 印象"), "x"))
    with pytest.raises(Refused, match="version 改为 2"):
        submit(store, other, now, desk=changed)
    with store() as work:
        assert work.sessions.get(other).version == 0
