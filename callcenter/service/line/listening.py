"""A supervisor's ear on a call (R39): granted and written down first, then placed, and seen by whom it is on.

The PBX does it and its journal tells when it began and ended (`hotline-listen`); nothing here can end,
hold or change the call that is listened to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from callcenter.domain.access import Verb, may
from callcenter.domain.books import LISTENINGS
from callcenter.domain.calls import CallRecord, Direction
from callcenter.domain.fold import LineAct
from callcenter.domain.folding.facts import LineActKind
from callcenter.domain.listening import Listening, ListenMode
from callcenter.domain.users import PhoneKind, User
from callcenter.errors import NotFound, Refused
from callcenter.ports import AuditEntry, CallControl, PlaceCall, UnitOfWork
from callcenter.service.access import acting, allow, guarded
from callcenter.service.people.people import checked_reason

VERBS = {
    ListenMode.LISTEN: Verb.CALL_LISTEN,
    ListenMode.WHISPER: Verb.CALL_WHISPER,
    ListenMode.BARGE: Verb.CALL_BARGE,
}
#: How long the supervisor's own phone rings.
_RING = timedelta(seconds=30)
#: `PJSIP/c001-0000001f`, `Local/c004@hotline-mobile-00000002;1`.
_CHANNEL = re.compile(r"(?:PJSIP|Local)/([a-z][a-z0-9]{1,11})[-@]")


@guarded(Verb.CALL_LISTEN, Verb.CALL_WHISPER, Verb.CALL_BARGE)
def talk_of(work: UnitOfWork, target: str, mode: ListenMode, *, actor: str) -> CallRecord:
    """Return the call that goes on under this id, or with this counsellor, if the actor may listen so.

    Raises `Forbidden`, `NotFound`, and `Refused` for a call nobody has taken.
    """
    allow(work, actor, VERBS[mode])
    going_on = [call for call in work.calls.open_calls() if call.direction is not Direction.INTERNAL]
    found = [call for call in going_on if target == call.id or target in _counsellors(call)]
    if not found:
        raise NotFound(f"{target}:现在没有这通电话,也没有此人在通话。看 hotline calls live。")
    call = max(found, key=lambda one: one.started_at)
    if call.answered_at is None or call.answered_by is None:
        raise Refused(f"{target}:还没有人接听,没有可听的。")
    return call


def _counsellors(call: CallRecord) -> set[str | None]:
    """Return who has taken the call so far: it may have been handed on."""
    took = {one.removesuffix("=answered") for one in call.rung if one.endswith("=answered")}
    return {call.answered_by, *took}


@guarded(Verb.CALL_LISTEN, Verb.CALL_WHISPER, Verb.CALL_BARGE)
def grant(
    work: UnitOfWork, call: CallRecord, mode: ListenMode, ear: str, *, actor: str, now: datetime, reason: str
) -> Listening:
    """Write down that somebody will listen to a call, how far they come in, and why.

    `ear` is the counsellor's channel: it says whose call it is now. Raises `Forbidden`, and `Refused` for
    an own call, no phone, no sensible reason.
    """
    user = allow(work, actor, VERBS[mode])
    told = checked_reason(reason)
    agent = _agent(work, ear) or call.answered_by or ""
    if agent == actor:
        raise Refused("这是您自己的通话。")
    if user.phone is PhoneKind.NONE:
        raise Refused("您没有登记电话,无法接过来听。请管理员用 hotline user set 登记。")
    listening = Listening(
        id=f"ls-{uuid4().hex}", call=call.id, agent=agent, by=actor, mode=mode, reason=told, asked_at=now
    )
    work.book(LISTENINGS).add(listening)
    said = f"三方通话：{told}" if mode is ListenMode.BARGE else told
    work.audit.append(
        AuditEntry(actor=actor, verb=VERBS[mode], object=f"call:{call.id}", at=now, reason=said)
    )
    return listening


def _agent(work: UnitOfWork, channel: str) -> str | None:
    """Return whose channel it is, by its name; None of a mobile's, whose name says the trunk."""
    named = _CHANNEL.match(channel)
    known = {user.code for user in work.users.all()}
    return named[1] if named and named[1] in known else None


async def ear_of(calls: CallControl, call: CallRecord) -> str:
    """Return the counsellor's channel, by its whole name or its id; raise `Refused` if nobody talks now."""
    # A call we placed begins at the counsellor's phone; one that came in, at the other side.
    ear = call.id if call.direction is Direction.OUTBOUND else await calls.talks_with(call.id)
    if ear is None:
        raise Refused("对方现在没有在和咨询员通话。")
    return ear


async def place(calls: CallControl, listening: Listening, ear: str, *, shown_number: str) -> None:
    """Ring the supervisor's own phone; once they answer (at a mobile by key) they hear the call.

    Raises `Refused` where this line cannot do it, `PbxError` if it cannot be placed.
    """
    await calls.place(
        PlaceCall(
            id=listening.id,
            number=shown_number.removeprefix("+"),
            shown_number=shown_number,
            flow="listen",
            ring=_RING,
            first_ring=listening.by,
            variables={"LISTENING": listening.id, "MODE": listening.mode.value, "EAR": ear},
        )
    )


@guarded(Verb.CALLS_SEE, Verb.EARS_SEE)
def ears_on(work: UnitOfWork, call_id: str, *, actor: str) -> list[Listening]:
    """Return who listened or listens to a call, oldest first; empty for whom it does not concern.

    Supervisors and auditors see all; a counsellor sees it of their own calls, without the reason.
    """
    user = acting(work, actor)
    if not may(user.roles, Verb.EARS_SEE):
        allow(work, actor, Verb.CALLS_SEE)
        return []
    return _seen(user, work.book(LISTENINGS).where(call=call_id))


@guarded(Verb.EARS_SEE)
def ears(work: UnitOfWork, limit: int, *, actor: str, call: str | None = None) -> list[Listening]:
    """Return the latest listenings, of one call or of all, that the actor may know of, newest first."""
    user = allow(work, actor, Verb.EARS_SEE)
    book = work.book(LISTENINGS)
    return _seen(user, book.where(call=call) if call else book.where())[::-1][:limit]


def _seen(user: User, found: Sequence[Listening]) -> list[Listening]:
    by_time = sorted(found, key=lambda one: (one.asked_at, one.id))
    if may(user.roles, Verb.AUDIT_READ):
        return by_time
    return [replace(one, reason="") for one in by_time if one.agent == user.code]


def on_line_acts(work: UnitOfWork, acts: Sequence[LineAct], now: datetime) -> None:
    """Note when an ear came and went, as the journal tells. The same again changes nothing."""
    del now
    book = work.book(LISTENINGS)
    for act in acts:
        if act.kind is not LineActKind.LISTEN:
            continue
        known = book.one(act.word("listening"))
        if known is None:
            continue
        match act.word("act"):
            case "start" if known.started_at is None:
                book.put(replace(known, started_at=act.at))
            case "end" if known.ended_at is None:
                book.put(replace(known, ended_at=act.at))
