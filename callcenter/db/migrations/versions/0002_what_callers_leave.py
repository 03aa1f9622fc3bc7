"""What callers leave: digits, answers, pieces heard; and how a person is best spoken to.

Revision 0002. Every new column may stay empty, so that rows of before keep their meaning.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

#: Table, column, type, and what rows of before get where it may not be empty.
COLUMNS: tuple[tuple[str, str, type[sa.types.TypeEngine[Any]], str | None], ...] = (
    ("calls", "kept", sa.LargeBinary, None),
    ("calls", "answers", sa.LargeBinary, None),
    ("calls", "pieces", sa.JSON, "'[]'"),
    ("calls", "left_at", sa.Text, None),
    ("calls", "unheard", sa.Text, None),
    ("people", "birth_year", sa.LargeBinary, None),
    ("people", "speaks", sa.Text, "''"),
    ("obligations", "detail", sa.LargeBinary, None),
)


def upgrade() -> None:
    for table, name, kind, first in COLUMNS:
        default = None if first is None else sa.text(first)
        op.add_column(table, sa.Column(name, kind(), nullable=first is None, server_default=default))


def downgrade() -> None:
    for table, name, *_ in reversed(COLUMNS):
        op.drop_column(table, name)
