"""Exports are marked, written down, private, and gone when their time is over, in every store (R41, R16)."""

from __future__ import annotations

import io
import os
import zipfile
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from openpyxl import load_workbook
from retention_world import NOW, add_record, carry_out, years_ago
from retention_world import add_users as add_admin

from callcenter.domain.books import EXPORTS, SESSION_VERSIONS
from callcenter.domain.spreadsheets import POINTER, Sheet
from callcenter.domain.users import Role, User
from callcenter.errors import Conflict, Forbidden, Refused
from callcenter.ports import Store
from callcenter.service.privacy import export_sheets
from callcenter.service.privacy.export_files import FileKind
from callcenter.service.privacy.exports import (
    Kind,
    Made,
    delete,
    expire,
    expire_in,
    exports,
    make,
    remove_file,
    save,
    trace,
)

ZONE = ZoneInfo("Asia/Shanghai")
SHEET = Sheet(
    title="应联系名单",
    headings=("档案编号", "姓名", "逾期天数"),
    rows=(("WX-1", "沈**", 3), ("WX-2", "=cmd|'/c calc'!A1", -2)),
)


@pytest.fixture(autouse=True)
def _people_who_act(store: Store) -> None:
    add_admin(store)
    with store() as work:
        for code in ("k001", "k002"):
            work.users.add(User(code=code, name="许敏", roles=frozenset({Role.CLERK})))
        work.commit()


def made(
    store: Store,
    now: datetime,
    *,
    kind: Kind = Kind.HARDSHIP,
    actor: str = "k001",
    form: FileKind = FileKind.XLSX,
    sheet: Sheet = SHEET,
    reason: str = "交区总工会核对",
) -> Made:
    with store() as work:
        done = make(
            work,
            kind,
            [sheet],
            form=form,
            lasts=timedelta(days=7),
            zone=ZONE,
            actor=actor,
            now=now,
            reason=reason,
        )
        work.commit()
    return done


def test_an_export_is_written_down_before_it_is_a_private_file_without_a_telling_name(
    store: Store, now: datetime, tmp_path: Path
) -> None:
    done = made(store, now)
    with store() as work:
        assert work.book(EXPORTS).get(done.export.id) == done.export
        [noted] = work.audit.recent(9, object=f"export:{done.export.id}")
        assert (noted.actor, noted.verb, noted.reason) == ("k001", "export.hardship", "交区总工会核对")
    file = save(done, tmp_path / "exports")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert file.name == f"{done.export.id}.xlsx"
    assert (done.export.rows, done.export.expires_at) == (2, now + timedelta(days=7))


def test_it_takes_the_right_role_and_a_reason(store: Store, now: datetime) -> None:
    for kind, actor in (
        (Kind.SESSIONS, "k001"),
        (Kind.AUDIT, "s001"),
        (Kind.HARDSHIP, "a001"),
        (Kind.PERSON, "k001"),
        (Kind.SESSIONS, "x001"),
    ):
        with pytest.raises(Forbidden):
            made(store, now, kind=kind, actor=actor)
    with pytest.raises(Refused, match="理由"):
        made(store, now, reason="…")
    with store() as work:
        assert work.book(EXPORTS).where() == []


def test_a_diagnosis_does_not_leave_and_its_place_is_told(store: Store, now: datetime) -> None:
    sheet = replace(SHEET, rows=(("WX-1", "抑郁症，在吃药", 3), ("WX-2", "睡不好", 1)))
    done = made(store, now, sheet=sheet)
    assert done.replaced == (("应联系名单", 1, "姓名"),)
    page = load_workbook(io.BytesIO(done.content)).worksheets[0]
    assert page.cell(3, 2).value == POINTER
    assert page.cell(4, 2).value == "睡不好"


@pytest.mark.parametrize("form", list(FileKind))
def test_a_copy_is_traced_untouched_and_after_it_was_saved_again(
    store: Store, now: datetime, tmp_path: Path, form: FileKind
) -> None:
    done = made(store, now, form=form)
    made(store, now, form=form)
    file = save(done, tmp_path)
    with store() as work:
        assert trace(work, file, actor="s001", now=now) == (done.export, "checksum")
    if form is FileKind.XLSX:
        book = load_workbook(file)
        book.worksheets[0]["A1"] = "（删了）"
        book.save(file)
    else:
        file.write_bytes(file.read_text("utf-8-sig").replace("WX-1", "WX-9").encode("utf-16"))
    with store() as work:
        assert trace(work, file, actor="a001", now=now) == (done.export, "mark")
        assert [e.verb for e in work.audit.recent(1)] == ["export.trace"]


def test_what_is_not_ours_is_said_to_be_so(store: Store, now: datetime, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/sheet1.xml", b"0" * (301 * 2**20))
    files = {"a.csv": b"", "b.xlsx": b"PK\x03\x04broken", "c.csv": b"ex-" + b"f" * 32}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with store() as work:
        for name in (*files, bomb.name):
            assert trace(work, tmp_path / name, actor="s001", now=now) == (None, "")
        for wrong in (tmp_path / "nowhere.csv", tmp_path, Path(os.devnull)):
            with pytest.raises(Refused):
                trace(work, wrong, actor="s001", now=now)


def test_a_file_goes_when_its_time_is_over_and_its_row_says_so(
    store: Store, now: datetime, tmp_path: Path
) -> None:
    old, new = made(store, now), made(store, now + timedelta(days=6))
    files = [save(one, tmp_path) for one in (old, new)]
    assert expire_in(store, tmp_path, now + timedelta(days=6)) == 0
    assert expire_in(store, tmp_path, now + timedelta(days=7)) == 1
    assert [file.exists() for file in files] == [False, True]
    with store() as work:
        assert work.book(EXPORTS).get(old.export.id).deleted_at == now + timedelta(days=7)
        assert work.audit.recent(1)[0].verb == "export.expire"
        assert trace(work, files[1], actor="s001", now=now)[0] == new.export
    assert expire_in(store, tmp_path, now + timedelta(days=7)) == 0


def test_a_file_that_nothing_names_goes_but_not_one_just_being_made(
    store: Store, now: datetime, tmp_path: Path
) -> None:
    fresh, stray = tmp_path / f"ex-{'a' * 32}.csv", tmp_path / f"ex-{'b' * 32}.xlsx"
    other = tmp_path / "说明.txt"
    for file, age in ((fresh, 60), (stray, 7200), (other, 7200)):
        file.write_bytes(b"x")
        os.utime(file, (now.timestamp() - age,) * 2)
    with store() as work:
        assert expire(work, tmp_path, now) == 1
    assert (fresh.exists(), stray.exists(), other.exists()) == (True, False, True)


def test_expiring_where_there_is_no_folder_is_nothing(store: Store, now: datetime, tmp_path: Path) -> None:
    with store() as work:
        assert expire(work, tmp_path / "exports", now) == 0


def test_one_sees_and_deletes_ones_own_and_supervisors_everybodys(
    store: Store, now: datetime, tmp_path: Path
) -> None:
    mine, other = made(store, now), made(store, now + timedelta(hours=1), actor="k002")
    file = save(mine, tmp_path)
    with store() as work:
        assert exports(work, actor="k001") == [mine.export]
        assert exports(work, actor="a001") == [other.export, mine.export]
        with pytest.raises(Forbidden):
            exports(work, actor="x001")
        with pytest.raises(Forbidden):
            delete(work, mine.export.id, actor="k002", now=now, reason="")
        delete(work, mine.export.id, actor="s001", now=now, reason="不再需要")
        with pytest.raises(Conflict):
            delete(work, mine.export.id, actor="s001", now=now, reason="")
        work.commit()
    remove_file(tmp_path, mine.export.id)
    assert not file.exists()


def test_the_yearly_account_counts_records_that_went_with_those_that_stay(store: Store) -> None:
    with store() as work:
        add_record(work, "1", years_ago(5))
        add_record(work, "2", years_ago(5) + timedelta(days=1))
        add_record(work, "3", years_ago(0.5))
        work.commit()
    with store() as work:
        before = export_sheets.sessions(
            work, "2025-01", "2030-12", actor="s001", now=NOW, zone=ZONE, smallest=1
        )
    assert ("2025-06", "问题类别", "睡眠", 2) in before.rows
    assert ("2025-06", "危险等级", "高危", 2) in before.rows
    assert ("2025-06", "通话时长", "15至29分钟", 2) in before.rows
    carry_out(store)
    with store() as work:
        after = export_sheets.sessions(
            work, "2025-01", "2030-12", actor="s001", now=NOW, zone=ZONE, smallest=1
        )
        assert after == before
        assert "睡不着" not in str(after.rows)
        one_year = export_sheets.sessions(
            work, "2029-01", "2029-12", actor="s001", now=NOW, zone=ZONE, smallest=1
        )
        assert {row[0] for row in one_year.rows} == {"2029-12"}


def test_r40_a_single_record_of_imminent_danger_is_no_row_of_its_own_in_the_yearly_account(
    store: Store,
) -> None:
    with store() as work:
        for n in range(12):
            add_record(work, str(n), years_ago(2))
        work.commit()
    with store() as work:
        versions = work.book(SESSION_VERSIONS)
        alone = next(iter(versions.where(session="se-0")))
        head = work.sessions.get("se-0")
        answers = {**alone.answers, "level_given": "紧急", "age_band": "18岁以下"}
        work.sessions.update(replace(head, version=head.version + 1), seen=head.version)
        n = head.version + 1
        versions.add(replace(alone, id=f"se-0/{n}", n=n, answers=answers))
        sheet = export_sheets.sessions(
            work, "2020-01", "2030-12", actor="s001", now=NOW, zone=ZONE, smallest=5
        )
    counts = {(row[1], row[2]): row[3] for row in sheet.rows}
    assert counts[("记录数", "全部")] == 12
    assert counts[("危险等级", "紧急")] == counts[("危险等级", "高危")] == "*", (
        "11 of 12 would tell of the one"
    )
    assert not {n for n in counts.values() if isinstance(n, int) and n < 5}
    assert any(row[1] == "说明" for row in sheet.rows)


def test_r40_a_month_of_few_records_says_nothing_but_that_and_the_present_month_is_not_told(
    store: Store,
) -> None:
    with store() as work:
        add_record(work, "1", years_ago(2))
        add_record(work, "2", NOW - timedelta(days=1))
        work.commit()
    with store() as work:
        sheet = export_sheets.sessions(
            work, "2020-01", "2040-12", actor="s001", now=NOW, zone=ZONE, smallest=5
        )
    assert [row[1:] for row in sheet.rows if row[1] != "说明"] == [("记录数", "全部", "*")]
