"""What a person in danger is owed, and when: the steps after a call, by level (domain table, R20, R21).

"24h" is elapsed time; "7d" and "1mo" are local calendar dates at the preferred hour, the end of a month
clamped. Holidays move nothing. A step outside human hours is brought forward, never back.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from types import MappingProxyType

from scheduler.errors import SchedulerError
from scheduler.obligations import Kind, Mode
from scheduler.windows import Windows

_AFTER = re.compile(r"([1-9][0-9]{0,2})(h|d|mo)")
#: Whoever is to be rung on a step's last evening hour needs that hour.
_LAST_START = timedelta(hours=1)
#: Level -> how urgent its steps are; they stand before everything else of their hour.
_PRIORITY = {0: 0, 1: 1, 2: 2, 3: 5}


@dataclass(frozen=True, kw_only=True, slots=True)
class After:
    """How long after the end of a call: `24h`, `7d` or `1mo`."""

    amount: int
    unit: str

    @classmethod
    def of(cls, text: str) -> After:
        """Read one, or raise `SchedulerError`."""
        found = _AFTER.fullmatch(text)
        if found is None:
            raise SchedulerError(f"`{text}` is no step: write hours, days or months, as 24h, 7d or 1mo")
        return cls(amount=int(found[1]), unit=found[2])

    def __str__(self) -> str:
        """Return it as it is written."""
        return f"{self.amount}{self.unit}"


def steps(*texts: str) -> tuple[After, ...]:
    """Read several steps."""
    return tuple(map(After.of, texts))


_AS_HIGH = steps("24h", "7d", "1mo", "3mo", "6mo")
STEPS: Mapping[int, tuple[After, ...]] = MappingProxyType(
    {
        0: (*steps("2h"), *_AS_HIGH),
        1: _AS_HIGH,
        2: steps("72h", "14d", "1mo"),
        3: (),
        4: (),
    }
)
#: Level -> how long after its hour a step is a breach.
_GRACE = {0: timedelta(hours=4), 1: timedelta(hours=4), 2: timedelta(hours=24), 3: timedelta(days=7)}
_ONE_DAY_HOURS = 24
#: How early a contact counts for a step: a quarter of the time from the call to the step, a week at most.
_EARLY_PART, _EARLY_MOST = 4, timedelta(days=7)


@dataclass(frozen=True, kw_only=True, slots=True)
class RiskRules:
    """The site's settings about people in danger."""

    #: Level -> its steps.
    steps: Mapping[int, tuple[After, ...]] = field(default_factory=lambda: STEPS)
    #: When days and months fall due, wall time.
    hour: time = time(10)
    #: From this intent on at the end of a call the level is high (R13).
    end_intent: int = 50
    #: How long a supervisor may leave a new case at level 1 unacknowledged; at level 0 not at all.
    acknowledge_within: timedelta = timedelta(minutes=15)
    #: When a case that is still not acknowledged rings again after somebody pressed 1.
    remind_after: timedelta = timedelta(minutes=15)
    #: The same for a step that is still overdue.
    overdue_remind_after: timedelta = timedelta(hours=4)


@dataclass(frozen=True, kw_only=True, slots=True)
class Owed:
    """One step of a ladder: what is owed from `due_at` on and is a breach after `window_end`."""

    step: str
    kind: Kind
    mode: Mode
    priority: int
    due_at: datetime
    window_end: datetime


def kind_of(level: int) -> Kind:
    """Return what kind of debt a level's steps are."""
    if level <= 1:
        return Kind.HIGH_RISK
    return Kind.MID_RISK if level == 2 else Kind.FOLLOW_UP


def ladder(level: int, ended_at: datetime, *, rules: RiskRules, windows: Windows) -> tuple[Owed, ...]:
    """Return what is owed after a call that ended at `ended_at` with this level (R20)."""
    return tuple(owed(level, step, ended_at, rules=rules, windows=windows) for step in rules.steps[level])


def owed(level: int, step: After, ended_at: datetime, *, rules: RiskRules, windows: Windows) -> Owed:
    """Return one step. Level 3 is kept by people too: nobody promised that a machine may call."""
    due, breach = _span(level, step, ended_at, rules, windows)
    return Owed(
        step=str(step),
        kind=kind_of(level),
        mode=Mode.HUMAN_ONLY,
        priority=_PRIORITY[level],
        due_at=due,
        window_end=breach,
    )


def _span(
    level: int, step: After, ended_at: datetime, rules: RiskRules, windows: Windows
) -> tuple[datetime, datetime]:
    plain = at_step(step, ended_at, rules.hour, windows)
    brought = into_human_hours(plain, windows)
    # Within hours of an imminent danger: owed at once, tonight still. Nothing is owed before the call ended.
    if brought < ended_at or (level == 0 and step.unit == "h" and step.amount < _ONE_DAY_HOURS):
        return ended_at, plain
    return brought, _breach(brought, _GRACE[level], windows)


def counts_from(opened_at: datetime, due_at: datetime) -> datetime:
    """Return from when on a contact keeps a step that was opened at `opened_at` and falls due at `due_at`.

    A contact long before is one more contact, and not the one that is owed.
    """
    length = max(due_at - opened_at, timedelta(0))
    return due_at - min(length / _EARLY_PART, _EARLY_MOST)


def at_step(step: After, ended_at: datetime, hour: time, windows: Windows) -> datetime:
    """Return when a step falls due, before human hours are asked."""
    if step.unit == "h":
        return ended_at + timedelta(hours=step.amount)
    day = ended_at.astimezone(windows.zone).date()
    later = day + timedelta(days=step.amount) if step.unit == "d" else add_months(day, step.amount)
    return datetime.combine(later, hour, windows.zone)


def add_months(day: date, months: int) -> date:
    """Return the same day `months` later; the end of a shorter month is its last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


def into_human_hours(due: datetime, windows: Windows) -> datetime:
    """Return `due`, or the last instant before it from which an hour is left before nobody is rung."""
    if not windows.is_quiet(due) and not windows.is_quiet(due + _LAST_START):
        return due
    return _quiet_before(due + _LAST_START, windows) - _LAST_START


def _breach(due: datetime, grace: timedelta, windows: Windows) -> datetime:
    """Return when a step is overdue: after its grace, and before nobody may be rung any more."""
    end = due + grace
    return _quiet_before(end, windows) if windows.is_quiet(end) else end


def _quiet_before(moment: datetime, windows: Windows) -> datetime:
    """Return when the quiet hours in which `moment` lies, or that it ends, began."""
    today = moment.astimezone(windows.zone).date()
    begins = (datetime.combine(today - timedelta(days=n), windows.quiet[0], windows.zone) for n in (0, 1))
    return next(begin for begin in begins if begin <= moment)
