"""`hotline audit` as people type it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from retention_world import NOW, add_person, add_record, add_small_things, add_users, years_ago
from rich.cells import cell_len

from callcenter.bootstrap import App
from callcenter.cli import main
from callcenter.config import Settings
from callcenter.domain.people import Person
from callcenter.keys import KeyRing
from callcenter.memory import MemoryStore
from callcenter.ports import AuditEntry
from callcenter.service.privacy.audit import note_head


class Desk:
    """An `App` whose store is in memory, and a way to type commands at it."""

    def __init__(self, home: Path) -> None:
        self.store = MemoryStore()
        add_users(self.store)
        self.app = App(settings=Settings(home=home))
        self.app.__dict__.update(store=self.store, keys=KeyRing(master=bytes(32)), clock=lambda: NOW)

    def types(self, *words: str, by: str = "a001") -> Result:
        command = main.get_command(None, words[0])  # type: ignore[arg-type]
        assert command is not None
        return CliRunner().invoke(command, [*words[1:], "--as", by], obj=self.app)

    def reads(self, *words: str, by: str = "a001") -> Any:
        done = self.types(*words, "--json", by=by)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def note(desk: Desk, **given: str) -> None:
    with desk.store() as work:
        words = {"actor": "s001", "verb": "people.reveal", "object": "person:p1", **given}
        work.audit.append(AuditEntry(**words, at=NOW))  # type: ignore[arg-type]
        work.commit()


def test_a_persons_history_is_listed(desk: Desk) -> None:
    note(desk, field="number", reason="回电")
    note(desk, object="person:p2")
    found = desk.reads("audit", "list", "--object", "person:p1")
    assert [(row["actor"], row["field"], row["reason"]) for row in found] == [("s001", "number", "回电")]
    day = (NOW + timedelta(days=1)).date().isoformat()
    assert desk.reads("audit", "list", "--since", day) == []


def test_a_persons_history_is_found_by_the_pseudonym_their_colleagues_use(desk: Desk) -> None:
    with desk.store() as work:
        work.people.add(Person(id="p-71", code="P-7F3K", name="沈建国"))
        work.people.add(Person(id="p-72", code="P-4KXA", merged_into="p-71"))
        work.commit()
    note(desk, object="person:p-71", field="numbers")
    note(desk, object="person:p-72", field="name")
    for name in ("P-7F3K", "p-7f3k", "P-4KXA", "p-72"):
        found = desk.reads("audit", "list", "--object", f"person:{name}")
        assert [row["field"] for row in found] == ["name", "numbers"], name
    assert "建国" not in desk.types("audit", "list", "--object", "person:P-7F3K").output


@pytest.mark.parametrize("name", ["person:P-9PP6", "P-9PP6", "session:none", "者"])
def test_an_object_nobody_ever_touched_is_said_to_be_unknown(desk: Desk, name: str) -> None:
    note(desk)
    done = desk.types("audit", "list", "--object", name)
    assert "没有关于" in str(done.exception)


def begin(desk: Desk) -> None:
    """Write the first entry and note the head, as `hotline init` does."""
    note(desk)
    with desk.store() as work:
        note_head(work, desk.app.settings.home, anew=True)


def test_a_lost_head_ends_with_an_error_until_somebody_says_why_it_counts_again(desk: Desk) -> None:
    note(desk)
    done = desk.types("audit", "verify")
    assert done.exit_code == 1
    assert "--anchor --reason" in done.output
    assert desk.types("audit", "verify", "--anchor").exit_code == 1
    again = desk.types("audit", "verify", "--anchor", "--reason", "换机器时漏拷了链头文件")
    assert again.exit_code == 0
    assert desk.reads("audit", "list", "--verb", "audit.anchor")[0]["reason"] == "换机器时漏拷了链头文件"
    assert desk.types("audit", "verify").exit_code == 0


def test_a_whole_audit_says_so_and_shows_the_head_to_be_written_down(desk: Desk) -> None:
    begin(desk)
    done = desk.types("audit", "verify")
    assert done.exit_code == 0
    head = desk.reads("audit", "verify")["head"]
    assert head in done.output
    assert "抄在纸上" in done.output
    assert desk.reads("audit", "verify", "--head", head)["whole"] is True


def test_a_cut_off_audit_ends_with_an_error_and_names_the_place(desk: Desk) -> None:
    begin(desk)
    note(desk)
    head = desk.reads("audit", "verify")["head"]
    desk.store.state.audit.pop()
    desk.store.state.audit_hashes.pop()
    for words in (["audit", "verify"], ["audit", "verify", "--head", head]):
        done = desk.types(*words)
        assert done.exit_code == 1
        assert "第 2 条起不见了" in done.output
    found = desk.types("audit", "verify", "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["bad_seq"] == 2


def test_a_head_written_wrongly_is_refused_with_the_mend(desk: Desk) -> None:
    done = desk.types("audit", "verify", "--head", "壹贰叁")
    assert done.exit_code == 1
    assert "序号:散列" in str(done.exception)


def fill(desk: Desk) -> None:
    with desk.store() as work:
        add_person(work, "p1", number="13800001111")
        add_record(work, "1", years_ago(5), person="p1", number="13800001111")
        add_small_things(work, "1", years_ago(5), person="p1")
        work.commit()


def test_what_has_stood_its_time_is_shown_first_and_then_goes_with_its_sound(desk: Desk) -> None:
    fill(desk)
    folder = desk.app.settings.recordings_folder
    folder.mkdir(parents=True)
    (folder / "1.sealed").write_bytes(b"sealed")
    looked = desk.types("audit", "retention", "--dry-run", by="x001")
    assert looked.exit_code == 0
    assert max(map(cell_len, looked.output.splitlines())) <= 80
    assert "13800001111" not in looked.output
    assert (folder / "1.sealed").exists()
    token = desk.reads("audit", "retention", "--dry-run", by="x001")["plan"]
    assert token in looked.output
    done = desk.reads("audit", "retention", "--plan", token, "--reason", "年度清理", by="x001")
    assert done["removed"] == len(desk.reads("audit", "tombstones")) - 1  # and one of counts
    assert done["kept"] == []
    assert not (folder / "1.sealed").exists()
    assert desk.reads("audit", "retention", "--dry-run", by="x001")["going"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--dry-run"),
        (["--plan", "0123456789abcdef"], "理由"),
        (["--plan", "0123456789abcdef", "--reason", "年度清理"], "不是今天的清单"),
    ],
)
def test_nothing_goes_unseen_or_without_a_reason(desk: Desk, words: list[str], said: str) -> None:
    fill(desk)
    done = desk.types("audit", "retention", *words, by="x001")
    assert done.exit_code == 1
    assert said in str(done.exception)
    assert desk.reads("audit", "tombstones") == []


def test_a_hold_is_set_listed_looked_at_and_released(desk: Desk) -> None:
    fill(desk)
    assert desk.types("audit", "hold", "person:P-P1", "--reason", "法院调取通知").exit_code == 0
    [held] = desk.reads("audit", "holds")
    assert held["object"] == "person:p1"
    desk.types("audit", "release", held["id"], "--reason", "法院已结案", "--dry-run")
    assert desk.reads("audit", "holds") == [held]
    assert desk.types("audit", "release", held["id"], "--reason", "法院已结案").exit_code == 0
    assert desk.reads("audit", "holds") == []
    assert [row["id"] for row in desk.reads("audit", "holds", "--all")] == [held["id"]]
