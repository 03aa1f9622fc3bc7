"""Where a call goes, by the facts alone: each branch of the dry run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.domain.routing import Caller, Facts, LineRules, Stage, Step, Why, route

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
EPOCH = int(NOW.timestamp())
AROUND = f"{EPOCH - 3600}-{EPOCH + 3600}"
WANG = Caller(number="wang")
SECONDS = timedelta(seconds=1)
RULES = LineRules(
    agents=frozenset({"c001", "c002", "c003", "c004", "s001", "s002"}),
    chain=("s001", "s002"),
    ring=20 * SECONDS,
    chain_ring=25 * SECONDS,
    wish_wait=20 * SECONDS,
    wait_cap=180 * SECONDS,
    surge_cap=45 * SECONDS,
)


def on(*agents: str, **more: str) -> dict[str, str]:
    """Return the facts of people at the line; further facts as `family_key="value"`."""
    here = {
        f"hotline-{family}/{a}": value
        for a in agents
        for family, value in (("shift", AROUND), ("signed", "1"))
    }
    return here | {f"hotline-{key.replace('__', '/')}": value for key, value in more.items()}


def way(facts: Facts, caller: Caller = WANG, **options: frozenset[str]) -> dict[Stage, Step]:
    return {step.stage: step for step in route(facts, NOW, caller, RULES, **options)}


def rung(step: Step) -> list[str]:
    return [one.agent for one in step.who]


def test_on_an_ordinary_evening_everybody_on_duty_is_rung_least_burdened_first() -> None:
    steps = route(on("c001", "c002", "c003", load__c001="4", load__c003="1"), NOW, WANG, RULES)
    stages = [step.stage for step in steps]
    assert stages == ["known", "hours", "owner", "queue", "offer", "backups", "chain", "again"]
    assert rung(steps[3]) == ["c002", "c003", "c001"]
    assert (steps[3].lasts, steps[2].why) == (RULES.wait_cap, Why.NO_OWNER)


def test_a_blocked_number_rings_nobody_until_the_block_is_over() -> None:
    facts = on("c001", block__wang=str(EPOCH + 1), owner__wang="c001")
    assert [(s.stage, s.why) for s in route(facts, NOW, WANG, RULES)] == [(Stage.BLOCKED, Why.SAID)]
    assert Stage.BLOCKED not in way(on("c001", block__wang=str(EPOCH)))


def test_what_is_known_of_the_caller_and_their_rank_are_told() -> None:
    known = way(on("c001", fact__wang="owed&dialect", prio__wang="9"))[Stage.KNOWN]
    assert (known.words, known.rank) == (("owed", "dialect"), 9)
    withheld = way(on("c001", fact__wang="owed", prio__wang="9"), Caller())
    assert (withheld[Stage.KNOWN].words, withheld[Stage.KNOWN].rank) == ((), 0)
    assert withheld[Stage.OWNER].why is Why.NO_NUMBER


@pytest.mark.parametrize(
    ("hours", "why"),
    [
        ("", Why.OPEN),
        (AROUND, Why.OPEN),
        (f"{EPOCH + 9}-{EPOCH + 99}", Why.CLOSED),
        (f"{EPOCH - 99}-{EPOCH}&{EPOCH + 600}-{EPOCH + 600}", Why.CLOSED),
        (f"{EPOCH - 99}-{EPOCH - 9}&{EPOCH - 5}-{EPOCH - 5}", Why.OPEN),
    ],
)
def test_hours_change_the_last_message_only(hours: str, why: Why) -> None:
    served = way(on("c001", hours__hotline=hours))
    assert (served[Stage.HOURS].why, rung(served[Stage.QUEUE])) == (why, ["c001"])
    assert way({"hotline-hours/hotline": hours})[Stage.CLOSING].why is why


def test_the_callers_own_counsellor_comes_first() -> None:
    step = way(on("c001", "c002", owner__wang="c002"))[Stage.OWNER]
    assert (rung(step), step.lasts) == (["c002"], RULES.ring)


@pytest.mark.parametrize(
    ("more", "busy", "why"),
    [
        ({"owner__wang": "c009"}, frozenset(), Why.NO_PHONE),
        ({"owner__wang": "c002"}, frozenset(), Why.OFF_SHIFT),
        ({"owner__wang": "c002", "shift__c002": AROUND}, frozenset(), Why.NOT_SIGNED_ON),
        ({"owner__wang": "c001", "paused__c001": "meal"}, frozenset(), Why.PAUSED),
        ({"owner__wang": "c001", "debrief__c001": "1"}, frozenset(), Why.DEBRIEF),
        ({"owner__wang": "c001"}, frozenset({"c001"}), Why.BUSY),
    ],
)
def test_an_own_counsellor_who_cannot_take_it_costs_the_caller_nothing(
    more: dict[str, str], busy: frozenset[str], why: Why
) -> None:
    step = way(on("c001", **more), busy=busy)[Stage.OWNER]
    assert (step.why, step.who, step.lasts) == (why, (), timedelta(0))
    assert step.passed_over[0][1] is why


def test_a_code_asks_for_its_counsellor_instead_of_the_callers_own() -> None:
    facts = on("c001", "c002", code__six="c001", owner__wang="c002")
    found = way(facts, Caller(number="wang", code="six"))
    assert rung(found[Stage.CODE]) == ["c001"]
    assert Stage.OWNER not in found
    assert way(facts, Caller(number="wang", code="other"))[Stage.CODE].why is Why.UNKNOWN_CODE
    assert rung(way(facts, Caller(code="six"))[Stage.CODE]) == ["c001"]


def test_somebody_in_danger_waits_first_for_those_trained_for_it_then_for_all_but_trainees() -> None:
    facts = on(
        *("c001", "c002", "c003"),
        fact__wang="high_risk",
        **{"skill__c002": "crisis", "skill__c003": "crisis&trainee"},
    )
    found = way(facts)
    assert [(s, rung(found[s])) for s in (Stage.CRISIS, Stage.EXPERIENCED, Stage.QUEUE)] == [
        (Stage.CRISIS, ["c002"]),
        (Stage.EXPERIENCED, ["c001", "c002"]),
        (Stage.QUEUE, ["c001", "c002"]),
    ]
    assert ("c003", Why.TRAINEE) in found[Stage.CRISIS].passed_over
    assert found[Stage.QUEUE].lasts == RULES.wait_cap - 2 * RULES.wish_wait


def test_in_danger_with_only_trainees_there_nobody_waits_for_others() -> None:
    found = way(on("c001", fact__wang="high_risk", skill__c001="crisis&trainee"))
    assert found[Stage.CRISIS].why is Why.ONLY_TRAINEES
    assert found[Stage.EXPERIENCED].why is Why.ONLY_TRAINEES
    assert (rung(found[Stage.QUEUE]), found[Stage.QUEUE].lasts) == (["c001"], RULES.wait_cap)
    assert way(on("c001", fact__wang="high_risk"))[Stage.CRISIS].why is Why.NOBODY_THERE


def test_danger_goes_before_any_wish() -> None:
    found = way(on("c001", fact__wang="high_risk&wants_woman", skill__c001="woman"))
    assert Stage.WOMAN not in found


def test_a_wish_is_waited_for_a_while_where_somebody_is_there() -> None:
    facts = on("c001", "c002", fact__wang="wants_woman", skill__c002="woman")
    found = way(facts)
    assert (rung(found[Stage.WOMAN]), found[Stage.WOMAN].lasts) == (["c002"], RULES.wish_wait)
    assert found[Stage.QUEUE].lasts == RULES.wait_cap - RULES.wish_wait
    alone = way(on("c001", fact__wang="wants_man"))
    assert alone[Stage.MAN].why is Why.NOBODY_THERE
    assert alone[Stage.QUEUE].lasts == RULES.wait_cap


def test_to_be_understood_comes_before_whose_voice_it_is() -> None:
    facts = on("c001", "c002", fact__wang="wants_woman", skill__c001="woman", skill__c002="dialect")
    order = [s.stage for s in route(facts, NOW, Caller(number="wang", dialect=True), RULES)]
    assert order.index(Stage.DIALECT) < order.index(Stage.WOMAN) < order.index(Stage.QUEUE)
    assert rung(way(on("c001", fact__wang="dialect", skill__c001="dialect"))[Stage.DIALECT]) == ["c001"]


def test_a_trainee_is_rung_while_nobody_else_is_free() -> None:
    facts = on("c001", "c002", skill__c001="trainee", load__c002="9")
    queue = way(facts)[Stage.QUEUE]
    assert (rung(queue), queue.passed_over) == (["c002"], (("c001", Why.TRAINEE),))
    queue = way(facts, busy=frozenset({"c002"}))[Stage.QUEUE]
    assert (rung(queue), queue.passed_over) == (["c001"], (("c002", Why.BUSY),))


def test_who_is_planned_and_not_rung_is_named_with_the_reason() -> None:
    facts = on("c001", "c002", "c003", paused__c002="rest", debrief__c003="1", shift__c004=AROUND)
    assert way(facts)[Stage.QUEUE].passed_over == (
        ("c002", Why.PAUSED),
        ("c003", Why.DEBRIEF),
        ("c004", Why.NOT_SIGNED_ON),
    )


def test_with_nobody_on_duty_backups_and_the_chain_are_rung_at_once_and_then_the_truth_is_told() -> None:
    steps = route({"hotline-backup/c003": AROUND, "hotline-backup/s001": AROUND}, NOW, WANG, RULES)
    by = {step.stage: step for step in steps}
    assert [s.stage for s in steps][-4:] == ["queue", "backups", "chain", "closing"]
    assert by[Stage.QUEUE].why is Why.NOBODY_THERE
    assert (rung(by[Stage.BACKUPS]), rung(by[Stage.CHAIN])) == (["c003", "s001"], ["s002"])
    assert by[Stage.CHAIN].passed_over == (("s001", Why.RUNG_BEFORE),)
    assert by[Stage.BACKUPS].lasts == RULES.chain_ring


def test_a_backup_who_is_owed_a_debriefing_or_talks_or_is_in_the_queue_is_not_rung_at_home() -> None:
    on_call = {f"backup__{agent}": AROUND for agent in ("c001", "c002", "c003", "c004")}
    facts = on("c001", debrief__c002="1", **on_call)
    backups = way(facts, busy=frozenset({"c003"}))[Stage.BACKUPS]
    assert rung(backups) == ["c004"]
    assert backups.passed_over == (("c001", Why.IN_QUEUE), ("c002", Why.DEBRIEF), ("c003", Why.BUSY))


def test_with_nobody_anywhere_the_caller_hears_at_once_who_else_is_there() -> None:
    nobody = LineRules(
        agents=frozenset(),
        chain=(),
        ring=SECONDS,
        chain_ring=SECONDS,
        wish_wait=SECONDS,
        wait_cap=SECONDS,
        surge_cap=SECONDS,
    )
    steps = route({}, NOW, Caller(), nobody)
    assert [s.stage for s in steps if s.happens] == ["known", "hours", "closing"]


def test_in_a_surge_backups_are_rung_like_everybody_and_callers_are_told_sooner() -> None:
    facts = on("c001", backup__c003=AROUND, surge__until=str(EPOCH + 60))
    found = way(facts)
    assert rung(found[Stage.QUEUE]) == ["c001", "c003"]
    assert found[Stage.QUEUE].lasts == RULES.surge_cap
    assert found[Stage.BACKUPS].passed_over == (("c003", Why.IN_QUEUE),)
    assert rung(way(on("c001", backup__c003=AROUND, surge__until=str(EPOCH)))[Stage.QUEUE]) == ["c001"]


def test_where_wishes_use_up_the_wait_the_choice_is_said_next() -> None:
    facts = on(
        *("c001", "c002"),
        fact__wang="dialect&wants_woman&wants_man",
        surge__until=str(EPOCH + 60),
        **{"skill__c001": "dialect&woman", "skill__c002": "man"},
    )
    found = way(facts)
    assert [found[s].lasts.total_seconds() for s in (Stage.DIALECT, Stage.WOMAN, Stage.MAN)] == [20, 20, 5]
    assert found[Stage.QUEUE].why is Why.NO_TIME_LEFT
    assert Stage.OFFER in found


words = st.sampled_from(["", "high_risk", "wants_woman", "wants_man", "dialect", "owed&high_risk"])
agents = st.sampled_from(sorted(RULES.agents))
families = st.sampled_from(["shift", "signed", "paused", "debrief", "backup", "skill", "load"])
VALUES = {"shift": AROUND, "signed": "1", "paused": "rest", "debrief": "1", "backup": AROUND, "load": "7"}


@given(
    pairs=st.lists(st.tuples(families, agents), max_size=40),
    skill=st.sampled_from(["crisis", "woman", "trainee", "man&dialect", "crisis&trainee"]),
    known=words,
    busy=st.frozensets(agents),
)
def test_no_way_loses_a_caller_and_no_resting_phone_rings(
    pairs: list[tuple[str, str]], skill: str, known: str, busy: frozenset[str]
) -> None:
    facts = {f"hotline-{family}/{agent}": VALUES.get(family, skill) for family, agent in pairs}
    facts["hotline-fact/wang"] = known
    steps = route(facts, NOW, WANG, RULES, busy=busy)
    assert steps[-1].stage in (Stage.AGAIN, Stage.CLOSING)
    before = [s for s in steps if s.stage not in (Stage.BACKUPS, Stage.CHAIN)]
    for agent in (one.agent for step in before for one in step.who):
        assert agent not in busy
        assert not {f"hotline-paused/{agent}", f"hotline-debrief/{agent}"} & facts.keys()
    waits = sum((s.lasts for s in before if s.stage is not Stage.OWNER), timedelta(0))
    assert waits <= RULES.wait_cap
