"""Whatever people do to a record in whatever order, every version stays as it was submitted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from session_desk import DANGER, FULL, desk, talked

from callcenter.domain.books import CASES, DRAFTS
from callcenter.domain.sessions import SessionStatus, SessionVersion
from callcenter.errors import CallCenterError
from callcenter.memory import MemoryStore
from callcenter.service.sessions import drafts
from callcenter.service.sessions import reading as sessions
from callcenter.service.sessions import writing as session_writing
from callcenter.service.sessions.forms import form_of

DESK = desk()
WHO = st.sampled_from(["c017", "c018", "s001", "s002", "k001", "a001"])
ANSWERS = st.sampled_from(
    [
        FULL,
        {**FULL, **DANGER},
        {**FULL, "summary": "改过一次"},
        {**FULL, "caller_type": "第三方", "relation": "同事"},
        {**FULL, "risk_asked": None},
        {"kind": "误拨", "risk_asked": False, "not_asked_reason": "非服务来电"},
    ]
)


class Histories(RuleBasedStateMachine):
    """One record; people with and without a right to it; stale and fresh views of it."""

    def __init__(self) -> None:
        super().__init__()
        self.store, self.now = MemoryStore(), datetime(2026, 11, 23, 12, tzinfo=UTC)
        self.session = talked(self.store, self.now)
        self.kept: list[SessionVersion] = []
        self.typed = ""

    def act(self, verb: Any, *given: Any, **how: Any) -> bool:
        """Do it and commit, or be refused and change nothing."""
        self.now += timedelta(minutes=1)
        before = self.store.state
        try:
            with self.store() as work:
                verb(work, self.session, *given, now=self.now, **how)
                work.commit()
        except CallCenterError:
            assert self.store.state is before
            return False
        return True

    def head(self) -> int:
        with self.store() as work:
            return work.sessions.get(self.session).version

    def draft(self) -> int | None:
        with self.store() as work:
            found = work.book(DRAFTS).one(self.session)
        return found.revision if found else None

    @rule(by=WHO, answers=ANSWERS, fresh=st.booleans())
    def submit(self, by: str, answers: dict[str, Any], fresh: bool) -> None:
        draft = self.draft() if fresh else None
        if self.act(session_writing.submit, answers, desk=DESK, draft=draft, actor=by):
            self.typed = ""

    @rule(by=WHO, answers=ANSWERS, behind=st.integers(0, 1))
    def amend(self, by: str, answers: dict[str, Any], behind: int) -> None:
        how = {"desk": DESK, "draft": self.draft(), "reason": "补记一段", "actor": by}
        if self.act(session_writing.amend, answers, seen=self.head() - behind, **how):
            self.typed = ""

    @rule(by=WHO, behind=st.integers(0, 1))
    def review(self, by: str, behind: int) -> None:
        self.act(session_writing.review, remarks="看过", seen=self.head() - behind, actor=by)

    @rule(by=WHO, n=st.integers(1, 2), word=st.sampled_from(["已到达", "谢绝", "飞走"]))
    def uptake(self, by: str, n: int, word: str) -> None:
        self.act(session_writing.note_uptake, n, word, actor=by)

    @rule(by=WHO, text=st.sampled_from(["事实:\n  她哭了", "读不懂 的字", "行动:\n  - 内容:去医院"]))
    def type(self, by: str, text: str) -> None:
        how: dict[str, Any] = {"form": DESK.form, "base": self.head(), "seen": self.draft(), "actor": by}
        if self.act(drafts.save_draft, text, **how):
            self.typed = text

    @invariant()
    def every_version_stays_as_it_was(self) -> None:
        with self.store() as work:
            history = sessions.versions_of(work, self.session)
            head = work.sessions.get(self.session)
            assert [version.n for version in history] == list(range(1, head.version + 1))
            assert list(history[: len(self.kept)]) == self.kept
            for version in history:
                assert form_of(work, version.form).checksum == version.checksum
            assert (head.status is SessionStatus.OPEN) == (head.version == 0)
            assert len([case for case in work.book(CASES).where() if case.is_open]) <= len(work.people.all())
        self.kept = list(history)

    @invariant()
    def what_was_typed_last_is_there(self) -> None:
        with self.store() as work:
            found = work.book(DRAFTS).one(self.session)
        assert (found.text if found else "") == self.typed


Histories.TestCase.settings = settings(max_examples=60, stateful_step_count=15)
TestHistories = Histories.TestCase
