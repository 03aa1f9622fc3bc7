"""Every guarded service function with every role: forbidden exactly where the matrix says, and first."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Any

import pytest

import callcenter.service
from callcenter.domain.access import ALLOWED, VISIBLE, Verb
from callcenter.domain.duty import PresenceAct
from callcenter.domain.users import Role, User
from callcenter.errors import Forbidden
from callcenter.memory import MemoryStore, MemoryUnit
from callcenter.service.access import GUARDED
from callcenter.service.duty import presence
from callcenter.service.staff import users

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)

#: Public functions that take an actor and ask nothing, and why that is right.
ASK_NOTHING = {
    "access.allow": "is the gate",
    "access.acting": "is the gate",
    "line.alarms.raise_alarm": "the machine rings; a person's test asks through `allow_test`",
    "line.alarms.ring": "the machine rings; a person asks through what calls it",
    "line.alarms.note": "writes the audit for who was let through",
    "line.alarms.Bell.raise_alarm": "the machine rings; a person's test asks through `allow_test`",
    "line.self_dial.settle": "writes what a probe found; a person's probe asks through `allow_test`",
    "people.nearness.changed_by": "asks for the verb it is given, then for nearness",
    "duty.presence.note": "writes the audit for who was let through",
    "followup.settling.note": "writes the audit for who was let through",
    "followup.acting.record": "writes a debt's history for who was let through",
    "followup.dispatch.DebtRound.dial": "asks through `note_dial` before anything is dialled",
}


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(callcenter.service.__path__, "callcenter.service."):
        yield importlib.import_module(found.name)


MODULES = list(modules())


def public_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield every public function and method that the service modules define."""
    for module in MODULES:
        short = module.__name__.removeprefix("callcenter.service.")
        for name, found in vars(module).items():
            if name.startswith("_") or getattr(found, "__module__", "") != module.__name__:
                continue
            if inspect.isfunction(found):
                yield f"{short}.{name}", found
            elif inspect.isclass(found):
                for method, inner in vars(found).items():
                    if inspect.isfunction(inner) and not method.startswith("_"):
                        yield f"{short}.{name}.{method}", inner


def named(function: Callable[..., Any]) -> str:
    return f"{function.__module__.removeprefix('callcenter.service.')}.{function.__name__}"


WALK = sorted(GUARDED.items(), key=lambda item: named(item[0]))


class Touched(Exception):
    """A function looked at what it was given before it asked whether it may."""


class Untouchable:
    """In the place of a value that no test can make up; whoever is let in may stumble over it."""

    def __getattr__(self, name: str) -> Any:
        raise Touched(name)

    def __iter__(self) -> Iterator[Any]:
        raise Touched

    def __bool__(self) -> bool:
        raise Touched


_MADE_UP: dict[type, object] = {
    str: "x1",
    int: 1,
    float: 1.0,
    bool: False,
    bytes: b"x",
    datetime: NOW,
    date: NOW.date(),
    timedelta: timedelta(hours=1),
    NoneType: None,
}


def made_up(hint: Any, folder: Path) -> object:
    """Return a value of this type, if one can be made up."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, UnionType):
        return made_up(typing.get_args(hint)[0], folder)
    if hint is Path:
        return folder / "x1"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    return _MADE_UP.get(hint, Untouchable())


def call(function: Callable[..., Any], work: MemoryUnit, actor: str, folder: Path) -> None:
    """Call a function with what its types ask for and nothing behind it."""
    hints = typing.get_type_hints(function)
    given: dict[str, object] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
            given[name] = made_up(hints.get(name), folder)
    given |= {"work": work, "actor": actor}
    result = function(**given)
    if inspect.isawaitable(result):
        asyncio.run(_awaited(result))


async def _awaited(result: Any) -> None:
    await result


@pytest.fixture
def work() -> Iterator[MemoryUnit]:
    """A store with one user of each role, one with none, and one with all who was disabled."""
    with MemoryStore()() as unit:
        for role in Role:
            unit.users.add(User(code=f"u{role.value}", name="林晓燕", roles=frozenset({role})))
        unit.users.add(User(code="unone", name="顾卫东", roles=frozenset()))
        unit.users.add(User(code="uoff", name="王海", roles=frozenset(Role), active=False))
        assert isinstance(unit, MemoryUnit)
        yield unit


def state_of(work: MemoryUnit) -> object:
    return deepcopy(work._state)


@pytest.mark.parametrize(("function", "verbs"), WALK, ids=[named(function) for function, _ in WALK])
def test_r39_a_role_is_refused_exactly_where_the_matrix_says_and_before_anything_changed(
    function: Callable[..., Any], verbs: tuple[Verb, ...], work: MemoryUnit, tmp_path: Path
) -> None:
    for role in Role:
        actor = f"u{role.value}"
        before = state_of(work)
        if not any(role in ALLOWED[verb] for verb in verbs):
            with pytest.raises(Forbidden):
                call(function, work, actor, tmp_path)
            assert state_of(work) == before, f"{actor} changed something"
            assert list(tmp_path.iterdir()) == []
            continue
        with MemoryStore()() as unit:
            assert isinstance(unit, MemoryUnit)
            unit.users.add(work.users.get(actor))
            _check_let_in(function, verbs, unit, role, tmp_path / role.value)


def _check_let_in(
    function: Callable[..., Any], verbs: tuple[Verb, ...], work: MemoryUnit, role: Role, folder: Path
) -> None:
    """Whatever it comes to with values nobody made up: it must not be the role that is in the way."""
    folder.mkdir()
    # Where one of several verbs is not the role's, it depends on what is asked: tried below by hand.
    whole = all(role in ALLOWED[verb] for verb in verbs)
    try:
        call(function, work, f"u{role.value}", folder)
    except Forbidden:
        assert not whole, f"{role}: the matrix lets this role in"
    except Exception:  # noqa: S110 - nothing stands behind the values, so much may go wrong
        pass
    finally:
        for left in sorted(folder.rglob("*"), reverse=True):
            left.rmdir() if left.is_dir() else left.unlink()
        folder.rmdir()


@pytest.mark.parametrize("function", [f for f, _ in WALK], ids=[named(f) for f, _ in WALK])
@pytest.mark.parametrize("actor", ["unone", "uoff", "x999", "", "system"])
def test_who_has_no_role_or_was_disabled_or_is_unknown_may_nothing(
    function: Callable[..., Any], actor: str, work: MemoryUnit, tmp_path: Path
) -> None:
    before = state_of(work)
    with pytest.raises(Forbidden):
        call(function, work, actor, tmp_path)
    assert state_of(work) == before
    assert list(tmp_path.iterdir()) == []


def test_every_public_function_that_takes_an_actor_asks_for_a_verb() -> None:
    taking = {
        name for name, function in public_functions() if "actor" in inspect.signature(function).parameters
    }
    guarded = {named(function) for function in GUARDED}
    assert taking - guarded == ASK_NOTHING.keys()


def test_every_guarded_function_takes_its_actor_by_name() -> None:
    for function in GUARDED:
        parameter = inspect.signature(function).parameters["actor"]
        assert parameter.kind is parameter.KEYWORD_ONLY, named(function)
        assert parameter.default is parameter.empty, named(function)


def test_every_verb_stands_in_the_matrix_and_is_somebodys() -> None:
    assert set(ALLOWED) == set(Verb)
    assert all(ALLOWED.values())
    assert set(VISIBLE) == set(Role)


def test_every_verb_is_asked_for_by_some_function() -> None:
    asked = {verb for verbs in GUARDED.values() for verb in verbs}
    assert set(Verb) - asked == set()


# --- where it depends on whom it is about ----------------------------------------------------


@pytest.mark.parametrize("role", Role)
def test_everybody_sets_their_own_pin_and_only_the_administrator_anothers(
    role: Role, work: MemoryUnit
) -> None:
    actor = f"u{role.value}"
    users.set_pin(work, actor, "2580", salt="s", actor=actor, now=NOW)
    before = state_of(work)
    if role is Role.ADMIN:
        users.set_pin(work, "unone", "2580", salt="s", actor=actor, now=NOW)
        return
    with pytest.raises(Forbidden):
        users.set_pin(work, "unone", "2580", salt="s", actor=actor, now=NOW)
    assert state_of(work) == before


@pytest.mark.parametrize("role", Role)
def test_a_counsellor_signs_themselves_on_and_only_a_supervisor_signs_on_others(
    role: Role, work: MemoryUnit
) -> None:
    actor = f"u{role.value}"
    sip = users.PhoneKind.SIP
    for code in (actor, "c017"):
        fresh = User(code=code, name="林晓燕", roles=frozenset({role}), phone=sip)
        (work.users.update if code == actor else work.users.add)(fresh)
    for agent, verb in ((actor, Verb.DUTY_ACT), ("c017", Verb.DUTY_ACT_FOR)):
        before = state_of(work)
        if role in ALLOWED[verb]:
            presence.act(work, agent, PresenceAct.ON, actor=actor, now=NOW)
            continue
        with pytest.raises(Forbidden):
            presence.act(work, agent, PresenceAct.ON, actor=actor, now=NOW)
        assert state_of(work) == before
