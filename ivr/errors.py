"""The flow library's errors."""

from __future__ import annotations


class IvrError(Exception):
    """A flow or a prompt cannot be used."""

    error_id = "ivr_error"
