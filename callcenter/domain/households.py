"""Households, and the lists a union sends about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """Somebody of a household besides the worker who heads it. Sealed with the household."""

    name: str = field(repr=False)
    #: To the worker: `配偶`, `女儿`.
    relation: str = ""
    #: Their own entry, where they have one.
    person: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Household:
    """A household: at most one of its files is open at a time (one household, one file)."""

    id: str
    #: What the register calls it; empty: nothing.
    register_no: str = field(default="", repr=False)
    members: tuple[Member, ...] = field(default=(), repr=False)
    revision: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportProfile:
    """How one office's lists are to be read: which of their columns holds which field."""

    #: Its name.
    id: str
    #: (heading as the office spells it, field).
    columns: tuple[tuple[str, str], ...]
    by: str
    at: datetime
    revision: int = 0
