"""The suite bites: each known defect still fits the product, and two of them are caught on a real line."""

from __future__ import annotations

import ast

import pytest
from defects import DEFECTS
from defects.bite import applied, play
from violence import check_tools


@pytest.mark.parametrize("name", DEFECTS)
def test_each_defect_still_fits_the_product(name: str) -> None:
    texts = applied(DEFECTS[name])
    assert texts
    assert all(ast.parse(text).body for text in texts.values())


@pytest.mark.asterisk
@pytest.mark.parametrize("name", ["answered_when_it_rings", "a_record_for_who_gave_up"])
def test_a_defect_is_caught(name: str) -> None:
    check_tools()
    defect = DEFECTS[name]
    assert {one.invariant for one in play(defect)} & set(defect.caught_by)
