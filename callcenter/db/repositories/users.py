"""Named actors."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, select, update

from callcenter.db.repositories.base import Repository, Row
from callcenter.db.tables import users
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import Conflict, NotFound

#: Made once: every act asks who acts.
_OF_CODE = select(users).where(users.c.code == bindparam("code"))


class SqlUsers(Repository):
    """Users by code; name, mobile number and PIN verifier are sealed."""

    def add(self, user: User) -> None:
        """Add a user; raise `Conflict` if the code is taken."""
        if not self._insert_new(users, self._row(user)):
            raise Conflict(f"人员代码 {user.code} 已被占用。")

    def get(self, code: str) -> User:
        """Return a user, or raise `NotFound`."""
        row = self._first(_OF_CODE, {"code": code})
        if row is None:
            raise NotFound(f"没有代码为 {code} 的人员。")
        return self._user(row)

    def all(self) -> Sequence[User]:
        """Return every user by code, disabled ones too."""
        return [self._user(row) for row in self._all(select(users).order_by(users.c.code))]

    def update(self, user: User) -> None:
        """Replace a user, or raise `NotFound`."""
        change = update(users).where(users.c.code == user.code).values(**self._row(user))
        if self._connection.execute(change).rowcount != 1:
            raise NotFound(f"没有代码为 {user.code} 的人员。")

    def _row(self, user: User) -> Row:
        return {
            "code": user.code,
            "name": self._cipher.seal(user.name, "users.name"),
            "roles": sorted(user.roles),
            "phone": user.phone.value,
            "mobile": self._cipher.seal(user.mobile, "users.mobile"),
            "pin_verifier": self._cipher.seal(user.pin_verifier, "users.pin_verifier"),
            "escalation_rank": user.escalation_rank,
            "alarm_rank": user.alarm_rank,
            "active": user.active,
        }

    def _user(self, row: Row) -> User:
        return User(
            code=row["code"],
            name=self._cipher.open(row["name"], "users.name") or "",
            roles=frozenset(Role(role) for role in row["roles"]),
            phone=PhoneKind(row["phone"]),
            mobile=self._cipher.open(row["mobile"], "users.mobile"),
            pin_verifier=self._cipher.open(row["pin_verifier"], "users.pin_verifier"),
            escalation_rank=row["escalation_rank"],
            alarm_rank=row["alarm_rank"],
            active=row["active"],
        )
