"""One debt, and arguments made up for whatever might end it: what a proof must be (I4, R23, R25).

A debt is satisfied by an Evidence alone, of a kind that its kind of debt allows, with a reference that
exists: an answered call on record, a visit by the number of its paper.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any

from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.people import FileStatus, HardshipFile, Person, Phone
from callcenter.domain.users import Role, User
from callcenter.ports import Store, UnitOfWork
from scheduler.obligations import (
    BY_IVR,
    OF_REGISTER,
    Attempt,
    Closing,
    Evidence,
    EvidenceKind,
    Kind,
    Mode,
    Obligation,
    Result,
    Status,
    status_of,
)

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
#: Stands for everything that has a name: the user, the person, the debt, its file, its attempt and its call.
ONE = "x1"
#: What may prove each kind of debt.
ALLOWED: dict[Kind, AbstractSet[EvidenceKind]] = {
    kind: {EvidenceKind.HUMAN_TALK, EvidenceKind.HOME_VISIT} for kind in Kind
} | {
    Kind.HARDSHIP: set(EvidenceKind),
    Kind.VISIT: {EvidenceKind.HOME_VISIT},
    Kind.VERIFY: set(),
}


def debt(kind: Kind) -> Obligation:
    mode = Mode.IVR_OK if kind in OF_REGISTER else Mode.HUMAN_ONLY
    return Obligation(
        id=ONE, person=ONE, kind=kind, due_at=NOW - DAY, window_end=NOW + DAY,
        mode=mode, origin="x2", created_at=NOW - 2 * DAY,
    )  # fmt: skip


def attempt(result: Result | None = None) -> Attempt:
    return Attempt(
        id=f"at-{ONE}", obligation=ONE, n=1, planned_at=NOW, dialled_at=NOW, by=BY_IVR, result=result
    )


def record(word: Result | None, *, answered: bool) -> CallRecord:
    """Return the call of that attempt; where nobody answered it is no proof of anything."""
    return CallRecord(
        id=f"at-{ONE}", direction=Direction.OUTBOUND, outcome=Outcome.OUTBOUND, started_at=NOW,
        answered_at=NOW if answered else None, ended_at=NOW + timedelta(seconds=40),
        flow_outcome=word.value if word else None, hangup_cause=19,
    )  # fmt: skip


def fill(store: Store, kind: Kind, word: Result | None, *, answered: bool) -> None:
    """Have one person be owed one debt, with one attempt and one call."""
    with store() as work:
        work.users.add(User(code=ONE, name="林晓燕", roles=frozenset(Role)))
        work.people.add(Person(id=ONE, code="P-1", name="沈建国", phones=(Phone(number="13800001111"),)))
        work.people.put_file(
            HardshipFile(
                file_no=ONE, person=ONE, grade="deep", status=FileStatus.ACTIVE, since=date(2026, 1, 1)
            )
        )
        work.debts.add(debt(kind))
        work.debts.claim(ONE, f"at-{ONE}", NOW, NOW + DAY)
        work.debts.add_attempt(attempt())
        work.calls.put_many([record(word, answered=answered)])
        work.commit()


# --- making up what a function asks for -------------------------------------------------------

_PLAIN: dict[Any, object] = {
    str: ONE, int: 1, float: 1.0, bool: True, bytes: b"x", datetime: NOW, date: NOW.date(),
    time: NOW.time(), timedelta: DAY, NoneType: None,
}  # fmt: skip


#: By name, where the plain word of a type would be refused at the door.
_NAMED: dict[str, object] = {
    **dict.fromkeys(("reason", "note", "why", "text"), "与本人核实以后登记"),
    **dict.fromkeys(("call", "call_id"), f"at-{ONE}"),
    "until": NOW + timedelta(hours=1),
    "visitors": (ONE, "x2"),
}


class Unknown(Exception):
    """Nothing of this type can be made up."""


class Maker:
    """Makes values up, about one kind of debt and one word of a call."""

    def __init__(self, kind: Kind, word: Result | None, folder: Path, *, answered: bool) -> None:
        self._own: dict[Any, object] = {
            Obligation: debt(kind),
            Attempt: attempt(word),
            CallRecord: record(word, answered=answered),
            Closing: Closing(at=NOW, by=ONE, reason="x"),
            Result: word or Result.NO_ANSWER,
            Kind: kind,
            Path: folder / ONE,
        }

    def arguments(
        self, function: Callable[..., Any], given: dict[str, object], *, all_: bool
    ) -> dict[str, Any]:
        """Return arguments: those without a default, or all of them."""
        hints = typing.get_type_hints(function)
        made = {
            name: _NAMED[name] if name in _NAMED else self.of(hints.get(name))
            for name, one in inspect.signature(function).parameters.items()
            if name not in given and name != "self"
            if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL) and (all_ or one.default is one.empty)
        }
        return given | made

    def of(self, hint: Any, depth: int = 0) -> Any:
        """Return a value of a type."""
        if hint in self._own:
            return self._own[hint]
        if hint in _PLAIN:
            return _PLAIN[hint]
        origin, inner = typing.get_origin(hint), typing.get_args(hint)
        if origin in (typing.Union, UnionType):
            return self.of(inner[0], depth)
        if isinstance(origin, type) and issubclass(origin, typing.Mapping):
            return {self.of(inner[0], depth): self.of(inner[1], depth)}
        if isinstance(origin, type) and issubclass(origin, typing.Iterable) and inner:
            made = [self.of(inner[0], depth)]
            return frozenset(made) if issubclass(origin, AbstractSet) else tuple(made)
        if isinstance(hint, type) and issubclass(hint, Enum):
            return next(iter(hint))
        if dataclasses.is_dataclass(hint) and isinstance(hint, type) and depth < 3:
            hints = typing.get_type_hints(hint)
            needed = [f.name for f in dataclasses.fields(hint) if f.init and f.default is f.default_factory]
            return hint(**{name: self.of(hints[name], depth + 1) for name in needed})
        raise Unknown(str(hint))


# --- what must hold ---------------------------------------------------------------------------


def check(work: UnitOfWork, what: str) -> bool:
    """Tell whether the debt is satisfied; fail if nothing real proves it."""
    one = work.debts.get(ONE)
    proofs = tuple(work.debts.evidence(ONE))
    if status_of(one, proofs, NOW + DAY) is not Status.SATISFIED:
        assert proofs == ()
        return False
    for proof in proofs:
        assert proof.kind in ALLOWED[one.kind], f"{what}: {proof.kind} proves no {one.kind}"
        assert proof.obligation == ONE
        assert proof.by, what
        assert exists(work, proof), f"{what}: {proof.reference} is nothing that is on record"
    return True


def exists(work: UnitOfWork, proof: Evidence) -> bool:
    """Tell whether the reference is there: an answered call, or a visit by the number of its paper."""
    if proof.kind is EvidenceKind.HOME_VISIT:
        return proof.reference == ONE
    call = work.calls.get(proof.reference)
    if call.answered_at is None:
        return False
    pressed = call.flow_outcome == Result.REACHED_SELF_IVR_OK
    return pressed if proof.kind is EvidenceKind.IVR_KEY else True
