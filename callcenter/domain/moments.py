"""Aware instants only."""

from __future__ import annotations

from datetime import datetime


def check_aware(moment: datetime) -> datetime:
    """Return `moment`, or raise `ValueError` if it has no zone."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone has no place here")
    return moment
