"""What dialplan is told about callers, and about when the line is served: as facts under salted hashes.

No number, no name and no month stands in the PBX: keys are SHA-1 of salt and number, as dialplan
computes them (`callcenter.domain.reconcile`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from callcenter.config import Settings
from callcenter.domain import reconcile
from callcenter.domain.books import CALLER_PLANS, CASES
from callcenter.domain.cases import Case, CaseState
from callcenter.domain.hours import Week, openings
from callcenter.domain.levels import Level
from callcenter.domain.numbers import normalise
from callcenter.domain.people import Person, PhoneStatus
from callcenter.domain.privacy import CallerPlan, Wish
from callcenter.domain.users import User
from callcenter.ports import UnitOfWork
from callcenter.service.followup.debts import rules_of
from callcenter.service.names import salted
from callcenter.service.people.blocking import block_facts
from scheduler.cadence import SHANGHAI
from scheduler.calendar import Calendar
from scheduler.obligations import Obligation

#: Opening hours are laid this far ahead in the PBX; past it dialplan lets everybody in.
HOURS_AHEAD = timedelta(days=7)
#: A number that was found to be somebody else's says nothing about who calls from it.
_STRANGE_PHONES = frozenset({PhoneStatus.WRONG, PhoneStatus.QUARANTINED})
#: Words of a fact, in the order in which they stand there. `high_risk`: a case at level 0 or 1 (R21).
WORDS = ("no_menu", "slow", "dialect", "owed", "high_risk", "wants_woman", "wants_man")


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """When the line is served. Without a week: always."""

    week: Week = ()
    closed_on_holidays: bool = False
    calendar: Calendar = field(default_factory=Calendar)
    zone: tzinfo = SHANGHAI

    @classmethod
    def of(cls, settings: Settings) -> Opening:
        """Return what the site configured."""
        hours = settings.hours
        return cls(
            week=hours.week,
            closed_on_holidays=hours.closed_on_holidays,
            calendar=rules_of(settings).calendar,
            zone=settings.site.zone,
        )

    def is_open(self, now: datetime) -> bool:
        """Tell whether the line is served at `now`."""
        return not self.week or any(start <= now < end for start, end in self._spans(now, days=2))

    def fact(self, now: datetime) -> str:
        """Return the spans of the coming days and, as an empty span, where they stop being known.

        The same all day long, so that it is pushed once a day. Empty: always open.
        """
        if not self.week:
            return ""
        today = now.astimezone(self.zone).date()
        midnight = datetime.combine(today, datetime.min.time(), self.zone)
        known_until = midnight + HOURS_AHEAD
        spans = [s for s in self._spans(now, days=1 + HOURS_AHEAD.days) if s[1] > midnight]
        if len(spans) >= reconcile.MOST_SPANS:
            known_until, spans = spans[reconcile.MOST_SPANS - 1][0], spans[: reconcile.MOST_SPANS - 1]
        told = [(start, min(end, known_until)) for start, end in spans if start < known_until]
        return reconcile.spans_text([*told, (known_until, known_until)])

    def _spans(self, now: datetime, *, days: int) -> list[tuple[datetime, datetime]]:
        """Return the spans that begin yesterday (over midnight) or on the days after."""
        first = now.astimezone(self.zone).date() - timedelta(days=1)
        return openings(
            self.week,
            first,
            days,
            self.zone,
            lambda day: not (self.closed_on_holidays and self.calendar.is_holiday(day)),
        )


def line_facts(
    work: UnitOfWork, now: datetime, users: Iterable[User], opening: Opening, salt: str
) -> dict[str, str]:
    """Return every fact about callers and hours, `family/key` -> value."""
    hours = opening.fact(now)
    return {
        **({f"{reconcile.HOURS}/hotline": hours} if hours else {}),
        **block_facts(work, now, salt),
        **_facts_of_people(work, now.astimezone(opening.zone), {u.code for u in users}, salt),
    }


def words_about(person: Person, year: int, *, is_owed: bool, high_risk: bool = False, wish: Wish = "") -> str:
    """Return what a flow is told about somebody: words joined by `&`, empty if there is nothing to say."""
    spared = person.no_menu(year)
    known = {
        "no_menu": spared,
        "slow": spared,
        "dialect": person.speaks == "zh_wx",
        "owed": is_owed,
        "high_risk": high_risk,
        f"wants_{wish}": bool(wish),
    }
    return "&".join(word for word in WORDS if known.get(word))


def hashed(salt: str, text: str) -> str:
    """Return what dialplan computes of `text`: a number's key, or digits somebody is expected to know."""
    return salted(salt, text)


def _facts_of_people(work: UnitOfWork, now: datetime, agents: set[str], salt: str) -> dict[str, str]:
    owed = defaultdict(list)
    for obligation in work.debts.open():
        owed[obligation.person].append(obligation)
    tried = work.debts.last_by_hand()
    everybody = work.people.all()
    followed, plans = _followed(work, everybody), _plans(work, everybody)
    words: dict[str, set[str]] = defaultdict(set)
    urgency: dict[str, int] = {}
    owner: dict[str, str] = {}
    codes: dict[str, str] = {}
    # Whose case is worst comes last: of two people with one number, theirs is the word that stands.
    for person in sorted(everybody, key=lambda p: -_danger(followed.get(p.id))):
        theirs, case, plan = owed[person.id], followed.get(person.id), plans.get(person.id)
        about = _about(person, now.year, theirs, case, plan)
        named = _named(case, plan, agents)
        who = named or _owner(theirs, tried, agents, now)
        ranks = [*map(_urgency, theirs), _pressing(case), plan.rank if plan else 0]
        for number in numbers_of(person):
            words[number] |= about
            urgency[number] = max([urgency.get(number, 0), *ranks])
            if who is not None:
                owner[number] = who
        if person.spoken and named:
            codes[person.spoken] = named
    told = {n: "&".join(w for w in WORDS if w in about) for n, about in words.items()}
    return {
        **_facts(reconcile.FACT, told, salt),
        **_facts(reconcile.PRIORITY, {n: str(u) if u else "" for n, u in urgency.items()}, salt),
        **_facts(reconcile.OWNER, owner, salt),
        **_facts(reconcile.CODE, codes, salt),
    }


def _followed(work: UnitOfWork, everybody: Iterable[Person]) -> dict[str, Case]:
    """Return, per entry of a person, the worst case that is open for them, merges followed."""
    stands_for = {p.id: p.merged_into for p in everybody}
    cases: dict[str, Case] = {}
    for state in (CaseState.OPEN, CaseState.ACTIVE, CaseState.WATCH):
        for case in work.book(CASES).where(state=state):
            whole = _root(case.person, stands_for)
            cases[whole] = min((c for c in (cases.get(whole), case) if c), key=lambda c: (c.level, c.id))
    return {p: cases[root] for p in stands_for if (root := _root(p, stands_for)) in cases}


def _plans(work: UnitOfWork, everybody: Iterable[Person]) -> dict[str, CallerPlan]:
    """Return, per entry of a person, what was agreed with them: their own plan, else a merged entry's."""
    written = {plan.id: plan for plan in work.book(CALLER_PLANS).where()}
    if not written:
        return {}
    stands_for = {p.id: p.merged_into for p in everybody}
    plans: dict[str, CallerPlan] = {}
    for entry in sorted(written):
        whole = _root(entry, stands_for)
        plans[whole] = written.get(whole) or plans.get(whole) or written[entry]
    return {p: plans[root] for p in stands_for if (root := _root(p, stands_for)) in plans}


def _root(person: str, stands_for: Mapping[str, str | None]) -> str:
    for _ in stands_for:
        if (merged := stands_for.get(person)) is None:
            break
        person = merged
    return person


def _about(
    person: Person, year: int, owed: list[Obligation], case: Case | None, plan: CallerPlan | None
) -> set[str]:
    at_risk = case is not None and case.level.is_high
    wish = plan.wish if plan else ""
    told = words_about(person, year, is_owed=bool(owed), high_risk=at_risk, wish=wish)
    return set(filter(None, told.split("&")))


def _danger(case: Case | None) -> int:
    """Return a level for ordering; who has no case comes after everybody who has one."""
    return int(Level.INFORMATION) + 1 if case is None else int(case.level)


def _pressing(case: Case | None) -> int:
    """Return the queue rank a case gives: 9 at level 0 and 1, 8 at level 2, none below."""
    if case is None or case.level > Level.MEDIUM:
        return 0
    return 9 if case.level.is_high else 8


def _facts(family: str, values: dict[str, str], salt: str) -> dict[str, str]:
    return {f"{family}/{hashed(salt, number)}": value for number, value in values.items() if value}


def numbers_of(person: Person) -> Iterator[str]:
    """Yield the numbers that tell who calls."""
    for phone in person.phones:
        if phone.status not in _STRANGE_PHONES and (number := normalise(phone.number)) is not None:
            yield number


def _named(case: Case | None, plan: CallerPlan | None, agents: set[str]) -> str | None:
    """Return who is theirs by name: the owner of their case, else the worker their plan names."""
    by_name = (case.owner if case else None, plan.worker if plan else None)
    return next((agent for agent in by_name if agent in agents), None)


def _owner(
    owed: list[Obligation], tried: dict[str, tuple[datetime, str]], agents: set[str], now: datetime
) -> str | None:
    """Return whose they are by a debt: who holds one now, else who last tried one by hand."""
    held = [o.lease.owner for o in owed if o.lease is not None and o.lease.holds(now)]
    holders = [owner for owner in held if owner in agents]
    if holders:
        return holders[0]
    by_hand = sorted(tried[o.id] for o in owed if o.id in tried and tried[o.id][1] in agents)
    return by_hand[-1][1] if by_hand else None


def _urgency(obligation: Obligation) -> int:
    """Return the queue rank: larger goes first, 1 to 9."""
    return max(1, min(9, 10 - obligation.priority))
