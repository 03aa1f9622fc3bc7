"""What must hold on a line whatever was done to it: every finding is a sentence, none is good news."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from violence import Call, Site

from callcenter.demo.sipp import CallTiming, Carrier, Phone
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.service.line.records import was_talk

#: The five ways in which an offered call ends (P3).
OFFERED = (
    Outcome.ANSWERED,
    Outcome.ABANDONED,
    Outcome.OVERFLOWED,
    Outcome.PROMISED,
    Outcome.SYSTEM_FAILURE,
)
CLOSE = timedelta(seconds=1)


def findings(
    site: Site,
    *,
    phones: Sequence[Phone] = (),
    carrier: Carrier | None = None,
    workers: Sequence[str] = (),
) -> list[str]:
    """Return everything wrong with the record of a site at rest; empty if all is well.

    `workers` are the numbers of people who are owed a call.
    """
    records = site.records()
    inbound = [record for record in records if record.direction is Direction.INBOUND]
    found = [
        *each_call_once(site.calls, inbound),
        *offered_adds_up(inbound),
        *one_session_each(site, records),
        *second_witness(site, inbound),
        *true_times(site.calls, inbound, phones, carrier),
        *nothing_unread(site),
    ]
    if carrier is not None:
        found += debts(site, carrier, workers)
    return found


def each_call_once(calls: Sequence[Call], inbound: Sequence[CallRecord]) -> Iterator[str]:
    """Hold what is on record against the callers; one whom the PBX never answered need not be there."""
    counts = Counter(record.number for record in inbound)
    for call in calls:
        seen = call.actor.timing
        least = 0 if seen is None or seen.answered_at is None else 1
        if not least <= counts[call.number] <= 1:
            yield f"the call from {call.number} is on record {counts[call.number]} times"
    strangers = counts.keys() - {call.number for call in calls}
    if strangers:
        yield f"{len(strangers)} calls on record that nobody made"
    yield from (f"call {record.id} is still open" for record in inbound if record.is_open)


def offered_adds_up(inbound: Sequence[CallRecord]) -> Iterator[str]:
    """Every offered call ended in one of the five ways (P3)."""
    offered = sum(record.offered_at is not None for record in inbound)
    ended = Counter(record.outcome for record in inbound)
    parts = sum(ended[outcome] for outcome in OFFERED)
    if offered != parts:
        yield f"offered {offered} != {parts} = " + " + ".join(f"{o} {ended[o]}" for o in OFFERED)


def one_session_each(site: Site, records: Sequence[CallRecord]) -> Iterator[str]:
    """Every talk has one session record waiting to be written, and nothing else has."""
    with site.looking() as work:
        sessions = Counter(session.call for session in work.sessions.all())
    talks = {record.id for record in records if was_talk(record)}
    yield from (f"{sessions[call]} sessions for the talk {call}" for call in talks if sessions[call] != 1)
    yield from (f"a session for {call}, which was no talk" for call in sessions.keys() - talks)


def second_witness(site: Site, inbound: Sequence[CallRecord]) -> Iterator[str]:
    """Hold the record against queue_log, which none of ours writes."""
    lines = site.pbx.queue_log(all_tests=True)
    connected = {line.call for line in lines if line.event == "CONNECT"}
    entered = {line.call for line in lines if line.event == "ENTERQUEUE"}
    for record in inbound:
        by_queue = record.outcome is Outcome.ANSWERED and record.answered_via == "queue"
        if by_queue != (record.id in connected):
            yield f"call {record.id}: {record.outcome}, which queue_log denies"
        if record.id in entered and record.offered_at is None:
            yield f"call {record.id} was queued and is not offered"


def true_times(
    calls: Sequence[Call], inbound: Sequence[CallRecord], phones: Sequence[Phone], carrier: Carrier | None
) -> Iterator[str]:
    """Hold starts, answers and ends against SIPp's own clock."""
    rung = [timing for phone in phones for timing in phone.calls()]
    rung += carrier.calls() if carrier is not None else []
    by_number = {record.number: record for record in inbound}
    for call in calls:
        record, seen = by_number.get(call.number), call.timing
        if record is None or record.end_is_uncertain:
            continue
        if not near(record.started_at, seen.invited_at) or not near(record.ended_at, seen.ended_at):
            yield f"call {record.id} began or ended at another time than its caller says"
        if record.answered_via == "queue" and phones and not _somebody(rung, record.answered_at):
            yield f"call {record.id} was answered when no phone was"


def nothing_unread(site: Site) -> Iterator[str]:
    """Nothing of the journal was unreadable."""
    with site.looking() as work:
        unread = work.journal.unread_count()
    if unread:
        yield f"{unread} journal rows nobody could read"


def debts(site: Site, carrier: Carrier, workers: Sequence[str]) -> Iterator[str]:
    """Nobody is forgotten, and nobody is called twice for one attempt."""
    # One that a copy holds once more is one, and one that a crash cut short says nothing.
    rows = {tuple(row) for row in journal(site) if len(row) > 8}
    born = Counter(row[8] for row in rows if row[0] == "CHAN_START" and row[8].startswith("at-"))
    yield from (f"attempt {i} was dialled {n} times" for i, n in born.items() if n > 1)
    with site.looking() as work:
        attempts = {i: work.debts.attempt(i) for i in {*site.tap.ordered, *born}}
        yield from (
            f"attempt {i} was dialled and never written down" for i, a in attempts.items() if a is None
        )
        owners = {i: work.debts.get(a.obligation).person for i, a in attempts.items() if a is not None}
        proven = work.debts.last_contacts()
        for number in workers:
            person = work.people.by_number(number)
            if person is None:
                yield f"worker {number} is gone"
                continue
            if person.id not in proven and not work.debts.open(person=person.id):
                yield f"worker {number} is neither reached nor owed a call"
            rung, dialled = len(carrier.calls(number)), sum(owners.get(i) == person.id for i in born)
            if rung != dialled:
                yield f"worker {number} was rung {rung} times for {dialled} attempts"


def journal(site: Site) -> Iterator[list[str]]:
    """Yield every journal row of the site, rotated files included, as a CSV reader reads it."""
    folder = site.pbx.journal_file.parent
    for file in sorted(folder.glob(f"{site.pbx.journal_file.name}*")):
        yield from csv.reader(file.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True))


def _somebody(rung: Iterable[CallTiming], answered_at: datetime | None) -> bool:
    return any(near(timing.answered_at, answered_at) for timing in rung)


def near(one: datetime | None, other: datetime | None) -> bool:
    """Tell whether two witnesses mean one instant."""
    return one is not None and other is not None and abs(one - other) <= CLOSE
