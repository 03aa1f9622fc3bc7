"""What `hotline doctor` says: one check, one sentence, and the mend in it. No personal data, no actor.

Each check is a small function of what it looks at; `checked` keeps one that fails from hiding the others.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from callcenter.domain.audit_chain import Fault
from callcenter.errors import CallCenterError
from callcenter.escrow import digest, load_escrow
from callcenter.keys import KeyRing
from callcenter.ports import UnitOfWork
from callcenter.safekept import BackupMark
from callcenter.service.privacy import audit
from ivr.errors import IvrError
from scheduler.errors import SchedulerError

#: Above this much in use there is still room to act, and below it there is not (of the whole disk).
_SCARCE, _FULL = 0.20, 0.10
#: A clock that runs so far behind the newest audit entry was set back.
_CLOCK_SLACK = timedelta(minutes=1)
#: A backup that is later than this many of its own periods was missed.
_MISSED = 2


class State(StrEnum):
    """How a check went."""

    OK = "ok"
    #: To be mended soon; the line serves meanwhile.
    WARN = "warn"
    #: The line is not healthy.
    BAD = "bad"


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing looked at."""

    id: str
    state: State
    sentence: str


def ok(name: str, sentence: str) -> Check:
    """Return a check that found nothing wrong."""
    return Check(id=name, state=State.OK, sentence=sentence)


def warn(name: str, sentence: str) -> Check:
    """Return a check that found something to be mended soon."""
    return Check(id=name, state=State.WARN, sentence=sentence)


def bad(name: str, sentence: str) -> Check:
    """Return a check that found the line unhealthy."""
    return Check(id=name, state=State.BAD, sentence=sentence)


def checked(name: str, look: Callable[[], Check]) -> Check:
    """Return what a check found; one that cannot even look is red and says why."""
    try:
        return look()
    except (CallCenterError, IvrError, SchedulerError) as error:
        return bad(name, f"检查不了:{str(error).splitlines()[0]}")
    except OSError as error:
        return bad(name, f"检查不了:{error.filename or name}:{error.strerror}")


def key_file(ring: KeyRing) -> Check:
    """Look whether the key file, which was just read, waits for the end of a change."""
    if len(ring.versions) > 1:
        return warn(
            "key_file",
            f"密钥正在更换(版本 {'、'.join(map(str, ring.versions))}):hotline keys rotate,再 keys retire。",
        )
    return ok("key_file", f"密钥文件完好,只有本账号能读,字段密钥版本 {ring.current}。")


def key_escrow(note: Path, copy: Path, keys: Path) -> Check:
    """Look whether the recovery key was made, is proven to be kept, and opens the keys of today (P11)."""
    escrow = load_escrow(note)
    if escrow is None:
        return bad("key_escrow", "还没有恢复密钥:机器或密钥丢了就什么都读不出来。运行 hotline keys escrow。")
    if not escrow.is_confirmed:
        return bad("key_escrow", "恢复密钥还没有证明保存好了。照着纸运行 hotline keys confirm。")
    if not copy.exists() or escrow.copy_of != digest(keys.read_bytes()):
        return bad("key_escrow", "密钥文件的加密副本不在或已过时。运行 hotline keys copy。")
    return ok(
        "key_escrow", f"恢复密钥由 {escrow.confirmed_by} 于 {escrow.confirmed_at:%Y-%m-%d} 确认保存好。"
    )


def last_backup(mark: BackupMark | None, now: datetime, every: timedelta) -> Check:
    """Look whether the last backup is younger than twice its period."""
    if mark is None:
        return bad("backup", "从来没有备份过。运行 hotline backup 文件,或在 [backup] 里设 folder。")
    age = now - mark.made_at
    hours = int(age.total_seconds() // 3600)
    if age > every * _MISSED:
        return bad(
            "backup", f"最近一次备份在 {hours} 小时以前。运行 hotline backup 文件,或查 [backup] 的 folder。"
        )
    if not Path(mark.file).exists():
        return warn("backup", f"最近一次备份({hours} 小时前)已不在原处。若已移到别处,可以不管。")
    return ok("backup", f"最近一次备份在 {hours} 小时前,{mark.rows} 行。")


def audit_chain(work: UnitOfWork, folder: Path) -> Check:
    """Look whether the audit is one unbroken chain up to, and past, the head that was noted."""
    verdict = audit.look(work, folder)
    if verdict.fault in (Fault.NO_HEAD, Fault.EMPTY):
        return bad("audit", "记下的链头不在,或留痕被清空:末尾是否被截去无从核对。运行 hotline audit verify。")
    if not verdict.is_whole:
        return bad(
            "audit", f"操作留痕在第 {verdict.bad_seq} 条不完整。运行 hotline audit verify,并查明是谁。"
        )
    return ok("audit", f"操作留痕完好,{verdict.entries} 条。")


def sealed_columns(broken: Mapping[str, int]) -> Check:
    """Look whether a sample of every sealed column opened; `broken`: table -> rows that did not."""
    if broken:
        tables = "、".join(f"{table} {count} 行" for table, count in broken.items())
        return bad("sealed", f"有内容打不开({tables})。密钥文件不是原来的,或数据损坏:请恢复备份。")
    return ok("sealed", "抽查的加密内容都打得开。")


def clock(work: UnitOfWork, now: datetime) -> Check:
    """Look whether the clock runs behind what was already written."""
    newest = work.audit.recent(1)
    if newest and newest[0].at > now + _CLOCK_SLACK:
        return bad("clock", "时钟比最近的留痕还早,多半被往回拨过。校准系统时间并启用 NTP。")
    return ok("clock", "系统时钟没有被往回拨过。")


def private_folders(pbx_home: Path, recordings: Path) -> Check:
    """Look whether folders with names, numbers and voices in them are closed to others."""
    wanted = [
        pbx_home / "log",
        pbx_home / "etc",
        pbx_home / "lib",
        pbx_home / "spool" / "messages",
        pbx_home / "spool" / "recordings",
        recordings,
    ]
    open_ones = [path for path in wanted if path.is_dir() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    if open_ones:
        return bad("folders", f"别人能进 {open_ones[0]}。运行 chmod 700 {' '.join(map(str, open_ones))}")
    return ok("folders", "话务日志、配置、留言和录音的文件夹只有本账号能进。")


def unsealed_messages(spools: Sequence[Path], now: datetime) -> Check:
    """Look whether messages and recorded talks lie in clear for longer than a call and a minute take."""
    seen = {wav: wav.lstat() for spool in spools for wav in spool.glob("*.wav")}
    odd = [wav.name for wav, found in seen.items() if not stat.S_ISREG(found.st_mode)]
    if odd:
        return warn(
            "messages", f"留言或录音文件夹里有不是普通文件的东西,请查明后移走:{'、'.join(sorted(odd)[:3])}。"
        )
    old = [found for found in seen.values() if now.timestamp() - found.st_mtime > 3600]
    if old:
        return bad(
            "messages",
            f"{len(old)} 条留言或录音没有加密,已超过一小时。确认 hotline serve 在运行,并查它的日志。",
        )
    return ok("messages", "没有久未加密的留言和录音。")


def disk(folders: Mapping[str, Path]) -> Check:
    """Look whether each disk has room and takes writes: a full one loses the journal without a word.

    `folders`: what is kept -> where; of two on one disk the last gives its name.
    """
    disks = {path.stat().st_dev: (kept, path) for kept, path in folders.items() if path.is_dir()}
    worst_first = sorted((_room(path), kept, path) for kept, path in disks.values())
    if not worst_first:
        return bad("disk", "数据的文件夹不在。运行 hotline init，或查 home。")
    free, kept, path = worst_first[0]
    said = f"{kept}所在的磁盘剩余 {max(free, 0.0):.0%}"
    if free < 0:
        return bad("disk", f"{kept}所在的磁盘只许读，什么也写不进去：看 dmesg，多半是磁盘坏了，请换盘。")
    if free < _FULL:
        return bad("disk", f"{said}：写满了话务日志会无声地丢失。立刻腾地方（{path}），不要删话务日志。")
    if free < _SCARCE:
        return warn("disk", f"{said}，请清理（{path}）。")
    return ok("disk", f"{said}。")


def _room(path: Path) -> float:
    """Return how much of a disk is free, 0 to 1; less than nothing where it takes no writes."""
    usage = shutil.disk_usage(path)
    return -1.0 if os.statvfs(path).f_flag & os.ST_RDONLY else usage.free / usage.total


def worst(checks: Iterator[Check] | list[Check]) -> State:
    """Return the worst state of all."""
    order = list(State)
    return max((check.state for check in checks), key=order.index, default=State.OK)
