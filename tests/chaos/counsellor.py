"""A counsellor who does more than talk: hands callers on, asks a colleague first, or hangs up on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from random import Random
from threading import Thread

from softphone import Dialog, Softphone, header

from callcenter.demo.runner import Address
from callcenter.demo.sipp import CallTiming

#: Seconds of a talk before anything is done, and that a phone is given to see its call end.
_TALK, _END = 1.0, 2.0


class Conduct(StrEnum):
    """What is done with a caller after the first words."""

    HANG_UP = "hang up"
    #: Sends the caller to a colleague, who is rung or not there.
    BLIND = "blind"
    #: Rings the colleague first, with the caller waiting, and then joins the two.
    ATTENDED = "attended"


class Counsellor(Softphone):
    """Answers every call at once; what happens then is drawn from the seed."""

    def __init__(
        self, pbx: Address, code: str, password: str, *, colleagues: Sequence[str], seed: int
    ) -> None:
        # Before the phone is there: it may ring at once.
        self._random, self._colleagues = Random(f"{seed}/{code}"), colleagues
        self._next: list[Conduct] = []
        self._timings: dict[str, CallTiming] = {}
        #: Callers whom the PBX agreed to hand on, by how.
        self.handed: Counter[str] = Counter()
        super().__init__(pbx, code, password)

    def calls(self) -> list[CallTiming]:
        """Return the calls that reached this phone, oldest first, as `Phone.calls` does."""
        return list(self._timings.values())

    def hang_up(self, dialog: Dialog) -> None:
        """End one call, if it is not over."""
        if not dialog.ended.is_set():
            super().hang_up(dialog)
            self._over(dialog.call_id)

    def _on_invite(self, request: str) -> None:
        call_id, now = header(request, "Call-ID"), datetime.now(UTC)
        is_new = call_id not in self.dialogs
        super()._on_invite(request)
        if is_new:
            self._timings[call_id] = CallTiming(
                number=self._code, invited_at=now, ringing_at=None, answered_at=now, ended_at=None, status=200
            )
            Thread(target=self._talk, args=(self.dialogs[call_id], self._conduct()), daemon=True).start()

    def _on_bye(self, request: str) -> None:
        super()._on_bye(request)
        self._over(header(request, "Call-ID"))

    def _over(self, call_id: str) -> None:
        timing = self._timings.get(call_id)
        if timing is not None and timing.ended_at is None:
            self._timings[call_id] = replace(timing, ended_at=datetime.now(UTC))

    def _talk(self, dialog: Dialog, conduct: Conduct) -> None:
        """Do it; where the caller, the colleague or the PBX is gone meanwhile, hang up as a person would."""
        if dialog.ended.wait(_TALK):
            return
        asked = None
        with suppress(AssertionError, TimeoutError, OSError):
            match conduct:
                case Conduct.BLIND:
                    self.hand_over(dialog, self._colleagues[0])
                    self.handed[conduct] += 1
                case Conduct.ATTENDED if (asked := self._ask_somebody()) is not None:
                    self.hand_over(dialog, self._colleagues[0], joined=asked)
                    self.handed[conduct] += 1
                case _:
                    pass
        dialog.ended.wait(_END)
        with suppress(OSError):
            for one in (dialog, asked):
                if one is not None:
                    self.hang_up(one)

    def _conduct(self) -> Conduct:
        """Draw what to do: each once before one comes again."""
        if not self._next:
            self._next = self._random.sample(tuple(Conduct), len(Conduct))
        return self._next.pop()

    def _ask_somebody(self) -> Dialog | None:
        """Ring colleagues in turn; return the talk with whoever is free, None if nobody is."""
        for colleague in self._colleagues:
            with suppress(AssertionError):
                return self.dial(colleague)
        return None
