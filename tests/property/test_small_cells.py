"""Whatever the counts: nobody who adds and subtracts learns a hidden one (R40)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from hypothesis import example, given, settings
from hypothesis import strategies as st

from callcenter.domain.small_cells import Place, Shown, Table, Tally, suppressed, suppressed_line, table_of

SMALLEST = 5


def table(counts: list[list[int]], per_person: int = 1) -> Table:
    """A table in which everybody was there `per_person` times."""
    rows = [f"单位{n}" for n in range(len(counts))]
    columns = [f"事项{n}" for n in range(len(counts[0]))]
    events = [
        (row, column, f"{row}/{column}/{n // per_person}")
        for (i, row), (j, column) in product(enumerate(rows), enumerate(columns))
        for n in range(counts[i][j])
    ]
    return table_of(events, rows, columns)


tables = st.integers(1, 3).flatmap(
    lambda width: st.lists(
        st.lists(st.integers(0, 9), min_size=width, max_size=width), min_size=1, max_size=3
    )
)


class Attacker:
    """Finds tables that cannot be told from the true one: same shown counts, whole numbers, sums right.

    They know that hidden counts are not less than `least`, and look as far around as tells something.
    """

    def __init__(self, shown: Shown, least: int) -> None:
        self.shown, self.least = shown, least
        self.rows, self.columns = shown.table.rows, shown.table.columns
        self.inner = list(product(self.rows, self.columns))
        self.guess: dict[Place, int] = {}

    def tables(self, depth: int = 0) -> Iterator[dict[Place, int]]:
        if depth == len(self.inner):
            yield dict(self.guess)
            return
        place = self.inner[depth]
        for value in self.room(place):
            self.guess[place] = value
            if all(self.fits(total, parts) for total, parts in self.ended(place)):
                yield from self.tables(depth + 1)

    def room(self, place: Place) -> range:
        seen, true = self.shown.value(place), self.shown.table.times(place)
        return range(max(self.least, true - 5), true + 6) if seen is None else range(seen, seen + 1)

    def ended(self, place: Place) -> Iterator[tuple[Place, list[Place]]]:
        """Yield the sums whose last count this is, with all their counts."""
        row, column = place
        if column == self.columns[-1]:
            yield (row, None), [(row, c) for c in self.columns]
        if row == self.rows[-1]:
            yield (None, column), [(r, column) for r in self.rows]
        if place == self.inner[-1]:
            yield (None, None), list(self.inner)

    def fits(self, total: Place, parts: list[Place]) -> bool:
        self.guess[total] = sum(self.guess[part] for part in parts)
        seen = self.shown.value(total)
        return self.guess[total] >= self.least if seen is None else self.guess[total] == seen


def known(shown: Shown, least: int) -> set[Place]:
    """Return the hidden counts that have one value in every table that looks like this one."""
    still = {place for place in shown.table.places if shown.value(place) is None}
    for other in Attacker(shown, least).tables():
        still -= {place for place in still if other[place] != shown.table.times(place)}
        if not still:
            break
    return still


@settings(max_examples=300)
@given(counts=tables)
@example(counts=[[3, 9], [9, 9]])
@example(counts=[[1]])
@example(counts=[[1, 0], [0, 9]])
@example(counts=[[2, 3, 9], [9, 9, 9], [9, 9, 9]])
@example(counts=[[4, 0, 0], [0, 4, 0], [0, 0, 4]])
def test_no_hidden_count_can_be_worked_out(counts: list[list[int]]) -> None:
    shown = suppressed(table(counts), SMALLEST)
    assert known(shown, least=0) == set()
    # Nor by who knows that zeros are shown, so that what is hidden is one or more.
    assert known(shown, least=1) == set()


@settings(max_examples=150)
@given(counts=tables)
def test_nor_where_zeros_are_hidden_too(counts: list[list[int]]) -> None:
    shown = suppressed(table(counts), SMALLEST, hide_zero=True)
    assert known(shown, least=0) == set()
    assert not any(shown.value(place) in range(SMALLEST) for place in shown.table.places)


@given(counts=tables)
def test_no_small_count_is_shown_neither_among_the_sums(counts: list[list[int]]) -> None:
    shown = suppressed(table(counts), SMALLEST)
    assert not any(shown.value(place) in range(1, SMALLEST) for place in shown.table.places)


@given(counts=tables)
def test_nothing_is_hidden_where_nothing_is_small(counts: list[list[int]]) -> None:
    large = [[count + SMALLEST for count in row] for row in counts]
    shown = suppressed(table(large), SMALLEST)
    assert shown.few == shown.with_them == frozenset()


@given(counts=tables, per_person=st.integers(2, 4))
def test_it_is_people_that_count_not_how_often_they_came(counts: list[list[int]], per_person: int) -> None:
    shown = suppressed(table(counts, per_person), SMALLEST)
    for place, tally in shown.table.tallies.items():
        if 0 < tally.people < SMALLEST:
            assert shown.value(place) is None


def test_one_small_count_hides_three_more_and_no_sum() -> None:
    shown = suppressed(table([[3, 20, 30], [20, 30, 40], [30, 40, 50]]), SMALLEST)
    assert shown.few == {("单位0", "事项0")}
    assert shown.with_them == {("单位0", "事项1"), ("单位1", "事项0"), ("单位1", "事项1")}


def test_a_table_of_one_small_count_shows_nothing_at_all() -> None:
    shown = suppressed(table([[2]]), SMALLEST)
    assert all(shown.value(place) is None for place in shown.table.places)


def test_a_person_who_came_for_two_things_is_one_person_in_the_sum() -> None:
    events = [("甲厂", "预约", "p1"), ("甲厂", "讲座", "p1"), ("甲厂", "讲座", "p2")]
    made = table_of(events, ["甲厂"], ["预约", "讲座"])
    assert made.tallies["甲厂", None] == Tally(times=3, people=2)


@given(
    st.dictionaries(st.sampled_from("甲乙丙丁戊"), st.integers(1, 30), min_size=1),
    st.integers(2, 6),
)
def test_no_small_count_of_a_line_follows_from_its_sum(counts: dict[str, int], smallest: int) -> None:
    shown = suppressed_line(counts, smallest)
    hidden = [name for name, value in shown.items() if value is None]
    assert all(counts[name] == value for name, value in shown.items() if value is not None)
    assert all(counts[name] >= smallest for name in counts if name not in hidden)
    if hidden and len(hidden) < len(counts):
        rest = sum(counts[name] for name in hidden)
        for name in hidden:
            assert rest - (len(hidden) - 1) >= smallest, f"{name} could be told to be small"
