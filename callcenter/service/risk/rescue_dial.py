"""The second line of a rescue: a call of its own to an agency, and what to tell them (R14, R38).

The phone of whoever asks rings first, then the agency. Nobody dials the caller, and nothing here joins
this call to theirs: they stay with the counsellor.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_hex

from callcenter.config import Transfers
from callcenter.domain.access import Verb
from callcenter.domain.books import CASES, RESCUES, SESSION_VERSIONS
from callcenter.domain.cases import RESCUE_WORDS, Case, Rescue, RescueState
from callcenter.domain.numbers import national
from callcenter.domain.origins import origin_of
from callcenter.domain.rescues import FACTS
from callcenter.errors import Forbidden, NotFound, Refused
from callcenter.ports import AuditEntry, PlaceCall, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.duty.presence import phone_user
from callcenter.service.people.reveal import reveal, reveal_call
from callcenter.service.risk.rescues import add_step, direct_number

#: Agencies that are dialled.
DIALLED = ("110", "120", "12356")
#: Of a rescue's call: it is nobody's debt, so it is no attempt.
CALL_PREFIX = "rs-"
RING = timedelta(seconds=60)
_UNKNOWN = "还不知道，请问接线的咨询员"


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialling:
    """A call that may be placed now, and what to say in it."""

    rescue: Rescue
    call: PlaceCall
    #: What it is, and what is known of it, in the order in which it is asked.
    told: Mapping[str, str] = field(repr=False)


@guarded(Verb.RESCUE_WRITE)
def prepare(
    work: UnitOfWork,
    rescue_id: str,
    agency: str,
    *,
    first_ring: str,
    transfers: Transfers,
    shown_number: str,
    reason: str = "",
    actor: str,
    now: datetime,
) -> Dialling:
    """Return the call to an agency and what to tell there; showing the caller's number is audited.

    The number is shown because somebody is at level 1 or worse. Raises `Refused` for a rescue that is
    over, and where the phone that is to ring first is in a call: a second person dials.
    """
    allow(work, actor, Verb.RESCUE_WRITE)
    rescue = work.book(RESCUES).get(rescue_id)
    if agency not in DIALLED:
        raise Refused(f"可以拨的机构：{'、'.join(DIALLED)}。")
    if rescue.state in _OVER:
        raise Refused(f"{rescue_id} 已经是“{RESCUE_WORDS[rescue.state]}”；再次求助用 hotline rescue call。")
    _check_free(work, first_ring)
    case = work.book(CASES).get(rescue.case)
    why = reason or f"紧急救援 {rescue.id}，呼叫 {agency}"
    told = _told(work, rescue, case, why, actor, now)
    work.audit.append(
        AuditEntry(actor=actor, verb="rescue.dial", object=f"rescue:{rescue.id}", at=now, reason=why)
    )
    call = PlaceCall(
        id=f"{CALL_PREFIX}{token_hex(8)}",
        number=national(direct_number(agency, transfers)),
        shown_number=shown_number,
        flow="preview",
        ring=RING,
        first_ring=first_ring,
    )
    return Dialling(rescue=rescue, call=call, told=told)


@guarded(Verb.RESCUE_WRITE)
def note_dialled(work: UnitOfWork, dialling: Dialling, agency: str, *, actor: str, now: datetime) -> Rescue:
    """Write the call into the rescue's log; return the rescue as it now stands."""
    allow(work, actor, Verb.RESCUE_WRITE)
    rescue = work.book(RESCUES).get(dialling.rescue.id)
    asks = rescue.state in {RescueState.NEEDED, RescueState.REQUESTED}
    phone = dialling.call.first_ring or actor
    return add_step(
        work,
        rescue.id,
        RescueState.REQUESTED if asks else RescueState.FURTHER_STEP,
        note=f"第二线拨 {agency}，{phone} 的话机先响（{dialling.call.id}）",
        agency=agency,
        line_used=f"{phone} 的话机",
        actor=actor,
        now=now,
    )


_OVER = frozenset({RescueState.CONTACT_CONFIRMED, RescueState.CLOSED})


def _check_free(work: UnitOfWork, agent: str) -> None:
    """Raise `Refused` where the agent has no phone, or is with a caller: nobody leaves a caller for this."""
    phone_user(work, agent)
    if any(call.answered_by == agent for call in work.calls.open_calls()):
        raise Refused(f"{agent} 正在通话，来电者不能放下：请第二个人来拨（--from 另一位的代码）。")


def _told(
    work: UnitOfWork, rescue: Rescue, case: Case, why: str, actor: str, now: datetime
) -> dict[str, str]:
    call_id = _call_of(work, rescue)
    number = _number(work, call_id, case, why, actor, now)
    known = {FACTS[name]: rescue.facts.get(name, "").strip() or _UNKNOWN for name in FACTS}
    if rescue.facts.get("means", "").strip() == "" and (means := _means(work, rescue)):
        known[FACTS["means"]] = means
    return {
        "来电号码": number or "没有可以显示的号码，请问接线的咨询员",
        "号码": origin_of(number) if number else "—",
        "现在": _now(work, call_id),
        **known,
    }


def _call_of(work: UnitOfWork, rescue: Rescue) -> str:
    """Return the call a rescue is about: its record may not have been written yet."""
    with suppress(NotFound):
        return work.sessions.get(rescue.session).call
    return rescue.session.removeprefix("se-")


def _number(work: UnitOfWork, call_id: str, case: Case, why: str, actor: str, now: datetime) -> str | None:
    """Return the number help has to be sent to, or None: a call for help waits for no permission."""
    if not case.level.is_high:
        return None
    with suppress(NotFound, Forbidden):
        return reveal_call(work, call_id, actor=actor, now=now, reason=why)
    with suppress(NotFound, Forbidden):
        found = reveal(work, case.person, ("numbers",), actor=actor, now=now, reason=why)["numbers"]
        return found.split()[0] if found else None
    return None


def _now(work: UnitOfWork, call_id: str) -> str:
    try:
        call = work.calls.get(call_id)
    except NotFound:
        return "不清楚还在不在线上"
    if call.ended_at is None:
        return f"还在线上，由 {call.answered_by or '咨询员'} 陪着；请不要打给本人"
    return "已不在线上"


def _means(work: UnitOfWork, rescue: Rescue) -> str:
    """Return what the submitted record says of means at hand, if it was written."""
    versions = work.book(SESSION_VERSIONS).where(session=rescue.session)
    newest = max(versions, key=lambda one: one.n, default=None)
    found = newest.answers.get("means", "") if newest else ""
    return "、".join(map(str, found)) if isinstance(found, list | tuple) else str(found)
