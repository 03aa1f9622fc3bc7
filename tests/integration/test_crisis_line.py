"""A counsellor presses *9: supervisors are rung on another line, and the caller stays where they are.

Nothing of ours runs in these tests but the test itself, which only plays people and looks.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness import Actors, Pbx

from callcenter.asterisk.ami import AmiLink
from callcenter.asterisk.control import AsteriskCalls, PhoneBook
from callcenter.asterisk.journal import JournalFollower
from callcenter.demo.runner import until
from callcenter.demo.sipp import BUSY, Answer, Behaviour, Carrier, presses
from callcenter.domain.alarms import Alarm, crisis_id
from callcenter.domain.duty import Presence, presence_of
from callcenter.memory import MemoryStore
from callcenter.ports import PlaceCall
from callcenter.service.line import crisis
from callcenter.service.line.alarms import on_acks
from callcenter.service.line.records import Hooks
from callcenter.service.risk.rescue_dial import RING

pytestmark = pytest.mark.asterisk

FIRST, SECOND, MOBILE = "13900000021", "13900000022", "13900000004"
SOON = timedelta(milliseconds=300)
#: Picks up and presses 1 once the prompt speaks.
ACKNOWLEDGES = Answer(after=SOON, keys=presses("1@2"))
ALWAYS = "0-4102444800"


def on_duty(pbx: Pbx, agent: str) -> None:
    """Put an agent on shift, signed on, as the bridge and their phone would."""
    pbx.put("hotline-shift", agent, ALWAYS)
    pbx.put("hotline-signed", agent, "1")
    pbx.on_duty(agent)


def events(pbx: Pbx, name: str) -> list[str]:
    return [text for event, text in pbx.user_events() if event == name]


def in_talk(pbx: Pbx) -> None:
    until(lambda: any(line.event == "CONNECT" for line in pbx.queue_log()), what="the talk")


def rung(carrier: Carrier) -> list[str]:
    return [call.number for call in carrier.calls()]


def callers_call(pbx: Pbx) -> str:
    """Return the id of the caller's call."""
    return next(line.call for line in pbx.queue_log() if line.event == "ENTERQUEUE")


def bridges(pbx: Pbx, event: str) -> list[str]:
    """Return the channels that entered (or left) a bridge of the caller's call."""
    return in_call(pbx, event, callers_call(pbx))


def in_call(pbx: Pbx, event: str, call: str) -> list[str]:
    """Return the channels of a call that have a row of this event, as often as they have."""
    return [row[6] for row in pbx.journal() if row[0] == event and row[9] == call]


@pytest.mark.parametrize("agent", ["c001", "c004"], ids=["at a SIP phone", "at a mobile"])
def test_r14_a_counsellors_key_rings_the_supervisor_and_the_caller_stays(
    pbx: Pbx, actors: Actors, agent: str
) -> None:
    keys = presses("*@0.5 9@0.8") if agent == "c001" else presses("1@1 *@2.5 9@2.8")
    counsellor = Answer(after=SOON, keys=keys)
    numbers: dict[str, Behaviour] = {FIRST: ACKNOWLEDGES, MOBILE: counsellor}
    carrier = actors.carrier(numbers)
    if agent == "c001":
        actors.phone(agent, behaviour=counsellor)
    on_duty(pbx, agent)
    caller = actors.caller()
    in_talk(pbx)
    until(lambda: events(pbx, "ALARM_ACK"), 30, what="the supervisor to press 1")
    call = callers_call(pbx)
    assert events(pbx, "ALARM_ACK") == [f'{{"extra":"alarm={crisis_id(call)}&by=s001"}}']
    assert events(pbx, "CRISIS") == [f'{{"extra":"agent={agent}"}}']
    assert events(pbx, "DUTY") == [f'{{"extra":"agent={agent}&act=debrief&reason={call}"}}']
    assert pbx.get("hotline-debrief", agent) == "1"
    assert pbx.members() == set()
    assert row_of(pbx, "CRISIS") < row_of(pbx, "CHAN_START", "Local/idle@hotline-alarm")
    assert bridges(pbx, "BRIDGE_EXIT") == []  # nobody left, and nobody joined
    assert len(bridges(pbx, "BRIDGE_ENTER")) == (2 if agent == "c001" else 4)
    assert rung(carrier)[-1] == FIRST
    alarm, presence = read_later(pbx, call)
    assert (alarm.detail, alarm.acknowledged_by, alarm.stands) == (f"{call} {agent}", "s001", True)
    assert presence[agent].debrief
    caller.hang_up()
    until(lambda: any(line.event == "COMPLETECALLER" for line in pbx.queue_log()), what="the end")


def read_later(pbx: Pbx, call: str) -> tuple[Alarm, dict[str, Presence]]:
    """Return what our software makes of it once it is alive: the call's alarm, and who may be rung."""
    store = MemoryStore()
    with store() as work:
        for user in pbx.users:
            work.users.add(user)
        work.commit()
    hooks = Hooks(on_acks=(on_acks,), on_closed=(crisis.on_closed,), on_line_acts=(crisis.on_rows,))
    follower = JournalFollower(pbx.home, store, name=pbx.settings.asterisk.name, hooks=hooks)
    until(lambda: follower.poll(datetime.now(UTC)).caught_up, what="the journal to be read")
    with store() as work:
        return work.alarms.get(crisis_id(call)), presence_of(work.roster.presence_events())


def row_of(pbx: Pbx, event: str, channel: str = "") -> int:
    """Return the place of the first such row in the journal."""
    rows = ((row[1] or row[0], row[6]) for row in pbx.journal())
    return next(place for place, row in enumerate(rows) if row[0] == event and row[1].startswith(channel))


@pytest.fixture
def keys_heard(pbx: Pbx, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """What Asterisk says of keys: which channel each came from, and which it went to."""
    file = tmp_path / "keys.log"
    pbx.console(f"logger add channel {file} dtmf")
    yield lambda: file.read_text(encoding="utf-8") if file.exists() else ""
    pbx.console(f"logger remove channel {file}")


@pytest.mark.parametrize(
    ("agent", "hops"), [("c001", 1), ("c004", 2)], ids=["with a SIP phone", "with a mobile"]
)
def test_a_callers_own_keys_do_nothing_and_go_on_to_the_counsellor(
    pbx: Pbx, actors: Actors, keys_heard: Callable[[], str], agent: str, hops: int
) -> None:
    """On its way to a mobile a caller's key comes in on a channel of ours, which must not heed it either."""
    carrier = actors.carrier({FIRST: ACKNOWLEDGES, MOBILE: Answer(after=SOON, keys=presses("1@1"))})
    if agent == "c001":
        actors.phone(agent, behaviour=Answer(after=SOON))
    on_duty(pbx, agent)
    caller = actors.caller(keys=presses("*@4.5 9@4.8 5@5.4"))
    in_talk(pbx)
    until(lambda: heard(keys_heard(), "5") >= hops, 20, what="the caller's keys to be over")
    assert [key for key in "*95" if heard(keys_heard(), key) != hops] == []
    assert events(pbx, "CRISIS") == []
    assert FIRST not in rung(carrier)
    assert bridges(pbx, "BRIDGE_EXIT") == []
    caller.hang_up()


def heard(log: str, key: str) -> int:
    """Return on how many channels of the call this key came in: the caller's, and any it goes on by."""
    return len(set(re.findall(rf"DTMF end '{re.escape(key)}' received on (\S+?),", log)))


def test_pressed_twice_it_is_one_alarm(pbx: Pbx, actors: Actors) -> None:
    slowly = Answer(after=timedelta(seconds=3), keys=presses("1@2"))
    carrier = actors.carrier({FIRST: slowly, SECOND: ACKNOWLEDGES})
    actors.phone("c001", behaviour=Answer(after=SOON, keys=presses("*@0.5 9@0.8 *@1.8 9@2.1")))
    on_duty(pbx, "c001")
    caller = actors.caller()
    in_talk(pbx)
    until(lambda: events(pbx, "ALARM_ACK"), 30, what="the supervisor to press 1")
    assert len(events(pbx, "CRISIS")) == 2
    assert len(events(pbx, "DUTY")) == 1
    caller.hang_up()
    until(lambda: pbx.channels() == 0, 20, what="the climb to end")
    assert rung(carrier) == [FIRST]


def test_the_supervisor_on_call_now_is_rung_before_the_chain_and_once_a_round(
    pbx: Pbx, actors: Actors
) -> None:
    carrier = actors.carrier({FIRST: ACKNOWLEDGES, SECOND: BUSY})
    actors.phone("c001", behaviour=Answer(after=SOON, keys=presses("*@0.5 9@0.8")))
    pbx.put("hotline-lead", "s002", ALWAYS)
    pbx.put("hotline-lead", "s001", "1-2")
    pbx.put("hotline-lead", "nobody", ALWAYS)
    on_duty(pbx, "c001")
    caller = actors.caller()
    until(lambda: events(pbx, "ALARM_ACK"), 30, what="the supervisor to press 1")
    assert rung(carrier) == [SECOND, FIRST]
    caller.hang_up()


def test_r14_help_is_called_on_a_line_of_its_own_while_the_caller_stays(pbx: Pbx, actors: Actors) -> None:
    carrier = actors.carrier({"110": Answer(after=SOON, talk=timedelta(seconds=1))})
    actors.phone("c001", "c002", behaviour=Answer(after=SOON))
    on_duty(pbx, "c001")
    caller = actors.caller()
    in_talk(pbx)
    asyncio.run(dial(pbx, "110", by="c002"))
    until(lambda: rung(carrier) == ["110"], 20, what="the agency's phone")
    until(lambda: len(in_call(pbx, "BRIDGE_EXIT", "rs-1")) == 2, what="the two to have talked")
    assert all(
        name.startswith(("PJSIP/c002-", "PJSIP/trunk-")) for name in in_call(pbx, "BRIDGE_ENTER", "rs-1")
    )
    assert len(bridges(pbx, "BRIDGE_ENTER")) == 2
    assert bridges(pbx, "BRIDGE_EXIT") == []
    caller.hang_up()


async def dial(pbx: Pbx, number: str, by: str) -> None:
    """Place the call that `hotline rescue dial` places."""
    settings, password = pbx.settings, pbx.keys.password("ami:bridge")
    link = AmiLink(settings.asterisk.ami_address, settings.asterisk.ami_port, "bridge", password)
    shown = settings.site.outbound_number
    running = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(10):
            while not link.connected:  # noqa: ASYNC110 - only success is announced
                await asyncio.sleep(0.05)
        await AsteriskCalls(link, PhoneBook(pbx.users), shown_number=shown).place(
            PlaceCall(id="rs-1", number=number, shown_number=shown, flow="preview", ring=RING, first_ring=by)
        )
    finally:
        link.close()
        await running
