"""Alarms: something the supervisor on call must know, until somebody says by name that they do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AlarmKind(StrEnum):
    """What is wrong. Each has a prompt `alarm_<kind>` that the PBX speaks."""

    NOBODY_ON_DUTY = "nobody_on_duty"
    TRUNK_DOWN = "trunk_down"
    JOURNAL_STALLED = "journal_stalled"
    JOURNAL_UNREADABLE = "journal_unreadable"
    BRIDGE_DISCONNECTED = "bridge_disconnected"
    SELF_DIAL_FAILED = "self_dial_failed"
    #: Nothing of ours has been alive for `alarms.watchdog`; raised by the PBX itself.
    WATCHDOG = "watchdog"
    #: `hotline alarm test`.
    TEST = "test"


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """One alarm. Open until acknowledged; at most one open alarm of a kind."""

    id: str
    kind: AlarmKind
    raised_at: datetime
    #: For machines and logs: never personal data.
    detail: str = ""
    rung_at: datetime | None = None
    #: How often it climbed (0 = first ring).
    rounds: int = 0
    acknowledged_at: datetime | None = None
    #: User code of who acknowledged it.
    acknowledged_by: str | None = None
    #: When the cause went away by itself; an alarm clears without being acknowledged, and stays listed.
    cleared_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether somebody still has to acknowledge it."""
        return self.acknowledged_at is None
