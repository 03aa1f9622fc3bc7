"""The ledger bench's own arithmetic, and that the people it invents are owed what the sweep would say."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "load"))

from bench_ledger import ByHand, Figures, Times, growth, in_turns, shortfalls
from bench_ledger_store import KEYS, NOW, debt_id, fill, is_due, keep

from callcenter.config import Settings
from callcenter.db.crypto import FieldCipher
from callcenter.service.followup import debt_rows
from callcenter.service.followup.debts import line_facts, rules_of
from callcenter.service.followup.sweep_rounds import compare, sweep_all
from scheduler.obligations import Kind

RULES = rules_of(Settings())
TOOK = Times.of([(3.0, 1.0), (1.0, 1.0), (2.0, 4.0)])
GOOD = Figures(
    store="sqlite",
    people=10_000,
    owed=TOOK,
    by_hand=TOOK,
    supervisor=TOOK,
    queue=TOOK,
    why=TOOK,
    candidates=TOOK,
    swept=100,
    sweep_seconds=0.1,
    sweep_cpu=0.1,
    compare_seconds=0.1,
    load=1.0,
)


def test_times_are_told_by_their_middle_their_worst_and_their_best() -> None:
    assert (TOOK.p50, TOOK.low, TOOK.cpu) == (2.0, 1.0, 1.0)
    assert TOOK.p95 > TOOK.p50


def test_each_way_is_run_once_to_warm_and_once_a_round() -> None:
    ran: list[str] = []
    one, other = in_turns(3, lambda: ran.append("a"), lambda: ran.append("b"))
    assert "".join(ran) == "ab" + "abbaab"
    assert one.p50 >= 0
    assert other.low <= other.p95


@pytest.mark.parametrize(
    ("flaw", "told"),
    [
        ({"owed": replace(TOOK, p50=3.1)}, "1.6 times as long as by hand"),
        ({"sweep_seconds": 5.1}, "a sweep takes 5.1 s"),
        ({"why": replace(TOOK, p95=51.0)}, "why takes 51 ms"),
    ],
)
def test_what_falls_short_is_told(flaw: dict[str, object], told: str) -> None:
    assert shortfalls([GOOD], {"sqlite": 59.0}) == []
    [sentence] = shortfalls([replace(GOOD, **flaw)], {})  # type: ignore[arg-type]
    assert told in sentence


def test_growth_and_a_slow_import_are_told_per_store() -> None:
    large = replace(GOOD, people=1_000_000, owed=replace(TOOK, p95=3 * TOOK.p95))
    assert growth(GOOD, large) == pytest.approx(3.0)
    assert len(shortfalls([large, GOOD], {"sqlite": 61.0})) == 2


def test_the_invented_register_is_as_the_sweep_would_have_it(tmp_path: Path) -> None:
    store = fill(f"sqlite:///{tmp_path / 'ledger.db'}", 600)
    try:
        due = sum(map(is_due, range(600)))
        first = sweep_all(store, NOW, RULES)
        assert (len(first.opened), len(first.moved), len(first.left)) == (0, 0, 0)
        with store() as work:
            assert len(work.debts.page(NOW, kinds=[Kind.HARDSHIP])) == due
            assert work.debts.last_contact("p-0000003", Kind.HARDSHIP) is not None
            assert work.people.get("p-0000003").name == "沈师傅3"
            ours = debt_rows.owed(work, line_facts(work, NOW, None, RULES), actor="k001", limit=50)
        hand = ByHand(store, FieldCipher(KEYS))
        assert hand.owed() == (list(ours.rows), ours.left, ours.more)
        hand.close()
        assert keep(store, 600) == due
        swept = sweep_all(store, NOW, RULES)
        assert (len(swept.opened), len(swept.moved)) == (due, 0)
        with store() as work:
            assert work.debts.get(debt_id(0)).id not in {o.id for o in work.debts.open()}
        assert compare(store, NOW + timedelta(days=2), RULES).changed == 0
    finally:
        store.close()
