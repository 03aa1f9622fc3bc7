"""What those who answer are good at, and how much of the load is theirs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from callcenter.domain.access import Verb
from callcenter.domain.books import STAFF
from callcenter.domain.numbers import mask_name
from callcenter.domain.staff import Skill, StaffProfile
from callcenter.domain.users import Role
from callcenter.errors import Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded

#: Less than this is nobody at the line; more than a full share is asked of nobody.
LEAST_SHARE, FULL_SHARE = 10, 100
MOST_NIGHTS = 14
_FIELDS = ("skills", "share", "most_nights")


@dataclass(frozen=True, kw_only=True, slots=True)
class Skilled:
    """One person who answers calls."""

    code: str
    #: Masked.
    name: str
    profile: StaffProfile


@guarded(Verb.STAFF_SKILLS)
def set_skills(
    work: UnitOfWork,
    code: str,
    *,
    skills: Collection[Skill] | None = None,
    share: int | None = None,
    most_nights: int | None = None,
    actor: str,
    now: datetime,
) -> StaffProfile:
    """Set what is given of somebody's profile and leave the rest; `most_nights` 0: the site's own limit.

    Raises `Refused` for a woman who is a man, a share out of bounds, or somebody who takes no calls.
    """
    allow(work, actor, Verb.STAFF_SKILLS)
    if Role.COUNSELLOR not in work.users.get(code).roles:
        raise Refused(f"{code} 不是咨询员,不接来电。")
    _check(skills or (), share, most_nights)
    book = work.book(STAFF)
    before = book.one(code)
    known = before or StaffProfile(id=code)
    profile = replace(
        known,
        skills=known.skills if skills is None else frozenset(skills),
        share=known.share if share is None else share,
        most_nights=known.most_nights if most_nights is None else most_nights or None,
    )
    differing = [name for name in _FIELDS if getattr(profile, name) != getattr(known, name)]
    if not differing:
        return known
    if before is None:
        book.add(profile)
    else:
        profile = book.put(profile)
    for name in differing:
        work.audit.append(AuditEntry(actor=actor, verb="staff.skills", object=code, at=now, field=name))
    work.roster.touch()
    return profile


@guarded(Verb.STAFF_SKILLS)
def skilled(work: UnitOfWork, code: str | None = None, *, actor: str) -> list[Skilled]:
    """Return everybody who answers calls, or one of them, with what they are good at, by code."""
    allow(work, actor, Verb.STAFF_SKILLS)
    users = work.users.all() if code is None else [work.users.get(code)]
    profiles = {profile.id: profile for profile in work.book(STAFF).where()}
    return [
        Skilled(
            code=user.code,
            name=mask_name(user.name),
            profile=profiles.get(user.code, StaffProfile(id=user.code)),
        )
        for user in users
        if code is not None or (user.active and Role.COUNSELLOR in user.roles)
    ]


def _check(skills: Collection[Skill], share: int | None, most_nights: int | None) -> None:
    if {Skill.WOMAN, Skill.MAN} <= set(skills):
        raise Refused("woman 与 man 只能写一个。")
    if share is not None and not LEAST_SHARE <= share <= FULL_SHARE:
        raise Refused(
            f"接听份额为 {LEAST_SHARE} 至 {FULL_SHARE}(百分之几)。不再接听请用 hotline user disable。"
        )
    if most_nights is not None and not 0 <= most_nights <= MOST_NIGHTS:
        raise Refused(f"连续夜班为 1 至 {MOST_NIGHTS} 夜;0 为按全站规定。")
