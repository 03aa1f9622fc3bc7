"""From AMI headers to typed events. Pure; a missing header is an error, never an empty string.

Events are hints, not truth: a hostile caller's name could forge one, so whoever acts on an event
asks the PBX again first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from callcenter.errors import PbxError

Headers = Mapping[str, str]


class Untranslatable(PbxError):
    """The telephone system said something we cannot read."""

    error_id = "pbx_untranslatable"


class DeviceState(IntEnum):
    """`Status` of a queue member (`AST_DEVICE_*`, include/asterisk/devicestate.h)."""

    UNKNOWN = 0
    NOT_IN_USE = 1
    IN_USE = 2
    BUSY = 3
    INVALID = 4
    UNAVAILABLE = 5
    RINGING = 6
    RING_IN_USE = 7
    ON_HOLD = 8

    @property
    def reachable(self) -> bool:
        """Tell whether the phone can ring: `joinempty` counts the others as not there."""
        return self not in {DeviceState.UNKNOWN, DeviceState.INVALID, DeviceState.UNAVAILABLE}


class OriginateReason(IntEnum):
    """Why an Originate ended: a control frame's number (main/pbx.c)."""

    COULD_NOT_START = 0
    CALLER_HUNG_UP = 1
    NO_ANSWER = 3
    ANSWERED = 4
    BUSY = 5
    CONGESTION = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class FullyBooted:
    """Asterisk has loaded everything (sent only to users who may read `system`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shutdown:
    """Asterisk is going down in good order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueMember:
    """A member of a queue as the PBX has it: an item of QueueStatus, or news about one."""

    queue: str
    name: str
    interface: str
    paused: bool
    in_call: bool
    state: DeviceState
    penalty: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class MemberChanged:
    """A member came, changed or was paused."""

    member: QueueMember


@dataclass(frozen=True, kw_only=True, slots=True)
class MemberRemoved:
    """A member left the queue."""

    member: QueueMember


@dataclass(frozen=True, kw_only=True, slots=True)
class Originated:
    """An Originate reached its end, good or bad."""

    #: None: somebody else placed it without an id.
    action_id: str | None
    channel_id: str
    success: bool
    reason: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelBorn:
    """A channel came to be."""

    channel_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelGone:
    """A channel ended."""

    channel_id: str
    cause: int


#: What `event_of` can read; the link drops every other event before it is even decoded.
EVENTS = frozenset(
    {
        "FullyBooted",
        "Shutdown",
        "QueueMemberAdded",
        "QueueMemberStatus",
        "QueueMemberPause",
        "QueueMemberRemoved",
        "OriginateResponse",
        "Newchannel",
        "Hangup",
    }
)

#: What anybody of ours listens for. QueueMemberStatus comes several times with each call and Newchannel
#: with each leg: reading them would be most of the bridge's work.
HEARD = EVENTS - {"QueueMemberStatus", "Newchannel", "Hangup"}

Event = FullyBooted | Shutdown | MemberChanged | MemberRemoved | Originated | ChannelBorn | ChannelGone


def event_of(headers: Headers) -> Event | None:
    """Return the typed event, or None for one we do not use; raise `Untranslatable` if it is broken."""
    match need(headers, "Event"):
        case "FullyBooted":
            return FullyBooted()
        case "Shutdown":
            return Shutdown()
        case "QueueMemberAdded" | "QueueMemberStatus" | "QueueMemberPause":
            return MemberChanged(member=member_of(headers, "MemberName", "Interface"))
        case "QueueMemberRemoved":
            return MemberRemoved(member=member_of(headers, "MemberName", "Interface"))
        case "OriginateResponse":
            return _originated(headers)
        case "Newchannel":
            return ChannelBorn(channel_id=need(headers, "Uniqueid"))
        case "Hangup":
            return ChannelGone(channel_id=need(headers, "Uniqueid"), cause=number(headers, "Cause"))
        case _:
            return None


def member_of(headers: Headers, name: str = "Name", interface: str = "Location") -> QueueMember:
    """Return a queue member; QueueStatus items and events spell two headers differently."""
    return QueueMember(
        queue=need(headers, "Queue"),
        name=need(headers, name),
        interface=need(headers, interface),
        paused=number(headers, "Paused") != 0,
        in_call=number(headers, "InCall") != 0,
        state=_state(headers),
        penalty=number(headers, "Penalty"),
    )


def started_at(status: Headers) -> datetime | None:
    """Return when Asterisk started, by its answer to CoreStatus; None if it does not say.

    It tells wall time of its machine, which is ours: whole seconds, without a zone (main/manager.c, 22).
    """
    told = f"{status.get('CoreStartupDate', '')} {status.get('CoreStartupTime', '')}"
    try:
        return datetime.strptime(told, "%Y-%m-%d %H:%M:%S").astimezone()
    except ValueError:
        return None


def need(headers: Headers, key: str) -> str:
    """Return a header, or raise `Untranslatable` naming it."""
    try:
        return headers[key]
    except KeyError:
        raise Untranslatable(f"{headers.get('Event', 'the answer')} came without {key}") from None


def number(headers: Headers, key: str) -> int:
    """Return a header's whole number, or raise `Untranslatable` naming it."""
    text = need(headers, key)
    try:
        return int(text)
    except ValueError:
        raise Untranslatable(f"{headers.get('Event', 'the answer')}: {key} is not a number") from None


def _state(headers: Headers) -> DeviceState:
    try:
        return DeviceState(number(headers, "Status"))
    except ValueError:
        raise Untranslatable("a queue member's Status is unknown to us") from None


def _originated(headers: Headers) -> Originated:
    return Originated(
        action_id=headers.get("ActionID"),
        channel_id=need(headers, "Uniqueid"),
        success=need(headers, "Response") == "Success",
        reason=number(headers, "Reason"),
    )
