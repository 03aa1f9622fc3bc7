"""A PostgreSQL server that is away, or only lets itself be read: the doctor says which, and the mend."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from postgres import BreakableServer, breakable_server
from processes import environment

from callcenter.cli import main
from callcenter.cli.doctor_serving import is_led
from callcenter.config import load_settings
from callcenter.db.leading import leadership_of

pytestmark = pytest.mark.postgres


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BreakableServer]:
    """A server with a site's store in it."""
    with breakable_server() as server:
        url = server.server.url(server.server.new_database())
        for name, value in environment(HOTLINE_HOME=str(tmp_path), HOTLINE_DATABASE__URL=url).items():
            monkeypatch.setenv(name, value)
        assert CliRunner().invoke(main, ["init", "--without-recovery-key"]).exit_code == 0
        yield server


def doctor() -> dict[str, tuple[str, str]]:
    done = CliRunner().invoke(main, ["doctor", "--json"], catch_exceptions=False)
    found = {row["id"]: (row["state"], row["sentence"]) for row in json.loads(done.output)}
    assert done.exit_code == any(state == "bad" for state, _ in found.values())
    return found


def test_a_server_that_only_lets_itself_be_read_and_one_that_is_away(server: BreakableServer) -> None:
    url = load_settings().database_url
    assert doctor()["store_writes"][0] == "ok"
    with psycopg.connect(url, autocommit=True) as link:
        name = link.info.dbname
        link.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    only_read = doctor()
    state, sentence = only_read["store_writes"]
    assert (state, only_read["database"][0]) == ("bad", "ok")
    assert "写不进去：只读。" in sentence
    assert "default_transaction_read_only" in sentence
    assert "dmesg" not in sentence, "that is about a disk of ours"
    server.stop()
    state, sentence = doctor()["database"]
    assert state == "bad"
    assert "没有应答" in sentence
    assert "systemctl status postgresql" in sentence
    assert "不妨碍 Asterisk 接来电" in sentence


def test_a_store_that_somebody_leads_is_told_from_one_that_nobody_does(server: BreakableServer) -> None:
    url = load_settings().database_url
    assert not is_led(url, 0.0)
    leader = leadership_of(url)
    assert leader.lead(), "who looked has let go"
    assert is_led(url, 0.0)
    leader.resign()
    assert not is_led(url, 0.0)
