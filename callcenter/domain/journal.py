"""A row of the PBX's journal as a value, and the words of the wire contract that rows carry.

Asterisk 22 (`cel_custom`, dsv) writes one row per channel event. For `CELGenUserEvent(NAME,text)` the
event's name stands in EventType *and* userdeftype, and the text in EventExtra as `{"extra":"text"}`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

#: A word of a user event as it stands in the file. Rows are hostile input: any other value is no word.
_WORD = re.compile(r'(?<=["&])([a-z_]{1,32})=([A-Za-z0-9_.-]{1,64})(?=["&])')
_HANGUP = re.compile(r'""hangupcause"":(\d{1,3}),""hangupsource"":""([^"]{0,150})""')
_BRIDGE = re.compile(r'""bridge_id"":""([^"]{1,80})""')


class Row(NamedTuple):
    """One event of one channel, exactly as it stands in the file: one character per byte, `"` doubled.

    Only the shape is checked. Nothing of it may be kept before it has been looked at (`normalise`,
    `words_of`): a caller writes some of these fields.
    """

    #: Seconds since 1970 with six decimals and ten digits before them: rows sort by time.
    time: str
    event: str
    num: str
    exten: str
    context: str
    channel: str
    app: str
    unique: str
    linked: str
    #: Channels already in the bridge that was entered, joined by commas.
    peer: str
    #: JSON with its quotes doubled, or empty: see `words_of`.
    extra: str

    @property
    def at(self) -> datetime:
        """Return when it happened."""
        return moment(self.time)


def moment(seconds: str | float) -> datetime:
    """Return the instant of a row's time."""
    return datetime.fromtimestamp(float(seconds), UTC)


def words_of(row: Row) -> dict[str, str]:
    """Return the `k=v&k=v` words of a user event. Values outside the contract's alphabet are left out."""
    return dict(_WORD.findall(row.extra))


def hangup_of(row: Row) -> tuple[int | None, str]:
    """Return the Q.850 cause and the channel that hung up of a HANGUP row, as far as it tells them."""
    found = _HANGUP.search(row.extra)
    return (int(found[1]), found[2]) if found else (None, "")


def bridge_of(row: Row) -> str | None:
    """Return the id of the bridge that was entered or left."""
    found = _BRIDGE.search(row.extra)
    return found[1] if found else None
