"""Rescues: help sent to somebody in danger, from the first call to confirmed contact (R14).

The caller stays with the counsellor; a second person calls the agency over another line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from itertools import count

from callcenter.config import Transfers
from callcenter.domain.access import Verb, may
from callcenter.domain.books import RESCUES
from callcenter.domain.cases import Case, Rescue, RescueState
from callcenter.domain.rescues import AGENCIES, CONSENTS, ended, evidence, missing_facts, stepped, with_facts
from callcenter.errors import Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded

__all__ = [
    "add_step",
    "asked_again",
    "close",
    "direct_number",
    "ensure_form",
    "inform",
    "missing_facts",
    "of_case",
    "see",
]


#: Help has arrived: who needs it after that needs another rescue.
_ARRIVED = frozenset({RescueState.CONTACT_CONFIRMED, RescueState.CLOSED})


def ensure_form(work: UnitOfWork, case: Case, *, session: str, by: str, now: datetime) -> Rescue:
    """Return the case's open rescue, or what this call already led to; else open a form (R14)."""
    mine = [r for r in of_case(work, case.id) if r.session == session or r.state is not RescueState.CLOSED]
    return mine[-1] if mine else _new_form(work, case, session, by, now)


def asked_again(work: UnitOfWork, case: Case, *, session: str, by: str, now: datetime) -> Rescue:
    """Return the rescue that still goes on; else open a form: somebody asks for help now."""
    going_on = [r for r in of_case(work, case.id) if r.state not in _ARRIVED]
    return going_on[-1] if going_on else _new_form(work, case, session, by, now)


def _new_form(work: UnitOfWork, case: Case, session: str, by: str, now: datetime) -> Rescue:
    form = Rescue(id=_next_id(work, case), case=case.id, session=session, state=RescueState.NEEDED, agency="")
    work.book(RESCUES).add(form)
    _note(work, by, "rescue.open", form, now)
    return form


def _next_id(work: UnitOfWork, case: Case) -> str:
    """Return the first free name: rescues of merged cases come and go."""
    first = len(of_case(work, case.id)) + 1
    names = (f"re-{case.id}-{n}" for n in count(first))
    return next(name for name in names if work.book(RESCUES).one(name) is None)


def of_case(work: UnitOfWork, case_id: str) -> tuple[Rescue, ...]:
    """Return a case's rescues, oldest first."""
    found = work.book(RESCUES).where(case=case_id)
    return tuple(sorted(found, key=lambda r: (len(r.id), r.id)))


@guarded(Verb.CASES_SEE)
def see(work: UnitOfWork, rescue_id: str, *, actor: str, now: datetime) -> Rescue:
    """Return one rescue with what is known of the place; that somebody looked is audited."""
    allow(work, actor, Verb.CASES_SEE)
    found = work.book(RESCUES).get(rescue_id)
    _note(work, actor, "rescue.see", found, now)
    return found


@guarded(Verb.RESCUE_WRITE)
def add_step(
    work: UnitOfWork,
    rescue_id: str,
    state: RescueState | None,
    *,
    note: str,
    facts: Mapping[str, str] | None = None,
    agency: str = "",
    line_used: str = "",
    consent: str = "",
    actor: str,
    now: datetime,
) -> Rescue:
    """Append what was done or learned; without a state it is only facts. Raises `Refused` out of order."""
    allow(work, actor, Verb.RESCUE_WRITE)
    rescue = work.book(RESCUES).get(rescue_id)
    if state is None and not facts:
        raise Refused("请写明进展（--state）或新知道的情况（--fact）。")
    if agency:
        rescue = replace(rescue, agency=_one_of(agency, AGENCIES, "机构"))
    if consent:
        rescue = replace(rescue, consent=_one_of(consent, CONSENTS, "本人意愿"))
    if line_used:
        rescue = replace(rescue, line_used=line_used.strip()[:40])
    if facts:
        rescue = with_facts(rescue, facts)
    if state is not None:
        rescue = stepped(rescue, state, note=note, by=actor, now=now)
    saved = work.book(RESCUES).put(rescue)
    _note(work, actor, "rescue.step", saved, now)
    return saved


@guarded(Verb.RESCUE_CLOSE)
def close(work: UnitOfWork, rescue_id: str, *, reason: str, actor: str, now: datetime) -> Rescue:
    """End a rescue: after confirmed contact; before that only by a supervisor, who says why (R14)."""
    user = allow(work, actor, Verb.RESCUE_CLOSE)
    rescue = work.book(RESCUES).get(rescue_id)
    supervisor = may(user.roles, Verb.CASE_SUPERVISE)
    saved = work.book(RESCUES).put(ended(rescue, reason=reason, by=actor, supervisor=supervisor, now=now))
    _note(work, actor, "rescue.close", saved, now)
    return saved


@guarded(Verb.RESCUE_WRITE)
def inform(work: UnitOfWork, rescue_id: str, *, how: str, actor: str, now: datetime) -> Rescue:
    """Note that the person was told afterwards what was passed on about them (PIPL art. 18)."""
    allow(work, actor, Verb.RESCUE_WRITE)
    rescue = work.book(RESCUES).get(rescue_id)
    if rescue.informed_at is not None:
        raise Refused(f"{rescue_id} 已登记过告知本人。")
    told = replace(rescue, informed_at=now, informed_how=evidence(how))
    saved = work.book(RESCUES).put(told)
    _note(work, actor, "rescue.inform", saved, now)
    return saved


def direct_number(agency: str, transfers: Transfers) -> str:
    """Return what to dial for an agency: a command room's direct number where the site has one."""
    known = {"110": transfers.police, "120": transfers.ambulance, "12356": transfers.mental_health}
    return known.get(agency, agency if agency.isdigit() else "")


def _one_of(word: str, known: tuple[str, ...], what: str) -> str:
    if word not in known:
        raise Refused(f"{what}应是其中之一：{'、'.join(known)}。")
    return word


def _note(work: UnitOfWork, actor: str, verb: str, rescue: Rescue, now: datetime) -> None:
    work.audit.append(AuditEntry(actor=actor, verb=verb, object=f"rescue:{rescue.id}", at=now))
