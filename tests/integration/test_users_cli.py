"""`hotline user` and `hotline audit` as an administrator types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callcenter.bootstrap import App
from callcenter.cli import main
from callcenter.keys import KeyRing
from callcenter.service.staff.users import add_first_admin, pin_verifier

Hotline = Callable[..., Result]


@pytest.fixture
def site(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> App:
    """A set-up site with its first administrator, as `hotline init` leaves it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path))
    monkeypatch.setenv("HOTLINE_ACTOR", "admin")
    app = App()
    KeyRing.create(app.settings.key_file)
    with app.store() as work:
        add_first_admin(work, "admin", "周敏", now=datetime(2026, 11, 23, tzinfo=UTC))
        work.commit()
    return app


@pytest.fixture
def hotline(site: App) -> Hotline:
    def run(*words: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(main, list(words), input=typed)

    return run


ADD = ("user", "add", "c017", "--name", "林晓燕", "--role", "counsellor", "--as", "admin")


def test_a_counsellor_with_a_mobile_is_added_and_shown_masked(hotline: Hotline, site: App) -> None:
    words = (*ADD, "--phone", "mobile", "--mobile", "13861700017", "--escalation-rank", "1", "--pin", "2580")
    added = hotline(*words)
    assert added.exit_code == 0, added.output
    assert "林**" in added.output
    assert "138****0017" in added.output
    for secret in ("林晓燕", "13861700017", "2580"):
        assert secret not in added.output
    with site.store() as work:
        user = work.users.get("c017")
    assert user.mobile == "13861700017"
    assert user.pin_verifier == pin_verifier(site.keys.password("pbx-salt"), "c017", "2580")


def test_a_bad_pin_adds_nobody(hotline: Hotline) -> None:
    refused = hotline(*ADD, "--pin", "1234")
    assert refused.exit_code == 1
    assert "PIN" in refused.output
    assert "c017" not in hotline("user", "list").output


def test_the_pin_is_asked_for_hidden_and_twice(hotline: Hotline, site: App) -> None:
    assert hotline(*ADD, "--phone", "sip", "--pin-prompt", typed="2580\n2580\n").exit_code == 0
    changed = hotline("user", "pin", "c017", "--as", "c017", typed="8042\n8042\n")
    assert changed.exit_code == 0
    assert "8042" not in changed.output
    with site.store() as work:
        expected = pin_verifier(site.keys.password("pbx-salt"), "c017", "8042")
        assert work.users.get("c017").pin_verifier == expected


def test_only_what_is_written_changes(hotline: Hotline, site: App) -> None:
    hotline(*ADD, "--phone", "mobile", "--mobile", "13861700017", "--alarm-rank", "2")
    changed = hotline("user", "set", "c017", "--mobile", "13900001111", "--as", "admin", "--reason", "换号")
    assert changed.exit_code == 0, changed.output
    with site.store() as work:
        user = work.users.get("c017")
    assert (user.name, user.mobile, user.alarm_rank) == ("林晓燕", "13900001111", 2)
    assert hotline("user", "set", "c017", "--phone", "none", "--as", "admin").exit_code == 1, "still ranked"
    off = hotline("user", "set", "c017", "--phone", "none", "--alarm-rank", "0", "--as", "admin")
    assert off.exit_code == 0, off.output


def test_a_disabled_user_is_listed_only_on_request_and_cannot_act(hotline: Hotline) -> None:
    hotline(*ADD)
    assert hotline("user", "disable", "c017", "--as", "admin").exit_code == 2, "a reason is required"
    assert hotline("user", "disable", "c017", "--reason", "调离", "--as", "admin").exit_code == 0
    assert "c017" not in hotline("user", "list").output
    assert "c017" in hotline("user", "list", "--all").output
    assert "停用" in hotline("user", "pin", "admin", "--pin", "2580", "--as", "c017").output
    assert hotline("user", "set", "c017", "--enable", "--as", "admin").exit_code == 0
    assert "c017" in hotline("user", "list").output


@pytest.mark.parametrize("actor", ["c017", "nobody"])
def test_who_is_no_administrator_adds_nobody(hotline: Hotline, actor: str) -> None:
    hotline(*ADD)
    words = ("user", "add", "c018", "--name", "顾卫东", "--role", "clerk", "--as", actor)
    refused = hotline(*words)
    assert refused.exit_code == 1
    assert actor in refused.output
    assert "Traceback" not in refused.output


def test_lists_speak_json_with_stable_english_keys(hotline: Hotline) -> None:
    hotline(*ADD)
    users = json.loads(hotline("user", "list", "--json").output)
    assert [u["code"] for u in users] == ["admin", "c017"]
    assert json.loads(hotline("user", "show", "c017", "--json").output)["name"] == "林**"


def test_every_act_is_on_record(hotline: Hotline) -> None:
    hotline("user", "add", "u001", "--name", "顾卫东", "--role", "auditor")
    hotline(*ADD, "--pin", "2580", "--reason", "入职")
    entries = json.loads(hotline("audit", "list", "--json", "--as", "u001").output)
    assert [(e["seq"], e["actor"], e["verb"], e["object"]) for e in entries] == [
        (4, "admin", "set_pin", "user:c017"),
        (3, "admin", "add", "user:c017"),
        (2, "admin", "add", "user:u001"),
        (1, "system", "add", "user:admin"),
    ]
    assert entries[1]["reason"] == "入职"
    table = hotline("audit", "list", "--limit", "1", "--as", "u001").output
    assert "set_pin" in table
    assert "user:admin" not in table


def test_the_administrator_who_makes_users_does_not_read_what_was_done(hotline: Hotline) -> None:
    refused = hotline("audit", "list")
    assert refused.exit_code == 1
    assert "角色" in refused.output


def test_an_unknown_user_is_one_clean_line(hotline: Hotline) -> None:
    missing = hotline("user", "show", "c999")
    assert missing.exit_code == 1
    assert missing.output.strip().splitlines() == ["错误:没有代码为 c999 的人员。"]
