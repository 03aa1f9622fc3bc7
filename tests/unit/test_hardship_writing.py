"""What a list of hardship workers changes, and what it never does."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hardship_lists import HEAD, NOW, SHEN, ZHOU, a_store, bring, read, write

from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    Person,
    Phone,
    PhoneStatus,
    Suppression,
    SuppressionKind,
)
from callcenter.memory import MemoryUnit
from callcenter.service.followup.debts import has_ivr_consent, sweep
from callcenter.service.hardship.importing import read_list
from callcenter.service.hardship.tables import ImportRefused
from scheduler.cadence import SHANGHAI

__all__ = ["a_store"]


def test_a_first_import_adds_people_files_consents_and_debts(work: MemoryUnit, tmp_path: Path) -> None:
    diff = bring(work, read(tmp_path, HEAD, SHEN, ZHOU))
    assert ([c.file_no for c in diff.new], diff.changed, diff.unchanged) == (["WX-001", "WX-002"], (), 0)
    assert len(sweep(work, NOW).opened) == 2
    consents = [has_ivr_consent(work, f.person, NOW) for f in work.people.files()]
    assert consents == [True, False]
    assert {e.actor for e in work.audit.recent(9) if e.verb == "hardship.add"} == {"k001"}


def test_the_same_list_again_changes_nothing(work: MemoryUnit, tmp_path: Path) -> None:
    entries = read(tmp_path, HEAD, SHEN, ZHOU)
    bring(work, entries)
    before = (work.people.files(), len(work.audit.recent(99)), len(work.people.consents("x")))
    diff = bring(work, entries, at=NOW + timedelta(days=1))
    assert (diff.new, diff.changed, diff.unchanged) == ((), (), 2)
    assert (work.people.files(), len(work.audit.recent(99)), len(work.people.consents("x"))) == before


def test_a_dry_run_writes_nothing_and_says_the_same(work: MemoryUnit, tmp_path: Path) -> None:
    entries = read(tmp_path, HEAD, SHEN, ZHOU)
    tried = bring(work, entries, dry_run=True)
    assert work.people.files() == []
    done = bring(work, entries)
    assert [c.file_no for c in tried.new] == [c.file_no for c in done.new]


def test_the_diff_names_what_changes_masked(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD, SHEN, ZHOU))
    moved = (
        SHEN.replace("深度困难", "相对困难").replace("13800001111", "13700007777").replace("沈建国", "沈建军")
    )
    change = bring(work, read(tmp_path, HEAD, moved, ZHOU)).changed[0]
    assert dict((what, (a, b)) for what, a, b in change.fields) == {
        "姓名": ("沈**", "沈**"),
        "电话": ("138****1111", "137****7777"),
        "困难类别": ("深度困难", "相对困难"),
    }


def test_who_is_missing_from_a_new_list_is_shown_and_not_dropped(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD, SHEN, ZHOU))
    diff = bring(work, read(tmp_path, HEAD, SHEN))
    assert diff.missing == ("WX-002",)
    assert [f.status for f in work.people.files()] == [FileStatus.ACTIVE, FileStatus.ACTIVE]


def test_columns_nobody_reads_are_named(tmp_path: Path) -> None:
    columns, _ = read_list(write(tmp_path, HEAD + ",家庭人口,月收入", SHEN + ",3,1200"), {}, NOW)
    assert columns.unused == ("家庭人口", "月收入")


def test_r32_an_opt_out_survives_every_import(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD, SHEN))
    person = work.people.files()[0].person
    work.people.add_suppression(
        Suppression(person=person, kind=SuppressionKind.AUTOMATION, at=NOW, reason="key 9")
    )
    bring(work, read(tmp_path, HEAD, SHEN.replace("梁溪区", "新吴区")))
    assert len(work.people.suppressions(person)) == 1


def test_r32_an_older_list_does_not_grant_a_withdrawn_consent_again(work: MemoryUnit, tmp_path: Path) -> None:
    entries = read(tmp_path, HEAD, SHEN)
    bring(work, entries)
    person = work.people.files()[0].person
    withdrawn = Consent(
        person=person, kind=ConsentKind.IVR_CHECKIN, granted=False, at=NOW, channel="counsellor"
    )
    work.people.add_consent(withdrawn)
    diff = bring(work, entries, at=NOW + timedelta(days=1))
    assert not has_ivr_consent(work, person, NOW)
    assert diff.changed == (), "that they said otherwise on the line is not the clerk's to learn (R39)"
    bring(work, read(tmp_path, HEAD, SHEN.replace("是,2026-09-01", "否,")), at=NOW - timedelta(days=30))
    bring(work, entries, at=NOW + timedelta(days=2))
    assert not has_ivr_consent(work, person, NOW)


def test_a_consent_given_anew_after_a_withdrawal_counts(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD, SHEN.replace("是,2026-09-01", "否,")))
    person = work.people.files()[0].person
    for granted, day in ((True, 2), (False, 3)):
        at = datetime(2026, 9, day, tzinfo=SHANGHAI)
        work.people.add_consent(
            Consent(person=person, kind=ConsentKind.IVR_CHECKIN, granted=granted, at=at, channel="paper")
        )
    bring(work, read(tmp_path, HEAD, SHEN.replace("是,2026-09-01", "是,2026-10-01")))
    assert has_ivr_consent(work, person, NOW)


def test_r33_a_number_found_wrong_stays_wrong_through_an_import(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD, SHEN))
    person = work.people.files()[0].person
    work.people.set_phone_status("13800001111", PhoneStatus.WRONG)
    bring(work, read(tmp_path, HEAD, SHEN.replace("13800001111", "13700007777")))
    bring(work, read(tmp_path, HEAD, SHEN))
    phones = {p.number: p.status for p in work.people.get(person).phones}
    assert phones["13800001111"] is PhoneStatus.WRONG


def test_r33_a_number_quarantined_at_somebody_else_is_quarantined_here_too(
    work: MemoryUnit, tmp_path: Path
) -> None:
    refused = Phone(number="13800001111", status=PhoneStatus.QUARANTINED)
    work.people.add(Person(id="p9", code="P-9", name="沈老太", phones=(refused,)))
    bring(work, read(tmp_path, HEAD, SHEN))
    person = work.people.get(work.people.files()[0].person)
    assert person.id != "p9"
    assert [p.status for p in person.phones] == [PhoneStatus.QUARANTINED]


def test_a_caller_we_promised_something_becomes_the_worker_of_the_same_number(
    work: MemoryUnit, tmp_path: Path
) -> None:
    work.people.add(Person(id="p9", code="P-9", phones=(Phone(number="13800001111"),)))
    bring(work, read(tmp_path, HEAD, SHEN))
    assert work.people.files()[0].person == "p9"
    assert work.people.get("p9").name == "沈建国"


def test_a_number_of_another_open_file_refuses_the_whole_list(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD, SHEN))
    clash = read(tmp_path, HEAD, ZHOU.replace("13900002222", "13800001111"))
    with pytest.raises(ImportRefused, match="WX-001"):
        bring(work, clash)
    assert [f.file_no for f in work.people.files()] == ["WX-001"]


def test_a_file_renumbered_in_the_same_list_is_no_clash(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD, SHEN))
    head = HEAD + ",档案状态"
    old = SHEN.replace("13800001111", "") + ",退档"
    new = SHEN.replace("WX-001", "WX-101") + ",在档"
    bring(work, read(tmp_path, head, old, new))
    files = {f.file_no: f for f in work.people.files()}
    assert files["WX-001"].status is FileStatus.CLOSED
    assert files["WX-001"].person == files["WX-101"].person
    sweep(work, NOW)
    assert len(work.debts.open()) == 1


def test_a_list_without_numbers_does_not_take_numbers_away(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD, SHEN))
    bring(work, read(tmp_path, "档案编号,姓名,困难类别,建档日期", "WX-001,沈建国,深度困难,2026-09-01"))
    [phone] = work.people.get(work.people.files()[0].person).phones
    assert (phone.number, phone.listed) == ("13800001111", True)


def test_r32_who_is_marked_for_humans_only_stays_so_whatever_lists_say(
    work: MemoryUnit, tmp_path: Path
) -> None:
    bring(work, read(tmp_path, HEAD + ",仅人工联系", SHEN + ",是"))
    bring(work, read(tmp_path, HEAD, SHEN))
    person = work.people.get(work.people.files()[0].person)
    assert person.no_ivr
    diff = bring(work, read(tmp_path, HEAD + ",仅人工联系", SHEN + ",否"))
    assert work.people.get(person.id).no_ivr, "it may be their own word as well"
    assert diff.changed == (), "and the clerk is not told (R39)"


def test_age_and_language_stay_until_a_list_says_otherwise(work: MemoryUnit, tmp_path: Path) -> None:
    bring(work, read(tmp_path, HEAD + ",出生年份,语言", SHEN + ",1955,无锡话"))
    bring(work, read(tmp_path, HEAD, SHEN))
    person = work.people.get(work.people.files()[0].person)
    assert (person.birth_year, person.speaks) == (1955, "zh_wx")
    diff = bring(work, read(tmp_path, HEAD + ",语言", SHEN + ",普通话"))
    assert diff.changed[0].fields == (("语言", "无锡话", "普通话"),)
    assert work.people.get(person.id).speaks == ""
