"""What we answer Twilio: TwiML for our flows, from `ivr.backends.twiml`. Pure; the web server is not here.

A web server hands each request in as a `Hook`, keeps `Answer.effects` (a promise is its row, R4) and
`Answer.status`, and only then sends the answer. An answer that is an error makes Twilio fetch the
fallback TwiML, which is better than silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from callcenter.config import Settings
from callcenter.domain.users import PhoneKind, User
from callcenter.errors import NotFound
from callcenter.keys import KeyRing
from callcenter.twilio.account import Account
from callcenter.twilio.control import e164
from callcenter.twilio.webhook import Forged, Hook, Proven, prove
from ivr.backends import twiml
from ivr.backends.token import unseal
from ivr.errors import TokenError
from ivr.flow import Flow, Say, Transfer
from ivr.machine import Effect

_EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """Everything answers are made from."""

    account: Account
    site: twiml.Site
    flows: Mapping[str, Flow]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer to one hook."""

    #: TwiML, content type `text/xml; charset=utf-8`.
    twiml: str
    #: What the step did: to be kept before the answer goes out.
    effects: tuple[Effect, ...] = ()
    #: Twilio's call, and ours if we placed it.
    sid: str = ""
    call_id: str | None = None
    #: A status Twilio told us; fold it with `webhook.further`.
    status: str | None = None


def line_of(
    settings: Settings, account: Account, keys: KeyRing, users: Iterable[User], flows: Iterable[Flow]
) -> Line:
    """Return the line of a site: its escalation chain's mobiles, its services, its flows.

    SIP phones are not at Twilio's end; only mobiles of the chain are rung.
    """
    chain = sorted(
        (u for u in users if u.active and u.escalation_rank is not None and u.phone is PhoneKind.MOBILE),
        key=lambda u: u.escalation_rank or 0,
    )
    transfers = settings.twilio.transfers
    site = twiml.Site(
        base_url=f"{account.public_url}/twilio",
        key=keys.derive("twilio-token"),
        shown_number=e164(settings.site.outbound_number),
        contacts=tuple(e164(u.mobile) for u in chain if u.mobile),
        transfers=transfers,
        ring=settings.escalation.ring,
        queue_cap=settings.queue.wait_cap,
    )
    return Line(
        account=account,
        site=site,
        flows={flow.name: without_dead_transfers(flow, transfers) for flow in flows},
    )


def answer(line: Line, hook: Hook) -> Answer:
    """Answer one hook.

    Raises `Forged` if Twilio did not sign it for us or its state is not ours, `NotFound` for an
    address that is none of ours.
    """
    proven = prove(line.account, hook)
    try:
        found = _route(line, proven)
    except TokenError:
        raise Forged("The state in this address is not one we sealed for this call.") from None
    return replace(found, sid=proven.sid, call_id=proven.query.get("call"))


def without_dead_transfers(flow: Flow, transfers: Mapping[str, str]) -> Flow:
    """Return the flow with every transfer we have no number for going straight to its honest failure."""
    nodes = {
        name: Say(prompts=(), next=node.failed)
        if isinstance(node, Transfer) and node.destination not in transfers
        else node
        for name, node in flow.nodes.items()
    }
    return replace(flow, nodes=nodes)


def _route(line: Line, hook: Proven) -> Answer:
    match hook.path.removeprefix("/twilio/").split("/"):
        case ["inbound"]:
            return _said(twiml.begin(_flow(line, "inbound"), line.site, call=hook.sid))
        case ["begin", name]:
            return _said(twiml.begin(_flow(line, name), line.site, call=hook.sid))
        case ["flow"]:
            token, flow = _sealed(line, hook, hook.sid)
            return _said(twiml.handle(flow, token, hook.form, line.site, call=hook.sid))
        case ["wait"]:
            return Answer(twiml=twiml.wait(_sealed(line, hook, hook.sid)[1], hook.form, line.site))
        case ["accept"]:
            token, flow = _sealed(line, hook, hook.form.get("ParentCallSid", ""))
            return Answer(twiml=twiml.ask_to_accept(flow, token, line.site))
        case ["accepted"]:
            return Answer(twiml=twiml.accepted(hook.form))
        case ["status"]:
            return Answer(twiml=_EMPTY, status=hook.form.get("CallStatus"))
        case _:
            raise NotFound("no webhook of ours stands under this address")


def _said(reply: twiml.Reply) -> Answer:
    return Answer(twiml=reply.twiml, effects=reply.effects)


def _sealed(line: Line, hook: Proven, call: str) -> tuple[str, Flow]:
    """Return the token of an address and its flow; the token was sealed for this very call."""
    token = hook.query.get("t", "")
    return token, _flow(line, unseal(token, line.site.key, call=call).flow)


def _flow(line: Line, name: str) -> Flow:
    if name not in line.flows:
        raise NotFound("no flow of that name stands behind this address")
    return line.flows[name]
