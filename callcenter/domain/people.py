"""The workers we look after: people, their phones, consents and hardship files."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
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


class PhoneSource(StrEnum):
    """How we came to know that a number is somebody's."""

    #: They called from it, or left it by key; or a supervisor made sure.
    LINE = "line"
    REGISTER = "register"
    #: A counsellor typed it: it may be dialled, and tells of nobody who calls until a supervisor made sure.
    HAND = "hand"


@dataclass(frozen=True, kw_only=True, slots=True)
class Phone:
    """One number of a person."""

    number: str = field(repr=False)
    status: PhoneStatus = PhoneStatus.OK
    safe_to_call: bool = True
    source: PhoneSource = PhoneSource.LINE
    #: The newest list of the register holds it: what a clerk sees of somebody's numbers (R39).
    listed: bool = False

    @property
    def is_known(self) -> bool:
        """Tell whether somebody who calls from it may be taken for them."""
        return self.source is not PhoneSource.HAND


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
    script_version: str = ""


class SuppressionKind(StrEnum):
    """What a person asked us not to do."""

    #: No automated calls; a human may still call.
    AUTOMATION = "automation"
    ALL_OUTBOUND = "all_outbound"


@dataclass(frozen=True, kw_only=True, slots=True)
class Suppression:
    """An opt-out. Survives re-import (R32)."""

    person: str
    kind: SuppressionKind
    at: datetime
    reason: str


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

    def is_elder(self, year: int) -> bool:
        """Tell whether they are, or become in `year`, old enough to be spared machines."""
        return self.birth_year is not None and year - self.birth_year >= ELDER

    def no_menu(self, year: int) -> bool:
        """Tell whether a person has to speak to them, and no menu."""
        return self.no_ivr or self.is_elder(year)


class Grade(StrEnum):
    """Hardship grades; cadences in `scheduler.cadence` are keyed by these values."""

    DEEP = "深度困难"
    RELATIVE = "相对困难"
    ACCIDENT = "意外致困"
    WATCH = "脱困观察"


class FileStatus(StrEnum):
    """Where a hardship file stands. Only `ACTIVE` and `WATCH` are owed check-ins."""

    ACTIVE = "在档"
    WATCH = "脱困观察期"
    CLOSED = "退档"


@dataclass(frozen=True, kw_only=True, slots=True)
class HardshipFile:
    """One household's file, headed by a worker."""

    file_no: str
    person: str
    grade: Grade
    status: FileStatus
    #: First day of the present grade: where the cadence starts.
    since: date
    district: str = ""
    union_unit: str = ""
    liaison: str = ""
