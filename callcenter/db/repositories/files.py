"""Hardship files as they are read, and whose of them the sweep has to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select, text

from callcenter.db.repositories import looks
from callcenter.db.repositories.base import Repository, Row, among, chunks
from callcenter.db.tables import hardship_files
from callcenter.domain.people import ExitReason, FileStatus, HardshipFile

#: In the words of its index.
_UNCHECKED = "status = '退档' AND exit_confirmed_by IS NULL"
_COUNT_UNCHECKED = select(func.count()).select_from(hardship_files).where(text(_UNCHECKED))


class SqlFiles(Repository):
    """Files of the register; liaisons' names are sealed."""

    def files_of(self, person_id: str) -> Sequence[HardshipFile]:
        """Return a person's files, by number."""
        theirs = select(hardship_files).where(hardship_files.c.person == person_id)
        return [self._file(row) for row in self._all(theirs.order_by(hardship_files.c.file_no))]

    def files_of_many(self, persons: Iterable[str]) -> dict[str, Sequence[HardshipFile]]:
        """Return several people's files, by number; who has none is not there."""
        found: dict[str, list[HardshipFile]] = {}
        for chunk in chunks(persons):
            theirs = select(hardship_files).where(among(self._connection, hardship_files.c.person, chunk))
            for row in self._all(theirs.order_by(hardship_files.c.file_no)):
                found.setdefault(row["person"], []).append(self._file(row))
        return dict(found)

    def files_of_household(self, household: str) -> Sequence[HardshipFile]:
        """Return the files of a household, by number."""
        theirs = select(hardship_files).where(hardship_files.c.household == household)
        return [self._file(row) for row in self._all(theirs.order_by(hardship_files.c.file_no))]

    def touch(self, persons: Iterable[str]) -> None:
        """Have the next sweep look at these people's files, and at those of whom they are part."""
        looks.touch(self._connection, persons)

    def touch_next(self, after: str, limit: int) -> str | None:
        """Have the next sweep look at the files of the `limit` people after one; return the last of them."""
        return looks.touch_next(self._connection, after, limit)

    def to_look_at(self, now: datetime, limit: int) -> Sequence[str]:
        """Return people with a file that a sweep has to look at by `now`."""
        return looks.to_look_at(self._connection, now, limit)

    def looked(self, again: Mapping[str, datetime | None]) -> None:
        """Note when each of these people's files has to be looked at again."""
        looks.looked(self._connection, again)

    def file(self, file_no: str) -> HardshipFile | None:
        """Return a file."""
        row = self._first(select(hardship_files).where(hardship_files.c.file_no == file_no))
        return self._file(row) if row else None

    def files_named(self, numbers: Iterable[str]) -> dict[str, HardshipFile]:
        """Return those of the files that are here, by number."""
        found: dict[str, HardshipFile] = {}
        for chunk in chunks(numbers):
            named = select(hardship_files).where(among(self._connection, hardship_files.c.file_no, chunk))
            found.update((row["file_no"], self._file(row)) for row in self._all(named))
        return found

    def count_unchecked(self) -> int:
        """Count the files that left and that nobody has looked at since (R34)."""
        return self._connection.scalar(_COUNT_UNCHECKED) or 0

    def files(self) -> Sequence[HardshipFile]:
        """Return every file, by number."""
        return [self._file(row) for row in self._all(select(hardship_files).order_by("file_no"))]

    def _file(self, row: Row) -> HardshipFile:
        return HardshipFile(
            file_no=row["file_no"],
            person=row["person"],
            grade=row["grade"],
            status=FileStatus(row["status"]),
            since=row["since"],
            district=row["district"],
            union_unit=row["union_unit"],
            liaison=self._cipher.open(row["liaison"], "hardship_files.liaison") or "",
            household=row["household"],
            notice_from=row["notice_from"],
            notice_to=row["notice_to"],
            review_due=row["review_due"],
            exit_reason=ExitReason(row["exit_reason"]) if row["exit_reason"] else None,
            exit_confirmed_by=row["exit_confirmed_by"],
        )
