"""What a plan is measured by, read from the store, and what it then lacks (R44)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from callcenter.config import Settings
from callcenter.domain.books import NEEDS, STAFF, TEMPLATES
from callcenter.domain.duty import Shift, ShiftKind
from callcenter.domain.plan_faults import faults
from callcenter.domain.plan_rules import Fault, Ground, Lack, PlanRules, Staff
from callcenter.domain.reasons import SHORTEST, explains
from callcenter.errors import Refused
from callcenter.ports import UnitOfWork
from scheduler.calendar import Calendar

#: A line that is always served, with the usual limits.
ALWAYS = PlanRules()
#: Nights in a row are counted so far before and behind a span.
AROUND = timedelta(days=32)

#: A shift typed to begin now begins in the minute that runs, and typing takes a moment.
JUST_NOW = timedelta(minutes=2)

#: Why somebody cannot have a shift.
UNFIT_WORDS = {
    Lack.INACTIVE: "没有这个人员,或已停用",
    Lack.NO_PHONE: "没有话机",
    Lack.NO_ROLE: "没有这个班要的角色(接线和后备要咨询员,督导班要督导)",
}


def rules_of(settings: Settings) -> PlanRules:
    """Return what the site configured."""
    hours, duty = settings.hours, settings.duty
    calendar = Calendar(site={day: word == "work" for day, word in settings.calendar.days.items()})
    return PlanRules(
        zone=settings.site.zone,
        week=hours.week,
        is_open_day=lambda day: not (hours.closed_on_holidays and calendar.is_holiday(day)),
        most_nights=duty.most_nights,
        night=duty.night,
    )


def staff_of(work: UnitOfWork) -> Staff:
    """Return everybody who could be planned."""
    users = {user.code: user for user in work.users.all()}
    return Staff(users=users, profiles={profile.id: profile for profile in work.book(STAFF).where()})


def ground_of(work: UnitOfWork, rules: PlanRules, shifts: Iterable[Shift]) -> Ground:
    """Return what a plan with these shifts is checked against."""
    kinds = {template.kind for template in work.book(TEMPLATES).where()} | {s.kind for s in shifts}
    return Ground(
        rules=rules,
        staff=staff_of(work),
        needs=tuple(work.book(NEEDS).where()),
        plans_supervisors=ShiftKind.SUPERVISOR in kinds,
    )


def faults_between(
    work: UnitOfWork, start: datetime, end: datetime, rules: PlanRules = ALWAYS
) -> tuple[Fault, ...]:
    """Return what is wrong with the published shifts in [start, end), by time."""
    if start >= end:
        return ()
    return faults_of(work, work.roster.shifts_between(start - AROUND, end + AROUND), start, end, rules)


def faults_of(
    work: UnitOfWork, shifts: Iterable[Shift], start: datetime, end: datetime, rules: PlanRules
) -> tuple[Fault, ...]:
    """Return what would be wrong in [start, end), by time, if these were the published shifts."""
    near = [s for s in shifts if s.start < end + AROUND and s.end > start - AROUND]
    return faults(near, start, end, ground_of(work, rules, near))


def late_words(agent: str, start: datetime, *, by: str, now: datetime, reason: str) -> str | None:
    """Return why a shift that is not over may not be planned any more; None: it may, or begins now or later.

    Attendance is reckoned by shifts: whoever plans one for the time behind gives somebody hours for it. It
    is a day's at most, since no shift is longer.
    """
    if start >= now - JUST_NOW:
        return None
    if agent == by:
        return "自己的班不能从过去的时间排起,由另一位督导来排;出勤有误,用 hotline duty correct 更正。"
    if not explains(reason):
        return f"班次已经开始,补排要用 --reason 写明理由,至少 {SHORTEST} 个字。"
    return None


def check_fit(work: UnitOfWork, agents: Collection[str], kind: ShiftKind) -> None:
    """Raise `Refused` naming the first of these people who cannot have a shift of this kind."""
    staff = staff_of(work)
    for agent in agents:
        if (lack := staff.unfit(agent, kind)) is not None:
            raise Refused(f"{agent} {UNFIT_WORDS[lack]},不能排班。用 hotline user list 查看。")
