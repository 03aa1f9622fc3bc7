"""Files of the journal that come late, grow after they were left, or come twice: each call is told once."""

from __future__ import annotations

from pathlib import Path

import pytest
from journal_folder import LATER, Folder, expected, sessions, table
from journal_text import TRACES

from callcenter.asterisk.journal import JournalFollower
from callcenter.ports import Store


@pytest.fixture
def pbx(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "asterisk")


def _put_away(pbx: Folder) -> Path:
    """Take the journal out of the follower's sight, so that Asterisk begins a new one."""
    away = pbx.home / "away.csv"
    pbx.journal.rename(away)
    return away


def _deliver_late(store: Store, pbx: Folder, away: Path, *, restarted: bool) -> None:
    """Read without the file that is away, bring it back, and read on, maybe in another life."""
    follower = JournalFollower(pbx.home, store)
    follower.catch_up(LATER)
    away.rename(pbx.journal.with_name("journal.csv.2"))
    follower = JournalFollower(pbx.home, store) if restarted else follower
    follower.catch_up(LATER)


@pytest.mark.parametrize("restarted", [True, False])
def test_file_delivered_late_is_read_though_newer_ones_were_read_before(
    store: Store, pbx: Folder, tmp_path: Path, restarted: bool
) -> None:
    pbx.play("answered", "abandoned")
    away = _put_away(pbx)
    pbx.play("nobody_on_duty")
    follower = JournalFollower(pbx.home, store)
    follower.catch_up(LATER)
    away.rename(pbx.journal.with_name("journal.csv.20261123T000000Z"))
    follower = JournalFollower(pbx.home, store) if restarted else follower
    follower.catch_up(LATER)
    assert table(store) == expected(tmp_path, "answered", "abandoned", "nobody_on_duty")
    assert follower.poll(LATER).caught_up


@pytest.mark.parametrize("restarted", [True, False])
def test_beginning_of_a_call_delivered_late_completes_the_call_on_record(
    store: Store, pbx: Folder, tmp_path: Path, restarted: bool
) -> None:
    lines = (TRACES / "answered.csv").read_bytes().splitlines(keepends=True)
    pbx.play("abandoned")
    pbx.write(b"".join(lines[:7]), (TRACES / "answered.queue_log").read_bytes())
    away = _put_away(pbx)
    pbx.write(b"".join(lines[7:]))
    follower = JournalFollower(pbx.home, store)
    follower.catch_up(LATER)
    assert table(store) != expected(tmp_path / "whole", "abandoned", "answered")
    away.rename(pbx.journal.with_name("journal.csv.1"))
    follower = JournalFollower(pbx.home, store) if restarted else follower
    follower.catch_up(LATER)
    assert table(store) == expected(tmp_path, "abandoned", "answered")


@pytest.mark.parametrize("restarted", [True, False])
def test_a_late_file_makes_no_less_of_calls_whose_files_are_not_read_again(
    store: Store, pbx: Folder, tmp_path: Path, restarted: bool
) -> None:
    """queue_log is read from its beginning then, and of those calls it alone speaks."""
    for n, name in enumerate(("answered", "counsellor_hangs_up")):
        pbx.play(name)
        pbx.journal.rename(pbx.journal.with_name(f"journal.csv.{n}"))
    pbx.play("abandoned")
    away = _put_away(pbx)
    pbx.play("two_queue_entries")
    _deliver_late(store, pbx, away, restarted=restarted)
    whole = ("answered", "counsellor_hangs_up", "abandoned", "two_queue_entries")
    assert table(store) == expected(tmp_path, *whole)


@pytest.mark.parametrize("restarted", [True, False])
def test_a_late_file_makes_no_less_of_a_call_whose_end_alone_is_read_again(
    store: Store, pbx: Folder, tmp_path: Path, restarted: bool
) -> None:
    lines = (TRACES / "answered.csv").read_bytes().splitlines(keepends=True)
    pbx.write(b"".join(lines[:7]), (TRACES / "answered.queue_log").read_bytes())
    pbx.journal.rename(pbx.journal.with_name("journal.csv.0"))
    pbx.write(b"".join(lines[7:]))
    pbx.play("counsellor_hangs_up")
    pbx.journal.rename(pbx.journal.with_name("journal.csv.1"))
    pbx.play("abandoned")
    away = _put_away(pbx)
    pbx.play("two_queue_entries")
    _deliver_late(store, pbx, away, restarted=restarted)
    whole = ("answered", "counsellor_hangs_up", "abandoned", "two_queue_entries")
    assert table(store) == expected(tmp_path, *whole)


def test_who_dies_while_the_beginning_of_a_call_is_away_tells_it_once_that_is_back(
    store: Store, pbx: Folder, tmp_path: Path
) -> None:
    """That file was read to its end, but whoever knew what stands there is gone."""
    lines = (TRACES / "answered.csv").read_bytes().splitlines(keepends=True)
    pbx.play("abandoned")
    pbx.write(b"".join(lines[:7]), (TRACES / "answered.queue_log").read_bytes())
    follower = JournalFollower(pbx.home, store)
    follower.catch_up(LATER)
    pbx.journal.rename(pbx.journal.with_name("journal.csv.1"))
    pbx.write(lines[7])
    follower.catch_up(LATER)
    away = pbx.home / "away.csv"
    pbx.journal.with_name("journal.csv.1").rename(away)
    JournalFollower(pbx.home, store).catch_up(LATER)
    pbx.write(b"".join(lines[8:]))
    JournalFollower(pbx.home, store).catch_up(LATER)
    away.rename(pbx.journal.with_name("journal.csv.1"))
    JournalFollower(pbx.home, store).catch_up(LATER)
    assert table(store) == expected(tmp_path, "abandoned", "answered")


@pytest.mark.parametrize("restarted", [True, False])
def test_row_that_reaches_a_rotated_file_after_it_was_read_is_not_lost(
    store: Store, pbx: Folder, tmp_path: Path, restarted: bool
) -> None:
    """Asterisk opened the file before it was renamed, and wrote after the new one was begun."""
    lines = (TRACES / "answered.csv").read_bytes().splitlines(keepends=True)
    pbx.write(b"".join(lines[:8]), (TRACES / "answered.queue_log").read_bytes())
    follower = JournalFollower(pbx.home, store)
    follower.catch_up(LATER)
    rotated = pbx.journal.with_name("journal.csv.1")
    pbx.journal.rename(rotated)
    pbx.write(b"".join(lines[9:]))
    follower.catch_up(LATER)
    with rotated.open("ab") as out:
        out.write(lines[8])  # where caller and counsellor meet
    follower = JournalFollower(pbx.home, store) if restarted else follower
    follower.catch_up(LATER)
    assert table(store) == expected(tmp_path, "answered")


@pytest.mark.parametrize("restarted", [True, False])
def test_rows_delivered_twice_are_one_call_each(
    store: Store, pbx: Folder, tmp_path: Path, restarted: bool
) -> None:
    follower = JournalFollower(pbx.home, store)
    for _ in range(2):
        pbx.play("answered", "abandoned", "checkin_answered_key_1")
        follower.catch_up(LATER)
        follower = JournalFollower(pbx.home, store) if restarted else follower
    assert table(store) == expected(tmp_path, "answered", "abandoned", "checkin_answered_key_1")
    assert len(sessions(store)) == len(set(sessions(store)))


def test_a_copy_of_some_rows_read_by_who_has_forgotten_the_others_undoes_nothing(
    store: Store, pbx: Folder, tmp_path: Path
) -> None:
    """The PBX died in the talk. Without the row where the two met, it died under somebody who waited."""
    lines = (TRACES / "answered.csv").read_bytes().splitlines(keepends=True)
    pbx.write(b"".join(lines[:10]), (TRACES / "answered.queue_log").read_bytes().splitlines(keepends=True)[0])
    pbx.write(b"", b"1795459999|NONE|NONE|NONE|QUEUESTART|\n")
    JournalFollower(pbx.home, store).catch_up(LATER)
    before = table(store)
    pbx.write(b"".join(lines[:4]), b"1795460999|NONE|NONE|NONE|QUEUESTART|\n")
    JournalFollower(pbx.home, store).catch_up(LATER)
    assert table(store) == before


def test_who_dies_while_a_late_file_is_told_begins_that_again(
    store: Store, pbx: Folder, tmp_path: Path
) -> None:
    lines = (TRACES / "answered.csv").read_bytes().splitlines(keepends=True)
    pbx.play("abandoned")
    pbx.write(b"".join(lines[:7]), (TRACES / "answered.queue_log").read_bytes())
    away = _put_away(pbx)
    pbx.write(b"".join(lines[7:]))
    JournalFollower(pbx.home, store).catch_up(LATER)
    away.rename(pbx.journal.with_name("journal.csv.1"))
    JournalFollower(pbx.home, store).poll(LATER)  # of several, and then it is killed
    JournalFollower(pbx.home, store).catch_up(LATER)
    assert table(store) == expected(tmp_path, "abandoned", "answered")
    assert JournalFollower(pbx.home, store).catch_up(LATER).rows == 0


def test_file_that_is_read_is_not_read_again_after_a_restart(store: Store, pbx: Folder) -> None:
    pbx.play("answered", "abandoned")
    follower = JournalFollower(pbx.home, store)
    follower.catch_up(LATER)
    pbx.journal.rename(pbx.journal.with_name("journal.csv.1"))
    pbx.play("nobody_on_duty")
    follower.catch_up(LATER)
    assert JournalFollower(pbx.home, store).catch_up(LATER).rows == 0
