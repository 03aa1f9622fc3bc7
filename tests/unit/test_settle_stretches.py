"""However a journal is cut into stretches, what its calls mean for what we owe is the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st
from people_world import QIAN, SHEN, a_call, peopled

from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.people import Consent, ConsentKind, Person, Phone
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.followup.debts import settle
from scheduler.cadence import SHANGHAI
from scheduler.obligations import BY_IVR, Attempt, Kind, Mode, Obligation, Result

NOW = datetime(2026, 11, 23, 10, tzinfo=SHANGHAI)
#: Shen's wife: the family shares Shen's phone.
WIFE = Person(id="p9", code="P-9WXA", name="许秀珍", phones=(Phone(number="13861705555"),))
#: Two people we know, somebody nobody knows (twice, in two spellings), and a number withheld.
NUMBERS = ("13861705555", "13912345678", "13700001111", "+8613700001111", None)
ENDS: dict[str, dict[str, object]] = {
    "talk": {},
    "in vain": {"outcome": Outcome.ABANDONED, "answered_at": None, "answered_by": None},
    "promised": {
        "outcome": Outcome.PROMISED,
        "answered_at": None,
        "answered_by": None,
        "promises": ("callback",),
    },
    "left a number": {
        "outcome": Outcome.PROMISED,
        "answered_at": None,
        "answered_by": None,
        "promises": ("callback",),
        "kept": ("number=13700001111",),
    },
}
WORDS = (Result.REACHED_SELF_IVR_OK.value, Result.REACHED_SELF_CALLBACK.value, None, None, None)
#: Calls of ours, in turns at two debts of Shen's.
OURS = 8


def ours(n: int, word: str | None) -> CallRecord:
    """Return a call of ours: how its flow ended, or that it was busy."""
    at = NOW + timedelta(minutes=2 * n)
    told = {"direction": Direction.OUTBOUND, "outcome": Outcome.OUTBOUND, "flow_outcome": word}
    call: CallRecord = a_call(f"at-{n:032x}", at, None, **told, answered_by=None)
    return call if word else replace(call, answered_at=None, hangup_cause=17)


calls = st.lists(
    st.tuples(st.sampled_from(NUMBERS), st.sampled_from(sorted(ENDS)), st.integers(20, 60)), max_size=8
)
words = st.lists(st.sampled_from(WORDS), min_size=OURS, max_size=OURS)


def world() -> MemoryStore:
    """Make a store where Shen and Qian agreed to be called, and Shen is being called, again and again."""
    store = MemoryStore()
    peopled(store, SHEN, QIAN, WIFE)
    with store() as work:
        for person in (SHEN, QIAN):
            work.people.add_consent(
                Consent(
                    person=person.id,
                    kind=ConsentKind.FOLLOWUP,
                    granted=True,
                    at=NOW - timedelta(days=1),
                    channel="电话",
                )
            )
        for n in range(OURS):
            _try(work, n)
        work.commit()
    return store


def _try(work: UnitOfWork, n: int) -> None:
    person, kind = SHEN, (Kind.HARDSHIP, Kind.MISSED_CALL)[n % 2]
    at, call = NOW + timedelta(minutes=2 * n), f"at-{n:032x}"
    debt = Obligation(
        id=f"ob-{n % 2}",
        person=person.id,
        kind=kind,
        due_at=NOW - timedelta(hours=1),
        window_end=NOW + timedelta(days=7),
        mode=Mode.IVR_OK,
        origin="check-in",
        created_at=NOW - timedelta(days=1),
    )
    if work.debts.add(debt) and kind is Kind.HARDSHIP:  # one lease to a person (I1)
        work.debts.claim(debt.id, call, NOW, NOW + timedelta(hours=2))
    first = Attempt(id=call, obligation=debt.id, n=n // 2 + 1, planned_at=at, by=BY_IVR, dialled_at=at)
    work.debts.add_attempt(replace(first, callee=person.phones[0].number))


def told(store: MemoryStore) -> object:
    """Return all that calls mean: people, debts with their leases, attempts, proofs, and what was noted."""
    with store() as work:
        people = sorted(work.people.all(), key=lambda one: one.id)
        debts = [debt for one in people for debt in work.debts.of_person(one.id)]
        ids = [debt.id for debt in debts]
        noted = sorted((e.verb, e.object, e.reason) for e in work.audit.recent(1000))
        return people, debts, work.debts.attempts_of(ids), work.debts.evidence_of(ids), noted


OK = Result.REACHED_SELF_IVR_OK.value


@given(calls=calls, words=words, cuts=st.sets(st.integers(1, 15)), order=st.permutations(range(2 * OURS)))
# Two misses after a proof are more than two misses, and both proofs here are of the same stretch.
@example(
    calls=[("13861705555", "talk", 20)],
    words=[None, None, OK, OK, None, None, None, None],
    cuts=set(),
    order=[*range(1, OURS + 1), 0, *range(OURS + 1, 2 * OURS)],
)
# The same where a talk in the stretch proved what the last attempt was at.
@example(
    calls=[("13861705555", "talk", 20)],
    words=[None, OK, None, OK, None, None, None, None],
    cuts={OURS - 1},
    order=[*range(OURS - 1), OURS, OURS - 1, *range(OURS + 1, 2 * OURS)],
)
def test_a_stretch_at_once_means_what_its_calls_mean_one_by_one(
    calls: list[tuple[str | None, str, int]], words: list[str | None], cuts: set[int], order: list[int]
) -> None:
    told_of = [ours(n, word) for n, word in enumerate(words)]
    for n, (number, end, minute) in enumerate(calls):
        began = NOW + timedelta(minutes=minute, seconds=n)
        ends = {"ended_at": began + timedelta(seconds=75), **ENDS[end]}
        told_of.append(a_call(f"pbx1-{n}.1", began, number, **ends))
    records = [record for _, record in sorted(zip(order, told_of, strict=False), key=lambda pair: pair[0])]
    later = NOW + timedelta(hours=2)
    single, stretched = world(), world()
    with single() as work:
        work.calls.put_many(records)
        for record in records:
            settle(work, [record], later)
        work.commit()
    edges = [0, *sorted(cut for cut in cuts if cut < len(records)), len(records)]
    with stretched() as work:
        work.calls.put_many(records)
        for at, until in pairwise(edges):
            settle(work, records[at:until], later)
        work.commit()
    assert told(stretched) == told(single)
