"""Counts for outsiders: small ones are hidden, and others with them, so that none can be worked out (R40).

A count of few people says who they are. So what fewer than `smallest` people stand behind is hidden; that
is counted in people, not in visits: six visits of one person are one person. Sums stay, where they can:
but then a hidden count may follow from its row or column, so others are hidden with it.

The table is a network: each count, also a sum, is an edge, and what flows into a node flows out of it
(row: its counts = its sum; column: likewise; both kinds of sums = the grand total). Hidden counts can be
changed together, along a cycle, without any shown one changing. A hidden count on no such cycle is known;
the cheapest cycle through it tells what to hide as well. On a cycle every hidden count can move by
`smallest - 1` at least, where possible, so that nobody can tell that it is small.

What this does not do: two tables over partly the same people can be subtracted from each other. So there
is one table, of all units and a whole month that is over, and nobody gets another cut of it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, product

#: Where a count stands: row and column; None: the sum over all of them.
Place = tuple[str | None, str | None]
_Node = tuple[str, str]

_GRAND_IN: _Node = ("sum", "in")
_GRAND_OUT: _Node = ("sum", "out")
#: Hiding a sum costs more than hiding counts: it is what people ask for.
_SUM_COST, _GRAND_COST = 1_000, 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """How often, and by how many different people."""

    times: int
    people: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Counts by row and column, and their sums. `people` of a sum are those of its counts, each once."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    tallies: Mapping[Place, Tally]

    @property
    def places(self) -> list[Place]:
        """Return every place, sums after counts."""
        return sorted(product((*self.rows, None), (*self.columns, None)), key=_sums_last)

    def times(self, place: Place) -> int:
        """Return how often."""
        return self.tallies[place].times


def table_of(events: Sequence[tuple[str, str, str]], rows: Sequence[str], columns: Sequence[str]) -> Table:
    """Return the table of (row, column, person) events; sums are over the rows and columns given."""
    times: dict[Place, int] = {}
    people: dict[Place, set[str]] = {}
    for row, column, person in events:
        for place in product((row, None), (column, None)):
            times[place] = times.get(place, 0) + 1
            people.setdefault(place, set()).add(person)
    places = product((*rows, None), (*columns, None))
    tallies = {p: Tally(times=times.get(p, 0), people=len(people.get(p, ()))) for p in places}
    return Table(rows=tuple(rows), columns=tuple(columns), tallies=tallies)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """What of a table may be seen."""

    table: Table
    #: Hidden because few people stand behind it.
    few: frozenset[Place]
    #: Hidden so that the others cannot be worked out.
    with_them: frozenset[Place]

    def value(self, place: Place) -> int | None:
        """Return a count, or None: hidden."""
        return None if place in self.few or place in self.with_them else self.table.times(place)


def suppressed(table: Table, smallest: int, *, hide_zero: bool = False) -> Shown:
    """Return a table without small counts and without what they could be worked out from.

    Zeros are shown, since nobody stands behind them, unless `hide_zero`: where the column itself is
    sensitive, "nobody" is told of everybody. Which hidden counts are small is never shown.
    """
    least = 0 if hide_zero else 1
    few = {p for p in table.places if least <= table.tallies[p].people < smallest}
    network = _Network(table=table, hidden=set(few), least=least)
    network.close(reach=smallest - 1)
    return Shown(table=table, few=frozenset(few), with_them=frozenset(network.hidden - few))


def suppressed_line(counts: Mapping[str, int], smallest: int) -> dict[str, int | None]:
    """Return one line of counts whose sum may be known, small ones hidden (None).

    With them goes the least of the others: what is hidden is then known together only, and each small one
    could be as large as `smallest`. A line whose sum is small itself is hidden whole.
    """
    few = {name for name, n in counts.items() if 0 < n < smallest}
    others = sorted((n, name) for name, n in counts.items() if n >= smallest)
    if few and others:
        few.add(others[0][1])
    return {name: None if name in few else n for name, n in counts.items()}


@dataclass(kw_only=True, slots=True)
class _Network:
    """The table as a network, and what is hidden of it."""

    table: Table
    hidden: set[Place]
    #: What everybody knows of a hidden count: it is not less than this.
    least: int

    def close(self, reach: int) -> None:
        """Hide more until every hidden count lies on a cycle of hidden ones."""
        done: set[Place] = set()
        # Counts first: hiding for them often covers their sums.
        while waiting := [p for p in self.table.places if p in self.hidden and p not in done]:
            # There always is one: over the sums every count can grow as far as it likes.
            cycle = self.cheapest(waiting[0], reach)
            self.hidden |= cycle
            done |= cycle

    def cheapest(self, place: Place, reach: int) -> set[Place]:
        """Return the cheapest cycle through a hidden count that lets it grow by `reach`, with it."""
        start, end = _ends(place)
        best: dict[_Node, int] = {end: 0}
        came: dict[_Node, tuple[_Node, Place]] = {}
        order = count()
        heap = [(0, next(order), end)]
        while heap:
            cost, _, node = heapq.heappop(heap)
            if node == start:
                break
            if cost > best[node]:
                continue
            for other, edge, price in self._steps(node, place, reach):
                if cost + price < best.get(other, 1 << 62):
                    best[other] = cost + price
                    came[other] = (node, edge)
                    heapq.heappush(heap, (cost + price, next(order), other))
        cycle = {place}
        while start != end:
            start, edge = came[start]
            cycle.add(edge)
        return cycle

    def _steps(self, node: _Node, own: Place, reach: int) -> Iterator[tuple[_Node, Place, int]]:
        """Return where a change can be passed on from a node: by what place, and what hiding it costs."""
        for place in self.table.places:
            tail, head = _ends(place)
            times = self.table.times(place)
            if place == own or not self._can_be_hidden(place):
                continue
            if tail == node:
                yield head, place, self._price(place)
            elif head == node and times - reach >= self.least:
                yield tail, place, self._price(place)

    def _can_be_hidden(self, place: Place) -> bool:
        # Zeros are shown, and everybody knows: a zero hidden by exception would be taken for one or more.
        return place in self.hidden or self.table.times(place) >= max(self.least, 1)

    def _price(self, place: Place) -> int:
        if place in self.hidden:
            return 0
        sums = place.count(None)
        return 1 + self.table.times(place) + (0, _SUM_COST, _GRAND_COST)[sums]


def _ends(place: Place) -> tuple[_Node, _Node]:
    """Return the nodes an edge leads from and to."""
    match place:
        case (str(row), str(column)):
            return ("row", row), ("column", column)
        case (str(row), None):
            return _GRAND_IN, ("row", row)
        case (None, str(column)):
            return ("column", column), _GRAND_OUT
        case _:
            return _GRAND_OUT, _GRAND_IN


def _sums_last(place: Place) -> tuple[int, str, str]:
    row, column = place
    return place.count(None), row or "", column or ""
