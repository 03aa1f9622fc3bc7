"""What `hotline doctor` says of faults a line survives: what was hit, what waits, the mend."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from callcenter.domain.calls import Outcome
from callcenter.errors import CallCenterError
from callcenter.ports import UnitOfWork
from callcenter.service.health.doctor import Check, bad, ok, warn

#: So much may be written between two readings of a busy line, bytes.
_BEHIND = 1 << 20
#: The journal is read five times a second: what waited for so long was not read.
_STALE = timedelta(minutes=2)
_DAY = timedelta(days=1)


def store_writes(write: Callable[[], object]) -> Check:
    """Look whether the store can be written; `write` tries and leaves nothing behind."""
    try:
        write()
    except CallCenterError as error:
        said = str(error).splitlines()[0]
        mend = "来电照常接听，记录在话务日志里等待；修好后自动补上。"
        return bad("store_writes", f"数据库现在写不进去：{said}{mend}")
    return ok("store_writes", "数据库可以写入。")


def try_writing(work: UnitOfWork, now: datetime) -> None:
    """Write something that the caller takes back: where others may not write now, this fails."""
    work.debts.remember("doctor", now.isoformat())


def journal(behind: int | None, changed_at: datetime | None, now: datetime) -> Check:
    """Look whether rows wait to be read: `behind` in bytes, None where there is no journal."""
    if behind is None:
        return warn("journal", "还没有话务日志。有过来电仍是这样，就运行 hotline pbx check。")
    waited = changed_at is not None and behind > 0 and now - changed_at > _STALE
    if behind > _BEHIND or waited:
        said = f"话务日志有 {_size(behind)} 还没有入库。一行也不会丢："
        return bad("journal", f"{said}确认 hotline serve 在运行、数据库可写，它会接着读。")
    return ok("journal", "话务日志都已入库。")


def unread_rows(work: UnitOfWork) -> Check:
    """Look whether rows are kept that nobody could read: cut by a crash, or hostile."""
    count = work.journal.unread_count()
    if count:
        keep = "原样加密保存着，通话记录由 queue_log 补全。"
        return warn("unread_rows", f"话务日志有 {count} 行读不懂（断电、磁盘满时会这样）：{keep}请查磁盘。")
    return ok("unread_rows", "话务日志没有读不懂的行。")


def broken_calls(work: UnitOfWork, now: datetime) -> Check:
    """Look whether the PBX died under calls since yesterday (P3)."""
    died = sum(call.outcome is Outcome.SYSTEM_FAILURE for call in work.calls.between(now - _DAY, now))
    if died:
        mend = "看 hotline calls list，能认出的请回拨；查 Asterisk 为何重启（日志、内存、电源）。"
        return warn("broken_calls", f"一天内有 {died} 通来电因 Asterisk 中断而断开，结束时间不确定。{mend}")
    return ok("broken_calls", "一天内没有来电因 Asterisk 中断而断开。")


def clock_synchronised(synchronised: bool | None) -> Check:
    """Look whether something keeps the clock right; None: nobody can tell."""
    if synchronised is False:
        return warn("ntp", "系统时钟没有同步：运行 timedatectl set-ntp true，或查 chrony。")
    if synchronised is None:
        return warn("ntp", "看不出系统时钟是否同步：请确认装有 chrony 或 systemd-timesyncd。")
    return ok("ntp", "系统时钟已同步。")


def _size(behind: int) -> str:
    return f"{behind / (1 << 20):.1f} MB" if behind >= 1 << 20 else f"{max(1, behind >> 10)} KB"
