"""What the form of a webhook says, read strictly: what no telephone and no Twilio sends is refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from ivr.acts import Answered, Failed
from ivr.errors import FormError
from ivr.flow import ANY_KEYS, DONE

#: QueueResult of a caller whom somebody took out of the queue (Twilio, <Enqueue> action).
BRIDGED = frozenset({"bridged", "redirected-from-bridged"})
#: QueueResult of a caller whom our own <Leave> took out.
LEFT = "leave"
#: CallStatus of a caller who is no longer there.
_GONE = frozenset({"completed", "canceled", "failed", "busy", "no-answer"})
#: How <Enqueue> and <Record> say that the caller hung up.
_HANGUP = "hangup"
#: More keys than any number has.
_MOST_KEYS = 64


def is_gone(form: Mapping[str, str]) -> bool:
    """Tell whether the caller has hung up."""
    said = (form.get("QueueResult"), form.get("Digits"))
    return form.get("CallStatus") in _GONE or _HANGUP in said


def dialled(form: Mapping[str, str]) -> Answered | Failed:
    """Return what became of a <Dial>.

    A callee who declined in `accept` was never bridged, though their leg says "completed".
    """
    needed(form, "DialCallStatus")
    return Answered() if form.get("DialBridged", "").lower() == "true" else Failed()


def has_waited(form: Mapping[str, str], cap: timedelta) -> bool:
    """Tell whether a caller has been in the queue for so long."""
    waited = form.get("QueueTime", "")
    return waited.isascii() and waited.isdecimal() and int(waited[:9]) >= cap.total_seconds()


def keys_of(form: Mapping[str, str]) -> str:
    """Return the keys a <Gather> or <Record> brought; empty if none came."""
    keys = needed(form, "Digits")
    if len(keys) > _MOST_KEYS or not ANY_KEYS.issuperset(keys):
        raise FormError("`Digits` holds what no telephone can send.")
    return keys


def is_done(form: Mapping[str, str]) -> bool:
    """Tell whether # ended a number. Twilio sends this field without documenting it."""
    return form.get("FinishedOnKey") == DONE


def needed(form: Mapping[str, str], name: str) -> str:
    """Return a field; raise `FormError` naming it if it is missing."""
    if name not in form:
        raise FormError(f"`{name}` is missing.")
    return form[name]
