"""What the hardship archive alone tells of a debt: all that a clerk's list is made of (R39)."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from scheduler.obligations import Kind


class RegisterDebt(NamedTuple):
    """An open debt of the register's, with its file and what lists have said of its person.

    A tuple, because a page of them is made for every list, and a frozen dataclass takes five times as long.
    """

    id: str
    kind: Kind
    due_at: datetime
    window_end: datetime
    code: str
    name: str | None
    #: The first number that the newest list held and that is not found bad; None: none.
    number: str | None
    #: None: the file is not here any more.
    file_no: str | None
    grade: str | None
    district: str | None

    def __repr__(self) -> str:
        """Say which it is, and nobody's name or number."""
        return f"RegisterDebt({self.id})"
