"""What can go wrong with the store itself."""

from __future__ import annotations

from callcenter.errors import CallCenterError


class StoreError(CallCenterError):
    """The database did not do what was asked."""

    error_id = "store_error"


class StoreUnreachable(StoreError):
    """The database does not answer."""

    error_id = "store_unreachable"


class StoreBusy(StoreError):
    """The database is busy with somebody else's change. Try again."""

    error_id = "store_busy"


class StoreNotReady(StoreError):
    """The database has no tables, or old ones. Run `hotline init`."""

    error_id = "store_not_ready"
