"""One round of load on one line, and what many rounds say together."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from bench_line import TRUNK, Line
from bench_measure import QueueWatch, Spread, percentile
from bench_sipp import Callers, Shape

from callcenter.demo.runner import Address, free_ports

#: Seconds of quiet before a round (measured as idle) and after it (still counted as the round's).
IDLE, TAIL = 5.0, 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """What one round gave. CPU figures are milliseconds per call offered, waits are milliseconds."""

    line: str
    calls: int
    #: SIPp saw it go wrong: refused, unanswered, ended by the other side, never ended.
    failed: int
    #: Reached no counsellor.
    unconnected: int
    #: Not on record exactly once. None: this line keeps no records.
    lost: int | None
    asterisk: float
    bridge: float
    wait: float
    wait_95: float
    #: Median of the same wait by the records (the journal's microseconds); None without records.
    recorded_wait: float | None
    #: Milliseconds of CPU per second before the calls came.
    asterisk_idle: float
    bridge_idle: float
    #: The machine's load average when it began.
    load: float

    @property
    def is_good(self) -> bool:
        """Tell whether every call reached a counsellor and is on record once."""
        return not (self.failed or self.unconnected or self.lost)


def run_round(line: Line, shape: Shape, number: int) -> Round:
    """Put one load on a running line and measure it."""
    idle = _cpu(line)
    time.sleep(IDLE)
    idle = tuple(1000 * (b - a) / IDLE for a, b in zip(idle, _cpu(line), strict=True))
    numbers = [f"138{number:02d}{place:06d}" for place in range(shape.calls)]
    local = Address(host=TRUNK, port=free_ports(1, TRUNK)[0])
    callers = Callers(line.folder / f"callers{number}", line.pbx, local, shape, numbers)
    load, since, before = os.getloadavg()[0], datetime.now(UTC), _cpu(line)
    with QueueWatch(line.queue_log) as watch:
        callers.start()
        try:
            failed = callers.wait()
        finally:
            callers.stop()
        time.sleep(TAIL)
    used = [1000 * (b - a) / shape.calls for a, b in zip(before, _cpu(line), strict=True)]
    lost = line.settle(numbers, since)
    waits = [1000 * wait for wait in watch.waits()]
    recorded = [1000 * c.wait.total_seconds() for c in line.records(since) if c.wait and c.answered_at]
    return Round(
        line=line.name,
        calls=shape.calls,
        failed=failed,
        unconnected=shape.calls - len(waits),
        lost=lost,
        asterisk=used[0],
        bridge=used[1],
        wait=percentile(waits, 50) if waits else float("nan"),
        wait_95=percentile(waits, 95) if waits else float("nan"),
        recorded_wait=percentile(recorded, 50) if recorded else None,
        asterisk_idle=idle[0],
        bridge_idle=idle[1],
        load=load,
    )


def _cpu(line: Line) -> tuple[float, ...]:
    return line.asterisk_cpu(), line.bridge_cpu()


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the rounds say about the targets."""

    failed: int
    lost: int
    bridge_share: float
    wait_ratio: float
    asterisk_ratio: float

    @property
    def is_good(self) -> bool:
        """Tell whether every call went well and is on record."""
        return self.failed == 0 and self.lost == 0


def judge(rounds: Sequence[Round]) -> Verdict:
    """Return the ratios of the medians, and the sums of what went wrong in the product."""
    ours = [one for one in rounds if one.line == "product"]
    theirs = [one for one in rounds if one.line == "native"]

    def middle(of: Sequence[Round], field: str) -> float:
        spread = Spread.of([getattr(one, field) for one in of])
        return spread.middle if spread else float("nan")

    return Verdict(
        failed=sum(one.failed + one.unconnected for one in ours),
        lost=sum(one.lost or 0 for one in ours),
        bridge_share=middle(ours, "bridge") / middle(ours, "asterisk"),
        wait_ratio=middle(ours, "wait") / middle(theirs, "wait"),
        asterisk_ratio=middle(ours, "asterisk") / middle(theirs, "asterisk"),
    )


def as_json(rounds: Sequence[Round]) -> dict[str, object]:
    """Return everything, for machines."""
    return {"rounds": [asdict(one) for one in rounds], "verdict": asdict(judge(rounds))}
