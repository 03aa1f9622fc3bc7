"""`hotline rescue dial`: another line calls for help, the caller stays, and what to tell is on the screen."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from actors import enlist
from click.testing import CliRunner, Result

from callcenter.bootstrap import App, Telephony
from callcenter.cli.rescue import rescue
from callcenter.config import Settings, Transfers
from callcenter.db.errors import StoreUnreachable
from callcenter.domain.books import CASES, RESCUES
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.cases import RescueState
from callcenter.domain.levels import Level
from callcenter.domain.numbers import national
from callcenter.domain.origins import origin_of
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import PbxUnreachable, Refused
from callcenter.memory import MemoryAlarmRoad, MemoryCallControl, MemoryQueue, MemoryStore, MemoryUnit
from callcenter.service.line.alarms import policy_of
from callcenter.service.risk import rescues
from callcenter.service.risk.rescue_calls import begin
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules

NOW = datetime(2026, 11, 24, 23, 40, tzinfo=SHANGHAI)
CALL, NUMBER = "1764000000.7", "051082700001"


class Night(App):
    """林晓燕 talks with somebody in danger; 吴倩 is the second person. Store and PBX can be taken away."""

    def __init__(self, home: Path, **sections: object) -> None:
        super().__init__(settings=Settings(home=home, **sections))  # type: ignore[arg-type]
        self.memory, self.line = MemoryStore(), MemoryCallControl()
        self.__dict__.update(store=self.memory, road=MemoryAlarmRoad())
        self.clock = lambda: NOW  # type: ignore[method-assign]
        with self.memory() as work:
            enlist(work, "s001", "k001")
            for code in ("c017", "c018"):
                roles = frozenset({Role.COUNSELLOR})
                work.users.add(User(code=code, name="吴倩", roles=roles, phone=PhoneKind.SIP))
            work.calls.put_many([talk()])
            facts = {"address": "滨湖区太湖边，一座白桥", "alone": "一个人"}
            self.rescue = begin(
                work,
                self.road,
                CALL,
                agency="110",
                facts=facts,
                policy=policy_of(self.settings.alarms),
                rules=Rules(),
                actor="c017",
                now=NOW,
            ).rescue
            work.commit()

    @asynccontextmanager
    async def telephony(self) -> AsyncIterator[Telephony]:
        yield Telephony(calls=self.line, queue=MemoryQueue())

    def dial(self, *words: str, agency: str = "110", by: str = "c018") -> Result:
        said = ["dial", self.rescue.id, "--agency", agency, *words]
        return CliRunner().invoke(rescue, said, obj=self, env={"HOTLINE_ACTOR": by})


def talk(ended: datetime | None = None) -> CallRecord:
    return CallRecord(
        id=CALL,
        direction=Direction.INBOUND,
        outcome=Outcome.ANSWERED if ended else Outcome.OPEN,
        started_at=NOW - timedelta(minutes=9),
        answered_at=NOW - timedelta(minutes=9),
        ended_at=ended,
        answered_by="c017",
        number=NUMBER,
    )


def test_r14_the_second_persons_phone_rings_first_and_then_the_agency(tmp_path: Path) -> None:
    night = Night(tmp_path)
    said = night.dial().output
    (placed,) = night.line.placed
    assert (placed.first_ring, placed.number, placed.flow) == ("c018", "110", "preview")
    assert placed.shown_number == night.settings.site.outbound_number
    for told in (NUMBER, "区号 0510（无锡）", "滨湖区太湖边，一座白桥", "一个人", "由 c017 陪着"):
        assert told in said.replace("\n", ""), told
    assert max(len(line.encode("gb18030")) for line in said.splitlines()) <= 80
    with night.memory() as work:
        last = work.book(RESCUES).get(night.rescue.id).steps[-1]
        assert (last.state, last.by) == (RescueState.REQUESTED, "c018")
        assert placed.id in last.note
        shown = [entry for entry in work.audit.recent(20) if entry.verb == "people.reveal"]
        assert [(entry.actor, entry.object, entry.field) for entry in shown] == [
            ("c018", f"call:{CALL}", "number")
        ]


def test_the_agencys_direct_number_is_dialled_as_one_dials_at_home(tmp_path: Path) -> None:
    night = Night(tmp_path, transfers=Transfers(ambulance="+8651082700120"))
    night.dial(agency="120")
    assert [call.number for call in night.line.placed] == ["051082700120"]


def test_whoever_is_with_the_caller_does_not_put_them_down_to_dial(tmp_path: Path) -> None:
    night = Night(tmp_path)
    for words, by in (((), "c017"), (("--from", "c017"), "c018")):
        result = night.dial(*words, by=by)
        assert isinstance(result.exception, Refused)
        assert "第二个人" in str(result.exception)
    assert night.line.placed == []
    assert night.dial("--from", "c018", by="c017").exit_code == 0


def test_no_number_is_shown_below_level_1_and_help_is_called_all_the_same(tmp_path: Path) -> None:
    night = Night(tmp_path)
    with night.memory() as work:
        case = work.book(CASES).get(night.rescue.case)
        work.book(CASES).put(replace(case, level=Level.MEDIUM))
        work.commit()
    assert NUMBER not in night.dial().output
    assert len(night.line.placed) == 1


def test_a_pbx_that_does_not_dial_is_said_and_leaves_no_step(tmp_path: Path) -> None:
    night = Night(tmp_path)
    night.line.failing = PbxUnreachable()
    result = night.dial()
    assert result.exit_code == 1
    assert "请马上用另一部电话拨 110" in result.output.replace("\n", "")
    assert NUMBER in result.output
    with night.memory() as work:
        assert len(work.book(RESCUES).get(night.rescue.id).steps) == 1
    assert json.loads(night.dial("--json").output)["placed"] is False


def test_a_dead_store_is_said_kindly_with_what_to_dial_and_tell(tmp_path: Path) -> None:
    night = Night(tmp_path)

    @contextmanager
    def dead() -> Iterator[MemoryUnit]:
        raise StoreUnreachable
        yield

    night.__dict__["store"] = dead
    result = night.dial()
    said = result.output.replace("\n", "")
    assert result.exit_code == 1
    assert "请马上用另一部电话拨 110" in said
    assert "人在哪里" in said
    assert json.loads(night.dial("--json").output)["dial"] == "110"


def test_a_rescue_that_is_over_is_not_dialled_for(tmp_path: Path) -> None:
    night = Night(tmp_path)
    with night.memory() as work:
        note = "民警在桥边见到本人，已送回家"
        rescues.add_step(
            work, night.rescue.id, RescueState.CONTACT_CONFIRMED, note=note, actor="c017", now=NOW
        )
        work.commit()
    assert isinstance(night.dial().exception, Refused)
    assert night.line.placed == []


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("13800001111", "手机"),
        ("051082700001", "0510（无锡）"),
        ("02150000001", "021（上海）"),
        ("079750000001", "0797（城市请对方查）"),
        ("4000850966", "400/800"),
        ("12345", "看不出"),
    ],
)
def test_a_number_tells_what_it_is_and_never_more(number: str, told: str) -> None:
    assert told in origin_of(number)


@pytest.mark.parametrize(
    ("number", "dialled"),
    [("+8651082700120", "051082700120"), ("+8613800001111", "13800001111"), ("110", "110"), ("+110", "110")],
)
def test_numbers_are_dialled_as_inside_the_country(number: str, dialled: str) -> None:
    assert national(number) == dialled
