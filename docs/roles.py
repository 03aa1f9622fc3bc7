"""Write `docs/reference/roles.md` from the matrix of roles: `.venv/bin/python docs/roles.py`.

`tests/unit/test_access_commands.py` fails when the page is out of step, and types every command that is
named here as every role.
"""

from __future__ import annotations

import sys
from pathlib import Path

from callcenter.domain.access import ALLOWED, VISIBLE, DataClass, Verb
from callcenter.domain.fields import CALL_FIELDS, DEBT_FIELDS, FILE_FIELDS, USER_FIELDS
from callcenter.domain.users import Role

ROLES_PAGE = Path(__file__).parent / "reference" / "roles.md"

#: What each verb is, in a few words.
WHAT: dict[Verb, str] = {
    Verb.USERS_SEE: "who runs the line, masked",
    Verb.USERS_MANAGE: "users, roles, others' passwords and PINs",
    Verb.SELF_SECRET: "one's own password, second factor, PIN",
    Verb.DUTY_SEE: "roster and gaps",
    Verb.DUTY_PLAN: "planning shifts, publishing, deciding swaps",
    Verb.DUTY_ACT: "signing oneself on, off, pausing",
    Verb.DUTY_ACT_FOR: "signing others on or off",
    Verb.DUTY_SWAP: "offering one's own shift, taking one that is offered",
    Verb.DUTY_SURGE: "ringing backups for a while",
    Verb.DUTY_ROUTE: "trying out where a call would go",
    Verb.DUTY_HOURS: "hours of attendance: one's own; whoever plans everybody's",
    Verb.DEBRIEF_HOLD: "having talked a hard call over with whoever took it",
    Verb.STAFF_SKILLS: "what those who answer are good at, and their share",
    Verb.CRISIS_CALL: "calling supervisors to a call: somebody is in danger",
    Verb.HANDOVER: "handing calls and cases over, accepting them by name",
    Verb.CALL_LISTEN: "listening to a call, heard by nobody",
    Verb.CALL_WHISPER: "speaking to its counsellor only",
    Verb.CALL_BARGE: "joining it as a third",
    Verb.EARS_SEE: "who listened to which call: one's own, or all",
    Verb.RECORDING_HEAR: "hearing a recorded talk, with a reason",
    Verb.RECORDING_DROP: "deleting one",
    Verb.CALLS_SEE: "calls, masked",
    Verb.CALLS_REPLAY: "rebuilding the table of calls",
    Verb.MESSAGE_HEAR: "listening to messages callers left",
    Verb.SESSIONS_LIST: "that records exist and where they stand",
    Verb.SESSION_WRITE: "writing one's own records",
    Verb.SESSION_WRITE_FOR: "writing and amending those of others",
    Verb.SESSION_READ: "reading one's own records, and of cases one owns",
    Verb.SESSION_READ_ALL: "reading everybody's records",
    Verb.SESSION_REVIEW: "reviewing records",
    Verb.CASES_SEE: "cases",
    Verb.CASE_ACT: "working on cases",
    Verb.CASE_SUPERVISE: "what two people decide; handing over, reopening",
    Verb.RESCUE_WRITE: "the log of a rescue",
    Verb.RESCUE_CLOSE: "closing a rescue",
    Verb.QUEUE_SEE: "whom we owe a contact, and why",
    Verb.QUEUE_WORK: "dialling, recording that it was done",
    Verb.QUEUE_CLOSE: "ending a debt without contact, by name; somebody in danger: two supervisors",
    Verb.SHEET_WRITE: "what one shift leaves to the next",
    Verb.SHEET_ACCEPT: "accepting it by name",
    Verb.QUEUE_ASSIGN: "passing a debt to somebody, or taking it from them",
    Verb.QUEUE_DECIDE: "what becomes of somebody in danger whom nobody reaches; dialling outside the hours",
    Verb.DIALLER_HOLD: "stopping the dialler, letting it go on",
    Verb.PLANS_SEE: "contacts agreed again and again",
    Verb.PLANS_CHANGE: "agreeing on them, moving and ending them",
    Verb.HARDSHIP_IMPORT: "importing the register",
    Verb.HARDSHIP_SEE: "files; owed or done",
    Verb.HARDSHIP_VISIT: "recording a home visit (`queue done --visit`)",
    Verb.HARDSHIP_FILE: "a file's way through the register",
    Verb.HARDSHIP_CONFIRM: "making sure that a file that left was right to",
    Verb.PEOPLE_SEE: "finding people, masked",
    Verb.PEOPLE_CHANGE: "entries, numbers, how to speak with somebody",
    Verb.PEOPLE_REVEAL: "a number or name in full, with a reason",
    Verb.REVEAL_REVIEW: "looking over what was revealed",
    Verb.PEOPLE_CONSENT: "consents and refusals",
    Verb.PEOPLE_OPTIN: "that a refusal no longer holds, by their own word",
    Verb.PEOPLE_MERGE: "two entries that are one person",
    Verb.PEOPLE_PLAN: "how a repeat caller is looked after",
    Verb.PEOPLE_BLOCK: "not putting a number through for a while",
    Verb.PEOPLE_ERASE: "taking a person's data away",
    Verb.REQUEST_OPEN: "writing down what somebody asks about their data",
    Verb.REQUEST_ANSWER: "answering it",
    Verb.ATTENDANCE_SEE: "counts for an employer, small cells hidden",
    Verb.EXPORT_SESSIONS: "records in a file",
    Verb.EXPORT_HARDSHIP: "the register in a file",
    Verb.EXPORT_AUDIT: "the audit in a file",
    Verb.EXPORT_SEE: "which files left, when they expire",
    Verb.ALARM_SEE: "alarms",
    Verb.ALARM_ACK: "acknowledging; also whoever alarms ring",
    Verb.ALARM_TEST: "ringing the chain, dialling ourselves",
    Verb.AUDIT_READ: "who did what, when, why",
    Verb.AUDIT_VERIFY: "that the audit is whole",
    Verb.AUDIT_ANCHOR: "that an audit counts from here on whose noted head was lost, for a reason",
    Verb.RETENTION_RUN: "taking away what is past its time",
    Verb.HOLD_SET: "legal holds",
    Verb.KEYS_ROTATE: "a new key",
    Verb.KEYS_ESCROW: "the key's sealed copy",
    Verb.BACKUP_MAKE: "a backup",
    Verb.BACKUP_RESTORE: "bringing one back",
    Verb.PROMPTS_APPROVE: "what callers hear",
}

#: Command -> the verb it asks for when it is about somebody else; None: only that one is a user.
ASKS: dict[str, Verb | None] = {
    "ivr prompts approve": Verb.PROMPTS_APPROVE,
    "duty add": Verb.DUTY_PLAN,
    "duty remove": Verb.DUTY_PLAN,
    "duty template add": Verb.DUTY_PLAN,
    "duty template list": Verb.DUTY_SEE,
    "duty template end": Verb.DUTY_PLAN,
    "duty template remove": Verb.DUTY_PLAN,
    "duty need add": Verb.DUTY_PLAN,
    "duty need list": Verb.DUTY_SEE,
    "duty need remove": Verb.DUTY_PLAN,
    "duty override add": Verb.DUTY_PLAN,
    "duty override list": Verb.DUTY_SEE,
    "duty override remove": Verb.DUTY_PLAN,
    "duty publish": Verb.DUTY_PLAN,
    "duty swap offer": Verb.DUTY_SWAP,
    "duty swap take": Verb.DUTY_SWAP,
    "duty swap withdraw": Verb.DUTY_SWAP,
    "duty swap list": Verb.DUTY_SWAP,
    "duty swap approve": Verb.DUTY_PLAN,
    "duty swap refuse": Verb.DUTY_PLAN,
    "duty gaps": Verb.DUTY_SEE,
    "duty route": Verb.DUTY_ROUTE,
    "duty sheet": Verb.DUTY_SEE,
    "duty export": Verb.DUTY_SEE,
    "duty calendar": Verb.DUTY_SEE,
    "duty import": Verb.DUTY_PLAN,
    "report staffing": Verb.DUTY_SEE,
    "duty show": Verb.DUTY_SEE,
    "duty on": Verb.DUTY_ACT_FOR,
    "duty off": Verb.DUTY_ACT_FOR,
    "duty pause": Verb.DUTY_ACT_FOR,
    "duty resume": Verb.DUTY_ACT_FOR,
    "duty debrief list": Verb.DUTY_ACT,
    "duty debrief held": Verb.DEBRIEF_HOLD,
    "duty debrief waive": Verb.DUTY_ACT,
    "duty hours": Verb.DUTY_HOURS,
    "duty correct": Verb.DUTY_PLAN,
    "duty surge on": Verb.DUTY_SURGE,
    "duty surge off": Verb.DUTY_SURGE,
    "duty surge show": Verb.DUTY_SEE,
    "user skills": Verb.STAFF_SKILLS,
    "user list": Verb.USERS_SEE,
    "user show": Verb.USERS_SEE,
    "user add": Verb.USERS_MANAGE,
    "user set": Verb.USERS_MANAGE,
    "user disable": Verb.USERS_MANAGE,
    "user account": Verb.USERS_MANAGE,
    "user pin": Verb.USERS_MANAGE,
    "user password": Verb.USERS_MANAGE,
    "user totp": Verb.USERS_MANAGE,
    "whoami": None,
    "calls list": Verb.CALLS_SEE,
    "calls show": Verb.CALLS_SEE,
    "calls listen": Verb.CALL_LISTEN,
    "calls listen --mode whisper": Verb.CALL_WHISPER,
    "calls listen --mode barge": Verb.CALL_BARGE,
    "calls ears": Verb.EARS_SEE,
    "calls recording list": Verb.RECORDING_HEAR,
    "calls recording hear": Verb.RECORDING_HEAR,
    "calls recording drop": Verb.RECORDING_DROP,
    "calls live": Verb.CALLS_SEE,
    "calls replay": Verb.CALLS_REPLAY,
    "calls crisis": Verb.CRISIS_CALL,
    "sessions list": Verb.SESSIONS_LIST,
    "sessions show": Verb.SESSION_READ,
    "sessions diff": Verb.SESSION_READ,
    "sessions write": Verb.SESSION_WRITE,
    "sessions quick": Verb.SESSION_WRITE,
    "sessions amend": Verb.SESSION_WRITE,
    "sessions discard": Verb.SESSION_WRITE,
    "sessions uptake": Verb.SESSION_WRITE,
    "sessions review": Verb.SESSION_REVIEW,
    "hardship import": Verb.HARDSHIP_IMPORT,
    "hardship profiles list": Verb.HARDSHIP_IMPORT,
    "hardship profiles show": Verb.HARDSHIP_IMPORT,
    "hardship profiles drop": Verb.HARDSHIP_IMPORT,
    "hardship list": Verb.HARDSHIP_SEE,
    "hardship apply": Verb.HARDSHIP_FILE,
    "hardship notice": Verb.HARDSHIP_FILE,
    "hardship approve": Verb.HARDSHIP_FILE,
    "hardship watch": Verb.HARDSHIP_FILE,
    "hardship leave": Verb.HARDSHIP_FILE,
    "hardship return": Verb.HARDSHIP_FILE,
    "hardship review": Verb.HARDSHIP_FILE,
    "hardship confirm": Verb.HARDSHIP_CONFIRM,
    "hardship household show": Verb.HARDSHIP_SEE,
    "hardship household set": Verb.HARDSHIP_FILE,
    "hardship owed": Verb.HARDSHIP_SEE,
    "hardship show": Verb.HARDSHIP_SEE,
    "hardship coverage": Verb.HARDSHIP_SEE,
    "queue list": Verb.QUEUE_SEE,
    "queue next": Verb.QUEUE_SEE,
    "queue show": Verb.QUEUE_SEE,
    "queue why": Verb.QUEUE_SEE,
    "queue tonight": Verb.QUEUE_SEE,
    "queue forecast": Verb.QUEUE_SEE,
    "queue sheet write": Verb.SHEET_WRITE,
    "queue sheet list": Verb.SHEET_ACCEPT,
    "queue sheet show": Verb.SHEET_ACCEPT,
    "queue sheet accept": Verb.SHEET_ACCEPT,
    "queue dial": Verb.QUEUE_WORK,
    "queue dial --override": Verb.QUEUE_DECIDE,
    "queue done": Verb.QUEUE_WORK,
    "queue close": Verb.QUEUE_CLOSE,
    "queue claim": Verb.QUEUE_WORK,
    "queue release": Verb.QUEUE_WORK,
    "queue assign": Verb.QUEUE_ASSIGN,
    "queue snooze": Verb.QUEUE_WORK,
    "queue wake": Verb.QUEUE_WORK,
    "queue escalate": Verb.QUEUE_WORK,
    "queue decide": Verb.QUEUE_DECIDE,
    "queue outcome": Verb.QUEUE_WORK,
    "queue waive": Verb.QUEUE_CLOSE,
    "queue waivers": Verb.QUEUE_SEE,
    "queue waivers --grant": Verb.QUEUE_CLOSE,
    "queue waivers --refuse": Verb.QUEUE_CLOSE,
    "queue pause": Verb.DIALLER_HOLD,
    "queue resume": Verb.DIALLER_HOLD,
    "plans add": Verb.PLANS_CHANGE,
    "plans list": Verb.PLANS_SEE,
    "plans show": Verb.PLANS_SEE,
    "plans move": Verb.PLANS_CHANGE,
    "plans change": Verb.PLANS_CHANGE,
    "plans end": Verb.PLANS_CHANGE,
    "alarm list": Verb.ALARM_SEE,
    "alarm ack": Verb.ALARM_ACK,
    "alarm test": Verb.ALARM_TEST,
    "alarm selfdial": Verb.ALARM_TEST,
    "audit list": Verb.AUDIT_READ,
    "audit verify": Verb.AUDIT_VERIFY,
    "audit verify --anchor": Verb.AUDIT_ANCHOR,
    "audit hold": Verb.HOLD_SET,
    "audit holds": Verb.HOLD_SET,
    "audit release": Verb.HOLD_SET,
    "audit retention": Verb.RETENTION_RUN,
    "audit tombstones": Verb.AUDIT_READ,
    "keys rotate": Verb.KEYS_ROTATE,
    "keys retire": Verb.KEYS_ROTATE,
    "keys escrow": Verb.KEYS_ESCROW,
    "keys confirm": Verb.KEYS_ESCROW,
    "calls message": Verb.MESSAGE_HEAR,
    "calls reveal": Verb.PEOPLE_REVEAL,
    "people find": Verb.PEOPLE_SEE,
    "people show": Verb.PEOPLE_SEE,
    "people reveal": Verb.PEOPLE_REVEAL,
    "people reveals": Verb.REVEAL_REVIEW,
    "people code": Verb.PEOPLE_CHANGE,
    "people phone add": Verb.PEOPLE_CHANGE,
    "people phone set": Verb.PEOPLE_CHANGE,
    "people phone agree": Verb.PEOPLE_CHANGE,
    "people phone show": Verb.PEOPLE_SEE,
    "people care": Verb.PEOPLE_CHANGE,
    "people consent": Verb.PEOPLE_CONSENT,
    "people optout": Verb.PEOPLE_CONSENT,
    "people optin": Verb.PEOPLE_OPTIN,
    "people plan": Verb.PEOPLE_PLAN,
    "people merge": Verb.PEOPLE_MERGE,
    "people unmerge": Verb.PEOPLE_MERGE,
    "people duplicates": Verb.PEOPLE_MERGE,
    "people block": Verb.PEOPLE_BLOCK,
    "people unblock": Verb.PEOPLE_BLOCK,
    "people blocks": Verb.PEOPLE_BLOCK,
    "cases list": Verb.CASES_SEE,
    "cases show": Verb.CASES_SEE,
    "cases take": Verb.CASE_ACT,
    "cases raise": Verb.CASE_ACT,
    "cases lower": Verb.CASE_ACT,
    "cases withdraw": Verb.CASE_ACT,
    "cases watch": Verb.CASE_ACT,
    "cases tried": Verb.CASE_ACT,
    "cases close": Verb.CASE_ACT,
    "cases ack": Verb.CASE_SUPERVISE,
    "cases confirm": Verb.CASE_SUPERVISE,
    "cases reopen": Verb.CASE_SUPERVISE,
    "rescue show": Verb.CASES_SEE,
    "rescue call": Verb.RESCUE_WRITE,
    "rescue dial": Verb.RESCUE_WRITE,
    "rescue step": Verb.RESCUE_WRITE,
    "rescue confirm": Verb.RESCUE_WRITE,
    "rescue inform": Verb.RESCUE_WRITE,
    "rescue close": Verb.RESCUE_CLOSE,
    "handover give": Verb.HANDOVER,
    "handover accept": Verb.HANDOVER,
    "handover list": Verb.HANDOVER,
    "handover back": Verb.HANDOVER,
    "people request": Verb.REQUEST_OPEN,
    "people requests": Verb.REQUEST_ANSWER,
    "people answer": Verb.REQUEST_ANSWER,
    "people erase": Verb.PEOPLE_ERASE,
    "report attendance": Verb.ATTENDANCE_SEE,
    "report contacts": Verb.HARDSHIP_SEE,
    "export make": Verb.EXPORT_SESSIONS,
    "export list": Verb.EXPORT_SEE,
    "export delete": Verb.EXPORT_SEE,
    "export trace": Verb.EXPORT_SEE,
    "backup": Verb.BACKUP_MAKE,
    "restore": Verb.BACKUP_RESTORE,
}

#: Commands without an actor, and why: they run as the operating system's account.
MACHINE: dict[str, str] = {
    "init": "makes the first administrator, and the recovery key",
    "serve": "the service itself",
    "pbx": "files and process of the telephone system",
    "ivr": "flows, texts and sounds; nothing about anybody",
    "twilio": "files for another line",
    "demo": "a line of its own with made-up people",
    "login": "proves who somebody is",
    "logout": "ends that",
    "keys recover": "there is no database to ask yet",
    "keys copy": "seals the key file once more",
    "doctor": "looks at files, versions and counts, at nobody's data",
    "queue ladder": "the site's own rules and made-up results; nobody's data",
    "cases scales": "which scales there are",
    "cases score": "adds up what is typed; nothing is looked up or kept",
}

_INITIALS = {role: role.value for role in Role}

HEAD = """\
# Roles

Who may do what, and which kind of data each role sees.
Generated from `callcenter/domain/access.py` by `docs/roles.py`; a test keeps it in step and another types every command as every role.

Deny first: what stands nowhere here nobody may do.
Roles of one user add up.
A refusal comes before anything is read or changed, and leaves nothing behind.

## Who acts

Every command that shows or changes data takes an actor: `--as CODE` or `HOTLINE_ACTOR=CODE`.

**While `access.cli_sign_in` is false, `--as` is believed.**
Whoever has the operating system's account that runs `hotline` can name anybody, so that account is for people who may be all of them.
It also holds the key file, and with it everything.
The roles then guard against slips and against the wrong screen, not against that account.

With `access.cli_sign_in = true` a command acts as whoever signed in (`hotline login`), and `--as` names nobody else.
Passwords are kept as Argon2id hashes, tokens as SHA-256.
Whoever can change the configuration or read the key file stands above this too.

Commands without an actor run as the operating system's account:

| command | because |
|---|---|
"""  # noqa: E501 - one sentence is one line of the page

MATRIX_HEAD = """
## Verbs

| verb | what | {roles} | commands |
|---|---|{lines}|---|
"""

CLASSES_HEAD = """
## What each role sees

What a role does not see is left out of tables and of JSON: an absent key is not an empty value.
Names and numbers are masked for everybody; one in full takes a reason, which is kept.

| class | what | {roles} |
|---|---|{lines}|
"""

CLASS_WHAT: dict[DataClass, str] = {
    DataClass.OPEN: "counts and codes about nobody",
    DataClass.STAFF: "who runs the line: shifts, times, who answered",
    DataClass.IDENTITY: "who somebody is and how they are reached",
    DataClass.HARDSHIP: "the hardship archive; that a routine check-in is owed or done",
    DataClass.COUNSELLING: "what was said, pressed, scored or decided; any other debt; why it is owed",
}

FIELDS_HEAD = """
A counsellor sees what was said and pressed in calls they answered or nobody answered, not in those of colleagues.
A call that the administrator looks at has no digit of its number.

## Fields

| of | class | fields |
|---|---|---|
"""  # noqa: E501


def roles_page() -> str:
    """Return the whole page."""
    machine = "".join(f"| `hotline {name}` | {why} |\n" for name, why in MACHINE.items())
    roles = " | ".join(_INITIALS.values())
    lines = "|".join([":-:"] * len(Role))
    matrix = "".join(_verb_row(verb) for verb in Verb)
    classes = "".join(_class_row(data) for data in DataClass)
    return (
        HEAD
        + machine
        + MATRIX_HEAD.format(roles=roles, lines=lines)
        + matrix
        + CLASSES_HEAD.format(roles=roles, lines=lines)
        + classes
        + FIELDS_HEAD
        + _fields()
    )


def _verb_row(verb: Verb) -> str:
    marks = " | ".join("x" if role in ALLOWED[verb] else "" for role in Role)
    commands = ", ".join(f"`{name}`" for name, asked in ASKS.items() if asked is verb)
    return f"| `{verb.value}` | {WHAT[verb]} | {marks} | {commands} |\n"


def _class_row(data: DataClass) -> str:
    marks = " | ".join("x" if data in VISIBLE[role] else "" for role in Role)
    return f"| `{data.value}` | {CLASS_WHAT[data]} | {marks} |\n"


def _fields() -> str:
    tables = {"a call": CALL_FIELDS, "a debt": DEBT_FIELDS, "a file": FILE_FIELDS, "a user": USER_FIELDS}
    rows = []
    for of, fields in tables.items():
        for data in DataClass:
            names = ", ".join(f"`{name}`" for name, found in fields.items() if found is data)
            if names:
                rows.append(f"| {of} | `{data.value}` | {names} |\n")
    return "".join(rows)


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        sys.stdout.buffer.write(roles_page().encode())
    else:
        ROLES_PAGE.write_text(roles_page(), encoding="utf-8")
