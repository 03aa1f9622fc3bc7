"""What a scheduler says of itself while its rounds fail, and afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from callcenter.bootstrap import App
from callcenter.config import Settings
from callcenter.db.errors import StoreBusy, StoreReadOnly
from callcenter.errors import PbxError
from callcenter.keys import KeyRing
from callcenter.memory import MemoryStore
from callcenter.service.health.standing import Standing
from callcenter.serving.dialling import SchedulerPart
from callcenter.serving.loops import Line


class Lead:
    """Somebody who leads, or does not."""

    is_ours = True


class Rounds:
    """Rounds that fail with this, while there is any."""

    trouble: Exception | None = None

    async def __call__(self) -> None:
        if self.trouble is not None:
            raise self.trouble


@pytest.fixture
def part(tmp_path: Path, keys: KeyRing) -> SchedulerPart:
    app = App(settings=Settings(home=tmp_path))
    app.__dict__.update(store=MemoryStore(), keys=keys)
    made = SchedulerPart(app, Line.of(app))
    made.__dict__.update(_lead=Lead(), _round=Rounds())
    return made


def stores(part: SchedulerPart) -> bool:
    standing = part.tell(Standing(connected=True))
    return standing.store_away == timedelta(0)


def tick(part: SchedulerPart, trouble: Exception | None = None) -> None:
    part.__dict__["_round"].trouble = trouble
    if trouble is None:
        asyncio.run(part._tick())
    else:
        with pytest.raises(type(trouble)):
            asyncio.run(part._tick())


@pytest.mark.parametrize("trouble", [StoreReadOnly, StoreBusy])
def test_who_leads_and_cannot_write_says_that_the_store_is_of_no_use(
    part: SchedulerPart, trouble: Callable[[], Exception]
) -> None:
    tick(part)
    assert stores(part)
    tick(part, trouble())
    tick(part, trouble())
    assert not stores(part), "though others may read it"
    tick(part)
    assert stores(part)


def test_a_round_that_the_telephone_system_fails_says_nothing_of_the_store(part: SchedulerPart) -> None:
    tick(part, PbxError("away"))
    assert stores(part)


def test_who_leads_no_more_leaves_it_to_the_next_one_to_tell(part: SchedulerPart) -> None:
    tick(part, StoreReadOnly())
    part.__dict__["_lead"].is_ours = False
    tick(part)
    assert stores(part)
