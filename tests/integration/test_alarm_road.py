"""The alarm road on a real Asterisk: it climbs, only key 1 acknowledges, and it rings without us."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness import HOTLINE, USERS, Actors, Pbx

from callcenter.asterisk.ami import AmiLink
from callcenter.asterisk.control import AsteriskCalls, AsteriskQueue, PhoneBook
from callcenter.asterisk.spool import SpoolAlarms
from callcenter.config import Alarms
from callcenter.demo.runner import until
from callcenter.demo.sipp import NO_ANSWER, VOICEMAIL, Answer, Carrier, Refuse, RingOn, presses
from callcenter.domain.alarms import Alarm, AlarmAck, AlarmKind
from callcenter.memory import MemoryStore
from callcenter.service.line.alarms import Bell, on_acks
from callcenter.service.line.self_dial import JournalEar, SelfDial, self_dial

pytestmark = pytest.mark.asterisk

FIRST, SECOND = "13900000021", "13900000022"
QUICKLY = timedelta(milliseconds=300)
#: Picks up and presses 1 once the prompt speaks.
ACKNOWLEDGES = Answer(after=QUICKLY, keys=presses("1@2"))
ALARMS = Alarms(ring=timedelta(seconds=4), rounds=2)


@pytest.fixture(scope="module")
def _session_pbx(new_pbx: Callable[..., Pbx]) -> Pbx:
    """A line of our own: supervisors ring for four seconds, in two rounds, and have three for the key."""
    pbx = new_pbx(alarms=ALARMS)
    pbx.provision()
    conf = pbx.home / "etc" / "extensions.conf"
    quicker, count = re.subn(r"(hotline/alarm_ack,1,,1),5\)", r"\1,3)", conf.read_text(encoding="utf-8"))
    assert count == 1
    conf.write_text(quicker, encoding="utf-8")
    pbx.process.start()
    return pbx


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    with store() as work:
        for user in USERS:
            work.users.add(user)
        work.commit()
    return store


def _ring(pbx: Pbx, store: MemoryStore, kind: AlarmKind = AlarmKind.TRUNK_DOWN) -> Alarm:
    return Bell(store, SpoolAlarms(pbx.home)).raise_alarm(kind, "unreachable", datetime.now(UTC))


def _acks(pbx: Pbx) -> list[AlarmAck]:
    """Return the acknowledgements in the journal."""
    rows = [text for name, text in pbx.user_events() if name == "ALARM_ACK"]
    found = [re.search(r"alarm=([a-z0-9_-]+)&by=([a-z0-9]+)", row) for row in rows]
    return [AlarmAck(alarm=f[1], by=f[2], at=datetime.now(UTC)) for f in found if f]


def _rung(carrier: Carrier) -> list[str]:
    return [call.number for call in carrier.calls()]


@pytest.mark.parametrize("first", [NO_ANSWER, Refuse(status=404), RingOn(), VOICEMAIL], ids=str)
def test_the_first_supervisor_does_not_take_it_and_the_second_acknowledges(
    pbx: Pbx, actors: Actors, store: MemoryStore, first: Answer | Refuse | RingOn
) -> None:
    carrier = actors.carrier({FIRST: first, SECOND: ACKNOWLEDGES})
    alarm = _ring(pbx, store)
    until(lambda: _acks(pbx), 40, what="the acknowledgement")
    assert _rung(carrier) == [FIRST, SECOND]
    with store() as work:
        on_acks(work, _acks(pbx), datetime.now(UTC))
        assert work.alarms.get(alarm.id).acknowledged_by == "s002"
    until(lambda: pbx.channels() == 0, 20, what="the climb to end")
    assert _rung(carrier) == [FIRST, SECOND]


def test_an_alarm_acknowledged_at_the_desk_rings_nobody_else(
    pbx: Pbx, actors: Actors, store: MemoryStore
) -> None:
    carrier = actors.carrier({FIRST: RingOn(), SECOND: ACKNOWLEDGES})
    alarm = _ring(pbx, store)
    until(lambda: _rung(carrier) == [FIRST], 20, what="the first ring")
    SpoolAlarms(pbx.home).silence(alarm.id)
    until(lambda: pbx.channels() == 0, 30, what="the climb to end")
    assert _rung(carrier) == [FIRST]


def test_a_voicemail_acknowledges_nothing_and_the_chain_is_climbed_again(
    pbx: Pbx, actors: Actors, store: MemoryStore
) -> None:
    carrier = actors.carrier({FIRST: VOICEMAIL, SECOND: Refuse(status=404)})
    _ring(pbx, store)
    until(lambda: _rung(carrier) == [FIRST, SECOND, FIRST, SECOND], 90, what="two rounds")
    until(lambda: pbx.channels() == 0, 20, what="the climb to end")
    assert _acks(pbx) == []


def test_another_key_is_no_acknowledgement(pbx: Pbx, actors: Actors, store: MemoryStore) -> None:
    wrong = Answer(after=QUICKLY, keys=presses("5@2 7@4 2@6 0@8 9@10"))
    carrier = actors.carrier({FIRST: wrong, SECOND: ACKNOWLEDGES})
    _ring(pbx, store)
    until(lambda: _acks(pbx), 60, what="the acknowledgement")
    assert [ack.by for ack in _acks(pbx)] == ["s002"]
    assert _rung(carrier) == [FIRST, SECOND]


def test_the_road_rings_with_a_dead_store(pbx: Pbx, actors: Actors, store: MemoryStore) -> None:
    def dead() -> MemoryStore:
        raise ConnectionError("database is gone")

    actors.carrier({FIRST: ACKNOWLEDGES})
    bell = Bell(dead, SpoolAlarms(pbx.home))  # type: ignore[arg-type]
    alarm = bell.raise_alarm(AlarmKind.NOBODY_ON_DUTY, "no_member", datetime.now(UTC))
    until(lambda: _acks(pbx), 30, what="the acknowledgement")
    with store() as work:
        (restored,) = on_acks(work, _acks(pbx), datetime.now(UTC))
    assert (restored.id, restored.kind) == (alarm.id, AlarmKind.NOBODY_ON_DUTY)


def test_every_kind_of_alarm_has_its_prompt_in_the_pbx(pbx: Pbx) -> None:
    sounds = pbx.home / "sounds" / "zh" / "hotline"
    assert [kind for kind in AlarmKind if not (sounds / f"alarm_{kind}.wav").is_file()] == []


@pytest.fixture
def watcher(pbx: Pbx) -> Iterator[subprocess.Popen[str]]:
    """A Python that watches the line, and whose watchdog bites after three seconds."""
    program = [sys.executable, str(Path(__file__).parent / "watched_line.py"), str(pbx.home), "3"]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("end", [signal.SIGSTOP, signal.SIGKILL], ids=["stopped", "killed"])
def test_the_pbx_rings_by_itself_when_no_python_of_ours_is_alive(
    pbx: Pbx, actors: Actors, store: MemoryStore, watcher: subprocess.Popen[str], end: signal.Signals
) -> None:
    carrier = actors.carrier({FIRST: ACKNOWLEDGES})
    assert watcher.stdout is not None
    for _ in range(20):  # some five seconds: longer than the watchdog's patience
        assert watcher.stdout.readline() == "looked\n"
    assert _rung(carrier) == []
    watcher.send_signal(end)
    until(lambda: _acks(pbx), 30, what="the watchdog's ring to be acknowledged")
    with store() as work:
        (alarm,) = on_acks(work, _acks(pbx), datetime.now(UTC))
    assert (alarm.kind, alarm.acknowledged_by) == (AlarmKind.WATCHDOG, "s001")


def test_the_line_calls_itself_through_the_trunk(pbx: Pbx, actors: Actors) -> None:
    """The carrier takes the call to our public number and, as carriers do, brings it back to us."""
    carrier = actors.carrier({HOTLINE: Answer(after=timedelta(seconds=3))})

    async def main() -> SelfDial:
        dialling = asyncio.create_task(_self_dial(pbx))
        await asyncio.to_thread(until, lambda: carrier.calls(HOTLINE), 20)
        actors.caller(number=pbx.settings.site.outbound_number)
        return await dialling

    pbx.on_duty("c001", "c002")
    result = asyncio.run(main())
    assert result.works
    assert result.members == 0  # their phones are not registered
    assert not [name for name, _ in pbx.user_events() if name == "IVR_NODE"]


def test_a_carrier_that_does_not_bring_the_call_back_is_found_out(pbx: Pbx, actors: Actors) -> None:
    actors.carrier({HOTLINE: Refuse(status=404)})
    assert asyncio.run(_self_dial(pbx, patience=8)).problem == "not_heard"


async def _self_dial(pbx: Pbx, patience: float = 60) -> SelfDial:
    settings = pbx.settings
    link = AmiLink(
        settings.asterisk.ami_address, settings.asterisk.ami_port, "bridge", pbx.keys.password("ami:bridge")
    )
    up, phones = asyncio.Event(), PhoneBook()
    link.listen(on_up=_setter(up))
    running = asyncio.create_task(link.run())
    await up.wait()
    start = datetime.now(UTC)

    def clock() -> datetime:
        """Run fast where a minute would be waited for nothing."""
        now = datetime.now(UTC)
        return now + timedelta(seconds=60 - patience) if now - start > timedelta(seconds=1) else now

    calls = AsteriskCalls(link, phones, shown_number=settings.site.outbound_number)
    ear = JournalEar(pbx.journal_file.parent)
    try:
        return await self_dial(AsteriskQueue(link, phones), calls, ear, settings.site, clock)
    finally:
        link.close()
        await running


def _setter(event: asyncio.Event) -> Callable[[], object]:
    async def set_it() -> None:
        event.set()

    return set_it
