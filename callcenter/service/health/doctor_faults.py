"""What `hotline doctor` says of faults a line survives: what was hit, what waits, the mend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo

from callcenter.domain.calls import Direction, Outcome
from callcenter.errors import CallCenterError
from callcenter.ports import UnitOfWork
from callcenter.service.health.doctor import Check, bad, ok, warn
from callcenter.words import ALARMS
from scheduler.urgency import is_lost

#: So much may be written between two readings of a busy line, bytes.
_BEHIND = 1 << 20
#: The journal is read five times a second: what waited for so long was not read.
_STALE = timedelta(minutes=2)
_DAY = timedelta(days=1)
#: The result of a call of ours is told within so long, once the call is over.
_TOLD_WITHIN = timedelta(minutes=2)
#: A call that is said to go on for longer does not.
_LONGEST_CALL = timedelta(hours=3)
#: Debts that are looked into, the most pressing ones.
_MOST = 500

_WAITS = "不妨碍 Asterisk 接来电，记录等在话务日志里；修好后自动补上。"
_DISK_OF_JOURNAL = "不妨碍 Asterisk 接来电，但话务日志若在同一块磁盘上，也写不进去，会丢。"
#: By an error's name: what is wrong and its mend, where the store is a file of ours, and at a server.
_TROUBLES = {
    "store_busy": (
        "正忙，被别的程序占着（备份软件、打开数据库的工具）。关掉那个程序。",
        "正忙，别的连接占着锁。看 PostgreSQL 的 pg_stat_activity，结束那个连接。",
    ),
    "store_full": (
        "磁盘满了。立刻腾地方：先删别的软件的东西，不要删 log/cel-custom。",
        "数据库服务器的磁盘满了。立刻在那台机器上腾地方。",
    ),
    "store_read_only": (
        "只读。多半是磁盘出错，系统不再许写：看 dmesg，换盘，再 hotline restore。",
        "只读。PostgreSQL 设了 default_transaction_read_only，或连到了备库：改回可写，或改 database.url。",
    ),
    "store_unreachable": (
        "打不开数据库文件。查 database.url 和文件夹的权限。",
        "没有应答。看 systemctl status postgresql，启动它；还不行，查 database.url。",
    ),
}


def database(is_current: Callable[[], bool], *, at_server: bool, disk_reads_only: bool = False) -> Check:
    """Look whether the database answers and its tables are the present ones.

    `disk_reads_only`: its disk takes no writes; SQLite cannot even read then, and does not say why.
    """
    try:
        if is_current():
            return ok("database", "数据库能连上,表是最新的。")
    except CallCenterError as error:
        trouble = "store_read_only" if disk_reads_only else error.error_id
        return bad("database", f"数据库用不了：{_trouble(trouble, error, at_server)}")
    return bad("database", "数据库的表还没有建或已过时。运行 hotline init。")


def store_writes(write: Callable[[], object], *, at_server: bool) -> Check:
    """Look whether the store can be written; `write` tries and leaves nothing behind."""
    try:
        write()
    except CallCenterError as error:
        return bad("store_writes", f"数据库现在写不进去：{_trouble(error.error_id, error, at_server)}")
    return ok("store_writes", "数据库可以写入。")


def _trouble(name: str, error: CallCenterError, at_server: bool) -> str:
    """Return what is wrong with the store, its mend, and what becomes of callers meanwhile."""
    here, there = _TROUBLES.get(name, ("", ""))
    said = (there if at_server else here) or str(error).splitlines()[0]
    on_journals_disk = not at_server and name in ("store_full", "store_read_only")
    return said + (_DISK_OF_JOURNAL if on_journals_disk else _WAITS)


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


def broken_calls(work: UnitOfWork, now: datetime, zone: tzinfo) -> Check:
    """Look whether the PBX died under callers since yesterday (P3)."""
    calls = [call for call in work.calls.between(now - _DAY, now) if call.direction is Direction.INBOUND]
    unheard = [call for call in calls if call.outcome is Outcome.SYSTEM_FAILURE]
    cut_off = [call for call in calls if call.outcome is Outcome.ANSWERED and call.end_is_uncertain]
    if not unheard and not cut_off:
        return ok("broken_calls", "一天内没有来电因 Asterisk 中断而断开。")
    days = sorted({call.started_at.astimezone(zone).date() for call in (*unheard, *cut_off)})
    lists = "、".join(f"hotline calls list --day {day}" for day in days)
    kinds = ((unheard, "还没有等到人"), (cut_off, "已经接通"))
    parts = "，".join(f"{len(some)} 通{what}" for some, what in kinds if some)
    said = (
        f"一天内有 {len(unheard) + len(cut_off)} 通来电因 Asterisk 中断而断开（{parts}），对方可能在等回电。"
    )
    mend = f"看 {lists}，能认出的请回拨；查 Asterisk 为何重启（日志、内存、电源）。"
    return warn("broken_calls", f"{said}{mend}")


def attempts_in_doubt(work: UnitOfWork, now: datetime, zone: tzinfo) -> Check:
    """Look whether calls of ours wait for their result longer than it takes to find out (P2)."""
    live = {call.id for call in work.calls.open_calls()}
    late = [
        attempt
        for attempt in work.debts.attempts_in_doubt()
        if now - attempt.at > (_LONGEST_CALL if attempt.id in live else _TOLD_WITHIN)
    ]
    if late:
        first = late[0]
        since = f"最早的在 {first.at.astimezone(zone):%m-%d %H:%M}"
        mend = "后台服务、Asterisk 和数据库都好了，几分钟内自己弄清。先不要补拨：看"
        said = f"有 {len(late)} 通回访电话不知道结果，{since}。"
        return warn("attempts_in_doubt", f"{said}{mend} hotline queue why {first.obligation}。")
    return ok("attempts_in_doubt", "没有迟迟不知道结果的回访电话。")


def attempts_lost(work: UnitOfWork, now: datetime) -> Check:
    """Look whether debts wait for a person because nobody will ever tell how their last call ended."""
    owed = [debt.id for debt in work.debts.page(now, limit=_MOST)]
    attempts = work.debts.attempts_of(owed)
    lost = [debt for debt in owed if is_lost(attempts.get(debt, ()))]
    if lost:
        said = f"有 {len(lost)} 件联系，上一通电话结果不明，再也弄不清：要人看过，再决定打不打。"
        return warn("attempts_lost", f"{said}看 hotline queue list、hotline queue why {lost[0]}。")
    return ok("attempts_lost", "没有因结果不明而等人看的联系。")


def alarms(work: UnitOfWork) -> Check:
    """Look whether alarms stand that nobody has answered."""
    standing = Counter(ALARMS[alarm.kind] for alarm in work.alarms.open())
    if standing:
        kinds = "、".join(kind if count == 1 else f"{kind}（{count}）" for kind, count in standing.items())
        said = f"有 {standing.total()} 个告警没有人确认：{kinds}。"
        return warn("alarms", f"{said}看 hotline alarm list --open，再 hotline alarm ack 编号。")
    return ok("alarms", "没有等人确认的告警。")


def clock_synchronised(synchronised: bool | None) -> Check:
    """Look whether something keeps the clock right; None: nobody can tell."""
    if synchronised is False:
        return warn("ntp", "系统时钟没有同步：运行 timedatectl set-ntp true，或查 chrony。")
    if synchronised is None:
        return warn("ntp", "看不出系统时钟是否同步：请确认装有 chrony 或 systemd-timesyncd。")
    return ok("ntp", "系统时钟已同步。")


def _size(behind: int) -> str:
    return f"{behind / (1 << 20):.1f} MB" if behind >= 1 << 20 else f"{max(1, behind >> 10)} KB"
