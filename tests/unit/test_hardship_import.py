"""Lists as union offices send them: clumsy, old, hostile; imported whole or not at all."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest
from hardship_lists import HEAD, NOW, SHEN, ZHOU, a_store, problems, read, write
from openpyxl import Workbook

from callcenter.domain.identity import born
from callcenter.domain.people import (
    Grade,
)
from callcenter.errors import Refused
from callcenter.service.hardship import tables as hardship_tables
from callcenter.service.hardship.fields import SYNONYMS, Field, parse_mapping
from callcenter.service.hardship.importing import read_list
from callcenter.service.hardship.tables import ImportRefused

__all__ = ["a_store"]

# --- reading -------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_whatever_encoding_the_office_uses(tmp_path: Path, encoding: str) -> None:
    entries = read(tmp_path, HEAD, SHEN, ZHOU, encoding=encoding)
    assert [(e.file_no, e.name, e.grade) for e in entries] == [
        ("WX-001", "沈建国", Grade.DEEP),
        ("WX-002", "周秀英", Grade.RELATIVE),
    ]
    assert entries[0].consent_date == date(2026, 9, 1)


def test_a_rare_character_of_gb18030_survives(tmp_path: Path) -> None:
    assert read(tmp_path, HEAD, SHEN.replace("建国", "㛃𠮷"), encoding="gb18030")[0].name == "沈㛃𠮷"


def test_bytes_of_no_encoding_are_refused_by_line(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(f"{HEAD}\n".encode() + b"WX-1,\xff\xff\xfe,1,2,3\n")
    with pytest.raises(ImportRefused, match="第2行的文字编码"):
        read_list(file, {}, NOW)


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_tabs_and_semicolons_separate_too(tmp_path: Path, separator: str) -> None:
    lines = [line.replace(",", separator) for line in (HEAD, SHEN)]
    assert read(tmp_path, *lines)[0].district == "梁溪区"


def test_title_lines_above_the_heading_and_empty_lines_are_passed_over(tmp_path: Path) -> None:
    entries = read(
        tmp_path, "无锡市困难职工名单,,,,,,,", "填报单位:梁溪区总工会,,,,,,,", HEAD, ",,,,,,,", SHEN
    )
    assert [(e.row, e.file_no) for e in entries] == [(5, "WX-001")]


@pytest.mark.parametrize(
    "heading",
    [
        "档案号,职工姓名,联系电话,困难等级,认定日期",
        "困难职工档案号, 姓 名 ,手机号码,困难类型,建档时间",
        "*档案编号,姓名(必填),联系方式,类别,入档日期",
        "file_no,name,phone,grade,since",
    ],
)
def test_headings_vary_from_site_to_site(tmp_path: Path, heading: str) -> None:
    entry = read(tmp_path, heading, "WX-001,沈建国,13800001111,深度,2026-09-01")[0]
    assert (entry.file_no, entry.name, entry.phones, entry.grade) == (
        "WX-001",
        "沈建国",
        ("13800001111",),
        Grade.DEEP,
    )


def test_a_heading_nobody_knows_is_mapped_by_hand(tmp_path: Path) -> None:
    lines = ("户号,当事人,困难类别,建档日期", "WX-001,沈建国,深度困难,2026-09-01")
    assert "--map" in problems(tmp_path, *lines)[0]
    assert read(tmp_path, *lines, maps=("户号=file_no", "当事人=name"))[0].name == "沈建国"


def test_a_column_mapped_by_hand_wins_over_its_synonyms(tmp_path: Path) -> None:
    lines = ("编号,档案编号,姓名,困难类别,建档日期", "1,WX-001,沈建国,深度困难,2026-09-01")
    assert "意思相同" in problems(tmp_path, *lines)[0]
    assert read(tmp_path, *lines, maps=("档案编号=file_no",))[0].file_no == "WX-001"


def test_mapping_a_column_that_is_not_there_or_to_no_field_is_refused(tmp_path: Path) -> None:
    assert "不在标题行" in problems(tmp_path, HEAD, SHEN, maps=("没有=name",))[0]
    for wrong in ("姓名", "姓名=", "=name", "姓名=nonsense"):
        with pytest.raises(Refused, match="列名=字段"):
            parse_mapping([wrong])


def test_a_wrong_heading_is_refused_and_says_what_it_saw(tmp_path: Path) -> None:
    found = problems(tmp_path, "档案编号,姓名,困难类别,其他", "1,2,3,4")
    assert "建档日期" in found[0]
    assert "其他" in found[0]
    assert "找不到标题行" in problems(tmp_path, "a,b,c", "1,2,3")[0]


def test_both_union_and_work_unit_is_no_riddle(tmp_path: Path) -> None:
    head = "档案编号,姓名,困难类别,建档日期,工作单位,所属工会"
    entry = read(tmp_path, head, "WX-001,沈建国,深度困难,2026-09-01,第一棉纺厂,梁溪区总工会")[0]
    assert entry.union_unit == "梁溪区总工会"


@pytest.mark.parametrize(
    "text",
    ["2026-09-01", "2026/9/1", "2026.9.1", "2026年9月1日", "20260901", "2026年9月", "2026-09-01 00:00:00"],
)
def test_dates_as_offices_write_them(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, HEAD, SHEN.replace("2026-09-01", text, 1))[0].since == date(2026, 9, 1)


@pytest.mark.parametrize(
    ("text", "phones"),
    [
        ("138 0000 1111", ("13800001111",)),
        ("138-0000-1111", ("13800001111",)),
        ("+86 13800001111", ("13800001111",)),
        ("13800001111、0510-82700000", ("13800001111", "051082700000")),
        ("13800001111 13900002222", ("13800001111", "13900002222")),
        ("—", ()),
        ("无", ()),
        ("", ()),
    ],
)
def test_telephone_numbers_as_offices_write_them(tmp_path: Path, text: str, phones: tuple[str, ...]) -> None:
    assert read(tmp_path, HEAD, SHEN.replace("13800001111", text))[0].phones == phones


def test_every_problem_is_named_by_row_and_column_all_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        HEAD,
        "WX-001,,13800001111,深度困难,2026-09-01,梁溪区,是,2026-09-01",
        "WX-002,周秀英,1381,低保,2026-13-01,滨湖区,是,",
        "WX/../3,钱3,13700003333,相对困难,2027-01-01,,也许,",
    )
    assert found == [
        "第2行 B列（姓名）：不能空着",
        "第3行 C列（手机）：不是电话号码（7 至 15 位数字，几个号码用顿号隔开）",
        "第3行 D列（困难类别）：认不出，应为：深度困难、相对困难、意外致困、脱困观察",
        "第3行 E列（建档日期）：没有这一天",
        "第3行 H列（同意日期）：同意自动回访的，要有同意日期",
        "第4行 B列（姓名）：不像姓名（最多 40 个字，不含数字）",
        "第4行 E列（建档日期）：日期在将来",
        "第4行 G列（同意自动回访）：应填 是 或 否",
    ]


def test_no_complaint_repeats_what_stands_in_a_cell(tmp_path: Path) -> None:
    text = "\n".join(problems(tmp_path, HEAD, "WX-002,周秀英9,1381x,低保,昨天,滨湖区,是,"))
    for secret in ("周秀英", "1381", "昨天"):
        assert secret not in text


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", '"=HYPERLINK(""x"")"'])
def test_p7_a_formula_is_refused_wherever_it_stands(tmp_path: Path, cell: str) -> None:
    found = problems(tmp_path, HEAD + ",备注", SHEN, ZHOU + f",{cell}")
    assert len(found) == 1
    assert "第3行" in found[0]
    assert "公式" in found[0]


def test_duplicates_in_the_list_are_refused(tmp_path: Path) -> None:
    found = problems(
        tmp_path, HEAD, SHEN, ZHOU.replace("WX-002", "WX-001"), ZHOU.replace("13900002222", "13800001111")
    )
    assert found == ["第3行 A列（档案编号）：档案编号与第2行相同", "第4行 C列（手机）：电话号码与第2行相同"]


def test_an_unbalanced_quote_a_null_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    assert "引号" in problems(tmp_path, HEAD, 'WX-001,"沈建国')[0]
    assert "空字符" in problems(tmp_path, HEAD, "WX-001,沈\0建国")[0]
    assert "是空的" in problems(tmp_path, "")[0]
    assert "没有任何职工" in problems(tmp_path, HEAD)[0]


def test_a_file_that_is_not_there_too_big_or_old_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ImportRefused, match="打不开"):
        read_list(tmp_path / "none.csv", {}, NOW)
    old = tmp_path / "old.xls"
    old.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100))
    with pytest.raises(ImportRefused, match="xlsx"):
        read_list(old, {}, NOW)
    monkeypatch.setattr(hardship_tables, "MAX_BYTES", 10)
    with pytest.raises(ImportRefused, match="超过"):
        read_list(write(tmp_path, HEAD, SHEN), {}, NOW)


def test_a_list_of_too_many_rows_is_refused_and_progress_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [HEAD, *(f"WX-{n},沈建国,1380000{n:04d},深度困难,2026-09-01,,," for n in range(2500))]
    told: list[int] = []
    _, entries = read_list(write(tmp_path, *lines), {}, NOW, told.append)
    assert (len(entries), told) == (2500, [1000, 2000])
    monkeypatch.setattr(hardship_tables, "MAX_ROWS", 2000)
    with pytest.raises(ImportRefused, match="2000 行"):
        read_list(write(tmp_path, *lines), {}, NOW)


# --- XLSX ----------------------------------------------------------------------------------


def book(folder: Path, *rows: tuple[object, ...]) -> Path:
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    workbook.save(folder / "list.xlsx")
    return folder / "list.xlsx"


def test_a_workbook_with_dates_numbers_and_a_title(tmp_path: Path) -> None:
    file = book(
        tmp_path,
        ("无锡市困难职工名单",),
        ("档案编号", "职工姓名", "联系电话", "困难类别", "认定日期", "是否同意", "同意日期"),
        ("WX-001", "沈建国", 13800001111, "深度困难", datetime(2026, 9, 1), "是", datetime(2026, 9, 2)),  # noqa: DTZ001 - a cell
    )
    entry = read_list(file, {}, NOW)[1][0]
    assert (entry.row, entry.phones, entry.since, entry.consent_date) == (
        3,
        ("13800001111",),
        date(2026, 9, 1),
        date(2026, 9, 2),
    )


def test_a_formula_in_a_workbook_is_refused_by_row_and_column(tmp_path: Path) -> None:
    head = tuple(HEAD.split(","))
    file = book(tmp_path, head, ("WX-001", "沈建国", "13800001111", "深度困难", "2026-09-01", "=A1", "", ""))
    with pytest.raises(ImportRefused, match=r"第2行 F列（区县）：是公式"):
        read_list(file, {}, NOW)


def test_a_damaged_workbook_and_one_that_unpacks_to_too_much_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = book(tmp_path, tuple(HEAD.split(",")), tuple(SHEN.split(",")))
    cut = tmp_path / "cut.xlsx"
    cut.write_bytes(good.read_bytes()[:900])
    with pytest.raises(ImportRefused, match="完好"):
        read_list(cut, {}, NOW)
    other = tmp_path / "other.xlsx"
    with zipfile.ZipFile(other, "w") as packed:
        packed.writestr("hello.txt", "not a workbook")
    with pytest.raises(ImportRefused, match="完好"):
        read_list(other, {}, NOW)
    monkeypatch.setattr(hardship_tables, "MAX_UNPACKED", 100)
    with pytest.raises(ImportRefused, match="过大"):
        read_list(good, {}, NOW)


# --- identity numbers ----------------------------------------------------------------------


def test_the_month_of_birth_is_read_from_an_identity_number_and_the_number_not_kept(tmp_path: Path) -> None:
    entry = read(tmp_path, HEAD + ",身份证号", SHEN + ",11010519491231002X")[0]
    assert entry.birth_month == 12
    assert "11010519491231002" not in repr(entry) + str(entry)


def test_the_year_of_birth_comes_from_the_same_number_or_a_column_of_its_own(tmp_path: Path) -> None:
    assert read(tmp_path, HEAD + ",身份证号", SHEN + ",11010519491231002X")[0].birth_year == 1949
    both = read(tmp_path, HEAD + ",身份证号,出生年份", SHEN + ",11010519491231002X,1950年")[0]
    assert (both.birth_year, both.birth_month) == (1950, 12)
    assert "1950" not in repr(both)


@pytest.mark.parametrize("wrong", ["49", "1890", "2020", "去年"])
def test_a_year_nobody_at_work_was_born_in_is_refused(tmp_path: Path, wrong: str) -> None:
    assert "出生年份" in problems(tmp_path, HEAD + ",出生年份", SHEN + f",{wrong}")[0]


@pytest.mark.parametrize("wrong", ["110105194912310021", "11010519491231002", "11010519491331002X", "abc"])
def test_an_identity_number_with_a_wrong_check_digit_is_refused(tmp_path: Path, wrong: str) -> None:
    assert born(wrong) is None
    assert "身份证" in problems(tmp_path, HEAD + ",身份证号", SHEN + f",{wrong}")[0]


def test_names_and_numbers_do_not_show_in_an_entrys_repr(tmp_path: Path) -> None:
    entry = replace(read(tmp_path, HEAD, SHEN)[0], liaison="张联络")
    for secret in ("沈建国", "13800001111", "张联络"):
        assert secret not in repr(entry)


def test_every_field_is_reachable_by_some_heading() -> None:
    assert set(SYNONYMS) == set(Field)
