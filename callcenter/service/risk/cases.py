"""Following a record: it opens or re-levels the person's case and owes them contact (R12, R20, R21).

What people do with a case afterwards stands in `callcenter.service.risk.case_verbs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from secrets import token_hex

from callcenter.domain.access import Verb
from callcenter.domain.books import ASSESSMENTS, CASE_EVENTS, CASES, FORMS
from callcenter.domain.case_rules import Change, Note, Ruling, in_hand, lowered, relevelled, ruling
from callcenter.domain.cases import Case, CaseEvent, CaseState
from callcenter.domain.instruments import Instrument, load_instruments, whole_text
from callcenter.domain.levels import Level
from callcenter.domain.people import Person
from callcenter.domain.reasons import explains
from callcenter.domain.risk import Assessment, RiskAnswers, finding, scored
from callcenter.domain.scoring import Scored
from callcenter.domain.sessions import FormText, SessionRow
from callcenter.errors import Conflict, NotFound, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.duty import debriefs
from callcenter.service.followup.case_steps import agree, case_of, climb
from callcenter.service.followup.debts import done_by_call
from callcenter.service.names import digest
from callcenter.service.people.blocking import lift_for_case
from callcenter.service.people.entries import open_cases, resolve
from callcenter.service.risk.rescues import ensure_form
from scheduler.gates import Rules

#: How often a level is decided anew after somebody else changed the case at the same moment.
_TRIES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What a record says, and when: everything that following it depends on."""

    #: The session's id; or, where nobody has written one yet, the call's.
    source: str
    ruling: Ruling
    answers: RiskAnswers
    #: End of the call: deadlines run from here (R20).
    ended_at: datetime
    owner: str | None
    actor: str
    now: datetime
    rules: Rules


@guarded(Verb.CASE_ACT)
def follow(
    work: UnitOfWork,
    *,
    session: SessionRow,
    person: str | None,
    answers: RiskAnswers,
    ended_at: datetime,
    actor: str,
    now: datetime,
    rules: Rules,
    instruments: Mapping[str, Instrument] | None = None,
) -> Case | None:
    """Keep what a record's instruments came to, and open or re-level the person's case (R20).

    Amending calls it again: the same answers change nothing, and the level goes down only with a
    reason. Raises `Refused` for danger to nobody, and for answers no instrument knows.
    """
    allow(work, actor, Verb.CASE_ACT)
    known = load_instruments() if instruments is None else instruments
    ruled = ruling(finding(answers, known, end_intent=rules.risk.end_intent), answers)
    _keep_assessments(work, session.id, person, scored(answers, known), answers, actor, now)
    if person is None:
        if ruled.level is not None and ruled.level <= Level.MEDIUM:
            raise Refused("有危险的记录要有当事人；不知道是谁，也请建一个匿名的人。")
        return None
    told = Told(
        source=session.id,
        ruling=ruled,
        answers=answers,
        ended_at=ended_at,
        owner=session.counsellor or actor,
        actor=actor,
        now=now,
        rules=rules,
    )
    _prove_followed_up(work, session, actor, now, rules)
    if ruled.level is not None and ruled.level.is_high and told.owner is not None:
        debriefs.owe(work, told.owner, session.call, by=actor, now=now)
    return follow_told(work, resolve(work, person), told)


def follow_told(work: UnitOfWork, person: Person, told: Told) -> Case | None:
    """Open or re-level somebody's case. Decided anew if somebody else did so at the same moment."""
    for _ in range(_TRIES - 1):
        with suppress(Conflict):
            return _follow_once(work, person, told)
    return _follow_once(work, person, told)


def _follow_once(work: UnitOfWork, person: Person, told: Told) -> Case | None:
    # Looked up before looking for a case: whoever opens one in between takes the place, and we meet a
    # `Conflict`.
    place = _next_place(work, person)
    standing = next(iter(open_cases(work, person)), None)
    level = told.ruling.level
    if standing is None:
        return (
            None
            if level is None or not _needs_case(work, person, level, told)
            else _opened(work, person, told, place)
        )
    case = standing
    if level is not None and _is_new(standing, level, told):
        case = _relevelled(work, standing, level, told)
    elif level == standing.level and standing.anchor == told.source and _is_later(standing, told):
        # Begun by a rescue while they talked: deadlines run from the end of the call (R20).
        case = _on_ladder(work, standing, told)
    elif level is not None and level > standing.level and _may_lower(standing, told):
        case = _lowered(work, standing, level, told.answers.given_reason, told)
    if told.ruling.lower_to is not None and told.ruling.lower_to > case.level and _may_lower(case, told):
        case = _lowered(work, case, told.ruling.lower_to, told.answers.given_reason, told)
    return _agreed(work, case, told)


def _needs_case(work: UnitOfWork, person: Person, level: Level, told: Told) -> bool:
    """Tell whether the level calls for a case: not if this very record's case was closed by somebody."""
    followed = level <= Level.MEDIUM or told.rules.risk.steps[int(level)] or told.answers.follow_up_at
    ended = [c for c in work.book(CASES).where(person=person.id) if told.source in (c.opened_from, c.anchor)]
    return bool(followed) and not any(level >= case.level for case in ended)


def _is_new(case: Case, level: Level, told: Told) -> bool:
    """Tell whether this is a contact at the same or a worse level that the ladder does not know yet."""
    if level != case.level:
        return level < case.level
    return case.anchor != told.source and _is_later(case, told)


def _is_later(case: Case, told: Told) -> bool:
    return case.anchored_at is None or told.ended_at > case.anchored_at


def _may_lower(case: Case, told: Told) -> bool:
    """Tell whether somebody asked and gave a reason, in the newest record: an older one is no news."""
    newest = case.anchored_at is None or told.ended_at >= case.anchored_at
    return newest and told.answers.asked and explains(told.answers.given_reason)


def _opened(work: UnitOfWork, person: Person, told: Told, place: str) -> Case:
    level = told.ruling.level
    if level is None:
        raise ValueError("a case has a level")
    case = Case(
        # By chance: what names a case stands in alarms and in the audit, and must tell nobody whose it is.
        id=f"ca-{token_hex(6)}",
        person=person.id,
        level=level,
        # Who opens their own case has it in hand.
        state=CaseState.ACTIVE if told.owner == told.actor else CaseState.OPEN,
        owner=told.owner,
        opened_at=told.now,
        opened_from=told.source,
        alarming_since=told.now if level.is_high else None,
        key=token_hex(8),
    )
    # First of all, so that a `Conflict` leaves nothing behind.
    _log(work, case, place, Note(kind="opened", after=str(int(level))), by=told.actor, now=told.now)
    work.book(CASES).add(case)
    # How urgent somebody is, and who looks after them, decides whom their next call rings: within seconds.
    work.roster.touch()
    lift_for_case(work, person.id, now=told.now)
    case = _on_ladder(work, case, told)
    if told.ruling.lower_to is not None:
        case = _lowered(work, case, told.ruling.lower_to, told.answers.given_reason, told)
    return _agreed(work, case, told)


def _next_place(work: UnitOfWork, person: Person) -> str:
    """Return the id of the first entry in the log of somebody's next case.

    The same for whoever else opens one at this moment: the second one meets a `Conflict`. It is shown to
    nobody. Before all other entries of a case in order.
    """
    stem, book = f"ce-a-{digest(person.id)}", work.book(CASE_EVENTS)
    return next(name for n in count(1) if book.one(name := f"{stem}-{n}") is None)


def _relevelled(work: UnitOfWork, case: Case, level: Level, told: Told) -> Case:
    change = relevelled(case, level, reason=f"记录 {told.source}", now=told.now)
    if case.state is CaseState.OPEN and told.actor == case.owner:
        change = in_hand(change)
    saved = save(work, change, by=told.actor, now=told.now)
    return _on_ladder(work, saved, told)


def _on_ladder(work: UnitOfWork, case: Case, told: Told) -> Case:
    if case.level is Level.IMMINENT:
        ensure_form(work, case, session=told.source, by=told.actor, now=told.now)
    return work.book(CASES).put(
        climb(
            work,
            case,
            anchor=told.source,
            since=told.ended_at,
            rules=told.rules,
            by=told.actor,
            now=told.now,
        )
    )


def _lowered(work: UnitOfWork, case: Case, level: Level, reason: str, told: Told) -> Case:
    if case.proposed is not None and case.proposed.level == level and case.anchor == told.source:
        return case
    change = lowered(case, level, by=told.actor, reason=reason, now=told.now)
    saved = save(work, change, by=told.actor, now=told.now)
    return saved if saved.level == case.level else _on_ladder(work, saved, told)


def _agreed(work: UnitOfWork, case: Case, told: Told) -> Case:
    at = told.answers.follow_up_at
    if at is None:
        return case
    after = agree(work, case, max(at, told.ended_at), rules=told.rules, by=told.actor, now=told.now)
    return case if after == case else work.book(CASES).put(after)


def save(work: UnitOfWork, change: Change, *, by: str, now: datetime) -> Case:
    """Save a case and log what happened. Raises `Conflict` if somebody changed it since it was read."""
    saved = work.book(CASES).put(change.case)
    work.roster.touch()
    log_notes(work, saved, change.notes, by=by, now=now)
    # R19: who is in danger is put through.
    lift_for_case(work, saved.person, now=now)
    return saved


def log_notes(work: UnitOfWork, case: Case, notes: tuple[Note, ...], *, by: str, now: datetime) -> None:
    """Append to the case's log, and to the audit without what was said."""
    known = len(work.book(CASE_EVENTS).where(case=case.id))
    for place, note in enumerate(notes, start=known + 1):
        _log(work, case, f"ce-{case.id}-{place:04d}", note, by=by, now=now)


def _log(work: UnitOfWork, case: Case, name: str, note: Note, *, by: str, now: datetime) -> None:
    entry = CaseEvent(
        id=name,
        case=case.id,
        kind=note.kind,
        before=note.before,
        after=note.after,
        by=note.first or by,
        second=note.second,
        reason=note.reason,
        at=now,
    )
    work.book(CASE_EVENTS).add(entry)
    work.audit.append(
        AuditEntry(actor=by, verb=f"case.{note.kind}", object=f"case:{case.id}", at=now, field=note.kind)
    )


def _keep_assessments(
    work: UnitOfWork,
    session: str,
    person: str | None,
    found: tuple[Scored, ...],
    answers: RiskAnswers,
    actor: str,
    now: datetime,
) -> None:
    """Append each instrument's answers and result, once: the same again is no new one."""
    for one in found:
        _keep_definition(work, one.instrument, now)
    book = work.book(ASSESSMENTS)
    kept = {_told_by(one) for one in book.where(session=session)}
    for one in found:
        instrument = one.instrument
        row = Assessment(
            id=f"as-{token_hex(8)}",
            session=session,
            person=person or "",
            instrument=instrument.id,
            version=instrument.version,
            checksum=instrument.checksum,
            answers=dict(answers.items.get(instrument.id, {})),
            score=one.score,
            band=one.band,
            level=one.level,
            by=actor,
            at=now,
        )
        if _told_by(row) not in kept:
            book.add(row)


def _keep_definition(work: UnitOfWork, instrument: Instrument, now: datetime) -> None:
    """Keep an instrument as it was in use, so that old scores stay readable, and a version means one text.

    Raises `Refused` for one that changed while its version did not.
    """
    text = FormText(
        id=f"instrument/{instrument.id}/{instrument.version}",
        checksum=instrument.checksum,
        text=whole_text(instrument),
        first_used_at=now,
    )
    known = work.book(FORMS).one(text.id)
    if known is None:
        with suppress(Conflict):  # somebody else used it first, at this very moment
            work.book(FORMS).add(text)
        known = work.book(FORMS).get(text.id)
    if known.checksum != instrument.checksum:
        raise Refused(
            f"量表 {instrument.id} 的内容变了，版本还是 {instrument.version}：请提高它文件里的 version 再用。"
        )


def _told_by(one: Assessment) -> tuple[object, ...]:
    return one.instrument, one.checksum, one.person, tuple(sorted(one.answers.items())), one.score


def _prove_followed_up(
    work: UnitOfWork, session: SessionRow, actor: str, now: datetime, rules: Rules
) -> None:
    """Count the call as the contact that was owed, if it was dialled for a step of a case."""
    attempt = work.debts.attempt(session.call)
    if attempt is None or case_of(work.debts.get(attempt.obligation)) is None:
        return
    # What proves nothing, or was proven before, is no reason to refuse a record.
    with suppress(Refused, Conflict, NotFound):
        done_by_call(work, attempt.obligation, session.call, actor=actor, now=now, rules=rules)
