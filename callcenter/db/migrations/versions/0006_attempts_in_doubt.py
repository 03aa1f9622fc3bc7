"""What is known of a call of ours whose end is not: that it was taken, and why nobody can tell any more.

Revision 0006. Attempts of before have none of it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
COLUMNS = (("placed_at", MOMENT), ("doubt", sa.Text()), ("pbx_since", MOMENT), ("read_to", MOMENT))


def upgrade() -> None:
    """Add the columns."""
    for name, kind in COLUMNS:
        op.add_column("attempts", sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    """Take them away."""
    for name, _ in reversed(COLUMNS):
        op.drop_column("attempts", name)
