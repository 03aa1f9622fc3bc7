"""Words of the roster: kinds of shifts, what a plan lacks."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo

import click

from callcenter.cli.common import say
from callcenter.cli.duty_time import span
from callcenter.domain.plan_rules import PERSONAL, Fault, Lack
from callcenter.domain.roster import SwapState

LACKS = {
    Lack.NOBODY: "无人值班",
    Lack.THIN: "席位不足",
    Lack.TRAINEE_ALONE: "只有见习人员",
    Lack.NO_SUPERVISOR: "没有可呼叫的督导",
    Lack.NO_BACKUP: "备班不足",
    Lack.OVERLAP: "同一时间排了两个班",
    Lack.NIGHTS: "连续夜班太多",
    Lack.INACTIVE: "已停用,或没有这个人员",
    Lack.NO_PHONE: "没有话机",
    Lack.NO_ROLE: "没有这个班要的角色",
}
SWAP_STATES = {
    SwapState.OFFERED: "待接",
    SwapState.TAKEN: "待批准",
    SwapState.APPROVED: "已批准",
    SwapState.REFUSED: "未同意",
    SwapState.WITHDRAWN: "已撤回",
}


def say_fault(fault: Fault, zone: ZoneInfo) -> str:
    """Return what is wrong, when and with whom, in a line."""
    who = "、".join(sorted(fault.agents))
    when = span(fault.start, fault.end, zone)
    if fault.lack in PERSONAL:
        return f"{when} {who} {LACKS[fault.lack]}"
    return f"{when} {LACKS[fault.lack]}" + (f"(只有 {who})" if who else "")


def warn_of(faults: Iterable[Fault], zone: ZoneInfo) -> None:
    """Print what is wrong, a line each."""
    for fault in faults:
        say(f"注意:{say_fault(fault, zone)}", further="  ")


def fault_row(fault: Fault) -> dict[str, object]:
    """Return what is wrong as a machine reads it."""
    return {
        "lack": fault.lack,
        "start": fault.start,
        "end": fault.end,
        "length": fault.end - fault.start,
        "agents": fault.agents,
    }


def say_dry(is_dry: bool) -> None:
    """Print that nothing was written, where it was not."""
    if is_dry:
        click.echo("(试算,没有写入)")
