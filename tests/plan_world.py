"""A line to plan for: counsellors, a trainee, supervisors, and short ways to say when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from callcenter.domain.books import STAFF
from callcenter.domain.duty import Shift, ShiftKind
from callcenter.domain.plan_rules import Ground, PlanRules, Staff
from callcenter.domain.roster import Need, Template
from callcenter.domain.staff import Skill, StaffProfile
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.ports import Store
from callcenter.service.duty import templates

SHANGHAI = ZoneInfo("Asia/Shanghai")
#: 上海 2026-11-23, a Monday, 12:00.
NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
MONDAY = date(2026, 11, 23)
RULES = PlanRules(zone=SHANGHAI)
EVERY_DAY = frozenset(range(7))
TRAINEE = "c020"
NAMES = {"c017": "周敏", "c018": "吴芳", "c019": "郑和", TRAINEE: "王娟", "s001": "孙立", "s002": "钱进"}


def user(code: str, **changed: Any) -> User:
    """Return one of the line's people."""
    leads = code.startswith("s")
    values: dict[str, Any] = {
        "name": NAMES.get(code, "林晓燕"),
        "roles": frozenset({Role.SUPERVISOR if leads else Role.COUNSELLOR}),
        "phone": PhoneKind.SIP,
        "alarm_rank": 1 if code == "s001" else None,
    }
    return User(code=code, **{**values, **changed})


PEOPLE = {code: user(code) for code in NAMES}
STAFFED = Staff(users=PEOPLE, profiles={TRAINEE: StaffProfile(id=TRAINEE, skills=frozenset({Skill.TRAINEE}))})


def ground(
    needs: Iterable[Need] = (), *, rules: PlanRules = RULES, plans_supervisors: bool = False, **users: User
) -> Ground:
    """Return what a plan is checked against; `users` replace those of the same code."""
    staff = Staff(users={**PEOPLE, **users}, profiles=STAFFED.profiles)
    return Ground(rules=rules, staff=staff, needs=tuple(needs), plans_supervisors=plans_supervisors)


def join(store: Store) -> None:
    """Let everybody into a store."""
    with store() as work:
        for one in PEOPLE.values():
            work.users.add(one)
        for profile in STAFFED.profiles.values():
            work.book(STAFF).add(profile)
        work.commit()


def wall(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    """Return an instant of 2026 by the clock at the site."""
    return datetime(2026, month, day, hour, minute, tzinfo=SHANGHAI).astimezone(UTC)


def shift(agent: str, start: datetime, hours: float = 6, kind: ShiftKind = ShiftKind.LINE) -> Shift:
    """Return a shift planned by hand."""
    return Shift(
        id=f"sh-{agent}-{start:%d%H%M}-{kind}",
        agent=agent,
        start=start,
        length=timedelta(hours=hours),
        kind=kind,
    )


def template(*agents: str, **changed: Any) -> Template:
    """Return an evening shift every day from that Monday on."""
    values: dict[str, Any] = {
        "id": "tp-1",
        "name": "晚班",
        "days": EVERY_DAY,
        "start": time(19),
        "length": timedelta(hours=6),
        "agents": agents,
        "first": MONDAY,
    }
    return Template(**{**values, **changed})


def planned(store: Store, *agents: str, **changed: Any) -> str:
    """Put a template into a store, the same as `template`; return its id."""
    made = template(*agents, **changed)
    with store() as work:
        found = templates.add_template(
            work,
            name=made.name,
            kind=made.kind,
            days=made.days,
            start=made.start,
            length=made.length,
            agents=made.agents,
            first=made.first,
            last=made.last,
            every=made.every,
            actor="s001",
            now=NOON,
        )
        work.commit()
    return found.id
