"""Calls, queue members and facts through AMI, with the few rights the bridge's account has.

Checked on Asterisk 22.10.1 with write=call,agent,originate,reporting: `Getvar` finds a channel by its
uniqueid, `Hangup` ends it by the same, `DBGetTree` reads AstDB; `CoreShowChannels` lists every channel and
`CoreStatus` tells when Asterisk started (both by `reporting`). Writing AstDB goes through context
`hotline-put`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from typing import TypeVar

from callcenter.asterisk import wire
from callcenter.asterisk.ami import AmiLink, Headers, Unanswered, new_action_id
from callcenter.asterisk.provision.plan import way_of
from callcenter.asterisk.translate import (
    Originated,
    OriginateReason,
    QueueMember,
    event_of,
    member_of,
    need,
    number,
    started_at,
)
from callcenter.domain.reconcile import FAMILIES, Seat
from callcenter.domain.staff import GENERAL, QUEUES
from callcenter.domain.users import PhoneKind, User
from callcenter.errors import InDoubt, NotFound, PbxError, PbxUnreachable
from callcenter.ports import Clock, LiveCalls, Member, PlaceCall, QueueState
from callcenter.service.followup.callers import hashed

T = TypeVar("T")

TRUNK = "trunk"
#: Where calls go on that run no compiled flow: our own probe only waits and hangs up.
_PLACES = {"selfdial": ("hotline-selfdial", "out")}
#: A call straight to a person tells what the network said, if nobody takes it. A counsellor's phone that
#: rings first does not: there dialplan says the same of the person's.
_TELL_THE_END = wire.hangup_handler("hotline-placed", "ended")
#: Pairs of KEY_n and VALUE_n, or AGENT_n, in one message; Asterisk reads at most 128 headers.
_AT_ONCE = 40
#: How long Asterisk gets to make an accepted call's channel, seconds.
_BIRTH = 2.0
_FACTS_REPLY = 10.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


def interface_of(user: User) -> str:
    """Return the queue member's interface of a user, as rendered dialplan spells it."""
    return f"PJSIP/{user.code}" if user.phone is PhoneKind.SIP else f"Local/{user.code}@hotline-mobile/n"


class PhoneBook:
    """Where each agent's phone is. Refreshed from the users whenever somebody reads them."""

    def __init__(self, users: Iterable[User] = ()) -> None:
        self._interfaces: dict[str, str] = {}
        self.refresh(users)

    def refresh(self, users: Iterable[User]) -> None:
        """Replace the book by these users."""
        self._interfaces = {u.code: interface_of(u) for u in users if u.phone is not PhoneKind.NONE}

    def interface(self, agent: str) -> str:
        """Return the agent's interface, or raise `NotFound`."""
        try:
            return self._interfaces[agent]
        except KeyError:
            raise NotFound(f"{agent}: no phone is known for this agent") from None

    def agent(self, member: QueueMember) -> str:
        """Return whose member this is; a member at a wrong phone goes by its interface.

        So a counsellor whose phone was changed is added at the new one and removed at the old.
        """
        return member.name if self._interfaces.get(member.name) == member.interface else member.interface


class _Originator:
    """Originates and hears what became of it."""

    def __init__(self, link: AmiLink) -> None:
        self._link = link
        self._awaited: dict[str, asyncio.Future[Originated]] = {}
        link.listen(self._hear)

    async def _hear(self, headers: Headers) -> None:
        if headers.get("Event") != "OriginateResponse":
            return
        event = event_of(headers)
        if isinstance(event, Originated):
            ended = self._awaited.get(event.action_id or "")
            if ended is not None and not ended.done():
                ended.set_result(event)

    @contextmanager
    def expecting(self) -> Iterator[tuple[str, asyncio.Future[Originated]]]:
        """Lend an action id and the future of its OriginateResponse."""
        action_id, ended = new_action_id(), asyncio.get_running_loop().create_future()
        self._awaited[action_id] = ended
        try:
            yield action_id, ended
        finally:
            del self._awaited[action_id]
            ended.cancel()


class AsteriskCalls:
    """`CallControl` on AMI. `shown_number`, `others`: the site's own fixed lines; nothing else is ever shown.

    `salt`: the PBX's own; digits that a person is expected to know go there as hashes only.
    """

    def __init__(
        self,
        link: AmiLink,
        phones: PhoneBook,
        *,
        shown_number: str,
        others: Sequence[str] = (),
        salt: str = "",
        clock: Clock = _utc_now,
    ) -> None:
        self._link = link
        self._clock = clock
        self._phones = phones
        #: Number of ours -> what the way out that shows it is called by.
        self._ways = {ours: way_of(place) for place, ours in enumerate((shown_number, *others), start=1)}
        self._salt = salt
        self._originator = _Originator(link)

    async def place(self, call: PlaceCall) -> None:
        """Hand the call to the network; return when its channel lives or it has had its answer.

        Raise `PbxError` if it was surely not placed, `InDoubt` if nobody can tell: then
        the journal settles it, by the channel id.
        """
        headers = self._headers(call)
        if await self.is_live(call.id):
            raise PbxError(f"{call.id}: a call of this id is up already")
        if call.order_by is not None and self._clock() > call.order_by:
            raise PbxError(f"{call.id}: the order was held up for too long, and is not sent any more")
        with self._originator.expecting() as (action_id, ended):
            try:
                await self._link.send("Originate", action_id=action_id, **headers)
            except Unanswered:
                raise InDoubt from None
            try:
                await self._birth(call.id, ended)
            except PbxUnreachable:
                raise InDoubt from None

    async def is_live(self, call_id: str) -> bool:
        """Tell whether a channel with this id is up."""
        try:
            await self._link.send("Getvar", Channel=wire.argument(call_id), Variable="UNIQUEID")
        except PbxUnreachable:
            raise
        except PbxError as error:
            if "No such channel" in str(error):
                return False
            raise
        return True

    async def alive(self, call_ids: Collection[str]) -> LiveCalls:
        """Return which of these calls have a channel, their own or one they led to; raise `PbxError`.

        A counsellor who hands a call on takes its first channel away: its linkedid stays with the others.
        """
        wanted = frozenset(call_ids)
        items = await self._link.list("CoreShowChannels")
        shown = (i for i in items if i.get("Event") == "CoreShowChannel")
        up = {i.get(key) for i in shown for key in ("Uniqueid", "Linkedid")}
        return LiveCalls(ids=frozenset(wanted & up), since=started_at(await self._link.send("CoreStatus")))

    async def talks_with(self, call_id: str) -> str | None:
        """Return the name of the channel in one bridge with the call's own; None if there is none."""
        try:
            told = await self._link.send("Getvar", Channel=wire.argument(call_id), Variable="BRIDGEPEER")
        except PbxUnreachable:
            raise
        except PbxError as error:
            if "No such channel" in str(error):
                return None
            raise
        return told.get("Value") or None

    async def hang_up(self, call_id: str) -> None:
        """End the call; one that has ended already is left alone."""
        try:
            await self._link.send("Hangup", Channel=wire.argument(call_id))
        except PbxUnreachable:
            raise
        except PbxError as error:
            if "No such channel" not in str(error):
                raise

    async def _birth(self, call_id: str, ended: asyncio.Future[Originated]) -> None:
        """Wait until the call's channel lives or its OriginateResponse came; Reason 0: never began.

        Asterisk acknowledges an Originate before it looks whether the endpoint exists.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_BIRTH):
                while not ended.done() and not await self.is_live(call_id):
                    await asyncio.wait({ended}, timeout=0.05)
        if ended.done() and not ended.result().success:
            if ended.result().reason == OriginateReason.COULD_NOT_START:
                raise PbxError(
                    f"{call_id}: the call could not be started: is the trunk up, is the phone there?"
                )

    def _headers(self, call: PlaceCall) -> dict[str, wire.Value]:
        if call.shown_number not in self._ways:
            raise wire.Unsendable(
                "a call must show a number of the site's own: mend site.outbound_number, outbound.numbers"
            )
        if not call.number.isascii() or not call.number.isdigit() or not 3 <= len(call.number) <= 15:
            raise wire.Unsendable(f"{call.id}: the number to call must be 3-15 digits")
        channel, (context, exten), extra = self._route(call)
        return {
            "Channel": wire.argument(channel),
            "Context": wire.argument(context),
            "Exten": exten,
            "Priority": 1,
            "Timeout": int(call.ring.total_seconds() * 1000),
            "CallerID": f"<{wire.argument(call.shown_number)}>",
            "Async": True,
            "ChannelId": wire.argument(call.id),
            "OtherChannelId": wire.argument(f"{call.id}-b"),
            "Variable": [
                *(wire.variable(k, v) for k, v in {**call.variables, **extra}.items()),
                *([_TELL_THE_END] if call.first_ring is None else []),
            ],
        }

    def _route(self, call: PlaceCall) -> tuple[str, tuple[str, str], dict[str, str]]:
        """Return channel, place in dialplan and variables: to the person, or to a counsellor first."""
        if call.first_ring is None:
            to_person = f"PJSIP/{call.number}@{TRUNK}{self._ways[call.shown_number]}"
            return to_person, _PLACES.get(call.flow, (f"flow-{call.flow}", "s")), self._told(call)
        if call.flow == "listen":
            return self._phones.interface(call.first_ring), ("hotline-listen", "s"), {}
        preview = {
            "HOTLINE_NUMBER": call.number,
            "HOTLINE_RING": str(round(call.ring.total_seconds())),
            "HOTLINE_BY": call.first_ring,
            **({"HOTLINE_WAY": way} if (way := self._ways[call.shown_number]) else {}),
        }
        return self._phones.interface(call.first_ring), ("hotline-preview", "s"), preview

    def _told(self, call: PlaceCall) -> dict[str, str]:
        """Return what the flow asks about the person; nothing to ask is no variable."""
        expected = call.expected if self._salt else {}
        return {
            **({"HOTLINE_FACTS": call.facts} if call.facts else {}),
            **{f"HOTLINE_EXPECT_{word}": hashed(self._salt, digits) for word, digits in expected.items()},
        }


class AsteriskQueue:
    """`QueueControl` on AMI."""

    def __init__(self, link: AmiLink, phones: PhoneBook) -> None:
        self._link = link
        self._phones = phones
        self._originator = _Originator(link)

    async def state(self) -> QueueState:
        """Return members, places and how many wait; raise `PbxError` if the queue is not configured."""
        items = await self._link.list("QueueStatus")
        waiting = {need(i, "Queue"): number(i, "Calls") for i in items if i.get("Event") == "QueueParams"}
        if GENERAL not in waiting:
            raise PbxError(f"the telephone system has no queue {GENERAL}. Run `hotline pbx apply`.")
        members = [member_of(i) for i in items if i.get("Event") == "QueueMember"]
        return QueueState(
            members=tuple(self._member(m) for m in members if m.queue == GENERAL),
            waiting=sum(waiting.get(queue, 0) for queue in QUEUES),
            seats=tuple(self._seat(m) for m in members if m.queue in QUEUES),
        )

    async def decide(self, agents: Sequence[str]) -> None:
        """Have dialplan seat these agents, or take them out, as the facts say."""
        for batch in _batches(agents):
            await self._run(
                "decide", [wire.variable(f"AGENT_{n}", agent) for n, agent in enumerate(batch, start=1)]
            )

    async def remove(self, seat: Seat) -> None:
        """Take one place away; nobody there is success."""
        interface = seat.agent if "/" in seat.agent else self._phones.interface(seat.agent)
        with _tolerating("Not there"):
            await self._link.send("QueueRemove", Queue=seat.queue, Interface=interface)

    async def facts(self, families: Sequence[str] = FAMILIES) -> dict[str, str]:
        """Return every fact of these families, `family/key` -> value."""
        found: dict[str, str] = {}
        for family in families:
            for item in await self._link.list("DBGetTree", Family=family):
                found[need(item, "Key").removeprefix("/")] = need(item, "Val")
        return found

    async def push_facts(self, changes: Mapping[str, str | None]) -> None:
        """Set facts, or remove them by None; return once dialplan has stored them."""
        for batch in _batches(changes.items()):
            await self._put(batch)

    async def _put(self, batch: Sequence[tuple[str, str | None]]) -> None:
        variables = []
        for n, (key, value) in enumerate(batch, start=1):
            variables += [wire.variable(f"KEY_{n}", key), wire.variable(f"VALUE_{n}", value or "")]
        await self._run("put", variables)

    async def _run(self, exten: str, variables: Sequence[str]) -> None:
        """Run an extension of `hotline-put` to its end; raise `PbxError` unless it answered."""
        with self._originator.expecting() as (action_id, ended):
            await self._link.send(
                "Originate",
                action_id=action_id,
                Channel=f"Local/{exten}@hotline-put/n",
                Application="NoOp",
                Async=True,
                Variable=variables,
            )
            try:
                async with asyncio.timeout(_FACTS_REPLY):
                    stored = await ended
            except TimeoutError:
                raise PbxUnreachable("facts: the telephone system did not say that it stored them") from None
        if not stored.success:
            raise PbxError("facts: the telephone system refused them. Run `hotline pbx apply`.")

    def _member(self, member: QueueMember) -> Member:
        return Member(
            agent=self._phones.agent(member),
            paused=member.paused,
            in_call=member.in_call,
            reachable=member.state.reachable,
        )

    def _seat(self, member: QueueMember) -> Seat:
        return Seat(
            queue=member.queue,
            agent=self._phones.agent(member),
            paused=member.paused,
            penalty=member.penalty,
        )


@contextmanager
def _tolerating(text: str) -> Iterator[None]:
    """Let a refusal pass that says the thing is already as we want it."""
    try:
        yield
    except PbxUnreachable:
        raise
    except PbxError as error:
        if text not in str(error):
            raise


def _batches(some: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(some)
    while batch := list(islice(rest, _AT_ONCE)):
        yield batch
