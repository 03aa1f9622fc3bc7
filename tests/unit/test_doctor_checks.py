"""Each thing the doctor looks at: what is wrong shows, with the mend, and nobody's name."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from site_scales import site_file
from sqlalchemy import update

from callcenter.bootstrap import App
from callcenter.cli import main
from callcenter.db.engine import make_engine
from callcenter.db.errors import StoreNotReady
from callcenter.db.tables import users as users_table
from callcenter.domain.books import CASES, CREDENTIALS
from callcenter.domain.cases import Case, CaseState
from callcenter.domain.privacy import Credential
from callcenter.domain.risk import Level
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import Refused
from callcenter.memory import MemoryStore
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.safekept import BackupMark
from callcenter.service.health import doctor, doctor_line
from callcenter.service.health.doctor import Check, State
from callcenter.service.health.doctor_line import Login
from scheduler.calendar import Calendar
from scheduler.gates import Rules
from scheduler.risk_ladder import RiskRules

DAY = timedelta(days=1)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOTLINE_ACTOR", "admin")
    monkeypatch.chdir(tmp_path)
    assert run("init", "--without-recovery-key").exit_code == 0
    return tmp_path / "home"


def run(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, words, input=typed, catch_exceptions=False)


def states() -> dict[str, str]:
    return {row["id"]: row["state"] for row in json.loads(run("doctor", "--json").output)}


def sentence(name: str) -> str:
    rows = json.loads(run("doctor", "--json").output)
    return str(next(row["sentence"] for row in rows if row["id"] == name))


# --- the command -----------------------------------------------------------------------------


def test_p11_the_line_is_not_healthy_before_the_recovery_key_is_proven_to_be_kept(home: Path) -> None:
    assert run("doctor").exit_code == 1
    assert states()["key_escrow"] == "bad"
    shown = run("keys", "escrow").output
    key = next(line for line in shown.splitlines() if line.startswith("AGE-SECRET-KEY-1"))
    assert "hotline keys confirm" in sentence("key_escrow")
    run("keys", "confirm", typed=key)
    assert states()["key_escrow"] == "ok"
    (home / "hotline.key.age").unlink()
    assert "hotline keys copy" in sentence("key_escrow")
    assert run("keys", "copy").exit_code == 0
    assert states()["key_escrow"] == "ok"


def test_it_needs_no_actor_and_writes_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOTLINE_ACTOR")
    before = {path: path.read_bytes() for path in home.rglob("*.db")}
    assert run("doctor").exit_code == 1
    assert {path: path.read_bytes() for path in home.rglob("*.db")} == before


def test_a_database_that_is_away_hides_no_other_finding(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLINE_DATABASE__URL", "postgresql://nobody@127.0.0.1:1/none")
    found = states()
    assert found["database"] == "bad"
    assert found["key_file"] == "ok"
    assert found["outbound_number"] == "ok"
    assert "audit" not in found


def test_a_key_file_that_is_gone_or_open_to_others_is_red_with_the_mend(home: Path) -> None:
    (home / "hotline.key").chmod(0o644)
    assert "chmod 600" in sentence("key_file")
    (home / "hotline.key").unlink()
    assert states()["key_file"] == "bad"


def test_a_field_that_does_not_open_is_found_in_the_sample(home: Path) -> None:
    engine = make_engine(f"sqlite:///{home / 'hotline.db'}")
    with engine.begin() as connection:
        connection.execute(update(users_table).values(mobile=b"\x01" + b"x" * 40))
    engine.dispose()
    assert "users" in sentence("sealed")


def test_an_edited_audit_is_red(home: Path) -> None:
    run("user", "add", "c001", "--name", "李静", "--role", "counsellor", "--phone", "sip")
    engine = make_engine(f"sqlite:///{home / 'hotline.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_no_update")
        connection.exec_driver_sql("UPDATE audit SET actor = 's001' WHERE seq = 2")
    engine.dispose()
    assert "第 2 条" in sentence("audit")


def test_no_name_and_no_number_is_ever_shown(home: Path) -> None:
    run("user", "add", "c001", "--name", "林晓燕", "--role", "supervisor", "--mobile", "13861700017")
    for words in (["doctor"], ["doctor", "--json"]):
        shown = run(*words).output
        assert "林" not in shown
        assert "13861700017" not in shown


def test_where_no_line_was_ever_set_up_that_alone_is_said_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path / "none"))
    shown = run("doctor")
    assert shown.exit_code == 1
    assert "hotline init" in shown.output
    assert [*states()] == ["home"]
    assert not (tmp_path / "none").exists()
    (tmp_path / "none").mkdir()
    assert "还没有数据库。运行 hotline init" in sentence("database")
    assert [*(tmp_path / "none").iterdir()] == []


def test_an_empty_database_may_be_one_that_was_lost(home: Path) -> None:
    for file in home.glob("hotline.db*"):
        file.unlink()
    with suppress(StoreNotReady), App().store() as work:  # whoever serves makes an empty one
        work.users.all()
    assert (home / "hotline.db").stat().st_size
    assert "丢了的，hotline restore" in sentence("database")


def test_the_worst_comes_first_and_the_sum_last(home: Path) -> None:
    lines = [text for text in run("doctor").output.splitlines() if not text.startswith("  ")]
    marks = [text.split()[0] for text in lines[:-1]]
    assert marks == sorted(marks, key=["不好", "注意", "好"].index)
    assert {"不好", "注意", "好"} == set(marks)
    counts = "，".join(f"{marks.count(mark)} 项{mark}" for mark in ("不好", "注意", "好"))
    assert lines[-1] == f"共 {counts}。"


# --- what is kept ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "state"), [(timedelta(hours=3), State.OK), (2 * DAY, State.OK), (3 * DAY, State.BAD)]
)
def test_a_backup_that_was_missed_is_red(now: datetime, tmp_path: Path, age: timedelta, state: State) -> None:
    file = tmp_path / "b.age"
    file.touch()
    mark = BackupMark(made_at=now - age, file=str(file), size=1, rows=1)
    assert doctor.last_backup(mark, now, DAY).state is state
    if state is State.OK:
        file.unlink()
        assert doctor.last_backup(mark, now, DAY).state is State.WARN


def test_no_backup_at_all_is_red(now: datetime) -> None:
    assert doctor.last_backup(None, now, DAY).state is State.BAD


def test_folders_that_others_may_enter_are_named(tmp_path: Path) -> None:
    (tmp_path / "pbx" / "log").mkdir(parents=True, mode=0o700)
    (tmp_path / "recordings").mkdir(mode=0o700)
    assert doctor.private_folders(tmp_path / "pbx", tmp_path / "recordings").state is State.OK
    (tmp_path / "pbx" / "log").chmod(0o755)
    found = doctor.private_folders(tmp_path / "pbx", tmp_path / "recordings")
    assert found.state is State.BAD
    assert f"chmod 700 {tmp_path / 'pbx' / 'log'}" in found.sentence


def test_a_message_left_in_clear_for_hours_is_red(tmp_path: Path) -> None:
    wav = tmp_path / "pbx1-1.1-say.wav"
    wav.touch()
    written = datetime.fromtimestamp(wav.stat().st_mtime).astimezone()
    assert doctor.unsealed_messages([tmp_path], written + timedelta(minutes=30)).state is State.OK
    assert doctor.unsealed_messages([tmp_path], written + timedelta(hours=2)).state is State.BAD
    (tmp_path / "vm9-x.wav").symlink_to(tmp_path / "gone")
    assert "vm9-x.wav" in doctor.unsealed_messages([tmp_path], written).sentence


@pytest.mark.parametrize(("free", "state"), [(50, State.OK), (15, State.WARN), (5, State.BAD)])
def test_a_disk_that_fills_up_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, state: State
) -> None:
    usage = namedtuple("usage", "total used free")(100, 100 - free, free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    found = doctor.disk({"话务日志": tmp_path})
    assert found.state is state
    assert f"话务日志所在的磁盘剩余 {free}%" in found.sentence


def test_a_check_that_cannot_look_is_red_and_hides_no_other() -> None:
    def fails(error: Exception) -> Callable[[], Check]:
        def look() -> Check:
            raise error

        return look

    assert doctor.checked("x", fails(Refused("不行"))).state is State.BAD
    assert doctor.checked("x", fails(PermissionError(13, "denied", "/x"))).state is State.BAD
    with pytest.raises(ZeroDivisionError):
        doctor.checked("x", fails(ZeroDivisionError()))


# --- the line --------------------------------------------------------------------------------


def look(fill: Callable[[UnitOfWork], object], check: Callable[[UnitOfWork], Check]) -> State:
    with MemoryStore()() as work:
        fill(work)
        return check(work).state


def a_user(code: str = "s001", **changes: object) -> User:
    user = User(
        code=code,
        name="孙督导",
        roles=frozenset({Role.SUPERVISOR}),
        phone=PhoneKind.MOBILE,
        mobile="13900000003",
        alarm_rank=1,
    )
    return replace(user, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", ["4000850966", "+864000850966", "8008208820"])
def test_a_number_that_only_takes_calls_cannot_call_out(number: str) -> None:
    assert doctor_line.outbound_number(number).state is State.BAD
    assert doctor_line.outbound_number("051085000966").state is State.OK


def test_every_number_that_calls_may_show_can_be_called_back() -> None:
    assert doctor_line.further_numbers(["051085000977", "4000850966"]).state is State.BAD
    assert doctor_line.further_numbers(["051085000977"]).state is State.OK


def test_doctor_prints_the_arithmetic_of_calls_out() -> None:
    found = doctor_line.outbound_capacity(8, 5, Rules(numbers=("1", "2"), reserved_seats=1))
    assert found.state is State.OK
    for part in ("线路 8 路，给来电留 1 路", "最多同时 7 路", "座席 5 个，给来电留 1 个", "一天最多 80 通"):
        assert part in found.sentence


@pytest.mark.parametrize(
    ("channels", "seats", "rules"),
    [
        (1, 5, Rules()),
        (4, 5, Rules(reserved_channels=4)),
        (4, 2, Rules(reserved_seats=2)),
    ],
)
def test_a_site_on_which_no_call_could_ever_go_out_is_told_so(
    channels: int, seats: int, rules: Rules
) -> None:
    found = doctor_line.outbound_capacity(channels, seats, rules)
    assert found.state is State.WARN
    assert "永远" in found.sentence


def test_alarms_that_nobody_hears_are_red() -> None:
    assert look(lambda work: None, doctor_line.alarm_chain) is State.BAD
    assert look(lambda work: work.users.add(a_user(active=False)), doctor_line.alarm_chain) is State.BAD
    assert look(lambda work: work.users.add(a_user()), doctor_line.alarm_chain) is State.OK


def test_an_unmanned_line_is_said(now: datetime) -> None:
    assert look(lambda work: None, lambda work: doctor_line.roster(work, now)) is State.WARN


@pytest.mark.parametrize(("age", "state"), [(23, State.OK), (25, State.WARN)])
def test_a_record_that_waits_longer_than_a_day_is_said(now: datetime, age: int, state: State) -> None:
    row = SessionRow(id="se-1", call="pbx1-1.1", counsellor="c001", opened_at=now - timedelta(hours=age))
    found = look(
        lambda work: work.sessions.open_many([row]), lambda work: doctor_line.unwritten_sessions(work, now)
    )
    assert found is state


@pytest.mark.parametrize(("level", "state"), [(Level.IMMINENT, State.BAD), (Level.MEDIUM, State.OK)])
def test_danger_that_no_supervisor_knows_of_is_red(now: datetime, level: Level, state: State) -> None:
    case = Case(
        id="ca-1",
        person="p1",
        level=level,
        state=CaseState.OPEN,
        owner="c001",
        opened_at=now - DAY,
        opened_from="se-1",
        alarming_since=now - DAY if level is Level.IMMINENT else None,
    )
    found = look(
        lambda work: work.book(CASES).add(case), lambda work: doctor_line.high_risk(work, now, RiskRules())
    )
    assert found is state


@pytest.mark.parametrize(
    ("today", "state"),
    [(date(2026, 1, 5), State.OK), (date(2026, 9, 1), State.WARN), (date(2090, 12, 28), State.BAD)],
)
def test_a_calendar_that_ends_soon_is_said(today: date, state: State) -> None:
    assert doctor_line.calendar(Calendar(), today).state is state


def test_a_second_factor_is_missed_only_where_it_is_demanded(now: datetime) -> None:
    def with_supervisor(totp: str | None) -> Callable[[UnitOfWork], None]:
        def fill(work: UnitOfWork) -> None:
            work.users.add(a_user())
            work.book(CREDENTIALS).add(Credential(id="s001", password="x", totp=totp, changed_at=now))

        return fill

    def demanded(work: UnitOfWork) -> Check:
        return doctor_line.second_factors(work, demanded=True)

    assert look(with_supervisor(None), demanded) is State.BAD
    assert look(with_supervisor("ABC"), demanded) is State.OK
    assert look(lambda work: work.users.add(a_user()), demanded) is State.BAD
    free = look(with_supervisor(None), lambda work: doctor_line.second_factors(work, demanded=False))
    assert free is State.OK


def test_a_scale_of_ours_that_the_site_replaced_is_said_and_a_milder_one_is_red(home: Path) -> None:
    assert "本站 instruments" not in sentence("scales")
    (home / "instruments").mkdir()
    site_file(home / "instruments", "cssrs", ("第1题：希望自己死去}", "第一题（官方措辞）}"))
    assert "cssrs（版本 100）" in sentence("scales")
    site_file(home / "instruments", "beijing", ("wording: none\n", "wording: none\nworse: low\n"))
    assert states()["scales"] == "bad"


def test_prompts_that_are_missing_are_red_and_unapproved_ones_are_said() -> None:
    assert doctor_line.prompts(["greet"], 0).state is State.BAD
    assert doctor_line.prompts([], 3).state is State.WARN
    assert doctor_line.prompts([], 0).state is State.OK


def test_a_pbx_that_does_not_let_us_in_is_red() -> None:
    assert doctor_line.pbx_down("hotline pbx start").state is State.BAD
    for login in Login:
        good = login is Login.IN
        assert (doctor_line.manager_interface(login, "127.0.0.1:5038").state is State.OK) is good


def test_a_clock_that_was_set_back_is_red(now: datetime) -> None:
    def an_entry(at: datetime) -> Callable[[UnitOfWork], None]:
        return lambda work: work.audit.append(AuditEntry(actor="a", verb="v", object="o", at=at))

    assert look(an_entry(now + DAY), lambda work: doctor.clock(work, now)) is State.BAD
    assert look(an_entry(now - DAY), lambda work: doctor.clock(work, now)) is State.OK
