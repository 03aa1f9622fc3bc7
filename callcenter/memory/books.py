"""Books in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

from callcenter.domain.books import TOMBSTONES, BookOf
from callcenter.errors import Conflict, NotFound, Refused
from callcenter.memory.state import State, checked

T = TypeVar("T")


class MemoryBook(Generic[T]):
    """A `Book`: values by id, with the same refusals as the database's."""

    def __init__(self, state: State, book: BookOf[T]) -> None:
        self._state = state
        self._book = book
        self._rows: dict[str, Any] = state.books[book.table]

    def add(self, value: T) -> None:
        """Add a value; raise `Conflict` if its id is taken."""
        key = str(value.id)  # type: ignore[attr-defined]
        if key in self._rows:
            raise Conflict(f"编号为 {key} 的{self._book.called}已存在。")
        self._rows[key] = checked(value)

    def add_many(self, values: Iterable[T]) -> None:
        """Add those values whose ids are free; the others stay as they stand."""
        for value in values:
            self._rows.setdefault(str(value.id), checked(value))  # type: ignore[attr-defined]

    def get(self, value_id: str) -> T:
        """Return a value, or raise `NotFound`."""
        found = self.one(value_id)
        if found is None:
            raise NotFound(f"没有编号为 {value_id} 的{self._book.called}。")
        return found

    def one(self, value_id: str) -> T | None:
        """Return a value, if it is here."""
        return self._rows.get(value_id)

    def put(self, value: T) -> T:
        """Replace a value and return it as it now stands, or raise `NotFound` or `Conflict`."""
        if self._book.append_only:
            raise Refused(f"{self._book.called}只能添加,不能更改。")
        key, seen = str(value.id), int(value.revision)  # type: ignore[attr-defined]
        if self.get(key).revision != seen:  # type: ignore[attr-defined]
            raise Conflict(f"{key} 刚被别人改过,请重新打开再改。")
        after: T = replace(checked(value), revision=seen + 1)  # type: ignore[type-var]
        self._rows[key] = after
        return after

    def where(self, *, up_to: Mapping[str, Any] | None = None, **equal: Any) -> Sequence[T]:
        """Return the values whose clear columns are equal to these and at most those, by id."""
        asked = {*equal, *(up_to or {})}
        if not asked <= self._book.clear.keys():
            raise KeyError(f"{self._book.table} cannot be searched by {sorted(asked)}")
        return [self._rows[key] for key in sorted(self._rows) if _fits(self._rows[key], equal, up_to or {})]

    def among(self, name: str, wanted: Iterable[Any]) -> Sequence[T]:
        """Return the values of which a clear column is one of these, by id."""
        asked = set(wanted)
        return [value for value in self.where() if getattr(value, name) in asked]

    def outline(self, *, up_to: Mapping[str, Any] | None = None) -> Sequence[Mapping[str, Any]]:
        """Return the ids and clear columns of all values, without opening any."""
        names = ("id", *self._book.clear)
        return [{name: getattr(value, name) for name in names} for value in self.where(up_to=up_to)]

    def remove(self, value_id: str) -> None:
        """Take a value away, or raise `NotFound`, or `Refused` where a tombstone has to stand first."""
        value = self.get(value_id)
        if self._book.append_only and not self._has_tombstone(value):
            raise Refused(f"{self._book.called} {value_id} 还没有留下删除记录,不能删除。")
        del self._rows[value_id]

    def _has_tombstone(self, value: T) -> bool:
        if not self._book.goes_with:
            return False
        named = f"{self._book.goes_with}:{getattr(value, self._book.goes_with)}"
        return any(stone.object == named for stone in self._state.books[TOMBSTONES.table].values())


def _fits(value: object, equal: Mapping[str, Any], up_to: Mapping[str, Any]) -> bool:
    same = all(getattr(value, name) == wanted for name, wanted in equal.items())
    return same and all(
        (found := getattr(value, name)) is not None and found <= most for name, most in up_to.items()
    )
