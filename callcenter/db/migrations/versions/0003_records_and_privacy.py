"""The session record, cases, what protects people's data; and the audit's chain.

Revision 0003. A book's rows are sealed whole; beside them stand the few columns they are found by.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

#: Table -> its columns in clear, besides `id` and `revision`.
BOOKS: dict[str, dict[str, str]] = {
    "forms": {},
    "session_versions": {"session": "text", "n": "whole", "at": "moment"},
    "drafts": {"by": "text", "at": "moment"},
    "assessments": {"session": "text", "person": "text"},
    "cases": {"person": "text", "state": "text", "level": "whole", "owner": "text"},
    "case_events": {"case": "text", "at": "moment"},
    "rescues": {"case": "text", "state": "text"},
    "caller_plans": {},
    "blocks": {"until": "moment"},
    "merges": {"kept": "text", "merged": "text"},
    "requests": {"person": "text", "kind": "text", "state": "text", "due_at": "moment"},
    "holds": {"object": "text", "released_at": "moment"},
    "tombstones": {"object": "text", "rule": "text", "at": "moment"},
    "exports": {"expires_at": "moment", "deleted_at": "moment"},
    "credentials": {},
    "logins": {"user": "text", "expires_at": "moment"},
    "recordings": {"call": "text", "at": "moment"},
}
#: Append-only table -> the column that names whose tombstone lets a row go; "" lets none go.
APPEND_ONLY = {
    "forms": "",
    "tombstones": "",
    "session_versions": "session",
    "assessments": "session",
    "case_events": "case",
}
TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.Text(),
    "whole": sa.Integer(),
    "moment": sa.DateTime(timezone=True),
}


def upgrade() -> None:
    op.add_column("audit", sa.Column("chain_hash", sa.LargeBinary(), nullable=True))
    op.create_index(op.f("ix_audit_object"), "audit", ["object"])
    op.add_column("people", sa.Column("merged_into", sa.Text(), nullable=True))
    _add_sources()
    op.add_column("sessions", sa.Column("person", sa.Text(), nullable=True))
    op.add_column("sessions", sa.Column("version", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("sessions", sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(op.f("ix_sessions_person"), "sessions", ["person"])
    for table, clear in BOOKS.items():
        _create_book(table, clear)
    if op.get_bind().dialect.name == "postgresql":
        _protect_on_postgresql()
    else:
        _protect_on_sqlite()


def _add_sources() -> None:
    """Say of every number how it is known: those of somebody on the register came with its lists."""
    op.add_column("phones", sa.Column("source", sa.Text(), nullable=False, server_default=sa.text("'line'")))
    op.add_column(
        "phones", sa.Column("listed", sa.Boolean(), nullable=False, server_default=sa.text("false"))
    )
    phones = sa.table("phones", sa.column("person"), sa.column("source"), sa.column("listed", sa.Boolean()))
    files = sa.table("hardship_files", sa.column("person"))
    theirs = phones.c.person.in_(sa.select(files.c.person))
    op.execute(sa.update(phones).where(theirs).values(source="register", listed=True))


def downgrade() -> None:
    for table in BOOKS:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION hotline_goes_with_tombstone()")
    op.drop_index(op.f("ix_sessions_person"), "sessions")
    for column in ("submitted_at", "version", "person"):
        op.drop_column("sessions", column)
    op.drop_column("people", "merged_into")
    for column in ("listed", "source"):
        op.drop_column("phones", column)
    op.drop_index(op.f("ix_audit_object"), "audit")
    op.drop_column("audit", "chain_hash")


def _create_book(table: str, clear: dict[str, str]) -> None:
    op.create_table(
        table,
        sa.Column("id", sa.Text(), nullable=False),
        *(sa.Column(name, TYPES[kind], nullable=True) for name, kind in clear.items()),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )
    for name in clear:
        op.create_index(op.f(f"ix_{table}_{name}"), table, [name])


def _protect_on_sqlite() -> None:
    for table, goes_with in APPEND_ONLY.items():
        op.execute(
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
        gone = f"SELECT 1 FROM tombstones WHERE object = '{goes_with}:' || OLD.\"{goes_with}\""  # noqa: S608
        unless = f"WHEN NOT EXISTS ({gone}) " if goes_with else ""
        op.execute(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {unless}"
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _protect_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION hotline_goes_with_tombstone() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF EXISTS (SELECT 1 FROM tombstones WHERE object = "
        "TG_ARGV[0] || ':' || (to_jsonb(OLD) ->> TG_ARGV[0])) THEN RETURN OLD; END IF; "
        "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table, goes_with in APPEND_ONLY.items():
        acts = "UPDATE" if goes_with else "UPDATE OR DELETE"
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE {acts} ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION hotline_append_only()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION hotline_append_only()"
        )
        if goes_with:
            op.execute(
                f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
                f"FOR EACH ROW EXECUTE FUNCTION hotline_goes_with_tombstone('{goes_with}')"
            )
