"""A hardship file's way: 申请 → 公示 → 在档 → 脱困观察 → 退档 (→ 在档). A table of steps, and guards.

Pure: what is, and a day. Who took a step, and why, stands in the audit.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType

from callcenter.domain.people import ExitReason, FileStatus, Grade, HardshipFile

_ONE_DAY = timedelta(days=1)
#: No notice takes longer, whatever a calendar says.
_LONGEST_NOTICE = 366


class FileStep(StrEnum):
    """What may be done with a file."""

    APPLY = "apply"
    NOTICE = "notice"
    APPROVE = "approve"
    WATCH = "watch"
    LEAVE = "leave"
    #: Back in: the hardship is there again.
    RETURN = "return"
    REVIEW = "review"


STEP_WORDS: Mapping[FileStep, str] = MappingProxyType(
    {
        FileStep.APPLY: "申请",
        FileStep.NOTICE: "公示",
        FileStep.APPROVE: "建档",
        FileStep.WATCH: "转入脱困观察",
        FileStep.LEAVE: "退档",
        FileStep.RETURN: "重新在档",
        FileStep.REVIEW: "复核",
    }
)
_APPLIED, _NOTICE, _ACTIVE = FileStatus.APPLIED, FileStatus.NOTICE, FileStatus.ACTIVE
_WATCH, _CLOSED = FileStatus.WATCH, FileStatus.CLOSED
#: Step -> where a file may stand before (None: there is none yet), and after (None: where it did).
TABLE: Mapping[FileStep, tuple[frozenset[FileStatus | None], FileStatus | None]] = MappingProxyType(
    {
        FileStep.APPLY: (frozenset({None, _CLOSED}), _APPLIED),
        FileStep.NOTICE: (frozenset({_APPLIED}), _NOTICE),
        FileStep.APPROVE: (frozenset({_NOTICE}), _ACTIVE),
        FileStep.WATCH: (frozenset({_ACTIVE}), _WATCH),
        FileStep.LEAVE: (frozenset({_APPLIED, _NOTICE, _ACTIVE, _WATCH}), _CLOSED),
        FileStep.RETURN: (frozenset({_WATCH, _CLOSED}), _ACTIVE),
        FileStep.REVIEW: (frozenset({_ACTIVE, _WATCH}), None),
    }
)
#: Whose people are owed check-ins.
IN_FILE = frozenset({FileStatus.ACTIVE, FileStatus.WATCH})
#: Why a file may leave that was never in, and why one that was.
_EXITS_BEFORE = frozenset({ExitReason.NOT_APPROVED, ExitReason.MISTAKE, ExitReason.DIED})
_EXITS_AFTER = frozenset(ExitReason) - {ExitReason.NOT_APPROVED}
#: After these a file does not simply come back: it is applied for again.
_APPLIED_ANEW = frozenset({ExitReason.NOT_APPROVED, ExitReason.MISTAKE, ExitReason.DIED})
#: What ends more than the file: plans and promises. A supervisor confirms.
ENDS_ALL = frozenset({ExitReason.DIED, ExitReason.MOVED})


@dataclass(frozen=True, kw_only=True, slots=True)
class FileRules:
    """What the site's own rules say (`[hardship]`)."""

    #: Working days for which a file is put up.
    notice_days: int = 5
    watch_months: int = 6
    review_months: int = 12
    grades: tuple[str, ...] = ()


def hindrance(step: FileStep, status: FileStatus | None) -> str | None:
    """Say why a step cannot be taken from here; None: it can."""
    before, _ = TABLE[step]
    if status in before:
        return None
    stands = "还没有" if status is None else f"现在是{status.value}"
    ways = "、".join(one.value for one in FileStatus if one in before)
    return f"档案{stands},不能{STEP_WORDS[step]}:{STEP_WORDS[step]}只从{ways}办起。"


def after_step(step: FileStep, status: FileStatus | None) -> FileStatus:
    """Return where a file stands after a step that the table allows; raise `ValueError` for another."""
    before, after = TABLE[step]
    if status not in before or (after is None and status is None):
        raise ValueError(f"{step} is not allowed from {status}")
    return after or status  # type: ignore[return-value]


def is_unconfirmed(file: HardshipFile) -> bool:
    """Tell whether a file left and nobody made sure yet that it was right to (R34)."""
    return file.status is FileStatus.CLOSED and file.exit_confirmed_by is None


# --- guards: why not, in a sentence; None: nothing hinders -----------------------------------


def unknown_grade(grade: str, rules: FileRules) -> str | None:
    """Say that a grade is none of the site's, and which there are.

    To be watched is where a file stands, whatever its grade: lists have it among the grades, steps do not.
    """
    known = [one for one in rules.grades if one != Grade.WATCH]
    if grade in known:
        return None
    words = f"本站的类别:{'、'.join(known)}。"
    if grade == Grade.WATCH:
        return f"「{grade}」是状态,不是困难类别:在档的用 hotline hardship watch 转入。{words}"
    return f"没有困难类别「{grade}」。{words}"


def early_notice(file: HardshipFile, start: date) -> str | None:
    """Say that a notice begins before there was an application."""
    return f"公示不能早于申请:档案 {file.since} 才申请。" if start < file.since else None


def short_notice(start: date, end: date, is_workday: Callable[[date], bool], rules: FileRules) -> str | None:
    """Say that a notice is too short, in working days, both ends counted."""
    days = sum(map(is_workday, _days(start, end)))
    if days >= rules.notice_days:
        return None
    return f"公示至少 {rules.notice_days} 个工作日,{start} 至 {end} 只有 {days} 个。"


def standing_notice(file: HardshipFile, today: date) -> str | None:
    """Say that a notice still hangs, or that none did."""
    if file.notice_to is None:
        return "档案还没有公示。"
    return f"公示到 {file.notice_to} 为止,期满后才能建档。" if today <= file.notice_to else None


def wrong_exit(file: HardshipFile, because: ExitReason) -> str | None:
    """Say that a reason does not fit where the file stands."""
    fits = _EXITS_AFTER if file.status in IN_FILE else _EXITS_BEFORE
    if because not in fits:
        words = "、".join(one.value for one in ExitReason if one in fits)
        return f"{file.status.value}的档案不能以「{because.value}」退档,可用的理由:{words}。"
    if because is ExitReason.RECOVERED and file.status is not FileStatus.WATCH:
        return "脱困要先转入脱困观察(hotline hardship watch),观察期满后退档。"
    return None


def short_watch(file: HardshipFile, because: ExitReason, today: date, rules: FileRules) -> str | None:
    """Say that somebody was not yet watched for as long as they should be before they count as recovered."""
    ends = months_later(file.since, rules.watch_months)
    if because is not ExitReason.RECOVERED or today >= ends:
        return None
    return f"脱困观察至少 {rules.watch_months} 个月,到 {ends} 期满;提前退档请用 --early 写明依据。"


def needs_application(file: HardshipFile) -> str | None:
    """Say that a file has to be applied for again before it is in: it never was, or was by mistake."""
    if file.status is FileStatus.CLOSED and file.exit_reason in _APPLIED_ANEW:
        return f"档案以「{file.exit_reason.value}」退档,不能直接恢复:请重新申请。"
    return None


# --- arithmetic ------------------------------------------------------------------------------


def notice_end(start: date, is_workday: Callable[[date], bool], rules: FileRules) -> date:
    """Return the last day of a notice from `start` that is just long enough."""
    days, left = start, rules.notice_days
    for day in _days(start, start + _ONE_DAY * _LONGEST_NOTICE):
        days, left = day, left - is_workday(day)
        if left <= 0:
            break
    return days


def months_later(day: date, months: int) -> date:
    """Return the same day so many months later; of a shorter month its last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def entered(file: HardshipFile, today: date, rules: FileRules, grade: str | None = None) -> HardshipFile:
    """Return a file that is in from today on: first for the first time, or once more."""
    return replace(
        file,
        status=FileStatus.ACTIVE,
        grade=grade or file.grade,
        since=today,
        review_due=months_later(today, rules.review_months),
        exit_reason=None,
        exit_confirmed_by=None,
    )


def _days(start: date, end: date) -> Iterable[date]:
    return (start + _ONE_DAY * n for n in range((end - start).days + 1))
