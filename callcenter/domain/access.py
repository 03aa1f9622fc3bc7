"""Who may do what, and see what: deny first. What stands nowhere here nobody may do.

A user's roles add up. The wall between psychological records and the hardship archive is a rule of the
trade: a clerk learns that a check-in is owed or done, never that somebody called, why, or how they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from callcenter.domain.users import Role


class Verb(StrEnum):
    """Everything the services let a named person do. `group.act`, stable: the audit log keeps them."""

    USERS_SEE = "users.see"
    USERS_MANAGE = "users.manage"
    #: One's own password, second factor and PIN.
    SELF_SECRET = "self.secret"  # noqa: S105 - the name of a verb
    DUTY_SEE = "duty.see"
    DUTY_PLAN = "duty.plan"
    #: Signing on, pausing, signing off: oneself; a supervisor also others.
    DUTY_ACT = "duty.act"
    DUTY_ACT_FOR = "duty.act_for"
    #: Offering one's own shift, taking one that is offered. Approving is planning.
    DUTY_SWAP = "duty.swap"
    #: Hours of attendance: one's own; whoever plans also those of others.
    DUTY_HOURS = "duty.hours"
    #: Asking where a call would go.
    DUTY_ROUTE = "duty.route"
    DUTY_SURGE = "duty.surge"
    #: Setting skills and shares.
    STAFF_SKILLS = "staff.skills"
    #: Having talked a hard call over with whoever took it (R47).
    DEBRIEF_HOLD = "debrief.hold"
    #: Calling supervisors to a call in which somebody is in danger (R14).
    CRISIS_CALL = "crisis.call"
    #: Handing a call or case over, accepting one (R45).
    HANDOVER = "handover"
    CALL_LISTEN = "call.listen"
    CALL_WHISPER = "call.whisper"
    CALL_BARGE = "call.barge"
    #: Who listened to which call: one's own; supervisors and auditors all.
    EARS_SEE = "call.ears"
    #: Recorded conversations (R15).
    RECORDING_HEAR = "recording.hear"
    RECORDING_DROP = "recording.drop"
    CALLS_SEE = "calls.see"
    CALLS_REPLAY = "calls.replay"
    MESSAGE_HEAR = "message.hear"
    #: That sessions exist, whose they are and where they stand; not what is in them.
    SESSIONS_LIST = "sessions.list"
    #: Writing one's own.
    SESSION_WRITE = "session.write"
    #: Writing, amending, reading those of others.
    SESSION_WRITE_FOR = "session.write_for"
    #: Reading one's own, and those of people whose case one owns.
    SESSION_READ = "session.read"
    SESSION_READ_ALL = "session.read_all"
    SESSION_REVIEW = "session.review"
    CASES_SEE = "cases.see"
    CASE_ACT = "case.act"
    #: What needs a supervisor: lowering from, or closing at, level 1 or worse; handing a case over.
    CASE_SUPERVISE = "case.supervise"
    RESCUE_WRITE = "rescue.write"
    RESCUE_CLOSE = "rescue.close"
    QUEUE_SEE = "queue.see"
    QUEUE_WORK = "queue.work"
    QUEUE_CLOSE = "queue.close"
    #: Passing a debt to somebody, or taking it from them.
    QUEUE_ASSIGN = "queue.assign"
    #: What becomes of somebody in danger whom nobody reaches (R26); dialling outside the hours (I5).
    QUEUE_DECIDE = "queue.decide"
    #: Stopping the dialler, and letting it go on.
    DIALLER_HOLD = "dialler.hold"
    #: Series of contacts somebody needs.
    PLANS_SEE = "plans.see"
    PLANS_CHANGE = "plans.change"
    #: What one shift leaves to the next.
    SHEET_WRITE = "sheet.write"
    SHEET_ACCEPT = "sheet.accept"
    HARDSHIP_IMPORT = "hardship.import"
    #: Files, and whether a check-in is owed or done.
    HARDSHIP_SEE = "hardship.see"
    #: Recording that somebody was visited at home: that keeps a routine check-in, and no other debt.
    HARDSHIP_VISIT = "hardship.visit"
    #: A file's way through the register: applied, put up, in, watched, out, and in again.
    HARDSHIP_FILE = "hardship.file"
    #: Making sure that a file that left was right to (R34).
    HARDSHIP_CONFIRM = "hardship.confirm"
    PEOPLE_SEE = "people.see"
    #: New entries, numbers and what holds for them, how somebody is best spoken to.
    PEOPLE_CHANGE = "people.change"
    PEOPLE_REVEAL = "people.reveal"
    #: Looking over what was revealed to whom.
    REVEAL_REVIEW = "people.reveal_review"
    PEOPLE_CONSENT = "people.consent"
    #: The person's own word that an opt-out no longer holds.
    PEOPLE_OPTIN = "people.optin"
    PEOPLE_MERGE = "people.merge"
    PEOPLE_PLAN = "people.plan"
    PEOPLE_BLOCK = "people.block"
    PEOPLE_ERASE = "people.erase"
    REQUEST_OPEN = "request.open"
    REQUEST_ANSWER = "request.answer"
    #: Counts of attendance for an employer, small cells hidden; nothing else.
    ATTENDANCE_SEE = "attendance.see"
    EXPORT_SESSIONS = "export.sessions"
    EXPORT_HARDSHIP = "export.hardship"
    EXPORT_AUDIT = "export.audit"
    #: Which files left, and whose a copy is: one's own; supervisors and auditors everybody's.
    EXPORT_SEE = "export.see"
    ALARM_SEE = "alarm.see"
    #: Also whoever stands in the alarm chain (`callcenter.service.line.alarms`).
    ALARM_ACK = "alarm.ack"
    ALARM_TEST = "alarm.test"
    AUDIT_READ = "audit.read"
    AUDIT_VERIFY = "audit.verify"
    AUDIT_ANCHOR = "audit.anchor"
    RETENTION_RUN = "retention.run"
    HOLD_SET = "hold.set"
    KEYS_ROTATE = "keys.rotate"
    KEYS_ESCROW = "keys.escrow"
    BACKUP_MAKE = "backup.make"
    BACKUP_RESTORE = "backup.restore"
    PROMPTS_APPROVE = "prompts.approve"


_C, _S, _K, _A, _X, _E = (
    Role.COUNSELLOR,
    Role.SUPERVISOR,
    Role.CLERK,
    Role.AUDITOR,
    Role.ADMIN,
    Role.EMPLOYER,
)

#: Verb -> the roles that may. A verb that is missing here is nobody's.
ALLOWED: Mapping[Verb, frozenset[Role]] = MappingProxyType(
    {
        Verb.USERS_SEE: frozenset({_C, _S, _A, _X}),
        Verb.USERS_MANAGE: frozenset({_X}),
        Verb.SELF_SECRET: frozenset({_C, _S, _K, _A, _X, _E}),
        Verb.DUTY_SEE: frozenset({_C, _S, _A, _X}),
        Verb.DUTY_PLAN: frozenset({_S}),
        Verb.DUTY_ACT: frozenset({_C, _S}),
        Verb.DUTY_ACT_FOR: frozenset({_S}),
        Verb.DUTY_SWAP: frozenset({_C, _S}),
        Verb.DUTY_HOURS: frozenset({_C, _S}),
        Verb.DUTY_ROUTE: frozenset({_S}),
        Verb.DUTY_SURGE: frozenset({_S}),
        Verb.STAFF_SKILLS: frozenset({_S}),
        Verb.DEBRIEF_HOLD: frozenset({_S}),
        Verb.CRISIS_CALL: frozenset({_C, _S}),
        Verb.HANDOVER: frozenset({_C, _S}),
        Verb.CALL_LISTEN: frozenset({_S}),
        Verb.CALL_WHISPER: frozenset({_S}),
        Verb.CALL_BARGE: frozenset({_S}),
        Verb.EARS_SEE: frozenset({_C, _S, _A}),
        Verb.RECORDING_HEAR: frozenset({_S}),
        Verb.RECORDING_DROP: frozenset({_S}),
        Verb.CALLS_SEE: frozenset({_C, _S, _X}),
        Verb.CALLS_REPLAY: frozenset({_S, _X}),
        Verb.MESSAGE_HEAR: frozenset({_C, _S}),
        Verb.SESSIONS_LIST: frozenset({_C, _S}),
        Verb.SESSION_WRITE: frozenset({_C, _S}),
        Verb.SESSION_WRITE_FOR: frozenset({_S}),
        Verb.SESSION_READ: frozenset({_C, _S}),
        Verb.SESSION_READ_ALL: frozenset({_S}),
        Verb.SESSION_REVIEW: frozenset({_S}),
        Verb.CASES_SEE: frozenset({_C, _S}),
        Verb.CASE_ACT: frozenset({_C, _S}),
        Verb.CASE_SUPERVISE: frozenset({_S}),
        Verb.RESCUE_WRITE: frozenset({_C, _S}),
        Verb.RESCUE_CLOSE: frozenset({_C, _S}),
        Verb.QUEUE_SEE: frozenset({_C, _S}),
        Verb.QUEUE_WORK: frozenset({_C, _S}),
        Verb.QUEUE_CLOSE: frozenset({_S}),
        Verb.QUEUE_ASSIGN: frozenset({_S}),
        Verb.QUEUE_DECIDE: frozenset({_S}),
        Verb.DIALLER_HOLD: frozenset({_S}),
        Verb.PLANS_SEE: frozenset({_C, _S}),
        Verb.PLANS_CHANGE: frozenset({_C, _S}),
        Verb.SHEET_WRITE: frozenset({_C, _S}),
        Verb.SHEET_ACCEPT: frozenset({_C, _S}),
        Verb.HARDSHIP_IMPORT: frozenset({_K, _S}),
        Verb.HARDSHIP_SEE: frozenset({_K, _C, _S}),
        Verb.HARDSHIP_VISIT: frozenset({_K, _C, _S}),
        Verb.HARDSHIP_FILE: frozenset({_K, _S}),
        Verb.HARDSHIP_CONFIRM: frozenset({_K, _S}),
        Verb.PEOPLE_SEE: frozenset({_C, _S}),
        Verb.PEOPLE_CHANGE: frozenset({_C, _S}),
        Verb.PEOPLE_REVEAL: frozenset({_C, _S}),
        Verb.REVEAL_REVIEW: frozenset({_S}),
        Verb.PEOPLE_CONSENT: frozenset({_C, _S, _K}),
        Verb.PEOPLE_OPTIN: frozenset({_C, _S}),
        Verb.PEOPLE_MERGE: frozenset({_S}),
        Verb.PEOPLE_PLAN: frozenset({_C, _S}),
        Verb.PEOPLE_BLOCK: frozenset({_S}),
        Verb.PEOPLE_ERASE: frozenset({_S}),
        Verb.REQUEST_OPEN: frozenset({_C, _S, _K}),
        Verb.REQUEST_ANSWER: frozenset({_S}),
        Verb.ATTENDANCE_SEE: frozenset({_E, _S}),
        Verb.EXPORT_SESSIONS: frozenset({_S}),
        Verb.EXPORT_HARDSHIP: frozenset({_K, _S}),
        Verb.EXPORT_AUDIT: frozenset({_A}),
        Verb.EXPORT_SEE: frozenset({_K, _S, _A}),
        Verb.ALARM_SEE: frozenset({_C, _S, _X}),
        Verb.ALARM_ACK: frozenset({_S, _X}),
        Verb.ALARM_TEST: frozenset({_S, _X}),
        Verb.AUDIT_READ: frozenset({_A, _S}),
        Verb.AUDIT_VERIFY: frozenset({_A, _S, _X}),
        Verb.AUDIT_ANCHOR: frozenset({_A, _X}),
        Verb.RETENTION_RUN: frozenset({_X}),
        Verb.HOLD_SET: frozenset({_S, _A}),
        Verb.KEYS_ROTATE: frozenset({_X}),
        Verb.KEYS_ESCROW: frozenset({_X}),
        Verb.BACKUP_MAKE: frozenset({_X}),
        Verb.BACKUP_RESTORE: frozenset({_X}),
        Verb.PROMPTS_APPROVE: frozenset({_S}),
    }
)


class DataClass(StrEnum):
    """How much harm a value can do in the wrong hands (PIPL art. 28, 51). Docs: data classification."""

    #: Counts and codes about nobody.
    OPEN = "open"
    #: About those who run the line: shifts, times, who answered.
    STAFF = "staff"
    #: Who somebody is and how they are reached.
    IDENTITY = "identity"
    #: The hardship archive.
    HARDSHIP = "hardship"
    #: What was said, scored or decided in counselling. The strictest.
    COUNSELLING = "counselling"


#: Role -> the classes it may ever see, masked or revealed.
VISIBLE: Mapping[Role, frozenset[DataClass]] = MappingProxyType(
    {
        _C: frozenset(DataClass),
        _S: frozenset(DataClass),
        _K: frozenset({DataClass.OPEN, DataClass.IDENTITY, DataClass.HARDSHIP}),
        _A: frozenset({DataClass.OPEN, DataClass.STAFF}),
        _X: frozenset({DataClass.OPEN, DataClass.STAFF}),
        _E: frozenset({DataClass.OPEN}),
    }
)


def may(roles: Iterable[Role], verb: Verb) -> bool:
    """Tell whether somebody with these roles may do it."""
    return not ALLOWED.get(verb, frozenset()).isdisjoint(roles)


def sees(roles: Iterable[Role], data: DataClass) -> bool:
    """Tell whether somebody with these roles may see values of this class."""
    return any(data in VISIBLE.get(role, frozenset()) for role in roles)
