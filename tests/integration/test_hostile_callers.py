"""Callers whose numbers and names are weapons or rubbish: each is routed, recorded once, and breaks nothing.

Everything arrives over real SIP from the trunk, through the rendered configuration, with `hotline serve`
following along.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from violence import PINS, Site

from callcenter.demo.runner import until
from callcenter.demo.sipp import Answer, Phone
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.numbers import normalise

pytestmark = pytest.mark.asterisk
SOON = timedelta(milliseconds=200)
#: What a shell or an expansion in the dialplan would leave behind.
TRACE = Path("/tmp/hotline-was-here")
#: An event of the manager interface, had it a line of its own there; as a SIP user part spells it.
FORGED = quote("138\r\n\r\nEvent: QueueMemberRemoved\r\nQueue: hotline\r\nMemberName: c001\r\n\r\n", safe="")
PLAIN = "13800138000"

#: What arrives in From.
CALLERS: dict[str, dict[str, Any]] = {
    "plain": {"name": "张三"},
    "backslash and quote in the number": {"number": "1380%5C0%22x"},
    "line ends and an action in the number": {"number": quote("138\r\nAction: Logoff\r\n\r\n", safe="")},
    "an event in the number": {"number": FORGED},
    "bare carriage return in the name": {"name": "a\rb"},
    "quotes in the name": {"name": '"; DROP TABLE calls; --'},
    "everything that splits, in the name": {"name": "\",;|&=\\'<>[]()"},
    "everything that splits, in the number": {"number": quote("\",;|&=\\'<>[]()", safe="")},
    "expansion in the number": {"number": quote("${EXTEN}", safe="")},
    "shell in the number": {"number": quote(f"${{SHELL(touch {TRACE})}}", safe="")},
    "shell in the name": {"name": f"${{SHELL(touch {TRACE})}} $(touch {TRACE}) `touch {TRACE}`"},
    "application in the name": {"name": f"1)&System(touch {TRACE})"},
    "200 Chinese characters in the name": {"name": "心" * 200},
    "200 Chinese characters in the number": {"number": quote("线" * 200)},
    "500 bytes in the number": {"number": "1" * 500},
    "3000 bytes in the name": {"name": "n" * 3000},
    "no number": {"number": None},
    "withheld": {"withheld": True},
    "our own counsellor": {"number": "c001", "name": "王芳"},
    "our own queue member": {"number": "PJSIP/c001"},
    "our own outbound number": {"number": "051085000966"},
    "our own public number": {"number": "4000850966"},
    "another country's spelling": {"number": "+8613800138000"},
    "a bare country code": {"number": "8613800138000"},
    "a trunk 0 before a mobile number": {"number": "013800138000"},
    "right to left and zero width": {"name": "\u202eabc\u200b\ufeff"},
    "escape codes for a terminal": {"name": "\x1b[2J\x1b]0;x\x07"},
}
#: From headers that are not valid SIP, or not for this PBX: it drops them without a word, as it should.
REFUSED: dict[str, dict[str, Any]] = {
    "a line of its own from the name": {"name": "a\r\nX-Evil: 1"},
    "a second message from the name": {"name": "a\r\n\r\nBYE sip:x SIP/2.0\r\n\r\n"},
    "a folded name": {"name": "a\r\n b"},
    "raw expansion in the number": {"number": "${SHELL(id)}"},
    "raw Chinese in the number": {"number": "线" * 20},
    "a raw line end in the number": {"number": "138\r\nX-Evil: 1"},
}


@pytest.fixture(scope="module")
def line(_tools: None, request: pytest.FixtureRequest) -> Iterator[tuple[Site, list[Phone]]]:
    """A line with three counsellors on duty, their phones answering at once."""
    site = Site()
    try:
        site.open()
        site.on_duty(*PINS)
        talk = Answer(after=SOON, talk=timedelta(seconds=1))
        phones = [site.actors.phone(code, behaviour=talk) for code in PINS]
        site.until_members(*PINS)
        yield site, phones
    finally:
        site.close(keep=bool(request.session.testsfailed))


def inbound(site: Site) -> list[CallRecord]:
    """Return the inbound calls on record, oldest first."""
    found = [record for record in site.records() if record.direction is Direction.INBOUND]
    return sorted(found, key=lambda record: record.started_at)


def until_recorded(site: Site, count: int) -> None:
    """Wait until so many inbound calls are on record and over; tell what is there if they never are."""
    try:
        until(lambda: len([r for r in inbound(site) if not r.is_open]) >= count, 60)
    except TimeoutError:
        told = [(r.id, r.outcome, r.path[-1:], r.answered_by) for r in inbound(site)]
        pytest.fail(f"{len(told)} of {count} calls are on record: {told}", pytrace=False)


def test_every_hostile_caller_is_routed_and_recorded_once(line: tuple[Site, list[Phone]]) -> None:
    site, phones = line
    before = len(inbound(site))
    callers = []
    for description in CALLERS.values():
        callers.append(site.actors.caller(**({"number": PLAIN} | description)))
        callers[-1].until_answered()
    for caller in callers:
        caller.wait()
    until_recorded(site, before + len(callers))
    records = inbound(site)[before:]
    assert len(records) == len(callers)
    for (name, described), record in zip(CALLERS.items(), records, strict=True):
        assert (record.outcome, record.witness) == (Outcome.ANSWERED, "journal"), name
        number = None if described.get("withheld") else described.get("number", PLAIN)
        assert record.number == normalise(number), name
    assert sum(len(phone.calls()) for phone in phones) == len(callers)
    _nothing_broke(site)


def test_what_is_no_sip_is_refused_and_the_line_goes_on(line: tuple[Site, list[Phone]]) -> None:
    site, _ = line
    before = len(inbound(site))
    refused = [site.actors.caller(**({"number": PLAIN} | one)) for one in REFUSED.values()]
    plain = site.actors.caller(number=PLAIN)
    plain.until_answered()
    plain.wait()
    assert [caller.timing and caller.timing.status for caller in refused] == [None] * len(refused)
    for caller in refused:
        caller.stop()
    until_recorded(site, before + 1)
    assert len(inbound(site)) == before + 1
    _nothing_broke(site)


def _nothing_broke(site: Site) -> None:
    """Check that no caller's words became an act, an event, a row nobody can read, or a line of a log."""
    assert not TRACE.exists()
    assert re.findall(rb"^(?:Event: QueueMemberRemoved|X-Evil).*", bytes(site.tap.heard), re.MULTILINE) == []
    site.until_members(*PINS)
    assert site.python.complaints() == []
    with site.looking() as work:
        assert work.journal.unread_count() == 0
    for log in (site.python.log, site.pbx.home / "log" / "messages.log"):
        assert PLAIN not in log.read_text(encoding="utf-8", errors="replace"), log.name
