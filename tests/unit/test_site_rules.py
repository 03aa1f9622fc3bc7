"""A site's own windows, zone and quiet hours reach whatever derives an hour from them.

A function that takes the rules does without them where a test has no wish of its own. No command may: it
would count working time by the shipped rules, and by no others would anybody notice.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import callcenter
from callcenter.service.followup import ending, handling, settling, sweeping, waiving

ROOT = Path(callcenter.__file__).parent
#: Where a function may be given the rules, and what a module has to name to call one.
GIVEN: set[object] = {
    ending.done_by_call,
    ending.done_by_visit,
    handling.outcome,
    settling.settle,
    sweeping.sweep,
    waiving.ask,
    waiving.grant,
}
NAMES = {function.__name__ for function in GIVEN if inspect.isfunction(function)}


def sources() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "followup" in text and any(f"{name}(" in text for name in NAMES):
            yield path


def called(module: ModuleType, call: ast.Call) -> object:
    """Return what a call in a module calls, as far as its own names tell."""
    match call.func:
        case ast.Name(id=name):
            return getattr(module, name, None)
        case ast.Attribute(value=ast.Name(id=where), attr=name):
            return getattr(getattr(module, where, None), name, None)
    return None


def calls(path: Path) -> Iterator[ast.Call]:
    """Return the calls of such functions in a file."""
    module = import_module(".".join(path.relative_to(ROOT.parent).with_suffix("").parts))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and called(module, node) in GIVEN:
            yield node


def test_every_function_that_may_do_without_the_sites_rules_is_looked_after() -> None:
    found: set[object] = {
        function
        for module in (ending, handling, settling, sweeping, waiving)
        for _, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and (told := inspect.signature(function).parameters.get("rules")) is not None
        and told.default is None
    }
    assert found == GIVEN


def test_no_command_and_no_service_does_without_the_sites_rules() -> None:
    made = [(path, call) for path in sources() for call in calls(path)]
    assert {path.name for path, _ in made} >= {"acts.py", "queue.py", "queue_acts.py", "doubts.py"}
    without = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path, call in made
        if "rules" not in {word.arg for word in call.keywords}
    ]
    assert without == []


@pytest.mark.parametrize("function", [settling.write_off, settling.finish, handling.snooze])
def test_what_moves_a_debt_has_no_rules_of_its_own(function: object) -> None:
    told = inspect.signature(function).parameters["rules"]  # type: ignore[arg-type]
    assert told.default is inspect.Parameter.empty
