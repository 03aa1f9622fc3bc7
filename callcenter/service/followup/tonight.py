"""What the dialler will do: the gates asked ahead of time, for what is owed until then (R22).

A look ahead, on what is known now: as if no caller rang in, and every call ended as assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from callcenter.domain.access import Verb
from callcenter.domain.people import SuppressionKind, in_force
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup import debt_views
from callcenter.service.followup.debt_views import DebtView
from callcenter.service.followup.debts import LineFacts, has_ivr_consent, situation_of
from callcenter.service.followup.pausing import standing
from callcenter.service.followup.settling import numbers_now
from callcenter.service.followup.sweeping import is_leased
from scheduler.gates import Line, Rules, Situation, step_of
from scheduler.ladder import Who
from scheduler.obligations import Mode, Obligation, Result
from scheduler.outlook import Asked, Held, Try, simulate

#: So many debts are looked at, of machines' and of people's; the caps let far fewer through in a day.
MOST = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Tonight:
    """What is ahead until `until`."""

    until: datetime
    #: What a machine would dial, in time's order, with the debt it is for.
    tries: tuple[tuple[Try, DebtView], ...]
    #: What a machine might dial and would not, and the gates that say so.
    held: tuple[tuple[Held, DebtView], ...]
    #: What waits for a person, the most pressing first.
    people: tuple[DebtView, ...]
    #: Debts further down that nobody looked at.
    beyond: int


@guarded(Verb.QUEUE_SEE)
def tonight(
    work: UnitOfWork,
    facts: LineFacts,
    *,
    until: datetime,
    line: Line,
    assume: Result = Result.NO_ANSWER,
    every: timedelta = timedelta(minutes=1),
    actor: str,
) -> Tonight:
    """Return what the dialler will do until `until`; raise `Forbidden`.

    `line`: what the site has while nobody rings in; `every`: how often the dialler goes its round.
    """
    allow(work, actor, Verb.QUEUE_SEE)
    owed = [one for one in work.debts.page(facts.now, until=until) if one.due_at <= until]
    machine, looked = _of_machines(work, facts, sorted(owed, key=_dispatchers_order), until)
    looks = [_asked(view, facts, until, to_dial=True) for view in machine.values()]
    ahead = simulate(looks, start=facts.now, until=until, line=line, assume=assume, every=every)
    by_hand = [
        one for one in owed if one.id not in machine and (one.mode is Mode.HUMAN_ONLY or one.id in looked)
    ]
    people = debt_views.views(work, by_hand[:MOST], facts)
    return Tonight(
        until=until,
        tries=tuple((one, machine[one.obligation]) for one in ahead.tries),
        held=tuple((one, machine[one.obligation]) for one in _never_dialled(ahead.held, ahead.tries)),
        people=tuple(people),
        beyond=len(owed) - len(machine) - len(people),
    )


def _dispatchers_order(one: Obligation) -> tuple[object, ...]:
    """Return the place in which the dispatcher takes it up, as `Debts.due` does (R29)."""
    return one.window_end, one.priority, one.due_at, one.id


def _of_machines(
    work: UnitOfWork, facts: LineFacts, owed: Sequence[Obligation], until: datetime
) -> tuple[dict[str, DebtView], set[str]]:
    """Return the first debts that a machine may dial by then, and the ids of all that were asked for it."""
    machine: dict[str, DebtView] = {}
    looked: set[str] = set()
    automatic = [one for one in owed if one.mode is Mode.IVR_OK]
    for first in range(0, len(automatic), MOST):
        for view in debt_views.unread(work, automatic[first : first + MOST], facts):
            looked.add(view.id)
            if _may_be_dialled(view, facts, until):
                view.read()
                machine[view.id] = view
            if len(machine) == MOST:
                return machine, looked
    return machine, looked


def _may_be_dialled(view: DebtView, facts: LineFacts, until: datetime) -> bool:
    """Tell whether the next step is a machine's now, or is once an opt-out of theirs has ended."""
    if not view.may_be_automatic:
        return False
    asked = _asked(view, facts, until)
    return any(step_of(asked.as_of(at)).who is Who.IVR for at in (facts.now, *asked.changes))


def _asked(view: DebtView, facts: LineFacts, until: datetime, *, to_dial: bool = False) -> Asked:
    """Return a debt as it will be at any instant, by what is on record now.

    `to_dial`: with what was learnt of the person, as the dispatcher asks.
    """
    work, one, person = view.work, view.obligation, view.person
    base = situation_of(work, one, facts, to_dial=True) if to_dial else view.situation
    said = work.people.suppressions(person.id)
    others = [other for other in work.debts.open(person=person.id) if other.id != one.id]
    rules_at = _rules_at(work, facts)

    def as_of(at: datetime) -> Situation:
        holds = in_force(said, at)
        kinds = {opt_out.kind for opt_out in holds}
        topics = {opt_out.topic for opt_out in holds if opt_out.kind is SuppressionKind.TOPIC}
        wall = at.astimezone(facts.zone).time()
        then = replace(
            base.person,
            ivr_consent=has_ivr_consent(work, person.id, at),
            no_automation=SuppressionKind.AUTOMATION in kinds,
            no_outbound=SuppressionKind.ALL_OUTBOUND in kinds,
            refused_topic=one.kind in topics,
            safe_phones=len(numbers_now(person, one, wall)),
            leased_elsewhere=any(is_leased(other, at) for other in others),
            # Whoever is talking with us now has hung up by then.
            live_call=base.person.live_call and at <= facts.now,
        )
        return replace(base, now=at, person=then, rules=rules_at(at))

    ends = {opt_out.until for opt_out in said if opt_out.until is not None}
    return Asked(as_of=as_of, changes=tuple(sorted(end for end in ends if facts.now < end <= until)))


def _rules_at(work: UnitOfWork, facts: LineFacts) -> Callable[[datetime], Rules]:
    """Return the site's rules as of an instant: a pause that has an end ends then."""
    paused, pause = facts.rules, standing(work, facts.now)
    if pause is None or pause.until is None:
        return lambda at: paused
    end, after = pause.until, facts.plain_rules
    return lambda at: paused if at < end else after


def _never_dialled(held: Sequence[Held], tries: Sequence[Try]) -> list[Held]:
    dialled = {one.obligation for one in tries}
    return [one for one in held if one.obligation not in dialled]
