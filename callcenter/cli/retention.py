"""`hotline audit retention`, `hold`, `holds`, `release`, `tombstones`: what is kept, and what went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, show_one, show_rows
from callcenter.domain.privacy import Hold
from callcenter.domain.retention import Going, Plan, Rule
from callcenter.errors import Refused
from callcenter.service.privacy import holds as holding
from callcenter.service.privacy import retention as retaining

#: What goes by a rule, in words.
RULE_WORDS = {
    Rule.FORMS: "接访记录的内容、评估、草稿",
    Rule.CASES: "已结案的个案、经过、救援",
    Rule.HANDOVERS: "来电的交接",
    Rule.DEBRIEFS: "支持性谈话的备注",
    Rule.LISTENINGS: "听线的理由",
    Rule.SHEETS: "交班单的内容",
    Rule.RECORDINGS: "来电者的留言、通话录音",
    Rule.CALLS: "通话的号码和按键留下的内容",
    Rule.REQUESTS: "本人的查阅、更正、删除申请",
    Rule.PEOPLE: "姓名、号码、生日（及其同意的凭据）",
    Rule.BLOCKS: "到期的拦截",
    Rule.LOGINS: "登录记录",
    Rule.EXPORTS: "导出登记",
    Rule.UNREAD: "读不懂的话单行",
    Rule.HOLDS: "已解除的保全",
}
_PLAN = [("rule", "规则"), ("what", "内容"), ("goes", "到期"), ("held", "保全")]
_HOLDS = [
    ("id", "编号"),
    ("object", "对象"),
    ("by", "由谁"),
    ("at", "何时"),
    ("reason", "理由"),
    ("released_at", "解除"),
]
_STONES = [("at", "何时"), ("object", "对象"), ("rule", "规则"), ("by", "由谁"), ("reason", "理由")]


@click.command()
@click.option("--dry-run", is_flag=True, help="只看会删除什么，不写入；给出清单编号")
@click.option("--plan", "token", help="当天 --dry-run 给出的清单编号")
@click.option("--reason", default="", help="为什么现在执行，如：年度清理")
@json_option
@actor_option
@pass_app
def retention(app: App, dry_run: bool, token: str | None, reason: str, as_json: bool, actor: str) -> None:
    """删除保存期满的内容：先看清单，再凭清单编号执行。被依法保全的不删除。"""
    if dry_run or token is None:
        if not dry_run:
            raise Refused("先看清单：hotline audit retention --dry-run；再用它给出的编号执行：--plan 编号。")
        _show_plan(_plan(app, actor), as_json)
        return
    if not reason.strip():
        raise Refused("请写明理由：--reason。")
    agreed = _plan(app, actor, token)
    gone = [_take(app, batch, actor, reason) for batch in agreed.batches(retaining.BATCH)]
    removed = sum(len(one.objects) for one in gone)
    kept = [thing for one in gone for thing in one.kept]
    if as_json:
        show_one({"plan": token, "removed": removed, "kept": kept}, [], as_json=True)
        return
    click.echo(f"已删除 {removed} 项，每项都留有删除记录：hotline audit tombstones")
    if kept:
        click.echo(f"看过清单之后情况有变，保留了 {len(kept)} 项。")


def _plan(app: App, actor: str, token: str | None = None) -> Plan:
    terms, zone, now = app.settings.retention.terms, app.settings.site.zone, app.clock()
    with app.store() as work:
        if token is None:
            return retaining.plan(work, actor=actor, now=now, terms=terms, zone=zone)
        return retaining.agreed(work, token, actor=actor, now=now, terms=terms, zone=zone)


def _take(app: App, batch: Sequence[Going], actor: str, reason: str) -> retaining.Gone:
    """Take one batch away, and then the sound files that nothing names any more."""
    with app.store() as work:
        gone = retaining.run(
            work,
            batch,
            actor=actor,
            now=app.clock(),
            reason=reason,
            terms=app.settings.retention.terms,
            zone=app.settings.site.zone,
        )
        work.commit()
    for name in gone.files:
        (app.settings.recordings_folder / Path(name).name).unlink(missing_ok=True)
    return gone


def _show_plan(plan: Plan, as_json: bool) -> None:
    counts = plan.counts()
    rows = [
        {"rule": rule, "what": RULE_WORDS[rule], "goes": counts.get(rule, 0), "held": plan.held.get(rule, 0)}
        for rule in Rule
    ]
    if as_json:
        going = [{"rule": one.rule, "object": one.object, "since": one.since} for one in plan.going]
        show_one({"plan": plan.token, "day": plan.day, "rules": rows, "going": going}, [], as_json=True)
        return
    show_rows(rows, _PLAN)
    if not plan.going:
        click.echo("没有保存期满的内容。")
        return
    click.echo(f"共 {len(plan.going)} 项到期。逐项查看：--dry-run --json")
    click.echo(f"今天之内执行：hotline audit retention --plan {plan.token} --reason 理由")


@click.command()
@click.argument("object_", metavar="OBJECT")
@click.option("--reason", required=True, help="为什么保全，如：法院调取通知的文号")
@actor_option
@pass_app
def hold(app: App, object_: str, reason: str, actor: str) -> None:
    """依法保全 person:编号 或 session:编号：此人的一切到解除为止都不删除。"""
    with app.store() as work:
        made = holding.set_hold(work, object_, actor=actor, now=app.clock(), reason=reason)
        work.commit()
    click.echo(f"已保全 {made.object}。解除：hotline audit release {made.id} --reason 理由")


@click.command()
@click.option("--all", "released", is_flag=True, help="已解除的也列出")
@json_option
@actor_option
@pass_app
def holds(app: App, released: bool, as_json: bool, actor: str) -> None:
    """列出依法保全的对象。"""
    with app.store() as work:
        found = holding.holds(work, actor=actor, released=released)
    show_rows([_hold_row(one) for one in found], _HOLDS, as_json)


@click.command()
@click.argument("hold_id")
@click.option("--reason", required=True, help="为什么解除")
@click.option("--dry-run", is_flag=True, help="只看会解除哪一项，不写入")
@actor_option
@pass_app
def release(app: App, hold_id: str, reason: str, dry_run: bool, actor: str) -> None:
    """解除一项保全；此后按保存期处理。"""
    with app.store() as work:
        done = holding.release_hold(work, hold_id, actor=actor, now=app.clock(), reason=reason)
        if not dry_run:
            work.commit()
    click.echo(f"{'将' if dry_run else '已'}解除对 {done.object} 的保全。")


@click.command()
@click.option("--object", "object_", help="只看某个对象，如 session:编号")
@json_option
@actor_option
@pass_app
def tombstones(app: App, object_: str | None, as_json: bool, actor: str) -> None:
    """列出删除记录：什么、何时、由谁、依据哪条规则删除。"""
    with app.store() as work:
        found = retaining.tombstones(work, actor=actor, object=object_)
    rows = [{"at": s.at, "object": s.object, "rule": s.rule, "by": s.by, "reason": s.reason} for s in found]
    show_rows(rows, _STONES, as_json)


def _hold_row(hold: Hold) -> dict[str, object]:
    return {
        "id": hold.id,
        "object": hold.object,
        "by": hold.by,
        "at": hold.at,
        "reason": hold.reason,
        "released_at": hold.released_at,
        "released_by": hold.released_by,
    }
