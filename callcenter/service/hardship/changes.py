"""What an import does, or would do, in words for whoever brings the list: masked, and nothing of callers.

A list is compared with what lists said before, and with nothing else (R39).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from callcenter.domain.numbers import mask_name, mask_number
from callcenter.domain.people import FileStatus, HardshipFile, Person
from callcenter.service.hardship.fields import Entry, Field
from callcenter.service.hardship.targets import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One file that an import adds or alters. Texts are masked."""

    row: int
    file_no: str
    #: (what, before, after).
    fields: tuple[tuple[str, str, str], ...] = ()
    #: Keys of `fields`, in the same order.
    keys: tuple[Field, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Doubt:
    """Something to be looked at: it refuses nothing, the union's register is the authority."""

    row: int
    file_no: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Diff:
    """What an import does, or would do."""

    new: tuple[Change, ...]
    changed: tuple[Change, ...]
    unchanged: int
    #: In the store and owed, but not in this list: shown, never dropped.
    missing: tuple[str, ...]
    #: Since which import they are, of those of whom it is known.
    missing_since: Mapping[str, datetime] = field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()
    #: Columns nobody reads, so nothing of them is kept.
    unused_columns: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reader:
    """One thing that is compared: how it is shown, masked, and what decides whether it differs."""

    key: Field
    title: str
    shown: Callable[[Person, HardshipFile], str]
    raw: Callable[[Person, HardshipFile], object] | None = None


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def _known(is_known: object) -> str:
    return "已登记" if is_known else ""


_READERS = (
    _Reader(key=Field.NAME, title="姓名", shown=lambda p, _: mask_name(p.name), raw=lambda p, _: p.name),
    _Reader(
        key=Field.PHONE,
        title="电话",
        shown=lambda p, _: " ".join(mask_number(number) for number in _listed(p)),
        raw=lambda p, _: _listed(p),
    ),
    _Reader(
        key=Field.ID_NUMBER,
        title="身份证号",
        shown=lambda p, _: _known(p.identity_mark),
        raw=lambda p, _: p.identity_mark,
    ),
    _Reader(
        key=Field.BIRTH_MONTH,
        title="出生月份",
        shown=lambda p, _: _known(p.birth_month),
        raw=lambda p, _: p.birth_month,
    ),
    _Reader(
        key=Field.BIRTH_YEAR,
        title="出生年份",
        shown=lambda p, _: _known(p.birth_year),
        raw=lambda p, _: p.birth_year,
    ),
    _Reader(key=Field.NO_IVR, title="仅人工联系", shown=lambda p, _: "是" if p.no_ivr else "否"),
    _Reader(key=Field.SPEAKS, title="语言", shown=lambda p, _: "无锡话" if p.speaks else "普通话"),
    _Reader(key=Field.GRADE, title="困难类别", shown=lambda _, f: str(f.grade)),
    _Reader(key=Field.STATUS, title="档案状态", shown=lambda _, f: f.status.value),
    _Reader(key=Field.SINCE, title="建档日期", shown=lambda _, f: _day(f.since)),
    _Reader(key=Field.DISTRICT, title="区县", shown=lambda _, f: f.district),
    _Reader(key=Field.UNION_UNIT, title="所属工会", shown=lambda _, f: f.union_unit),
    _Reader(
        key=Field.LIAISON,
        title="联系人",
        shown=lambda _, f: mask_name(f.liaison) if f.liaison else "",
        raw=lambda _, f: f.liaison,
    ),
    _Reader(
        key=Field.HOUSEHOLD,
        title="户号",
        shown=lambda _, f: _known(f.household),
        raw=lambda _, f: f.household,
    ),
    _Reader(key=Field.NOTICE_FROM, title="公示开始", shown=lambda _, f: _day(f.notice_from)),
    _Reader(key=Field.NOTICE_TO, title="公示结束", shown=lambda _, f: _day(f.notice_to)),
    _Reader(
        key=Field.EXIT_REASON,
        title="退档原因",
        shown=lambda _, f: f.exit_reason.value if f.exit_reason else "",
    ),
    _Reader(key=Field.REVIEW_DUE, title="复核日期", shown=lambda _, f: _day(f.review_due)),
)
_CONSENT = "同意自动回访"


def change_of(target: Target) -> Change:
    """Return what differs, masked. Two names that mask alike still differ.

    Of a new file whatever it says; of one that stays the same nothing.
    """
    found = [] if target.is_unchanged else list(_differences(target))
    if target.consent is not None:
        found.append((Field.CONSENT, _CONSENT, "", _said(target)))
    return Change(
        row=target.entry.row,
        file_no=target.file.file_no,
        fields=tuple((title, before, after) for _, title, before, after in found),
        keys=tuple(key for key, *_ in found),
    )


def _differences(target: Target) -> Iterable[tuple[Field, str, str, str]]:
    after = (target.person, target.file)
    if target.file_before is None:
        for reader in _READERS:
            if _is_said(reader.key, target.entry) and (text := reader.shown(*after)):
                yield reader.key, reader.title, "", text
        return
    before = (target.person_before or Person(id="", code=""), target.file_before)
    for reader in _READERS:
        raw = reader.raw or reader.shown
        if raw(*before) != raw(*after):
            yield reader.key, reader.title, reader.shown(*before), reader.shown(*after)


def _is_said(key: Field, entry: Entry) -> bool:
    """Tell whether a list says it of a new file: what the line knew of a caller before is not told (R39)."""
    match key:
        case Field.ID_NUMBER:
            return entry.identity is not None
        case Field.BIRTH_MONTH | Field.BIRTH_YEAR | Field.NO_IVR | Field.SPEAKS:
            return getattr(entry, key) is not None
        case _:
            return True


def _said(target: Target) -> str:
    consent = target.consent
    if consent is None:
        return ""
    paper = "，".join(filter(None, (consent.script_version, consent.evidence)))
    return ("是" if consent.granted else "否") + (f"（{paper}）" if paper else "")


def _listed(person: Person) -> tuple[str, ...]:
    """Return the numbers that the register holds: others are none of the clerk's business (R39)."""
    return tuple(phone.number for phone in person.phones if phone.listed)


def missing_of(targets: Sequence[Target], files: Mapping[str, HardshipFile]) -> tuple[str, ...]:
    """Return the open files that a list does not name, by number."""
    listed = {target.file.file_no for target in targets}
    return tuple(
        no for no, file in files.items() if no not in listed and file.status is not FileStatus.CLOSED
    )
