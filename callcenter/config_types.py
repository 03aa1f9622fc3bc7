"""What the sections of the configuration are made of."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field


def known_zone(name: str) -> str:
    """Return the name of a time zone, or raise `ValueError`."""
    try:
        ZoneInfo(name)
    except ZoneInfoNotFoundError as error:  # a KeyError, which pydantic does not take for a wrong value
        raise ValueError("没有这个时区,如 Asia/Shanghai") from error
    return name


def loopback(address: str) -> str:
    """Return an address that this machine alone reaches, or raise `ValueError`."""
    try:
        is_ours = ip_address(address).is_loopback
    except ValueError:
        is_ours = False
    if not is_ours:
        raise ValueError("须是本机回环地址,如 127.0.0.1")
    return address


E164 = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]
#: Whole seconds and more: Asterisk reads 0 as "no limit".
Span = Annotated[timedelta, Field(ge=timedelta(seconds=1))]
Pause = Annotated[timedelta, Field(ge=timedelta(0))]
DialNumber = Annotated[str, Field(pattern=r"^\+?[0-9]{3,15}$")]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")]
Port = Annotated[int, Field(ge=1, le=65535)]


class Section(BaseModel):
    """One section: frozen, and a key nobody knows is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
