"""The scheduler's errors."""

from __future__ import annotations


class SchedulerError(Exception):
    """A due date or a ladder was asked for something it cannot give."""

    error_id = "scheduler_error"


class LeaseLost(SchedulerError):
    """Somebody else holds this obligation."""

    error_id = "lease_lost"


class PlacingFailed(SchedulerError):
    """The call surely did not go out."""

    error_id = "placing_failed"


class LineUnreachable(SchedulerError):
    """The line cannot be seen; whether the call went out is unknown."""

    error_id = "line_unreachable"
