"""The supervisor's order in SQL, shelf by shelf, so that a first page reads no more than a page.

The order is that of `callcenter.service.followup.debt_views.DebtView.rank` (R29); each shelf walks an index
of what is open, however much of it there is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    text,
)

from callcenter.db.tables import Moment, attempts, obligations
from scheduler.obligations import URGENT_PRIORITY, Kind

_owed = obligations.c
#: Taken off by misses (R35): smaller is more urgent.
_weight = _owed.priority - _owed.raised
#: Before anything was handed up: by a comparison SQLite finds the index of what was.
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)
# Words, not parameters: a database knows the parts of a table that have an index by their words.
_IS_URGENT = text(f"obligations.priority <= {URGENT_PRIORITY}")
_IS_LOST = text("attempts.result = 'unknown' AND attempts.\"by\" = 'ivr'")


#: What the queries are given each time they are asked; they are made once.
_now, _until = bindparam("now", type_=Moment), bindparam("until", type_=Moment)
_most = bindparam("most", type_=Integer)


@cache
def shelves(kinds: frozenset[Kind] | None) -> tuple[Select[Any], ...]:
    """Return what is open and due by `:until` in the supervisor's order, one query after another."""
    all_of_them, doubtful = _open(kinds), _owed.id.in_(_in_doubt())
    breached, is_due, is_listed = (
        _owed.window_end < _now,
        _owed.due_at <= _now,
        _aside(_owed.due_at) <= _until,
    )
    is_urgent = _owed.priority <= URGENT_PRIORITY
    put_off, handed_up = _owed.snoozed_until > _now, _owed.escalated_at.is_not(None)
    awake = or_(_owed.snoozed_until.is_(None), _owed.snoozed_until <= _now)
    ours = all_of_them.where(awake, ~handed_up)
    plain = ours.where(~is_urgent, ~doubtful)
    rest = (_weight, _owed.due_at, _owed.id)
    breach = case((breached, _owed.window_end), else_=_NEVER)
    whole = (breach, case((is_due, 0), else_=1), case((is_due, _weight), else_=0), _owed.due_at, *rest)
    first = (case((doubtful, 0), else_=1), *whole)
    any_of_them = (case((is_urgent & is_due, 0), else_=1), *first)
    return (
        all_of_them.where(_owed.escalated_at >= _LONG_AGO, awake).order_by(*any_of_them),
        ours.where(_IS_URGENT, is_due).order_by(*first),
        ours.where(doubtful, ~(is_urgent & is_due), is_listed).order_by(*whole),
        plain.where(breached).order_by(_owed.window_end, *rest),
        plain.where(is_due, _aside(_owed.window_end) >= _now).order_by(*rest),
        ours.where(~is_due, _owed.due_at <= _until, ~doubtful).order_by(_owed.due_at, _weight, _owed.id),
        all_of_them.where(put_off, is_listed).order_by(
            _owed.snoozed_until, case((handed_up, 0), else_=1), *any_of_them
        ),
    )


@cache
def by_date(kinds: frozenset[Kind] | None) -> tuple[Select[Any], ...]:
    """Return what is open and due by `:until`, the oldest first, whatever was done about it (R39)."""
    ours = _open(kinds)
    breached = ours.where(_owed.window_end < _now, _aside(_owed.due_at) <= _until)
    others = ours.where(_aside(_owed.window_end) >= _now, _owed.due_at <= _until)
    return (
        breached.order_by(_owed.window_end, _owed.priority, _owed.due_at, _owed.id),
        others.order_by(_owed.due_at, _owed.id),
    )


@cache
def counts(kinds: frozenset[Kind] | None, plain: bool) -> tuple[Select[Any], ...]:
    """Return counts, up to `:most`, of what is due by `:until`; and of what stands there though it is not.

    That is what was handed up; a `plain` list knows of no such thing (R39).
    """
    ids: Select[Any] = _open(kinds).with_only_columns(literal_column("1").label("one"))
    listed = [ids.where(_owed.due_at <= _until)]
    if not plain:
        listed.append(ids.where(_owed.escalated_at >= _LONG_AGO, _aside(_owed.due_at) > _until))
    return tuple(select(func.count()).select_from(some.limit(_most).subquery()) for some in listed)


@cache
def first_of(shelf: Select[Any], limited: bool) -> Select[Any]:
    """Return a shelf's first `:most`, or all of it."""
    return shelf.limit(_most) if limited else shelf


def _open(kinds: frozenset[Kind] | None) -> Select[Any]:
    query = select(obligations).where(_owed.closed_at.is_(None), _owed.proven_at.is_(None))
    return query if kinds is None else query.where(_aside(_owed.kind).in_(sorted(kinds)))


def _aside(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column as the database will not look for it by an index: another one fits the shelf."""
    return func.coalesce(column, column)


def _in_doubt() -> Select[Any]:
    """Return the obligations whose last settled attempt was a machine's that nobody knows the end of."""
    later = attempts.alias("later")
    told = select(later.c.id).where(
        later.c.obligation == attempts.c.obligation, later.c.n > attempts.c.n, later.c.result.is_not(None)
    )
    return select(attempts.c.obligation).where(_IS_LOST, ~told.exists())
