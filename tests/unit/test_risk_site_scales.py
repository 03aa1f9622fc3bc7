"""A site's file for one of our scales: other words, never a milder level (R13)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from site_scales import site_file

from callcenter.domain.instruments import (
    Floor,
    Instrument,
    InstrumentError,
    Item,
    check_keeps,
    load_instruments,
    overridden,
)
from callcenter.domain.levels import Level
from callcenter.domain.scoring import Scored, score, taken_over

ALL = load_instruments()


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("beijing", "wording: none\n", "wording: none\nworse: low\n", "worse"),
        ("beijing", "[0, 16]", "[0, 20]", "range"),
        ("phq9", "may_miss: 2", "may_miss: 0", "may_miss"),
        ("who5", "worse: low\n", "", "worse"),
        ("gad7", "[0, 21]\n", "[0, 21]\nsum: false\n", "sum"),
        ("cssrs", ", only_if: cssrs_2}", ", only_if: cssrs_1}", "items"),
        ("cssrs", "{0: 否, 1: 是}", "{0: 是, 1: 否}", "is answer"),
    ],
)
def test_a_site_file_that_counts_otherwise_is_refused(
    tmp_path: Path, name: str, old: str, new: str, says: str
) -> None:
    file = site_file(tmp_path, name, (old, new))
    with pytest.raises(InstrumentError, match=says) as trouble:
        load_instruments(tmp_path)
    assert str(trouble.value).startswith(f"{file}:1: ")


def test_a_score_counts_although_a_site_file_turned_its_direction(tmp_path: Path) -> None:
    """The whole of it: all floors of the line's main scale were gone, and the file was taken."""
    site_file(tmp_path, "beijing", ("wording: none\n", "wording: none\nworse: low\n"))
    with pytest.raises(InstrumentError):
        load_instruments(tmp_path)


def test_which_of_ours_a_site_replaced_is_known(tmp_path: Path) -> None:
    assert overridden(tmp_path) == ()
    site_file(tmp_path, "cssrs", ("第1题：希望自己死去}", "第一题（官方措辞）}"))
    assert [(one.id, one.version) for one in overridden(tmp_path)] == [("cssrs", "100")]


def test_a_milder_floor_of_the_sites_own_does_not_soften_an_item_that_nobody_told(tmp_path: Path) -> None:
    milder = "floors:\n  - {item: phq9_9, at: 0, level: 4, says: 问过}\n"
    site_file(tmp_path, "phq9", ("floors:\n", milder))
    assert taken_over(load_instruments(tmp_path)["phq9"], 9).level is Level.MEDIUM


# --- whatever a site writes ---------------------------------------------------------------------


@st.composite
def replaced(draw: st.DrawFn) -> tuple[Instrument, Instrument]:
    """Draw one of ours and a site's for it: some settings turned, floors moved, dropped and added."""
    ours = draw(st.sampled_from([*(one for one in ALL.values() if one.floors), *ALL.values()]))
    ways = {
        "worse": st.sampled_from(["high", "low"]),
        "sums": st.booleans(),
        "times": st.integers(1, 4),
        "may_miss": st.integers(0, 3),
        "least": st.sampled_from([ours.least, ours.least - 1]),
        "most": st.sampled_from([ours.most, ours.most + 5]),
    }
    names = draw(st.sampled_from([(), (), (), *((name,) for name in ways)]))
    turned = {name: draw(ways[name]) for name in names}
    dropped = draw(st.sampled_from([None, None, None, *ours.floors]))
    kept = [draw(moved(one)) for one in ours.floors if one != dropped]
    added = draw(st.lists(floors(ours), max_size=2))
    items = {name: draw(asked(item, ours)) for name, item in ours.items.items()}
    site = replace(ours, version="100", items=items, floors=(*kept, *added), **turned)
    return ours, site


@st.composite
def moved(draw: st.DrawFn, floor: Floor) -> Floor:
    how = draw(st.sampled_from(["kept", "kept", "kept", "earlier", "later", "level"]))
    by = {"earlier": -1, "later": 1}.get(how, 0)
    return replace(
        floor, at=floor.at + by, level=draw(st.sampled_from(Level)) if how == "level" else floor.level
    )


@st.composite
def floors(draw: st.DrawFn, ours: Instrument) -> Floor:
    item = draw(st.sampled_from([*(floor.item for floor in ours.floors), "", *ours.items]))
    at = draw(st.integers(0, 5)) if item else draw(st.integers(int(ours.least), int(ours.most)))
    return Floor(item=item, at=at, level=draw(st.sampled_from(Level)), says="本站")


@st.composite
def asked(draw: st.DrawFn, item: Item, ours: Instrument) -> Item:
    if draw(st.integers(0, 30)):
        return item
    return replace(item, only_if=draw(st.sampled_from(["", *(i for i in ours.items if i != item.id)])))


@settings(max_examples=400)
@given(replaced(), st.data())
def test_r13_whatever_replacement_is_taken_gives_a_level_at_least_as_bad(
    pair: tuple[Instrument, Instrument], data: st.DataObject
) -> None:
    ours, site = pair
    try:
        check_keeps(site, ours, "home/instruments/x.yaml:1")
    except InstrumentError:
        return
    if ours.items:
        picked = data.draw(st.lists(st.sampled_from(list(ours.items)), unique=True))
        answers = {item: data.draw(st.sampled_from(sorted(ours.items[item].options))) for item in picked}
        assert _at_least(score(site, answers), score(ours, answers))
    if ours.sums:
        result = data.draw(st.floats(ours.least, ours.most, allow_nan=False))
        assert _at_least(taken_over(site, result), taken_over(ours, result))


def _at_least(site: Scored, ours: Scored) -> bool:
    return ours.level is None or (site.level is not None and site.level <= ours.level)
