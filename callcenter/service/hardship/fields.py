"""From the rows of a list to one entry per worker. Every complaint names row and column."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

from callcenter.domain.numbers import normalise
from callcenter.domain.people import ExitReason, FileStatus, Grade, Speech
from callcenter.service.hardship import cells
from callcenter.service.hardship.columns import (
    REQUIRED,
    SYNONYMS,
    Columns,
    Field,
    find_columns,
    parse_mapping,
)
from callcenter.service.hardship.tables import Cell, ImportRefused, Problem, Row, refused

__all__ = ["SYNONYMS", "Columns", "Entry", "Field", "find_columns", "parse_mapping", "understand"]

#: A list of nothing but mistakes is the wrong list: so many are told.
MOST_PROBLEMS = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One worker's line, understood. None: the list says nothing of it."""

    row: int
    file_no: str
    name: str = field(repr=False)
    phones: tuple[str, ...] = field(default=(), repr=False)
    grade: str
    #: None: nothing is said of it (`callcenter.service.hardship.stated.settled`).
    status: FileStatus | None
    since: date
    district: str | None = None
    union_unit: str | None = None
    liaison: str | None = field(default=None, repr=False)
    consent: bool | None = None
    consent_date: date | None = None
    consent_version: str = ""
    consent_evidence: str = ""
    birth_month: int | None = field(default=None, repr=False)
    birth_year: int | None = field(default=None, repr=False)
    #: Until it is made a keyed mark of, and no longer.
    identity: str | None = field(default=None, repr=False)
    no_ivr: bool | None = None
    speaks: Speech | None = None
    household: str | None = field(default=None, repr=False)
    notice_from: date | None = None
    notice_to: date | None = None
    review_due: date | None = None
    exit_reason: ExitReason | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether its file is, or is to be, in the register."""
        return self.status is not FileStatus.CLOSED


def understand(
    rows: Iterable[Row],
    mapping: Mapping[str, Field],
    today: date,
    *,
    grades: Collection[str] = tuple(Grade),
    profile: str = "",
) -> tuple[Columns, list[Entry]]:
    """Return the columns and every worker's entry, or raise `ImportRefused` with *all* problems.

    `grades`: the site's; `profile`: under which name the mapping was saved.
    """
    columns, body = find_columns(rows, mapping, profile)
    problems: list[Problem] = []
    entries: list[Entry] = []
    reader = _Reader(columns, today, cells.grade_words(grades), problems)
    for row in body:
        entry = reader.entry(row)
        if entry is not None:
            entries.append(entry)
        if len(problems) > MOST_PROBLEMS:
            raise ImportRefused(problems)
    problems += _duplicates(entries, columns)
    if problems:
        raise ImportRefused(problems)
    if not entries:
        raise refused("标题行下面没有任何职工。")
    return columns, entries


def _duplicates(entries: Sequence[Entry], columns: Columns) -> list[Problem]:
    """Find what stands twice. What is left by a file that is leaving may stand with the next one."""
    problems: list[Problem] = []
    seen: dict[tuple[Field, str], Entry] = {}
    for entry in entries:
        for key in _keys(entry):
            first = seen.setdefault(key, entry)
            if first is entry:
                continue
            if key[0] is Field.FILE_NO or (first.is_open and entry.is_open):
                message = f"{_ONCE[key[0]]}与第{first.row}行相同"
                column = columns.name(columns.of[key[0]][0])
                problems.append(Problem(row=entry.row, column=column, message=message))
            elif entry.is_open:
                seen[key] = entry
    return problems


#: What stands once in a list, and what it is called.
_ONCE = {
    Field.FILE_NO: "档案编号",
    Field.PHONE: "电话号码",
    Field.ID_NUMBER: "身份证号",
    Field.HOUSEHOLD: "户号（一户一档）",
}


def _keys(entry: Entry) -> list[tuple[Field, str]]:
    keys = [(Field.FILE_NO, cells.folded(entry.file_no)), *((Field.PHONE, number) for number in entry.phones)]
    if entry.identity is not None:
        keys.append((Field.ID_NUMBER, entry.identity))
    if entry.household is not None:
        keys.append((Field.HOUSEHOLD, cells.folded(entry.household)))
    return keys


class _Reader:
    """Reads row by row, collecting every problem. What stands in many rows is understood once."""

    def __init__(
        self, columns: Columns, today: date, grades: Mapping[str, str], problems: list[Problem]
    ) -> None:
        self._columns, self._problems = columns, problems
        self._row = Row(number=0, cells=())
        self._parse = _parsers(today, grades)
        self._understood: dict[tuple[Field, str, date | None, bool], object] = {}
        self._phone_places = frozenset(columns.of.get(Field.PHONE, ()))

    def entry(self, row: Row) -> Entry | None:
        """Return a row's entry, or None after noting what is wrong with it."""
        self._row, before = row, len(self._problems)
        self._refuse_formulas()
        if len(self._problems) > before:
            return None
        one = self._one
        file_no, name = one(Field.FILE_NO), one(Field.NAME)
        grade, since, status = one(Field.GRADE), one(Field.SINCE), one(Field.STATUS)
        consent, consent_date = self._consent()
        phones = self._phones()
        identity, year, month = self._birth()
        notice_from, notice_to = self._notice()
        no_ivr, speaks, exit_reason = one(Field.NO_IVR), one(Field.SPEAKS), one(Field.EXIT_REASON)
        review_due, household = one(Field.REVIEW_DUE), one(Field.HOUSEHOLD)
        version, evidence = one(Field.CONSENT_VERSION) or "", one(Field.CONSENT_EVIDENCE) or ""
        district, union_unit, liaison = map(self._text, (Field.DISTRICT, Field.UNION_UNIT, Field.LIAISON))
        if len(self._problems) > before or not (file_no and name and grade and since):
            return None
        return Entry(
            row=self._row.number,
            file_no=file_no,
            name=name,
            phones=phones,
            grade=grade,
            status=status,
            since=since,
            district=district,
            union_unit=union_unit,
            liaison=liaison,
            consent=consent,
            consent_date=consent_date,
            consent_version=version,
            consent_evidence=evidence,
            birth_month=month,
            birth_year=year,
            identity=identity,
            no_ivr=no_ivr,
            speaks=speaks,
            household=household,
            notice_from=notice_from,
            notice_to=notice_to,
            review_due=review_due,
            exit_reason=exit_reason,
        )

    def _refuse_formulas(self) -> None:
        for index, cell in enumerate(self._row.cells):
            if cell.too_long:
                self._note(index, "内容太长")
            # +86… is how phones are written, and is a number, not a sum.
            elif cell.looks_like_formula and not (index in self._phone_places and cells.is_number(cell.text)):
                self._note(index, "是公式或以 = + - @ 开头。请改成文字或数值后再导入")

    def _one(self, wanted: Field) -> Any:
        """Return what stands in a field; None if nothing does, or after noting what is wrong with it."""
        places = self._columns.of.get(wanted)
        if places is None:
            return None
        cell = self._cell(places[0])
        key = (wanted, cell.text, cell.day, cell.fraction)
        if key in self._understood:
            return self._understood[key]
        if cell.is_empty:
            if wanted in REQUIRED:
                self._note(places[0], "不能空着")
            return None
        try:
            found = self._parse[wanted](cell)
        except cells.Bad as bad:
            self._note(places[0], str(bad))
            return None
        if wanted in _REPEATED and len(self._understood) < _REMEMBERED:
            self._understood[key] = found
        return found

    def _text(self, wanted: Field) -> str | None:
        """Return a text; of a list that has no such column None, and of an empty cell nothing."""
        return (self._one(wanted) or "") if wanted in self._columns.of else None

    def _phones(self) -> tuple[str, ...]:
        found: list[str] = []
        for index in self._columns.of.get(Field.PHONE, ()):
            for part in cells.parts(self._cell(index).text):
                number = normalise(part)
                if number is not None and 7 <= len(number) <= 15:
                    found.append(number)
                else:
                    self._note(index, "不是电话号码（7 至 15 位数字，几个号码用顿号隔开）")
        return tuple(dict.fromkeys(found))

    def _consent(self) -> tuple[bool | None, date | None]:
        consent, day = self._one(Field.CONSENT), self._one(Field.CONSENT_DATE)
        if consent and day is None:
            index = next(iter(self._columns.of.get(Field.CONSENT_DATE, self._columns.of[Field.CONSENT])))
            self._note(index, "同意自动回访的，要有同意日期")
        return consent, day

    def _birth(self) -> tuple[str | None, int | None, int | None]:
        """Return identity number, and year and month of birth, as stated or else by that number."""
        number, *born = self._one(Field.ID_NUMBER) or (None, None, None)
        return number, self._one(Field.BIRTH_YEAR) or born[0], self._one(Field.BIRTH_MONTH) or born[1]

    def _notice(self) -> tuple[date | None, date | None]:
        first, last = self._one(Field.NOTICE_FROM) or (None, None)
        last = self._one(Field.NOTICE_TO) or last
        if first is not None and last is not None and last < first:
            places = self._columns.of.get(Field.NOTICE_TO) or self._columns.of[Field.NOTICE_FROM]
            self._note(places[0], "公示的结束早于开始")
        return first, last

    def _cell(self, index: int) -> Cell:
        return self._row.cells[index] if index < len(self._row.cells) else Cell()

    def _note(self, index: int, message: str) -> None:
        self._problems.append(
            Problem(row=self._row.number, column=self._columns.name(index), message=message)
        )


#: Fields of which many rows say the same, and how many of their texts are remembered.
_REPEATED = frozenset(Field) - {
    *(Field.FILE_NO, Field.NAME, Field.PHONE, Field.ID_NUMBER, Field.HOUSEHOLD, Field.CONSENT_EVIDENCE)
}
_REMEMBERED = 20_000


def _parsers(today: date, grades: Mapping[str, str]) -> Mapping[Field, Callable[[Cell], object]]:
    """Return how the cell of each field is read; telephones may stand in several and are read apart."""
    past, near = partial(cells.past_day, today=today), partial(cells.near_day, today=today)
    return {
        Field.FILE_NO: cells.file_no,
        Field.NAME: cells.name,
        Field.GRADE: partial(cells.choice, words=grades),
        Field.STATUS: partial(cells.choice, words=cells.STATUS_WORDS),
        Field.SINCE: past,
        Field.DISTRICT: cells.short_text,
        Field.UNION_UNIT: cells.short_text,
        Field.LIAISON: cells.short_text,
        Field.CONSENT: cells.yes_no,
        Field.CONSENT_DATE: past,
        Field.BIRTH_MONTH: cells.month,
        Field.BIRTH_YEAR: partial(cells.year, today=today),
        Field.ID_NUMBER: cells.identity,
        Field.NO_IVR: cells.yes_no,
        Field.SPEAKS: partial(cells.choice, words=cells.SPEECH_WORDS),
        Field.HOUSEHOLD: cells.household,
        Field.NOTICE_FROM: partial(cells.span, today=today),
        Field.NOTICE_TO: near,
        Field.EXIT_REASON: partial(cells.choice, words=cells.EXIT_WORDS),
        Field.REVIEW_DUE: near,
        Field.CONSENT_VERSION: cells.paper,
        Field.CONSENT_EVIDENCE: cells.paper,
    }
