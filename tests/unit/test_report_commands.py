"""`hotline export` and `hotline report` as people type them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from retention_world import NOW, add_record, add_users, years_ago
from rich.cells import cell_len

from callcenter.bootstrap import App
from callcenter.cli import main
from callcenter.config import Reports, Settings
from callcenter.domain.people import FileStatus, Grade, HardshipFile, Person
from callcenter.domain.users import Role, User
from callcenter.keys import KeyRing
from callcenter.memory import MemoryStore
from callcenter.ports import AuditEntry
from callcenter.service.privacy.audit import HEAD_FILE, note_head
from scheduler.obligations import Evidence, EvidenceKind, Kind, Mode, Obligation

UNIT = "无锡市惠山区第一纺织有限公司"


class Desk:
    """An `App` whose store is in memory, and a way to type commands at it."""

    def __init__(self, home: Path) -> None:
        self.store, self.home = MemoryStore(), home
        add_users(self.store)
        with self.store() as work:
            for code, role in (("e001", Role.EMPLOYER), ("k001", Role.CLERK)):
                work.users.add(User(code=code, name="周玲", roles=frozenset({role})))
            work.commit()
        self.app = App(settings=Settings(home=home, reports=Reports(employers={"e001": UNIT})))
        self.app.__dict__.update(store=self.store, keys=KeyRing(master=bytes(32)), clock=lambda: NOW)

    def types(self, *words: str, by: str) -> Result:
        command = main.get_command(None, words[0])  # type: ignore[arg-type]
        assert command is not None
        return CliRunner().invoke(command, [*words[1:], "--as", by], obj=self.app)

    def reads(self, *words: str, by: str) -> Any:
        done = self.types(*words, "--json", by=by)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def make(desk: Desk, *more: str, by: str = "s001") -> Any:
    with desk.store() as work:
        if not work.sessions.all():
            add_record(work, "1", years_ago(0.5))
            work.commit()
    words = ["sessions", "--from", "2029-01", "--to", "2030-12", "--reason", "年度统计，报市总工会"]
    return desk.reads("export", "make", *words, *more, by=by)


def noted_head_of(desk: Desk) -> bytes:
    """Note the head, as `hotline init` does, and return it."""
    with desk.store() as work:
        work.audit.append(AuditEntry(actor="admin", verb="users.add", object="user:a001", at=NOW))
        work.commit()
        note_head(work, desk.home, anew=True)
    return (desk.home / HEAD_FILE).read_bytes()


def test_an_export_is_made_listed_traced_and_deleted(desk: Desk) -> None:
    noted = noted_head_of(desk)
    row = make(desk)
    file = Path(row["file"])
    assert file.parent == desk.home / "exports"
    assert file.stat().st_mode & 0o777 == 0o600
    assert row["expires_at"] == (NOW + timedelta(days=7)).isoformat()
    assert (desk.home / HEAD_FILE).read_bytes() != noted, "the export's own entry is noted"
    listed = desk.types("export", "list", by="s001")
    assert max(map(cell_len, listed.output.splitlines())) <= 100
    assert [one["id"] for one in desk.reads("export", "list", by="a001")] == [row["id"]]
    assert desk.reads("export", "trace", str(file), by="s001")["by"] == "s001"
    shown = desk.types("export", "delete", row["id"], "--dry-run", by="s001")
    assert shown.exit_code == 0
    assert file.exists()
    assert desk.types("export", "delete", row["id"], "--reason", "不再需要", by="s001").exit_code == 0
    assert not file.exists()
    assert desk.reads("export", "list", by="s001")[0]["deleted_at"] == NOW.isoformat()


def test_a_file_that_is_not_ours_ends_with_an_error(desk: Desk, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a,b")
    done = desk.types("export", "trace", str(other), by="s001")
    assert done.exit_code == 1
    assert "不是本系统导出的文件" in done.output


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--from", "2029-01"],
        ["--from", "2029-13", "--to", "2030-01"],
        ["--from", "2030-02", "--to", "2030-01"],
    ],
)
def test_months_are_asked_for_where_they_are_missing_or_wrong(desk: Desk, words: list[str]) -> None:
    done = desk.types("export", "make", "sessions", *words, "--reason", "年度统计", by="s001")
    assert done.exit_code == 1
    assert "2026-01" in str(done.exception)
    assert desk.reads("export", "list", by="s001") == []


def test_the_audit_and_the_owed_list_leave_by_those_who_may(desk: Desk) -> None:
    make(desk)
    trail = desk.reads("export", "make", "audit", "--reason", "年度审计", "--format", "csv", by="a001")
    said = Path(trail["file"]).read_text("utf-8-sig")
    assert "export.sessions" in said
    assert "年度统计，报市总工会" in said
    owed = desk.reads("export", "make", "hardship", "--reason", "交区总工会核对", by="k001")
    assert owed["rows"] == 0
    assert desk.types("export", "make", "audit", "--reason", "看一看吧", by="k001").exit_code == 1


def keep(desk: Desk, people: int) -> None:
    at = datetime(2030, 5, 10, 2, 0, tzinfo=UTC)
    with desk.store() as work:
        for n in range(people):
            work.people.add(Person(id=f"p{n}", code=f"P-{n}"))
            file = HardshipFile(
                file_no=f"WX-{n}",
                person=f"p{n}",
                grade=Grade.DEEP,
                status=FileStatus.ACTIVE,
                since=date(2030, 1, 1),
                union_unit=UNIT,
            )
            work.people.put_file(file)
            owed = Obligation(
                id=f"ob-{n}",
                person=f"p{n}",
                kind=Kind.TALK,
                due_at=at,
                window_end=at,
                mode=Mode.HUMAN_ONLY,
                created_at=at,
            )
            work.debts.add(owed)
            proof = Evidence(
                id=f"ev-{n}",
                obligation=owed.id,
                kind=EvidenceKind.HUMAN_TALK,
                at=at,
                reference=f"call-{n}",
                by="c017",
            )
            work.debts.add_evidence(proof)
        work.commit()


def test_an_employer_reads_what_is_hidden_and_why_in_eighty_columns(desk: Desk) -> None:
    keep(desk, 4)
    done = desk.types("report", "attendance", "--month", "2030-05", by="e001")
    assert done.exit_code == 0
    assert max(map(cell_len, done.output.splitlines())) <= 80
    assert "不足5人" in done.output
    assert "4" not in done.output.replace(UNIT, "")
    found = desk.reads("report", "attendance", "--month", "2030-05", by="e001")
    assert found["rows"] == [{"unit": UNIT, "预约": 0, "讲座": None, "total": None}]


def test_five_people_are_told_and_then_nothing_is_said_of_hiding(desk: Desk) -> None:
    keep(desk, 5)
    done = desk.types("report", "attendance", "--month", "2030-05", "--unit", UNIT, by="s001")
    assert "5" in done.output
    assert "*" not in done.output


def test_a_running_month_is_not_told(desk: Desk) -> None:
    keep(desk, 5)
    done = desk.types("report", "attendance", "--month", "2030-06", by="e001")
    assert done.exit_code == 1
    assert "还没有结束" in str(done.exception)
