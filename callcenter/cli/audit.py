"""`hotline audit`: who did what, when and why; and the proof that nothing of it was changed."""

from __future__ import annotations

from datetime import datetime

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, show_one, show_rows
from callcenter.cli.retention import hold, holds, release, retention, tombstones
from callcenter.domain.audit_chain import AuditEntry, Fault, Head, Verdict
from callcenter.service.privacy import audit as audits

COLUMNS = [
    ("seq", "序号"),
    ("at", "时间"),
    ("actor", "人员"),
    ("verb", "操作"),
    ("object", "对象"),
    ("field", "字段"),
    ("reason", "原因"),
]
#: What is wrong, in words; `{}` is the entry's number.
FAULT_WORDS = {
    Fault.CHANGED: "第 {} 条与它的散列不符：这一条或（若它是第一条带散列的）更早的一条被改动、调换或插入过。",
    Fault.MISSING: "第 {} 条不见了：有记录被删除。",
    Fault.UNREADABLE: "第 {} 条读不出：内容损坏，或被换成了别的东西。",
    Fault.NO_HASH: "第 {} 条没有散列：散列被抹去；若刚升级，先做任何一项操作再核对。",
    Fault.CUT_OFF: "第 {} 条起不见了：记录的末尾被截去，或恢复了更早的备份。",
    Fault.OTHER_HEAD: "第 {} 条与记下的链头不符：整个留痕被换过。",
    Fault.NO_HEAD: "记下的链头（audit.head）不在：末尾是否被截去，无从核对。先与纸上的链头核对（--head），"
    "查明去向后由审计员或管理员重新记下：hotline audit verify --anchor --reason 理由。",
    Fault.EMPTY: "留痕是空的：一条线从建立起就有留痕，是被清空了。请从备份恢复，并查明是谁。",
}
_VERDICT = [
    ("whole", "完好"),
    ("entries", "已核对条数"),
    ("chained_from", "散列始于"),
    ("head", "链头"),
    ("bad_seq", "第一处"),
    ("finding", "问题"),
]


@click.group()
def audit() -> None:
    """操作留痕。"""


for _command in (retention, hold, holds, release, tombstones):
    audit.add_command(_command)


@audit.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="最多几条")
@click.option("--actor", "by", help="只看某人的操作（人员代码）")
@click.option("--verb", help="只看某种操作，如 people.reveal")
@click.option("--object", "object_", help="只看某个对象的历史，如 person:编号或代号")
@click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]), help="从何时起（当地时间）")
@json_option
@actor_option
@pass_app
def list_(
    app: App,
    limit: int,
    by: str | None,
    verb: str | None,
    object_: str | None,
    since: datetime | None,
    as_json: bool,
    actor: str,
) -> None:
    """列出最近的操作，新的在前。"""
    start = since.replace(tzinfo=app.settings.site.zone) if since else None
    with app.store() as work:
        found = audits.entries(work, actor=actor, limit=limit, by=by, verb=verb, object=object_, since=start)
    show_rows([_row(entry) for entry in found], COLUMNS, as_json)


@audit.command()
@click.option("--head", "paper", help="与纸上记下的链头核对，序号:散列")
@click.option("--anchor", is_flag=True, help="链头丢了：查明后，把现在的留痕认作起点，重新记下（要写理由）")
@click.option("--reason", default="", help="为什么重新记下链头，留痕（与 --anchor 同用）")
@json_option
@actor_option
@pass_app
@click.pass_context
def verify(
    ctx: click.Context, app: App, paper: str | None, anchor: bool, reason: str, as_json: bool, actor: str
) -> None:
    """核对留痕是否被改动、删除、插入、调换或截去。发现问题时退出码为 1。"""
    given = Head.parse(paper) if paper is not None else None
    if anchor:
        _anchor(app, actor, reason)
    with app.store() as work:
        verdict = audits.examine(work, app.settings.home, actor=actor, paper=given)
    row = _verdict(verdict)
    show_one(row if as_json else {k: v for k, v in row.items() if v is not None}, _shown(verdict), as_json)
    if not as_json and verdict.head is not None and verdict.is_whole:
        click.echo("请把链头抄在纸上，注明日期：以后用 --head 核对，末尾被截去也看得出来。")
    if not verdict.is_whole:
        ctx.exit(1)


def _anchor(app: App, actor: str, reason: str) -> None:
    with app.store() as work:
        audits.anchor(work, actor=actor, now=app.clock(), reason=reason)
        work.commit()
        audits.note_head(work, app.settings.home, anew=True)


def _shown(verdict: Verdict) -> list[tuple[str, str]]:
    found_only = {"bad_seq", "finding"}
    return [(key, title) for key, title in _VERDICT if key not in found_only or not verdict.is_whole]


def _verdict(verdict: Verdict) -> dict[str, object]:
    return {
        "whole": verdict.is_whole,
        "entries": verdict.entries,
        "chained_from": verdict.chained_from,
        "head": str(verdict.head) if verdict.head else None,
        "fault": verdict.fault,
        "bad_seq": verdict.bad_seq,
        "finding": FAULT_WORDS[verdict.fault].format(verdict.bad_seq) if verdict.fault else None,
    }


def _row(entry: AuditEntry) -> dict[str, object]:
    return {
        "seq": entry.seq,
        "at": entry.at,
        "actor": entry.actor,
        "verb": entry.verb,
        "object": entry.object,
        "field": entry.field,
        "reason": entry.reason,
    }
