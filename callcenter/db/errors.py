"""What can go wrong with the store itself. A docstring is what the user reads."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from callcenter.errors import CallCenterError


class StoreError(CallCenterError):
    """数据库没有完成所要求的操作。"""

    error_id = "store_error"


class StoreUnreachable(StoreError):
    """数据库没有应答。检查 database.url,并确认数据库已启动。"""

    error_id = "store_unreachable"


class StoreBusy(StoreError):
    """数据库正忙于别处的更改,请稍后再试。"""

    error_id = "store_busy"


class StoreReadOnly(StoreError):
    """数据库现在只能读,不能写。确认 database.url 指向主库而不是备库,数据库的文件和磁盘可写。"""

    error_id = "store_read_only"


class StoreNotReady(StoreError):
    """数据库还没有表,或表已过时。运行 hotline init。"""

    error_id = "store_not_ready"


class StoreFull(StoreError):
    """数据库所在的磁盘满了,写不进去。请腾出地方。"""

    error_id = "store_full"


#: SQLSTATE: undefined table, undefined column.
_UNDEFINED = ("42P01", "42703")
#: SQLSTATE: serialization failure, deadlock, lock not available.
_BUSY = ("40001", "40P01", "55P03")
#: SQLite could not grow its file, or the index beside it, which even who reads makes (WAL).
_NO_ROOM = ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")
#: SQLSTATE: disk full, read-only transaction (also: a standby).
_FULL, _READ_ONLY = "53100", "25006"
#: SQLSTATE classes: connection, invalid authorisation, no such database, operator intervention.
_AWAY = ("08", "28", "3D", "57")


def named(error: SQLAlchemyError) -> StoreError:
    """Return our error for one of the database's: SQL, rows and passwords stay out of its words."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    words = str(cause)
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    if code in _UNDEFINED or "no such table" in words or "no such column" in words:
        return StoreNotReady()
    if code in _BUSY or (code or "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreBusy()
    if code in (_FULL, *_NO_ROOM):
        return StoreFull()
    if (code or "").startswith((_READ_ONLY, "SQLITE_READONLY")):
        return StoreReadOnly()
    no_answer = isinstance(error, OperationalError) and code is None
    if no_answer or (code or "").startswith((*_AWAY, "SQLITE_CANTOPEN")):
        return StoreUnreachable()
    return StoreError(f"数据库拒绝了操作({code or type(error).__name__})。磁盘满、只读或文件损坏时会这样。")
