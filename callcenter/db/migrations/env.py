"""Tells Alembic which database to work on and which tables it should lead to."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection

from callcenter.config import load_settings
from callcenter.db.engine import make_engine
from callcenter.db.tables import Moment, metadata


def _render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our own type as what it is in the database."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, Moment) else False


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True, render_item=_render)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()


def _url() -> str:
    return context.get_x_argument(as_dictionary=True).get("url") or load_settings().database_url


def _run() -> None:
    given = context.config.attributes.get("connection")
    if given is not None:
        return _migrate(given)
    engine = make_engine(_url())
    with engine.connect() as connection:
        _migrate(connection)
    engine.dispose()
    return None


if context.is_offline_mode():
    raise SystemExit("Migrations run against a database, never into a file of SQL.")
_run()
