"""Which column of a list means what: headings as offices spell them, and what somebody said by hand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice

from callcenter.errors import Refused
from callcenter.service.hardship.tables import HEADING_WITHIN, Row, column_name, refused


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
    #: Read for year and month of birth and for its keyed mark, and never kept.
    ID_NUMBER = "id_number"
    NO_IVR = "no_ivr"
    SPEAKS = "speaks"
    #: What the register calls the household: one household, one open file.
    HOUSEHOLD = "household"
    NOTICE_FROM = "notice_from"
    NOTICE_TO = "notice_to"
    EXIT_REASON = "exit_reason"
    REVIEW_DUE = "review_due"
    #: Which wording was signed, and the paper's number.
    CONSENT_VERSION = "consent_version"
    CONSENT_EVIDENCE = "consent_evidence"


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
    Field.HOUSEHOLD: ("户号", "家庭编号", "家庭户号", "户编号", "家庭号", "household"),
    Field.NOTICE_FROM: (
        *("公示开始日期", "公示开始", "公示起始日期", "公示开始时间", "公示日期", "公示时间", "公示期"),
        "notice_from",
    ),
    Field.NOTICE_TO: (
        *("公示结束日期", "公示结束", "公示截止日期", "公示终止日期", "公示结束时间"),
        "notice_to",
    ),
    Field.EXIT_REASON: ("退档原因", "退出原因", "退档理由", "注销原因", "exit_reason"),
    Field.REVIEW_DUE: (
        *("复核日期", "复查日期", "下次复核日期", "下次复查日期", "年审日期", "复审日期"),
        "review_due",
    ),
    Field.CONSENT_VERSION: ("同意书版本", "协议版本", "授权书版本", "告知书版本", "consent_version"),
    Field.CONSENT_EVIDENCE: (
        *("协议编号", "同意书编号", "授权书编号", "协议号", "同意书号"),
        "consent_evidence",
    ),
}
#: A list that has both 所属工会 and 工作单位 is no riddle.
_BEST_HEADING_WINS = frozenset({Field.DISTRICT, Field.UNION_UNIT, Field.LIAISON})
REQUIRED = (Field.FILE_NO, Field.NAME, Field.GRADE, Field.SINCE)


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
        found[plain_heading(heading)] = Field(name.strip())
    return found


def find_columns(
    rows: Iterable[Row], mapping: Mapping[str, Field], profile: str = ""
) -> tuple[Columns, Iterator[Row]]:
    """Return the columns and the rows below the heading; title lines above it are passed over.

    `profile` names where the mapping was saved, for who is to be told that it does not fit.
    """
    known, rest = _known(mapping), iter(rows)
    first = list(islice(rest, HEADING_WITHIN))
    best = max(first, key=lambda r: _score(r, known), default=None)
    if best is None or _score(best, known) == 0:
        raise refused("找不到标题行（姓名、档案编号……）。请确认第一张工作表是名单。")
    headings = tuple(cell.text for cell in best.cells)
    _check_mapped(mapping, headings, profile)
    fields = [known.get(plain_heading(h)) if h else None for h in headings]
    of = {f: _chosen(f, fields, headings) for f in Field if f in fields}
    used = {i for places in of.values() for i in places}
    unused = tuple(h for i, h in enumerate(headings) if h and i not in used)
    columns = Columns(heading_row=best.number, of=of, headings=headings, unused=unused)
    _check_headings(columns)
    return columns, (row for row in chain(first, rest) if row.number > columns.heading_row)


def plain_heading(heading: str) -> str:
    """Return a heading without what varies: blanks, brackets and what stands in them, case."""
    text = re.sub(r"[(\uff08].*?[)\uff09]", "", heading)
    return re.sub(r"[\s*:\uff1a_]", "", text or heading).lower()


def _known(mapping: Mapping[str, Field]) -> dict[str, Field]:
    """Return heading -> field; a field somebody mapped by hand is found under no other heading."""
    by_hand = set(mapping.values()) - {Field.PHONE}
    words = {plain_heading(w): f for f, words in SYNONYMS.items() if f not in by_hand for w in words}
    return words | dict(mapping)


def _chosen(wanted: Field, fields: Sequence[Field | None], headings: Sequence[str]) -> tuple[int, ...]:
    """Return the columns of a field; of several texts the most telling heading, in `SYNONYMS`' order."""
    places = tuple(i for i, found in enumerate(fields) if found is wanted)
    if wanted not in _BEST_HEADING_WINS or len(places) < 2:
        return places
    order = [plain_heading(word) for word in SYNONYMS[wanted]]
    ranks = {i: order.index(p) if (p := plain_heading(headings[i])) in order else -1 for i in places}
    return (min(places, key=lambda i: ranks[i]),)


def _score(row: Row, known: Mapping[str, Field]) -> int:
    return len({known[p] for cell in row.cells if (p := plain_heading(cell.text)) in known})


def _check_mapped(mapping: Mapping[str, Field], headings: Sequence[str], profile: str) -> None:
    there = {plain_heading(h) for h in headings}
    missing = [heading for heading in mapping if heading not in there]
    if missing and profile:
        raise refused(
            f"名单格式“{profile}”里的列不在标题行：{'、'.join(missing)}。"
            f"请换一个格式，或用 --map 指明后以 --save-as {profile} 重新保存。"
        )
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
