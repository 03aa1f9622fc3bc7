"""`CallControl` over Twilio's REST API (twilio 9.13).

POST Calls has no idempotency key, so it is sent once and never retried. If its answer is lost, the
calls Twilio lists for that number tell what became of it; if they do not, the call is `InDoubt`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http import HttpClient
from twilio.rest import Client

from callcenter.errors import InDoubt, PbxError, PbxUnreachable, Refused
from callcenter.ports import Clock, LiveCalls, PlaceCall
from callcenter.twilio.account import Account
from callcenter.twilio.book import SidBook

#: Statuses of a call that goes on. `initiated` is in the documentation, not in the published schema.
LIVE = frozenset({"queued", "initiated", "ringing", "in-progress"})
#: What we are told of, in the order it should happen; Twilio promises no order.
EVENTS = ["initiated", "ringing", "answered", "completed"]
#: Twilio's clock and ours may differ by this much.
_SKEW = timedelta(seconds=30)
#: When to ask whether a call whose answer was lost was placed after all.
_ASK_AFTER = (0.0, 1.0, 3.0)
#: Error 21220: the call is not in a state that can be changed: it has ended.
_ENDED = 21220

Sleep = Callable[[float], Awaitable[None]]


class TwilioControl:
    """Places and ends single calls at Twilio. The caller records its intent *before* `place`."""

    def __init__(
        self, account: Account, http: HttpClient, book: SidBook, clock: Clock, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._account = account
        self._book = book
        self._clock = clock
        self._sleep = sleep
        # A non-empty environment keeps the library from reading the process's (region, edge, keys).
        self._client = Client(account.sid, account.token, http_client=http, environment={"-": "-"})

    async def place(self, call: PlaceCall) -> None:
        """Hand the call to Twilio.

        Raises `PbxError` if it was surely not placed, `InDoubt` if nobody can tell, and `Refused`
        for a call this door cannot make.
        """
        if call.flow == "listen":
            raise Refused("Twilio 线路上不能听线。请用本地线路。")
        if call.first_ring is not None:
            raise Refused("Twilio 线路还不能先响咨询员的电话。请用本地线路回拨。")
        if await self.is_live(call.id):
            raise PbxError(f"{call.id}: a call of this id is up already")
        if call.order_by is not None and self._clock() > call.order_by:
            raise PbxError(f"{call.id}: the order was held up for too long, and is not sent any more")
        since = self._clock() - _SKEW
        try:
            made = await asyncio.to_thread(self._create, call)
        except TwilioRestException as error:
            if error.status < 500:
                # The message may hold the number: only the code goes on.
                raise PbxError(f"{call.id}: Twilio refused the call (code {error.code})") from None
        except (Refused, PbxError):
            raise
        except Exception:  # noqa: S110 - whatever broke the wire, the question is the same
            pass
        else:
            self._book.note(call.id, made)
            return
        await self._reconcile(call, since)

    async def is_live(self, call_id: str) -> bool:
        """Tell whether the call goes on. Raises `PbxUnreachable` if Twilio does not answer."""
        sid = self._book.sid(call_id)
        if sid is None:
            return False
        try:
            call = await asyncio.to_thread(self._client.calls(sid).fetch)
        except TwilioRestException as error:
            if error.status == 404:
                return False
            raise PbxUnreachable(f"{call_id}: Twilio cannot say (HTTP {error.status})") from None
        except (TwilioException, OSError):
            raise PbxUnreachable from None
        return str(call.status) in LIVE

    async def alive(self, call_ids: Collection[str]) -> LiveCalls:
        """Return which of these calls go on. Raises `PbxUnreachable` if Twilio does not answer."""
        return LiveCalls(ids=frozenset({one for one in call_ids if await self.is_live(one)}))

    async def talks_with(self, call_id: str) -> str | None:
        """Refuse: nobody can be listened to here."""
        raise Refused("Twilio 线路上不能听线。请用本地线路。")

    async def hang_up(self, call_id: str) -> None:
        """End the call; one that has ended, or was never placed, is left alone."""
        sid = self._book.sid(call_id)
        if sid is None:
            return
        try:
            await asyncio.to_thread(self._client.calls(sid).update, status="completed")
        except TwilioRestException as error:
            if error.status != 404 and error.code != _ENDED:
                raise PbxError(f"{call_id}: Twilio did not hang up (code {error.code})") from None
        except (TwilioException, OSError):
            raise PbxUnreachable from None

    def _create(self, call: PlaceCall) -> str:
        account = self._account
        made = self._client.calls.create(
            to=e164(call.number),
            from_=e164(call.shown_number),
            url=account.url(f"begin/{call.flow}", call=call.id),
            method="POST",
            fallback_url=account.fallback_url,
            fallback_method="GET",
            status_callback=account.url("status", call=call.id),
            status_callback_method="POST",
            status_callback_event=list(EVENTS),
            timeout=round(call.ring.total_seconds()),
        )
        return str(made.sid)

    async def _reconcile(self, call: PlaceCall, since: datetime) -> None:
        """Find the call whose answer was lost, or raise `InDoubt`."""
        for pause in _ASK_AFTER:
            await self._sleep(pause)
            try:
                found = await asyncio.to_thread(self._candidates, call, since)
            except Exception:  # noqa: S112 - Twilio does not answer this either: ask again
                continue
            if len(found) == 1:
                self._book.note(call.id, found[0])
                return
        raise InDoubt(f"{call.id}: Twilio's answer was lost. Do not dial again before it is settled.")

    def _candidates(self, call: PlaceCall, since: datetime) -> list[str]:
        """Return calls we do not know, to this number from ours, made since we tried.

        Not filtered by `start_time`: a queued call has none yet.
        """
        listed: list[Any] = self._client.calls.list(to=e164(call.number), from_=e164(call.shown_number))
        ours = (c for c in listed if c.date_created and c.date_created.astimezone(UTC) >= since)
        return [str(c.sid) for c in ours if not self._book.knows(str(c.sid))]


def e164(number: str) -> str:
    """Return the number as Twilio wants it: `+86` and the number without its trunk 0.

    Raises `Refused` for a number that only exists inside China's network (400, 12356, 110).
    """
    if number.startswith("+"):
        return number
    national = number.removeprefix("0")
    if not re.fullmatch(r"[1-9][0-9]{8,10}", national) or re.match(r"[48]00", number):
        raise Refused("这个号码只能在国内拨打,Twilio 线路打不通。")
    return f"+86{national}"
