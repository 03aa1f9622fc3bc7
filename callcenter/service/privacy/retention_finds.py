"""What is due to go, rule by rule: each finder yields what has stood its time, held or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from callcenter.domain.books import (
    BLOCKS,
    CASES,
    DEBRIEFS,
    DRAFTS,
    EXPORTS,
    HANDOVERS,
    HOLDS,
    LISTENINGS,
    LOGINS,
    RECORDINGS,
    REQUESTS,
    SESSION_VERSIONS,
    SHIFT_SHEETS,
    BookOf,
)
from callcenter.domain.calls import CallRecord
from callcenter.domain.cases import CaseState
from callcenter.domain.handover import Handover, HandoverState
from callcenter.domain.ledger import ShiftSheet
from callcenter.domain.listening import Listening
from callcenter.domain.people import Person
from callcenter.domain.retention import Going, Rule, latest
from callcenter.domain.staff import Debrief
from callcenter.errors import NotFound
from callcenter.service.privacy.retention_ground import Ground as Ground
from callcenter.service.privacy.retention_ground import Terms as Terms

#: The first call of any line is younger.
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
#: Calls are looked through by so much at a time.
_STRIDE = timedelta(days=31)


def find(ground: Ground, rule: Rule) -> Iterator[Going]:
    """Return what has stood its time by a rule, held or not."""
    for thing, since in _FINDERS[rule](ground):
        if since is not None and ground.is_due(rule, since):
            yield Going(rule=rule, object=thing, since=since)


def is_still_due(ground: Ground, going: Going) -> bool:
    """Tell whether what was planned is still there and has still stood its time."""
    value = going.object.partition(":")[2]
    try:
        since = _clock(ground, going, value)
    except NotFound:
        return False
    return since is not None and ground.is_due(going.rule, since)


def _clock(ground: Ground, going: Going, value: str) -> datetime | None:
    work = ground.work
    match going.rule:
        case Rule.FORMS:
            return ground.session_clock(value) if ground.written_at(value) else None
        case Rule.CASES:
            is_open, closed = ground.cases_of(work.book(CASES).get(value).person)
            return None if is_open else closed
        case Rule.CALLS:
            return _call_clock(ground, work.calls.get(value))
        case Rule.HANDOVERS | Rule.DEBRIEFS | Rule.LISTENINGS | Rule.SHEETS:
            return _clock_of_words(ground, going.rule, value)
        case Rule.PEOPLE:
            person = work.people.get(value)
            if _is_followed(ground, person) or not _is_known(ground, person):
                return None
            # What dated them may have gone earlier in the same run.
            return _last_trace(ground, person) or going.since
        case Rule.UNREAD:
            return work.journal.unread_until(ground.until).get(value)
        case rule:
            # When these ended does not change any more; only somebody else may have taken them away.
            work.book(_BOOK_OF[rule]).get(value)
            return going.since


def _clock_of_words(ground: Ground, rule: Rule, value: str) -> datetime | None:
    work = ground.work
    match rule:
        case Rule.HANDOVERS:
            return _handover_clock(ground, work.book(HANDOVERS).get(value))
        case Rule.DEBRIEFS:
            return _debrief_clock(ground, work.book(DEBRIEFS).get(value))
        case Rule.LISTENINGS:
            return _listening_clock(ground, work.book(LISTENINGS).get(value))
        case _:
            return _sheet_clock(work.book(SHIFT_SHEETS).get(value))


_BOOK_OF: Mapping[Rule, BookOf[Any]] = {
    Rule.RECORDINGS: RECORDINGS,
    Rule.REQUESTS: REQUESTS,
    Rule.BLOCKS: BLOCKS,
    Rule.LOGINS: LOGINS,
    Rule.EXPORTS: EXPORTS,
    Rule.HOLDS: HOLDS,
}

_Found = Iterator[tuple[str, datetime | None]]


def _forms(ground: Ground) -> _Found:
    # What went already has neither versions nor a draft, so it is not found again.
    before = {"at": ground.until}
    old = {version["session"] for version in ground.work.book(SESSION_VERSIONS).outline(up_to=before)}
    drafts = {draft["id"] for draft in ground.work.book(DRAFTS).outline(up_to=before)}
    for session in sorted(old | drafts):
        yield f"session:{session}", ground.session_clock(session)


def _cases(ground: Ground) -> _Found:
    for case in ground.work.book(CASES).where(state=CaseState.CLOSED):
        is_open, closed = ground.cases_of(case.person)
        yield f"case:{case.id}", None if is_open else closed


def _handovers(ground: Ground) -> _Found:
    for one in ground.work.book(HANDOVERS).where():
        yield f"handover:{one.id}", _handover_clock(ground, one)


def _handover_clock(ground: Ground, one: Handover) -> datetime | None:
    """Return from when its time counts; None: nobody took it yet, or it goes with its case."""
    kind, _, about = one.about.partition(":")
    with_case = kind == "case" and ground.work.book(CASES).one(about) is not None
    if one.state is HandoverState.OPEN or with_case:
        return None
    return _words_clock(ground, about if kind == "call" else "", [one.sent_at, one.accepted_at])


def _debriefs(ground: Ground) -> _Found:
    for one in ground.work.book(DEBRIEFS).where():
        yield f"debrief:{one.id}", _debrief_clock(ground, one)


def _debrief_clock(ground: Ground, one: Debrief) -> datetime | None:
    return _words_clock(ground, one.about, [one.since, one.at]) if one.note else None


def _listenings(ground: Ground) -> _Found:
    for one in ground.work.book(LISTENINGS).where(up_to={"asked_at": ground.until}):
        yield f"listening:{one.id}", _listening_clock(ground, one)


def _listening_clock(ground: Ground, one: Listening) -> datetime | None:
    return _words_clock(ground, one.call, [one.asked_at, one.ended_at]) if one.reason else None


def _sheets(ground: Ground) -> _Found:
    for one in ground.work.book(SHIFT_SHEETS).where(up_to={"at": ground.until}):
        yield f"sheet:{one.id}", _sheet_clock(one)


def _sheet_clock(one: ShiftSheet) -> datetime | None:
    """Return from when its time counts; None: nobody took it over yet, or it is blank."""
    return latest([one.at, one.accepted_at]) if one.accepted_at and (one.note or one.lines) else None


def _words_clock(ground: Ground, call: str, moments: list[datetime | None]) -> datetime | None:
    """Return from when the time of words about a call counts; None: not while its record stays."""
    session = ground.session_of(call)
    stays = session is not None and not ground.record_goes(session)
    return None if stays else latest(moments)


def _recordings(ground: Ground) -> _Found:
    for recording in ground.work.book(RECORDINGS).where(up_to={"at": ground.until}):
        yield f"recording:{recording.id}", recording.at


def _calls(ground: Ground) -> _Found:
    start = _BEGINNING
    while start < ground.until:
        for call in ground.work.calls.between(start, min(start + _STRIDE, ground.until)):
            if not call.is_open and (call.number or call.kept or call.answers):
                yield f"call:{call.id}", _call_clock(ground, call)
        start += _STRIDE


def _call_clock(ground: Ground, call: CallRecord) -> datetime | None:
    """Return from when a call's time counts; None: not while its record stays."""
    return _words_clock(ground, call.id, [call.started_at, call.ended_at])


def _requests(ground: Ground) -> _Found:
    for request in ground.work.book(REQUESTS).where():
        yield f"request:{request.id}", request.answered_at


def _people(ground: Ground) -> _Found:
    for person in ground.work.people.all():
        if person.merged_into is None and _is_known(ground, person):
            yield f"person:{person.id}", _person_clock(ground, person)


def _is_known(ground: Ground, person: Person) -> bool:
    """Tell whether anything here says who somebody is."""
    group = ground.work.people.many(ground.entries(person.id)).values()
    return any(one.name or one.phones or one.birth_month or one.birth_year for one in group)


def _person_clock(ground: Ground, person: Person) -> datetime | None:
    """Return when we last had to do with somebody; None: we still have, or nobody knows when."""
    return None if _is_followed(ground, person) else _last_trace(ground, person)


def _is_followed(ground: Ground, person: Person) -> bool:
    """Tell whether we still have to do with somebody: a case, a file, a debt, a record that stays."""
    is_open, closed = ground.cases_of(person.id)
    if is_open or (closed is not None and not ground.is_due(Rule.CASES, closed)):
        return True
    return any(_is_looked_after(ground, entry) for entry in ground.entries(person.id))


def _last_trace(ground: Ground, person: Person) -> datetime | None:
    return latest(moment for entry in ground.entries(person.id) for moment in _traces(ground, entry))


def _is_looked_after(ground: Ground, entry: str) -> bool:
    """Tell whether somebody is in a file that counts, is owed something, asks, or has a record that stays."""
    stays = (session for session in ground.sessions_about(entry) if not ground.record_goes(session.id))
    return ground.is_claimed(entry) or any(stays)


def _traces(ground: Ground, entry: str) -> Iterator[datetime | None]:
    work = ground.work
    person = work.people.get(entry)
    # When they were added. Who looked at them since, or held them, does not make them stay longer.
    yield from (added.at for added in work.audit.recent(1, object=f"person:{entry}", verb="people.add"))
    for file in work.people.files_of(entry):
        yield datetime(file.since.year, file.since.month, file.since.day, tzinfo=UTC)
    yield from (consent.at for consent in work.people.consents(entry))
    yield from (suppression.at for suppression in work.people.suppressions(entry))
    for owed in work.debts.of_person(entry):
        yield latest([owed.created_at, owed.closing.at if owed.closing else None])
    yield work.debts.last_contact(entry)
    yield from (request.answered_at for request in work.book(REQUESTS).where(person=entry))
    # All of these have stood their time, or we would not be here.
    yield from (session.opened_at for session in ground.sessions_about(entry))
    for phone in person.phones:
        yield from (call.started_at for call in work.calls.of_number(phone.number, 1))


def _blocks(ground: Ground) -> _Found:
    for block in ground.work.book(BLOCKS).where(up_to={"until": ground.until}):
        yield f"block:{block.id}", block.until


def _logins(ground: Ground) -> _Found:
    for login in ground.work.book(LOGINS).where(up_to={"expires_at": ground.until}):
        yield f"login:{login.id}", login.expires_at


def _exports(ground: Ground) -> _Found:
    for export in ground.work.book(EXPORTS).where(up_to={"deleted_at": ground.until}):
        yield f"export:{export.id}", export.deleted_at


def _unread(ground: Ground) -> _Found:
    for key, at in sorted(ground.work.journal.unread_until(ground.until).items()):
        yield f"unread:{key}", at


def _holds(ground: Ground) -> _Found:
    for hold in ground.work.book(HOLDS).where(up_to={"released_at": ground.until}):
        yield f"hold:{hold.id}", hold.released_at


_FINDERS: Mapping[Rule, Callable[[Ground], _Found]] = {
    Rule.FORMS: _forms,
    Rule.CASES: _cases,
    Rule.HANDOVERS: _handovers,
    Rule.DEBRIEFS: _debriefs,
    Rule.LISTENINGS: _listenings,
    Rule.SHEETS: _sheets,
    Rule.RECORDINGS: _recordings,
    Rule.CALLS: _calls,
    Rule.REQUESTS: _requests,
    Rule.PEOPLE: _people,
    Rule.BLOCKS: _blocks,
    Rule.LOGINS: _logins,
    Rule.EXPORTS: _exports,
    Rule.UNREAD: _unread,
    Rule.HOLDS: _holds,
}
