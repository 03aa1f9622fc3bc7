"""Random lists against a model of what the register says: nobody lost, nobody doubled, nothing twice."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

from actors import enlist
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from callcenter.domain.people import FileStatus
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.hardship.fields import SYNONYMS, Entry, Field
from callcenter.service.hardship.importing import import_entries, read_list
from callcenter.service.hardship.tables import ImportRefused
from scheduler.cadence import SHANGHAI

NOW = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
#: A small world, so that lists collide.
NUMBERS = [f"1380000000{n}" for n in range(6)]
NAMES = ["沈建国", "周秀英", "钱卫东", "孙晓燕"]
STATUSES = [FileStatus.ACTIVE, FileStatus.ACTIVE, FileStatus.WATCH, FileStatus.CLOSED, FileStatus.APPLIED]


@st.composite
def lists(draw: st.DrawFn) -> list[Entry]:
    """Return a list as it comes from the reader: no file, and no open telephone or household, twice."""
    numbers = draw(st.lists(st.integers(0, 7), min_size=1, max_size=5, unique=True))
    phones = draw(st.permutations(NUMBERS))
    homes = draw(st.permutations(["H1", "H2", "H3", None, None, None]))
    return [
        Entry(
            row=n + 2,
            file_no=f"WX-{number}",
            name=draw(st.sampled_from(NAMES)),
            phones=(phones[n],) if draw(st.booleans()) else (),
            grade=draw(st.sampled_from(["深度困难", "相对困难"])),
            status=draw(st.sampled_from(STATUSES)),
            since=date(2026, 9, 1),
            district=draw(st.sampled_from(["梁溪区", "滨湖区", None])),
            consent=draw(st.sampled_from([True, False, None])),
            consent_date=date(2026, 9, draw(st.integers(1, 3))),
            household=homes[n],
        )
        for n, number in enumerate(numbers)
    ]


def state(work: UnitOfWork) -> object:
    people = work.people.all()
    return people, work.people.files(), work.people.consents_of([p.id for p in people])


def check_register(work: UnitOfWork, said: dict[str, Entry]) -> None:
    """Compare with the model: of each file the last list that names it."""
    files = {file.file_no: file for file in work.people.files()}
    assert files.keys() == said.keys(), "nobody lost, nobody made up"
    for file_no, entry in said.items():
        file = files[file_no]
        assert (file.grade, file.status, file.since) == (entry.grade, entry.status, entry.since)
        assert work.people.get(file.person).name is not None
    opened = [file for file in files.values() if file.status is not FileStatus.CLOSED]
    homes = [file.household for file in opened if file.household]
    assert len(homes) == len(set(homes)), "one household, one open file"
    holders = [n for one in {f.person for f in opened} for n in listed(work, one)]
    assert len(holders) == len(set(holders)), "a number of the register stands with one of those in it"
    assert {person.id for person in work.people.all()} >= {file.person for file in files.values()}


def listed(work: UnitOfWork, person: str) -> list[str]:
    return [phone.number for phone in work.people.get(person).phones if phone.listed]


@settings(max_examples=40)
@given(st.lists(lists(), min_size=1, max_size=4))
def test_whatever_lists_come_the_store_says_what_they_said(several: Sequence[list[Entry]]) -> None:
    said: dict[str, Entry] = {}
    with MemoryStore()() as work:
        enlist(work, "k001")
        for days, entries in enumerate(several):
            now, before = NOW + timedelta(days=days), state(work)
            try:
                shown = import_entries(work, entries, actor="k001", now=now, dry_run=True)
            except ImportRefused:
                assert state(work) == before, "all or nothing"
                continue
            assert state(work) == before, "a dry run writes nothing"
            done = import_entries(work, entries, actor="k001", now=now)
            assert done == shown, "what was shown is what is done"
            said |= {entry.file_no: entry for entry in entries}
            check_register(work, said)
            assert {c.file_no for c in done.new} == {e.file_no for e in entries} - files_in(before)
            after = state(work)
            again = import_entries(work, entries, actor="k001", now=now)
            assert (again.new, again.changed, again.unchanged) == ((), (), len(entries))
            assert state(work) == after


def files_in(before: object) -> set[str]:
    _, files, _ = before  # type: ignore[misc]
    return {file.file_no for file in files}


# --- how it is written does not matter -------------------------------------------------------

CELLS = {
    Field.FILE_NO: "WX-001",
    Field.NAME: "沈建国",
    Field.PHONE: "13800001111、051082700000",
    Field.GRADE: "深度困难",
    Field.STATUS: "在档",
    Field.SINCE: "2026-09-01",
    Field.DISTRICT: "梁溪区",
    Field.UNION_UNIT: "无锡第一棉纺织厂工会",
    Field.LIAISON: "顾卫东",
    Field.CONSENT: "是",
    Field.CONSENT_DATE: "2026年9月1日",
    Field.BIRTH_MONTH: "12",
    Field.BIRTH_YEAR: "1949",
    Field.ID_NUMBER: "11010519491231002X",
    Field.NO_IVR: "否",
    Field.SPEAKS: "无锡话",
    Field.HOUSEHOLD: "H-7",
    Field.NOTICE_FROM: "2026-08-03",
    Field.NOTICE_TO: "2026-08-10",
    Field.EXIT_REASON: "",
    Field.REVIEW_DUE: "2027-09-01",
    Field.CONSENT_VERSION: "consent-2026-05",
    Field.CONSENT_EVIDENCE: "XY-17",
}


def test_every_field_is_written_in_some_cell() -> None:
    assert set(CELLS) == set(Field)


def entry_of(columns: Sequence[tuple[str, str]], encoding: str) -> Entry:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "list.csv"
        lines = [",".join(head for head, _ in columns), ",".join(cell for _, cell in columns)]
        file.write_bytes("\n".join(lines).encode(encoding))
        return read_list(file, {}, NOW)[1][0]


PLAIN = entry_of([(SYNONYMS[name][0], cell) for name, cell in CELLS.items()], "utf-8")


@settings(max_examples=40)
@given(
    st.permutations(list(CELLS.items())),
    st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]),
    st.data(),
)
def test_no_order_of_columns_no_synonym_and_no_encoding_changes_what_is_read(
    cells: list[tuple[Field, str]], encoding: str, data: st.DataObject
) -> None:
    heads = [data.draw(st.sampled_from(SYNONYMS[name]), label=name) for name, _ in cells]
    assume(len(set(heads)) == len(heads))
    columns = [(head, cell) for head, (_, cell) in zip(heads, cells, strict=True)]
    assert entry_of(columns, encoding) == replace(PLAIN, row=2)
