"""The sections of the configuration about what is owed: when and how the line calls out, and to whom."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Annotated, Literal

from pydantic import Field

from callcenter.config_types import DialNumber, Section, Span


class Outbound(Section):
    """When and how the line calls out (R22, R37; times are wall time at the site)."""

    windows: tuple[tuple[time, time], ...] = ((time(9), time(12)), (time(14), time(20)))
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


class CalendarTable(Section):
    """Days the site knows better than any published table: `2027-02-11 = "off"`."""

    days: dict[date, Literal["work", "off"]] = Field(default_factory=dict)


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
