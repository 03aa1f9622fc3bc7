"""A record that is nobody's belongs to who typed into it first; suspected abuse is owed until reported."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from session_desk import FULL, desk, talked

from callcenter.domain.books import DRAFTS, SESSION_VERSIONS, TOMBSTONES
from callcenter.domain.privacy import Tombstone
from callcenter.errors import Forbidden, NotFound
from callcenter.ports import Store
from callcenter.service.sessions import drafts, listing
from callcenter.service.sessions import reading as sessions
from callcenter.service.sessions import writing as session_writing

DESK = desk()
WORDS = "事实:\n  她说孩子在门外听着"


def typed(store: Store, session: str, by: str, now: datetime, text: str = WORDS) -> None:
    with store() as work:
        before = work.book(DRAFTS).one(session)
        how: dict[str, Any] = {"form": DESK.form, "base": 0, "seen": before.revision if before else None}
        drafts.save_draft(work, session, text, actor=by, now=now, **how)
        work.commit()


@pytest.mark.parametrize("taken_by", [None, "x001", "gone"])
def test_the_first_draft_claims_a_record_that_nobody_has_to_write(
    store: Store, now: datetime, taken_by: str | None
) -> None:
    # x001 stands in the escalation chain and is no counsellor; `gone` is nobody any more.
    session = talked(store, now, by=taken_by)
    typed(store, session, "c018", now)
    with store() as work:
        how: dict[str, Any] = {"actor": "c017", "now": now}
        with pytest.raises(Forbidden, match="c018 正在写"):
            drafts.read_draft(work, session, **how)
        with pytest.raises(Forbidden, match="c018 正在写"):
            drafts.discard_draft(work, session, **how)
        with pytest.raises(Forbidden, match="c018 正在写"):
            session_writing.submit(work, session, FULL, desk=DESK, draft=1, **how)
        (listed,) = listing.list_sessions(work, mine=True, **how)
        assert listed.draft_by == "c018"
        assert work.book(DRAFTS).get(session).text == WORDS


def test_a_supervisor_helps_with_a_claimed_record_and_it_stays_its_writers(
    store: Store, now: datetime
) -> None:
    session = talked(store, now, by=None)
    typed(store, session, "c018", now)
    typed(store, session, "s001", now, WORDS + "\n  督导补了一句")
    typed(store, session, "c018", now, WORDS + "\n  又想起一句")
    with store() as work:
        revision = work.book(DRAFTS).get(session).revision
        how: dict[str, Any] = {"desk": DESK, "draft": revision, "actor": "s001", "now": now}
        done = session_writing.submit(work, session, FULL, **how)
        work.commit()
    assert done.session.counsellor == "c018"


def test_a_call_taken_by_somebody_who_writes_no_records_is_taken_up_by_a_counsellor(
    store: Store, now: datetime
) -> None:
    session = talked(store, now, by="x001")
    with store() as work:
        done = session_writing.submit(work, session, FULL, desk=DESK, draft=None, actor="c018", now=now)
        work.commit()
    assert done.session.counsellor == "c018"


def test_a_counsellors_record_is_not_free_to_take_before_they_typed(store: Store, now: datetime) -> None:
    session = talked(store, now, by="c017")
    with pytest.raises(Forbidden, match="不是您的"):
        typed(store, session, "c018", now)


# --- R18 --------------------------------------------------------------------------------------

HURT = {**FULL, "age_band": "14至17岁", "occupation": "学生", "abuse": True}
WAITING = {**HURT, "report_supervisor": False, "report_why_not": "孩子还在通话里,先顾眼前安全"}
REPORTED = {**HURT, "report_supervisor": True, "report_to": ["公安机关"], "report_at": "当晚 21:40"}


def reports(store: Store, by: str, now: datetime) -> list[tuple[str, str | None, tuple[str, ...]]]:
    with store() as work:
        return [
            (head.id, head.counsellor, owed) for head, owed in listing.open_reports(work, actor=by, now=now)
        ]


def test_r18_suspected_abuse_is_owed_by_its_writer_and_listed_until_it_was_reported(
    store: Store, now: datetime
) -> None:
    session = talked(store, now)
    how: dict[str, Any] = {"desk": DESK, "draft": None, "actor": "c017", "now": now}
    with store() as work:
        done = session_writing.submit(work, session, WAITING, **how)
        work.commit()
    assert done.report == ("还没有报告", "督导未告知")
    owed = [(session, "c017", ("还没有报告", "督导未告知"))]
    assert reports(store, "s001", now) == owed
    assert reports(store, "c017", now) == owed
    assert reports(store, "c018", now) == []
    with store() as work:
        session_writing.amend(
            work, session, {**WAITING, "report_supervisor": True}, seen=1, reason="已告诉督导", **how
        )
        work.commit()
    assert reports(store, "s001", now) == [(session, "c017", ("还没有报告",))]
    with store() as work:
        session_writing.amend(work, session, REPORTED, seen=2, reason="已向公安报告", **how)
        work.commit()
    assert reports(store, "s001", now) == []


def test_lists_mark_minors_and_third_parties_only_for_who_may_read_them(store: Store, now: datetime) -> None:
    session = talked(store, now)
    answers = {**WAITING, "caller_type": "第三方", "relation": "家属"}
    with store() as work:
        session_writing.submit(work, session, answers, desk=DESK, draft=None, actor="c017", now=now)
        work.commit()
    seen = {}
    for code in ("c017", "s001", "c018"):
        with store() as work:
            (one,) = listing.list_sessions(work, actor=code, now=now)
        assert one.number == "138****1111"
        seen[code] = (one.kind, one.level, one.marks)
    assert seen["c017"] == seen["s001"] == ("正常受理", "一般", ("未成年", "第三方", "待报告"))
    assert seen["c018"] == (None, None, ())


# --- after retention --------------------------------------------------------------------------


def test_a_record_that_retention_took_away_says_so_and_fails_nobody(store: Store, now: datetime) -> None:
    session = talked(store, now)
    with store() as work:
        session_writing.submit(work, session, FULL, desk=DESK, draft=None, actor="c017", now=now)
        stone = Tombstone(
            id="to-1", object=f"session:{session}", rule="forms", by="x001", at=now, reason="到期"
        )
        work.book(TOMBSTONES).add(stone)
        work.book(SESSION_VERSIONS).remove(f"{session}/1")
        work.commit()
    how: dict[str, Any] = {"actor": "s001", "now": now}
    with store() as work:
        record = sessions.read_session(work, session, **how)
        assert (record.is_gone, record.version, record.answers) == (True, None, {})
        (listed,) = listing.list_sessions(work, **how)
        assert (listed.is_gone, listed.marks) == (True, ())
        assert listing.open_reports(work, **how) == []
        assert listing.referrals_to_ask(work, actor="c017", now=now) == []
        with pytest.raises(NotFound, match="已按保存期删除"):
            sessions.read_session(work, session, n=1, **how)
        with pytest.raises(NotFound, match="已按保存期删除"):
            sessions.compare(work, session, 1, 1, **how)
        with pytest.raises(NotFound, match="已按保存期删除"):
            session_writing.review(work, session, remarks="", **how)
        with pytest.raises(NotFound, match="已按保存期删除"):
            session_writing.note_uptake(work, session, 1, "已到达", **how)
        with pytest.raises(NotFound, match="已按保存期删除"):
            session_writing.amend(
                work, session, FULL, desk=DESK, seen=1, draft=None, reason="补写一段", **how
            )
