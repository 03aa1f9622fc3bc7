"""What the rows of one call say, gathered in time order. Times stay text until the record is made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf

from callcenter.domain.calls import URGENT
from callcenter.domain.journal import Row, bridge_of, hangup_of, words_of
from callcenter.domain.numbers import normalise
from callcenter.domain.queue_log import QueueRow

_AGENT = re.compile(
    r"PJSIP/(?!trunk2?(?:n[0-9]+)?-)([a-z][a-z0-9]{1,11})-[0-9a-f]{8}"
    r"|Local/([a-z][a-z0-9]{1,11})@hotline-mobile-[0-9a-f]{8};[12]"
)
_CODE = re.compile(r"[a-z][a-z0-9]{1,11}")
_DIGITS = re.compile(r"[0-9]{1,20}")
_SCORE = re.compile(r"-?[0-9]{1,4}")
_DIALLED = re.compile(r"\+?[0-9*#]{1,20}")

#: queue_log has whole seconds. So far past the journal's newest row it is read: nothing of a call is missed.
AHEAD = 2.0

#: When, by whom, by which road.
Answer = tuple[str, str | None, str]


def agent_of(channel: str) -> str | None:
    """Return the code of the agent whose phone or mobile a channel is; None for a trunk or our own."""
    found = _AGENT.fullmatch(channel)
    return (found[1] or found[2]) if found else None


class Reading:
    """Hears the rows of a call, oldest first."""

    __slots__ = (
        "accepts", "answers", "caller", "caller_end", "cause", "dialled", "ended", "enters",
        "entry_context", "exits", "first_time", "flow_outcome", "hangup_source", "has_phone", "id",
        "in_flow", "is_probe", "kept", "keys", "last_time", "left_at", "legs", "linked_end",
        "meetings", "network", "number", "offered", "other_cause", "overflowed", "owner_rings", "path",
        "picked_up", "pieces", "preview_by", "promised", "promises", "queue", "queue_starts",
        "read_to", "rings", "started", "urgent",
    )  # fmt: skip

    def __init__(self, call_id: str, read_to: float = inf) -> None:
        self.id = call_id
        #: So far the journal has been read (seconds since 1970); queue_log may be ahead of it.
        self.read_to = read_to
        self.first_time = self.last_time = ""
        #: Name of the channel whose id is the call's: the caller's, or the one our call began with.
        self.caller = ""
        self.entry_context: str | None = None
        self.number: str | None = None
        self.dialled: str | None = None
        self.in_flow = self.is_probe = self.has_phone = False
        self.picked_up: str | None = None
        self.offered: str | None = None
        self.promised: str | None = None
        self.overflowed: str | None = None
        self.flow_outcome: str | None = None
        self.caller_end: str | None = None
        self.linked_end: str | None = None
        self.cause: int | None = None
        #: Why the person a counsellor had us call was not reached.
        self.other_cause: int | None = None
        #: (last SIP status, packets of sound before an answer), of a call of ours that nobody took.
        self.network: tuple[int, int] | None = None
        #: The counsellor whose phone rang first, of a call placed for them.
        self.preview_by: str | None = None
        self.hangup_source: str | None = None
        self.queue_starts = 0
        self.path: list[str] = []
        self.keys: list[str] = []
        self.promises: list[str] = []
        #: Digits left, by what they are for; answers and sums of questionnaires. Said again, the last
        #: one stands.
        self.kept: dict[str, str] = {}
        self.answers: dict[str, str] = {}
        self.pieces: list[str] = []
        self.left_at: str | None = None
        #: (time, word) of the last urgent word.
        self.urgent: tuple[str, str] | None = None
        self.rings: list[tuple[str, str]] = []
        #: Those of the rings that were for who owes the caller.
        self.owner_rings: set[tuple[str, str]] = set()
        self.accepts: list[tuple[str, str]] = []
        #: (time, agent, channel) of every agent's channel.
        self.legs: list[tuple[str, str, str]] = []
        #: (time, bridge, channel, app, peers)
        self.enters: list[tuple[str, str, str, str, str]] = []
        #: Times at which the caller left a bridge.
        self.exits: list[str] = []
        #: (time, other channel, by the queue) for everybody the caller shared a bridge with.
        self.meetings: list[tuple[str, str, bool]] = []
        self.started: set[str] = set()
        self.ended: set[str] = set()
        self.queue: list[QueueRow] = []

    @property
    def has_rows(self) -> bool:
        """Tell whether the journal knows the call."""
        return bool(self.last_time)

    @property
    def is_nothing(self) -> bool:
        """Tell whether no telephone was in it: the PBX talking to itself through Local channels."""
        return not self.first_time or not (self.has_phone or self.queue)

    @property
    def has_ended(self) -> bool:
        """Tell whether the rows say that it is over, even if one of them was lost."""
        if self.linked_end is not None:
            return True
        if not self.has_rows:
            left = sum(line.event in _LEAVES for line in self.queue)
            return left > 0 and left >= sum(line.event == "ENTERQUEUE" for line in self.queue)
        return self.caller_end is not None and self.started <= self.ended

    @property
    def queue_number(self) -> str | None:
        """Return the caller's number as queue_log has it."""
        entries = (q.data for q in self.queue if q.event == "ENTERQUEUE" and len(q.data) > 1)
        return next((data[1] for data in entries), None)

    @property
    def last_sign(self) -> str:
        """Return when the call was last heard of."""
        return self.last_time or max(map(_second, self.queue))

    def queue_end(self, events: frozenset[str]) -> str | None:
        """Return when queue_log last saw one of these."""
        return max((_second(q) for q in self.queue if q.event in events), default=None)

    def hear(self, rows: Iterable[Row]) -> None:
        """Take all rows of the call, in any order and however often each."""
        ordered = sorted(rows)
        if not ordered:
            return
        self.first_time, self.last_time = ordered[0].time, ordered[-1].time
        self.has_phone = any(row.channel[:6] != "Local/" for row in ordered)
        self._hear_caller([row for row in ordered if row[7] == self.id])
        before, acts = None, _ACTS
        for row in ordered:
            if row != before and (act := acts.get(row[1])):
                act(self, row)
            before = row

    def meet(self) -> None:
        """Work out who shared a bridge with the caller; after all rows."""
        bridges: dict[str, set[str]] = {}
        by_queue: set[str] = set()
        for time, bridge, channel, app, peers in self.enters:
            inside = bridges.setdefault(bridge, set())
            known = set(inside) if self.caller in inside else set()
            inside.add(channel)
            if peers:
                inside.update(peers.split(","))
            if app in ("Queue", "AppQueue"):
                by_queue.add(bridge)
            if self.caller in inside:
                met = sorted(inside - known - {self.caller})
                self.meetings += [(time, other, bridge in by_queue) for other in met]

    def hear_queue(self, row: QueueRow) -> None:
        """Take the next line of queue_log; all rows come first."""
        if not self.first_time:
            self.first_time = _second(row)
        self.queue.append(row)
        if row.event == "ENTERQUEUE":
            self.offered = self.offered or _second(row)

    def human_meetings(self) -> Iterator[Answer]:
        """Yield every proof that a person took the call.

        In the queue: caller and member in one bridge, or queue_log's CONNECT if that row is lost. By
        any other road a phone that was picked up proves nothing (a voicemail does that too): only the
        accept key before the bridge does.
        """
        seen = False
        for time, channel, by_queue in self.meetings:
            accepted = [by for at, by in self.accepts if at <= time]
            if by_queue:
                seen = True
                yield time, agent_of(channel) or self._connected(), "queue"
            elif accepted:
                yield time, accepted[-1], self._road(accepted[-1], time)
        if not seen:
            yield from self._lost_meetings()

    def unheard(self) -> str | None:
        """Return the urgent word that no person came to hear; after `meet`."""
        if self.urgent is None or any(time > self.urgent[0] for time, *_ in self.human_meetings()):
            return None
        return self.urgent[1]

    def first_meeting(self) -> str | None:
        """Return when the caller first met anybody in a bridge."""
        return min((time for time, _, _ in self.meetings), default=None)

    def was_met(self, channel: str) -> bool:
        """Tell whether this channel shared a bridge with the caller."""
        return any(other == channel for _, other, _ in self.meetings)

    def _lost_meetings(self) -> Iterator[Answer]:
        """Yield answers whose bridge rows nobody could read."""
        start = self.offered or self.first_time
        for line in self.queue:
            if line.event == "CONNECT" and not is_ahead(line, self.read_to):
                yield max(_second(line), start), _code(line.agent), "queue"
        for at, by in self.accepts:
            if not self.enters and any(left > at for left in self.exits):
                yield at, by, self._road(by, at)

    def _road(self, agent: str, until: str) -> str:
        """Return why somebody was rung who then accepted by key: as owner, or by the chain."""
        last = max((ring for ring in self.rings if ring[1] == agent and ring[0] <= until), default=None)
        return "owner" if last in self.owner_rings else "escalation"

    def _connected(self) -> str | None:
        return next((_code(q.agent) for q in self.queue if q.event == "CONNECT"), None)

    def _hear_caller(self, rows: Sequence[Row]) -> None:
        """Learn who called from the rows of the call's first channel; any of them may be lost."""
        if rows:
            self.caller = rows[0].channel
            self.in_flow = any(row.context[:5] == "flow-" for row in rows)
            self.number = next(filter(None, (normalise(row.num) for row in rows)), None)

    def _start(self, row: Row) -> None:
        self.started.add(row.channel)
        if row.unique == self.id:
            self.entry_context = row.context
            self.dialled = row.exten if _DIALLED.fullmatch(row.exten) else None
        elif agent := agent_of(row.channel):
            self.legs.append((row.time, agent, row.channel))

    def _app(self, row: Row) -> None:
        if row.app == "Queue" and row.unique == self.id:
            self.queue_starts += 1
            self.offered = self.offered or row.time

    def _pick_up(self, row: Row) -> None:
        if row.unique == self.id:
            self.picked_up = self.picked_up or row.time

    def _enter(self, row: Row) -> None:
        if bridge := bridge_of(row):
            self.enters.append((row.time, bridge, row.channel, row.app, row.peer))

    def _leave(self, row: Row) -> None:
        if row.unique == self.id:
            self.exits.append(row.time)

    def _hang_up(self, row: Row) -> None:
        cause, source = hangup_of(row)
        if row.unique == self.id:
            self.cause, self.hangup_source = cause, source
        else:
            self.other_cause = cause

    def _end(self, row: Row) -> None:
        self.ended.add(row.channel)
        if row.unique == self.id:
            self.caller_end = row.time

    def _linked_end(self, row: Row) -> None:
        self.linked_end = row.time

    def _node(self, row: Row) -> None:
        if node := words_of(row).get("node"):
            self.path.append(node)

    def _key(self, row: Row) -> None:
        words = words_of(row)
        if "node" in words and "key" in words:
            self.keys.append(f"{words['node']}={words['key']}")

    def _flow_outcome(self, row: Row) -> None:
        self.flow_outcome = words_of(row).get("outcome", self.flow_outcome)
        if self.flow_outcome in URGENT:
            self.urgent = row.time, self.flow_outcome
        if self.flow_outcome == "overflowed":
            self.overflowed = self.overflowed or row.time

    def _promise(self, row: Row) -> None:
        self.promises.append(words_of(row).get("kind", "callback"))
        self.promised = self.promised or row.time

    def _digits(self, row: Row) -> None:
        words = words_of(row)
        digits = words.get("digits", "")
        if "keep" in words and _DIGITS.fullmatch(digits):
            self.kept[words["keep"]] = digits

    def _answer(self, row: Row) -> None:
        words = words_of(row)
        if "node" in words and "item" in words and _SCORE.fullmatch(words.get("score", "")):
            self.answers[f"{words['node']}/{words['item']}"] = words["score"]

    def _score(self, row: Row) -> None:
        words = words_of(row)
        if "node" in words and _SCORE.fullmatch(words.get("score", "")):
            self.answers[words["node"]] = words["score"]

    def _piece(self, row: Row) -> None:
        if item := words_of(row).get("item"):
            self.pieces.append(item)

    def _left_flow(self, row: Row) -> None:
        if row.unique == self.id:
            self.left_at = words_of(row).get("node", self.left_at)

    def _ring(self, row: Row) -> None:
        self.offered = self.offered or row.time
        if by := _code(words_of(row).get("by", "")):
            self.rings.append((row.time, by))
            if row.context == "hotline-owner":
                self.owner_rings.add((row.time, by))

    def _accept(self, row: Row) -> None:
        by = _code(words_of(row).get("by", ""))
        if by is None:
            return
        if row.context == "hotline-preview":
            self.preview_by = by
        else:
            self.accepts.append((row.time, by))

    def _told_by_network(self, row: Row) -> None:
        words = words_of(row)
        status, heard = words.get("sip", ""), words.get("heard", "")
        if _DIGITS.fullmatch(status) and _DIGITS.fullmatch(heard):
            self.network = int(status), int(heard)

    def _probe(self, _row: Row) -> None:
        self.is_probe = True


_ACTS: dict[str, Callable[[Reading, Row], None]] = {
    "CHAN_START": Reading._start,
    "APP_START": Reading._app,
    "ANSWER": Reading._pick_up,
    "BRIDGE_ENTER": Reading._enter,
    "BRIDGE_EXIT": Reading._leave,
    "HANGUP": Reading._hang_up,
    "CHAN_END": Reading._end,
    "LINKEDID_END": Reading._linked_end,
    "IVR_NODE": Reading._node,
    "IVR_KEY": Reading._key,
    "IVR_OUTCOME": Reading._flow_outcome,
    "PROMISE": Reading._promise,
    "IVR_DIGITS": Reading._digits,
    "IVR_ANSWER": Reading._answer,
    "IVR_SCORE": Reading._score,
    "IVR_ITEM": Reading._piece,
    "IVR_LEFT": Reading._left_flow,
    "RING": Reading._ring,
    "ACCEPT": Reading._accept,
    "NETWORK": Reading._told_by_network,
    "SELFDIAL": Reading._probe,
}
_LEAVES = frozenset(
    {"COMPLETEAGENT", "COMPLETECALLER", "ABANDON", "EXITWITHTIMEOUT", "EXITWITHKEY", "EXITEMPTY"}
)


def is_ahead(row: QueueRow, read_to: float) -> bool:
    """Tell whether the journal may still say what a line of queue_log says, and more exactly."""
    return row.time + AHEAD > read_to


def _second(row: QueueRow) -> str:
    return f"{row.time}.000000"


def _code(text: str) -> str | None:
    return text if _CODE.fullmatch(text) else None
