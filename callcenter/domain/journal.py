"""A row of the PBX's journal as a value, and the words of the wire contract that rows carry.

Asterisk 22 (`cel_custom`, dsv) writes one row per channel event. For `CELGenUserEvent(NAME,text)` the
event's name stands in EventType *and* userdeftype, and the text in EventExtra as `{"extra":"text"}`.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

#: What a fact may be made of. Rows are hostile input: anything else is not a fact.
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Row(NamedTuple):
    """One event of one channel, exactly as it stands in the file: one character per byte, `"` doubled.

    Only the shape is checked. Nothing of it may be kept before it has been looked at (`normalise`,
    `words_of`): a caller writes some of these fields.
    """

    event: str
    #: Seconds since 1970 with six decimals and ten digits before them, so that text order is time order.
    time: str
    num: str
    exten: str
    context: str
    channel: str
    app: str
    unique: str
    linked: str
    #: Channels already in the bridge that was entered, joined by commas.
    peer: str
    #: JSON with its quotes doubled, or empty: see `extra_of`.
    extra: str

    @property
    def at(self) -> datetime:
        """Return when it happened."""
        return moment(self.time)


def moment(seconds: str | float) -> datetime:
    """Return the instant of a row's time."""
    return datetime.fromtimestamp(float(seconds), UTC)


def extra_of(row: Row) -> dict[str, Any]:
    """Return the EventExtra object; empty if there is none or it is no JSON object."""
    try:
        found = json.loads(row.extra.replace('""', '"')) if row.extra else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def words_of(row: Row) -> dict[str, str]:
    """Return the `k=v&k=v` words of a user event. Values outside the contract's alphabet are left out."""
    text = extra_of(row).get("extra", "")
    pairs = (part.partition("=") for part in str(text).split("&"))
    return {key: value for key, _, value in pairs if _WORD.fullmatch(value)}
