"""The bench's own arithmetic: what it calls a wait, a lost call and a ratio."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "load"))

from bench_measure import QueueWatch, Spread, cpu_seconds
from bench_rounds import Round, judge

from callcenter.demo.runner import until

NATIVE = Round(
    line="native",
    calls=100,
    failed=0,
    unconnected=0,
    lost=None,
    asterisk=10.0,
    bridge=0.0,
    wait=4.0,
    wait_95=8.0,
    recorded_wait=None,
    asterisk_idle=5.0,
    bridge_idle=0.0,
    load=1.0,
)
PRODUCT = replace(NATIVE, line="product", lost=0, asterisk=12.0, bridge=1.2, wait=4.2)


def test_a_wait_runs_from_the_queue_to_the_counsellor(tmp_path: Path) -> None:
    log = tmp_path / "queue_log"
    log.write_text("1|old|hotline|NONE|ENTERQUEUE||x\n")
    with QueueWatch(log) as watch, log.open("a", buffering=1) as out:
        out.write("2|one|hotline|NONE|ENTERQUEUE||x\n2|two|hotline|NONE|ENTERQUEUE||x\n2|one|hot")
        out.flush()
        until(lambda: "two" in watch.entered)
        out.write("line|c001|CONNECT|0|ch|0\nnot a line\n")
        until(lambda: "one" in watch.connected)
    assert set(watch.entered) == {"one", "two"}
    assert len(watch.waits()) == 1
    assert watch.waits()[0] >= 0


def test_ratios_are_those_of_the_medians() -> None:
    odd = replace(PRODUCT, asterisk=900.0, bridge=900.0, wait=900.0)
    verdict = judge([NATIVE, PRODUCT, NATIVE, PRODUCT, NATIVE, odd])
    assert verdict.bridge_share == pytest.approx(0.1)
    assert verdict.wait_ratio == pytest.approx(1.05)
    assert verdict.asterisk_ratio == pytest.approx(1.2)
    assert verdict.is_good


@pytest.mark.parametrize("flaw", [{"failed": 1}, {"unconnected": 1}, {"lost": 1}])
def test_one_bad_call_in_one_round_is_told(flaw: dict[str, int]) -> None:
    assert not judge([NATIVE, PRODUCT, NATIVE, replace(PRODUCT, **flaw)]).is_good  # type: ignore[arg-type]


def test_cpu_time_is_that_of_the_process() -> None:
    before = cpu_seconds(os.getpid())
    until(lambda: sum(range(100_000)) and cpu_seconds(os.getpid()) > before, 20)


def test_a_spread_names_its_ends() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(low=1.0, middle=2.0, high=3.0)
    assert Spread.of([]) is None
