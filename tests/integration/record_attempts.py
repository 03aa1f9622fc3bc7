"""Write down what a real Asterisk says of automated calls that come to nothing, one trace a situation.

Run it after the dialplan of placed calls has changed: `python tests/integration/record_attempts.py`. It
calls the same people as `test_attempt_results.py` and writes tests/traces/journal/checkin_<what>.csv anew.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
from pathlib import Path

from harness import REPOSITORY, USERS, Pbx, short_home, test_settings
from placed import Placed, played
from test_attempt_results import CASES

from callcenter.keys import KeyRing

TRACES = REPOSITORY / "tests" / "traces" / "journal"
#: File name -> which of the people.
RECORDED = {
    "checkin_declined": "declined",
    "checkin_unavailable": "temporarily unavailable",
    "checkin_we_may_not_call": "we may not call",
    "checkin_bad_gateway": "bad gateway",
    "checkin_announcement": "announcement, then unavailable",
    "checkin_announcement_for_ever": "announcement for ever",
    "checkin_rings_for_ever": "rings for ever",
    "checkin_is_tried_for_ever": "is tried for ever",
    "checkin_dead_trunk": "dead trunk",
    "checkin_voicemail": "voicemail with a long greeting",
    "checkin_hangs_up_at_once": "hangs up at once",
    "checkin_network_lost": "lost after key 1",
}


def main() -> None:
    """Record the traces."""
    settings = test_settings(short_home())
    pbx = Pbx(settings=settings, keys=KeyRing(master=bytes(range(32))), users=USERS)
    with tempfile.TemporaryDirectory() as folder:
        pbx.start()
        try:
            placed = played(pbx, Path(folder), {what: CASES[what].does for what in RECORDED.values()})
            for name, what in RECORDED.items():
                write(name, placed, what)
        finally:
            pbx.process.stop()
            shutil.rmtree(settings.home)


def write(name: str, placed: Placed, what: str) -> None:
    """Write the rows of one call, as the PBX wrote them; it never came to the queue."""
    call = placed.attempt(what).id
    raw = [line for line in placed.pbx.journal_rows() if f'"{call}"'.encode() in line]
    assert all(row[9] == call for row in csv.reader(line.decode() for line in raw))
    (TRACES / f"{name}.csv").write_bytes(b"".join(raw))
    (TRACES / f"{name}.queue_log").write_bytes(b"")


if __name__ == "__main__":
    main()
