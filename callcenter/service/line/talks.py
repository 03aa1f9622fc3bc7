"""Recorded talks (R15, I8): the consent as the journal tells it, what there is to hear, and hearing it.

The row of a talk is made by the consent, before there is any sound; the sealed sound takes its place in it
(`callcenter.service.line.recordings`). A sound without a consent keeps none: nobody hears it, the doctor
names it, and it is thrown away (`callcenter.service.privacy.recording_drops`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from callcenter.domain.access import Verb
from callcenter.domain.books import RECORDINGS, TOMBSTONES
from callcenter.domain.fold import LineAct
from callcenter.domain.folding.facts import LineActKind
from callcenter.domain.privacy import Recording
from callcenter.errors import NotFound, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.line.recordings import TALK, Message
from callcenter.service.people.people import checked_reason


def on_line_acts(work: UnitOfWork, acts: Sequence[LineAct], now: datetime) -> None:
    """Keep consents and withdrawals. The same again changes nothing, and brings nothing deleted back."""
    del now
    for act in acts:
        if act.kind is not LineActKind.RECORD:
            continue
        match act.word("act"):
            case "agreed":
                _agreed(work, act)
            case "withdrawn":
                _withdrawn(work, act)


def _agreed(work: UnitOfWork, act: LineAct) -> None:
    book, node = work.book(RECORDINGS), f"talk-{act.word('n')}"
    name = f"{act.call}/{node}"
    known = book.one(name)
    if known is None and not work.book(TOMBSTONES).where(object=f"recording:{name}"):
        fresh = Recording(id=name, call=act.call, node=node, at=act.at, size=0, file="", kind=TALK)
        book.add(replace(fresh, agent=act.word("agent"), agreed_at=act.at))
    elif known is not None and known.agreed_at is None:  # the sound was found before the journal was read
        book.put(replace(known, agent=act.word("agent"), agreed_at=act.at))


def _withdrawn(work: UnitOfWork, act: LineAct) -> None:
    for known in of_call(work, act.call):
        is_earlier = known.agreed_at is not None and known.agreed_at <= act.at
        if is_earlier and known.agent == act.word("agent") and known.withdrawn_at is None:
            work.book(RECORDINGS).put(replace(known, withdrawn_at=act.at))


def of_call(work: UnitOfWork, call: str) -> Sequence[Recording]:
    """Return the talks recorded in a call, deleted ones and consents without any sound included."""
    return [one for one in work.book(RECORDINGS).where(call=call) if one.kind == TALK]


@guarded(Verb.RECORDING_HEAR)
def listed(work: UnitOfWork, *, actor: str) -> list[Recording]:
    """Return every recorded talk that stands on record, newest first; raise `Forbidden`."""
    allow(work, actor, Verb.RECORDING_HEAR)
    found = [one for one in work.book(RECORDINGS).where() if one.kind == TALK]
    return sorted(found, key=lambda one: (one.at, one.id), reverse=True)


@guarded(Verb.RECORDING_HEAR)
def hear(
    work: UnitOfWork, folder: Path, call: str, *, actor: str, now: datetime, reason: str
) -> list[Message]:
    """Return the talks recorded in a call, and write down who heard them and why.

    Raises `Forbidden`, `Refused` without a sensible reason or for a sound without consent (I8), and
    `NotFound` if there is none.
    """
    allow(work, actor, Verb.RECORDING_HEAR)
    told = checked_reason(reason)
    kept = [one for one in of_call(work, call) if one.file]
    if not kept:
        raise NotFound(f"通话 {call} 没有录音,或录音已删除。")
    agreed = [one for one in kept if one.agreed_at is not None]
    if not agreed:
        raise Refused("这段录音没有来电者同意的记录,不能听,将自动删除。")
    for one in agreed:
        thing = f"recording:{one.id}"
        work.audit.append(
            AuditEntry(actor=actor, verb=Verb.RECORDING_HEAR, object=thing, at=now, reason=told)
        )
    return [Message(recording=one, file=folder / one.file) for one in agreed]
