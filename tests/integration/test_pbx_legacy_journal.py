"""The journal of an Asterisk without quoted dsv: the same rows, whatever a caller sends."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from harness import Actors, Pbx

from callcenter.asterisk.journal_rows import parse_journal
from callcenter.asterisk.spool import Spool
from callcenter.demo.runner import until
from callcenter.demo.sipp import SECOND, Answer, Behaviour, presses
from callcenter.domain.calls import CallRecord
from callcenter.domain.fold import fold
from callcenter.domain.journal import Row, words_of
from callcenter.domain.queue_log import read_queue_line

pytestmark = pytest.mark.asterisk

FIRST = "13900000021"
ACCEPTS = Answer(keys=presses("1@1"))
#: Another moment and another id for every call: what two calls may differ in.
SOME_TIME = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(scope="module")
def _legacy(new_pbx: Callable[..., Pbx]) -> Pbx:
    line = new_pbx()
    line.journal_format = "legacy"
    line.start()
    return line


@pytest.fixture
def legacy(_legacy: Pbx) -> Iterator[Pbx]:
    """A running line that writes its journal through the legacy mapping."""
    _legacy.reset()
    yield _legacy
    assert _legacy.leak() == ""


@pytest.fixture
def cast(legacy: Pbx, tmp_path: Path) -> Iterator[Actors]:
    """The people around the legacy line."""
    people = Actors(pbx=legacy, folder=tmp_path / "legacy")
    yield people
    people.close()


def rows_of(pbx: Pbx) -> list[Row]:
    """Wait until a call is over; return its rows, every byte of the journal read."""
    until(lambda: b"LINKEDID_END" in b"".join(pbx.journal_rows()), 20, what="the call to end")
    parsed = parse_journal(b"".join(pbx.journal_rows()), final=True)
    assert parsed.scraps == []
    return parsed.rows


def call_of(pbx: Pbx) -> CallRecord:
    """Return the one call of the journal."""
    log = (pbx.home / "log" / "queue_log").read_text().splitlines()
    ids = {row.linked for row in rows_of(pbx)}
    queue = [line for line in map(read_queue_line, log) if line is not None and line.call in ids]
    (call,) = fold(rows_of(pbx), queue).calls
    return call


def timeless(call: CallRecord) -> CallRecord:
    """Return the call with one id and one moment for all of its moments."""
    moments = {f.name: SOME_TIME for f in fields(call) if isinstance(getattr(call, f.name), datetime)}
    return replace(call, id="", **moments)


def outline(rows: list[Row]) -> Counter[tuple[object, ...]]:
    """Return how often each row stands there, whatever its time, its ids and the order.

    Which channel goes last, and so tells of the end or finds the other gone, is a race of the two.
    """
    return Counter(
        (
            *(row.event, row.num, row.exten, row.context, row.app),
            *(re.sub(r"-[0-9a-f]{8}", "", text) for text in (row.channel, peer_of(row))),
            *(tuple(words_of(row).items()), tuple(json.loads(plain(row.extra) or "{}"))),
        )
        for row in rows
        if row.event != "LINKEDID_END"
    )


def peer_of(row: Row) -> str:
    return "" if row.event == "BRIDGE_EXIT" else row.peer


def plain(text: str) -> str:
    """Return a field as it was sent."""
    return text.replace('""', '"').encode("latin-1").decode()


def numbers_of_caller(rows: list[Row]) -> list[str]:
    """Return the number in each row of the caller's own channel: as sent, until our dialplan tames it."""
    return [plain(row.num) for row in rows if row.unique == row.linked]


def answered_call(cast: Actors) -> None:
    cast.phone("c001")
    cast.pbx.on_duty("c001")
    cast.caller(talk=4 * SECOND).wait()


def escalated_call(cast: Actors) -> None:
    numbers: dict[str, Behaviour] = {FIRST: ACCEPTS}
    cast.carrier(numbers)
    cast.caller(talk=7 * SECOND).wait()


@pytest.mark.parametrize("scene", [answered_call, escalated_call])
def test_a_call_is_told_alike_in_both_ways(
    pbx: Pbx, actors: Actors, legacy: Pbx, cast: Actors, scene: Callable[[Actors], None]
) -> None:
    scene(actors)
    scene(cast)
    told, told_legacy = call_of(pbx), call_of(legacy)
    assert told_legacy.answered_by is not None
    assert timeless(told_legacy) == timeless(told)
    assert outline(rows_of(legacy)) == outline(rows_of(pbx))


@pytest.mark.parametrize(
    "number",
    [
        "13800138000",
        "anonymous",
        '1380\\0"x',
        '"',
        '""',
        '","',
        '1380"\r\n"CHAN_END","","1795459057.438063',
        "a,b",
        "1380):0:1",
        ")",
        "((",
        "a):1:-1)",
        "x}y{z",
        "${EXTEN}",
        "${SHELL(id)}",
        "$[1 + 1]",
        "\\,\\\"\\'",
        "沈先生",
        "line\r\nline",
        "1380\t\x7f",
        "心理热线" * 6,
        '"' * 60,
    ],
)
def test_a_hostile_number_is_kept_as_sent_and_loses_no_call(legacy: Pbx, cast: Actors, number: str) -> None:
    cast.caller(number=quote(number, safe=""), name='王"芳, ${EXTEN} \\', talk=SECOND).wait()
    rows = rows_of(legacy)
    sent, *later = numbers_of_caller(rows)
    assert sent == number
    assert set(later) <= {number, ""}
    assert "greet" in " ".join(call_of(legacy).path)


@pytest.mark.parametrize("dialled", ['40008"50966', "1):0:1", "a\r\nb"])
def test_a_hostile_dialled_number_loses_no_call(legacy: Pbx, cast: Actors, dialled: str) -> None:
    cast.caller(quote(dialled, safe=""), talk=SECOND).wait()
    assert dialled in {plain(row.exten) for row in rows_of(legacy)}
    assert "greet" in " ".join(call_of(legacy).path)


def test_our_longest_text_swallows_no_row(legacy: Pbx) -> None:
    text = "x" * 190
    legacy.console(f"dialplan add extension 900,1,CELGenUserEvent,IVR_NODE\\,flow={text} into hotline-trial")
    Spool(legacy.home).put("test-text.call", ("Channel: Local/900@hotline-trial", "Application: NoOp"))
    assert [row.event for row in rows_of(legacy) if text in row.extra] == ["IVR_NODE"]
