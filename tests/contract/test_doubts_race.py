"""The reader of the journal and a round come to the same attempt at the same time."""

from __future__ import annotations

from threading import Thread

import pytest
from dispatch_world import MINUTE, World, enrol

from callcenter.db.unit_of_work import SqlStore
from callcenter.service.followup import doubts
from scheduler.obligations import Attempt, Result


def test_what_the_journal_tells_is_not_written_over_by_a_round_that_gave_up(
    sql_store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(sql_store, 1)
    world = World(sql_store)
    world.tick()
    call = world.control.placed[0].id
    reader = Thread(target=lambda: world.journal(call, "reached_self_callback"))
    plain = doubts.write_off

    def while_the_journal_tells(*args: object, **more: object) -> Attempt:
        reader.start()
        reader.join(1.0)  # as far as it gets: to its end, where nothing holds the row
        return plain(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(doubts, "write_off", while_the_journal_tells)
    world.control.end(call)
    world.now += MINUTE
    world.settle()
    reader.join()
    told = world.attempts()[0]
    assert (told.result, told.doubt) == (Result.REACHED_SELF_CALLBACK, None)
