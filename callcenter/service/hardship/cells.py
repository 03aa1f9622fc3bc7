"""What a cell may hold, and what it then means. A complaint says what would be right, never what stands."""

from __future__ import annotations

import re
import unicodedata
from calendar import monthrange
from collections.abc import Collection, Mapping
from datetime import date
from functools import lru_cache
from typing import TypeVar

from callcenter.domain.identity import born, names_somebody
from callcenter.domain.numbers import normalise
from callcenter.domain.people import ExitReason, FileStatus, Grade, Speech
from callcenter.service.hardship.tables import Cell

T = TypeVar("T")

#: What lists call the grades that we know. Which of them a site has is its own table's word.
GRADE_WORDS: Mapping[str, str] = {
    **{"深度困难": Grade.DEEP, "深度": Grade.DEEP, "深度困难职工": Grade.DEEP},
    **{"相对困难": Grade.RELATIVE, "相对": Grade.RELATIVE, "相对困难职工": Grade.RELATIVE},
    **{"意外致困": Grade.ACCIDENT, "意外": Grade.ACCIDENT, "意外致困职工": Grade.ACCIDENT},
    **{"脱困观察": Grade.WATCH, "脱困": Grade.WATCH, "脱困观察期": Grade.WATCH},
    **dict.fromkeys(("特困", "特困职工", "特别困难", "特困户"), "特困"),
    **dict.fromkeys(("暂困", "暂时困难", "生活暂时困难", "暂困职工"), "暂困"),
}
STATUS_WORDS: Mapping[str, FileStatus] = {
    **{"在档": FileStatus.ACTIVE, "有效": FileStatus.ACTIVE, "已建档": FileStatus.ACTIVE},
    **{"脱困观察期": FileStatus.WATCH, "脱困观察": FileStatus.WATCH, "观察期": FileStatus.WATCH},
    **{"退档": FileStatus.CLOSED, "已退档": FileStatus.CLOSED, "注销": FileStatus.CLOSED},
    **dict.fromkeys(("申请", "申请中", "待审核", "审核中"), FileStatus.APPLIED),
    **dict.fromkeys(("公示", "公示中", "公示期"), FileStatus.NOTICE),
}
EXIT_WORDS: Mapping[str, ExitReason] = {
    **dict.fromkeys(("脱困", "已脱困"), ExitReason.RECOVERED),
    **dict.fromkeys(("退休", "已退休"), ExitReason.RETIRED),
    **dict.fromkeys(("调离", "调出", "迁出", "转出"), ExitReason.MOVED),
    **dict.fromkeys(("死亡", "去世", "身故", "病故"), ExitReason.DIED),
    **dict.fromkeys(("未通过", "不符合条件", "审核未通过"), ExitReason.NOT_APPROVED),
    **dict.fromkeys(("误建", "误录", "重复建档"), ExitReason.MISTAKE),
    **dict.fromkeys(("其他", "其它"), ExitReason.OTHER),
}
SPEECH_WORDS: Mapping[str, Speech] = {
    **dict.fromkeys(("普通话", "国语", "汉语"), ""),
    **dict.fromkeys(("无锡话", "无锡方言", "吴语", "方言", "zh_wx"), "zh_wx"),
}
_YES = frozenset({"是", "同意", "已同意", "有", "y", "yes", "1", "true", "√"})
_NO = frozenset({"否", "不同意", "未同意", "没有", "n", "no", "0", "false", "×"})
_FILE_NO = re.compile(
    r"[0-9A-Za-z\u4e00-\u9fff][0-9A-Za-z\u4e00-\u9fff()\uff08\uff09\u3014\u3015\[\]._/-]{0,63}"
)
#: Years ahead in which something of the register's may be due.
_AHEAD = 10
_SHORT = 64
#: 2026.10 that somebody typed as a number is kept as this.
_LOST_ZERO = re.compile(r"\d{4}\.1")
_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})(?:\s*[-/.月]\s*(\d{1,2})?\s*日?)?")


class Bad(Exception):
    """A cell cannot be understood; the text says what would be right."""


def parts(text: str) -> list[str]:
    """Split a cell of several numbers; `138 0000 1111` is one."""
    parts: list[str] = []
    for part in re.split(r"[,;/\n\uff0c\uff1b\u3001]", text):
        words = part.split()
        several = len(words) > 1 and all(len(normalise(word) or "") >= 7 for word in words)
        parts += words if several else [part]
    return [part for part in parts if not Cell(text=part.strip()).is_empty]


def is_number(text: str) -> bool:
    """Tell whether a text is a number as +86 138… is written."""
    return re.fullmatch(r"\+[0-9 ()-]{6,24}", text) is not None


@lru_cache(maxsize=500_000)
def folded(text: str) -> str:
    """Return how a number of the register's is compared: h7, H7 and their full width are one."""
    return text.casefold() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def file_no(cell: Cell) -> str:
    """Return the number of a file."""
    if not _FILE_NO.fullmatch(cell.text):
        raise Bad("档案编号只能用数字、字母、汉字和 - _ . / ( )，最多 64 个字")
    return _in_clear(cell.text)


def _in_clear(text: str) -> str:
    if names_somebody(text):
        raise Bad("这一格不加密保存，不能是电话或身份证号")
    return text


def name(cell: Cell) -> str:
    """Return a name."""
    text = re.sub(r"\s+", " ", cell.text)
    if len(text) > 40 or not re.fullmatch(r"[^\W\d_][^\d\x00-\x1f<>]*", text):
        raise Bad("不像姓名（最多 40 个字，不含数字）")
    return text


def short_text(cell: Cell) -> str:
    """Return a text that is kept in clear: no number of a person."""
    if len(cell.text) > 100 or re.search(r"[\x00-\x1f]", cell.text):
        raise Bad("最多 100 个字，不能换行")
    return _in_clear(cell.text)


def paper(cell: Cell) -> str:
    """Return the number or the edition of a paper, kept in clear."""
    if len(cell.text) > _SHORT or not cell.text.isprintable():
        raise Bad(f"最多 {_SHORT} 个字，不能换行")
    return _in_clear(cell.text)


def household(cell: Cell) -> str:
    """Return what the register calls a household. It is sealed, and may be anything."""
    if len(cell.text) > _SHORT or not cell.text.isprintable():
        raise Bad(f"最多 {_SHORT} 个字，不能换行")
    return cell.text


def grade_words(grades: Collection[str]) -> dict[str, str]:
    """Return what lists call a site's grades: by name, and by the other words we know for it."""
    own = {word: grade for grade in grades for word in (grade, f"{grade}职工")}
    return own | {word: grade for word, grade in GRADE_WORDS.items() if grade in grades and word not in own}


def choice(cell: Cell, words: Mapping[str, T]) -> T:
    """Return what a word means, of those that are known."""
    found = words.get(re.sub(r"\s", "", cell.text))
    if found is None:
        raise Bad(f"认不出，应为：{'、'.join(_said(words))}")
    return found


def _said(words: Mapping[str, object]) -> list[str]:
    """Return one word per meaning, the first."""
    first: dict[object, str] = {}
    for word, meaning in words.items():
        first.setdefault(meaning, word)
    return list(first.values())


def yes_no(cell: Cell) -> bool:
    """Return what `是` or `否` says."""
    word = cell.text.lower()
    if word not in _YES | _NO:
        raise Bad("应填 是 或 否")
    return word in _YES


def month(cell: Cell) -> int:
    """Return a month."""
    found = re.fullmatch(r"(\d{1,2})月?", cell.text)
    if found is None or not 1 <= int(found[1]) <= 12:
        raise Bad("应为 1 至 12 的月份")
    return int(found[1])


def year(cell: Cell, today: date) -> int:
    """Return a year somebody at work was born in."""
    found = re.fullmatch(r"(\d{4})年?", cell.text)
    if found is None or not today.year - 120 <= int(found[1]) <= today.year - 14:
        raise Bad("应为四位的出生年份")
    return int(found[1])


def identity(cell: Cell) -> tuple[str, int, int]:
    """Return an identity number in its one spelling, and year and month of birth in it."""
    found = born(cell.text)
    if found is None:
        raise Bad("身份证号码有误（18 位，校验位不符）。若由表格软件改成了数值，请改成文字")
    return cell.text.upper(), *found


def past_day(cell: Cell, today: date) -> date:
    """Return a day that has come."""
    day = _day_of(cell)
    if day > today:
        raise Bad("日期在将来")
    return _checked(day, today)


def near_day(cell: Cell, today: date) -> date:
    """Return a day that may be still to come."""
    return _checked(_day_of(cell), today)


def span(cell: Cell, today: date) -> tuple[date, date | None]:
    """Return first and last day of `2026-03-02至2026-03-09`; of one day alone the first."""
    first, *rest = re.split("至|到|~|\uff5e|—+|–", cell.text) if cell.day is None else [cell.text]
    if len(rest) > 1:
        raise Bad("日期认不出，请写成 2026-01-31")
    start = _day_of(cell) if not rest else _day_in(first.strip())
    return _checked(start, today), _checked(_day_in(rest[0].strip()), today) if rest else None


def _day_of(cell: Cell) -> date:
    if cell.fraction and _LOST_ZERO.fullmatch(cell.text):
        raise Bad("存成了数值，分不清是 1 月还是 10 月。请改成文字（2026-01-31）或日期")
    return cell.day or _day_in(cell.text)


def _checked(day: date, today: date) -> date:
    if day.year < 1990:
        raise Bad("日期过早")
    if day.year > today.year + _AHEAD:
        raise Bad("日期太远")
    return day


@lru_cache(maxsize=10_000)
def _day_in(text: str) -> date:
    found = re.fullmatch(r"(\d{4})(\d{2})(\d{2})", text) or re.fullmatch(_DATE, _without_time(text))
    if found is None:
        raise Bad("日期认不出，请写成 2026-01-31")
    year, month, day = int(found[1]), int(found[2]), int(found[3] or 1)
    if not 1 <= month <= 12 or not 1 <= day <= monthrange(max(year, 1), month)[1]:
        raise Bad("没有这一天")
    return date(year, month, day)


def _without_time(text: str) -> str:
    return re.sub(r"[ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$", "", text)
