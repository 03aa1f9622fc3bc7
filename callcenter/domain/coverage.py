"""How far the register's people were reached: counts by grade and district."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """People of one grade in one district. Somebody with several files stands in each of their groups."""

    grade: str
    district: str
    #: People with a file that is in, or watched, now: the denominator.
    in_file: int
    #: Of them, those with a qualifying contact in the span that was asked for.
    contacted: int
    #: Of them, those who are owed a check-in now; and whose period is over.
    owed: int
    overdue: int

    @property
    def share(self) -> float | None:
        """Return contacted ÷ in file; None where nobody is in file."""
        return self.contacted / self.in_file if self.in_file else None
