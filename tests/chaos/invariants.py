"""What must hold after a round, whatever was done in it: by name, and a breach is a sentence."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import verdict
from oracle import SECOND, Oracle, Span, Waited
from violence import NAMES, PINS, Call, Site

from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.ports import UnitOfWork
from scheduler.obligations import Attempt, ClosingKind, Kind, Result

#: The PBX asks its phones whether they are there: so long after its start a ring may be late.
AFTER_BOOT = timedelta(seconds=12)
#: queue_log's whole seconds at both ends, a ring of a third of a second, and a busy machine.
SLACK = 4 * SECOND
#: The queue is whoever is on duty so long after our processes are back, whatever happened meanwhile.
SEATED_WITHIN = 5 * SECOND
#: What the carrier's own refusal stands behind, by its SIP status.
REFUSED_BY = {Result.BUSY: 486}
#: Results of calls that nobody picked up.
UNTAKEN = frozenset({Result.NO_ANSWER, Result.BUSY, Result.DECLINED, Result.OUT_OF_AREA, Result.VACANT})
#: Ends that a debt may come to without anybody's name: what replaced it, or what the person wished.
BY_ITSELF = frozenset({ClosingKind.SUPERSEDED, ClosingKind.REFUSED})
#: Errors that a fault explains: the store or the PBX is away, or did not answer in time; a file of the
#: journal was moved between the look at the folder and the reading (it is looked for anew).
EXPLAINED = frozenset(
    {"StoreError", "StoreBusy", "StoreUnreachable", "StoreFull", "StoreReadOnly"}
    | {"PbxError", "PbxUnreachable", "Unanswered", "InDoubt"}
    | {"JournalBehind", "FileNotFoundError", "bridge.trouble", "ami.down", "LineUnreachable"}
)
_MOBILE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """A breach of an invariant."""

    invariant: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Round:
    """A round at rest, and what was done in it."""

    site: Site
    oracle: Oracle
    workers: Sequence[str]
    #: When nothing of ours was whole: processes, store or wire.
    outages: Sequence[Span] = ()
    #: When the PBX itself was down or had just started.
    boots: Sequence[Span] = ()
    #: Who should be in the queue at the end, and how long after our return exactly they were.
    on_duty: Sequence[str] = tuple(PINS)
    seated_after: timedelta = timedelta(0)
    #: Whether somebody who was owed a call at the end alone was dialled.
    dials: bool = True
    records: list[CallRecord] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "records", self.site.records())

    @property
    def inbound(self) -> list[CallRecord]:
        """Return the calls that came in."""
        return [record for record in self.records if record.direction is Direction.INBOUND]

    def lost(self) -> int:
        """Count the callers whom the PBX took and who are not on record."""
        known = {record.number for record in self.inbound}
        return sum(call.number not in known for call in self.oracle.answered())

    def doubled(self) -> int:
        """Count what is there once too often: records of one caller, rings of one attempt."""
        records = Counter(record.number for record in self.inbound)
        with self.site.looking() as work:
            rings = [self.oracle.dialled(n) - len(tries(work, n)) for n in self.workers]
        return sum(n - 1 for n in records.values()) + sum(max(0, more) for more in rings)


def tries(work: UnitOfWork, number: str) -> list[Attempt]:
    """Return every attempt at whoever has this number, as written down."""
    person = work.people.by_number(number)
    owed = work.debts.of_person(person.id) if person else ()
    return [attempt for one in owed for attempt in work.debts.attempts(one.id)]


def broken(played: Round) -> list[Broken]:
    """Return every breach; none if the round is whole."""
    return [
        Broken(invariant=name, sentence=sentence)
        for name, check in INVARIANTS.items()
        for sentence in check(played)
    ]


def _once(played: Round) -> Iterator[str]:
    yield from verdict.each_call_once(played.site.calls, played.inbound)
    if not played.boots:
        took = {call.number for call in played.oracle.answered()}
        untaken = [call for call in played.site.calls if call.number not in took]
        yield from (f"the PBX never took the call of {call.number}" for call in untaken)


def _offered(played: Round) -> Iterator[str]:
    yield from verdict.offered_adds_up(played.inbound)
    failed = sum(record.outcome is Outcome.SYSTEM_FAILURE for record in played.inbound)
    if failed and not played.boots:
        yield f"{failed} calls are said to have ended with a PBX that never died"


def _sessions(played: Round) -> Iterator[str]:
    yield from verdict.one_session_each(played.site, played.records)


def _second_witness(played: Round) -> Iterator[str]:
    yield from verdict.second_witness(played.site, played.inbound)
    if not played.boots:  # whom a queue of absent phones does not take is not entered there
        lines = played.site.pbx.queue_log(all_tests=True)
        entered = Counter(line.call for line in lines if line.event == "ENTERQUEUE")
        often = (record for record in played.inbound if 0 < entered[record.id] < record.queue_entries)
        yield from (f"call {one.id} was queued more often than queue_log says" for one in often)


def _times(played: Round) -> Iterator[str]:
    """A caller who dials while the PBX is down goes on trying, and begins for it only once it is up."""
    oracle = played.oracle
    calls = [call for call in played.site.calls if not _dialled_within(call, played.boots)]
    yield from verdict.true_times(calls, played.inbound, oracle.phones, oracle.carrier)


def _parties(played: Round) -> Iterator[str]:
    """Whoever is said to have taken a call has the phone that was picked up then."""
    for record in played.inbound:
        phone = played.oracle.handsets.get(record.answered_by or "")
        if record.answered_via == "queue" and not record.end_is_uncertain:
            picked_up = [timing.answered_at for timing in phone.calls()] if phone else []
            if not any(verdict.near(at, record.answered_at) for at in picked_up):
                yield f"call {record.id} was not answered at the phone of {record.answered_by}"


def _read(played: Round) -> Iterator[str]:
    """Nothing stays unreadable, and `queue_log` speaks only of calls that the journal knows nothing of."""
    if not played.boots:
        yield from verdict.nothing_unread(played.site)
    written = {row[8] for row in verdict.journal(played.site) if len(row) > 8 and row[0] == "CHAN_START"}
    half_told = [r.id for r in played.inbound if r.witness != "journal" and r.id in written]
    yield from (f"call {call} is told by queue_log alone, and stands in the journal" for call in half_told)


def _debts(played: Round) -> Iterator[str]:
    yield from verdict.debts(played.site, played.oracle.carrier, played.workers)


def _results(played: Round) -> Iterator[str]:
    """What is written of our calls is what the carrier saw of them; no journal is asked."""
    oracle = played.oracle
    with played.site.looking() as work:
        for number in played.workers:
            results = [attempt.result for attempt in tries(work, number)]
            if (rung := oracle.dialled(number)) > len(results):
                yield f"worker {number} was rung {rung} times for {len(results)} attempts written down"
            reached = sum(str(result).startswith("reached_") for result in results)
            if reached > (answered := oracle.picked_up(number)):
                yield f"worker {number} is said to be reached {reached} times and answered {answered} times"
            untaken = sum(result in UNTAKEN for result in results)
            if not played.boots and untaken > len(results) - answered:
                yield f"worker {number} is said not to have answered, who did"
            for result, status in REFUSED_BY.items():
                if results.count(result) > oracle.refused(number, status):
                    yield f"worker {number} is said to be {result} more often than the carrier said so"


def _one_at_a_time(played: Round) -> Iterator[str]:
    """Nobody is rung by us while another call of ours to them goes on."""
    for number in played.workers:
        rung = sorted(played.oracle.carrier.calls(number), key=lambda timing: timing.invited_at)
        if any(one.ended_at and then.invited_at < one.ended_at for one, then in pairwise(rung)):
            yield f"worker {number} was rung while another call to them went on"


def _promises(played: Round) -> Iterator[str]:
    """Whoever was promised a call back is owed one, and so is who asked for one when we called."""
    with played.site.looking() as work:
        owed = {one.origin for one in work.debts.open(kind=Kind.CALLBACK)}
    asked = Result.REACHED_SELF_CALLBACK
    promised = (r.id for r in played.records if "callback" in r.promises or r.flow_outcome == asked)
    yield from (f"the call back promised in {call} is not owed" for call in promised if call not in owed)


def _proofs(played: Round) -> Iterator[str]:
    """No debt is kept by a call that nobody answered, and none ends without a name or a reason of its own."""
    with played.site.looking() as work:
        people = {number: work.people.by_number(number) for number in played.workers}
        for number, person in people.items():
            owed = work.debts.of_person(person.id) if person else ()
            proofs = sum(len(work.debts.evidence(one.id)) for one in owed)
            answered = played.oracle.picked_up(number)
            if proofs > answered:
                yield f"worker {number} has {proofs} proofs and answered {answered} times"
            for one in owed:
                if one.closing is not None and one.closing.kind not in BY_ITSELF:
                    yield f"debt {one.id} was closed as {one.closing.kind}"


def _doubts(played: Round) -> Iterator[str]:
    now = datetime.now(UTC)
    with played.site.looking() as work:
        yield from (f"attempt {a.id} is still in doubt" for a in work.debts.attempts_in_doubt())
        held = [
            o for o in work.debts.open() if o.lease is not None and o.lease.holds(now + timedelta(minutes=4))
        ]
        yield from (f"debt {one.id} is leased beyond any call" for one in held)


def _as_fast(played: Round) -> Iterator[str]:
    """Callers who came while ours were away met somebody as fast as the others (P1)."""
    waits = [w for w in played.oracle.waited() if not _within(w, played.boots)]
    away = [w for w in waits if _within(w, played.outages)]
    usual = max((w.idle for w in waits if w not in away), default=timedelta(0))
    for wait in away:
        if wait.idle > usual + SLACK:
            kept = wait.idle.total_seconds()
            yield f"call {wait.call} waited {kept:.1f} s beside an idle phone while ours were away"


def _reached(played: Round) -> Iterator[str]:
    """Nobody was sent on while counsellors were on duty and the PBX was up."""
    sent_on = {record.number for record in played.inbound if record.outcome is Outcome.OVERFLOWED}
    for call in played.site.calls:
        if call.number in sent_on and not _dialled_within(call, played.boots):
            yield f"the caller {call.number} was sent on though counsellors were on duty"


def _members(played: Round) -> Iterator[str]:
    wanted = {played.site.pbx.interface(code) for code in played.on_duty}
    found = played.site.pbx.members()
    if found != wanted:
        yield f"the queue holds {len(found)} members instead of the {len(wanted)} on duty"
    if played.seated_after > SEATED_WITHIN:
        late = played.seated_after.total_seconds()
        yield f"the queue was not the roster's until {late:.1f} s after our return"


def _leads(played: Round) -> Iterator[str]:
    """Of several schedulers one leads."""
    if played.site.is_apart and (leading := len(played.site.apart.leaders())) != 1:
        yield f"{leading} schedulers lead"


def _dials(played: Round) -> Iterator[str]:
    """Whoever is owed a call once all is whole again is dialled."""
    if not played.dials:
        yield "somebody who was owed a call at the end was not dialled"


def _silence(played: Round) -> Iterator[str]:
    """Nothing personal is in what our processes and the PBX logged, nor in the name of a file (P5)."""
    site = played.site
    logs = (site.python.log, *(site.pbx.home / "log" / name for name in ("messages.log", "startup.log")))
    for log in logs:
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        found = Counter(kind for kind, words in _PERSONAL.items() for word in words if word in text)
        yield from (f"a {kind} stands in {log.name}" for kind in found)
        if _MOBILE.search(text):
            yield f"a telephone number stands in {log.name}"
    ours = (path for path in site.folder.rglob("*") if site.actors.folder not in path.parents)
    if any(_MOBILE.search(path.name) for path in ours):
        yield "a telephone number is in the name of a file"


def _complaints(played: Round) -> Iterator[str]:
    """Nothing crashed: what fails because of a fault says so by a name of ours."""
    lines = played.site.python.log.read_text(encoding="utf-8", errors="replace").splitlines()
    if any("Traceback (most recent call last)" in line for line in lines if not line.startswith("{")):
        yield "a process of ours crashed"
    entries = (json.loads(line) for line in lines if line.startswith("{") and line.endswith("}"))
    errors = Counter(
        entry.get("error", entry.get("action")) for entry in entries if entry["level"] == "error"
    )
    yield from (f"{count} errors of kind {kind}" for kind, count in errors.items() if kind not in EXPLAINED)


def _dialled_within(call: Call, spans: Sequence[Span]) -> bool:
    seen = call.actor.timing
    return seen is None or any(span.start <= seen.invited_at < span.end for span in spans)


def _within(wait: Waited, spans: Sequence[Span]) -> bool:
    return any(wait.span.meets(span) for span in spans)


_PERSONAL = {"name": (*NAMES.values(), "周伟"), "PIN": tuple(PINS.values())}

INVARIANTS: dict[str, Callable[[Round], Iterator[str]]] = {
    "once": _once,
    "offered": _offered,
    "sessions": _sessions,
    "second witness": _second_witness,
    "times": _times,
    "parties": _parties,
    "read": _read,
    "debts": _debts,
    "results": _results,
    "one at a time": _one_at_a_time,
    "promises": _promises,
    "proofs": _proofs,
    "doubts": _doubts,
    "as fast": _as_fast,
    "reached": _reached,
    "members": _members,
    "leads": _leads,
    "dials": _dials,
    "silence": _silence,
    "complaints": _complaints,
}
