"""The follower on every store: whatever is cut, rotated, restarted or lost, each call is on record once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from journal_folder import LATER, Folder, expected, sessions, table
from journal_text import TRACES, row, row_bytes

from callcenter.asterisk.journal import JournalFollower
from callcenter.domain.calls import Direction, Outcome
from callcenter.domain.fold import ProbeSeen
from callcenter.memory import MemoryStore
from callcenter.ports import Store, UnitOfWork
from callcenter.service.line.records import Hooks

NAMES = [
    "answered",
    "counsellor_hangs_up",
    "abandoned",
    "left_in_greeting",
    "two_queue_entries",
    "nobody_on_duty",
    "escalation_accepted",
    "escalation_voicemail",
    "duty_on",
    "checkin_answered_key_1",
    "hostile_caller",
]


@pytest.fixture
def pbx(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "asterisk")


def test_every_call_is_on_record_once_and_every_talk_has_one_session(store: Store, pbx: Folder) -> None:
    pbx.play(*NAMES)
    total = JournalFollower(pbx.home, store).catch_up(LATER)
    calls = table(store)
    assert len(calls) == len({call.id for call in calls}) == len(NAMES)
    assert sorted(sessions(store)) == sorted(
        call.id for call in calls if call.direction is Direction.INBOUND and call.outcome is Outcome.ANSWERED
    )
    assert (total.open_calls, total.behind, total.unread) == (0, 0, 0)
    with store() as work:
        assert [event.agent for event in work.roster.presence_events()] == ["c017"]


@pytest.mark.parametrize("seed", range(3))
def test_follower_restarted_between_any_two_bytes_tells_the_same(
    store: Store, pbx: Folder, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    journal = b"".join((TRACES / f"{name}.csv").read_bytes() for name in NAMES)
    lines = b"".join((TRACES / f"{name}.queue_log").read_bytes() for name in NAMES).splitlines(keepends=True)
    follower = JournalFollower(pbx.home, store)
    at = 0
    for cut in [*sorted(random.sample(range(1, len(journal)), 12)), len(journal)]:
        newest = max(re.findall(rb"179\d{7}", journal[:cut]), default=b"")
        while lines and lines[0][:10] <= newest:  # queue_log is never behind the journal
            pbx.write(b"", lines.pop(0))
        pbx.write(journal[at:cut])
        at = cut
        follower.poll(LATER)
        if random.random() < 0.5:
            follower = JournalFollower(pbx.home, store)
    follower.catch_up(LATER)
    assert table(store) == expected(tmp_path, *NAMES)


def test_call_in_progress_is_seen_live_and_closed_later(store: Store, pbx: Folder) -> None:
    lines = (TRACES / "answered.csv").read_bytes().splitlines(keepends=True)
    follower = JournalFollower(pbx.home, store)
    pbx.write(b"".join(lines[:6]))
    assert follower.poll(LATER).open_calls == 1
    (call,) = table(store)
    assert (call.is_open, call.answered_at, call.rung) == (True, None, ("c017=rung",))
    pbx.write(b"".join(lines[6:10]))
    follower.poll(LATER)
    (call,) = table(store)
    assert (call.is_open, call.answered_by, sessions(store)) == (True, "c017", [call.id])
    pbx.write(b"".join(lines[10:]))
    assert follower.poll(LATER).open_calls == 0
    (call,) = table(store)
    assert (call.outcome, sessions(store)) == (Outcome.ANSWERED, [call.id])


def test_rotation_in_the_middle_of_a_call_loses_nothing(store: Store, pbx: Folder, tmp_path: Path) -> None:
    lines = (TRACES / "answered.csv").read_bytes().splitlines(keepends=True)
    pbx.play("abandoned")
    pbx.write(b"".join(lines[:7]), (TRACES / "answered.queue_log").read_bytes())
    follower = JournalFollower(pbx.home, store)
    follower.poll(LATER)
    pbx.write(lines[7])  # not read before the file is renamed
    pbx.journal.rename(pbx.journal.with_name("journal.csv.1"))
    pbx.write(b"".join(lines[8:]))
    JournalFollower(pbx.home, store).catch_up(LATER)
    assert table(store) == expected(tmp_path, "abandoned", "answered")


def test_own_rotation_begins_a_new_file_and_deletes_only_what_is_folded_and_old(
    store: Store, pbx: Folder
) -> None:
    pbx.play("answered")
    follower = JournalFollower(pbx.home, store)
    follower.catch_up(LATER)
    assert follower.rotate(LATER, size=1) == []
    (rotated,) = (path for path in pbx.journal.parent.iterdir() if path != pbx.journal)
    assert rotated.stat().st_mode & 0o777 == 0o600
    month = timedelta(days=30)
    assert follower.rotate(LATER + month, size=1 << 30) == []  # the place still stands in it
    pbx.play("abandoned")
    follower.catch_up(LATER)
    assert follower.rotate(LATER + timedelta(days=1), size=1 << 30, keep=timedelta(days=400)) == []
    assert follower.rotate(LATER + 24 * month, size=1 << 30) == [rotated]
    assert len(table(store)) == 2


def test_queue_log_begins_a_new_file_only_when_asterisk_can_be_told(store: Store, pbx: Folder) -> None:
    pbx.play("answered")
    follower = JournalFollower(pbx.home, store)
    follower.catch_up(LATER)
    log = pbx.home / "log" / "queue_log"
    follower.rotate(LATER, size=1)
    assert log.exists()
    told: list[str] = []
    follower.rotate(LATER, size=1, reopen=lambda: told.append("logger reload"))
    assert told == ["logger reload"]
    assert not log.exists()
    (rotated,) = log.parent.glob("queue_log.*")
    assert rotated.stat().st_mode & 0o777 == 0o600
    pbx.play("abandoned")
    follower.catch_up(LATER)
    assert len(table(store)) == 2
    follower.rotate(LATER + timedelta(days=400), size=1 << 30, reopen=lambda: None)
    assert not rotated.exists()


def test_asterisks_error_log_lives_no_longer_than_the_journal(store: Store, pbx: Folder) -> None:
    follower = JournalFollower(pbx.home, store)
    errors = pbx.home / "log" / "messages.log"
    errors.write_text("[2026-11-22T21:00:00.123+0000] ERROR[7]: a caller's name is no UTF-8\n")
    told: list[str] = []
    follower.rotate(LATER, reopen=lambda: told.append("logger reload"))
    assert errors.exists(), "not a day old yet"
    follower.rotate(LATER + timedelta(hours=2))
    assert errors.exists(), "Asterisk could not be told"
    follower.rotate(LATER + timedelta(hours=2), reopen=lambda: told.append("logger reload"))
    (aside,) = errors.parent.glob("messages.log*")
    assert aside != errors
    assert aside.stat().st_mode & 0o777 == 0o600
    last = datetime.fromtimestamp(aside.stat().st_mtime, UTC)
    assert follower.rotate(last + timedelta(days=6.9), keep=timedelta(days=7)) == []
    assert follower.rotate(last + timedelta(days=7.1), keep=timedelta(days=7)) == [aside]


def test_place_survives_a_copy_of_the_folder(store: Store, pbx: Folder, tmp_path: Path) -> None:
    pbx.play("answered")
    JournalFollower(pbx.home, store).catch_up(LATER)
    copy = Folder(tmp_path / "restored")
    copy.write(pbx.journal.read_bytes(), pbx.queue_log.read_bytes())
    assert JournalFollower(copy.home, store).poll(LATER).rows == 0


class Failing:
    """A store whose next commits fail, as a full disk does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.failures = 0

    @contextmanager
    def __call__(self) -> Iterator[UnitOfWork]:
        with self._store() as work:
            yield work
            if self.failures:
                self.failures -= 1
                raise OSError("disk full")


def test_transaction_that_fails_is_done_again(pbx: Folder, tmp_path: Path) -> None:
    memory = MemoryStore()
    failing = Failing(memory)
    follower = JournalFollower(pbx.home, failing)
    lines = (TRACES / "answered.csv").read_bytes().splitlines(keepends=True)
    pbx.write(b"".join(lines[:8]), (TRACES / "answered.queue_log").read_bytes())
    follower.poll(LATER)
    pbx.write(b"".join(lines[8:]))
    failing.failures = 1
    before = memory.state
    with pytest.raises(OSError, match="disk full"):
        follower.poll(LATER)
    memory.state = before  # what a database does
    follower.catch_up(LATER)
    assert table(memory) == expected(tmp_path, "answered")


def test_unreadable_row_is_kept_once_and_stops_nothing(store: Store, pbx: Folder) -> None:
    pbx.write(b'"IVR_NODE","IVR_NODE","1795459133.9", cut' + b"\0" * 9)
    pbx.play("answered")
    assert JournalFollower(pbx.home, store).catch_up(LATER).unread == 1
    with store() as work:
        work.journal.forget()
        work.commit()
    assert JournalFollower(pbx.home, store, replay=True).catch_up(LATER).unread == 0
    with store() as work:
        assert work.journal.unread_count() == 1
    assert [call.outcome for call in table(store)] == [Outcome.ANSWERED]


def test_call_whose_rows_nobody_can_read_is_told_by_queue_log(store: Store, pbx: Folder) -> None:
    rows = (TRACES / "answered.csv").read_bytes()
    pbx.write(rows.replace(b'","17954', b'",17954'), (TRACES / "answered.queue_log").read_bytes())
    pbx.play("left_in_greeting")
    JournalFollower(pbx.home, store).catch_up(LATER)
    told, _ = table(store)
    assert (told.witness, told.outcome, told.answered_by) == ("queue_log", Outcome.ANSWERED, "c017")
    assert told.number == "13800001111"
    assert sessions(store) == [told.id]


def test_queue_log_ahead_of_the_journal_makes_no_second_call(store: Store, pbx: Folder) -> None:
    follower = JournalFollower(pbx.home, store)
    pbx.write(b"", (TRACES / "answered.queue_log").read_bytes())
    pbx.play("left_in_greeting")
    newest = datetime(2026, 11, 23, 18, 38, 59, tzinfo=UTC)  # as the call ends
    follower.poll(newest)
    assert [call.outcome for call in table(store)] == [Outcome.LEFT_IN_GREETING]
    pbx.write((TRACES / "answered.csv").read_bytes())
    follower.catch_up(newest)
    assert [call.witness for call in table(store)] == ["journal", "journal"]


def test_queue_log_ahead_of_the_journal_dates_no_talk(store: Store, pbx: Folder) -> None:
    lines = (TRACES / "answered.csv").read_bytes().splitlines(keepends=True)
    pbx.write(b"".join(lines[:6]), (TRACES / "answered.queue_log").read_bytes().splitlines(keepends=True)[0])
    follower = JournalFollower(pbx.home, store)
    follower.poll(LATER)
    pbx.write(b"", (TRACES / "answered.queue_log").read_bytes().splitlines(keepends=True)[1])
    follower.poll(LATER)
    assert ([call.answered_at for call in table(store)], sessions(store)) == ([None], [])
    pbx.write(b"".join(lines[6:10]))
    follower.poll(LATER)
    (call,) = table(store)
    with store() as work:
        assert [session.opened_at for session in work.sessions.all()] == [call.answered_at]
    assert call.is_open
    assert call.answered_at is not None
    assert call.answered_at.microsecond


def test_an_answer_whose_rows_are_lost_is_told_by_queue_log_while_the_call_goes_on(
    store: Store, pbx: Folder
) -> None:
    lines = (TRACES / "answered.csv").read_bytes().splitlines(keepends=True)
    said = (TRACES / "answered.queue_log").read_bytes().splitlines(keepends=True)
    pbx.write(b"".join(lines[:6]), b"".join(said[:2]))
    follower = JournalFollower(pbx.home, store)
    follower.poll(LATER)
    pbx.play("counsellor_hangs_up")  # another call, later
    follower.poll(LATER)
    call = next(one for one in table(store) if one.is_open)
    assert (call.answered_by, call.id in sessions(store)) == ("c017", True)


def test_boot_ends_the_calls_that_were_open(store: Store, pbx: Folder) -> None:
    follower = JournalFollower(pbx.home, store)
    dead = (TRACES / "pbx_killed_in_talk.csv").read_bytes()
    waits, connects, boot = (TRACES / "pbx_killed_in_talk.queue_log").read_bytes().splitlines(keepends=True)
    pbx.write(dead, waits + connects)
    assert follower.poll(LATER).open_calls == 1
    pbx.write(b"", boot)
    follower.catch_up(LATER)
    (call,) = table(store)
    assert (call.outcome, call.end_is_uncertain, call.is_open) == (Outcome.ANSWERED, True, False)


def test_boot_read_just_before_the_follower_died_still_counts(store: Store, pbx: Folder) -> None:
    greeting = (TRACES / "left_in_greeting.csv").read_bytes().splitlines(keepends=True)[:3]
    boot = (TRACES / "pbx_killed_in_talk.queue_log").read_bytes().splitlines(keepends=True)[-1]
    pbx.write(b"".join(greeting), boot)
    JournalFollower(pbx.home, store).poll(LATER)  # the boot counts from the next poll on
    JournalFollower(pbx.home, store).catch_up(LATER)
    assert [call.outcome for call in table(store)] == [Outcome.SYSTEM_FAILURE]


def test_call_nothing_is_heard_of_for_a_day_does_not_hold_the_place(store: Store, pbx: Folder) -> None:
    pbx.write(
        row_bytes(row("CHAN_START", 1795459000.0, "PJSIP/trunk-1", "9.1", "9.1", context="hotline-trunk"))
    )
    follower = JournalFollower(pbx.home, store)
    assert follower.catch_up(LATER).open_calls == 1
    assert follower.catch_up(LATER + timedelta(days=2)).open_calls == 0
    (call,) = table(store)
    assert (call.outcome, call.end_is_uncertain) == (Outcome.SYSTEM_FAILURE, True)


def test_late_row_of_a_call_on_record_does_not_undo_it(store: Store, pbx: Folder, tmp_path: Path) -> None:
    pbx.play("answered")
    JournalFollower(pbx.home, store).catch_up(LATER)
    late = (TRACES / "answered.csv").read_bytes().splitlines(keepends=True)[4]
    pbx.write(late)
    JournalFollower(pbx.home, store).catch_up(LATER)
    assert table(store) == expected(tmp_path, "answered")


def test_replay_gives_the_same_table_and_a_running_follower_goes_on(store: Store, pbx: Folder) -> None:
    pbx.play(*NAMES)
    running = JournalFollower(pbx.home, store)
    running.catch_up(LATER)
    before, talks = table(store), sessions(store)
    with store() as work:
        assert work.calls.delete_all() == len(before)
        work.journal.forget()
        work.commit()
    JournalFollower(pbx.home, store, replay=True).catch_up(LATER)
    assert (table(store), sessions(store)) == (before, talks)
    pbx.play("checkin_busy")
    running.catch_up(LATER)
    assert len(table(store)) == len(before) + 1


def test_hooks_are_told_of_ended_calls_and_probes_in_the_same_transaction(store: Store, pbx: Folder) -> None:
    closed: list[str] = []
    probes: list[ProbeSeen] = []
    hooks = Hooks(
        on_closed=[lambda _work, calls, _now: closed.extend(call.id for call in calls)],
        on_probes=[lambda _work, seen, _now: probes.extend(seen)],
    )
    at = 1795459500.0
    begin = row("CHAN_START", at, "PJSIP/trunk-9", "9.1", "9.1", context="hotline-trunk")
    seen = row("SELFDIAL", at + 1, "PJSIP/trunk-9", "9.1", "9.1", words="probe=sd-00ff&members=3")
    end = row("LINKEDID_END", at + 2, "PJSIP/trunk-9", "9.1", "9.1")
    pbx.play("checkin_busy")
    pbx.write(b"".join(map(row_bytes, (begin, seen, end))))
    JournalFollower(pbx.home, store, hooks=hooks).catch_up(LATER)
    assert sorted(closed) == ["9.1", "at-00000000000000000000000000000004"]
    assert [(one.probe, one.members) for one in probes] == [("sd-00ff", 3)]
    assert [call.direction for call in table(store) if call.id == "9.1"] == [Direction.INTERNAL]


def test_nothing_there_is_nothing_read(store: Store, tmp_path: Path) -> None:
    follower = JournalFollower(tmp_path / "no such folder", store)
    result = follower.poll(LATER)
    assert (result.rows, result.behind, result.newest_at, result.caught_up) == (0, 0, None, True)
