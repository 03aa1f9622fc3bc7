"""Writing a handling record: submit, review, amend. Every version stays; nothing is ever overwritten.

Submitting says, in one transaction, what was done, whom it is about, how great the danger is and what is
owed from then on (R20). If any part of it fails nothing changed, and the draft is still there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from callcenter.domain.access import Verb
from callcenter.domain.books import DRAFTS, SESSION_VERSIONS
from callcenter.domain.cases import Case
from callcenter.domain.form_values import read_answers
from callcenter.domain.forms import Form, Wrong, check
from callcenter.domain.handover import is_to_agency
from callcenter.domain.levels import Level
from callcenter.domain.reasons import checked_reason
from callcenter.domain.risk import Finding, RiskAnswers, finding
from callcenter.domain.session_rules import (
    check_session,
    in_numbers,
    is_counselled,
    is_third_party,
    marks,
    owes_report,
    risk_answers,
    tips,
)
from callcenter.domain.session_words import NOT_A_SERVICE, UPTAKES
from callcenter.domain.sessions import SessionRow, SessionStatus, SessionVersion
from callcenter.errors import Conflict, Forbidden, NotFound, Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.people.people import caller_of, new_person
from callcenter.service.risk.cases import follow
from callcenter.service.risk.handovers import open_about
from callcenter.service.sessions.access import check_writes, writer_of
from callcenter.service.sessions.aftermath import NOTHING, Aftermath, aftermath
from callcenter.service.sessions.forms import Desk, form_of, keep_form
from callcenter.service.sessions.noting import note
from callcenter.service.sessions.reading import check_kept, visible_fields
from callcenter.service.sessions.standing import standing


@dataclass(frozen=True, kw_only=True, slots=True)
class _Act:
    """Who makes a version, when, as what, and why."""

    by: str
    at: datetime
    made: SessionStatus
    reason: str = field(default="", repr=False)


class RecordRefused(Refused):
    """A record that cannot be submitted as it is; `wrongs` says where and what to mend."""

    error_id = "record_refused"

    def __init__(self, wrongs: tuple[Wrong, ...]) -> None:
        super().__init__("记录还不能提交:\n" + "\n".join(f"- {wrong.text}" for wrong in wrongs))
        self.wrongs = wrongs


@dataclass(frozen=True, kw_only=True, slots=True)
class Submitted:
    """What became of a record that was submitted or amended."""

    session: SessionRow
    version: SessionVersion = field(repr=False)
    finding: Finding = field(repr=False)
    #: The case it opened or re-levelled, if it did.
    case: Case | None = field(repr=False)
    marks: tuple[str, ...] = ()
    #: Hints for the counsellor; they conclude nothing.
    tips: tuple[str, ...] = ()
    #: What is still owed to a minor of whom abuse is suspected (R18).
    report: tuple[str, ...] = ()
    after: Aftermath = field(repr=False, default=NOTHING)


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """A record that may be submitted."""

    answers: Mapping[str, Any] = field(repr=False)
    risk: RiskAnswers = field(repr=False)
    finding: Finding = field(repr=False)


def examine(form: Form, desk: Desk, given: Mapping[str, Any]) -> Examined:
    """Return the answers as they are kept and what they come to; raise `RecordRefused` naming every field."""
    read, unread = read_answers(form, given)
    answers = in_numbers(read, desk.instruments)
    risk, found, unscored = _found(answers, desk)
    wrongs = _once((*unread, *check(form, answers), *check_session(form, answers, found), *unscored))
    if wrongs:
        raise RecordRefused(wrongs)
    return Examined(answers=answers, risk=risk, finding=found)


def _found(answers: Mapping[str, Any], desk: Desk) -> tuple[RiskAnswers, Finding, tuple[Wrong, ...]]:
    """Return what the answers come to, or what is wrong with the instruments'."""
    risk = RiskAnswers(asked=False)
    try:
        risk = risk_answers(answers, desk.instruments, desk.rules.windows.zone)
        return risk, finding(risk, desk.instruments, end_intent=desk.rules.risk.end_intent), ()
    except Refused as error:
        return risk, Finding(level=None), (Wrong(field="instruments", text=str(error)),)


def _once(wrongs: tuple[Wrong, ...]) -> tuple[Wrong, ...]:
    """Return one complaint per field, the first."""
    first: dict[str, Wrong] = {}
    for wrong in wrongs:
        first.setdefault(wrong.field, wrong)
    return tuple(first.values())


# --- submit --------------------------------------------------------------------------------


@guarded(Verb.SESSION_WRITE, Verb.SESSION_WRITE_FOR)
def submit(
    work: UnitOfWork,
    session_id: str,
    given: Mapping[str, Any],
    *,
    desk: Desk,
    draft: int | None,
    actor: str,
    now: datetime,
) -> Submitted:
    """Submit a record: its first version, whom it is about, their case and what they are owed.

    `draft`: the revision of the draft that is submitted by this and goes with it; None: there is none.
    Raises `NotFound`, `Forbidden`, `Conflict` if it was submitted or typed on elsewhere, and
    `RecordRefused` (R9, R12, R16, R18). Source: R20.
    """
    user = allow(work, actor, Verb.SESSION_WRITE)
    head = work.sessions.get(session_id)
    check_writes(work, user, head)
    if head.version:
        raise Conflict(f"{session_id} 已经提交过(第 {head.version} 版)。要改,请用 hotline sessions amend。")
    _check_draft(work, session_id, draft)
    seen = examine(desk.form, desk, given)
    _check_not_written_off(work, head, seen)
    keep_form(work, desk.form, now)
    fresh = replace(
        head,
        counsellor=writer_of(work, head, actor),
        status=SessionStatus.SUBMITTED,
        person=_person_for(work, head, seen, actor, now),
        submitted_at=now,
    )
    return _write(work, fresh, seen, desk.form, desk, _Act(by=actor, at=now, made=SessionStatus.SUBMITTED))


def _check_not_written_off(work: UnitOfWork, head: SessionRow, seen: Examined) -> None:
    """Raise `RecordRefused` for a call that is said to be no service while somebody may be in danger."""
    if seen.answers.get("not_asked_reason") != NOT_A_SERVICE:
        return
    if found := standing(work, head):
        said = f"不能写「{NOT_A_SERVICE}」:{';'.join(found)}。"
        raise RecordRefused((Wrong(field="not_asked_reason", text=said),))


def _check_draft(work: UnitOfWork, session_id: str, draft: int | None) -> None:
    """Raise `Conflict` if more was typed than what is submitted: a draft never goes unread."""
    found = work.book(DRAFTS).one(session_id)
    if found is not None and found.revision != draft:
        raise Conflict(
            f"{session_id} 有草稿({found.by} 先前写的),没有提交。\n"
            f"接着写:hotline sessions write {session_id}(已提交过的用 amend)\n"
            f"不要了:hotline sessions discard {session_id}"
        )


def _person_for(work: UnitOfWork, head: SessionRow, seen: Examined, actor: str, now: datetime) -> str | None:
    """Return whom the record is about.

    R17: of a third party's call that is always an entry of its own, whatever code the caller named: so
    nothing tells whether somebody is known. Supervisors see at review whom the code names, and merge.
    """
    if is_third_party(seen.answers):
        return new_person(work, number=None, actor=actor, now=now).id
    in_danger = seen.finding.level is not None and seen.finding.level <= Level.MEDIUM
    try:
        call = work.calls.get(head.call)
    except NotFound:  # calls are forgotten and told again; records stay
        call = None
    known = caller_of(work, call) if call else None
    if known is not None and (is_counselled(seen.answers) or in_danger):
        return known.id
    if is_counselled(seen.answers) or in_danger:
        number = call.number if call else None
        return new_person(work, number=number, actor=actor, now=now).id
    return None


def _write(
    work: UnitOfWork, head: SessionRow, seen: Examined, form: Form, desk: Desk, act: _Act
) -> Submitted:
    """Add the version after the newest one, and let the case follow from it."""
    head, version = _add_version(work, head, seen.answers, (form.id, form.checksum), act)
    case = follow(
        work,
        session=head,
        person=head.person,
        answers=seen.risk,
        ended_at=_ended_at(work, head),
        actor=act.by,
        now=act.at,
        rules=desk.rules,
        instruments=desk.instruments,
    )
    if work.book(DRAFTS).one(head.id) is not None:
        work.book(DRAFTS).remove(head.id)
    return Submitted(
        session=head,
        version=version,
        finding=seen.finding,
        case=case,
        marks=marks(seen.answers),
        tips=tips(seen.answers),
        report=owes_report(seen.answers),
        after=aftermath(work, head, case),
    )


#: What made a version -> how the audit names it.
_VERBS = {
    SessionStatus.SUBMITTED: "session.submit",
    SessionStatus.REVIEWED: "session.review",
    SessionStatus.AMENDED: "session.amend",
}


def _add_version(
    work: UnitOfWork, head: SessionRow, answers: Mapping[str, Any], form: tuple[str, str], act: _Act
) -> tuple[SessionRow, SessionVersion]:
    """Add a version after the newest one and point the head at it. `form`: its id and checksum."""
    version = SessionVersion(
        id=f"{head.id}/{head.version + 1}",
        session=head.id,
        n=head.version + 1,
        status=act.made,
        form=form[0],
        checksum=form[1],
        answers=answers,
        by=act.by,
        at=act.at,
        reason=act.reason.strip(),
    )
    after = replace(head, version=version.n)
    work.sessions.update(after, seen=head.version)
    work.book(SESSION_VERSIONS).add(version)
    note(work, act.by, _VERBS[act.made], head.id, act.at, field=f"v{version.n}")
    return after, version


def _ended_at(work: UnitOfWork, head: SessionRow) -> datetime:
    """Return when the call ended: deadlines run from there (R20). Nobody knows: from its beginning."""
    try:
        call = work.calls.get(head.call)
    except NotFound:
        return head.opened_at
    return call.parted_at or call.ended_at or head.opened_at


# --- amend, review, uptake -----------------------------------------------------------------


@guarded(Verb.SESSION_WRITE, Verb.SESSION_WRITE_FOR)
def amend(
    work: UnitOfWork,
    session_id: str,
    given: Mapping[str, Any],
    *,
    desk: Desk,
    seen: int,
    draft: int | None,
    actor: str,
    now: datetime,
    reason: str,
) -> Submitted:
    """Add a version to a submitted record, with the reason; what stood there before stays in its history.

    `seen`: the version it was made from. On the form it was first written on; fields the actor may not
    see stay as they are. Raises `Conflict` if somebody changed it meanwhile, and what `submit` raises.
    """
    user = allow(work, actor, Verb.SESSION_WRITE)
    head = work.sessions.get(session_id)
    check_writes(work, user, head)
    if not head.version:
        raise Refused(f"{session_id} 还没有提交,请用 hotline sessions write。")
    reason = checked_reason(reason)
    if head.version != seen:
        raise Conflict(
            f"{session_id} 刚被别人改过(现在是第 {head.version} 版,您看的是第 {seen} 版)。"
            "您写的还在草稿里:看过新的一版,再用 hotline sessions amend 打开。"
        )
    _check_draft(work, session_id, draft)
    before = _newest(work, head)
    form = form_of(work, before.form, known=desk.form)
    unseen = before.answers.keys() - visible_fields(form, user)
    kept = {name: before.answers[name] for name in unseen}
    examined = examine(form, desk, {**given, **kept})
    if examined.answers == before.answers:
        raise Refused("内容没有改动,没有另存新的一版。")
    _check_not_written_off(work, head, examined)
    head = replace(
        head, status=SessionStatus.AMENDED, person=_person_after(work, head, before, examined, actor, now)
    )
    act = _Act(by=actor, at=now, made=SessionStatus.AMENDED, reason=reason)
    return _write(work, head, examined, form, desk, act)


def _newest(work: UnitOfWork, head: SessionRow) -> SessionVersion:
    found = work.book(SESSION_VERSIONS).one(f"{head.id}/{head.version}")
    if found is None:
        check_kept(head, ())
        raise NotFound(f"{head.id} 没有第 {head.version} 版。")
    return found


def _person_after(
    work: UnitOfWork,
    head: SessionRow,
    before: SessionVersion,
    seen: Examined,
    actor: str,
    now: datetime,
) -> str | None:
    """Return whom an amended record is about: who it was, unless it says now that somebody else called."""
    same_caller = is_third_party(before.answers) == is_third_party(seen.answers)
    if head.person is not None and same_caller:
        return head.person
    return _person_for(work, head, seen, actor, now)


@guarded(Verb.SESSION_REVIEW)
def review(
    work: UnitOfWork, session_id: str, *, remarks: str, seen: int | None = None, actor: str, now: datetime
) -> SessionRow:
    """Note that a supervisor read a record, with remarks; return its head. It adds a version of its own.

    `seen`: the version that was read; None: the newest. Raises `Forbidden` for one's own record,
    `Refused` for one not submitted, reviewed already, or of a caller whom nobody at an agency took by name,
    and `Conflict` if it changed since it was read.
    """
    allow(work, actor, Verb.SESSION_REVIEW)
    head = work.sessions.get(session_id)
    if not head.version:
        raise Refused(f"{session_id} 还没有提交,没有可审阅的。")
    if head.status is SessionStatus.REVIEWED:
        raise Refused(f"{session_id} 已经审阅过。")
    _check_handed_over(work, head)
    if seen is not None and head.version != seen:
        raise Conflict(f"{session_id} 刚被改过(现在是第 {head.version} 版),请先看新的一版。")
    before = _newest(work, head)
    if actor in (head.counsellor, before.by):
        raise Forbidden("自己写的记录要由另一位督导审阅。")
    head = replace(head, status=SessionStatus.REVIEWED)
    act = _Act(by=actor, at=now, made=SessionStatus.REVIEWED, reason=remarks)
    head, _ = _add_version(work, head, before.answers, (before.form, before.checksum), act)
    return head


def _check_handed_over(work: UnitOfWork, head: SessionRow) -> None:
    """Raise `Refused` while nobody at an agency has said by name that they have this caller (R45)."""
    open_ones = [one for one in open_about(work, f"call:{head.call}") if is_to_agency(one)]
    if open_ones:
        raise Refused(
            f"{open_ones[0].id}：交给 {open_ones[0].to} 还没有人具名接下，记录不能结束。"
            "问到对方姓名后登记 hotline handover accept。"
        )


@guarded(Verb.SESSION_WRITE, Verb.SESSION_WRITE_FOR)
def note_uptake(
    work: UnitOfWork, session_id: str, n: int, uptake: str, *, actor: str, now: datetime, reason: str = ""
) -> SessionVersion:
    """Note what became of referral `n` of a record (1-based), asked later. A review stays as it is.

    Raises `NotFound`, `Forbidden`, and `Refused` for a referral or a word that is none.
    """
    user = allow(work, actor, Verb.SESSION_WRITE)
    head = work.sessions.get(session_id)
    check_writes(work, user, head)
    if not head.version:
        raise Refused(f"{session_id} 还没有提交。")
    if uptake not in UPTAKES:
        raise Refused(f"没有「{uptake[:20]}」这个去向,请用:{'、'.join(UPTAKES)}。")
    before = _newest(work, head)
    referrals = [dict(one) for one in before.answers.get("referrals", ())]
    if not 1 <= n <= len(referrals):
        raise Refused(f"{session_id} 有 {len(referrals)} 条转介,没有第 {n} 条。")
    referrals[n - 1]["uptake"] = uptake
    answers = {**before.answers, "referrals": referrals}
    told = f"转介第 {n} 条:{uptake}。{reason}"
    act = _Act(by=actor, at=now, made=SessionStatus.AMENDED, reason=told)
    _, version = _add_version(work, head, answers, (before.form, before.checksum), act)
    return version
