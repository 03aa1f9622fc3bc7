"""What parts of the serving process are made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from callcenter.asterisk.ami import AmiLink
from callcenter.asterisk.control import AsteriskCalls, AsteriskQueue, PhoneBook
from callcenter.bootstrap import App
from callcenter.pacing import Act
from callcenter.service.health.standing import Standing


class Part(StrEnum):
    """What can be served alone."""

    #: Beside each PBX: journal, roster, watch, recordings, backups.
    BRIDGE = "bridge"
    #: Anywhere, as many as one likes; one leads: sweeps the ledger and dials.
    SCHEDULER = "scheduler"


@dataclass(frozen=True, kw_only=True, slots=True)
class Loop:
    """Something that is done again and again."""

    pause: timedelta
    act: Act
    name: str
    #: A service manager is to start us anew where it stands still. A backup may take its time.
    must_turn: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One link to the PBX, and what goes through it."""

    link: AmiLink
    phones: PhoneBook
    calls: AsteriskCalls
    queue: AsteriskQueue
    salt: str

    @classmethod
    def of(cls, app: App) -> Line:
        """Return the line of a site, not connected yet."""
        settings, salt = app.settings, app.keys.password("pbx-salt")
        link, phones = app.ami_link(), PhoneBook()
        calls = AsteriskCalls(
            link,
            phones,
            shown_number=settings.site.outbound_number,
            others=settings.outbound.numbers,
            salt=salt,
        )
        return cls(link=link, phones=phones, calls=calls, queue=AsteriskQueue(link, phones), salt=salt)


class Served(Protocol):
    """One part."""

    def loops(self) -> tuple[Loop, ...]:
        """Return what it does again and again."""
        ...

    def start(self) -> None:
        """Begin what is no loop; needs a running event loop."""
        ...

    def stop(self) -> None:
        """Begin nothing more."""
        ...

    async def close(self) -> None:
        """Finish, and let go of what others may want; the loops have ended."""
        ...

    def tell(self, standing: Standing) -> Standing:
        """Add how it stands."""
        ...
