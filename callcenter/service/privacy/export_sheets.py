"""What stands in each export, as tables of cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, tzinfo

from callcenter.domain.access import Verb
from callcenter.domain.books import SESSION_VERSIONS, TOMBSTONES
from callcenter.domain.retention import add_counts
from callcenter.domain.small_cells import suppressed_line
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
#: Stands where a count is hidden.
HIDDEN = "*"
#: Records in which a thing was not written down.
UNSAID = "未填"
_AUDIT = ("序号", "时间", "人员", "操作", "对象", "字段", "原因")
_STATISTICS = "statistics:"

#: Month (`2026-05`) -> what was counted -> value -> how often.
Counts = dict[str, dict[str, dict[str, int]]]


@guarded(Verb.EXPORT_SESSIONS)
def sessions(
    work: UnitOfWork, first: str, last: str, *, actor: str, now: datetime, zone: tzinfo, smallest: int
) -> Sheet:
    """Return counts of handling records by month, from `2026-01` to `2026-12`: the yearly account.

    Records that went by retention are in it by what was counted of them then. Each thing is counted by
    itself: no row says two things of the same person; counts below `smallest`, and what they could be
    worked out from, are hidden (R40). A month that is not over is left out: it would be told day by day.
    """
    allow(work, actor, Verb.EXPORT_SESSIONS)
    total: Counts = {}
    end = min(last, _month_before(now.astimezone(zone)))
    for month, counts in _kept_records(work, zone):
        if first <= month <= end:
            total[month] = add_counts(total.get(month, {}), counts)
    for stone in work.book(TOMBSTONES).where(rule="forms"):
        month = stone.object.removeprefix(_STATISTICS)
        if stone.object.startswith(_STATISTICS) and first <= month <= end:
            total[month] = _summed(total.get(month, {}), stone.counts)
    rows = tuple(_count_rows(total, smallest))
    if any(row[-1] == HIDDEN for row in rows):
        said = f"标 {HIDDEN} 的数不足 {smallest},或为了不能推算出那些数而一并隐去"
        rows = (*rows, ("", "说明", said, None))
    return Sheet(title="接访统计", headings=("月份", "统计项", "取值", "数量"), rows=rows)


def _month_before(now: datetime) -> str:
    return (now.replace(day=1) - timedelta(days=1)).strftime("%Y-%m")


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


def _count_rows(total: Counts, smallest: int) -> Iterable[tuple[Cell, ...]]:
    for month in sorted(total):
        records = sum(total[month].get("records", {}).values())
        if records < smallest:
            yield month, COUNTED_WORDS["records"], VALUE_WORDS["all"], HIDDEN
            continue
        for name in (name for name in COUNTED_WORDS if name in total[month]):
            shown = suppressed_line(_with_unsaid(total[month][name], records), smallest)
            for value, count in sorted(shown.items()):
                yield (
                    month,
                    COUNTED_WORDS[name],
                    VALUE_WORDS.get(value, value),
                    HIDDEN if count is None else count,
                )


def _with_unsaid(counts: Mapping[str, int], records: int) -> Mapping[str, int]:
    """Return the counts with those who said nothing: else they follow from the number of records."""
    unsaid = records - sum(counts.values())
    return {**counts, UNSAID: unsaid} if unsaid > 0 else counts


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
