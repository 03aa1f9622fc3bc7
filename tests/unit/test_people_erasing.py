"""What erasing reaches, and what a legal hold keeps from it, in every store (R42, R43)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from people_world import SHEN, a_call, a_session, peopled

from callcenter.domain.books import (
    DEBRIEFS,
    DRAFTS,
    EXPORTS,
    HANDOVERS,
    LISTENINGS,
    RECORDINGS,
    REQUESTS,
    SESSION_VERSIONS,
)
from callcenter.domain.fold import Facts
from callcenter.domain.handover import Handover, HandoverState
from callcenter.domain.listening import Listening, ListenMode
from callcenter.domain.people import Person, Phone
from callcenter.domain.privacy import Recording, RequestKind
from callcenter.domain.sessions import Draft, SessionStatus, SessionVersion
from callcenter.domain.staff import Debrief, DebriefState
from callcenter.errors import Refused
from callcenter.memory import MemoryStore
from callcenter.ports import Store, UnitOfWork
from callcenter.service.line import records
from callcenter.service.privacy.copies import answer_access, copy_of
from callcenter.service.privacy.erasing import Erasure, erase
from callcenter.service.privacy.export_files import FileKind
from callcenter.service.privacy.exports import remove_file, save
from callcenter.service.privacy.holds import release_hold, set_hold
from callcenter.service.privacy.redoing import redo, remembered
from callcenter.service.privacy.requests import open_request
from callcenter.service.sessions.drafts import discard_draft
from scheduler.cadence import SHANGHAI

NUMBER = "13861705555"
SEEN = "当面看过身份证"
NAMED = f"沈建国,{NUMBER},住滨湖区"
MONTHS_AGO = timedelta(days=90)


def erased(work: UnitOfWork, now: datetime, *, dry_run: bool = False) -> Erasure:
    made = open_request(work, "p1", RequestKind.ERASURE, identity_check=SEEN, actor="c017", now=now)
    return erase(work, made.id, actor="s001", now=now, reason="本人要求删除", dry_run=dry_run)


def being_written(work: UnitOfWork, now: datetime) -> None:
    """A call of Shen's whose record is only a draft yet: nobody is named in it."""
    work.calls.put_many([a_call("1.1", now)])
    work.sessions.open_many([a_session("1.1", now)])
    work.book(DRAFTS).add(Draft(id="se-1.1", by="c017", at=now, form="session/1", text="说起上周的事"))


def a_message(call: str, at: datetime) -> Recording:
    return Recording(
        id=f"{call}/left", call=call, node="left", at=at, size=9, file=f"{call}.sealed", key="a2V5"
    )


def test_r42_a_held_record_without_a_person_yet_keeps_its_calls_number_and_its_draft(
    store: Store, now: datetime
) -> None:
    peopled(store)
    with store() as work:
        being_written(work, now)
        hold = set_hold(work, "session:se-1.1", actor="s001", now=now, reason="法院调取通知")
        told = erased(work, now, dry_run=True)
        assert told.hindered == ("已依法保全(session:se-1.1)",)
        with pytest.raises(Refused, match="保全"):
            discard_draft(work, "se-1.1", actor="c017", now=now)
        assert work.calls.get("1.1").number == NUMBER
        assert work.book(DRAFTS).get("se-1.1").text == "说起上周的事"
        release_hold(work, hold.id, actor="s001", now=now, reason="法院已结案")
        discard_draft(work, "se-1.1", actor="c017", now=now)


def test_r42_a_draft_of_a_held_persons_call_is_not_discarded(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        being_written(work, now)
        set_hold(work, "person:p1", actor="s001", now=now, reason="法院调取通知")
        with pytest.raises(Refused, match="保全"):
            discard_draft(work, "se-1.1", actor="c017", now=now)


def test_r43_a_message_left_without_a_talk_goes_and_a_young_one_is_named(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        work.calls.put_many([a_call("1.1", now - MONTHS_AGO), a_call("1.2", now)])
        for call, at in (("1.1", now - MONTHS_AGO), ("1.2", now)):
            work.book(RECORDINGS).add(a_message(call, at))
        done = erased(work, now)
        assert done.files == ("1.1.sealed",)
        assert [one.id for one in work.book(RECORDINGS).where()] == ["1.2/left"]
        assert next(i.count for i in done.stays if i.what == "录音与留言") == 1


def test_a_message_from_a_phone_others_share_stays(store: Store, now: datetime) -> None:
    son = Person(id="p3", code="P-9MRT", name="沈小军", phones=(Phone(number=NUMBER),))
    peopled(store, SHEN, son)
    with store() as work:
        work.calls.put_many([a_call("1.1", now - MONTHS_AGO)])
        work.book(RECORDINGS).add(a_message("1.1", now - MONTHS_AGO))
        assert erased(work, now).files == ()


def written_of(work: UnitOfWork, call: str, at: datetime, state: HandoverState) -> None:
    """Words with the caller's name: at a hand-over, at a debriefing, where a supervisor listened."""
    handed = Handover(
        id=f"ho-{call}",
        about=f"call:{call}",
        from_agent="c017",
        to="120",
        told=NAMED,
        sent_at=at,
        state=state,
        accepted_by="周调度员" if state is HandoverState.ACCEPTED else "",
    )
    held = Debrief(
        id=f"db-{call}",
        agent="c017",
        about=call,
        since=at,
        state=DebriefState.HELD,
        by="s001",
        at=at,
        note=NAMED,
    )
    ear = Listening(
        id=f"ls-{call}", call=call, agent="c017", by="s001", mode=ListenMode.LISTEN, reason=NAMED, asked_at=at
    )
    work.book(HANDOVERS).add(handed)
    work.book(DEBRIEFS).add(held)
    work.book(LISTENINGS).add(ear)


def test_r43_what_colleagues_wrote_of_them_goes_and_the_answer_says_so(store: Store, now: datetime) -> None:
    """Of a call from their number, of one from a withheld number that their record names, and of nobody's."""
    peopled(store)
    with store() as work:
        withheld = replace(a_call("1.2", now), number=None, kept=(f"number={NUMBER}",))
        work.calls.put_many([a_call("1.1", now), withheld, replace(a_call("1.3", now), number=None)])
        work.sessions.open_many([replace(a_session("1.2", now), person="p1")])
        for call in ("1.1", "1.2", "1.3"):
            written_of(work, call, now, HandoverState.ACCEPTED)
        done = erased(work, now)
        assert [one.id for one in work.book(HANDOVERS).where()] == ["ho-1.3"]
        assert {one.id for one in work.book(DEBRIEFS).where() if one.note} == {"db-1.3"}
        assert {one.id for one in work.book(LISTENINGS).where() if one.reason} == {"ls-1.3"}
        assert work.calls.get("1.2").kept == ()
        gone = {item.what: item.count for item in done.goes}
        assert gone["交接的登记(含告知对方的内容)"] == 2
        assert gone["工作人员支持性谈话的备注"] == gone["督导听线的理由"] == 2
        assert next(i.count for i in done.stays if i.what == "督导听线与支持性谈话的登记") == 4
        (answered,) = work.book(REQUESTS).where(person="p1")
        assert "交接的登记" in answered.answer


def test_r45_nobody_is_erased_while_a_hand_over_of_their_call_is_open(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        work.calls.put_many([a_call("1.1", now)])
        written_of(work, "1.1", now, HandoverState.OPEN)
        assert "交接没有人接下" in "".join(erased(work, now, dry_run=True).hindered)
        request = work.book(REQUESTS).where(person="p1")[0]
        with pytest.raises(Refused, match="交接没有人接下"):
            erase(work, request.id, actor="s001", now=now, reason="本人要求删除")
        assert work.book(HANDOVERS).get("ho-1.1").told == NAMED


def test_r43_after_a_restore_what_colleagues_wrote_of_an_erased_person_goes_again(
    store: Store, now: datetime
) -> None:
    peopled(store)
    with store() as work:
        work.calls.put_many([a_call("1.1", now)])
        written_of(work, "1.1", now, HandoverState.ACCEPTED)
        erased(work, now)
        memory = remembered(work)
    older = MemoryStore()
    peopled(older)
    with older() as work:
        work.calls.put_many([a_call("1.1", now)])
        written_of(work, "1.1", now, HandoverState.ACCEPTED)
        redo(work, memory, by="x001", now=now, zone=SHANGHAI)
        assert not work.book(HANDOVERS).where()
        assert not [one for one in work.book(DEBRIEFS).where() if one.note]
        assert not [one for one in work.book(LISTENINGS).where() if one.reason]


def test_r43_a_copy_says_where_their_own_call_was_passed_on_and_no_word_of_colleagues_or_others(
    store: Store, now: datetime
) -> None:
    peopled(store)
    with store() as work:
        work.calls.put_many([a_call("1.1", now), a_call("1.2", now)])
        by_others = {"caller_type": "第三方"}
        work.sessions.open_many([a_session("1.2", now)])
        work.sessions.update(replace(a_session("1.2", now), person="p1", version=1), seen=0)
        work.book(SESSION_VERSIONS).add(
            SessionVersion(
                id="se-1.2/1",
                session="se-1.2",
                n=1,
                status=SessionStatus.SUBMITTED,
                form="session/1",
                checksum="00",
                answers=by_others,
                by="c017",
                at=now,
            )
        )
        for call in ("1.1", "1.2"):
            written_of(work, call, now, HandoverState.ACCEPTED)
        sheets = {s.title: s.rows for s in copy_of(work, work.people.get("p1"), SHANGHAI, with_facts=True)}
        ((_, agency, took),) = sheets["转交机构"]
        assert (agency, took) == ("120", "已接下")
        assert NAMED not in repr(sheets)
        assert "周调度员" not in repr(sheets)


def test_r43_a_copy_made_for_them_goes_from_the_exports_folder(
    store: Store, now: datetime, tmp_path: Path
) -> None:
    peopled(store)
    with store() as work:
        made = open_request(work, "p1", RequestKind.ACCESS, identity_check=SEEN, actor="c017", now=now)
        copy = answer_access(
            work,
            made.id,
            form=FileKind.CSV,
            lasts=timedelta(days=7),
            zone=SHANGHAI,
            actor="s001",
            now=now,
            reason="本人查阅",
        )
        file = save(copy, tmp_path)
        done = erased(work, now)
        assert done.copies == (copy.export.id,)
        assert {(i.what, i.count) for i in done.goes} >= {("为本人做的副本(导出的文件)", 1)}
        assert work.book(EXPORTS).get(copy.export.id).deleted_at == now
        for export in done.copies:
            remove_file(tmp_path, export)
        assert not file.exists()


def test_r43_a_journal_told_again_brings_no_number_of_an_erased_person_back(
    store: Store, now: datetime
) -> None:
    peopled(store)
    call = a_call("1.1", now, kept=("number=13700000001",))
    with store() as work:
        records.apply(work, Facts(calls=(call,)), now)
        erased(work, now)
        work.calls.delete_all()
        records.apply(work, Facts(calls=(call, a_call("1.2", now))), now)
        again = work.calls.get("1.1")
        assert (again.number, again.kept, again.answered_by) == (None, (), "c017")
        assert work.calls.get("1.2").number == NUMBER
