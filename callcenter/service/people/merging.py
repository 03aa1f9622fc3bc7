"""Two entries found to be one person: merged by a supervisor, and taken apart again when that was wrong.

What can move moves to the entry that stays; what is append-only is read across both. Which is which,
and why: decision 0019. Nothing is lost either way, and no debt ends because of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from callcenter.domain.access import Verb
from callcenter.domain.books import CASE_EVENTS, CASES, MERGES, PLANS, RESCUES
from callcenter.domain.case_rules import is_alarming
from callcenter.domain.cases import Case, CaseEvent, CaseState, CloseReason
from callcenter.domain.merging import emptied, joined, one_case, own_case, parted
from callcenter.domain.people import OWED_STATUSES, Consent, ConsentKind, Person, in_force
from callcenter.domain.privacy import Merge
from callcenter.domain.verifying import file_of_exit
from callcenter.errors import Conflict, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.people.blocking import lift_for_case
from callcenter.service.people.entries import entry, group_of, named, open_cases
from callcenter.service.people.people import checked_reason
from callcenter.service.people.wishes import bind_again
from scheduler.obligations import OF_REGISTER, ClosingKind, Kind, Obligation

#: Why the later of two routine debts ended.
ONE_DEBT = "合并为同一人,例行回访只欠一次"
#: Why nothing is proposed any more, and why a supervisor's name is gone.
UNPROPOSED = "与另一个案合并,合并前的提议作废"
UNKNOWN = "并入的个案还没有督导确认"
#: Why a debt ended of a file that went back to its own entry.
FILE_BACK = "合并拆开,档案归还"
_SYSTEM = "system"


@guarded(Verb.PEOPLE_MERGE)
def merge(
    work: UnitOfWork,
    kept_id: str,
    merged_id: str,
    *,
    actor: str,
    now: datetime,
    reason: str,
    dry_run: bool = False,
) -> Merge:
    """Make one entry stand for both and return what moves (or, with `dry_run`, would move).

    Raises `Refused` without a reason, for one and the same entry, and while somebody is being dialled.
    """
    allow(work, actor, Verb.PEOPLE_MERGE)
    told = checked_reason(reason)
    kept, merged = named(work, kept_id), entry(work, merged_id)
    _check_two(work, kept, merged, now)
    closing, going = _cases(work, kept, merged)
    planned = Merge(
        id=f"me-{uuid4().hex[:12]}",
        kept=kept.id,
        merged=merged.id,
        by=actor,
        at=now,
        reason=told,
        moved={**_movable(work, kept, merged), "rescue": _rescues(work, closing)},
        kept_before=kept,
        merged_before=merged,
        cases_before=(closing, going) if closing and going else (),
    )
    if not dry_run:
        _carry_out(work, planned)
        _note(work, actor, "people.merge", (kept.id, merged.id), now, told)
    return planned


@guarded(Verb.PEOPLE_MERGE)
def unmerge(
    work: UnitOfWork, merge_id: str, *, actor: str, now: datetime, reason: str, dry_run: bool = False
) -> Merge:
    """Take a merge apart: what moved goes back, what is newer stays with the entry that was kept.

    Opt-outs and withdrawals since then bind both: nobody knows any more whose they were. Raises `NotFound`,
    and `Refused` if it was taken apart already, or a later merge stands on it.
    """
    allow(work, actor, Verb.PEOPLE_MERGE)
    told, done = checked_reason(reason), work.book(MERGES).get(merge_id)
    kept, merged = work.people.get(done.kept), work.people.get(done.merged)
    if done.undone_at is not None or merged.merged_into != kept.id:
        raise Refused(f"{merge_id} 已经拆开。")
    if done.kept_before is None or done.merged_before is None:
        raise Refused("其中的资料已按规定删除,不能再拆开。")
    if kept.merged_into is not None:
        raise Refused("保留的一方后来又并入了别人,请先拆开较晚的那一次。")
    _check_idle(work, (kept.id,), now)
    back = _still_there(work, done)
    if dry_run:
        return replace(done, moved=back)
    _take_apart(work, done, back, now)
    _note(work, actor, "people.unmerge", (kept.id, merged.id), now, told)
    return work.book(MERGES).put(replace(done, undone_at=now, undone_by=actor))


@guarded(Verb.PEOPLE_MERGE)
def merges_of(work: UnitOfWork, person_id: str, *, actor: str, now: datetime) -> list[Merge]:
    """Return the merges that stand into the entry which stands for this one, newest first."""
    allow(work, actor, Verb.PEOPLE_MERGE)
    group = group_of(work, named(work, person_id))
    found = [one for entry in group for one in work.book(MERGES).where(kept=entry) if one.undone_at is None]
    return sorted(found, key=lambda one: (one.at, one.id), reverse=True)


# --- what moves ----------------------------------------------------------------------------


def _check_two(work: UnitOfWork, kept: Person, merged: Person, now: datetime) -> None:
    if merged.merged_into is not None:
        raise Refused(f"{merged.code} 早已并入别人。")
    if kept.id == merged.id:
        raise Refused("两边是同一份资料。")
    _check_idle(work, (kept.id, merged.id), now)


def _check_idle(work: UnitOfWork, people: tuple[str, ...], now: datetime) -> None:
    """Refuse while somebody works on a debt of theirs: a call under way belongs where it was placed for."""
    doubtful = {attempt.obligation for attempt in work.debts.attempts_in_doubt()}
    for owed in (o for person in people for o in work.debts.open(person=person)):
        if owed.id in doubtful or (owed.lease is not None and owed.lease.holds(now)):
            raise Refused("正有人在联系此人,或有一通电话还不知道结果。请过几分钟再试。")


def _movable(work: UnitOfWork, kept: Person, merged: Person) -> dict[str, tuple[str, ...]]:
    later = [one for kind in sorted(OF_REGISTER) if (one := _later_routine(work, kind, kept, merged))]
    return {
        "phone": tuple(phone.number for phone in merged.phones),
        "obligation": tuple(o.id for o in work.debts.of_person(merged.id)),
        "closed": tuple(one.id for one in later),
        "session": tuple(s.id for s in work.sessions.of_person(merged.id)),
        "case": tuple(c.id for c in work.book(CASES).where(person=merged.id)),
        "file": tuple(f.file_no for f in work.people.files_of(merged.id)),
        "plan": tuple(p.id for p in work.book(PLANS).where(person=merged.id)),
    }


def _later_routine(work: UnitOfWork, kind: Kind, kept: Person, merged: Person) -> Obligation | None:
    """Return the one of two routine debts of a kind that ends: the other one's breach comes first."""
    both = [o for one in (kept, merged) for o in work.debts.open(person=one.id) if o.kind is kind]
    return max(both, key=lambda o: (o.window_end, o.person != kept.id)) if len(both) > 1 else None


def _cases(work: UnitOfWork, kept: Person, merged: Person) -> tuple[Case | None, Case | None]:
    """Return which of two open cases ends, and which goes on: the worse one, of equals the kept one's."""
    both = [*open_cases(work, kept), *open_cases(work, merged)]
    if len(both) < 2:
        return None, None
    if len(both) > 2:
        raise Refused("一方有不止一个未结的个案,请先结掉多余的。")
    going = min(both, key=lambda case: (case.level, case.person != kept.id))
    return next(case for case in both if case.id != going.id), going


def _carry_out(work: UnitOfWork, done: Merge) -> None:
    kept, merged, moved = done.kept, done.merged, done.moved
    if done.kept_before is None or done.merged_before is None:
        raise ValueError("a merge knows both entries as they were")
    for obligation_id in moved["closed"]:
        work.debts.close(obligation_id, ONE_DEBT, done.by, done.at, ClosingKind.DUPLICATE)
    for obligation_id in moved["obligation"]:
        work.debts.move(obligation_id, kept)
    _move_sessions(work, moved["session"], merged, kept)
    for case_id in moved["case"]:
        work.book(CASES).put(replace(work.book(CASES).get(case_id), person=kept))
    _move_files(work, moved["file"], kept)
    _move_plans(work, moved["plan"], kept)
    said = [work.people.suppressions(entry) for entry in (kept, merged)]
    # First the numbers leave one entry, so that each has one owner at any moment.
    work.people.update(emptied(done.merged_before, kept))
    work.people.update(joined(done.kept_before, done.merged_before))
    work.book(MERGES).add(done)
    bind_again(work, kept, said, done.at)
    _make_one_case(work, done)
    lift_for_case(work, kept, now=done.at)


def _make_one_case(work: UnitOfWork, done: Merge) -> None:
    """End one of two open cases; what is owed under it, and who is being searched for, goes on (R12, R14)."""
    if len(done.cases_before) < 2:
        return
    book = work.book(CASES)
    closing, going = (book.get(case.id) for case in done.cases_before)
    book.put(one_case(going, closing))
    ended = replace(closing, state=CaseState.CLOSED, close_reason=CloseReason.MERGED, closed_at=done.at)
    book.put(replace(ended, proposed=None, ending=None, alarming_since=None))
    _move_rescues(work, done.moved["rescue"], closing, going)
    for case in (going, closing):
        if case.proposed is not None or case.ending is not None:
            _log(work, case, "withdrawn", done.by, done.at, UNPROPOSED)
    if going.acknowledged_at is not None and is_alarming(closing):
        _log(work, going, "unacknowledged", done.by, done.at, UNKNOWN)
    _log(work, closing, "closed", done.by, done.at, CloseReason.MERGED)


def _rescues(work: UnitOfWork, closing: Case | None) -> tuple[str, ...]:
    found = work.book(RESCUES).where(case=closing.id) if closing else ()
    return tuple(sorted(rescue.id for rescue in found))


def _move_rescues(work: UnitOfWork, ids: Iterable[str], before: Case, after: Case) -> None:
    for rescue in filter(None, map(work.book(RESCUES).one, ids)):
        if rescue.case == before.id:
            work.book(RESCUES).put(replace(rescue, case=after.id))


def _move_sessions(work: UnitOfWork, ids: Iterable[str], before: str, after: str) -> None:
    for session_id in ids:
        session = work.sessions.get(session_id)
        if session.person == before:
            work.sessions.update(replace(session, person=after), seen=session.version)


def _move_files(work: UnitOfWork, numbers: Iterable[str], person: str) -> None:
    for file in filter(None, map(work.people.file, numbers)):
        work.people.put_file(replace(file, person=person))


def _move_plans(work: UnitOfWork, ids: Iterable[str], person: str) -> None:
    for plan in filter(None, map(work.book(PLANS).one, ids)):
        work.book(PLANS).put(replace(plan, person=person))


# --- and back ------------------------------------------------------------------------------


def _still_there(work: UnitOfWork, done: Merge) -> dict[str, tuple[str, ...]]:
    """Return those of the moved rows that still stand with the kept entry."""
    owed = {o.id for o in work.debts.of_person(done.kept)}
    sessions = {s.id for s in work.sessions.of_person(done.kept)}
    files = {f.file_no for f in work.people.files_of(done.kept)}
    cases = {c.id for c in work.book(CASES).where(person=done.kept)}
    phones = {phone.number for phone in work.people.get(done.kept).phones}
    plans = {p.id for p in work.book(PLANS).where(person=done.kept)}
    standing = {
        "phone": phones,
        "obligation": owed,
        "session": sessions,
        "file": files,
        "case": cases,
        "plan": plans,
    }
    # A merge of before there were plans moved none.
    moved = {kind: tuple(i for i in done.moved.get(kind, ()) if i in ids) for kind, ids in standing.items()}
    return {**moved, "closed": done.moved["closed"]}


def _take_apart(work: UnitOfWork, done: Merge, back: dict[str, tuple[str, ...]], now: datetime) -> None:
    if done.kept_before is None or done.merged_before is None:
        raise ValueError("a merge knows both entries as they were")
    _part_cases(work, done, now)
    for obligation_id in back["obligation"]:
        work.debts.move(obligation_id, done.merged)
    _give_along(work, done, back["file"], now)
    _move_sessions(work, back["session"], done.kept, done.merged)
    for case_id in back["case"]:
        work.book(CASES).put(replace(work.book(CASES).get(case_id), person=done.merged))
    _move_files(work, back["file"], done.merged)
    _move_plans(work, back["plan"], done.merged)
    _bind_both(work, done, now)
    kept, merged = parted(work.people.get(done.kept), done.kept_before, done.merged_before)
    spoken = work.people.get(done.merged).spoken
    work.people.update(kept)
    work.people.update(replace(merged, spoken=spoken))
    for obligation_id in back["closed"]:
        _owe_again(work, obligation_id)
    # What is owed to either now is the next sweep's to say.
    work.people.touch((done.kept, done.merged))


def _give_along(work: UnitOfWork, done: Merge, files: tuple[str, ...], now: datetime) -> None:
    """Give what is owed by files that go back to who has them again, whenever it was opened."""
    for owed in work.debts.open(person=done.kept):
        of_register = owed.kind in OF_REGISTER and owed.origin.split("#")[0] in files
        if not (of_register or file_of_exit(owed) in files):
            continue
        try:
            work.debts.move(owed.id, done.merged)
        except Conflict:  # they had the very same before: the next sweep owes it anew
            work.debts.close(owed.id, FILE_BACK, _SYSTEM, now, ClosingKind.SUPERSEDED)


def _owe_again(work: UnitOfWork, obligation_id: str) -> None:
    """Open a routine debt again that ended by the merge, where it is still owed and not owed already."""
    ended = work.debts.get(obligation_id)
    if ended.closing is None or ended.closing.reason != ONE_DEBT:
        return
    file = work.people.file(ended.origin.split("#")[0])
    is_in = file is not None and file.person == ended.person and file.status in OWED_STATUSES
    if is_in and not any(o.kind is ended.kind for o in work.debts.open(person=ended.person)):
        work.debts.reopen(obligation_id)


def _part_cases(work: UnitOfWork, done: Merge, now: datetime) -> None:
    if len(done.cases_before) < 2:
        return
    book, (closing, going) = work.book(CASES), done.cases_before
    present, ended = book.get(going.id), book.get(closing.id)
    book.put(own_case(present, going, closing))
    # A rescue goes back with what was learned in it since.
    _move_rescues(work, done.moved.get("rescue", ()), going, closing)
    if ended.close_reason is CloseReason.MERGED:
        again = replace(closing, person=ended.person, revision=ended.revision, proposed=None, ending=None)
        book.put(again)
        _log(work, closing, "reopened", done.by, now, "合并拆开")


def _bind_both(work: UnitOfWork, done: Merge, now: datetime) -> None:
    """Say again for the parted entry what was refused while both were one (R32); what was lifted is not."""
    since = [w for w in work.people.suppressions(done.kept) if w.person == done.kept and w.at > done.at]
    for wish in in_force(since, now):
        work.people.add_suppression(replace(wish, person=done.merged))
    last: dict[ConsentKind, Consent] = {}
    for said in work.people.consents(done.kept):
        if said.person == done.kept and said.at > done.at:
            last[said.kind] = said
    for said in (one for one in last.values() if not one.granted):
        work.people.add_consent(replace(said, person=done.merged))


def _log(work: UnitOfWork, case: Case, kind: str, by: str, at: datetime, reason: str) -> None:
    event = CaseEvent(id=f"ce-{uuid4().hex[:16]}", case=case.id, kind=kind, by=by, at=at, reason=reason)
    work.book(CASE_EVENTS).add(event)


def _note(work: UnitOfWork, actor: str, verb: str, people: Iterable[str], now: datetime, reason: str) -> None:
    for person_id in people:
        entry = AuditEntry(actor=actor, verb=verb, object=f"person:{person_id}", at=now, reason=reason)
        work.audit.append(entry)
