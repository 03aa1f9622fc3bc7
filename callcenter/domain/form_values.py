"""One answer: from what somebody typed, or a program sent, to the value that is kept; and back to words.

Everything that comes in is hostile or clumsy: a value is made whole, or `ValueError` says the mend.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from callcenter.domain.forms import NO, YES, Field, FieldKind, Form, Wrong
from callcenter.domain.session_words import NOT_RATED

#: What may stand between several answers in one line.
SEPARATORS = re.compile(r"[\s,\uff0c\u3001;\uff1b]+")
_TRUE = frozenset({YES, "有", "y", "yes", "true", "1"})
_FALSE = frozenset({NO, "无", "没有", "n", "no", "false", "2"})
_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,2})?")
_ITEM = re.compile(r"([A-Za-z0-9_.-]{1,20})[=\uff1d]([^=\uff1d]{1,20})")
_ANSWER = re.compile(r"-?[0-9]{1,3}")
_DAY = re.compile(r"([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?")


def read_answers(form: Form, given: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Wrong, ...]]:
    """Return the answers as they are kept, and what could not be read. Nothing given is left out silently."""
    answers: dict[str, Any] = {}
    wrong: list[Wrong] = []
    for name, raw in given.items():
        field = form.fields.get(str(name))
        if field is None:
            wrong.append(Wrong(field=str(name), text=f"表单里没有「{str(name)[:40]}」这一项。"))
            continue
        try:
            value = read_value(field, raw)
        except ValueError as error:
            wrong.append(Wrong(field=field.id, text=f"「{field.label}」{error}"))
            continue
        if not is_nothing(value):
            answers[field.id] = value
    return answers, tuple(wrong)


def is_nothing(value: object) -> bool:
    """Tell whether a value says nothing. 0 and "no" do say something."""
    return value is None or value == "" or value == [] or value == {}


def read_value(field: Field, raw: object) -> Any:
    """Return what is kept of an answer; raise `ValueError` with the mend, in Chinese."""
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        return None
    return _READERS[field.kind](field, raw)


def clean(text: str) -> str:
    """Return a text without control characters and without blanks at the ends of lines."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kept = (
        "".join(c for c in line if c == "\t" or unicodedata.category(c) not in {"Cc", "Cs"}) for line in lines
    )
    return "\n".join(line.rstrip() for line in kept).strip()


def _string(raw: object) -> str:
    match raw:
        case bool():
            pass
        case str() | int() | float():
            return str(raw)
    raise ValueError("应填文字。")


def _short(field: Field, raw: object) -> str:
    lines = (line.strip() for line in clean(_string(raw)).split("\n"))
    return _checked_length(field, " ".join(line for line in lines if line))


def _long(field: Field, raw: object) -> str:
    return _checked_length(field, clean(_string(raw)))


def _checked_length(field: Field, text: str) -> str:
    if len(text) > field.most:
        raise ValueError(f"最多 {field.most} 字,现在 {len(text)} 字,请缩短。")
    return text


def _choice(field: Field, raw: object) -> str:
    word = clean(_string(raw)).strip()
    if word in field.choices:
        return word
    last = field.first + len(field.choices) - 1
    if re.fullmatch(r"[0-9]{1,4}", word) and field.first <= int(word) <= last:
        return field.choices[int(word) - field.first]
    said = " ".join(word.split())[:20]
    raise ValueError(f"没有「{said}」这个选项,请填 {field.first} 至 {last} 的序号,或照写选项。")


def _choices(field: Field, raw: object) -> list[str]:
    if isinstance(raw, str | int | float) and not isinstance(raw, bool):
        raw = [word for word in SEPARATORS.split(clean(str(raw))) if word]
    if not isinstance(raw, list | tuple):
        raise ValueError("应填一个或几个选项。")
    chosen = {_choice(field, word) for word in raw}
    return [word for word in field.choices if word in chosen]


def _scale(_field: Field, raw: object) -> int | str:
    text = _string(raw).strip()
    if text == NOT_RATED:
        return NOT_RATED
    if not re.fullmatch(r"[0-9]{1,3}", text) or int(text) > 100:
        raise ValueError(f"应填 0 至 100 的整数,或「{NOT_RATED}」。")
    return int(text)


def _number(_field: Field, raw: object) -> int | float:
    text = _string(raw).strip()
    if not _NUMBER.fullmatch(text):
        raise ValueError("应填数字,如 12 或 12.5。")
    found = float(text)
    return int(found) if found.is_integer() else found


def _truth(_field: Field, raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    word = _string(raw).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"应填「{YES}」或「{NO}」。")


def _day(_field: Field, raw: object) -> str:
    found = _DAY.fullmatch(_string(raw).strip())
    try:
        day = date(*(int(part) for part in found.groups())) if found else None
    except ValueError:
        day = None
    if day is None or not 1900 <= day.year <= 2100:
        raise ValueError("应填日期,如 2026-11-23。")
    return day.isoformat()


def _items(_field: Field, raw: object) -> dict[str, int | str]:
    """Return answers by item: numbers, or the answers' own words, which only the questionnaire knows."""
    if isinstance(raw, Mapping):
        raw = " ".join(f"{name}={answer}" for name, answer in raw.items())
    items: dict[str, int | str] = {}
    for word in filter(None, SEPARATORS.split(clean(_string(raw)))):
        found = _ITEM.fullmatch(word)
        if found is None:
            raise ValueError(f"「{word[:20]}」读不懂,请写成 题号=答案,如 1=2 2=0。")
        if found[1] in items:
            raise ValueError(f"第 {found[1]} 题写了两次,请只留一个。")
        items[found[1]] = int(found[2]) if _ANSWER.fullmatch(found[2]) else found[2]
    return items


def _records(field: Field, raw: object) -> list[dict[str, Any]]:
    if not isinstance(raw, list | tuple):
        raise ValueError("应填若干条。")
    groups = [group for n, one in enumerate(raw, start=1) if (group := _group(field, n, one))]
    if len(groups) > field.most:
        raise ValueError(f"最多 {field.most} 条,现在 {len(groups)} 条。")
    return groups


def _group(field: Field, n: int, raw: object) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise ValueError(f"第 {n} 条应有:{'、'.join(part.label for part in field.fields)}。")
    parts = {part.id: part for part in field.fields}
    group = {}
    for name, answer in raw.items():
        if name not in parts:
            raise ValueError(f"第 {n} 条里没有「{str(name)[:40]}」这一项。")
        try:
            value = read_value(parts[name], answer)
        except ValueError as error:
            raise ValueError(f"第 {n} 条的「{parts[name].label}」{error}") from None
        if not is_nothing(value):
            group[name] = value
    return group


_READERS: Mapping[FieldKind, Callable[[Field, object], Any]] = {
    FieldKind.CHOICE: _choice,
    FieldKind.CHOICES: _choices,
    FieldKind.TEXT: _short,
    FieldKind.LONG: _long,
    FieldKind.SCALE: _scale,
    FieldKind.NUMBER: _number,
    FieldKind.YESNO: _truth,
    FieldKind.DAY: _day,
    FieldKind.ITEMS: _items,
    FieldKind.RECORDS: _records,
}


def said_value(field: Field, value: Any) -> str:
    """Return a single-line answer in the words in which it can be typed again."""
    match value:
        case bool():
            return YES if value else NO
        case list():
            return "、".join(str(word) for word in value)
        case dict():
            return " ".join(f"{name}={answer}" for name, answer in value.items())
        case _:
            return str(value)
