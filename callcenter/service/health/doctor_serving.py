"""What `hotline doctor` says of the processes that serve a line, as they are seen from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from callcenter.service.health.doctor import Check, bad, ok, warn

BRIDGE, SCHEDULER = "bridge", "scheduler"
#: A bridge looks at the line every ten seconds; on a locked SQLite a look takes half a minute or two.
_LOOKS_WITHIN = timedelta(minutes=2)
#: What goes on meanwhile, and what does not.
_MEANWHILE = "不妨碍 Asterisk 接来电，记录等在话务日志里；但没有人看线路、跟排班、拨回访。"
#: The same where only schedulers hang: whoever was stopped while leading keeps the lead.
_UNDIALLED = "不妨碍来电和记录；但带头的若是它，没有人拨回访。"
_CHECKS = {
    "loops": "有循环不转了，重启后台服务",
    "store": "它用不了数据库，看“数据库”那几项",
    "telephony": "它连不上 Asterisk，看“Asterisk”那一项；那里没有问题的，半分钟内会自己重连",
    "roster": "队列还没有跟上排班，一分钟后再看",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """One `hotline serve` of this site, on this machine."""

    pid: int
    parts: frozenset[str]
    #: It was stopped (SIGSTOP): alive, and does nothing.
    stopped: bool = False
    age: timedelta = timedelta(hours=1)
    #: How long its service manager lets it stand still; None: nobody watches over it.
    watched: timedelta | None = None
    #: The unit of systemd it belongs to; empty: it was started by hand.
    unit: str = ""
    #: Where it says how it is; 0: nowhere.
    port: int = 0


class Silence(Enum):
    """Why a process did not say how it is."""

    #: Nobody listens there.
    NOBODY = "nobody"
    #: Somebody took the question and gave no answer.
    MUTE = "mute"
    #: What answers is not ours.
    STRANGER = "stranger"


#: What `/readyz` says (its `checks`), or why it says nothing.
Answer = Mapping[str, bool] | Silence
_NONE: Mapping[int, Answer] = {}


def serving(
    processes: Sequence[Process],
    looked_at: datetime | None,
    now: datetime,
    *,
    start: str,
    can_store: bool,
    answers: Mapping[int, Answer] = _NONE,
) -> Check:
    """Look whether a bridge serves and turns.

    `looked_at`: when one last looked at the whole line (it then rearms the PBX's watchdog); `start`: the
    command that starts one here; `can_store`: whether the store can be written, without which none looks;
    `answers`: port -> what came back, as for `ready`.
    """
    stopped = [p for p in processes if p.stopped]
    if stopped:
        return _hung(stopped, "被暂停了，什么也不做")
    bridges = [p for p in processes if BRIDGE in p.parts]
    if not bridges and any("roster" in answer for answer in answers.values() if isinstance(answer, Mapping)):
        return ok("serving", "后台服务在运行：看不到它的进程（在容器里，或用别的账号），但它有应答。")
    if not bridges:
        return _nobody(processes, looked_at, now, start)
    if not can_store:
        return ok("serving", "后台服务在运行，在等数据库回来。")
    ago = None if looked_at is None else now - looked_at
    if (ago is None or ago > _LOOKS_WITHIN) and all(p.age > _LOOKS_WITHIN for p in bridges):
        since = "一次也没有看过线路" if ago is None else f"有 {_span(ago)}没有看过线路"
        return _hung(bridges, f"在运行，却{since}：僵住了，或写不了电话系统的 spool 文件夹")
    if len(bridges) > 1:
        pids = "、".join(str(p.pid) for p in bridges)
        said = f"这条线上有 {len(bridges)} 个后台服务（进程 {pids}）在做同一件事：记录不会重复，但白费力气。"
        return warn("serving", f"{said}留下由 systemd 守护的，停掉别的。")
    return ok("serving", "后台服务在运行。" if ago is None else f"后台服务在运行，{_span(ago)}前看过线路。")


def _nobody(processes: Sequence[Process], looked_at: datetime | None, now: datetime, start: str) -> Check:
    if processes:
        said = "这台机器上只有调度（scheduler）在运行，没有 bridge：没有人读话务日志、跟排班、看线路。"
        return bad("serving", f"{said}运行 {start}。")
    last = "" if looked_at is None else f"（最后一次看线路在 {_span(now - looked_at)}前）"
    return bad("serving", f"后台服务没有在运行{last}：{_MEANWHILE}运行 {start}。")


def _hung(hung: Sequence[Process], what: str) -> Check:
    pids = "、".join(str(p.pid) for p in hung)
    meanwhile = _MEANWHILE if any(BRIDGE in p.parts for p in hung) else _UNDIALLED
    return bad("serving", f"后台服务（进程 {pids}）{what}。{meanwhile}{_restart(hung)}")


def _restart(hung: Sequence[Process]) -> str:
    """Return how to start these anew; the PBX is left alone."""
    units = sorted({p.unit for p in hung if p.unit})
    by_hand = [str(p.pid) for p in hung if not p.unit]
    parts = [f"运行 systemctl restart {' '.join(units)}"] if units else []
    starts = sorted({_start(p.parts) for p in hung if not p.unit})
    parts += [f"先 kill -9 {' '.join(by_hand)}，再启动 {'、'.join(starts)}"] if by_hand else []
    return f"{'；'.join(parts)}。随时可以这样做，什么也不会丢。"


def _start(parts: frozenset[str]) -> str:
    return f"hotline serve {next(iter(parts))}" if len(parts) == 1 else "hotline serve"


def watched(processes: Sequence[Process]) -> Check:
    """Look whether somebody starts the processes anew when they end or hang."""
    alone = [str(p.pid) for p in processes if p.watched is None]
    if alone:
        said = f"后台服务（进程 {'、'.join(alone)}）没有 systemd 守护：它僵住或退出，没有人重新启动它。"
        return warn("watchdog", f"{said}照 docs/howto/operator.zh-CN.md 的“交给 systemd”装上。")
    longest = max((p.watched for p in processes if p.watched), default=timedelta(0))
    return ok("watchdog", f"后台服务由 systemd 守护，僵住 {_span(longest)}就会被重新启动。")


def lead(led: bool, *, start: str) -> Check:
    """Look whether one of the schedulers leads."""
    if led:
        return ok("lead", "有一个调度在带头：到期的回访会拨出去。")
    said = "没有调度（scheduler）在带头：到期的回访一通也不会自动拨出，欠着的仍然欠着。"
    return bad("lead", f"{said}运行 {start}。")


def ready(answers: Mapping[int, Answer], processes: Sequence[Process]) -> Check:
    """Look what each process says of itself; `answers`: port -> what came back."""
    wrong = {port: said for port, answer in answers.items() if (said := _wrong(answer))}
    shared = sorted(port for port, count in Counter(p.port for p in processes if p.port).items() if count > 1)
    if shared and not wrong:
        ports = "、".join(map(str, shared))
        said = f"几个后台服务用同一个端口（{ports}），只有一个在应答，别的怎样看不到。"
        return warn("ready", f"{said}给每个进程各设一个 HOTLINE_HEALTH__PORT，再重启它们。")
    if not wrong:
        return ok("ready", "后台服务自己也说一切就绪。")
    young = {p.port for p in processes if p.age < _LOOKS_WITHIN}
    soon = all(port in young and answers[port] not in (Silence.MUTE, Silence.STRANGER) for port in wrong)
    said = (
        f"后台服务说自己还不能干活（{'；'.join(f'端口 {port}：{what}' for port, what in wrong.items())}）。"
    )
    return warn("ready", f"{said}刚启动的，过两分钟再看。") if soon else bad("ready", said)


def _wrong(answer: Answer) -> str:
    match answer:
        case Silence.NOBODY:
            return "没有人在听，后台服务没有在运行，或没有打开这个端口"
        case Silence.MUTE:
            return "连得上却不应答，那个进程僵住了，重启后台服务"
        case Silence.STRANGER:
            return "应答的不是后台服务，端口被别的程序占了，换一个 health.port"
        case checks:
            return "，".join(_CHECKS.get(name, name) for name, holds in checks.items() if not holds)


def _span(span: timedelta) -> str:
    """Return a length of time in the largest whole unit."""
    seconds = max(0, int(span.total_seconds()))
    for unit, length in (("天", 86400), ("小时", 3600), ("分钟", 60)):
        if seconds >= 2 * length or (unit == "分钟" and seconds >= 60):
            return f"{seconds // length} {unit}"
    return f"{seconds} 秒"
