"""`hotline login`, `logout`, `whoami`, and commands that act as whoever signed in."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
import pytest
from actors import enlist
from argon2 import PasswordHasher
from click.testing import CliRunner, Result

from callcenter.bootstrap import App
from callcenter.cli import main
from callcenter.cli.token import keep_token, read_token, token_file
from callcenter.config import Settings
from callcenter.errors import Forbidden, Refused
from callcenter.memory import MemoryStore
from callcenter.service.staff import signin

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
PASSWORD = "two herons by the canal"
OTHER = "correct-horse-battery-staple"


class DeskApp(App):
    """An App whose store lives in memory and whose clock a test moves."""

    def __init__(self, home: Path, **access: object) -> None:
        super().__init__(settings=Settings(home=home, access=access))  # type: ignore[arg-type]
        self.now = NOW
        self.__dict__["store"] = MemoryStore()
        self.clock = lambda: self.now  # type: ignore[method-assign]
        with self.store() as work:
            enlist(work)
            for code in ("c017", "s001"):
                signin.set_password(work, code, PASSWORD, actor=code, now=NOW)
            work.commit()

    def types(self, *words: str, typed: str = "") -> Result:
        command = main.get_command(None, words[0])  # type: ignore[arg-type]
        assert command is not None
        return CliRunner().invoke(command, list(words[1:]), obj=self, input=typed)


Desk = Callable[..., DeskApp]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(signin, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("HOTLINE_ACTOR", raising=False)
    signin._dummy.cache_clear()
    return lambda **access: DeskApp(tmp_path / "home", **access)


def refused(result: Result) -> str:
    assert isinstance(result.exception, Refused), result.output
    return str(result.exception)


def test_a_counsellor_signs_in_and_commands_act_in_their_name(desk: Desk) -> None:
    app = desk(cli_sign_in=True)
    assert "请先登录" in refused(app.types("duty", "show"))
    done = app.types("login", "c017", typed=f"{PASSWORD}\n\n")
    assert done.exit_code == 0, done.output
    assert PASSWORD not in done.output
    assert app.types("duty", "show").exit_code == 0
    assert json.loads(app.types("whoami", "--json").output)["code"] == "c017"
    assert "登录的是 c017" in refused(app.types("duty", "show", "--as", "s001"))
    assert app.types("duty", "show", "--as", "c017").exit_code == 0
    assert isinstance(app.types("audit", "list").exception, Forbidden)


def test_an_actor_in_the_environment_names_nobody_else_either(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = desk(cli_sign_in=True)
    app.types("login", "c017", typed=f"{PASSWORD}\n\n")
    monkeypatch.setenv("HOTLINE_ACTOR", "s001")
    assert isinstance(app.types("duty", "show").exception, Forbidden)


def test_without_signing_in_the_actor_is_believed_and_has_to_be_named(desk: Desk) -> None:
    app = desk()
    unnamed = app.types("duty", "show")
    assert unnamed.exit_code == 2
    assert "--as" in unnamed.output
    assert app.types("duty", "show", "--as", "s001").exit_code == 0
    assert isinstance(app.types("duty", "show", "--as", "x999").exception, Forbidden)


def test_the_token_is_its_owners_alone_and_one_that_others_read_is_not_used(desk: Desk) -> None:
    app = desk(cli_sign_in=True)
    app.types("login", "c017", typed=f"{PASSWORD}\n\n")
    file = token_file(app)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    file.chmod(0o640)
    assert str(file) in refused(app.types("duty", "show"))


def test_two_sites_on_one_machine_keep_their_tokens_apart(
    tmp_path: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = desk(), DeskApp(tmp_path / "elsewhere")
    keep_token(here, "t")
    assert (read_token(here), read_token(there)) == ("t", None)
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert token_file(here).parent == tmp_path / ".local/state/hotline"


def test_leaving_the_desk_ends_the_login_and_so_does_leaving_it_alone(desk: Desk) -> None:
    app = desk(cli_sign_in=True)
    app.types("login", "c017", typed=f"{PASSWORD}\n\n")
    kept = read_token(app)
    assert "已退出" in app.types("logout").output
    assert read_token(app) is None
    keep_token(app, kept or "")
    assert "重新登录" in refused(app.types("duty", "show")), "the token is dead, not only gone"
    app.types("login", "c017", typed=f"{PASSWORD}\n\n")
    app.now += timedelta(minutes=30)
    assert "重新登录" in refused(app.types("duty", "show"))
    assert app.types("logout").exit_code == 0


def test_logging_out_everywhere_ends_the_login_at_the_other_desk(desk: Desk) -> None:
    app = desk(cli_sign_in=True)
    app.types("login", "c017", typed=f"{PASSWORD}\n\n")
    other = read_token(app)
    app.types("login", "c017", typed=f"{PASSWORD}\n\n")
    assert app.types("logout", "--everywhere").exit_code == 0
    keep_token(app, other or "")
    assert isinstance(app.types("duty", "show").exception, Forbidden)


def test_a_wrong_try_stays_counted_though_the_command_failed(desk: Desk) -> None:
    app = desk(attempts=3)
    for _ in range(3):
        assert "登录不成功" in refused(app.types("login", "c017", typed=f"{OTHER}\n\n"))
    assert "登录不成功" in refused(app.types("login", "c017", typed=f"{PASSWORD}\n\n"))
    app.now += timedelta(minutes=1)
    assert app.types("login", "c017", typed=f"{PASSWORD}\n\n").exit_code == 0


def secret_in(output: str) -> pyotp.TOTP:
    found = re.search(r"手工输入:([A-Z2-7]{32})", output)
    assert found, output
    return pyotp.TOTP(found[1])


def test_a_supervisor_sets_up_their_telephone_at_the_first_login(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = pyotp.random_base32()
    monkeypatch.setattr(signin.pyotp, "random_base32", lambda: secret)
    app = desk(cli_sign_in=True, second_factor=True)
    totp, next_one = pyotp.TOTP(secret), NOW + timedelta(seconds=30)
    # The confirming code and the next one: a step ahead counts too.
    typed = f"{PASSWORD}\n\n000\n{totp.at(NOW)}\n{totp.at(next_one)}\n"
    done = app.types("login", "s001", typed=typed)
    assert done.exit_code == 0, done.output
    assert "动态码不对" in done.output
    assert secret_in(done.output).secret == secret
    assert "█" in done.output
    assert json.loads(app.types("whoami", "--json").output)["signed_in"] is True


def test_one_sets_up_takes_off_and_no_other_may(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = pyotp.random_base32()
    monkeypatch.setattr(signin.pyotp, "random_base32", lambda: secret)
    app = desk()
    assert "本人" in refused(app.types("user", "totp", "c017", "--as", "admin"))
    digits = pyotp.TOTP(secret).at(NOW)
    assert app.types("user", "totp", "c017", "--as", "c017", typed=f"{digits}\n").exit_code == 0
    assert "登录不成功" in refused(app.types("login", "c017", typed=f"{PASSWORD}\n\n"))
    words = ("user", "totp", "c017", "--remove", "--as")
    assert isinstance(app.types(*words, "s001", "--reason", "手机丢失").exception, Forbidden)
    stolen = app.types(*words, "c017", typed=f"{PASSWORD}\n\n")
    assert "登录不成功" in refused(stolen), "the telephone's code is asked, not only the login"
    assert app.types(*words, "admin", "--reason", "手机丢失").exit_code == 0
    app.now += timedelta(minutes=5)
    totp = pyotp.TOTP(secret)
    later = (totp.at(app.now), totp.at(app.now + timedelta(seconds=30)))
    done = app.types("login", "c017", typed=f"{PASSWORD}\n\n{later[0]}\n{later[1]}\n")
    assert done.exit_code == 0, done.output
    assert "现在设置" in done.output
    app.now += timedelta(minutes=5)
    own = app.types(*words, "c017", typed=f"{PASSWORD}\n{totp.at(app.now)}\n")
    assert own.exit_code == 0, own.output
    assert app.types("login", "c017", typed=f"{PASSWORD}\n\n").exit_code == 0


def test_three_wrong_codes_leave_the_second_factor_off(desk: Desk) -> None:
    app = desk()
    done = app.types("user", "totp", "c017", "--as", "c017", typed="1\n2\n3\n")
    assert "动态码不对" in refused(done)
    assert app.types("login", "c017", typed=f"{PASSWORD}\n\n").exit_code == 0


def test_passwords_are_typed_hidden_and_ones_own_is_proved_first(desk: Desk) -> None:
    app = desk()
    words = ("user", "password", "c017", "--as")
    changed = app.types(*words, "c017", typed=f"{PASSWORD}\n{OTHER}\n{OTHER}\n")
    assert changed.exit_code == 0, changed.output
    assert OTHER not in changed.output
    assert app.types("login", "c017", typed=f"{OTHER}\n\n").exit_code == 0
    assert "登录不成功" in refused(app.types(*words, "c017", typed=f"{PASSWORD}\n{OTHER}\n{OTHER}\n"))
    assert isinstance(app.types(*words, "s001", typed=f"{OTHER}\n{OTHER}\n").exception, Forbidden)
    assert app.types(*words, "admin", typed=f"{PASSWORD}\n{PASSWORD}\n").exit_code == 0
    assert app.types("login", "c017", typed=f"{PASSWORD}\n\n").exit_code == 0


def test_whoami_says_when_nobody_signed_in(desk: Desk) -> None:
    row = json.loads(desk().types("whoami", "--as", "c017", "--json").output)
    assert row == {"code": "c017", "roles": ["counsellor"], "signed_in": False, "since": None, "until": None}
