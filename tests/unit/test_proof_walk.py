"""No verb makes a debt kept without a proof, whatever it is given (I4, R23, R25).

Every public function of the service is called with what its types ask for, about a debt that is there.
The ports are walked in each store: tests/contract/test_proof_ports.py.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from proof_world import Maker, check, fill

import callcenter.service
from callcenter.memory import MemoryStore
from scheduler.obligations import OF_CASES, Kind, Result

SERVICE = Path(callcenter.service.__file__).parent
#: The only doors to a proof: key 1, a contact somebody names, and a talk after a call in vain.
DOORS = {"followup/settling.py", "followup/ending.py", "followup/missed.py"}


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield every public function of the service that is given a unit of work."""
    for module in pkgutil.walk_packages(callcenter.service.__path__, "callcenter.service."):
        found = importlib.import_module(module.name)
        for name, one in vars(found).items():
            public = not name.startswith("_") and getattr(one, "__module__", "") == found.__name__
            if public and inspect.isfunction(one) and "work" in inspect.signature(one).parameters:
                yield f"{found.__name__.removeprefix('callcenter.service.')}.{name}", one


FUNCTIONS = dict(functions())
KINDS = (Kind.HARDSHIP, Kind.HIGH_RISK, Kind.CALLBACK, Kind.VISIT, Kind.VERIFY, Kind.MISSED_CALL)


def attempt_it(function: Callable[..., Any], store: MemoryStore, maker: Maker, what: str) -> bool | None:
    """Call it, with what it needs and with all it takes; None: it refused whatever it was given."""
    satisfied = None
    for all_ in (False, True):
        with store() as work:
            try:
                given = maker.arguments(function, {"work": work}, all_=all_)
                result = function(**given)
                if inspect.isawaitable(result):
                    asyncio.run(asyncio.wait_for(result, 1))  # type: ignore[arg-type]
            except Exception:  # noqa: S112 - what it refuses is undone with the unit of work
                continue
            satisfied = check(work, what) or bool(satisfied)
    return satisfied


#: What the debt's own room is tried with besides a call that nobody took.
WORDS = (Result.REACHED_SELF_IVR_OK, Result.REACHED_SELF_TRANSFER, Result.ASSISTANT_OR_VOICEMAIL)


def walk(kind: Kind, word: Result | None, folder: Path, room: str = "") -> dict[str, bool | None]:
    """Return, per function, whether the debt is satisfied after it; None: it refused."""
    answered = word is not None
    store, maker = MemoryStore(), Maker(kind, word, folder, answered=answered)
    fill(store, kind, word, answered=answered)
    chosen = {name: one for name, one in FUNCTIONS.items() if name.startswith(room)}
    return {name: attempt_it(one, store, maker, name) for name, one in chosen.items()}


def keeping(ended: dict[str, bool | None]) -> set[str]:
    return {name for name, satisfied in ended.items() if satisfied}


@pytest.mark.parametrize("kind", KINDS)
def test_r25_no_function_of_the_service_keeps_a_debt_without_a_proof(kind: Kind, tmp_path: Path) -> None:
    ended = walk(kind, None, tmp_path)
    assert keeping(ended) <= {"followup.ending.done_by_visit"}
    assert sum(satisfied is not None for satisfied in ended.values()) > len(FUNCTIONS) / 2


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("kind", KINDS)
def test_r23_an_answered_call_of_ours_keeps_a_routine_debt_by_key_one_alone(
    kind: Kind, word: Result, tmp_path: Path
) -> None:
    kept = keeping(walk(kind, word, tmp_path, "followup."))
    by_key = kind is Kind.HARDSHIP and word is Result.REACHED_SELF_IVR_OK
    assert ("followup.settling.settle" in kept) is by_key
    visited = kind not in OF_CASES | {Kind.VERIFY}
    assert kept <= {"followup.settling.settle"} | ({"followup.ending.done_by_visit"} if visited else set())


def test_proofs_have_three_doors_and_no_other() -> None:
    files = [file for file in SERVICE.rglob("*.py") if ".add_evidence" in file.read_text(encoding="utf-8")]
    assert {str(file.relative_to(SERVICE)) for file in files} == DOORS
