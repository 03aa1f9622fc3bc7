"""What each field shown of calls and debts is, so that a role sees the classes it may and no others.

A field that stands in no table here is shown to nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from callcenter.domain.access import DataClass, sees
from callcenter.domain.users import Role
from scheduler.obligations import OF_REGISTER, Kind

V = TypeVar("V")

_STAFF, _IDENTITY = DataClass.STAFF, DataClass.IDENTITY
_HARDSHIP, _COUNSELLING = DataClass.HARDSHIP, DataClass.COUNSELLING

#: Fields of `CallRecord`: that the line carried a call is the operator's; who and what is not.
CALL_FIELDS: Mapping[str, DataClass] = {
    "id": _STAFF,
    "direction": _STAFF,
    "outcome": _STAFF,
    "started_at": _STAFF,
    "number": _IDENTITY,
    "dialled": _STAFF,
    "offered_at": _STAFF,
    "answered_at": _STAFF,
    "parted_at": _STAFF,
    "ended_at": _STAFF,
    "end_is_uncertain": _STAFF,
    "answered_by": _STAFF,
    "answered_via": _STAFF,
    "ended_by": _STAFF,
    "hangup_cause": _STAFF,
    "sip_status": _STAFF,
    "early_media": _STAFF,
    "queue_entries": _STAFF,
    "rings_not_answered": _STAFF,
    "path": _COUNSELLING,
    "keys": _COUNSELLING,
    "rung": _STAFF,
    "promises": _COUNSELLING,
    "kept": _COUNSELLING,
    "answers": _COUNSELLING,
    "pieces": _COUNSELLING,
    "unheard": _COUNSELLING,
    "left_at": _COUNSELLING,
    "flow_outcome": _COUNSELLING,
    "witness": _STAFF,
}

#: Keys of a debt's row. Why it is not kept yet, and how tries ended, tell how somebody is.
DEBT_FIELDS: Mapping[str, DataClass] = {
    "id": _HARDSHIP,
    "file_no": _HARDSHIP,
    "code": _IDENTITY,
    "name": _IDENTITY,
    "phone": _IDENTITY,
    "kind": _HARDSHIP,
    "grade": _HARDSHIP,
    "district": _HARDSHIP,
    "owed_since": _HARDSHIP,
    "due_at": _HARDSHIP,
    "breach_at": _HARDSHIP,
    "overdue_days": _HARDSHIP,
    "is_due": _HARDSHIP,
    # How great somebody's danger is, and who looks after them.
    "level": _COUNSELLING,
    "owner": _COUNSELLING,
    "claimed_by": _STAFF,
    # Who put it off, handed it up or wants it let go had a reason, and it is the person's.
    "snoozed_until": _COUNSELLING,
    "escalated_at": _COUNSELLING,
    "waiver": _COUNSELLING,
    "needs_decision": _COUNSELLING,
    "plan": _COUNSELLING,
    "marks": _COUNSELLING,
    # Whom to ask for, and by which word: for whoever dials.
    "next_at": _COUNSELLING,
    "who_next": _COUNSELLING,
    "why": _COUNSELLING,
    "refused_by": _COUNSELLING,
    "reason": _COUNSELLING,
    "attempts": _COUNSELLING,
    "last_attempt_at": _COUNSELLING,
    "last_attempt": _COUNSELLING,
    "last_attempt_state": _COUNSELLING,
    "last_attempt_doubt": _COUNSELLING,
    "doubt_text": _COUNSELLING,
    "last_result_code": _COUNSELLING,
    "last_result": _COUNSELLING,
    # Any contact counts, also one after a call for help.
    "last_contact": _COUNSELLING,
    # That a check-in is done is the register's; how, by whom and by which call is not (R39).
    "ended_at": _HARDSHIP,
    "ended_by": _COUNSELLING,
    "ended_as": _COUNSELLING,
    "evidence": _COUNSELLING,
}

#: Keys of a hardship file's row.
FILE_FIELDS: Mapping[str, DataClass] = {
    "file_no": _HARDSHIP,
    "code": _IDENTITY,
    "name": _IDENTITY,
    "grade": _HARDSHIP,
    "status": _HARDSHIP,
    "since": _HARDSHIP,
    "exit_reason": _HARDSHIP,
    "exit_confirmed_by": _HARDSHIP,
    "notice_to": _HARDSHIP,
    "review_due": _HARDSHIP,
    "phone": _IDENTITY,
    # Found out by calling, and the clerk's to mend (R33).
    "phone_status": _HARDSHIP,
    "district": _HARDSHIP,
    # As they stand now: what somebody told the line may have changed them since the list said so.
    "consent": _COUNSELLING,
    "human_only": _COUNSELLING,
    "union_unit": _HARDSHIP,
    "liaison": _HARDSHIP,
    "owed": _HARDSHIP,
    "debts": _HARDSHIP,
    "last_contact": _COUNSELLING,
    "chain": _COUNSELLING,
}

#: Keys of a user's row: those who run the line, masked.
USER_FIELDS: Mapping[str, DataClass] = {
    "code": _STAFF,
    "name": _STAFF,
    "roles": _STAFF,
    "phone": _STAFF,
    "mobile": _STAFF,
    "pin_set": _STAFF,
    "escalation_rank": _STAFF,
    "alarm_rank": _STAFF,
    "active": _STAFF,
}


def class_of(kind: Kind) -> DataClass:
    """Return what a debt's mere existence tells: all but the register's own follow from a call."""
    return DataClass.HARDSHIP if kind in OF_REGISTER else DataClass.COUNSELLING


def hidden(roles: Iterable[Role], classes: Mapping[str, DataClass]) -> frozenset[str]:
    """Return the fields that somebody with these roles does not see."""
    held = frozenset(roles)
    return frozenset(name for name, data in classes.items() if not sees(held, data))


def visible(roles: Iterable[Role], row: Mapping[str, V], classes: Mapping[str, DataClass]) -> dict[str, V]:
    """Return the part of a row that somebody with these roles sees."""
    held = frozenset(roles)
    return {key: value for key, value in row.items() if key in classes and sees(held, classes[key])}
