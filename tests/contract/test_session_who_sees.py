"""Who reads and writes which record, and that a third party learns nothing (R17, R38)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from session_desk import DANGER, FULL, desk, staff, talked

from callcenter.domain.books import CASES
from callcenter.domain.users import Role
from callcenter.errors import Forbidden
from callcenter.ports import Store
from callcenter.service.sessions import drafts
from callcenter.service.sessions import reading as sessions
from callcenter.service.sessions import writing as session_writing

DESK = desk()
THIRD = {**FULL, **DANGER, "caller_type": "第三方", "relation": "家属", "subject_contact": "139 0000 2222"}
ROLES = {user.code: user.roles for user in staff()}


def written(store: Store, now: datetime, answers: dict[str, Any] = FULL, n: int = 1, **call: Any) -> str:
    session = talked(store, now, n, **call)
    with store() as work:
        session_writing.submit(work, session, answers, desk=DESK, draft=None, actor="c017", now=now)
        work.commit()
    return session


def read(store: Store, session: str, by: str, now: datetime, **how: Any) -> sessions.Record:
    with store() as work:
        return sessions.read_session(work, session, actor=by, now=now, **how)


@pytest.mark.parametrize("code", [user.code for user in staff()])
def test_a_record_is_read_by_its_writer_and_supervisors_only(store: Store, now: datetime, code: str) -> None:
    session = written(store, now)
    if code == "c017" or Role.SUPERVISOR in ROLES[code]:
        assert read(store, session, code, now).answers["facts"]
        return
    with pytest.raises(Forbidden):
        read(store, session, code, now)
    with store() as work, pytest.raises(Forbidden):
        sessions.compare(work, session, 1, 1, actor=code, now=now)


def test_whoever_owns_the_case_reads_what_others_wrote_about_the_person(store: Store, now: datetime) -> None:
    session = written(store, now, {**FULL, **DANGER})
    with pytest.raises(Forbidden):
        read(store, session, "c018", now)
    with store() as work:
        (case,) = work.book(CASES).where()
        work.book(CASES).put(replace(case, owner="c018"))
        work.commit()
    assert read(store, session, "c018", now).answers["facts"]
    with store() as work, pytest.raises(Forbidden):
        drafts.read_draft(work, session, actor="c018", now=now)


@pytest.mark.parametrize("code", [user.code for user in staff()])
def test_a_record_is_written_by_who_talked_and_by_supervisors(store: Store, now: datetime, code: str) -> None:
    session = talked(store, now)
    allowed = code == "c017" or Role.SUPERVISOR in ROLES[code]
    how: dict[str, Any] = {"actor": code, "now": now}
    with store() as work:
        if allowed:
            drafts.save_draft(work, session, "事实", form=DESK.form, base=0, seen=None, **how)
            return
        with pytest.raises(Forbidden):
            drafts.save_draft(work, session, "事实", form=DESK.form, base=0, seen=None, **how)
        with pytest.raises(Forbidden):
            session_writing.submit(work, session, FULL, desk=DESK, draft=None, **how)


def test_a_call_that_was_nobodys_is_written_by_whoever_takes_it_up(store: Store, now: datetime) -> None:
    session = talked(store, now, by=None)
    with store() as work:
        done = session_writing.submit(work, session, FULL, desk=DESK, draft=None, actor="c018", now=now)
        work.commit()
    assert done.session.counsellor == "c018"


@pytest.mark.parametrize("code", [user.code for user in staff()])
@pytest.mark.parametrize("name", FULL)
def test_no_role_sees_a_field_of_a_class_it_may_not_see(code: str, name: str) -> None:
    field, user = DESK.form.fields[name], next(user for user in staff() if user.code == code)
    seen = name in sessions.visible_fields(DESK.form, user)
    assert seen == field.is_seen_by(user.roles)
    if not user.roles & {Role.COUNSELLOR, Role.SUPERVISOR}:
        assert not seen or field.data.value in {"open", "identity"}


def test_names_and_numbers_are_masked_until_a_reason_is_given(store: Store, now: datetime) -> None:
    session = written(store, now, THIRD)
    shown = read(store, session, "c017", now).answers
    assert (shown["subject_name"], shown["subject_contact"]) == ("沈**", "(已遮盖)")
    whole = read(store, session, "c017", now, reveal=True, reason="要回电给家人").answers
    assert whole["subject_contact"] == "139 0000 2222"


def test_what_a_reader_does_is_in_the_audit_without_what_was_read(store: Store, now: datetime) -> None:
    session = written(store, now)
    with store() as work:
        sessions.read_session(work, session, actor="s001", now=now)
        work.commit()
    with store() as work:
        entry = work.audit.recent(1)[0]
    assert (entry.verb, entry.object, entry.actor) == ("session.read", f"session:{session}", "s001")


# --- R17 --------------------------------------------------------------------------------------


def test_r17_a_third_party_learns_nothing_of_whether_somebody_is_known(store: Store, now: datetime) -> None:
    known = written(store, now, FULL, 1, number="13700003333")
    with store() as work:
        person = work.people.get(str(work.sessions.get(known).person))
    told = []
    for n, code in enumerate((person.code, "P-XXXX"), start=2):
        session = written(store, now, {**THIRD, "subject_code": code}, n)
        record = read(store, session, "c017", now)
        assert record.person not in (person.code, None)
        assert record.named is None
        told.append((record.answers.keys(), record.marks, len(record.history)))
    assert told[0] == told[1]


def test_r17_the_caller_is_never_taken_for_the_person_they_call_about(store: Store, now: datetime) -> None:
    own = written(store, now, FULL, 1)
    third = written(store, now, THIRD, 2)
    with store() as work:
        assert work.sessions.get(own).person != work.sessions.get(third).person
        subject = work.people.get(str(work.sessions.get(third).person))
    assert subject.phones == ()


def test_r17_a_supervisor_sees_at_review_whom_the_code_names(store: Store, now: datetime) -> None:
    known = written(store, now, FULL, 1, number="13700003333")
    with store() as work:
        person = work.people.get(str(work.sessions.get(known).person))
    named = written(store, now, {**THIRD, "subject_code": person.code.lower()}, 2)
    unknown = written(store, now, {**THIRD, "subject_code": "P-XXXX"}, 3)
    assert read(store, named, "s001", now).named == person.code
    assert read(store, unknown, "s001", now).named is None


def test_r17_a_record_amended_to_say_that_somebody_else_called_moves_to_another_person(
    store: Store, now: datetime
) -> None:
    session = written(store, now)
    with store() as work:
        before = work.sessions.get(session).person
        done = session_writing.amend(
            work, session, THIRD, desk=DESK, seen=1, draft=None, actor="c017", now=now, reason="是妻子打来的"
        )
        assert done.session.person not in (None, before)
