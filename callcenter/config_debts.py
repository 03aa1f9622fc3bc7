"""The sections of the configuration about what is owed: when and how the line calls out, and to whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from typing import Annotated, Literal, TypeVar

from pydantic import Field, model_validator

from callcenter.config_types import DialNumber, Pause, Section, Span
from scheduler.ladder_table import SHIPPED, LadderTable, Next, Part, Row, Then, faults_of
from scheduler.obligations import Result

T = TypeVar("T")


class Outbound(Section):
    """When and how the line calls out (R22, R37; times are wall time at the site)."""

    windows: tuple[tuple[time, time], ...] = ((time(9), time(12)), (time(14), time(20)))
    #: The same on Saturdays and Sundays, for people who were reached on one before; none: never.
    weekend: tuple[tuple[time, time], ...] = ()
    #: Nobody is rung between these times; equal times mean no quiet hours.
    quiet: tuple[time, time] = (time(22), time(8))
    #: True stops every automated call; humans still dial.
    paused: bool = False
    ring: Span = timedelta(seconds=45)
    #: More numbers of ours that calls out may show, besides `site.outbound_number`; each has its own caps.
    numbers: tuple[DialNumber, ...] = ()
    #: Calls that one of our numbers places at most.
    daily_cap: int = Field(default=40, ge=1, le=1000)
    weekly_cap: int = Field(default=200, ge=1, le=7000)
    #: Automated calls one person gets at most, in a day and in seven.
    person_daily: int = Field(default=2, ge=1, le=10)
    person_weekly: int = Field(default=4, ge=1, le=30)
    #: Trunk channels always left for callers.
    reserved_channels: int = Field(default=1, ge=1)
    #: Counsellors always left for callers when one of them is to dial; somebody in danger is dialled anyway.
    reserved_seats: int = Field(default=0, ge=0, le=100)
    sweep: Span = timedelta(minutes=1)
    #: What one contact by a person takes, until enough are on record to measure it.
    contact: Span = timedelta(minutes=20)


class LadderRow(Section):
    """What follows on one result; what is left out is as shipped."""

    then: Then | None = None
    #: Seconds to wait, after the first rung, the second, and so on; the last one holds for all that follow.
    wait: tuple[Pause, ...] | None = None
    #: Into which part of the day each of them falls.
    part: tuple[Part, ...] | None = None
    counts: bool | None = None
    quick: int | None = None
    quick_wait: Span | None = None

    def row(self, shipped: Row) -> Row:
        """Return the row of the table; one that no longer tries again has no times."""
        given = {name: getattr(self, name) for name in ("then", "counts", "quick", "quick_wait")}
        changed = replace(shipped, **{name: value for name, value in given.items() if value is not None})
        is_last = changed.then in {Then.HUMAN, Then.STOP_NUMBER}
        return changed if is_last else replace(changed, nexts=self._nexts(shipped))

    def _nexts(self, shipped: Row) -> tuple[Next, ...]:
        waits = self.wait if self.wait is not None else tuple(one.wait for one in shipped.nexts)
        parts = self.part if self.part is not None else tuple(one.part for one in shipped.nexts)
        longest = max(len(waits), len(parts))
        if not waits or not parts:
            return () if not waits else tuple(Next(wait=wait) for wait in waits)
        padded = zip(_stretched(waits, longest), _stretched(parts, longest), strict=True)
        return tuple(Next(wait=wait, part=part) for wait, part in padded)


def _stretched(given: tuple[T, ...], length: int) -> tuple[T, ...]:
    return (*given, *given[-1:] * (length - len(given)))


class Ladder(Section):
    """What comes after each attempt by machine, until a person has it (R26, R27)."""

    #: Automated tries in all; a busy line and its quick tries are one.
    rungs: int = 3
    #: Tries that used up no rung, after which a person looks.
    faults: int = 8
    #: By result of an attempt: what is not as shipped.
    results: dict[Result, LadderRow] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_safe(self) -> Ladder:
        found = faults_of(self._rows(), self.rungs, self.faults)
        if found:
            raise ValueError("；".join(found))
        return self

    def table(self) -> LadderTable:
        """Return the whole table."""
        return LadderTable(rows=self._rows(), rungs=self.rungs, faults=self.faults)

    def _rows(self) -> dict[Result, Row]:
        plain = LadderRow()
        return {result: self.results.get(result, plain).row(row) for result, row in SHIPPED.items()}


class CalendarTable(Section):
    """Days the site knows better than any published table: `2027-02-11 = "off"`."""

    days: dict[date, Literal["work", "off"]] = Field(default_factory=dict)
    #: Days on which no machine calls anybody; people still do.
    peace: tuple[date, ...] = ()
    #: And those that follow from a rule: 除夕 to 初三, 清明; `exams` is 高考, 7 to 9 June.
    festivals: tuple[Literal["spring", "tombs", "exams"], ...] = ("spring", "tombs")


class Grade(Section):
    """How often a hardship grade is owed a contact, in days."""

    every: int = Field(ge=1, le=366)
    #: Shorter first periods, counted from the first day of the grade.
    first: tuple[Annotated[int, Field(ge=1, le=366)], ...] = ()
    #: The gravest grade is 1: a list by grade begins with it.
    order: int = Field(default=9, ge=1, le=99)


class Hardship(Section):
    """The hardship register: grades and their cadences as the site's rules have them."""

    grades: dict[str, Grade] = Field(
        default_factory=lambda: {
            "深度困难": Grade(every=30, order=1),
            "意外致困": Grade(every=90, first=(14, 14, 14), order=2),
            "相对困难": Grade(every=90, order=3),
            "脱困观察": Grade(every=60, order=4),
        }
    )
    #: Days between two visits at home; 0: none are owed.
    visit_every: int = Field(default=182, ge=0, le=1000)
    #: A family that is out of hardship is watched at least so many months.
    watch_months: int = Field(default=6, ge=1, le=60)
    #: Working days for which a file is put up for everybody to see.
    notice_days: int = Field(default=5, ge=1, le=60)
    #: Months after which a file is looked through again.
    review_months: int = Field(default=12, ge=1, le=60)
    #: Whether a call somebody made themselves keeps their routine check-in, once somebody records it so.
    inbound_counts: bool = True
