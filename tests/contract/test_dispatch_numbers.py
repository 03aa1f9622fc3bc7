"""Which number a call shows, what spares a person, what a supervisor opens, and what is kept of a refusal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest
from dispatch_world import MINUTE, SETTINGS, START, World, counsellor, enrol, gates_of

from callcenter.config import Outbound
from callcenter.domain.books import DEBT_EVENTS
from callcenter.domain.ledger import DebtAct
from callcenter.domain.people import SafeContact, Suppression, SuppressionKind
from callcenter.domain.users import Role, User
from callcenter.errors import Forbidden, Refused
from callcenter.ports import Member, Store
from callcenter.service.followup import pausing
from callcenter.service.followup.dispatch import THE_LINE, last_refusal
from scheduler.gates import Gate
from scheduler.obligations import Kind

OURS = (SETTINGS.site.outbound_number, "051085000977")


def with_outbound(store: Store, **outbound: object) -> World:
    plain = {"numbers": OURS[1:], **outbound}
    return World(store, settings=SETTINGS.model_copy(update={"outbound": Outbound(**plain)}))


@pytest.fixture
def world(store: Store) -> World:
    """A world in which one worker is owed a check-in, with a counsellor and a supervisor."""
    enrol(store, 1)
    with store() as work:
        work.users.add(counsellor())
        work.users.add(User(code="s001", name="沈督导", roles=frozenset({Role.SUPERVISOR})))
        work.commit()
    return World(store)


def test_r37_calls_are_shared_among_our_numbers_and_each_is_written_before_dialling(store: Store) -> None:
    for n in range(1, 3):
        enrol(store, n)
    world = with_outbound(store)
    world.tick()
    shown = [call.shown_number for call in world.control.placed]
    assert sorted(shown) == sorted(OURS)
    assert [world.attempts(f"p{call.number[-1]}")[0].did for call in world.control.placed] == shown


def test_r37_the_number_they_saw_is_shown_again_though_another_is_less_used(store: Store) -> None:
    enrol(store, 1)
    world = with_outbound(store)
    world.tick()
    first = world.control.placed[0]
    world.journal(first.id, answered_at=None, hangup_cause=19)
    world.now += 6 * 60 * MINUTE
    world.tick()
    assert [call.shown_number for call in world.control.placed] == [first.shown_number] * 2


def test_r37_no_burst_after_an_outage(store: Store) -> None:
    for n in range(1, 8):
        enrol(store, n)
    world = with_outbound(store, numbers=(), daily_cap=27)  # nine hours: three in each
    world.now = START.replace(hour=17)
    for _ in range(5):
        world.tick()
        for call in sorted(world.control.live):
            world.journal(call, answered_at=None, hangup_cause=19)
        world.now += 5 * MINUTE
    assert len(world.control.placed) == 3
    with store() as work:
        kept = last_refusal(work, THE_LINE)
    assert kept is not None
    assert kept.gates == (Gate.DID_PACE,)
    world.now = START.replace(hour=18, minute=31)
    world.tick()
    assert len(world.control.placed) > 3


def test_a_person_is_called_no_more_than_the_week_allows_whatever_they_are_owed(store: Store) -> None:
    enrol(store, 1)
    world = with_outbound(store, person_weekly=1)
    world.tick()
    world.journal(world.control.placed[0].id, answered_at=None, hangup_cause=19)
    world.now += 6 * 60 * MINUTE
    assert gates_of(world.tick()) == {Gate.PERSON_WEEK_CAP}
    with store() as work:
        next_at = work.debts.open(person="p1")[0].next_at
    assert next_at is not None
    assert next_at - START >= timedelta(days=7)


# --- the person ----------------------------------------------------------------------------


def refuse_topic(world: World) -> None:
    with world.store() as work:
        said = Suppression(
            person="p1", kind=SuppressionKind.TOPIC, topic=Kind.HARDSHIP, at=world.now, reason="不必回访"
        )
        work.people.add_suppression(said)
        work.commit()


def snooze(world: World) -> None:
    with world.store() as work:
        owed = work.debts.open(person="p1")[0]
        work.debts.handle(replace(owed, snoozed_until=world.now + 60 * MINUTE))
        work.commit()


def agree_on_evenings(world: World) -> None:
    with world.store() as work:
        person = work.people.get("p1")
        evenings = SafeContact(windows=((time(18), time(20)),))
        phones = tuple(replace(phone, agreed=evenings) for phone in person.phones)
        work.people.update(replace(person, phones=phones))
        work.commit()


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        (refuse_topic, Gate.TOPIC_REFUSED),
        (snooze, Gate.SNOOZED),
        (agree_on_evenings, Gate.OUTSIDE_SAFE_WINDOW),
    ],
)
def test_r22_what_was_said_since_the_sweep_is_asked_at_the_moment_of_dialling(
    world: World, change: Callable[[World], None], gate: Gate
) -> None:
    world.queue.waiting = 1
    world.tick()
    world.queue.waiting = 0
    change(world)
    found = asyncio.run(world.round.dispatcher.dispatch(world.debt().id))
    assert found.reasons == (gate,)
    assert world.control.placed == []


def test_an_opt_out_that_has_ended_spares_nobody_any_more(world: World) -> None:
    with world.store() as work:
        kind, until = SuppressionKind.AUTOMATION, world.now - MINUTE
        work.people.add_suppression(
            Suppression(person="p1", kind=kind, at=START - 99 * MINUTE, reason="住院", until=until)
        )
        work.commit()
    world.tick()
    assert len(world.control.placed) == 1


def test_the_first_call_of_a_period_falls_into_the_hour_at_which_they_were_reached(world: World) -> None:
    world.now = START.replace(hour=18, minute=10)
    world.tick()
    world.journal(world.control.placed[0].id, "reached_self_ivr_ok")
    world.tick()
    world.now = datetime(2026, 12, 24, 9, 30, tzinfo=START.tzinfo)
    assert gates_of(world.tick()) == {Gate.COOL_DOWN}
    assert world.debt().next_at == world.now.replace(hour=18, minute=0)
    world.now = world.now.replace(hour=18, minute=1)
    world.tick()
    assert len(world.control.placed) == 2


# --- people ----------------------------------------------------------------------------------


def test_a_pause_by_a_person_stops_the_machine_until_they_let_it_go_on(world: World) -> None:
    with world.store() as work:
        pausing.pause(work, reason="线路检修", actor="s001", now=world.now)
        work.commit()
    world.tick()
    with world.store() as work:
        kept = last_refusal(work, THE_LINE)
        assert kept is not None
        assert kept.gates == (Gate.DIALLER_PAUSED,)
        pausing.resume(work, actor="s001", now=world.now)
        work.commit()
    assert len(world.tick()) == 1
    with world.store() as work:
        assert last_refusal(work, THE_LINE) is None


def test_what_refused_last_is_kept_with_when_it_began_and_forgotten_once_it_is_dialled(world: World) -> None:
    agree_on_evenings(world)
    began = world.now
    world.tick()
    world.now += 20 * MINUTE
    world.tick()
    debt = world.debt().id
    with world.store() as work:
        kept = last_refusal(work, debt)
    assert kept is not None
    assert (kept.gates, kept.since) == ((Gate.OUTSIDE_SAFE_WINDOW,), began)
    world.now = START.replace(hour=18, minute=5)
    world.tick()
    with world.store() as work:
        assert last_refusal(work, debt) is None


def test_counsellors_are_left_for_callers_before_one_of_them_dials(store: Store, world: World) -> None:
    spare = with_outbound(store, reserved_seats=1)
    spare.queue.waiting = 1
    spare.tick()
    spare.queue.waiting = 0
    spare.queue.members = {"c017": Member(agent="c017")}
    debt = spare.debt().id
    with pytest.raises(Refused, match="人手不够"):
        asyncio.run(spare.round.dial(debt, actor="c017", agent="c017"))
    spare.queue.members["c018"] = Member(agent="c018")
    spare.now += MINUTE
    asyncio.run(spare.round.dial(debt, actor="c017", agent="c017"))
    assert [call.first_ring for call in spare.control.placed] == ["c017"]


def test_i5_a_supervisor_has_a_call_placed_outside_the_window_and_the_reason_stands_before_it(
    world: World,
) -> None:
    world.queue.waiting = 1
    world.tick()
    world.queue.waiting, world.now = 0, START.replace(hour=22, minute=30)
    debt = world.debt().id
    with pytest.raises(Forbidden):
        asyncio.run(world.round.dial(debt, actor="c017", agent="c017", override="家属请我们今晚务必打"))
    with pytest.raises(Refused):
        asyncio.run(world.round.dial(debt, actor="s001", agent="c017", override=" "))
    assert world.control.placed == []
    attempt = asyncio.run(world.round.dial(debt, actor="s001", agent="c017", override="家属请我们今晚务必打"))
    with world.store() as work:
        (event,) = work.book(DEBT_EVENTS).where(obligation=debt)
    assert (event.act, event.by, event.value) == (DebtAct.OVERRIDDEN, "s001", "outside_window")
    assert event.at <= attempt.at
    assert [call.id for call in world.control.placed] == [attempt.id]


def test_i5_an_override_lets_nothing_else_pass(world: World) -> None:
    world.tick()
    world.journal(world.control.placed[0].id, "opted_out")
    world.now = START.replace(hour=21)
    with pytest.raises(Refused, match="拒绝来电"):
        asyncio.run(world.round.dial(world.debt().id, actor="s001", override="家属请我们今晚务必打"))
    assert len(world.control.placed) == 1


# --- who climbs ------------------------------------------------------------------------------


def test_r35_misses_raise_a_debt_as_they_happen_and_an_answer_takes_it_back(world: World) -> None:
    world.tick()
    first = world.control.placed[0].id
    world.journal(first, "reached_self_ivr_ok")
    world.now = datetime(2026, 12, 24, 18, tzinfo=START.tzinfo)
    raised = []
    for day, word in ((24, None), (25, None), (28, "reached_self_no_key")):
        world.now = world.now.replace(day=day, hour=18)
        world.tick()
        answered = None if word is None else world.now
        world.journal(world.control.placed[-1].id, word, answered_at=answered, hangup_cause=19)
        raised.append(world.debt().raised)
    assert raised == [0, 2, 0]


def test_r35_key_2_after_key_1_raises_the_debt_it_was_pressed_for(world: World) -> None:
    world.tick()
    world.journal(world.control.placed[0].id, "reached_self_ivr_ok")
    world.tick()
    world.now = datetime(2026, 12, 24, 18, tzinfo=START.tzinfo)
    world.tick()
    world.journal(world.control.placed[1].id, "reached_self_callback")
    with world.store() as work:
        (owed,) = [o for o in work.debts.open(person="p1") if o.kind is Kind.HARDSHIP]
    assert owed.raised == 2
