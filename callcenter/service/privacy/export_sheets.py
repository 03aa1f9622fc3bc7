"""What stands in each export, as tables of cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo

from callcenter.domain.access import Verb
from callcenter.domain.books import SESSION_VERSIONS, TOMBSTONES
from callcenter.domain.retention import add_counts
from callcenter.domain.spreadsheets import Cell, Sheet
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup.debt_rows import owed
from callcenter.service.followup.debts import LineFacts
from callcenter.service.privacy.retention_acts import month_and_counts

#: What is counted, in words.
COUNTED_WORDS: Mapping[str, str] = {
    "records": "记录数",
    "kind": "来电类型",
    "caller_type": "来电者",
    "codes": "问题类别",
    "level_given": "危险等级",
    "gender": "性别",
    "age_band": "年龄段",
    "occupation": "职业",
    "length": "通话时长",
}
#: Values in words; and a category of the ministry's form, which is counted, by a name that names no illness.
VALUE_WORDS: Mapping[str, str] = {
    "all": "全部",
    "unknown": "不明",
    "under_5": "不到5分钟",
    "under_15": "5至14分钟",
    "under_30": "15至29分钟",
    "under_60": "30至59分钟",
    "60_and_more": "60分钟及以上",
    "精神疾病": "精神卫生",
}
_AUDIT = ("序号", "时间", "人员", "操作", "对象", "字段", "原因")
_STATISTICS = "statistics:"

#: Month (`2026-05`) -> what was counted -> value -> how often.
Counts = dict[str, dict[str, dict[str, int]]]


@guarded(Verb.EXPORT_SESSIONS)
def sessions(work: UnitOfWork, first: str, last: str, *, actor: str, zone: tzinfo) -> Sheet:
    """Return counts of handling records by month, from `2026-01` to `2026-12`: the yearly account.

    Records that went by retention are in it by what was counted of them then. Each thing is counted by
    itself: no row says two things of the same person.
    """
    allow(work, actor, Verb.EXPORT_SESSIONS)
    total: Counts = {}
    for month, counts in _kept_records(work, zone):
        if first <= month <= last:
            total[month] = add_counts(total.get(month, {}), counts)
    for stone in work.book(TOMBSTONES).where(rule="forms"):
        month = stone.object.removeprefix(_STATISTICS)
        if stone.object.startswith(_STATISTICS) and first <= month <= last:
            total[month] = _summed(total.get(month, {}), stone.counts)
    return Sheet(
        title="接访统计", headings=("月份", "统计项", "取值", "数量"), rows=tuple(_count_rows(total))
    )


def _kept_records(work: UnitOfWork, zone: tzinfo) -> Iterable[tuple[str, Mapping[str, tuple[str, ...]]]]:
    for head in work.sessions.all():
        last = work.book(SESSION_VERSIONS).one(f"{head.id}/{head.version}") if head.version else None
        if last is not None:
            yield month_and_counts(work, head, last, zone)


def _summed(
    one: Mapping[str, Mapping[str, int]], other: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    names = [*one, *(name for name in other if name not in one)]
    return {
        name: {
            value: one.get(name, {}).get(value, 0) + other.get(name, {}).get(value, 0)
            for value in {**one.get(name, {}), **other.get(name, {})}
        }
        for name in names
    }


def _count_rows(total: Counts) -> Iterable[tuple[Cell, ...]]:
    for month in sorted(total):
        for name in (name for name in COUNTED_WORDS if name in total[month]):
            for value, count in sorted(total[month][name].items()):
                yield month, COUNTED_WORDS[name], VALUE_WORDS.get(value, value), count


@guarded(Verb.EXPORT_HARDSHIP)
def hardship(work: UnitOfWork, facts: LineFacts, *, actor: str) -> Sheet:
    """Return who is owed a routine contact: owed and since when, masked, never why (R39)."""
    allow(work, actor, Verb.EXPORT_HARDSHIP)
    headings = {
        "file_no": "档案编号",
        "name": "姓名",
        "grade": "困难类别",
        "district": "区县",
        "owed_since": "应联系",
        "overdue_days": "逾期天数",
    }
    found = owed(work, facts, actor=actor)
    rows = tuple(tuple(_cell(row.get(key)) for key in headings) for row in found.rows)
    return Sheet(title="应联系名单", headings=tuple(headings.values()), rows=rows)


@guarded(Verb.EXPORT_AUDIT)
def audit_trail(
    work: UnitOfWork, since: datetime | None, *, actor: str, zone: tzinfo, limit: int = 1_000_000
) -> Sheet:
    """Return the audit from an instant on, oldest first."""
    allow(work, actor, Verb.EXPORT_AUDIT)
    entries = reversed(work.audit.recent(limit, since=since))
    rows = tuple(
        (e.seq, e.at.astimezone(zone), e.actor, e.verb, e.object, e.field, e.reason) for e in entries
    )
    return Sheet(title="操作留痕", headings=_AUDIT, rows=rows)


def _cell(value: object) -> Cell:
    return value if value is None or isinstance(value, (int, float, datetime)) else str(value)
