"""A roster file on every store: brought in whole, or nothing of it."""

from __future__ import annotations

import pytest
from roster_world import NOW, enrol, shift, table, wall

from callcenter.domain.duty import Shift
from callcenter.ports import Store
from callcenter.service.duty import importing
from callcenter.service.duty.filed import RosterFileRefused

MOVED = "sh-000000000001,c001,2026-12-01 20:00,2026-12-02 02:00"
NEW = ",c002,2026-12-01 19:00,01:00"
HEADING = "编号,代码,开始,结束"


@pytest.fixture
def planned(store: Store) -> Store:
    with store() as work:
        enrol(work)
        work.roster.replace_shifts([], [shift("sh-000000000001", "c001", wall(1, 19))])
        work.commit()
    return store


def bring(store: Store, *rows: str) -> importing.Difference:
    with store() as work:
        found = importing.import_shifts(work, table(*rows, heading=HEADING), actor="s001", now=NOW)
        work.commit()
    return found


def standing(store: Store) -> list[Shift]:
    with store() as work:
        return sorted(work.roster.shifts_between(wall(1), wall(31)), key=lambda s: s.agent)


def test_what_is_new_comes_and_what_moved_moves_under_its_own_number(planned: Store) -> None:
    found = bring(planned, MOVED, NEW)
    assert (len(found.new), len(found.changed)) == (1, 1)
    assert [(s.agent, s.start) for s in standing(planned)] == [("c001", wall(1, 20)), ("c002", wall(1, 19))]
    assert standing(planned)[0].id == "sh-000000000001"
    assert bring(planned, MOVED, NEW).unchanged == 2


def test_of_a_file_with_one_bad_line_nothing_comes(planned: Store) -> None:
    with planned() as work:
        before, audit = work.roster.revision(), len(work.audit.recent(50))
    with pytest.raises(RosterFileRefused):
        bring(planned, MOVED, NEW, ",c404,2026-12-01 19:00,01:00")
    with planned() as work:
        assert (work.roster.revision(), len(work.audit.recent(50))) == (before, audit)
    assert [s.start for s in standing(planned)] == [wall(1, 19)]
