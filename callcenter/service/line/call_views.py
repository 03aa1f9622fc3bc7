"""Calls as a named person may see them: numbers masked, and what was said only to whom it concerns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from callcenter.domain.access import DataClass, Verb, may
from callcenter.domain.calls import CallRecord, Direction
from callcenter.domain.fields import CALL_FIELDS, hidden
from callcenter.domain.numbers import mask_number
from callcenter.domain.users import User
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.line.records import with_callees

#: In the place of a number of which not a digit is shown: there was one.
UNSEEN = "***"

_TALK = frozenset(name for name, data in CALL_FIELDS.items() if data is DataClass.COUNSELLING)
#: What a field is emptied to.
_EMPTY: dict[str, Any] = {f.name: f.default for f in fields(CallRecord)}


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownCall:
    """A call with its number masked and its hidden fields emptied, and which fields those are."""

    call: CallRecord
    hidden: frozenset[str]


@guarded(Verb.CALLS_SEE)
def calls_between(work: UnitOfWork, start: datetime, end: datetime, *, actor: str) -> list[ShownCall]:
    """Return the calls that began in [start, end); raise `Forbidden`."""
    user = allow(work, actor, Verb.CALLS_SEE)
    return _shown(work, user, work.calls.between(start, end))


@guarded(Verb.CALLS_SEE)
def one_call(work: UnitOfWork, call_id: str, *, actor: str) -> ShownCall:
    """Return one call; raise `Forbidden`, `NotFound`."""
    user = allow(work, actor, Verb.CALLS_SEE)
    return _shown(work, user, [work.calls.get(call_id)])[0]


@guarded(Verb.CALLS_SEE)
def going_on(work: UnitOfWork, *, actor: str) -> list[ShownCall]:
    """Return the calls that go on at this moment; raise `Forbidden`."""
    user = allow(work, actor, Verb.CALLS_SEE)
    return _shown(work, user, work.calls.open_calls())


@guarded(Verb.CALLS_REPLAY)
def forget_calls(
    work: UnitOfWork, reaches_back_to: datetime | None, *, keep: bool, actor: str, now: datetime
) -> int:
    """Forget how far the journal was read and, unless `keep`, the call table it will rebuild.

    The table stays where it holds calls older than the journal. Returns how many rows went.
    """
    allow(work, actor, Verb.CALLS_REPLAY)
    ever = datetime(1970, 1, 1, tzinfo=UTC)
    rebuilds_all = reaches_back_to is not None and not work.calls.between(ever, reaches_back_to)
    forgotten = work.calls.delete_all() if rebuilds_all and not keep else 0
    work.journal.forget()
    work.audit.append(AuditEntry(actor=actor, verb=Verb.CALLS_REPLAY.value, object="calls", at=now))
    return forgotten


def _shown(work: UnitOfWork, user: User, calls: Iterable[CallRecord]) -> list[ShownCall]:
    unseen = hidden(user.roles, CALL_FIELDS)
    return [_seen_by(user, call, unseen) for call in with_callees(work, calls)]


def _seen_by(user: User, call: CallRecord, unseen: frozenset[str]) -> ShownCall:
    """Return the call as the user sees it: a counsellor does not read colleagues' callers."""
    if not _concerns(user, call):
        unseen = unseen | _TALK
    number = UNSEEN if call.number and "number" in unseen else _masked(call.number)
    emptied = {name: _EMPTY[name] for name in unseen if name != "number"}
    # Where we dialled, that number is the other side's.
    dialled = _masked(call.dialled) if call.direction is Direction.OUTBOUND else call.dialled
    kept = tuple(map(_masked_pair, call.kept))
    shown = replace(call, number=number, **({"dialled": dialled, "kept": kept} | emptied))
    return ShownCall(call=shown, hidden=unseen)


def _concerns(user: User, call: CallRecord) -> bool:
    return call.answered_by in (None, user.code) or may(user.roles, Verb.SESSION_READ_ALL)


def _masked(number: str | None) -> str | None:
    return mask_number(number) if number else number


def _masked_pair(pair: str) -> str:
    word, _, digits = pair.partition("=")
    return f"{word}={mask_number(digits)}" if word == "number" else pair
