"""What the webhooks of a call leave for each other, in memory only: it can hold digits.

A restart forgets it, and nobody is lost by that (`ivr.backends.twiml`). Several processes behind one
address would need to share it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from ivr.backends.twiml import Note

#: Calls that are remembered, the ones ended last among them: a hook repeated late finds its answer.
MOST_CALLS = 10_000

_Given = TypeVar("_Given")


class Notes(Generic[_Given]):
    """Twilio's sid of a call -> its newest note, and the last answer we gave, for a hook that repeats."""

    def __init__(self, most: int = MOST_CALLS) -> None:
        self._most = most
        self._notes: OrderedDict[str, Note] = OrderedDict()
        self._given: dict[str, tuple[bytes, _Given]] = {}

    def newest(self, sid: str) -> Note | None:
        """Return the newest note of a call."""
        return self._notes.get(sid)

    def given(self, sid: str, digest: bytes) -> _Given | None:
        """Return the answer already given to this very hook, if it was the call's last."""
        found = self._given.get(sid)
        return found[1] if found is not None and found[0] == digest else None

    def keep(self, sid: str, note: Note, digest: bytes, answer: _Given) -> None:
        """Remember a call's newest note and answer; the calls that were quiet longest are forgotten."""
        self._notes[sid] = note
        self._notes.move_to_end(sid)
        self._given[sid] = (digest, answer)
        while len(self._notes) > self._most:
            oldest, _ = self._notes.popitem(last=False)
            del self._given[oldest]
