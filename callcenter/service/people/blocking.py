"""Blocking a number for a while (R19): the last means, a supervisor's alone, and never of somebody in danger.

The block stands in the PBX as a salted fact that holds the second at which it ends, so that it ends
with nothing of ours alive. Whoever is blocked still hears 110, 120 and 12356.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from callcenter.domain import reconcile
from callcenter.domain.access import Verb
from callcenter.domain.books import BLOCKS
from callcenter.domain.numbers import normalise
from callcenter.domain.people import Person
from callcenter.domain.privacy import Block
from callcenter.domain.risk import Level
from callcenter.errors import Conflict, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.names import salted
from callcenter.service.people.entries import open_cases, resolve
from callcenter.service.people.people import checked_reason

#: R19.
LONGEST = timedelta(days=30)
#: Whoever has a case at this level or worse is put through whatever they did.
PROTECTED = Level.MEDIUM
#: Shorter ones are not subscribers': 110, 120, 119, 12356 and the like call us about somebody in danger.
SHORTEST = 7
#: Newest calls from a number that are looked through.
_MOST_CALLS = 1000
_SYSTEM = "system"


@guarded(Verb.PEOPLE_BLOCK)
def block(
    work: UnitOfWork, number: str, *, length: timedelta, actor: str, now: datetime, reason: str
) -> Block:
    """Block a number for at most 30 days.

    Raises `Refused` while a case at level 2 or worse is open for anybody with that number or whom a call
    from it was about, without a reason, for a short number, or for too long; `Conflict` if it is blocked
    already.
    """
    allow(work, actor, Verb.PEOPLE_BLOCK)
    told, known = checked_reason(reason), normalise(number)
    if known is None:
        raise Refused("号码应是 3 至 15 位数字。不显示号码的来电不能停接。")
    if len(known) < SHORTEST:
        raise Refused("短号码(110、120、12356 等)是公共服务,不能停接。")
    if not timedelta(0) < length <= LONGEST:
        raise Refused(f"停接最长 {LONGEST.days} 天。")
    if protected(work, known):
        raise Refused("这个号码的人,或从它来电谈到的人,有风险等级 2 或更高的个案:任何时候都要接通,不能停接。")
    if any(one.number == known for one in standing(work, now)):
        raise Conflict("这个号码正在停接中。要改期限,先解除再停接。")
    made = Block(
        id=f"bl-{uuid4().hex[:12]}",
        number=known,
        since=now,
        until=now + length,
        by=actor,
        reason=told,
    )
    work.book(BLOCKS).add(made)
    _note(work, actor, "people.block", made, now, reason=told)
    return made


@guarded(Verb.PEOPLE_BLOCK)
def block_caller(
    work: UnitOfWork, call_id: str, *, length: timedelta, actor: str, now: datetime, reason: str
) -> Block:
    """Block the number a call came from, without anybody having to see it. See `block`."""
    allow(work, actor, Verb.PEOPLE_BLOCK)
    number = work.calls.get(call_id).number
    if number is None:
        raise Refused("这通电话没有显示号码,不能停接。")
    return block(work, number, length=length, actor=actor, now=now, reason=reason)


@guarded(Verb.PEOPLE_BLOCK)
def lift(work: UnitOfWork, block_id: str, *, actor: str, now: datetime, reason: str) -> Block:
    """End a block before its time. Raises `NotFound`, and `Refused` if it has ended already."""
    allow(work, actor, Verb.PEOPLE_BLOCK)
    told, found = checked_reason(reason), work.book(BLOCKS).get(block_id)
    if not _stands(found, now):
        raise Refused(f"{block_id} 已经到期或解除。")
    return _lift(work, found, actor, now, told)


@guarded(Verb.PEOPLE_BLOCK)
def blocks(work: UnitOfWork, *, actor: str, now: datetime, everything: bool = False) -> list[Block]:
    """Return the blocks that stand, those that end first before the others; `everything`: ended ones too."""
    allow(work, actor, Verb.PEOPLE_BLOCK)
    found = work.book(BLOCKS).where() if everything else standing(work, now)
    return sorted(found, key=lambda one: (one.until, one.id))


def lift_for_case(work: UnitOfWork, person_id: str, *, now: datetime) -> list[Block]:
    """End every block on a number that is protected now (R19), because of this case or another.

    Called by whatever opens or raises a case, in the same transaction.
    """
    person = resolve(work, person_id)
    if not _is_protected(work, person):
        return []
    found = [one for one in standing(work, now) if protected(work, one.number)]
    return [_lift(work, one, _SYSTEM, now, "case opened (R19)") for one in found]


def standing(work: UnitOfWork, now: datetime) -> list[Block]:
    """Return the blocks that stand now."""
    return [one for one in work.book(BLOCKS).where() if _stands(one, now)]


def protected(work: UnitOfWork, number: str) -> bool:
    """Tell whether this number, or a call from it, is of anybody with an open case at level 2 or worse."""
    if any(_is_protected(work, resolve(work, one.id)) for one in work.people.having(number)):
        return True
    talks = (work.sessions.of_call(call.id) for call in work.calls.of_number(number, _MOST_CALLS))
    people = {talk.person for talk in talks if talk is not None and talk.person is not None}
    return any(_is_protected(work, resolve(work, one)) for one in people)


def block_facts(work: UnitOfWork, now: datetime, salt: str) -> dict[str, str]:
    """Return the facts of the blocks that stand, `family/key` -> second of the end.

    A block that a case should have lifted is left out all the same.
    """
    return {
        f"{reconcile.BLOCK}/{salted(salt, one.number)}": str(int(one.until.timestamp()))
        for one in standing(work, now)
        if not protected(work, one.number)
    }


def _is_protected(work: UnitOfWork, person: Person) -> bool:
    return any(case.level <= PROTECTED for case in open_cases(work, person))


def _stands(one: Block, now: datetime) -> bool:
    return one.lifted_at is None and one.until > now


def _lift(work: UnitOfWork, one: Block, actor: str, now: datetime, reason: str) -> Block:
    lifted = work.book(BLOCKS).put(replace(one, lifted_at=now, lifted_by=actor))
    _note(work, actor, "people.unblock", one, now, reason=reason)
    return lifted


def _note(work: UnitOfWork, actor: str, verb: str, one: Block, now: datetime, *, reason: str) -> None:
    work.audit.append(AuditEntry(actor=actor, verb=verb, object=f"block:{one.id}", at=now, reason=reason))
