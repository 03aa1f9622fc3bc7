"""That a debt was kept follows from evidence in the database itself: nobody else writes it (I4, I12)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from callcenter.db.engine import make_engine
from callcenter.db.tables import evidence, obligations

DAY = timedelta(days=1)


@pytest.fixture
def engine(database_url: str, now: datetime) -> Iterator[Engine]:
    """A database with two open debts."""
    made = make_engine(database_url)
    try:
        with made.begin() as connection:
            for debt in ("ob-1", "ob-2"):
                plain = {"person": "p1", "kind": "hardship", "mode": "ivr_ok", "priority": 5, "fence": 0}
                dates = {"due_at": now, "window_end": now, "created_at": now}
                row = {"id": debt, "origin": debt, **plain, **dates}
                connection.execute(insert(obligations).values(**row))
        yield made
    finally:
        made.dispose()


def proven_at(engine: Engine, debt: str) -> datetime | None:
    with engine.begin() as connection:
        at: datetime | None = connection.scalar(
            select(obligations.c.proven_at).where(obligations.c.id == debt)
        )
    return at


def prove(engine: Engine, name: str, debt: str, at: datetime) -> None:
    row = {"id": name, "obligation": debt, "kind": "human_talk", "at": at, "reference": name, "by": "c017"}
    with engine.begin() as connection:
        connection.execute(insert(evidence).values(**row))


def test_i4_no_update_says_that_a_debt_was_kept(engine: Engine, now: datetime) -> None:
    for sets in (
        update(obligations).values(proven_at=now),
        update(obligations).where(obligations.c.id == "ob-1").values(proven_at=now, closed_by="x001"),
        text("UPDATE obligations SET proven_at = due_at"),
        text("UPDATE obligations SET proven_at = '2026-01-01 00:00:00.000000' WHERE id = 'ob-2'"),
    ):
        with pytest.raises(DBAPIError, match="follows from evidence"), engine.begin() as connection:
            connection.execute(sets)
    assert proven_at(engine, "ob-1") is proven_at(engine, "ob-2") is None


def test_i4_evidence_alone_proves_and_the_first_of_several_counts(engine: Engine, now: datetime) -> None:
    prove(engine, "ev-1", "ob-1", now)
    prove(engine, "ev-2", "ob-1", now - DAY)
    assert proven_at(engine, "ob-1") == now - DAY
    assert proven_at(engine, "ob-2") is None
    with pytest.raises(DBAPIError, match="follows from evidence"), engine.begin() as connection:
        connection.execute(update(obligations).where(obligations.c.id == "ob-1").values(proven_at=None))
    with engine.begin() as connection:
        connection.execute(update(obligations).where(obligations.c.id == "ob-1").values(proven_at=now - DAY))
    assert proven_at(engine, "ob-1") == now - DAY, "what evidence says anyway may be written"


def test_i4_with_its_last_evidence_a_proof_goes(engine: Engine, now: datetime) -> None:
    prove(engine, "ev-1", "ob-1", now)
    prove(engine, "ev-2", "ob-1", now + DAY)
    for gone, left in (("ev-1", now + DAY), ("ev-2", None)):
        with engine.begin() as connection:
            connection.execute(delete(evidence).where(evidence.c.id == gone))
        assert proven_at(engine, "ob-1") == left
