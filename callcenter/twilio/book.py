"""Which call of ours is which call of Twilio's.

Twilio keeps no field of ours on a call, so the pair must be remembered here, or a restart could no
longer tell whether a call it placed is still up.
"""

from __future__ import annotations

import re
from pathlib import Path

from callcenter.errors import Refused

_OURS = re.compile(r"[a-z]{2}-[0-9A-Za-z-]{1,80}")
_THEIRS = re.compile(r"CA[0-9a-f]{32}")


class SidBook:
    """Call id -> Twilio's call sid. With a file (append-only, no personal data) it outlives us."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._sids: dict[str, str] = {}
        if file is not None and file.exists():
            self._read(file)

    def sid(self, call_id: str) -> str | None:
        """Return Twilio's sid of a call of ours, if we know it."""
        return self._sids.get(call_id)

    def knows(self, sid: str) -> bool:
        """Tell whether this call of Twilio's is one of ours already."""
        return sid in self._sids.values()

    def note(self, call_id: str, sid: str) -> None:
        """Remember a pair; the same pair again is no news. Raise `Refused` for anything but ids."""
        if not (_OURS.fullmatch(call_id) and _THEIRS.fullmatch(sid)):
            raise Refused("a call id of ours and a call sid of Twilio's belong together, nothing else")
        if self._sids.get(call_id) == sid:
            return
        self._sids[call_id] = sid
        if self._file is not None:
            with self._file.open("a", encoding="ascii") as out:
                out.write(f"{call_id} {sid}\n")

    def _read(self, file: Path) -> None:
        """Read what was noted; a last line cut by a crash is left out."""
        for line in file.read_text(encoding="ascii", errors="replace").splitlines():
            ours, _, theirs = line.partition(" ")
            if _OURS.fullmatch(ours) and _THEIRS.fullmatch(theirs):
                self._sids[ours] = theirs
