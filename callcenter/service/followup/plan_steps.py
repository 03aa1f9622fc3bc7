"""The steps of plans in the ledger: which one is owed now, and how one ends.

Derived from plans, evidence and closings, so that it may be done at any time and any number of times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from callcenter.domain.books import PLANS
from callcenter.domain.ledger import Plan, PlanKind, PlanState
from callcenter.domain.people import ExitReason, FileStatus, HardshipFile, SuppressionKind, in_force
from callcenter.errors import Conflict, Refused
from callcenter.ports import UnitOfWork
from callcenter.service.followup.settling import SYSTEM, details_of, note
from callcenter.service.followup.sweeping import Swept, is_leased
from callcenter.service.names import digest
from scheduler.gates import Rules
from scheduler.obligations import ClosingKind, Kind, Mode, Obligation
from scheduler.series import Series, Stop, late, stop

#: A treatment call of today comes before a talk, and that before routine.
PRIORITY = {PlanKind.HOSPITAL_DAY: 3, PlanKind.COUNSELLING: 4, PlanKind.OTHER: 4}
#: Steps missed in a row raise the next one by so much at most (R35).
_MOST_RAISED = 2
#: Endings after which the same day may still be owed.
_UNDONE = frozenset({ClosingKind.SUPERSEDED, ClosingKind.DIED, ClosingKind.REFUSED, ClosingKind.LEFT})
#: More stops than ever lie between one that was kept and the next one that is owed.
_LONGEST_SEARCH = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asleep:
    """Why nothing is owed under a plan that stands."""

    words: str
    kind: ClosingKind
    #: It is certain: the plan ends with it.
    for_good: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Past:
    """What of a plan was dealt with, as far as it decides what comes next."""

    #: Days that a contact kept, in whatever round.
    kept: frozenset[date] = frozenset()
    #: The last day of this round that was kept or let go.
    last_day: date = date.min
    #: The last day on which something was kept or let go.
    last_at: date = date.min


def series_of(plan: Plan) -> Series:
    """Return a plan's days. A hospital's stand where they are; talks move to the last workday before."""
    return Series(
        anchor=plan.anchor,
        every_days=plan.every_days,
        every_months=plan.every_months,
        days_before=plan.days_before,
        hour=plan.hour,
        until=plan.until,
        moves=plan.kind is not PlanKind.HOSPITAL_DAY,
    )


def belongs(obligation: Obligation, plan: Plan) -> bool:
    """Tell whether a debt is a step of a plan."""
    return obligation.kind is Kind.PLANNED and obligation.origin.split("/")[0] == plan.id


def day_of(obligation: Obligation) -> date | None:
    """Return the day that a step is about; None when its words were erased."""
    text = details_of(obligation).get("day")
    return date.fromisoformat(text) if text else None


def number_of(obligation: Obligation) -> int:
    """Return which day of its plan's series a step is about, from 0."""
    return int(obligation.origin.split("#")[0].split("/")[2])


def round_of(obligation: Obligation) -> int:
    """Return in which round of its plan a step was opened."""
    return int(obligation.origin.split("/")[1])


def sweep_some(work: UnitOfWork, plans: Sequence[Plan], now: datetime, rules: Rules) -> Swept:
    """Bring what these plans call for up to date. What is being worked on is left for the next time."""
    return _Sweep(work, plans, now, rules).swept()


def ended_steps(
    work: UnitOfWork, plan: Plan, words: str, kind: ClosingKind, *, by: str, now: datetime
) -> tuple[str, ...]:
    """End what is owed under a plan; return the ids."""
    mine = [o for o in work.debts.open(person=plan.person, kind=Kind.PLANNED) if belongs(o, plan)]
    for one in mine:
        _close(work, one, words, kind, by, now)
    return tuple(one.id for one in mine)


def first_owed(work: UnitOfWork, plan: Plan, now: datetime, rules: Rules) -> Stop | None:
    """Return what a plan would owe next, whether or not it is on record; None: nothing ever."""
    return _Sweep(work, [plan], now, rules).next_of(plan)


def begin_anew(work: UnitOfWork, plan: Plan, words: str, *, by: str, now: datetime, rules: Rules) -> None:
    """Let what was owed give way to what a plan owes from now on: what is due stays, or counts as missed."""
    _Sweep(work, [plan], now, rules).begin_anew(plan, words, by)


def stays(plan: Plan, old: Obligation, following: Stop | None, now: datetime, rules: Rules) -> bool:
    """Tell whether a step that is due, or will be today, stays owed although its plan began anew.

    Not if the plan owes a contact today anyway, and not where it would be of no use any more: about a day
    that is no hospital day now, or a talk for which somebody named another day.
    """
    zone = rules.windows.zone
    today, day = now.astimezone(zone).date(), day_of(old)
    if old.due_at.astimezone(zone).date() > today or day is None:
        return False
    today_anyway = following is not None and following.due_at.astimezone(zone).date() <= today
    if today_anyway and now <= old.window_end:
        return False
    if plan.kind is not PlanKind.HOSPITAL_DAY:
        return plan.anchor < today or following is None
    series = series_of(plan)
    return day >= today and series.day(series.first_from(day)) == day


def end_of_life(work: UnitOfWork, persons: Sequence[str], *, by: str, now: datetime) -> None:
    """End every plan of somebody whose death a named person has established (R34)."""
    for plan in (p for one in persons for p in work.book(PLANS).where(person=one, state=PlanState.ACTIVE)):
        ended_steps(work, plan, "本人已去世", ClosingKind.DIED, by=by, now=now)
        work.book(PLANS).put(replace(plan, state=PlanState.ENDED, ended_because="本人已去世"))
        note(work, by, "plan.end", f"plan:{plan.id}", now, reason="died")


class _Sweep:
    """Several plans at once: what is asked of all of them is read together."""

    def __init__(self, work: UnitOfWork, plans: Sequence[Plan], now: datetime, rules: Rules) -> None:
        self._work, self._plans, self._now, self._rules = work, plans, now, rules
        people = {plan.person for plan in plans}
        self._today = now.astimezone(rules.windows.zone).date()
        self._open = work.debts.open_of(people)
        self._wishes = work.people.suppressions_of(people)
        self._files = work.people.files_of_many(people)
        self._busy = {attempt.obligation for attempt in work.debts.attempts_in_doubt()}
        self._opened: list[str] = []
        self._moved: list[str] = []
        self._left: list[str] = []

    def swept(self) -> Swept:
        """Look at every plan and write what follows."""
        for plan in self._plans:
            self._look_at(plan)
        return Swept(opened=tuple(self._opened), moved=tuple(self._moved), left=tuple(self._left))

    def next_of(self, plan: Plan) -> Stop | None:
        """Return what is owed next under a plan, or None after the last one."""
        return self._next(plan)

    def begin_anew(self, plan: Plan, words: str, by: str) -> None:
        """Close by name what gives way, and owe what follows: a rank higher for one that was due."""
        following, today, raised = self._next(plan), self._today, 0
        for old in self._standing(plan):
            if stays(plan, old, following, self._now, self._rules):
                return
            _close(self._work, old, words, ClosingKind.SUPERSEDED, by, self._now)
            overdue = self._now > old.window_end
            is_today = following is not None and self._day(following.due_at) <= today
            missed = self._day(old.due_at) <= today and (overdue or not is_today)
            raised = max(raised, old.raised + missed)
        if self._asleep(plan) is None:
            self._owe_next(plan, missed=raised)

    def _standing(self, plan: Plan) -> list[Obligation]:
        return [o for o in self._open.get(plan.person, ()) if belongs(o, plan)]

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(self._rules.windows.zone).date()

    def _look_at(self, plan: Plan) -> None:
        standing = self._standing(plan)
        if any(o.id in self._busy or is_leased(o, self._now) for o in standing):
            return
        if (asleep := self._asleep(plan)) is not None:
            self._rest(plan, asleep)
        elif not standing:
            self._owe_next(plan, missed=0)
        else:
            self._keep_standing(plan, standing[0])

    def _asleep(self, plan: Plan) -> _Asleep | None:
        gone = next((f for f in self._files.get(plan.person, ()) if _tells_of_death(f)), None)
        if gone is not None:
            words, sure = f"档案 {gone.file_no} 登记为死亡", gone.exit_confirmed_by is not None
            return _Asleep(words=words, kind=ClosingKind.DIED, for_good=sure)
        said = in_force(self._wishes.get(plan.person, ()), self._now)
        if any(w.kind is SuppressionKind.TOPIC and w.topic == Kind.PLANNED.value for w in said):
            return _Asleep(words="本人不愿按计划联系", kind=ClosingKind.REFUSED)
        return None

    def _rest(self, plan: Plan, why: _Asleep) -> None:
        ended = ended_steps(self._work, plan, why.words, why.kind, by=SYSTEM, now=self._now)
        self._left += ended
        if why.for_good:
            self._end(plan, why.words, "died")

    def _end(self, plan: Plan, words: str, code: str) -> None:
        self._work.book(PLANS).put(replace(plan, state=PlanState.ENDED, ended_because=words))
        note(self._work, SYSTEM, "plan.end", f"plan:{plan.id}", self._now, reason=code)

    def _keep_standing(self, plan: Plan, standing: Obligation) -> None:
        day = day_of(standing)
        if plan.kind is PlanKind.HOSPITAL_DAY and day is not None and day < self._today:
            words = f"{day} 已过，这一次没有联系上"
            _close(self._work, standing, words, ClosingKind.SUPERSEDED, SYSTEM, self._now)
            self._left.append(standing.id)
            self._owe_next(plan, missed=standing.raised + 1)
            return
        if round_of(standing) != plan.round:
            return  # it was due when the plan began anew, and is counted by the days of before
        at = self._stop(plan, number_of(standing))
        # The calendar may have become another one. What is due already is not moved out of its breach.
        if at is not None and at.due_at != standing.due_at and self._now < standing.due_at:
            _close(self._work, standing, "日历有变，改期", ClosingKind.SUPERSEDED, SYSTEM, self._now)
            self._moved.append(self._add(plan, at, standing.raised))

    def _owe_next(self, plan: Plan, missed: int) -> None:
        at = self._next(plan)
        if at is None:
            self._end(plan, "已到计划终止的日子", "over")
        else:
            self._opened.append(self._add(plan, at, min(missed, _MOST_RAISED)))

    def _next(self, plan: Plan) -> Stop | None:
        """Return the stop that is owed next, or None after the last one."""
        past, anchored = self._past(plan), plan.anchored_at or plan.at
        first = max(past.last_day, anchored.astimezone(self._rules.windows.zone).date())
        if plan.kind is PlanKind.HOSPITAL_DAY:
            first = max(first, self._today)
        for at in self._stops(plan, first):
            if at.day <= past.last_day or at.day in past.kept or at.window_end < anchored:
                continue
            # Talks whose day came while an earlier one was still owed are one debt with it.
            if plan.kind is PlanKind.HOSPITAL_DAY or at.due_at.date() > past.last_at:
                return at
        return None

    def _stops(self, plan: Plan, first: date) -> Iterator[Stop]:
        begin = series_of(plan).first_from(first)
        for n in range(begin, begin + _LONGEST_SEARCH):
            at = self._stop(plan, n)
            if at is None:
                return
            yield at

    def _stop(self, plan: Plan, n: int) -> Stop | None:
        at = stop(series_of(plan), n, calendar=self._rules.calendar, windows=self._rules.windows)
        return at and late(at, plan.anchored_at or plan.at, self._rules.windows)

    def _past(self, plan: Plan) -> _Past:
        zone, found = self._rules.windows.zone, _Past()
        for one in (o for o in self._work.debts.of_person(plan.person) if belongs(o, plan)):
            proofs = [proof.at for proof in self._work.debts.evidence(one.id)]
            closed = one.closing if one.closing and one.closing.kind not in _UNDONE else None
            day = day_of(one)
            if day is None or not (proofs or closed):
                continue
            # What was due when the plan began anew, and was let go afterwards, is dealt with in this round.
            lately = closed is not None and closed.at >= (plan.anchored_at or plan.at)
            this_round = round_of(one) == plan.round or lately
            ended = max(proofs) if proofs else closed.at if closed and this_round else None
            found = _Past(
                kept=found.kept | {day} if proofs else found.kept,
                last_day=max(found.last_day, day) if this_round else found.last_day,
                last_at=max(found.last_at, ended.astimezone(zone).date()) if ended else found.last_at,
            )
        return found

    def _add(self, plan: Plan, at: Stop, raised: int) -> str:
        """Owe a stop. One of the same day that was superseded does not stand in its way."""
        for again in range(100):
            one = _step(plan, at, raised, self._now, f"#{again}" if again else "")
            if self._work.debts.add(one):
                note(self._work, SYSTEM, "obligation.open", one.id, self._now, reason="plan")
                return one.id
            if self._work.debts.get(one.id).closing is None:
                return one.id  # somebody else swept at the same moment
        raise Conflict(f"{plan.id}: its step cannot be opened")


def _step(plan: Plan, at: Stop, raised: int, now: datetime, mark: str) -> Obligation:
    origin = f"{plan.id}/{plan.round}/{at.n}{mark}"
    return Obligation(
        id=f"ob-{digest(f'planned/{origin}/{at.due_at.isoformat()}')}",
        person=plan.person,
        kind=Kind.PLANNED,
        due_at=at.due_at,
        window_end=at.window_end,
        mode=Mode.HUMAN_ONLY,
        priority=PRIORITY[plan.kind],
        origin=origin,
        detail=f"plan={plan.id}&day={at.day}",
        created_at=now,
        owner=plan.owner,
        raised=raised,
    )


def _close(work: UnitOfWork, one: Obligation, words: str, kind: ClosingKind, by: str, now: datetime) -> None:
    work.debts.close(one.id, words, by, now, kind)
    verb = "obligation.supersede" if kind is ClosingKind.SUPERSEDED else "obligation.close"
    note(work, by, verb, one.id, now, reason="plan")


def _tells_of_death(file: HardshipFile) -> bool:
    return file.status is FileStatus.CLOSED and file.exit_reason is ExitReason.DIED


def counts_from(plan: Plan, obligation: Obligation) -> datetime:
    """Return from when on a contact keeps a step: one long before is one more contact, and not this one.

    A quarter of the time between, and at most a day before a hospital day's call, a week before a talk.
    """
    length = max(obligation.due_at - obligation.created_at, timedelta(0))
    most = timedelta(days=1 if plan.kind is PlanKind.HOSPITAL_DAY else 7)
    return obligation.due_at - min(length / 4, most)


def check_in_time(work: UnitOfWork, obligation: Obligation, at: datetime) -> None:
    """Raise `Refused` for a contact that was too early to keep a step."""
    if obligation.kind is not Kind.PLANNED:
        return
    plan = work.book(PLANS).one(obligation.origin.split("/")[0])
    if plan is not None and at < counts_from(plan, obligation):
        raise Refused("这次联系离计划的日子还早，不能算作这一次：它仍是一次联系，请照常写接访记录。")
