"""Named actors for tests: whoever does something in a service has a role that may."""

from __future__ import annotations

from callcenter.domain.users import Role, User
from callcenter.ports import UnitOfWork

#: Code -> who they are in these tests.
ACTORS = {
    "c017": ("林晓燕", Role.COUNSELLOR),
    "s001": ("孙立", Role.SUPERVISOR),
    "k001": ("李录入", Role.CLERK),
    "u001": ("顾卫东", Role.AUDITOR),
    "admin": ("周敏", Role.ADMIN),
    "e001": ("赵厂长", Role.EMPLOYER),
}


def enlist(work: UnitOfWork, *codes: str) -> None:
    """Add these actors (all, if none is named) to the users."""
    for code in codes or ACTORS:
        name, role = ACTORS[code]
        work.users.add(User(code=code, name=name, roles=frozenset({role})))
