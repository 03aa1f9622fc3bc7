"""The roster's plan, skills, debriefings, hand-overs, listening; kinds of shift and reasons of a pause.

Revision 0004. Shifts of before are shifts at the line, planned by hand.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

#: Table -> its columns in clear, besides `id` and `revision`.
BOOKS: dict[str, dict[str, str]] = {
    "shift_needs": {},
    "shift_templates": {},
    "shift_overrides": {"template": "text"},
    "shift_swaps": {"shift": "text", "state": "text"},
    "publications": {"at": "moment"},
    "surges": {},
    "staff_profiles": {},
    "debriefs": {"agent": "text", "state": "text"},
    "attendance_corrections": {"agent": "text", "at": "moment"},
    "handovers": {"about": "text", "state": "text", "to": "text"},
    "listenings": {"call": "text", "by": "text", "asked_at": "moment"},
}
TYPES: dict[str, sa.types.TypeEngine[Any]] = {"text": sa.Text(), "moment": sa.DateTime(timezone=True)}
#: At most one open alarm of a kind; of crises one for each call.
OPEN_KIND = "uq_alarms_open_kind"
COLUMNS = (("shifts", "kind", "'line'"), ("shifts", "source", "''"), ("presence", "reason", "''"))


def upgrade() -> None:
    for table, name, first in COLUMNS:
        column = sa.Column(name, sa.Text(), nullable=False, server_default=sa.text(first))
        op.add_column(table, column)
    for table, clear in BOOKS.items():
        _create_book(table, clear)
    _one_open("acknowledged_at IS NULL AND kind <> 'crisis'")


def downgrade() -> None:
    op.execute("DELETE FROM alarms WHERE kind = 'crisis'")  # the version before knows no such kind
    _one_open("acknowledged_at IS NULL")
    for table in BOOKS:
        op.drop_table(table)
    for table, name, _ in reversed(COLUMNS):
        op.drop_column(table, name)


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


def _one_open(where: str) -> None:
    op.drop_index(OPEN_KIND, table_name="alarms")
    only = sa.text(where)
    op.create_index(OPEN_KIND, "alarms", ["kind"], unique=True, sqlite_where=only, postgresql_where=only)
