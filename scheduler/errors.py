"""The scheduler's errors."""

from __future__ import annotations


class SchedulerError(Exception):
    """A due date or a ladder was asked for something it cannot give."""

    error_id = "scheduler_error"
