"""The debt ledger: plans, what people do with debts, households, agreed contact, opt-outs that end.

Revision 0005. That a debt is proven follows from its evidence alone: a trigger writes `proven_at`, and
another refuses anybody else who would. Every file is looked at once by the first sweep after this.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

#: Table -> its columns in clear, besides `id` and `revision`.
BOOKS: dict[str, dict[str, str]] = {
    "households": {},
    "import_profiles": {},
    "contact_plans": {"person": "text", "state": "text"},
    "debt_events": {"obligation": "text", "act": "text", "at": "moment"},
    "waivers": {"obligation": "text", "state": "text"},
    "dialler_pauses": {},
    "shift_sheets": {"state": "text", "at": "moment"},
}
MOMENT = sa.DateTime(timezone=True)
TYPES: dict[str, sa.types.TypeEngine[Any]] = {"text": sa.Text(), "moment": MOMENT}
#: Table -> its new columns: name, type, and what stands in rows of before (None: nothing).
COLUMNS: dict[str, tuple[tuple[str, sa.types.TypeEngine[Any], str | None], ...]] = {
    "people": (("identity_hash", sa.LargeBinary(), None),),
    "phones": (("verified_at", MOMENT, None), ("agreed", sa.LargeBinary(), None)),
    "consents": (("evidence", sa.Text(), "''"), ("expires_at", MOMENT, None)),
    "suppressions": (
        ("until", MOMENT, None),
        ("topic", sa.Text(), "''"),
        ("lifted", sa.Boolean(), "false"),
    ),
    "hardship_files": (
        ("household", sa.Text(), None),
        ("notice_from", sa.Date(), None),
        ("notice_to", sa.Date(), None),
        ("review_due", sa.Date(), None),
        ("exit_reason", sa.Text(), None),
        ("exit_confirmed_by", sa.Text(), None),
        ("look_at", MOMENT, None),
    ),
    "obligations": (
        ("closed_as", sa.Text(), None),
        ("proven_at", MOMENT, None),
        ("owner", sa.Text(), None),
        ("snoozed_until", MOMENT, None),
        ("escalated_at", MOMENT, None),
        ("raised", sa.Integer(), "0"),
    ),
    "attempts": (
        ("did", sa.Text(), None),
        ("cause_source", sa.Text(), None),
        ("early_media", sa.Boolean(), "false"),
    ),
}
STANDS = sa.text("closed_at IS NULL AND proven_at IS NULL")
LOOKED = sa.text("look_at IS NOT NULL")
URGENT = ["window_end", "priority", "due_at", "id"]
#: What is asked for first of all, and is always little.
PRESSING = sa.text("closed_at IS NULL AND proven_at IS NULL AND priority <= 1")
HANDED_UP = sa.text("closed_at IS NULL AND proven_at IS NULL AND escalated_at IS NOT NULL")
PUT_OFF = sa.text("closed_at IS NULL AND proven_at IS NULL AND snoozed_until IS NOT NULL")
OWNED = sa.text("closed_at IS NULL AND proven_at IS NULL AND owner IS NOT NULL")
LOST = sa.text("result = 'unknown' AND \"by\" = 'ivr'")
UNCHECKED = sa.text("status = '退档' AND exit_confirmed_by IS NULL")
#: Index -> its table, columns and part of the table.
INDEXES: dict[str, tuple[str, list[str], sa.TextClause | None]] = {
    "ix_evidence_at": ("evidence", ["at"], None),
    "ix_people_identity_hash": ("people", ["identity_hash"], None),
    "ix_hardship_files_household": ("hardship_files", ["household"], None),
    "ix_hardship_files_district": ("hardship_files", ["district", "grade"], None),
    "ix_hardship_files_look_at": ("hardship_files", ["look_at"], LOOKED),
    "ix_obligations_open": ("obligations", URGENT, STANDS),
    "ix_obligations_open_kind": ("obligations", ["kind", *URGENT], STANDS),
    "ix_obligations_open_due": ("obligations", ["due_at", "kind"], STANDS),
    "ix_obligations_pressing": ("obligations", ["due_at"], PRESSING),
    "ix_obligations_handed_up": ("obligations", ["escalated_at"], HANDED_UP),
    "ix_obligations_put_off": ("obligations", ["snoozed_until"], PUT_OFF),
    "ix_obligations_owned": ("obligations", ["owner"], OWNED),
    "ix_attempts_lost": ("attempts", ["obligation"], LOST),
    "ix_hardship_files_left": ("hardship_files", ["file_no"], UNCHECKED),
}
UNCLOSED = "ix_obligations_unclosed"
#: Kinds of debts that this version knows first.
NEW = "'planned', 'missed_call', 'visit', 'verify'"
FIRST_PROOF = "SELECT MIN(at) FROM evidence WHERE obligation = "
#: What the triggers do, in words that both databases read. `{row}` is the row of evidence.
SET_PROVEN = (
    f"UPDATE obligations SET proven_at = ({FIRST_PROOF}{{row}}.obligation) WHERE id = {{row}}.obligation"  # noqa: S608
)
#: `{is_not}`: SQLite before 3.39 knows no IS DISTINCT FROM.
DIFFERS = f"NEW.proven_at {{is_not}} ({FIRST_PROOF}NEW.id)"
REFUSAL = "proven_at follows from evidence"


def upgrade() -> None:
    for table, columns in COLUMNS.items():
        for name, kind, first in columns:
            default = None if first is None else sa.text(first)
            op.add_column(table, sa.Column(name, kind, nullable=first is None, server_default=default))
    for table, clear in BOOKS.items():
        _create_book(table, clear)
    op.create_table(
        "ledger_state",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_ledger_state"),
    )
    op.drop_index(UNCLOSED, table_name="obligations")
    for name, (table, names, part) in INDEXES.items():
        op.create_index(name, table, names, sqlite_where=part, postgresql_where=part)
    op.execute(f"UPDATE obligations SET proven_at = ({FIRST_PROOF}obligations.id)")  # noqa: S608
    op.execute("UPDATE obligations SET closed_as = 'other' WHERE closed_at IS NOT NULL")
    op.execute("UPDATE hardship_files SET look_at = '1970-01-01 00:00:00.000000'")
    protect = _protect_on_postgresql if op.get_bind().dialect.name == "postgresql" else _protect_on_sqlite
    protect()


def downgrade() -> None:
    unprotect = (
        _unprotect_on_postgresql if op.get_bind().dialect.name == "postgresql" else _unprotect_on_sqlite
    )
    unprotect()
    # The version before knows none of these: its sweep finds again what is owed.
    of_new_kinds = f"SELECT id FROM obligations WHERE kind IN ({NEW})"  # noqa: S608
    for table in ("attempts", "evidence"):
        op.execute(f"DELETE FROM {table} WHERE obligation IN ({of_new_kinds})")  # noqa: S608
    op.execute(f"DELETE FROM obligations WHERE kind IN ({NEW})")  # noqa: S608
    op.execute("DELETE FROM suppressions WHERE kind = 'topic' OR lifted")
    op.execute("DELETE FROM hardship_files WHERE status IN ('申请', '公示')")
    for name, (table, _, _) in INDEXES.items():
        op.drop_index(name, table_name=table)
    only = sa.text("closed_at IS NULL")
    op.create_index(UNCLOSED, "obligations", ["window_end"], sqlite_where=only, postgresql_where=only)
    op.drop_table("ledger_state")
    for table in BOOKS:
        op.drop_table(table)
    for table, columns in COLUMNS.items():
        for name, _, _ in reversed(columns):
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


def _protect_on_sqlite() -> None:
    for act, row in (("INSERT", "NEW"), ("DELETE", "OLD")):
        op.execute(
            f"CREATE TRIGGER evidence_after_{act.lower()} AFTER {act} ON evidence "
            f"BEGIN {SET_PROVEN.format(row=row)}; END"
        )
    op.execute(
        "CREATE TRIGGER obligations_proven BEFORE UPDATE OF proven_at ON obligations "
        f"WHEN {DIFFERS.format(is_not='IS NOT')} BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    )


def _unprotect_on_sqlite() -> None:
    for trigger in ("evidence_after_insert", "evidence_after_delete", "obligations_proven"):
        op.execute(f"DROP TRIGGER {trigger}")


def _protect_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION hotline_evidence() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'INSERT' THEN {SET_PROVEN.format(row='NEW')}; "
        f"ELSE {SET_PROVEN.format(row='OLD')}; END IF; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER evidence_after AFTER INSERT OR DELETE ON evidence "
        "FOR EACH ROW EXECUTE FUNCTION hotline_evidence()"
    )
    op.execute(
        "CREATE FUNCTION hotline_proven() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {DIFFERS.format(is_not='IS DISTINCT FROM')} THEN RAISE EXCEPTION '{REFUSAL}'; END IF; "
        "RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER obligations_proven BEFORE UPDATE OF proven_at ON obligations "
        "FOR EACH ROW EXECUTE FUNCTION hotline_proven()"
    )


def _unprotect_on_postgresql() -> None:
    op.execute("DROP TRIGGER evidence_after ON evidence")
    op.execute("DROP TRIGGER obligations_proven ON obligations")
    op.execute("DROP FUNCTION hotline_evidence()")
    op.execute("DROP FUNCTION hotline_proven()")
