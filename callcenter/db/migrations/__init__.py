"""Alembic's scripts. Written by hand; `alembic check` holds them against `callcenter.db.tables`."""
