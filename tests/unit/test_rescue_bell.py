"""`hotline rescue call` when something is broken: it never says that somebody is rung who is not (R14)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from actors import enlist
from click.testing import CliRunner, Result

from callcenter.bootstrap import App
from callcenter.cli.rescue import rescue
from callcenter.config import Settings
from callcenter.db.errors import StoreUnreachable
from callcenter.domain.books import RESCUES
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.people import Person, Phone
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import CallCenterError, ConfigError, Forbidden, PbxError, Refused
from callcenter.memory import MemoryAlarmRoad, MemoryStore, MemoryUnit
from scheduler.cadence import SHANGHAI

NOW = datetime(2026, 11, 24, 23, 40, tzinfo=SHANGHAI)
CALL = "1764000000.7"


class Night(App):
    """A counsellor alone with a call; the PBX, the store, and whom alarms ring can each be taken away."""

    def __init__(self, home: Path, chain: int | None = 1) -> None:
        super().__init__(settings=Settings(home=home))
        self.alive, self.bell = True, MemoryAlarmRoad()
        self.memory = MemoryStore()
        self.__dict__.update(store=self.memory, road=self.bell)
        self.clock = lambda: NOW  # type: ignore[method-assign]
        with self.memory() as work:
            enlist(work, "c017", "s001", "k001")
            supervisor = frozenset({Role.SUPERVISOR})
            second = User(code="s002", name="吴倩", roles=supervisor, phone=PhoneKind.SIP, alarm_rank=chain)
            work.users.add(second)
            work.people.add(Person(id="p1", code="P-7F3K", phones=(Phone(number="13800001111"),)))
            call = CallRecord(
                id=CALL,
                direction=Direction.INBOUND,
                outcome=Outcome.OPEN,
                started_at=NOW - timedelta(minutes=9),
                answered_at=NOW - timedelta(minutes=9),
                ended_at=None,
                answered_by="c017",
                number="13800001111",
            )
            work.calls.put_many([call])
            work.commit()

    def pbx_answers(self) -> bool:
        return self.alive

    def calls(self, *words: str, by: str = "c017") -> Result:
        said = ["call", CALL, "--agency", "110", *words]
        return CliRunner().invoke(rescue, said, obj=self, env={"HOTLINE_ACTOR": by})

    def without_store(self, error: Exception) -> None:
        @contextmanager
        def dead() -> Iterator[MemoryUnit]:
            raise error
            yield

        self.__dict__["store"] = dead


def test_r14_nobody_is_said_to_be_rung_while_the_pbx_does_not_answer(tmp_path: Path) -> None:
    night = Night(tmp_path)
    night.alive = False
    said = night.calls().output.replace("\n", "")
    assert "正在呼叫" not in said
    assert "电话系统没有应答：请马上打电话给督导（代码 s002），同时拨 110。" in said
    with night.memory() as work:
        (alarm,) = work.alarms.open()
        # Due again at the next look: it does not count as rung.
        assert alarm.rung_at is None
    # The order lies there all the same, for when the PBX comes back.
    assert len(night.bell.rung) == 1
    again = night.calls("--json")
    assert (json.loads(again.output)["rung"], again.exit_code) == (False, 1)


def test_r14_an_alarm_chain_without_anybody_rings_nobody(tmp_path: Path) -> None:
    said = Night(tmp_path, chain=None).calls().output.replace("\n", "")
    assert "告警名单里没有人：请马上打电话给督导（代码 s001、s002），同时拨 110。" in said


def test_the_bell_is_said_to_ring_where_it_rings(tmp_path: Path) -> None:
    night = Night(tmp_path)
    result = night.calls()
    assert ("正在呼叫督导。" in result.output, result.exit_code) == (True, 0)
    assert len(night.bell.rung) == 1


@pytest.mark.parametrize("error", [StoreUnreachable(), OSError(5, "disk")], ids=["no store", "no disk"])
def test_r14_a_dead_store_does_not_stand_in_the_way_of_the_bell(tmp_path: Path, error: Exception) -> None:
    night = Night(tmp_path)
    night.without_store(error)
    result = night.calls()
    said = result.output.replace("\n", "")
    assert result.exit_code == 1
    assert len(night.bell.rung) == 1
    assert "正在呼叫督导。" in said
    assert "没有写下" in said
    assert f"hotline rescue call {CALL} --agency 110" in said


def test_r14_a_store_that_dies_while_it_is_written_rings_once(tmp_path: Path) -> None:
    night = Night(tmp_path)

    @contextmanager
    def dying() -> Iterator[MemoryUnit]:
        with night.memory() as work:
            work.commit = _gone  # type: ignore[method-assign]
            yield work  # type: ignore[misc]

    night.__dict__["store"] = dying
    result = night.calls()
    assert result.exit_code == 1
    assert "没有写下" in result.output
    assert len(night.bell.rung) == 1
    with night.memory() as work:
        assert work.book(RESCUES).where() == []


def _gone() -> None:
    raise StoreUnreachable


def test_r14_keys_that_are_gone_do_not_stand_in_the_way_of_the_bell(tmp_path: Path) -> None:
    night = Night(tmp_path)
    del night.__dict__["store"]
    assert isinstance(_store_error(night), ConfigError)
    assert night.calls().exit_code == 1
    assert len(night.bell.rung) == 1


def _store_error(night: Night) -> CallCenterError:
    with pytest.raises(CallCenterError) as caught:
        _ = night.store
    return caught.value


@pytest.mark.parametrize("error", [PbxError(), OSError(28, "full")], ids=["pbx", "disk"])
def test_with_neither_store_nor_road_the_counsellor_is_told_to_call(tmp_path: Path, error: Exception) -> None:
    class Broken(MemoryAlarmRoad):
        def ring(self, alarm: object) -> None:
            raise error

    night = Night(tmp_path)
    night.__dict__["road"] = Broken()
    night.without_store(StoreUnreachable())
    result = night.calls()
    assert result.exit_code == 1
    assert "请马上打电话给督导，同时拨 110。" in result.output.replace("\n", "")
    told = json.loads(night.calls("--json").output)
    assert (told["recorded"], told["rung"]) == (False, False)


def test_who_may_not_rescue_rings_nobody_while_the_store_lives(tmp_path: Path) -> None:
    night = Night(tmp_path)
    assert isinstance(night.calls(by="k001").exception, Forbidden)
    assert isinstance(night.calls(by="").exception, SystemExit)  # whose name it is has to be said
    assert night.bell.rung == []


def test_no_pbx_in_the_folder_is_no_answer(tmp_path: Path) -> None:
    assert App(settings=Settings(home=tmp_path)).pbx_answers() is False


# --- what is shown of a rescue -----------------------------------------------------------------


def types(night: Night, *words: str) -> str:
    result = CliRunner().invoke(rescue, words, obj=night, env={"HOTLINE_ACTOR": "c017"})
    if result.exception is not None:
        raise result.exception
    return result.output


def test_states_are_said_and_typed_in_words(tmp_path: Path) -> None:
    night = Night(tmp_path)
    one = json.loads(night.calls("--json").output)["id"]
    shown = types(night, "step", one, "--state", "已出动", "--note", "警车已出发")
    assert "已出动" in shown
    with pytest.raises(Refused) as caught:
        types(night, "step", one, "--state", "已请求救援", "--note", "再问一次")
    said = str(caught.value)
    assert "现在是“已出动”" in said
    assert "已确认见到本人" in said
    assert not any(word in said for word in ("dispatched", "contact_confirmed", "requested"))


def test_how_the_person_was_told_is_shown(tmp_path: Path) -> None:
    night = Night(tmp_path)
    one = json.loads(night.calls("--json").output)["id"]
    types(night, "inform", one, "--how", "次日回访时电话告知")
    assert "次日回访时电话告知" in types(night, "show", one)
    assert json.loads(types(night, "show", one, "--json"))["informed_how"] == "次日回访时电话告知"
