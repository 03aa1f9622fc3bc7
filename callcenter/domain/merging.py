"""Two entries of one person, as values: what the joined entry says, and what each gets back. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

from callcenter.domain.case_rules import is_alarming
from callcenter.domain.cases import Case
from callcenter.domain.people import Person, Phone, PhoneSource, PhoneStatus, SafeContact
from callcenter.domain.privacy import Merge

#: What the kept entry takes over where it says nothing itself.
_FILLED = ("name", "birth_month", "birth_year", "speaks")


#: How a number is known, the surest first: what was learned on the line outlives every list.
Spans = tuple[tuple[time, time], ...]
_SUREST = (PhoneSource.LINE, PhoneSource.REGISTER, PhoneSource.HAND)


def joined(kept: Person, merged: Person) -> Person:
    """Return the entry that stands for both: every number, the more careful of two answers."""
    theirs = {phone.number: phone for phone in merged.phones}
    own = tuple(_careful(phone, theirs.get(phone.number)) for phone in kept.phones)
    known = {phone.number for phone in kept.phones}
    filled = {name: getattr(kept, name) or getattr(merged, name) for name in _FILLED}
    return replace(
        kept,
        phones=(*own, *(phone for phone in merged.phones if phone.number not in known)),
        no_ivr=kept.no_ivr or merged.no_ivr,
        **filled,
    )


def emptied(merged: Person, kept: str) -> Person:
    """Return the merged entry: it keeps its pseudonym and its name, and is no longer rung."""
    return replace(merged, phones=(), merged_into=kept)


def parted(now: Person, kept_before: Person, merged_before: Person) -> tuple[Person, Person]:
    """Return both entries after a merge was found to be wrong.

    What the merge brought goes back; what was learned since stays: new numbers and new answers with
    the kept entry, a number's status with the number (R33).
    """
    was = joined(kept_before, merged_before)
    own = {phone.number for phone in kept_before.phones}
    back = {phone.number for phone in merged_before.phones}
    stays = (p for p in now.phones if p.number in own or p.number not in back)
    kept = replace(
        now,
        phones=tuple(_unmerged(p, was, kept_before) for p in stays),
        **{
            name: getattr(kept_before if getattr(now, name) == getattr(was, name) else now, name)
            for name in (*_FILLED, "no_ivr")
        },
    )
    present = {phone.number: phone for phone in now.phones}
    theirs = (_as_now(phone, present.get(phone.number), was) for phone in merged_before.phones)
    phones = tuple(phone for phone in theirs if phone is not None)
    return kept, replace(merged_before, phones=phones, merged_into=None)


def blanked(done: Merge) -> Merge:
    """Return a merge without anybody's data: that two entries are one stays, so that opt-outs bind (R32)."""
    return replace(done, reason="", moved={}, kept_before=None, merged_before=None, cases_before=())


def _careful(phone: Phone, other: Phone | None) -> Phone:
    if other is None:
        return phone
    status = phone.status if phone.status is not PhoneStatus.OK else other.status
    return replace(
        phone,
        status=status,
        safe_to_call=phone.safe_to_call and other.safe_to_call,
        source=min(phone.source, other.source, key=_SUREST.index),
        listed=phone.listed or other.listed,
        verified_at=phone.verified_at or other.verified_at,
        agreed=_agreed(phone.agreed, other.agreed),
    )


def _agreed(own: SafeContact, theirs: SafeContact) -> SafeContact:
    """Return what holds where one number had two agreements: only what both allow.

    Where no hour suits both, the kept entry's hours hold.
    """
    nothing = SafeContact()
    if own == nothing or theirs == nothing:
        return theirs if own == nothing else own
    common = _common(own.windows, theirs.windows)
    return SafeContact(
        label=own.label or theirs.label,
        voicemail=own.voicemail and theirs.voicemail,
        sms=own.sms and theirs.sms,
        windows=common or own.windows or theirs.windows,
        say_name=own.say_name or theirs.say_name,
        code_word=own.code_word or theirs.code_word,
    )


def _common(own: Spans, theirs: Spans) -> Spans:
    """Return the hours that are in a span of both; over midnight a span counts as two."""
    pairs = ((max(a, c), min(b, d)) for a, b in _days_of(own) for c, d in _days_of(theirs))
    return tuple((begin, end) for begin, end in pairs if begin < end)


def _days_of(spans: Spans) -> Spans:
    split = (((a, b),) if a < b else ((a, time.max), (time.min, b)) for a, b in spans)
    return tuple(span for parts in split for span in parts)


def _unmerged(phone: Phone, was: Person, before: Person) -> Phone:
    """Return a number of the kept entry as it was before, unless something was learned of it since."""
    old = next((p for p in before.phones if p.number == phone.number), None)
    return old if old is not None and phone in was.phones else phone


def _as_now(phone: Phone, present: Phone | None, was: Person) -> Phone | None:
    """Return a number that goes back; None if it was taken away since."""
    if present is None:
        return None
    if present in was.phones:
        return phone
    return replace(phone, status=present.status, agreed=present.agreed, verified_at=present.verified_at)


def one_case(going: Case, closing: Case) -> Case:
    """Return the case that goes on for both.

    Where a supervisor's name is missing on one of them it is missing on both, since the earlier moment:
    who knew of the one danger need not know of the other. What was proposed was proposed of half of it.
    """
    both = replace(
        going,
        owner=going.owner or closing.owner,
        steps=tuple(dict.fromkeys((*going.steps, *closing.steps))),
        proposed=None,
        ending=None,
    )
    waiting = [case.alarming_since or case.opened_at for case in (going, closing) if is_alarming(case)]
    if not waiting:
        return both
    return replace(both, alarming_since=min(waiting), acknowledged_by=None, acknowledged_at=None)


def own_case(now: Case, going: Case, closing: Case) -> Case:
    """Return the case that went on as it is after both were parted: what is newer stays.

    A name that the merge took off it comes back, unless the danger changed since.
    """
    both = one_case(going, closing)
    theirs = set(closing.steps) - set(going.steps)
    parted_case = replace(
        now,
        steps=tuple(step for step in now.steps if step not in theirs),
        owner=going.owner if now.owner == both.owner else now.owner,
    )
    if _clock(now) != _clock(both):
        return parted_case
    return replace(
        parted_case,
        alarming_since=going.alarming_since,
        acknowledged_by=going.acknowledged_by,
        acknowledged_at=going.acknowledged_at,
    )


def _clock(case: Case) -> tuple[object, ...]:
    return case.level, case.alarming_since, case.acknowledged_by, case.acknowledged_at
