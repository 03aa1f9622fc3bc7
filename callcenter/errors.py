"""The call centre's errors. A docstring is the default message; `error_id` is stable for machines."""

from __future__ import annotations


class CallCenterError(Exception):
    """The call centre could not do what was asked."""

    error_id = "callcenter_error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class ConfigError(CallCenterError):
    """The configuration cannot be used."""

    error_id = "config_error"


class KeyFileMissing(ConfigError):
    """密钥文件不在。"""

    error_id = "key_file_missing"


class NotFound(CallCenterError):
    """There is nothing under that name."""

    error_id = "not_found"


class Refused(CallCenterError):
    """A rule of the line does not allow this."""

    error_id = "refused"


class Forbidden(Refused):
    """这个角色不能这样做。"""

    error_id = "forbidden"


class Conflict(CallCenterError):
    """Somebody else changed this first."""

    error_id = "conflict"


class PbxError(CallCenterError):
    """The telephone system did not do what was asked."""

    error_id = "pbx_error"


class PbxUnreachable(PbxError):
    """The telephone system does not answer."""

    error_id = "pbx_unreachable"


class InDoubt(PbxError):
    """The call may or may not have been placed. Do not dial again: settle it first."""

    error_id = "in_doubt"
