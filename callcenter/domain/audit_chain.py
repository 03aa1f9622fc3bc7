"""The audit's hash chain (R50): each entry carries a keyed hash over itself and over the one before.

The hash is made over what people read (reasons in plain text), so that a change of the field key leaves
it as it is; its own key never stands in the database. What a chain alone cannot show is that its tail is
gone: for that the newest link, the *head*, is noted outside the database.

Entries of before the chain have no hash of their own. They are folded in the same way, and the first
entry that has one is made over the result, marked as the first: so the chain covers them too, and the
hashes of its beginning cannot be blanked to make a later one look like the first.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from callcenter.errors import Refused

#: Keyed hash over the hash before and the present data.
Mac = Callable[[bytes, bytes], bytes]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = b"first"
_NEXT = b"next"
#: What people copy from the screen: 128 bits are out of reach of anybody who tries.
_WRITTEN = 32
_HEAD = re.compile(r"([0-9]{1,18}):([0-9a-fA-F]{16,64})")


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """Who did what to which thing, when and why. Never updated, never deleted."""

    actor: str
    verb: str
    object: str
    at: datetime
    field: str = ""
    reason: str = ""
    seq: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A stored entry and its hash, as they are found. None: cannot be read, or has no hash."""

    seq: int
    entry: AuditEntry | None = field(repr=False)
    stored: bytes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The newest link, to be noted outside the database. From paper, `hash` may be only its beginning."""

    seq: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash.hex()[:_WRITTEN]}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Return what `SEQ:HASH` says (16 hex digits or more), or raise `Refused`."""
        found = _HEAD.fullmatch("".join(text.split()))
        if found is None or len(found[2]) % 2:
            raise Refused("链头应写作 序号:散列，如 128:9f3c…（散列至少 16 位十六进制，位数为偶数）。")
        return cls(seq=int(found[1]), hash=bytes.fromhex(found[2]))

    def is_of(self, link: Link) -> bool:
        """Tell whether this is that link's hash, or the beginning of it."""
        return link.stored is not None and hmac.compare_digest(self.hash, link.stored[: len(self.hash)])


class Fault(StrEnum):
    """What is wrong with a chain."""

    #: The entry does not fit its hash: it, or (with the first hash) one before it, was changed or moved.
    CHANGED = "changed"
    #: One or more numbers are missing before this one.
    MISSING = "missing"
    #: The entry cannot be read as an entry at all.
    UNREADABLE = "unreadable"
    #: A hash was taken away, or none was ever written.
    NO_HASH = "no_hash"
    #: The log ends before the head that was noted.
    CUT_OFF = "cut_off"
    #: The log is whole in itself, but is not the one whose head was noted.
    OTHER_HEAD = "other_head"
    #: No head is noted: whether the end is missing cannot be told.
    NO_HEAD = "no_head"
    #: There is no entry at all, though a line begins with one.
    EMPTY = "empty"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether the chain is whole, how far it reaches, and where it breaks first."""

    #: Entries read, up to and with the first bad one.
    entries: int
    #: First entry with a hash of its own; those before are covered by it.
    chained_from: int | None
    #: Newest good link.
    head: Head | None
    fault: Fault | None = None
    #: Number of the first bad, or first missing, entry.
    bad_seq: int | None = None

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing was found."""
        return self.fault is None


def against_note(found: Verdict, noted: Head | None) -> Verdict:
    """Return the verdict, which is not whole where nothing is there to tell a cut-off end by."""
    if not found.is_whole:
        return found
    if not found.entries:
        return replace(found, fault=Fault.EMPTY, bad_seq=1)
    return found if noted is not None else replace(found, fault=Fault.NO_HEAD)


def encode(entry: AuditEntry) -> bytes:
    """Return an entry as bytes from which it could be read back: each part stands behind its length."""
    moment = (entry.at - _EPOCH) // timedelta(microseconds=1)
    words = (entry.actor, entry.verb, entry.object, entry.field, entry.reason)
    parts = [str(entry.seq), str(moment), *words]
    return b"".join(len(raw).to_bytes(8, "big") + raw for raw in (part.encode() for part in parts))


def fold(mac: Mac, before: bytes, entries: Iterable[AuditEntry]) -> bytes:
    """Return the hash after entries that have none of their own."""
    for entry in entries:
        before = mac(before, _NEXT + encode(entry))
    return before


def next_hash(mac: Mac, before: bytes, entry: AuditEntry, *, first: bool) -> bytes:
    """Return the hash that an entry is stored with; `first`: no entry before it has one."""
    return mac(before, (_FIRST if first else _NEXT) + encode(entry))


def verify(links: Iterable[Link], mac: Mac, heads: Iterable[Head] = ()) -> Verdict:
    """Return whether links in sequence order are one unbroken chain that passes through these heads."""
    walk = Walk(mac=mac)
    for head in heads:
        walk.heads.setdefault(head.seq, []).append(head)
    for link in links:
        fault = walk.step(link)
        if fault is not None:
            missing = fault is Fault.MISSING
            return walk.verdict(fault, walk.seq + 1 if missing else link.seq, entries=walk.seq + 1)
    return walk.end()


@dataclass(kw_only=True, slots=True)
class Walk:
    """How far a chain has been followed."""

    mac: Mac
    heads: dict[int, list[Head]] = field(default_factory=dict)
    seq: int = 0
    hash: bytes = b""
    chained_from: int | None = None

    def step(self, link: Link) -> Fault | None:
        """Follow one link, or return what is wrong with it."""
        if link.seq != self.seq + 1:
            return Fault.MISSING if link.seq > self.seq else Fault.UNREADABLE
        if link.entry is None:
            return Fault.UNREADABLE
        if link.stored is None and self.chained_from is not None:
            return Fault.NO_HASH
        reached = self._reached(link, link.entry)
        if link.stored is not None and not hmac.compare_digest(link.stored, reached):
            return Fault.CHANGED
        if any(not head.is_of(link) for head in self.heads.get(link.seq, ())):
            return Fault.OTHER_HEAD
        self.seq, self.hash = link.seq, reached
        return None

    def _reached(self, link: Link, entry: AuditEntry) -> bytes:
        if link.stored is None:
            return fold(self.mac, self.hash, [entry])
        first = self.chained_from is None
        if first:
            self.chained_from = link.seq
        return next_hash(self.mac, self.hash, entry, first=first)

    def end(self) -> Verdict:
        """Return the verdict over a chain that was followed to its end."""
        if any(seq > self.seq for seq in self.heads):
            return self.verdict(Fault.CUT_OFF, self.seq + 1)
        if self.seq and self.chained_from is None:
            return self.verdict(Fault.NO_HASH, self.seq)
        return self.verdict()

    def verdict(self, fault: Fault | None = None, bad: int | None = None, *, entries: int = 0) -> Verdict:
        """Return a verdict as of here."""
        has_head = self.seq and self.chained_from is not None and self.seq >= self.chained_from
        return Verdict(
            entries=entries or self.seq,
            chained_from=self.chained_from,
            head=Head(seq=self.seq, hash=self.hash) if has_head else None,
            fault=fault,
            bad_seq=bad,
        )
