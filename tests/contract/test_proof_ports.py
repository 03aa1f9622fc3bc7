"""No method of a port makes a debt kept without a proof, in any store (I4)."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from proof_world import NOW, ONE, Maker, check, fill

from callcenter.errors import CallCenterError
from callcenter.ports import Store, UnitOfWork
from scheduler.obligations import Evidence, EvidenceKind, Kind, Result

#: The one way in, which the service guards (tests/unit/test_proof_walk.py).
DOOR = "debts.add_evidence"
PROOF = Evidence(id="ev-1", obligation=ONE, kind=EvidenceKind.HUMAN_TALK, at=NOW, reference="c1", by=ONE)


def methods() -> Iterator[tuple[str, str]]:
    """Yield every method of every port of a unit of work."""
    for port, hint in typing.get_type_hints(UnitOfWork).items():
        yield from (
            (port, name) for name in vars(hint) if not name.startswith("_") and callable(vars(hint)[name])
        )


METHODS = sorted({(port, name) for port, name in methods()} - {tuple(DOOR.split("."))})


def tried(work: UnitOfWork, port: str, name: str, maker: Maker, all_: bool) -> bool:
    """Call one method; return whether it took what it was given."""
    method: Any = getattr(getattr(work, port), name)
    declared = getattr(typing.get_type_hints(UnitOfWork)[port], name)
    try:
        found = method(**maker.arguments(declared, {}, all_=all_))
        if isinstance(found, typing.Iterator):
            list(found)
    except Exception:
        return False
    return True


def test_no_method_of_a_port_keeps_a_debt(store: Store, tmp_path: Any) -> None:
    word = Result.REACHED_SELF_IVR_OK
    fill(store, Kind.HARDSHIP, word, answered=True)
    maker = Maker(Kind.HARDSHIP, word, tmp_path, answered=True)
    taken = set()
    for port, name in METHODS:
        for all_ in (False, True):
            with store() as work:
                if tried(work, port, name, maker, all_):
                    taken.add((port, name))
                    assert not check(work, f"{port}.{name}")
    assert len(taken) > len(METHODS) / 2


@pytest.mark.parametrize("faulty", [{"reference": " "}, {"obligation": "ob-0"}])
def test_a_proof_without_a_reference_or_a_debt_is_refused(store: Store, faulty: dict[str, str]) -> None:
    fill(store, Kind.HARDSHIP, None, answered=False)
    with store() as work, pytest.raises(CallCenterError):
        work.debts.add_evidence(replace(PROOF, **faulty))  # type: ignore[arg-type]
    with store() as work:
        assert not check(work, "nothing")
