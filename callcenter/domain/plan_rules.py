"""What a plan is measured by: how many people the line needs when, and who they are (R44)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo

from callcenter.domain.duty import Shift, ShiftKind
from callcenter.domain.hours import Span, Week, openings, span_on
from callcenter.domain.roster import Need
from callcenter.domain.staff import Skill, StaffProfile
from callcenter.domain.users import PhoneKind, Role, User

_ONE_DAY = timedelta(days=1)


class Lack(StrEnum):
    """What is wrong with a plan, or with a person in it."""

    NOBODY = "nobody"
    #: Fewer at the line than are needed.
    THIN = "thin"
    #: At the line there are only people who still learn.
    TRAINEE_ALONE = "trainee_alone"
    NO_SUPERVISOR = "no_supervisor"
    NO_BACKUP = "no_backup"
    #: One person is planned twice at a time.
    OVERLAP = "overlap"
    #: More nights in a row than one person may be planned for.
    NIGHTS = "nights"
    INACTIVE = "inactive"
    NO_PHONE = "no_phone"
    #: Not the role that the shift takes.
    NO_ROLE = "no_role"


#: Those that are wrong with one person; the others are the line's.
PERSONAL = frozenset({Lack.OVERLAP, Lack.NIGHTS, Lack.INACTIVE, Lack.NO_PHONE, Lack.NO_ROLE})


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What is wrong, when, and with whom. For a time with too few: who is there all the same."""

    lack: Lack
    start: datetime
    end: datetime
    agents: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """Return it as publications keep it: instants in UTC, codes."""
        return " ".join((self.lack, f"{self.start:%FT%RZ}/{self.end:%FT%RZ}", *sorted(self.agents)))


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanRules:
    """When the line is served, and what may be asked of one person. Without hours: always."""

    zone: tzinfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    week: Week = ()
    is_open_day: Callable[[date], bool] = lambda _: True
    most_nights: int = 3
    #: Two hours in it make a night.
    night: tuple[time, time] = (time(0), time(5))

    def midnight(self, day: date) -> datetime:
        """Return the instant at which a day begins at the site."""
        return datetime.combine(day, time(), self.zone).astimezone(UTC)

    def day_of(self, moment: datetime) -> date:
        """Return the day at the site."""
        return moment.astimezone(self.zone).date()

    def open_spans(self, start: datetime, end: datetime) -> list[Span]:
        """Return when the line is served, as far as it touches [start, end)."""
        if not self.week:
            return [(start, end)]
        first, days = self._days(start, end)
        return _touching(openings(self.week, first, days, self.zone, self.is_open_day), start, end)

    def needed_spans(self, needs: Iterable[Need], start: datetime, end: datetime) -> list[tuple[Span, Need]]:
        """Return the slots of the week that touch [start, end)."""
        first, days = self._days(start, end)
        return [
            (span, need)
            for need in needs
            for day in (first + _ONE_DAY * n for n in range(days))
            if day.weekday() in need.days
            for span in _touching([self._slot(day, need)], start, end)
        ]

    def nights(self, start: datetime, end: datetime) -> list[Span]:
        """Return every night that touches [start, end), one a day, in order."""
        first, days = self._days(start, end)
        every = (span_on(first + _ONE_DAY * n, self.night, self.zone) for n in range(days))
        return _touching(every, start, end)

    def _slot(self, day: date, need: Need) -> Span:
        start = datetime.combine(day, need.start, self.zone).astimezone(UTC)
        return start, start + need.length

    def _days(self, start: datetime, end: datetime) -> tuple[date, int]:
        """Return the first day and how many: what begins the day before may reach into the span."""
        first = self.day_of(start) - _ONE_DAY
        return first, (self.day_of(end) - first).days + 1


def _touching(spans: Iterable[Span], start: datetime, end: datetime) -> list[Span]:
    return [(a.astimezone(UTC), b.astimezone(UTC)) for a, b in spans if a < end and b > start]


@dataclass(frozen=True, kw_only=True, slots=True)
class Staff:
    """Everybody who could be planned, by code."""

    users: Mapping[str, User]
    profiles: Mapping[str, StaffProfile] = field(default_factory=dict)

    @property
    def somebody_hears_alarms(self) -> bool:
        """Tell whether a supervisor can be rung although none is planned."""
        return any(u.active and u.alarm_rank is not None for u in self.users.values())

    def unfit(self, agent: str, kind: ShiftKind) -> Lack | None:
        """Return why somebody cannot have a shift of this kind; None: they can."""
        user = self.users.get(agent)
        if user is None or not user.active:
            return Lack.INACTIVE
        if user.phone is PhoneKind.NONE:
            return Lack.NO_PHONE
        wanted = Role.SUPERVISOR if kind is ShiftKind.SUPERVISOR else Role.COUNSELLOR
        return None if wanted in user.roles else Lack.NO_ROLE

    def is_trainee(self, agent: str) -> bool:
        """Tell whether somebody is still learning."""
        profile = self.profiles.get(agent)
        return profile is not None and Skill.TRAINEE in profile.skills

    def most_nights(self, agent: str, usual: int) -> int:
        """Return how many nights in a row somebody may be planned for."""
        profile = self.profiles.get(agent)
        return usual if profile is None or profile.most_nights is None else profile.most_nights


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """All that a plan is checked against, beside the plan itself."""

    rules: PlanRules
    staff: Staff
    needs: tuple[Need, ...] = ()
    #: True: supervisors on call are planned, so that being in the alarm chain is not enough.
    plans_supervisors: bool = False

    def fit(self, shifts: Iterable[Shift]) -> Iterator[Shift]:
        """Yield the shifts whose people can be rung then."""
        known: dict[tuple[str, ShiftKind], bool] = {}
        for shift in shifts:
            who = (shift.agent, shift.kind)
            if who not in known:
                known[who] = self.staff.unfit(*who) is None
            if known[who]:
                yield shift
