"""The people who run the line: named actors with roles, and where their phones are."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from callcenter.errors import Refused

_CODE = re.compile(r"[a-z][a-z0-9]{1,11}")


class Role(StrEnum):
    """What a user may do. A user may hold several."""

    COUNSELLOR = "counsellor"
    SUPERVISOR = "supervisor"
    CLERK = "clerk"
    AUDITOR = "auditor"
    ADMIN = "admin"
    #: A contact at an employer: totals of attendance, nothing of anybody.
    EMPLOYER = "employer"


class PhoneKind(StrEnum):
    """How a user's phone is reached."""

    #: A SIP phone registered at our PBX.
    SIP = "sip"
    #: A mobile through the trunk; it counts as answered only after the accept key.
    MOBILE = "mobile"
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """A named actor. `code` is opaque (`c017`): it is what the PBX and its logs know."""

    code: str
    name: str = field(repr=False)
    roles: frozenset[Role]
    phone: PhoneKind = PhoneKind.NONE
    #: Only for `PhoneKind.MOBILE`; digits.
    mobile: str | None = field(default=None, repr=False)
    #: SHA-1 of PBX salt + code + PIN (what dialplan can compare); None: may not sign on by phone.
    pin_verifier: str | None = field(default=None, repr=False)
    #: Place in the chain that inbound calls climb when nobody is at the line (1 = first).
    escalation_rank: int | None = None
    #: Place in the chain that alarms climb (1 = first).
    alarm_rank: int | None = None
    active: bool = True

    def __post_init__(self) -> None:
        if not _CODE.fullmatch(self.code):
            raise Refused(f"user code {self.code!r}: use 2-12 of a-z and 0-9, a letter first")
        if (self.phone is PhoneKind.MOBILE) != (self.mobile is not None):
            raise Refused(f"user {self.code}: a mobile phone needs its number, others have none")
        if self.mobile is not None and not re.fullmatch(r"\+?[0-9]{5,15}", self.mobile):
            raise Refused(f"user {self.code}: the mobile number must be 5-15 digits")
        ranked = self.escalation_rank is not None or self.alarm_rank is not None
        if ranked and self.phone is PhoneKind.NONE:
            raise Refused(f"user {self.code}: only somebody with a phone can be in a chain")
