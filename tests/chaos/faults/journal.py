"""The journal's files are rotated, cut, late, or there twice."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from violence import Site

from faults import pbx
from faults.base import Fault

#: A row whose end a power cut took: what Asterisk writes next stands on the same line.
_CUT = b'"CHAN_START","","1795785253.457611","138'


def _rotate(site: Site) -> None:
    with suppress(FileNotFoundError):  # nothing written since the last time
        site.rotate_journal()


def _hidden(site: Site) -> Path:
    return site.pbx.journal_file.with_name("held-back")


def _hold_back(site: Site) -> None:
    """Keep what was written so far from its reader, as a disk that is away for a while does."""
    with suppress(FileNotFoundError):
        if not _hidden(site).exists():
            site.pbx.journal_file.rename(_hidden(site))


def _deliver(site: Site) -> None:
    with suppress(FileNotFoundError):
        _hidden(site).rename(_rotated(site))


def _repeat(site: Site) -> None:
    """Put the second half of what was written there once more, as a rotation does that copies twice."""
    with suppress(FileNotFoundError):
        rows = site.pbx.journal_file.read_bytes().splitlines(keepends=True)
        _rotated(site).write_bytes(b"".join(rows[len(rows) // 2 :]))


def _rotated(site: Site) -> Path:
    return site.pbx.journal_file.with_name(f"journal.csv.{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")


def _die_in_a_row(site: Site) -> None:
    site.pbx.process.kill()
    with site.pbx.journal_file.open("ab") as journal:
        journal.write(_CUT)


FAULTS = (
    Fault(name="journal_rotated", strike=_rotate, hold=(0, 0.1)),
    Fault(name="journal_late", strike=_hold_back, mend=_deliver, hold=(0.5, 6)),
    Fault(name="journal_twice", strike=_repeat, hold=(0, 0.1)),
    Fault(name="journal_cut", strike=_die_in_a_row, mend=pbx.until_booted, kills_calls=True),
)
