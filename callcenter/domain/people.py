"""The workers we look after: people, their phones, consents and hardship files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from typing import Literal


class PhoneStatus(StrEnum):
    """What we know of a number."""

    OK = "ok"
    VACANT = "vacant"
    SUSPENDED = "suspended"
    WRONG = "wrong"
    #: R25: 9 was pressed before identity: this number only is left alone until a human verified.
    QUARANTINED = "quarantined"
    #: The network, or the person, says that it is another one now.
    CHANGED = "changed"


class PhoneSource(StrEnum):
    """How we came to know that a number is somebody's."""

    #: They called from it, or left it by key; or a supervisor made sure.
    LINE = "line"
    REGISTER = "register"
    #: A counsellor typed it: it may be dialled, and tells of nobody who calls until a supervisor made sure.
    HAND = "hand"


@dataclass(frozen=True, kw_only=True, slots=True)
class SafeContact:
    """What was agreed about calling a number: who else may answer there, and what they may hear.

    All of it is sealed. Nothing agreed means: say nothing, leave nothing.
    """

    #: Whose it is, to people: `家里`, `女儿`.
    label: str = ""
    #: A message in neutral words may be left.
    voicemail: bool = False
    sms: bool = False
    #: When it is safe to ring there, wall time; empty: whenever the line calls out.
    windows: tuple[tuple[time, time], ...] = ()
    #: Whom to ask for, and as whom to call.
    say_name: str = ""
    #: A word agreed, by which they know us.
    code_word: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Phone:
    """One number of a person."""

    number: str = field(repr=False)
    status: PhoneStatus = PhoneStatus.OK
    safe_to_call: bool = True
    source: PhoneSource = PhoneSource.LINE
    #: The newest list of the register holds it: what a clerk sees of somebody's numbers (R39).
    listed: bool = False
    #: When somebody last made sure whose it is.
    verified_at: datetime | None = None
    agreed: SafeContact = field(default_factory=SafeContact, repr=False)

    @property
    def is_known(self) -> bool:
        """Tell whether somebody who calls from it may be taken for them."""
        return self.source is not PhoneSource.HAND


def callable_now(phone: Phone, wall: time) -> bool:
    """Tell whether a number may be rung at this wall time, by what was agreed about it; nothing agreed: yes.

    A span that ends before it begins goes over midnight.
    """
    spans = phone.agreed.windows
    return not spans or any(_within(wall, begin, end) for begin, end in spans)


def _within(wall: time, begin: time, end: time) -> bool:
    return begin <= wall < end if begin <= end else wall >= begin or wall < end


class ConsentKind(StrEnum):
    """What a person agreed to."""

    #: Automated check-in calls. Without it the person is still owed, but by a human.
    IVR_CHECKIN = "ivr_checkin"
    RECORDING = "recording"
    #: Calls by a human after a talk.
    FOLLOWUP = "followup"
    #: Passing data on: to the state's line, to their union, to the person named for emergencies.
    SHARE_12356 = "share_12356"
    SHARE_UNION = "share_union"
    EMERGENCY_CONTACT = "emergency_contact"


@dataclass(frozen=True, kw_only=True, slots=True)
class Consent:
    """One statement of consent. Append-only: the last one of a kind counts."""

    person: str
    kind: ConsentKind
    granted: bool
    at: datetime
    channel: str
    #: Which wording was read out or signed: `consent-2026-05`.
    script_version: str = ""
    #: What proves it: a call's id, a paper's number. Stands in clear, so never a name or a number of theirs.
    evidence: str = ""
    #: A yes that ends by itself.
    expires_at: datetime | None = None


def consents_now(said: Iterable[Consent], now: datetime) -> dict[ConsentKind, bool]:
    """Return what holds at `now`, of statements oldest first: a yes that expired is no yes.

    A kind that nobody spoke of is not there.
    """
    newest = {one.kind: one for one in said}
    return {kind: one.granted and not _is_over(one, now) for kind, one in newest.items()}


def agreed_to(said: Iterable[Consent], kind: ConsentKind, now: datetime) -> bool:
    """Tell whether the last statement of a kind is a yes that still holds."""
    return consents_now(said, now).get(kind, False)


def _is_over(one: Consent, now: datetime) -> bool:
    return one.expires_at is not None and one.expires_at <= now


class SuppressionKind(StrEnum):
    """What a person asked us not to do."""

    #: No automated calls; a human may still call.
    AUTOMATION = "automation"
    ALL_OUTBOUND = "all_outbound"
    #: No calls about one thing (`Suppression.topic`).
    TOPIC = "topic"


@dataclass(frozen=True, kw_only=True, slots=True)
class Suppression:
    """An opt-out, or (`lifted`) the person's own word that it no longer holds. Append-only.

    Of a kind and topic the one that holds longest counts, until the person lifts them. Survives re-import
    (R32).
    """

    person: str
    kind: SuppressionKind
    at: datetime
    reason: str
    #: Holds until then; None: until they say otherwise.
    until: datetime | None = None
    #: Of `TOPIC`: a kind of debt (`scheduler.obligations.Kind`).
    topic: str = ""
    lifted: bool = False


def in_force(said: Sequence[Suppression], now: datetime) -> tuple[Suppression, ...]:
    """Return the opt-outs that hold at `now`, of statements oldest first: one for each kind and topic.

    What was said once for ever is not shortened by a later word that holds a week: only lifting ends it.
    """
    standing: dict[tuple[SuppressionKind, str], Suppression] = {}
    for one in said:
        key = (one.kind, one.topic)
        if one.lifted:
            standing.pop(key, None)
        elif key not in standing or lasts_as_long(one, standing[key]):
            standing[key] = one
    return tuple(one for one in standing.values() if one.until is None or one.until > now)


def lasts_as_long(one: Suppression, other: Suppression) -> bool:
    """Tell whether an opt-out holds at least as long as another."""
    return one.until is None or (other.until is not None and one.until >= other.until)


#: Languages of the prompts besides Mandarin: `zh_wx` is 无锡话.
Speech = Literal["", "zh_wx"]
#: From this age on people are not left to machines unless they want to be.
ELDER = 65


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """A worker. May be anonymous: then only `code` is known."""

    id: str
    #: Pseudonym shown where a name is not needed: `P-7F3K`.
    code: str
    name: str | None = field(default=None, repr=False)
    birth_month: int | None = field(default=None, repr=False)
    birth_year: int | None = field(default=None, repr=False)
    phones: tuple[Phone, ...] = ()
    #: Asked, or is known, to be called and answered by people only.
    no_ivr: bool = False
    #: What they are best spoken to in, if it is not Mandarin.
    speaks: Speech = ""
    #: Id of the entry that stands for this one too, after both were found to be one person.
    merged_into: str | None = None
    #: Six digits we gave them, so that they are known again without a number.
    spoken: str | None = field(default=None, repr=False)
    #: Keyed mark of their identity number, which itself is never kept.
    identity_mark: str | None = field(default=None, repr=False)

    def is_elder(self, year: int) -> bool:
        """Tell whether they are, or become in `year`, old enough to be spared machines."""
        return self.birth_year is not None and year - self.birth_year >= ELDER

    def no_menu(self, year: int) -> bool:
        """Tell whether a person has to speak to them, and no menu."""
        return self.no_ivr or self.is_elder(year)


class Grade(StrEnum):
    """The hardship grades we ship. A site may have others (`[hardship.grades]`): cities differ."""

    DEEP = "深度困难"
    RELATIVE = "相对困难"
    ACCIDENT = "意外致困"
    WATCH = "脱困观察"


class FileStatus(StrEnum):
    """Where a hardship file stands. Only `ACTIVE` and `WATCH` are owed check-ins."""

    APPLIED = "申请"
    NOTICE = "公示"
    ACTIVE = "在档"
    WATCH = "脱困观察期"
    CLOSED = "退档"


#: Of these files' people a routine contact is owed.
OWED_STATUSES = frozenset({FileStatus.ACTIVE, FileStatus.WATCH})


class ExitReason(StrEnum):
    """Why a file left (closed list; R34)."""

    RECOVERED = "脱困"
    RETIRED = "退休"
    MOVED = "调离"
    DIED = "死亡"
    #: The notice brought an objection that held, or the check did not bear it out.
    NOT_APPROVED = "未通过"
    MISTAKE = "误建"
    OTHER = "其他"


@dataclass(frozen=True, kw_only=True, slots=True)
class HardshipFile:
    """One household's file, headed by a worker."""

    file_no: str
    person: str
    #: A key of `[hardship.grades]`.
    grade: str
    status: FileStatus
    #: First day of the present grade: where the cadence starts.
    since: date
    district: str = ""
    union_unit: str = ""
    liaison: str = ""
    #: Id of the household (`HOUSEHOLDS`); at most one file of a household is open.
    household: str | None = None
    #: First and last day of the public notice.
    notice_from: date | None = None
    notice_to: date | None = None
    #: When the file is to be looked through again.
    review_due: date | None = None
    exit_reason: ExitReason | None = None
    #: R34: who made sure, after the file had left, that it was right to.
    exit_confirmed_by: str | None = None
