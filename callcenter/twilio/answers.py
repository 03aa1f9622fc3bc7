"""What we answer Twilio: TwiML for our flows, from `ivr.backends.twiml`. The web server is not here.

A web server hands each request in as a `Hook`, keeps the rows of `Answer.effects` (a promise is its
row, R4) and `Answer.status`, and only then sends the answer. A hook that Twilio repeats gets the same
answer, with the same `turn`: rows are kept once per call and turn. An answer that is an error makes
Twilio fetch the fallback TwiML, which is better than silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from callcenter.config import Settings
from callcenter.domain.users import PhoneKind, User
from callcenter.errors import NotFound
from callcenter.keys import KeyRing
from callcenter.twilio.account import Account
from callcenter.twilio.control import e164
from callcenter.twilio.notes import Notes
from callcenter.twilio.webhook import ENDED, Forged, Hook, Proven, prove
from callcenter.twilio.world import Sources, world_of
from ivr.acts import Effect
from ivr.backends import twiml
from ivr.backends.token import unseal
from ivr.errors import FormError, TokenError
from ivr.flow import Flow

_EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
_SID = re.compile(r"CA[0-9a-f]{32}")
_RECORDING = re.compile(r"RE[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer to one hook."""

    #: TwiML, content type `text/xml; charset=utf-8`.
    twiml: str
    #: Name of the flow of `effects`.
    flow: str = ""
    #: What the step did: to be kept before the answer goes out, once per `sid` and `turn`.
    effects: tuple[Effect, ...] = ()
    turn: int = 0
    #: Twilio's call, and ours if we placed it.
    sid: str = ""
    call_id: str | None = None
    #: A status Twilio told us; fold it with `webhook.further`.
    status: str | None = None
    #: Sid of a message that was just recorded at Twilio: to be fetched from there, and deleted there.
    recording: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """Everything answers are made from."""

    account: Account
    site: twiml.Site
    flows: Mapping[str, Flow]
    sources: Sources = field(default_factory=Sources)
    notes: Notes[Answer] = field(default_factory=Notes, compare=False, repr=False)


def line_of(
    settings: Settings,
    account: Account,
    keys: KeyRing,
    users: Iterable[User],
    flows: Iterable[Flow],
    sources: Sources | None = None,
) -> Line:
    """Return the line of a site: its escalation chain's mobiles, its services, its flows.

    SIP phones are not at Twilio's end; only mobiles of the chain are rung.
    """
    chain = sorted(
        (u for u in users if u.active and u.escalation_rank is not None and u.phone is PhoneKind.MOBILE),
        key=lambda u: u.escalation_rank or 0,
    )
    site = twiml.Site(
        base_url=f"{account.public_url}/twilio",
        key=keys.derive("twilio-token"),
        shown_number=e164(settings.site.outbound_number),
        contacts=tuple(e164(u.mobile) for u in chain if u.mobile),
        transfers=settings.twilio.transfers,
        ring=settings.escalation.ring,
        queue_cap=settings.queue.wait_cap,
    )
    return Line(
        account=account, site=site, flows={flow.name: flow for flow in flows}, sources=sources or Sources()
    )


def answer(line: Line, hook: Hook) -> Answer:
    """Answer one hook.

    Raises `Forged` if Twilio did not sign it for us, or its state or form is not ours to answer;
    `NotFound` for an address that is none of ours. What is refused changes nothing.
    """
    proven = prove(line.account, hook)
    if not _SID.fullmatch(proven.sid):
        raise Forged("There is no sid of a call in `CallSid`.")
    digest = sha256(f"{hook.target}\n".encode() + hook.body).digest()
    if (known := line.notes.given(proven.sid, digest)) is not None:
        return known
    try:
        return _route(line, proven, digest)
    except (TokenError, FormError) as error:
        raise Forged(f"{str(error).rstrip('.')}.") from None


def _route(line: Line, hook: Proven, digest: bytes) -> Answer:
    match hook.path.removeprefix("/twilio/").split("/"):
        case ["inbound"]:
            return _begin(line, hook, "inbound", digest)
        case ["begin", name]:
            return _begin(line, hook, name, digest)
        case ["flow"]:
            return _go_on(line, hook, digest)
        case ["wait"]:
            return _wait(line, hook)
        case ["key"]:
            return _key(line, hook, digest)
        case ["accept"]:
            caller = hook.form.get("ParentCallSid", "")
            token, flow = _sealed(line, hook, caller)
            return _told(hook, twiml.ask_to_accept(flow, token, line.site, call=caller))
        case ["accepted"]:
            _sealed(line, hook, hook.form.get("ParentCallSid", ""))
            return _told(hook, twiml.accepted(hook.form))
        case ["status"]:
            return _status(line, hook, digest)
        case _:
            raise NotFound("no webhook of ours stands under this address")


def _begin(line: Line, hook: Proven, name: str, digest: bytes) -> Answer:
    note = line.notes.newest(hook.sid)
    if note is not None and note.turn > 1:
        raise Forged("This call has begun long ago.")
    world = world_of(line.sources, hook)
    return _said(line, hook, name, digest, twiml.begin(_flow(line, name), line.site, world, call=hook.sid))


def _go_on(line: Line, hook: Proven, digest: bytes) -> Answer:
    token, flow = _sealed(line, hook, hook.sid)
    note, world = line.notes.newest(hook.sid), world_of(line.sources, hook)
    reply = twiml.handle(flow, token, hook.form, line.site, world, call=hook.sid, note=note)
    return _said(line, hook, flow.name, digest, reply)


def _wait(line: Line, hook: Proven) -> Answer:
    token, flow = _sealed(line, hook, hook.sid)
    note, world = line.notes.newest(hook.sid), world_of(line.sources, hook)
    return _told(hook, twiml.wait(flow, token, hook.form, line.site, world, call=hook.sid, note=note))


def _key(line: Line, hook: Proven, digest: bytes) -> Answer:
    token, flow = _sealed(line, hook, hook.sid)
    note = line.notes.newest(hook.sid)
    page, pressed = twiml.wait_key(flow, token, hook.form, line.site, call=hook.sid, note=note)
    told = _told(hook, page)
    if pressed is not None:
        line.notes.keep(hook.sid, pressed, digest, told)
    return told


def _status(line: Line, hook: Proven, digest: bytes) -> Answer:
    """Take a status; the end of a call whose flow was still waiting is the caller's hanging up."""
    status, note = hook.form.get("CallStatus"), line.notes.newest(hook.sid)
    told = Answer(twiml=_EMPTY, status=status, sid=hook.sid, call_id=hook.query.get("call"))
    if status not in ENDED or note is None or not note.token:
        return told
    flow = _flow(line, unseal(note.token, line.site.key, call=hook.sid).flow)
    reply = twiml.hung_up(flow, note, line.site, call=hook.sid)
    return _said(line, hook, flow.name, digest, reply, status)


def _said(
    line: Line, hook: Proven, flow: str, digest: bytes, reply: twiml.Reply, status: str | None = None
) -> Answer:
    recording = hook.form.get("RecordingSid", "")
    said = Answer(
        twiml=reply.twiml,
        flow=flow,
        effects=reply.effects,
        turn=reply.note.turn,
        sid=hook.sid,
        call_id=hook.query.get("call"),
        status=status,
        recording=recording if _RECORDING.fullmatch(recording) else "",
    )
    line.notes.keep(hook.sid, reply.note, digest, said)
    return said


def _told(hook: Proven, page: str) -> Answer:
    return Answer(twiml=page, sid=hook.sid, call_id=hook.query.get("call"))


def _sealed(line: Line, hook: Proven, call: str) -> tuple[str, Flow]:
    """Return the token of an address and its flow; the token was sealed for this very call."""
    token = hook.query.get("t", "")
    return token, _flow(line, unseal(token, line.site.key, call=call).flow)


def _flow(line: Line, name: str) -> Flow:
    if name not in line.flows:
        raise NotFound("no flow of that name stands behind this address")
    return line.flows[name]
