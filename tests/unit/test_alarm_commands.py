"""`hotline alarm` and `hotline twilio` as people type them."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callcenter.bootstrap import App
from callcenter.cli import main
from callcenter.config import Settings, Twilio
from callcenter.domain.alarms import Alarm, AlarmKind
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.keys import KeyRing
from callcenter.memory import MemoryAlarmRoad, MemoryStore
from callcenter.service.line.alarms import raise_alarm

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


class Desk:
    """An `App` whose store and road are in memory, and a way to type commands at it."""

    def __init__(self, settings: Settings) -> None:
        self.store, self.road = MemoryStore(), MemoryAlarmRoad()
        self.app = App(settings=settings)
        self.app.__dict__.update(store=self.store, road=self.road, keys=KeyRing(master=bytes(32)))

    def add(self, code: str, role: Role, alarm_rank: int | None = None) -> None:
        phone = PhoneKind.SIP if alarm_rank else PhoneKind.NONE
        user = User(code=code, name="钱督导", roles=frozenset({role}), phone=phone, alarm_rank=alarm_rank)
        with self.store() as work:
            work.users.add(user)
            work.commit()

    def wrong(self, kind: AlarmKind) -> Alarm:
        with self.store() as work:
            alarm = raise_alarm(work, self.road, kind, "unreachable", NOW)
            work.commit()
        return alarm

    def types(self, *words: str) -> Result:
        """Type a command. `main` would make its own App, so the groups are called with ours."""
        command = main.get_command(None, words[0])  # type: ignore[arg-type]
        assert command is not None
        result = CliRunner().invoke(command, list(words[1:]), obj=self.app)
        return result


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(Settings(home=tmp_path))
    desk.add("s001", Role.SUPERVISOR, alarm_rank=1)
    return desk


def test_the_list_says_what_is_wrong_and_who_knows(desk: Desk) -> None:
    alarm = desk.wrong(AlarmKind.TRUNK_DOWN)
    said = desk.types("alarm", "list", "--as", "s001").output
    assert "外线不通" in said
    assert max(len(line) for line in said.splitlines()) <= 80
    (row,) = json.loads(desk.types("alarm", "list", "--json", "--as", "s001").output)
    assert (row["id"], row["kind"], row["rings"], row["acknowledged_by"]) == (alarm.id, "trunk_down", 1, None)


def test_acknowledging_by_name_with_a_reason(desk: Desk) -> None:
    alarm = desk.wrong(AlarmKind.TRUNK_DOWN)
    done = desk.types("alarm", "ack", alarm.id, "--as", "s001", "--reason", "运营商已派修", "--json")
    assert json.loads(done.output)["acknowledged_by"] == "s001"
    assert json.loads(desk.types("alarm", "list", "--open", "--json", "--as", "s001").output) == []


def test_nobody_acknowledges_without_a_name(desk: Desk) -> None:
    alarm = desk.wrong(AlarmKind.TRUNK_DOWN)
    assert desk.types("alarm", "ack", alarm.id).exit_code != 0
    assert desk.types("alarm", "ack", alarm.id, "--as", "x999").exit_code != 0
    desk.add("k001", Role.CLERK)
    refused = desk.types("alarm", "ack", alarm.id, "--as", "k001")
    assert "k001" in str(refused.exception)
    with desk.store() as work:
        assert work.alarms.get(alarm.id).is_open


def test_a_test_rings_really_and_names_who_is_called(desk: Desk) -> None:
    desk.add("s002", Role.SUPERVISOR, alarm_rank=2)
    result = desk.types("alarm", "test", "--as", "s001")
    assert "s001 → s002" in result.output
    assert [alarm.kind for alarm in desk.road.rung] == [AlarmKind.TEST]
    with desk.store() as work:
        assert ("s001", "alarm.ring") in [(entry.actor, entry.verb) for entry in work.audit.recent(5)]


def test_a_test_with_nobody_to_hear_it_says_so(tmp_path: Path) -> None:
    desk = Desk(Settings(home=tmp_path))
    desk.add("a001", Role.ADMIN)
    result = desk.types("alarm", "test", "--as", "a001")
    assert "名单是空的" in str(result.exception)
    assert desk.road.rung == []


def test_a_self_dial_without_a_pbx_alarms(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        unused_tcp_port = server.getsockname()[1]
    desk.app.__dict__["settings"] = Settings(
        home=desk.app.settings.home,
        asterisk={"ami_port": unused_tcp_port},  # type: ignore[arg-type]
    )
    result = desk.types("alarm", "selfdial", "--as", "s001")
    assert "呼叫没有发出去" in str(result.exception)
    assert [alarm.kind for alarm in desk.road.rung] == [AlarmKind.SELF_DIAL_FAILED]


def test_twilio_check_says_each_missing_piece(desk: Desk) -> None:
    result = desk.types("twilio", "check", "--json")
    problems = [row["problem"] for row in json.loads(result.output)]
    assert any("account_sid" in problem for problem in problems)
    assert result.exit_code != 0


def test_twilio_render_prints_every_page_of_a_flow(tmp_path: Path) -> None:
    token = tmp_path / "twilio.token"
    token.write_text("s3cret")
    token.chmod(0o600)
    line = Twilio(
        account_sid="AC" + "a" * 32,
        public_url="https://hotline.example.cn",
        fallback_url="https://elsewhere.example.cn/fallback.xml",
    )
    desk = Desk(Settings(home=tmp_path, twilio=line))
    said = desk.types("twilio", "render", "checkin").output
    assert "<!-- who -->" in said
    assert "<Redirect>" in said
    assert "s3cret" not in said
    assert "转接名单" in desk.types("twilio", "check", "--json").output
