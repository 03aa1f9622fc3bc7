"""What a list may not undo: a word said to the line, a step by command, a leaving; how it is compared."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from actors import enlist
from hardship_lists import HEAD, NOW, SHEN, ZHOU, a_store, bring, problems, read
from openpyxl import Workbook

from callcenter.cli.chinese import _folded
from callcenter.cli.hardship_import import _how_long
from callcenter.domain.audit_chain import AuditEntry
from callcenter.domain.books import HOUSEHOLDS
from callcenter.domain.hardship_files import FileRules
from callcenter.domain.people import (
    ExitReason,
    FileStatus,
    HardshipFile,
    Person,
    Phone,
    SafeContact,
)
from callcenter.memory import MemoryUnit
from callcenter.service.hardship.filing import Register, watch
from callcenter.service.hardship.importing import import_entries, read_list
from callcenter.service.hardship.tables import ImportRefused
from callcenter.service.people.people import change_care
from callcenter.service.people.phones import add_phone
from scheduler.gates import Rules

__all__ = ["a_store"]

OLD, NEW = "13800001111", "13700007777"
LEFT = HEAD + ",档案状态,退档原因"


def the_file(work: MemoryUnit) -> HardshipFile:
    [file] = work.people.files()
    return file


def the_person(work: MemoryUnit) -> Person:
    return work.people.get(the_file(work).person)


def left(work: MemoryUnit, folder: Path, reason: str, by: str | None = None) -> None:
    """Bring a file in and out again, confirmed by somebody or not."""
    bring(work, read(folder, LEFT, f"{SHEN},退档,{reason}"))
    work.people.put_file(replace(the_file(work), exit_confirmed_by=by))


# --- numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        {"safe_to_call": False},
        {"agreed": SafeContact(say_name="小沈", code_word="桂花", windows=((time(9), time(11)),))},
        {"verified_at": NOW},
    ],
)
def test_r33_what_was_agreed_about_a_number_outlives_every_list(
    work: MemoryUnit, tmp_path: Path, said: dict[str, object]
) -> None:
    bring(work, read(tmp_path, HEAD, SHEN))
    person = the_person(work)
    phone = replace(person.phones[0], **said)  # type: ignore[arg-type]
    work.people.update(replace(person, phones=(phone,)))
    bring(work, read(tmp_path, HEAD, SHEN.replace(OLD, NEW)))
    kept = {p.number: p for p in the_person(work).phones}
    assert kept[OLD] == replace(phone, listed=False)
    bring(work, read(tmp_path, HEAD, SHEN))
    assert the_person(work).phones == (phone,)


def test_a_number_unsafe_at_somebody_else_is_unsafe_here_too(work: MemoryUnit, tmp_path: Path) -> None:
    unsafe = Phone(number=OLD, safe_to_call=False)
    work.people.add(Person(id="p9", code="P-9", name="沈老太", phones=(unsafe,)))
    work.people.add(Person(id="p8", code="P-8", name="沈小燕"))
    bring(work, read(tmp_path, HEAD, SHEN))
    assert [p.safe_to_call for p in the_person(work).phones] == [False]
    enlist(work, "s001")
    assert not add_phone(work, "p8", OLD, actor="s001", now=NOW).phones[0].safe_to_call


def test_who_has_two_open_files_keeps_the_numbers_of_both(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD, SHEN))
    whose = the_file(work).person
    work.people.put_file(replace(the_file(work), file_no="WX-002"))
    second = SHEN.replace("WX-001", "WX-002").replace(OLD, NEW)
    bring(work, read(tmp_path, HEAD, SHEN, second))
    assert {p.number for p in work.people.get(whose).phones if p.listed} == {OLD, NEW}
    assert bring(work, read(tmp_path, HEAD, SHEN, second)).unchanged == 2


# --- what they said of themselves ------------------------------------------------------------


def test_r39_what_somebody_told_the_line_is_neither_overridden_nor_shown(
    work: MemoryUnit, tmp_path: Path
) -> None:
    head = HEAD + ",仅人工,语言,出生年份"
    listed = read(tmp_path, head, SHEN + ",否,普通话,1955")
    bring(work, listed)
    whose = the_file(work).person
    enlist(work, "s001")
    change_care(work, whose, speaks="zh_wx", no_ivr=True, actor="s001", now=NOW)
    work.people.update(replace(work.people.get(whose), birth_year=1956, name="沈建帼"))
    for field in ("birth_year", "name"):
        work.audit.append(
            AuditEntry(actor="s001", verb="people.correct", object=f"person:{whose}", at=NOW, field=field)
        )
    before = work.people.get(whose)
    diff = bring(work, listed)
    assert (diff.changed, work.people.get(whose)) == ((), before)
    change_care(work, whose, no_ivr=False, actor="s001", now=NOW)
    diff = bring(work, read(tmp_path, head, SHEN + ",是,无锡话,1955"))
    assert (diff.changed, work.people.get(whose).no_ivr) == ((), False)


def test_r39_what_somebody_told_the_line_stands_after_a_merge(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD, SHEN))
    whose = the_file(work).person
    work.people.add(Person(id="p9", code="P-9", speaks="zh_wx", merged_into=whose))
    work.people.update(replace(work.people.get(whose), speaks="zh_wx"))
    note = AuditEntry(actor="s001", verb="people.care", object="person:p9", at=NOW, field="speaks")
    work.audit.append(note)
    assert bring(work, read(tmp_path, HEAD + ",语言", SHEN + ",普通话")).changed == ()


def test_a_list_may_mark_somebody_for_people_alone(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD, SHEN))
    bring(work, read(tmp_path, HEAD + ",仅人工", SHEN + ",是"))
    assert the_person(work).no_ivr


# --- how a file stands -----------------------------------------------------------------------


@pytest.mark.parametrize("head", [HEAD, HEAD + ",档案状态"])
@pytest.mark.parametrize("status", list(FileStatus))
def test_a_list_that_says_nothing_of_a_status_leaves_it_alone(
    work: MemoryUnit, tmp_path: Path, head: str, status: FileStatus
) -> None:
    left(work, tmp_path, "死亡", "s001")
    stood = replace(the_file(work), status=status)
    work.people.put_file(stood)
    diff = bring(work, read(tmp_path, head, SHEN + ("," if head != HEAD else "")))
    is_closed = status is FileStatus.CLOSED
    assert the_file(work).status is status
    assert (the_file(work) == stood, diff.doubts) == (is_closed, ())


def test_of_a_new_file_nothing_said_means_in_file(work: MemoryUnit, tmp_path: Path) -> None:
    watched = ZHOU.replace("相对困难", "脱困观察")
    bring(work, read(tmp_path, HEAD + ",档案状态", SHEN + ",", watched + ","))
    assert {f.file_no: f.status for f in work.people.files()} == {
        "WX-001": FileStatus.ACTIVE,
        "WX-002": FileStatus.WATCH,
    }
    bring(work, read(tmp_path, HEAD, SHEN.replace("深度困难", "脱困观察"), ZHOU))
    assert {f.file_no: f.status for f in work.people.files()} == {
        "WX-001": FileStatus.WATCH,
        "WX-002": FileStatus.ACTIVE,
    }, "a grade of its own says it"


@pytest.mark.parametrize(
    ("reason", "by"), [("死亡", "s001"), ("误建", None), ("未通过", None), ("退休", "k001")]
)
def test_r34_a_list_undoes_a_leaving_only_when_told_so(
    work: MemoryUnit, tmp_path: Path, reason: str, by: str | None
) -> None:
    left(work, tmp_path, reason, by)
    stood, back = the_file(work), read(tmp_path, LEFT, SHEN + ",在档,")
    [doubt] = bring(work, back, dry_run=True).doubts
    assert reason in doubt.message
    assert "--accept-returns" in doubt.message
    with pytest.raises(ImportRefused, match=r"第2行.*--accept-returns"):
        bring(work, back)
    assert the_file(work) == stood
    import_entries(work, back, actor="k001", now=NOW, returns=True)
    assert (the_file(work).status, the_file(work).exit_reason) == (FileStatus.ACTIVE, None)
    assert [e.object for e in work.audit.recent(9, verb="hardship.return")] == ["WX-001"]


@pytest.mark.parametrize("reason", ["死亡", "调离"])
@pytest.mark.parametrize("status", ["在档", "申请"])
def test_r34_no_list_answers_for_a_supervisor_whether_somebody_died_or_moved(
    work: MemoryUnit, tmp_path: Path, reason: str, status: str
) -> None:
    left(work, tmp_path, reason)
    back = read(tmp_path, LEFT, f"{SHEN},{status},")
    with pytest.raises(ImportRefused, match="督导"):
        import_entries(work, back, actor="k001", now=NOW, returns=True)
    [doubt] = bring(work, read(tmp_path, LEFT, f"{SHEN},退档,退休")).doubts
    assert "督导" in doubt.message
    assert the_file(work).exit_reason == ExitReason(reason)
    again = bring(work, read(tmp_path, LEFT, f"{SHEN},退档,退休"))
    assert (len(again.doubts), again.unchanged) == (1, 1), "it is told as often as it is said"


def test_r34_a_graver_reason_is_taken(work: MemoryUnit, tmp_path: Path) -> None:
    for reason in ("退休", "调离", "死亡"):
        bring(work, read(tmp_path, LEFT, f"{SHEN},退档,{reason}"))
        assert the_file(work).exit_reason == ExitReason(reason)


def test_an_exit_nobody_confirmed_is_taken_back_and_a_step_back_is_doubted(
    work: MemoryUnit, tmp_path: Path
) -> None:
    left(work, tmp_path, "退休")
    assert bring(work, read(tmp_path, LEFT, SHEN + ",在档,")).doubts == ()
    [doubt] = bring(work, read(tmp_path, LEFT, SHEN + ",申请,")).doubts
    assert "从在档退回申请" in doubt.message


def test_a_list_does_not_shorten_a_watch_that_began_by_command(work: MemoryUnit, tmp_path: Path) -> None:
    register = Register(rules=FileRules(), owed=Rules())
    entries = read(tmp_path, HEAD + ",档案状态", SHEN + ",脱困观察期")
    bring(work, read(tmp_path, HEAD, SHEN), at=NOW - timedelta(days=1))
    watch(work, "WX-001", register=register, actor="k001", now=NOW, reason="孩子工作了")
    for listed in (entries, read(tmp_path, HEAD, SHEN)):
        bring(work, listed, at=NOW + timedelta(days=30))
        assert (the_file(work).since, the_file(work).status) == (NOW.date(), FileStatus.WATCH)


def test_a_day_that_only_lists_told_is_put_right_by_the_next(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD, SHEN))
    bring(work, read(tmp_path, HEAD, SHEN.replace("2026-09-01", "2026-08-01", 1)))
    assert the_file(work).since == date(2026, 8, 1)


# --- how it is compared ----------------------------------------------------------------------


def test_file_and_household_numbers_are_one_in_whatever_case_and_width(
    work: MemoryUnit, tmp_path: Path
) -> None:
    head = HEAD + ",户号"
    bring(work, read(tmp_path, head, SHEN + ",h7"))
    other = SHEN.replace("WX-001", "wx-001") + ",Ｈ7"
    assert bring(work, read(tmp_path, head, other)).unchanged == 1
    assert [home.register_no for home in work.book(HOUSEHOLDS).where()] == ["h7"]
    with pytest.raises(ImportRefused, match="一户一档"):
        bring(work, read(tmp_path, head, ZHOU + ",H7"))
    told = problems(tmp_path, head, SHEN + ",h7", ZHOU + ",Ｈ7", ZHOU.replace("WX-002", "wx-001") + ",")
    assert any("户号" in one and "第2行" in one for one in told)
    assert any("档案编号与第2行相同" in one for one in told)


def test_one_who_is_brought_alone_is_found_in_whatever_case(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD, SHEN))
    alone = read(tmp_path, HEAD, SHEN.replace("WX-001", "wx-001"))
    assert import_entries(work, alone, actor="k001", now=NOW, whole=False).unchanged == 1


def test_a_household_marked_before_is_the_same_now(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD + ",户号", SHEN + ",11010519491231002X"))
    assert bring(work, read(tmp_path, HEAD + ",户号", SHEN + ",11010519491231002x")).unchanged == 1


@pytest.mark.parametrize(("value", "is_refused"), [(2026.1, True), ("2026.1", False), (2026.3, False)])
def test_a_month_that_lost_its_zero_is_refused(tmp_path: Path, value: object, is_refused: bool) -> None:
    book = Workbook()
    book.active.append(["档案编号", "姓名", "困难类别", "建档日期"])  # type: ignore[union-attr]
    book.active.append(["WX-000", "周秀英", "深度困难", "2026.1"])  # type: ignore[union-attr]
    book.active.append(["WX-001", "沈建国", "深度困难", value])  # type: ignore[union-attr]
    book.save(tmp_path / "list.xlsx")
    if not is_refused:
        assert len(read_list(tmp_path / "list.xlsx", {}, NOW)[1]) == 2
        return
    with pytest.raises(ImportRefused, match=r"第3行.*改成文字"):
        read_list(tmp_path / "list.xlsx", {}, NOW)


def test_who_is_missing_is_asked_of_the_last_lists_alone(
    work: MemoryUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callcenter.service.hardship.importing._MOST_NOTES", 2)
    bring(work, read(tmp_path, HEAD, SHEN, ZHOU))
    at: list[datetime] = []
    for n in range(4):
        at += [NOW + timedelta(days=n)]
        bring(work, read(tmp_path, HEAD, SHEN, *([ZHOU] if n % 2 else [])), at=at[-1])
    bring(work, read(tmp_path, HEAD, SHEN), at=NOW + timedelta(days=9))
    assert bring(work, read(tmp_path, HEAD, SHEN)).missing_since == {"WX-002": NOW + timedelta(days=9)}


def test_who_is_missing_since_today_is_said_so() -> None:
    assert _how_long(NOW, NOW) == "，从今天的名单起就没有"
    assert _how_long(NOW.astimezone(UTC) - timedelta(days=3), NOW).endswith("已 3 天")
    assert _how_long(None, NOW) == ""


def test_a_problem_that_goes_on_stays_indented() -> None:
    lines = list(_folded("错误:名单没有导入\n  第2行 C列（手机）：" + "不是电话号码，" * 9))
    assert lines[0] == "错误:名单没有导入"
    assert lines[1].startswith("  第2行")
    assert len(lines) > 2
    assert all(line.startswith("    ") for line in lines[2:])
