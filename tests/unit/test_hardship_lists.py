"""What a register's list may say besides names and numbers; who is doubled, missing, or to be looked at."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hardship_lists import HEAD, NOW, SHEN, ZHOU, a_store, bring, problems, read, write

from callcenter.domain.books import HOUSEHOLDS
from callcenter.domain.identity import check_digit
from callcenter.domain.people import (
    ExitReason,
    FileStatus,
    Person,
    Phone,
    Suppression,
    SuppressionKind,
)
from callcenter.errors import NotFound, Refused
from callcenter.memory import MemoryUnit
from callcenter.service.hardship import profiles
from callcenter.service.hardship.fields import Entry, parse_mapping
from callcenter.service.hardship.importing import import_entries, read_list
from callcenter.service.hardship.tables import ImportRefused

__all__ = ["a_store"]

IDENTITY = "11010519491231002X"
OTHER_IDENTITY = "32020019600305012" + check_digit("32020019600305012")
MORE = HEAD + ",户号,公示开始,公示结束,复核日期,退档原因,档案状态,协议编号,同意书版本,身份证号"


def more(line: str, *cells: str) -> str:
    """Return a line with the further cells of `MORE`, those left out empty."""
    return ",".join([line, *cells, *[""] * (9 - len(cells))])


def test_a_list_tells_of_household_notice_review_and_paper(work: MemoryUnit, tmp_path: Path) -> None:
    cells = ("H-7", "2026-08-03", "2026-08-10", "2027-09-01", "", "在档", "XY-2026-17", "consent-2026-05")
    bring(work, read(tmp_path, MORE, more(SHEN, *cells, IDENTITY)))
    [file] = work.people.files()
    assert (file.notice_from, file.notice_to) == (date(2026, 8, 3), date(2026, 8, 10))
    assert file.review_due == date(2027, 9, 1)
    [home] = work.book(HOUSEHOLDS).where()
    assert (home.id, home.register_no) == (file.household, "H-7")
    [said] = work.people.consents(file.person)
    assert (said.evidence, said.script_version) == ("XY-2026-17", "consent-2026-05")


def test_a_span_in_one_cell_is_a_notice_and_one_that_ends_before_it_begins_is_none(tmp_path: Path) -> None:
    head = HEAD + ",公示时间"
    entry = read(tmp_path, head, SHEN + ",2026-08-03至2026-08-10")[0]
    assert (entry.notice_from, entry.notice_to) == (date(2026, 8, 3), date(2026, 8, 10))
    assert "早于" in problems(tmp_path, head, SHEN + ",2026-08-10至2026-08-03")[0]
    assert "日期" in problems(tmp_path, head, SHEN + ",2026-08-10至昨天")[0]


def test_the_identity_number_is_known_again_and_kept_nowhere(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD + ",身份证号", f"{SHEN},{IDENTITY}"))
    person = work.people.get(work.people.files()[0].person)
    assert person.identity_mark == work.people.mark_of(IDENTITY)
    assert IDENTITY not in str([vars_of(person), work.people.files(), work.audit.recent(99)])


def vars_of(person: Person) -> list[object]:
    return [getattr(person, name) for name in Person.__slots__]


def test_a_worker_with_another_file_number_and_telephone_is_the_same_by_identity_number(
    work: MemoryUnit, tmp_path: Path
) -> None:
    head = HEAD + ",身份证号,档案状态"
    bring(work, read(tmp_path, head, f"{SHEN},{IDENTITY},退档"))
    moved = SHEN.replace("WX-001", "WX-900").replace("13800001111", "13700007777")
    bring(work, read(tmp_path, head, f"{moved},{IDENTITY.lower()},在档"))
    files = work.people.files()
    assert len(files) == 2
    assert len({file.person for file in files}) == 1


def test_a_file_renumbered_within_a_first_list_is_one_person(work: MemoryUnit, tmp_path: Path) -> None:
    head = HEAD + ",档案状态"
    lines = (SHEN + ",退档", SHEN.replace("WX-001", "WX-101") + ",在档")
    bring(work, read(tmp_path, head, *lines))
    assert len({file.person for file in work.people.files()}) == 1
    diff = bring(work, read(tmp_path, head, *reversed(lines)))
    assert (diff.new, diff.changed, diff.unchanged) == ((), (), 2)


def test_a_file_that_changed_hands_does_not_take_the_records_of_who_had_it(
    work: MemoryUnit, tmp_path: Path
) -> None:
    head = HEAD + ",身份证号"
    bring(work, read(tmp_path, head, f"{SHEN},{IDENTITY}"))
    before = work.people.files()[0].person
    heir = SHEN.replace("沈建国", "沈小燕")
    diff = bring(work, read(tmp_path, head, f"{heir},{OTHER_IDENTITY}"))
    assert work.people.files()[0].person != before
    assert work.people.get(before).name == "沈建国"
    assert "换了人" in diff.doubts[0].message


@pytest.mark.parametrize(
    ("cells", "word"),
    [((IDENTITY, ""), "身份证号与第2行相同"), (("", "H-7"), "户号（一户一档）与第2行相同")],
)
def test_one_person_or_household_twice_in_a_list_is_refused(
    tmp_path: Path, cells: tuple[str, str], word: str
) -> None:
    head = HEAD + ",身份证号,户号,档案状态"
    both = [f"{line},{','.join(cells)},在档" for line in (SHEN, ZHOU)]
    assert word in problems(tmp_path, head, *both)[0]
    assert len(read(tmp_path, head, both[0].replace("在档", "退档"), both[1])) == 2, "one of them leaves"


@pytest.mark.parametrize(
    ("cells", "word"), [((IDENTITY, ""), "身份证号已登记在另一份"), (("", "H-7"), "同户")]
)
def test_one_person_or_household_with_another_open_file_is_refused(
    work: MemoryUnit, tmp_path: Path, cells: tuple[str, str], word: str
) -> None:
    head = HEAD + ",身份证号,户号,档案状态"
    bring(work, read(tmp_path, head, f"{SHEN},{','.join(cells)},在档"))
    with pytest.raises(ImportRefused, match=rf"第2行：.*{word}.*WX-001"):
        bring(work, read(tmp_path, head, f"{ZHOU},{','.join(cells)},在档"))
    leaves = f"{SHEN.replace('13800001111', '')},{','.join(cells)},退档"
    bring(work, read(tmp_path, head, leaves, f"{ZHOU},{','.join(cells)},在档"))
    assert work.people.file("WX-002") is not None


def test_a_household_named_by_an_identity_number_is_known_by_a_mark(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD + ",户号", f"{SHEN},{IDENTITY}"))
    [home] = work.book(HOUSEHOLDS).where()
    assert (home.register_no, IDENTITY in home.id) == ("", False)
    assert bring(work, read(tmp_path, HEAD + ",户号", f"{SHEN},{IDENTITY}")).unchanged == 1


def test_who_merely_looks_like_somebody_is_told_and_taken(work: MemoryUnit, tmp_path: Path) -> None:
    head = HEAD + ",出生月份"
    bring(work, read(tmp_path, head, SHEN + ",3"))
    twin = SHEN.replace("WX-001", "WX-002").replace("13800001111", "13700007777") + ",3"
    diff = bring(work, read(tmp_path, head, SHEN + ",3", twin))
    assert [(d.row, d.file_no) for d in diff.doubts] == [(3, "WX-002")]
    assert "WX-001" in diff.doubts[0].message
    assert bring(work, read(tmp_path, head, SHEN + ",3", twin)).doubts == (), "it is told once"


def test_what_breaks_the_registers_own_rules_is_shown_and_taken(work: MemoryUnit, tmp_path: Path) -> None:
    applied = more(SHEN, "", "", "", "", "", "申请")
    bring(work, read(tmp_path, MORE, applied))
    assert work.people.files()[0].status is FileStatus.APPLIED
    short = more(SHEN, "", "2026-09-04", "2026-09-07", "", "", "在档")  # a Friday to a Monday
    assert "只有 2 个" in bring(work, read(tmp_path, MORE, short)).doubts[0].message
    watched = SHEN.replace("2026-09-01", "2026-10-01", 1)
    bring(work, read(tmp_path, MORE, more(watched, "", "", "", "", "", "脱困观察期")))
    diff = bring(work, read(tmp_path, MORE, more(watched, "", "", "", "", "脱困", "退档")))
    assert "不满 6 个月" in diff.doubts[0].message
    [file] = work.people.files()
    assert (file.status, file.exit_reason) == (FileStatus.CLOSED, ExitReason.RECOVERED)
    bring(work, read(tmp_path, MORE, more(watched, "", "", "", "", "", "在档")))
    assert work.people.files()[0].exit_reason is None


def test_an_application_that_is_in_file_without_a_notice_is_doubted(work: MemoryUnit, tmp_path: Path) -> None:
    head = HEAD + ",档案状态"
    bring(work, read(tmp_path, head, SHEN + ",公示中"))
    assert "没有公示的日期" in bring(work, read(tmp_path, head, SHEN + ",在档")).doubts[0].message


def test_an_exit_without_a_reason_is_doubted_and_one_with_an_unknown_one_refused(
    work: MemoryUnit, tmp_path: Path
) -> None:
    bring(work, read(tmp_path, HEAD, SHEN))
    left = more(SHEN, "", "", "", "", "", "退档")
    assert "没有写明原因" in bring(work, read(tmp_path, MORE, left), dry_run=True).doubts[0].message
    [told] = problems(tmp_path, MORE, more(SHEN, "", "", "", "", "搬家", "退档"))
    assert "死亡" in told


def test_r34_somebodys_confirmation_of_an_exit_outlives_the_next_list(
    work: MemoryUnit, tmp_path: Path
) -> None:
    left = more(SHEN, "", "", "", "", "退休", "退档")
    bring(work, read(tmp_path, MORE, left))
    [file] = work.people.files()
    work.people.put_file(replace(file, exit_confirmed_by="k001"))
    assert bring(work, read(tmp_path, MORE, left)).unchanged == 1
    assert work.people.files()[0].exit_confirmed_by == "k001"
    bring(work, read(tmp_path, MORE, left.replace("退休", "死亡")))
    assert work.people.files()[0].exit_confirmed_by is None, "another reason is confirmed anew"


def test_grades_are_the_sites_and_an_unknown_one_names_them(tmp_path: Path) -> None:
    line, site = SHEN.replace("深度困难", "生活暂时困难"), ("特困", "暂困")
    file = write(tmp_path, HEAD, line)
    assert read_list(file, {}, NOW, grades=site)[1][0].grade == "暂困"
    with pytest.raises(ImportRefused, match="应为：特困、暂困"):
        read_list(write(tmp_path, HEAD, SHEN), {}, NOW, grades=site)
    with pytest.raises(ImportRefused, match="深度困难、相对困难"):
        read_list(write(tmp_path, HEAD, line), {}, NOW)


def test_a_column_that_a_list_lacks_takes_nothing_away(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD + ",联系人,户号", SHEN + ",顾卫东,H-7"))
    before = work.people.files()
    short = "档案编号,姓名,困难类别,建档日期"
    assert bring(work, read(tmp_path, short, "WX-001,沈建国,深度困难,2026-09-01")).unchanged == 1
    assert work.people.files() == before


def test_only_another_paper_says_again_what_a_list_has_said(work: MemoryUnit, tmp_path: Path) -> None:
    head = HEAD + ",协议编号"
    bring(work, read(tmp_path, head, SHEN + ",XY-1"))
    redated = SHEN.replace("是,2026-09-01", "是,2026-11-01")
    assert bring(work, read(tmp_path, head, redated + ",XY-1")).unchanged == 1
    diff = bring(work, read(tmp_path, head, redated + ",XY-2"))
    assert diff.changed[0].fields == (("同意自动回访", "", "是（XY-2）"),)
    assert len(work.people.consents(work.people.files()[0].person)) == 2


@pytest.mark.parametrize("paper", ["13800001111", IDENTITY])
def test_a_papers_number_that_is_a_persons_is_refused(tmp_path: Path, paper: str) -> None:
    assert "不加密保存" in problems(tmp_path, HEAD + ",协议编号", f"{SHEN},{paper}")[0]


def test_what_somebody_does_not_want_to_be_called_about_binds_nobody_else_on_that_telephone(
    work: MemoryUnit, tmp_path: Path
) -> None:
    work.people.add(Person(id="p9", code="P-9", name="钱秀英", phones=(Phone(number="13800001111"),)))
    work.people.add_suppression(
        Suppression(person="p9", kind=SuppressionKind.TOPIC, topic="hardship", at=NOW, reason="")
    )
    bring(work, read(tmp_path, HEAD, SHEN))
    assert work.people.suppressions(work.people.files()[0].person) == []


# --- who is missing --------------------------------------------------------------------------


def test_whoever_is_missing_is_shown_with_since_when(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD, SHEN, ZHOU))
    first = bring(work, read(tmp_path, HEAD, SHEN), at=NOW + timedelta(days=10))
    assert (first.missing, first.missing_since) == (("WX-002",), {})
    again = bring(work, read(tmp_path, HEAD, SHEN), at=NOW + timedelta(days=40))
    assert again.missing_since == {"WX-002": NOW + timedelta(days=10)}
    bring(work, read(tmp_path, HEAD, SHEN, ZHOU), at=NOW + timedelta(days=50))
    back = bring(work, read(tmp_path, HEAD, SHEN), at=NOW + timedelta(days=60))
    assert (back.missing, back.missing_since) == (("WX-002",), {}), "it was there in between"


def test_a_part_of_the_register_makes_nobody_missing(work: MemoryUnit, tmp_path: Path) -> None:
    third = ZHOU.replace("WX-002", "WX-003").replace("13900002222", "13900003333")
    bring(work, read(tmp_path, HEAD, SHEN, ZHOU, third))
    for _ in range(2):
        diff = bring(work, read(tmp_path, HEAD, SHEN))
        assert (diff.missing, diff.missing_since) == (("WX-002", "WX-003"), {})


def test_one_who_is_brought_alone_makes_nobody_missing(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD, SHEN))
    entries: list[Entry] = read(tmp_path, HEAD, ZHOU)
    assert import_entries(work, entries, actor="k001", now=NOW, whole=False).missing == ()


# --- saved forms -----------------------------------------------------------------------------

OFFICE = "片号,当事人,手机,困难类别,建档日期"
OFFICES = ("片号=file_no", "当事人=name")


def test_a_saved_form_reads_the_next_list_of_that_office(work: MemoryUnit, tmp_path: Path) -> None:
    line = "WX-001,沈建国,13800001111,深度困难,2026-09-01"
    columns, _ = read_list(write(tmp_path, OFFICE, line), parse_mapping(OFFICES), NOW)
    saved = profiles.save(work, "梁溪", columns, actor="k001", now=NOW)
    assert ("片号", "file_no") in saved.columns
    mapping = profiles.mapping_of(profiles.profile(work, "梁溪", actor="k001"))
    entries = read_list(write(tmp_path, OFFICE, line), mapping, NOW, profile="梁溪")[1]
    assert entries[0].name == "沈建国"
    import_entries(work, entries, actor="k001", now=NOW, profile="梁溪")
    [note] = work.audit.recent(9, verb="hardship.import")
    assert note.object == "profile:梁溪"


def test_a_form_whose_headings_are_not_in_the_list_says_which(work: MemoryUnit, tmp_path: Path) -> None:
    columns, _ = read_list(
        write(tmp_path, OFFICE, "WX-001,沈建国,,深度困难,2026-09-01"), parse_mapping(OFFICES), NOW
    )
    mapping = profiles.mapping_of(profiles.save(work, "梁溪", columns, actor="k001", now=NOW))
    with pytest.raises(ImportRefused, match=r"梁溪.*片号、当事人"):
        read_list(write(tmp_path, HEAD, SHEN), mapping, NOW, profile="梁溪")


def test_saving_the_same_form_again_changes_nothing_and_another_replaces_it(
    work: MemoryUnit, tmp_path: Path
) -> None:
    first, _ = read_list(write(tmp_path, HEAD, SHEN), {}, NOW)
    for _ in range(2):
        profiles.save(work, "梁溪", first, actor="k001", now=NOW)
    assert len(work.audit.recent(9, verb="hardship.profile")) == 1
    other, _ = read_list(write(tmp_path, HEAD + ",户号", SHEN + ",H-7"), {}, NOW)
    profiles.save(work, "梁溪", other, actor="k001", now=NOW)
    [one] = profiles.profiles(work, actor="k001")
    assert ("户号", "household") in one.columns


def test_a_form_goes_with_a_reason_and_its_name_is_no_number(work: MemoryUnit, tmp_path: Path) -> None:
    columns, _ = read_list(write(tmp_path, HEAD, SHEN), {}, NOW)
    for name in ("13800001111", "a b", "", "=1"):
        with pytest.raises(Refused, match="名称"):
            profiles.save(work, name, columns, actor="k001", now=NOW)
    profiles.save(work, "梁溪", columns, actor="k001", now=NOW)
    with pytest.raises(Refused):
        profiles.drop(work, "梁溪", reason="", actor="k001", now=NOW)
    profiles.drop(work, "梁溪", reason="换了新的系统", actor="k001", now=NOW)
    with pytest.raises(NotFound):
        profiles.profile(work, "梁溪", actor="k001")
