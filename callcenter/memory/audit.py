"""The audit log in memory, chained under a fixed key."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256

from callcenter.domain.audit_chain import AuditEntry, Head, Link, next_hash
from callcenter.memory.state import State, checked

#: Nothing of worth is protected by it: the store in memory has no site.
_KEY = b"memory"


class MemoryAuditLog:
    """Append-only."""

    def __init__(self, state: State) -> None:
        self._state = state

    def append(self, entry: AuditEntry) -> None:
        """Append an entry under the next sequence number."""
        entries, hashes = self._state.audit, self._state.audit_hashes
        one = replace(checked(entry), seq=len(entries) + 1)
        hashes.append(next_hash(self.mac, hashes[-1] if hashes else b"", one, first=not hashes))
        entries.append(one)

    def recent(
        self,
        limit: int,
        *,
        actor: str | None = None,
        verb: str | None = None,
        object: str | None = None,
        since: datetime | None = None,
    ) -> Sequence[AuditEntry]:
        """Return the newest entries that are equal to what is given, newest first."""
        found = (
            e
            for e in reversed(self._state.audit)
            if actor in (None, e.actor) and verb in (None, e.verb) and object in (None, e.object)
        )
        return [e for e in found if since is None or e.at >= since][:limit]

    def links(self) -> Iterator[Link]:
        """Return every entry and its hash in sequence order."""
        pairs = zip(self._state.audit, self._state.audit_hashes, strict=True)
        return (Link(seq=entry.seq, entry=entry, stored=stored) for entry, stored in pairs)

    def mac(self, before: bytes, data: bytes) -> bytes:
        """Return the keyed hash that links `data` to what stands before it."""
        return hmac.digest(_KEY, len(before).to_bytes(8, "big") + before + data, sha256)

    def head(self) -> Head | None:
        """Return the newest entry's number and hash; None if there is none."""
        hashes = self._state.audit_hashes
        return Head(seq=len(hashes), hash=hashes[-1]) if hashes else None

    def passes(self, head: Head) -> bool:
        """Tell whether the entry of that number stands here with that hash."""
        return any(head.is_of(link) for link in self.links() if link.seq == head.seq)
