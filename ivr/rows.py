"""Journal rows of a flow: the wire words every backend writes for the same step.

A row is a name and a query string of ASCII `k=v` joined by `&`, at most 200 bytes: Asterisk 22 cuts
long CEL user data in mid-row and swallows the next one.
"""

from __future__ import annotations

from collections.abc import Iterable

from ivr.acts import (
    Effect,
    Entered,
    Kept,
    Left,
    PlayPiece,
    Pressed,
    Promised,
    Recorded,
    Scored,
    Totalled,
)

#: Name and text of one row.
Row = tuple[str, str]


def row_of(flow: str, effect: Effect) -> Row | None:
    """Return the row an effect writes, or None if it writes none."""
    match effect:
        case Entered():
            return "IVR_NODE", f"flow={flow}&node={effect.node}"
        case Pressed():
            return "IVR_KEY", f"flow={flow}&node={effect.node}&key={effect.key}"
        case Kept():
            return "IVR_DIGITS", f"flow={flow}&node={effect.node}&keep={effect.keep}&digits={effect.digits}"
        case Scored():
            return "IVR_ANSWER", f"flow={flow}&node={effect.node}&item={effect.item}&score={effect.score}"
        case Totalled():
            return "IVR_SCORE", f"flow={flow}&node={effect.node}&score={effect.score}"
        case PlayPiece():
            return "IVR_ITEM", f"flow={flow}&node={effect.node}&item={effect.piece}"
        case Recorded():
            return "IVR_OUTCOME", f"flow={flow}&outcome={effect.outcome}"
        case Promised():
            return "PROMISE", f"flow={flow}&kind={effect.kind}"
        case Left():
            return "IVR_LEFT", f"flow={flow}&node={effect.node}"
        case _:
            return None


def rows_of(flow: str, effects: Iterable[Effect]) -> list[Row]:
    """Return the rows that effects write, in order."""
    rows = (row_of(flow, effect) for effect in effects)
    return [row for row in rows if row is not None]
