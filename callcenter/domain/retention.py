"""How long things are kept, and what is due to go (R42, I6).

The tension: the national guide wants call registers, handling records and assessments kept for at least
three years, the law on personal information wants nothing kept longer than needed. So: three years after
the case is closed, then they go, and counts about nobody stay. A site may keep longer, never shorter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from itertools import islice
from types import MappingProxyType


class Rule(StrEnum):
    """By which rule something goes. In the order in which they are followed."""

    #: Versions of a handling record, its assessments, its draft. Its head stays, without its person.
    FORMS = "forms"
    #: A closed case, what happened to it, its rescues.
    CASES = "cases"
    #: Settled hand-overs of a call, with what was told; those of a case go with it. An open one never goes.
    HANDOVERS = "handovers"
    #: What a debriefing's note says, and why a supervisor listened. That it was so stays, about nobody.
    DEBRIEFS = "debriefs"
    LISTENINGS = "listenings"
    #: What an accepted sheet of a shift says. That it was handed over, and to whom, stays.
    SHEETS = "sheets"
    #: Messages callers left, and talks recorded with their consent.
    RECORDINGS = "recordings"
    #: A call's number and what was left by key. The call itself stays, about nobody.
    CALLS = "calls"
    #: Requests about one's own data.
    REQUESTS = "requests"
    #: Who somebody is, and with it the evidence of consent: nobody's consent is left then.
    PEOPLE = "people"
    BLOCKS = "blocks"
    LOGINS = "logins"
    #: That a file was exported. The file itself goes after days, by `callcenter.service.privacy.exports`.
    EXPORTS = "exports"
    UNREAD = "unread"
    #: Holds that were released.
    HOLDS = "holds"


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """How long: whole years of the calendar, or days."""

    years: int = 0
    days: int = 0

    def after(self, moment: datetime) -> datetime:
        """Return when it ends. A 29 February ends on 1 March: never a day early."""
        end = moment + timedelta(days=self.days)
        try:
            return end.replace(year=end.year + self.years)
        except ValueError:
            return end.replace(year=end.year + self.years, month=3, day=1)


#: Shorter than these no site may keep (R42: forms; the guide names the call register with them; logs of
#: who signed in: six months, the network security law). Audit entries are kept for ever.
FLOORS: Mapping[Rule, Term] = MappingProxyType(
    {
        Rule.FORMS: Term(years=3),
        Rule.CASES: Term(years=3),
        Rule.HANDOVERS: Term(years=3),
        Rule.DEBRIEFS: Term(years=3),
        Rule.LISTENINGS: Term(years=3),
        Rule.SHEETS: Term(years=3),
        Rule.CALLS: Term(years=3),
        Rule.REQUESTS: Term(years=3),
        Rule.PEOPLE: Term(years=3),
        Rule.HOLDS: Term(years=3),
        Rule.BLOCKS: Term(days=30),
        Rule.LOGINS: Term(days=180),
        Rule.EXPORTS: Term(days=180),
        Rule.UNREAD: Term(days=7),
        Rule.RECORDINGS: Term(days=30),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Going:
    """One thing that is due to go."""

    rule: Rule
    #: `session:<id>`, `call:<id>`, ...
    object: str
    #: From when its time was counted.
    since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What would go today, and how many things a legal hold keeps."""

    day: date
    going: tuple[Going, ...]
    held: Mapping[Rule, int] = field(default_factory=dict)

    @property
    def token(self) -> str:
        """Return what names exactly this plan of this day: who agrees to it has seen it."""
        said = "\n".join([self.day.isoformat(), *sorted(f"{g.rule} {g.object}" for g in self.going)])
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def counts(self) -> dict[Rule, int]:
        """Return how many things go, by rule, in the order of the rules."""
        return {rule: n for rule in Rule if (n := sum(g.rule is rule for g in self.going))}

    def batches(self, most: int) -> Iterator[Sequence[Going]]:
        """Cut what goes into parts that each go in one transaction, rule by rule."""
        order = list(Rule)
        rest = iter(sorted(self.going, key=lambda g: (order.index(g.rule), g.object)))
        while part := list(islice(rest, most)):
            yield part


def today(now: datetime, zone: tzinfo) -> tuple[date, datetime]:
    """Return the day at the site and the instant it began: what is due is due for all of it."""
    day = now.astimezone(zone).date()
    return day, datetime.combine(day, time(0), zone).astimezone(UTC)


def latest(moments: Iterable[datetime | None]) -> datetime | None:
    """Return the latest of the moments that are known."""
    return max((moment for moment in moments if moment is not None), default=None)


#: What of a record is counted for the yearly account: fields of closed lists, each by itself. Never in
#: combination: "one man over 60, high risk, in May" is somebody.
COUNTED = ("kind", "caller_type", "codes", "level_given", "gender", "age_band", "occupation")


def counted(answers: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """Return what a record adds to the yearly account: field -> values."""
    found: dict[str, tuple[str, ...]] = {"records": ("all",)}
    for name in COUNTED:
        value = answers.get(name)
        values = value if isinstance(value, (list, tuple)) else [value]
        if words := tuple(v for v in values if isinstance(v, str) and v):
            found[name] = words
    return found


def length_band(talk: timedelta | None) -> str:
    """Return how long a talk was, roughly: enough for the distribution of lengths."""
    if talk is None:
        return "unknown"
    minutes = talk.total_seconds() / 60
    ends = (5, 15, 30, 60)
    return next((f"under_{end}" for end in ends if minutes < end), "60_and_more")


def add_counts(
    total: Mapping[str, Mapping[str, int]], more: Mapping[str, Iterable[str]]
) -> dict[str, dict[str, int]]:
    """Return counts with one more record in them."""
    summed = {name: dict(values) for name, values in total.items()}
    for name, values in more.items():
        row = summed.setdefault(name, {})
        for value in values:
            row[value] = row.get(value, 0) + 1
    return summed
