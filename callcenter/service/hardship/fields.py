"""From the rows of a list to one entry per worker. Every complaint names row and column."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import TypeVar

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

T = TypeVar("T")
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
    status: FileStatus
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
    words = cells.grade_words(grades)
    for row in body:
        entry = _Reader(columns, row, today, words, problems).entry()
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
    keys = [(Field.FILE_NO, entry.file_no), *((Field.PHONE, number) for number in entry.phones)]
    if entry.identity is not None:
        keys.append((Field.ID_NUMBER, entry.identity))
    if entry.household is not None:
        keys.append((Field.HOUSEHOLD, entry.household))
    return keys


class _Reader:
    """Reads one row, collecting every problem in it."""

    def __init__(
        self,
        columns: Columns,
        row: Row,
        today: date,
        grades: Mapping[str, str],
        problems: list[Problem],
    ) -> None:
        self._columns, self._row, self._today, self._problems = columns, row, today, problems
        self._grades = grades

    def entry(self) -> Entry | None:
        """Return the entry, or None after noting what is wrong with it."""
        before = len(self._problems)
        self._refuse_formulas()
        if len(self._problems) > before:
            return None
        file_no = self._one(Field.FILE_NO, cells.file_no)
        name = self._one(Field.NAME, cells.name)
        grade = self._one(Field.GRADE, partial(cells.choice, words=self._grades))
        since = self._one(Field.SINCE, self._past)
        status = self._one(Field.STATUS, partial(cells.choice, words=cells.STATUS_WORDS))
        consent, consent_date = self._consent()
        phones = self._phones()
        identity, year, month = self._birth()
        notice_from, notice_to = self._notice()
        no_ivr = self._one(Field.NO_IVR, cells.yes_no)
        speaks = self._one(Field.SPEAKS, partial(cells.choice, words=cells.SPEECH_WORDS))
        exit_reason = self._one(Field.EXIT_REASON, partial(cells.choice, words=cells.EXIT_WORDS))
        review_due = self._one(Field.REVIEW_DUE, partial(cells.near_day, today=self._today))
        household = self._one(Field.HOUSEHOLD, cells.household)
        version, evidence = self._paper()
        district, union_unit, liaison = map(self._text, (Field.DISTRICT, Field.UNION_UNIT, Field.LIAISON))
        if len(self._problems) > before or not (file_no and name and grade and since):
            return None
        return Entry(
            row=self._row.number,
            file_no=file_no,
            name=name,
            phones=phones,
            grade=grade,
            status=status or (FileStatus.WATCH if grade == Grade.WATCH else FileStatus.ACTIVE),
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
        phones = self._columns.of.get(Field.PHONE, ())
        for index, cell in enumerate(self._row.cells):
            if cell.too_long:
                self._note(index, "内容太长")
            # +86… is how phones are written, and is a number, not a sum.
            elif cell.looks_like_formula and not (index in phones and cells.is_number(cell.text)):
                self._note(index, "是公式或以 = + - @ 开头。请改成文字或数值后再导入")

    def _one(self, wanted: Field, parse: Callable[[Cell], T]) -> T | None:
        places = self._columns.of.get(wanted)
        if not places:
            return None
        cell = self._cell(places[0])
        if cell.is_empty:
            if wanted in REQUIRED:
                self._note(places[0], "不能空着")
            return None
        try:
            return parse(cell)
        except cells.Bad as bad:
            self._note(places[0], str(bad))
            return None

    def _text(self, wanted: Field) -> str | None:
        """Return a text; of a list that has no such column None, and of an empty cell nothing."""
        return (self._one(wanted, cells.short_text) or "") if wanted in self._columns.of else None

    def _past(self, cell: Cell) -> date:
        return cells.past_day(cell, self._today)

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
        consent = self._one(Field.CONSENT, cells.yes_no)
        day = self._one(Field.CONSENT_DATE, self._past)
        if consent and day is None:
            index = next(iter(self._columns.of.get(Field.CONSENT_DATE, self._columns.of[Field.CONSENT])))
            self._note(index, "同意自动回访的，要有同意日期")
        return consent, day

    def _paper(self) -> tuple[str, str]:
        """Return which wording was signed, and the paper's number."""
        version = self._one(Field.CONSENT_VERSION, cells.paper)
        return version or "", self._one(Field.CONSENT_EVIDENCE, cells.paper) or ""

    def _birth(self) -> tuple[str | None, int | None, int | None]:
        """Return identity number, and year and month of birth, as stated or else by that number."""
        number, *born = self._one(Field.ID_NUMBER, cells.identity) or (None, None, None)
        year = self._one(Field.BIRTH_YEAR, partial(cells.year, today=self._today))
        return number, year or born[0], self._one(Field.BIRTH_MONTH, cells.month) or born[1]

    def _notice(self) -> tuple[date | None, date | None]:
        first, last = self._one(Field.NOTICE_FROM, partial(cells.span, today=self._today)) or (None, None)
        last = self._one(Field.NOTICE_TO, partial(cells.near_day, today=self._today)) or last
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
