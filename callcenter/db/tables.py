"""The tables. Moments are UTC; columns of `sealed` are ciphertext, `*_hash` their keyed hash.

The migrations are written by hand; `alembic check` proves that they lead here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from callcenter.domain.books import BOOKS, BookOf
from callcenter.domain.moments import check_aware


class Moment(TypeDecorator[datetime]):
    """An aware instant: stored in UTC, returned in UTC; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an instant into UTC, or raise `ValueError` if it has no zone."""
        return None if value is None else check_aware(value).astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return an instant in UTC. SQLite keeps no zone, PostgreSQL answers in the session's."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: Tables whose rows a trigger protects from UPDATE and DELETE. Those of books go with a tombstone.
APPEND_ONLY = ("audit", "consents", *(book.table for book in BOOKS if book.append_only))


def _key(name: str = "id") -> Column[Any]:
    return Column(name, Text, primary_key=True)


def _text(name: str, *, null: bool = False) -> Column[Any]:
    return Column(name, Text, nullable=null)


def _whole(name: str, *, null: bool = False) -> Column[Any]:
    return Column(name, Integer, nullable=null)


def _moment(name: str, *, null: bool = False) -> Column[Any]:
    return Column(name, Moment, nullable=null)


def _flag(name: str) -> Column[Any]:
    return Column(name, Boolean, nullable=False)


def _sealed(name: str, *, null: bool = False) -> Column[Any]:
    return Column(name, LargeBinary, nullable=null)


def _words(name: str) -> Column[Any]:
    return Column(name, JSON, nullable=False)


def _to(target: str, name: str) -> Column[Any]:
    return Column(name, Text, ForeignKey(target), nullable=False)


users = Table(
    "users",
    metadata,
    _key("code"),
    _sealed("name"),
    _words("roles"),
    _text("phone"),
    _sealed("mobile", null=True),
    _sealed("pin_verifier", null=True),
    _whole("escalation_rank", null=True),
    _whole("alarm_rank", null=True),
    _flag("active"),
)

audit = Table(
    "audit",
    metadata,
    # Counted by the store, without gaps: a missing number is a missing entry.
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _text("actor"),
    _text("verb"),
    _text("object"),
    _text("field"),
    # People write reasons, and people write names into them.
    _sealed("reason"),
    _moment("at"),
    # Keyed hash over this entry and the one before; empty in entries of before revision 0003.
    _sealed("chain_hash", null=True),
    # What was done to somebody, when they are looked at; and whether they are still looked after.
    Index(None, "object"),
)

shifts = Table(
    "shifts",
    metadata,
    _key(),
    _text("agent"),
    _moment("start_at"),
    _moment("end_at"),
    _text("kind"),
    _text("source"),
    Index(None, "start_at"),
    CheckConstraint("end_at > start_at", name="lasts"),
)

presence = Table(
    "presence",
    metadata,
    _key("key"),
    _text("agent"),
    _text("act"),
    _moment("at"),
    _text("source"),
    _text("reason"),
    Index(None, "agent", "at"),
)

#: One row: grows with every change of shifts or presence.
roster_revision = Table("roster_revision", metadata, Column("value", BigInteger, nullable=False))

calls = Table(
    "calls",
    metadata,
    _key(),
    _text("direction"),
    _text("outcome"),
    _moment("started_at"),
    _sealed("number", null=True),
    _sealed("number_hash", null=True),
    _sealed("dialled", null=True),
    _moment("offered_at", null=True),
    _moment("answered_at", null=True),
    _moment("parted_at", null=True),
    _moment("ended_at", null=True),
    _flag("end_is_uncertain"),
    _text("answered_by", null=True),
    _text("answered_via", null=True),
    _text("ended_by"),
    _whole("hangup_cause", null=True),
    _whole("queue_entries"),
    _whole("rings_not_answered"),
    _words("path"),
    _words("keys"),
    _words("rung"),
    _words("promises"),
    _text("flow_outcome", null=True),
    # Digits a caller left, and answers of a questionnaire: JSON lists of texts.
    _sealed("kept", null=True),
    _sealed("answers", null=True),
    Column("pieces", JSON, nullable=False, server_default=text("'[]'")),
    _text("left_at", null=True),
    _text("unheard", null=True),
    _text("witness"),
    Index(None, "started_at"),
    Index(None, "number_hash", "started_at"),
)
Index(
    "ix_calls_open",
    calls.c.started_at,
    sqlite_where=text("outcome = 'open'"),
    postgresql_where=text("outcome = 'open'"),
)

#: No reference to `calls`: call rows are forgotten and replayed, sessions stay.
sessions = Table(
    "sessions",
    metadata,
    _key(),
    _text("call"),
    _text("counsellor", null=True),
    _moment("opened_at"),
    _text("status"),
    _text("person", null=True),
    Column("version", Integer, nullable=False, server_default=text("0")),
    _moment("submitted_at", null=True),
    UniqueConstraint("call"),
    Index(None, "person"),
    Index(None, "status", "opened_at"),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    _key("source"),
    _text("segment"),
    Column("offset", BigInteger, nullable=False),
    _text("low_segment"),
    Column("low_offset", BigInteger, nullable=False),
)

unread = Table("unread", metadata, _key("key"), _sealed("raw"), _text("reason"), _moment("at"))

people = Table(
    "people",
    metadata,
    _key(),
    _text("code"),
    _sealed("name", null=True),
    _sealed("birth_month", null=True),
    _flag("no_ivr"),
    _sealed("birth_year", null=True),
    Column("speaks", Text, nullable=False, server_default=text("''")),
    # Found to be the same as another entry, which stands for both.
    _text("merged_into", null=True),
    # Keyed mark of their identity number.
    _sealed("identity_hash", null=True),
    UniqueConstraint("code"),
    Index(None, "identity_hash"),
)

phones = Table(
    "phones",
    metadata,
    Column("person", Text, ForeignKey("people.id"), primary_key=True),
    # Order in which they are tried.
    Column("place", Integer, primary_key=True),
    _sealed("number"),
    _sealed("number_hash"),
    _text("status"),
    _flag("safe_to_call"),
    # How we came to know that it is theirs; and whether the register's newest list holds it (R39).
    Column("source", Text, nullable=False, server_default=text("'line'")),
    Column("listed", Boolean, nullable=False, server_default=text("false")),
    _moment("verified_at", null=True),
    # What was agreed about calling there: JSON.
    _sealed("agreed", null=True),
    Index(None, "number_hash"),
)

consents = Table(
    "consents",
    metadata,
    Column("seq", Integer, primary_key=True),
    _to("people.id", "person"),
    _text("kind"),
    _flag("granted"),
    _moment("at"),
    _text("channel"),
    _text("script_version"),
    Column("evidence", Text, nullable=False, server_default=text("''")),
    _moment("expires_at", null=True),
    Index(None, "person"),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("seq", Integer, primary_key=True),
    _to("people.id", "person"),
    _text("kind"),
    _moment("at"),
    _sealed("reason"),
    _moment("until", null=True),
    Column("topic", Text, nullable=False, server_default=text("''")),
    Column("lifted", Boolean, nullable=False, server_default=text("false")),
    Index(None, "person"),
)

hardship_files = Table(
    "hardship_files",
    metadata,
    _key("file_no"),
    _to("people.id", "person"),
    _text("grade"),
    _text("status"),
    Column("since", Date, nullable=False),
    _text("district"),
    _text("union_unit"),
    # A name.
    _sealed("liaison"),
    _text("household", null=True),
    Column("notice_from", Date, nullable=True),
    Column("notice_to", Date, nullable=True),
    Column("review_due", Date, nullable=True),
    _text("exit_reason", null=True),
    _text("exit_confirmed_by", null=True),
    # When the sweep has to look at it again; NULL: nothing changes by itself.
    _moment("look_at", null=True),
    Index(None, "person"),
    Index(None, "household"),
    Index("ix_hardship_files_district", "district", "grade"),
)
Index(
    "ix_hardship_files_look_at",
    hardship_files.c.look_at,
    sqlite_where=text("look_at IS NOT NULL"),
    postgresql_where=text("look_at IS NOT NULL"),
)
#: Files that left and that nobody has looked at since (R34).
_UNCHECKED = text("status = '退档' AND exit_confirmed_by IS NULL")
Index(
    "ix_hardship_files_left",
    hardship_files.c.file_no,
    sqlite_where=_UNCHECKED,
    postgresql_where=_UNCHECKED,
)

obligations = Table(
    "obligations",
    metadata,
    _key(),
    _text("person"),
    _text("kind"),
    _moment("due_at"),
    _moment("window_end"),
    _text("mode"),
    _whole("priority"),
    _text("origin"),
    # What the caller left with it: a number, a poster's code.
    _sealed("detail", null=True),
    _moment("created_at"),
    _moment("closed_at", null=True),
    _sealed("closing_reason", null=True),
    _text("closed_by", null=True),
    _text("closed_as", null=True),
    # Follows from `evidence`, which alone decides: a trigger sets it, and lets nobody else (I4, I12).
    _moment("proven_at", null=True),
    _text("lease_owner", null=True),
    _moment("lease_until", null=True),
    # Outlives the lease, so that whoever held an old one stays refused.
    _whole("fence"),
    _moment("next_at", null=True),
    _text("owner", null=True),
    _moment("snoozed_until", null=True),
    _moment("escalated_at", null=True),
    Column("raised", Integer, nullable=False, server_default=text("0")),
    # A sweep that runs twice finds its own row instead of owing twice.
    UniqueConstraint("kind", "person", "origin", "due_at"),
    Index(None, "person"),
    CheckConstraint("window_end >= due_at", name="window"),
)
#: What is neither proven nor closed: of a growing history the small part that is asked for.
_STANDS = text("closed_at IS NULL AND proven_at IS NULL")
Index(
    "ix_obligations_open",
    obligations.c.window_end,
    obligations.c.priority,
    obligations.c.due_at,
    obligations.c.id,
    sqlite_where=_STANDS,
    postgresql_where=_STANDS,
)
Index(
    "ix_obligations_open_kind",
    obligations.c.kind,
    obligations.c.window_end,
    obligations.c.priority,
    obligations.c.due_at,
    obligations.c.id,
    sqlite_where=_STANDS,
    postgresql_where=_STANDS,
)
Index(
    "ix_obligations_open_due",
    obligations.c.due_at,
    obligations.c.kind,
    sqlite_where=_STANDS,
    postgresql_where=_STANDS,
)
#: Small parts that are asked for by themselves: column -> which of the open ones.
_PARTS = {
    "handed_up": (obligations.c.escalated_at, "escalated_at IS NOT NULL"),
    "put_off": (obligations.c.snoozed_until, "snoozed_until IS NOT NULL"),
    "pressing": (obligations.c.due_at, "priority <= 1"),
    "owned": (obligations.c.owner, "owner IS NOT NULL"),
}
for _name, (_column, _which) in _PARTS.items():
    _part = text(f"closed_at IS NULL AND proven_at IS NULL AND {_which}")
    Index(f"ix_obligations_{_name}", _column, sqlite_where=_part, postgresql_where=_part)

attempts = Table(
    "attempts",
    metadata,
    _key(),
    _to("obligations.id", "obligation"),
    _whole("n"),
    _moment("planned_at"),
    _text("by"),
    _moment("dialled_at", null=True),
    _text("result", null=True),
    _moment("settled_at", null=True),
    _whole("cause", null=True),
    _sealed("callee", null=True),
    # Which of our numbers was shown (R37); what told the result; whether anything was played before.
    _text("did", null=True),
    _text("cause_source", null=True),
    Column("early_media", Boolean, nullable=False, server_default=text("false")),
    # That the PBX took the order; why nobody knows the end, and what was known when that was found out.
    _moment("placed_at", null=True),
    _text("doubt", null=True),
    _moment("pbx_since", null=True),
    _moment("read_to", null=True),
    UniqueConstraint("obligation", "n"),
    Index(None, "planned_at"),
)
Index(
    "ix_attempts_in_doubt",
    attempts.c.planned_at,
    sqlite_where=text("result IS NULL"),
    postgresql_where=text("result IS NULL"),
)
#: Calls of a machine's whose end nobody knows.
_LOST = text("result = 'unknown' AND \"by\" = 'ivr'")
Index("ix_attempts_lost", attempts.c.obligation, sqlite_where=_LOST, postgresql_where=_LOST)

evidence = Table(
    "evidence",
    metadata,
    _key(),
    _to("obligations.id", "obligation"),
    _text("kind"),
    _moment("at"),
    _text("reference"),
    _text("by"),
    UniqueConstraint("obligation", "reference"),
    Index(None, "at"),
    CheckConstraint("reference <> ''", name="reference"),
)

alarms = Table(
    "alarms",
    metadata,
    _key(),
    _text("kind"),
    _moment("raised_at"),
    _text("detail"),
    _moment("rung_at", null=True),
    _whole("rounds"),
    _moment("acknowledged_at", null=True),
    _text("acknowledged_by", null=True),
    _moment("cleared_at", null=True),
    Index(None, "raised_at"),
)
Index(
    "uq_alarms_open_kind",
    alarms.c.kind,
    unique=True,
    sqlite_where=text("acknowledged_at IS NULL AND kind <> 'crisis'"),
    postgresql_where=text("acknowledged_at IS NULL AND kind <> 'crisis'"),
)

#: What the ledger keeps of itself: by which rules it last derived everything (`rules`).
ledger_state = Table("ledger_state", metadata, _key("key"), _text("value"))

_CLEAR = {"text": Text, "whole": Integer, "moment": Moment}


def _book(book: BookOf[Any]) -> Table:
    """Return the table of a book: its id, its clear columns, and the value sealed whole."""
    clear = [Column(name, _CLEAR[kind](), nullable=True) for name, kind in book.clear.items()]
    indexes = [Index(None, name) for name in book.clear]
    return Table(book.table, metadata, _key(), *clear, _whole("revision"), _sealed("body"), *indexes)


#: Table name -> table, of every book.
books = {book.table: _book(book) for book in BOOKS}
