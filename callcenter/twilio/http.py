"""The wires to Twilio: one that may be used, and one that leads nowhere."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from twilio.http import HttpClient
from twilio.http.http_client import TwilioHttpClient

from callcenter.errors import Refused
from callcenter.twilio.account import Account

#: Twilio's own advice is to wait a few seconds for the REST API.
TIMEOUT_SECONDS = 10.0


def open_wire(account: Account) -> HttpClient:
    """Return the real wire if the site is live, else one that refuses everything (P9, R52)."""
    return Wire() if account.live else NoWire()


class Wire(TwilioHttpClient):  # type: ignore[misc] # twilio has no py.typed
    """HTTPS to api.twilio.com and nowhere else.

    Never retries: POST Calls has no idempotency key, so a retry could call somebody twice.
    """

    def __init__(self) -> None:
        super().__init__(timeout=TIMEOUT_SECONDS, max_retries=None)

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        """Send one request, once."""
        parts = urlsplit(url)
        if parts.scheme != "https" or parts.hostname != "api.twilio.com":
            raise Refused("only https://api.twilio.com may be reached through Twilio's door")
        return super().request(method, url, *args, **kwargs)

    def log_request(self, kwargs: dict[str, Any]) -> None:
        """Log nothing: twilio 9.13 would write the query, and with it the number called (P5)."""

    def log_response(self, status_code: int, response: Any) -> None:
        """Log nothing, see `log_request`."""


class NoWire(HttpClient):  # type: ignore[misc]
    """No network at all: what tests, rehearsals and unfinished configurations get."""

    def __init__(self) -> None:
        """Need nothing: there is no wire."""

    def request(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse."""
        raise Refused("Twilio 未启用:这里不会拨出任何真实电话。要启用请在配置里写 twilio.live = true。")
