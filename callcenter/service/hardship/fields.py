"""Which column means what, and what a cell may hold. Every complaint names row and column."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TypeVar

from callcenter.domain.identity import born, names_somebody
from callcenter.domain.numbers import normalise
from callcenter.domain.people import FileStatus, Grade, Speech
from callcenter.errors import Refused
from callcenter.service.hardship.tables import (
    HEADING_WITHIN,
    Cell,
    ImportRefused,
    Problem,
    Row,
    column_name,
    refused,
)

T = TypeVar("T")


class Field(StrEnum):
    """What an import understands."""

    FILE_NO = "file_no"
    NAME = "name"
    PHONE = "phone"
    GRADE = "grade"
    STATUS = "status"
    SINCE = "since"
    DISTRICT = "district"
    UNION_UNIT = "union_unit"
    LIAISON = "liaison"
    CONSENT = "consent"
    CONSENT_DATE = "consent_date"
    BIRTH_MONTH = "birth_month"
    BIRTH_YEAR = "birth_year"
    #: Read for year and month of birth only, and never kept.
    ID_NUMBER = "id_number"
    NO_IVR = "no_ivr"
    SPEAKS = "speaks"


#: Headings seen in the field. Blanks, brackets and case do not count.
SYNONYMS: Mapping[Field, tuple[str, ...]] = {
    Field.FILE_NO: (
        "档案编号",
        "档案号",
        "困难职工档案号",
        "困难职工档案编号",
        "建档编号",
        "编号",
        "file_no",
    ),
    Field.NAME: ("姓名", "职工姓名", "困难职工姓名", "户主", "户主姓名", "name"),
    Field.PHONE: (
        *("手机", "手机号", "手机号码", "联系电话", "电话", "联系方式", "电话号码", "本人电话", "本人手机"),
        *("备用电话", "第二电话", "联系电话1", "联系电话2", "phone"),
    ),
    Field.GRADE: ("困难类别", "困难等级", "困难类型", "困难程度", "类别", "等级", "grade"),
    Field.STATUS: ("档案状态", "状态", "在档状态", "建档状态", "status"),
    Field.SINCE: (
        *("建档日期", "建档时间", "认定日期", "认定时间", "起始日期", "入档日期", "入档时间", "类别起始日期"),
        "since",
    ),
    Field.DISTRICT: ("区县", "所属区县", "所在区", "地区", "区域", "行政区", "district"),
    Field.UNION_UNIT: (
        "所属工会",
        "工会",
        "工会名称",
        "基层工会",
        "工作单位",
        "单位",
        "单位名称",
        "union_unit",
    ),
    Field.LIAISON: ("联系人", "帮扶联系人", "帮扶责任人", "帮扶联系责任人", "结对人", "liaison"),
    Field.CONSENT: (
        "是否同意自动回访",
        "同意自动回访",
        "自动回访同意",
        "同意回访",
        "是否同意",
        "同意",
        "consent",
    ),
    Field.CONSENT_DATE: ("同意日期", "同意时间", "授权日期", "签署日期", "同意书日期", "consent_date"),
    Field.BIRTH_MONTH: ("出生月份", "生日月份", "出生月", "birth_month"),
    Field.BIRTH_YEAR: ("出生年份", "出生年", "birth_year"),
    Field.ID_NUMBER: ("身份证号", "身份证号码", "身份证", "公民身份号码", "证件号码", "id_number"),
    Field.NO_IVR: ("不用自动电话", "不接自动电话", "免自动回访", "仅人工", "仅人工联系", "no_ivr"),
    Field.SPEAKS: ("语言", "方言", "常用语言", "沟通语言", "speaks"),
}
#: A list that has both 所属工会 and 工作单位 is no riddle.
_BEST_HEADING_WINS = frozenset({Field.DISTRICT, Field.UNION_UNIT, Field.LIAISON})
REQUIRED = (Field.FILE_NO, Field.NAME, Field.GRADE, Field.SINCE)

_GRADES = {
    **{"深度困难": Grade.DEEP, "深度": Grade.DEEP, "深度困难职工": Grade.DEEP},
    **{"相对困难": Grade.RELATIVE, "相对": Grade.RELATIVE, "相对困难职工": Grade.RELATIVE},
    **{"意外致困": Grade.ACCIDENT, "意外": Grade.ACCIDENT, "意外致困职工": Grade.ACCIDENT},
    **{"脱困观察": Grade.WATCH, "脱困": Grade.WATCH, "脱困观察期": Grade.WATCH},
}
_STATUSES = {
    **{"在档": FileStatus.ACTIVE, "有效": FileStatus.ACTIVE, "已建档": FileStatus.ACTIVE},
    **{"脱困观察期": FileStatus.WATCH, "脱困观察": FileStatus.WATCH, "观察期": FileStatus.WATCH},
    **{"退档": FileStatus.CLOSED, "已退档": FileStatus.CLOSED, "注销": FileStatus.CLOSED},
}
_SPEECH: dict[str, Speech] = {
    **dict.fromkeys(("普通话", "国语", "汉语"), ""),
    **dict.fromkeys(("无锡话", "无锡方言", "吴语", "方言", "zh_wx"), "zh_wx"),
}
_YES = frozenset({"是", "同意", "已同意", "有", "y", "yes", "1", "true", "√"})
_NO = frozenset({"否", "不同意", "未同意", "没有", "n", "no", "0", "false", "×"})
_FILE_NO = re.compile(
    r"[0-9A-Za-z\u4e00-\u9fff][0-9A-Za-z\u4e00-\u9fff()\uff08\uff09\u3014\u3015\[\]._/-]{0,63}"
)
_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})(?:\s*[-/.月]\s*(\d{1,2})?\s*日?)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One worker's line, understood."""

    row: int
    file_no: str
    name: str = field(repr=False)
    phones: tuple[str, ...] = field(default=(), repr=False)
    grade: Grade
    status: FileStatus
    since: date
    district: str = ""
    union_unit: str = ""
    liaison: str = field(default="", repr=False)
    #: None: the list says nothing.
    consent: bool | None = None
    consent_date: date | None = None
    birth_month: int | None = field(default=None, repr=False)
    birth_year: int | None = field(default=None, repr=False)
    no_ivr: bool | None = None
    #: None: the list says nothing.
    speaks: Speech | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """Which columns hold which field, and what is left over."""

    heading_row: int
    of: Mapping[Field, tuple[int, ...]]
    headings: tuple[str, ...]
    unused: tuple[str, ...]

    def name(self, index: int) -> str:
        """Return a column as people find it."""
        return column_name(index, self.headings[index] if index < len(self.headings) else "")


def parse_mapping(pairs: Sequence[str]) -> dict[str, Field]:
    """Return heading -> field from `列=字段` options; raise `Refused` for an unknown field."""
    known = "、".join(Field)
    found: dict[str, Field] = {}
    for pair in pairs:
        heading, _, name = pair.rpartition("=")
        if not heading.strip() or name.strip() not in set(Field):
            raise Refused(f"--map {pair}：要写成 列名=字段，字段是下列之一：{known}。")
        found[_plain(heading)] = Field(name.strip())
    return found


def understand(rows: Sequence[Row], mapping: Mapping[str, Field], today: date) -> tuple[Columns, list[Entry]]:
    """Return the columns and every worker's entry, or raise `ImportRefused` with *all* problems."""
    columns, body = find_columns(rows, mapping)
    problems: list[Problem] = []
    entries = [e for row in body if (e := _Reader(columns, row, today, problems).entry()) is not None]
    problems += _duplicates(entries, columns)
    if problems:
        raise ImportRefused(problems)
    if not entries:
        raise refused("标题行下面没有任何职工。")
    return columns, entries


def find_columns(rows: Sequence[Row], mapping: Mapping[str, Field]) -> tuple[Columns, Sequence[Row]]:
    """Return the columns and the rows below the heading; title lines above it are passed over."""
    known = _known(mapping)
    best = max(rows[:HEADING_WITHIN], key=lambda r: _score(r, known), default=None)
    if best is None or _score(best, known) == 0:
        raise refused("找不到标题行（姓名、档案编号……）。请确认第一张工作表是名单。")
    headings = tuple(cell.text for cell in best.cells)
    _check_mapped(mapping, headings)
    fields = [known.get(_plain(h)) if h else None for h in headings]
    of = {f: _chosen(f, fields, headings) for f in Field if f in fields}
    used = {i for places in of.values() for i in places}
    unused = tuple(h for i, h in enumerate(headings) if h and i not in used)
    columns = Columns(heading_row=best.number, of=of, headings=headings, unused=unused)
    _check_headings(columns)
    return columns, [row for row in rows if row.number > best.number]


def _plain(heading: str) -> str:
    text = re.sub(r"[(\uff08].*?[)\uff09]", "", heading)
    return re.sub(r"[\s*:\uff1a_]", "", text or heading).lower()


def _known(mapping: Mapping[str, Field]) -> dict[str, Field]:
    """Return heading -> field; a field somebody mapped by hand is found under no other heading."""
    by_hand = set(mapping.values()) - {Field.PHONE}
    words = {_plain(w): f for f, words in SYNONYMS.items() if f not in by_hand for w in words}
    return words | dict(mapping)


def _chosen(wanted: Field, fields: Sequence[Field | None], headings: Sequence[str]) -> tuple[int, ...]:
    """Return the columns of a field; of several texts the most telling heading, in `SYNONYMS`' order."""
    places = tuple(i for i, found in enumerate(fields) if found is wanted)
    if wanted not in _BEST_HEADING_WINS or len(places) < 2:
        return places
    order = [_plain(word) for word in SYNONYMS[wanted]]
    ranks = {i: order.index(p) if (p := _plain(headings[i])) in order else -1 for i in places}
    return (min(places, key=lambda i: ranks[i]),)


def _score(row: Row, known: Mapping[str, Field]) -> int:
    return len({known[p] for cell in row.cells if (p := _plain(cell.text)) in known})


def _check_mapped(mapping: Mapping[str, Field], headings: Sequence[str]) -> None:
    there = {_plain(h) for h in headings}
    missing = [heading for heading in mapping if heading not in there]
    if missing:
        raise refused(f"--map 里的列不在标题行：{'、'.join(missing)}。")


def _check_headings(columns: Columns) -> None:
    missing = [SYNONYMS[f][0] for f in REQUIRED if f not in columns.of]
    if missing:
        seen = "、".join(h for h in columns.headings if h)[:300]
        raise refused(
            f"标题行（第{columns.heading_row}行）缺少：{'、'.join(missing)}。"
            f"现有的列：{seen}。若只是叫法不同，用 --map 列名=字段 指明。"
        )
    twice = [f for f, places in columns.of.items() if len(places) > 1 and f is not Field.PHONE]
    if twice:
        names = ";".join("、".join(columns.name(i) for i in columns.of[f]) for f in twice)
        raise refused(f"这些列意思相同，不知道用哪一列：{names}。请删去或改名。")


def _duplicates(entries: Sequence[Entry], columns: Columns) -> list[Problem]:
    problems: list[Problem] = []
    seen: dict[tuple[Field, str], int] = {}
    for entry in entries:
        keys = [(Field.FILE_NO, entry.file_no), *((Field.PHONE, p) for p in entry.phones)]
        for key in keys:
            first = seen.setdefault(key, entry.row)
            if first != entry.row:
                word = "档案编号" if key[0] is Field.FILE_NO else "电话号码"
                column = columns.name(columns.of[key[0]][0])
                problems.append(Problem(row=entry.row, column=column, message=f"{word}与第{first}行相同"))
    return problems


class _Bad(Exception):
    """A cell cannot be understood; the text says what would be right."""


class _Reader:
    """Reads one row, collecting every problem in it."""

    def __init__(self, columns: Columns, row: Row, today: date, problems: list[Problem]) -> None:
        self._columns, self._row, self._today, self._problems = columns, row, today, problems

    def entry(self) -> Entry | None:
        """Return the entry, or None after noting what is wrong with it."""
        before = len(self._problems)
        self._refuse_formulas()
        if len(self._problems) > before:
            return None
        file_no = self._one(Field.FILE_NO, _file_no)
        name = self._one(Field.NAME, _name)
        grade = self._one(Field.GRADE, lambda c: _choice(c, _GRADES))
        since = self._one(Field.SINCE, lambda c: _past_day(c, self._today))
        status = self._one(Field.STATUS, lambda c: _choice(c, _STATUSES))
        consent, consent_date = self._consent()
        phones = self._phones()
        year, month = self._birth()
        no_ivr = self._one(Field.NO_IVR, _yes_no)
        speaks = self._one(Field.SPEAKS, lambda c: _choice(c, _SPEECH))
        texts = {
            f: self._one(f, _short_text) or "" for f in (Field.DISTRICT, Field.UNION_UNIT, Field.LIAISON)
        }
        if len(self._problems) > before or not (file_no and name and grade and since):
            return None
        return Entry(
            row=self._row.number,
            file_no=file_no,
            name=name,
            phones=phones,
            grade=grade,
            status=status or (FileStatus.WATCH if grade is Grade.WATCH else FileStatus.ACTIVE),
            since=since,
            district=texts[Field.DISTRICT],
            union_unit=texts[Field.UNION_UNIT],
            liaison=texts[Field.LIAISON],
            consent=consent,
            consent_date=consent_date,
            birth_month=month,
            birth_year=year,
            no_ivr=no_ivr,
            speaks=speaks,
        )

    def _refuse_formulas(self) -> None:
        phones = self._columns.of.get(Field.PHONE, ())
        for index, cell in enumerate(self._row.cells):
            if cell.too_long:
                self._note(index, "内容太长")
            # +86… is how phones are written, and is a number, not a sum.
            elif cell.looks_like_formula and not (index in phones and _is_number(cell.text)):
                self._note(index, "是公式或以 = + - @ 开头。请改成文字或数值后再导入")

    def _one(self, wanted: Field, parse: Callable[[Cell], T]) -> T | None:
        index = next(iter(self._columns.of.get(wanted, ())), None)
        if index is None:
            return None
        cell = self._cell(index)
        if cell.is_empty:
            if wanted in REQUIRED:
                self._note(index, "不能空着")
            return None
        try:
            return parse(cell)
        except _Bad as bad:
            self._note(index, str(bad))
            return None

    def _phones(self) -> tuple[str, ...]:
        found: list[str] = []
        for index in self._columns.of.get(Field.PHONE, ()):
            for part in _parts(self._cell(index).text):
                number = normalise(part)
                if number is not None and 7 <= len(number) <= 15:
                    found.append(number)
                else:
                    self._note(index, "不是电话号码（7 至 15 位数字，几个号码用顿号隔开）")
        return tuple(dict.fromkeys(found))

    def _consent(self) -> tuple[bool | None, date | None]:
        consent = self._one(Field.CONSENT, _yes_no)
        day = self._one(Field.CONSENT_DATE, lambda c: _past_day(c, self._today))
        if consent and day is None:
            index = next(iter(self._columns.of.get(Field.CONSENT_DATE, self._columns.of[Field.CONSENT])))
            self._note(index, "同意自动回访的，要有同意日期")
        return consent, day

    def _birth(self) -> tuple[int | None, int | None]:
        """Return year and month of birth, as stated or else from the identity number."""
        by_id = self._one(Field.ID_NUMBER, _id_born) or (None, None)
        year = self._one(Field.BIRTH_YEAR, lambda c: _year(c, self._today))
        return year or by_id[0], self._one(Field.BIRTH_MONTH, _month) or by_id[1]

    def _cell(self, index: int) -> Cell:
        return self._row.cells[index] if index < len(self._row.cells) else Cell()

    def _note(self, index: int, message: str) -> None:
        self._problems.append(
            Problem(row=self._row.number, column=self._columns.name(index), message=message)
        )


def _parts(text: str) -> list[str]:
    """Split a cell of several numbers; `138 0000 1111` is one."""
    parts: list[str] = []
    for part in re.split(r"[,;/\n\uff0c\uff1b\u3001]", text):
        words = part.split()
        several = len(words) > 1 and all(len(normalise(word) or "") >= 7 for word in words)
        parts += words if several else [part]
    return [part for part in parts if not Cell(text=part.strip()).is_empty]


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\+[0-9 ()-]{6,24}", text) is not None


def _file_no(cell: Cell) -> str:
    if not _FILE_NO.fullmatch(cell.text):
        raise _Bad("档案编号只能用数字、字母、汉字和 - _ . / ( )，最多 64 个字")
    return _in_clear(cell.text)


def _in_clear(text: str) -> str:
    if names_somebody(text):
        raise _Bad("这一格不加密保存，不能是电话或身份证号")
    return text


def _name(cell: Cell) -> str:
    text = re.sub(r"\s+", " ", cell.text)
    if len(text) > 40 or not re.fullmatch(r"[^\W\d_][^\d\x00-\x1f<>]*", text):
        raise _Bad("不像姓名（最多 40 个字，不含数字）")
    return text


def _short_text(cell: Cell) -> str:
    if len(cell.text) > 100 or re.search(r"[\x00-\x1f]", cell.text):
        raise _Bad("最多 100 个字，不能换行")
    return _in_clear(cell.text)


def _choice(cell: Cell, words: Mapping[str, T]) -> T:
    found = words.get(re.sub(r"\s", "", cell.text))
    if found is None:
        raise _Bad(f"认不出，应为：{'、'.join(_said(words))}")
    return found


def _said(words: Mapping[str, object]) -> list[str]:
    """Return one word per meaning, the first."""
    first: dict[object, str] = {}
    for word, meaning in words.items():
        first.setdefault(meaning, word)
    return list(first.values())


def _yes_no(cell: Cell) -> bool:
    word = cell.text.lower()
    if word not in _YES | _NO:
        raise _Bad("应填 是 或 否")
    return word in _YES


def _month(cell: Cell) -> int:
    found = re.fullmatch(r"(\d{1,2})月?", cell.text)
    if found is None or not 1 <= int(found[1]) <= 12:
        raise _Bad("应为 1 至 12 的月份")
    return int(found[1])


def _year(cell: Cell, today: date) -> int:
    found = re.fullmatch(r"(\d{4})年?", cell.text)
    if found is None or not today.year - 120 <= int(found[1]) <= today.year - 14:
        raise _Bad("应为四位的出生年份")
    return int(found[1])


def _id_born(cell: Cell) -> tuple[int, int]:
    found = born(cell.text)
    if found is None:
        raise _Bad("身份证号码有误（18 位，校验位不符）。若由表格软件改成了数值，请改成文字")
    return found


def _past_day(cell: Cell, today: date) -> date:
    day = cell.day or _day_in(cell.text)
    if day > today:
        raise _Bad("日期在将来")
    if day.year < 1990:
        raise _Bad("日期过早")
    return day


def _day_in(text: str) -> date:
    found = re.fullmatch(r"(\d{4})(\d{2})(\d{2})", text) or re.fullmatch(_DATE, _without_time(text))
    if found is None:
        raise _Bad("日期认不出，请写成 2026-01-31")
    year, month, day = int(found[1]), int(found[2]), int(found[3] or 1)
    if not 1 <= month <= 12 or not 1 <= day <= monthrange(max(year, 1), month)[1]:
        raise _Bad("没有这一天")
    return date(year, month, day)


def _without_time(text: str) -> str:
    return re.sub(r"[ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$", "", text)
