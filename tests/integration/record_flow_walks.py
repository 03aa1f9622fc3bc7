"""Write down what a real Asterisk says of walks that pass every node and way of the shipped flows.

Run it after a flow or the dialplan has changed: `python tests/integration/record_flow_walks.py`. It
plays the walks of `test_flow_walks.py` and writes tests/traces/flow_walks.jsonl anew, one call a line;
nothing is written if the line and the machine disagree.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from harness import REPOSITORY, short_home, test_settings
from walk_edges import covered, edge_walks
from walk_pbx import Heard, Players, WalkPbx
from walks import Plan, Walk, plan_of, quickened

from callcenter.keys import KeyRing
from ivr.loader import SHIPPED, shipped

TRACE = REPOSITORY / "tests" / "traces" / "flow_walks.jsonl"


def main() -> None:
    """Record the trace, or say where the line says something else and leave the old one."""
    flows = {name: quickened(shipped(name)) for name in SHIPPED}
    plans = [plan_of(walk) for flow in flows.values() for walk in fewest(edge_walks(flow))]
    settings = test_settings(short_home())
    pbx = WalkPbx(settings=settings, keys=KeyRing(master=bytes(range(32))), users=(), flows=flows)
    with tempfile.TemporaryDirectory() as folder:
        pbx.start()
        try:
            heard = Players(pbx, Path(folder) / "walks", plans).play()
        finally:
            pbx.process.stop()
            shutil.rmtree(settings.home)
    if faults := [text for plan, one in zip(plans, heard, strict=True) if (text := one.unlike(plan))]:
        sys.exit("\n".join([*faults, "Nothing was recorded: mend the flow's dialplan or the machine first."]))
    TRACE.write_text("".join(map(line_of, plans, heard)), encoding="utf-8")


def fewest(walks: list[Walk]) -> list[Walk]:
    """Return some of the walks that together still take every way out of every node."""
    wanted = {token for token in covered(walks) if token[0] == "way"}
    kept = []
    for walk in sorted(walks, key=lambda walk: -len(covered([walk]))):
        if found := covered([walk]) & wanted:
            kept.append(walk)
            wanted -= found
    return kept


def line_of(plan: Plan, heard: Heard) -> str:
    """Return one call as a line of the trace; a row without the flow's name, which stands before."""
    flow = plan.walk.flow.name
    rows = [f"{name} {text.removeprefix(f'flow={flow}&')}" for name, text in heard.rows]
    return json.dumps({"flow": flow, "events": " ".join(plan.walk.words), "rows": rows}) + "\n"


if __name__ == "__main__":
    main()
