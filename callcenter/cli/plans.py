"""`hotline plans`: contacts agreed again and again, the day before a hospital day or each month."""

from __future__ import annotations

import re
from datetime import date, datetime, time

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, check_year, json_option, pass_app, say, show_one, show_rows
from callcenter.domain.ledger import PlanKind, PlanState
from callcenter.errors import Refused
from callcenter.service.followup import planning as service
from callcenter.service.followup.debts import rules_of
from callcenter.service.followup.plan_steps import day_of
from callcenter.service.followup.planning import PlanView
from callcenter.words import PLAN_WORDS, rhythm_words

_DAY = click.DateTime(["%Y-%m-%d"])
_HOUR = click.DateTime(["%H:%M"])
_EVERY = re.compile(r"([1-9][0-9]{0,2})(d|m)")
_BEFORE = re.compile(r"([0-9]{1,2})d?")
_STATES = {PlanState.ACTIVE: "进行中", PlanState.ENDED: "已结束"}
_ROWS = [
    ("id", "编号"),
    ("code", "对象"),
    ("kind_text", "事由"),
    ("every_text", "间隔"),
    ("day", "下一个日子"),
    ("due_text", "应联系"),
    ("owner", "负责"),
]
_SHOW = [
    *_ROWS,
    ("anchor", "起算"),
    ("days_before", "提前天数"),
    ("hour", "联系时刻"),
    ("until", "终止"),
    ("about", "说明"),
    ("owed", "当前待办"),
    ("state_text", "状态"),
    ("ended_because", "结束理由"),
    ("round", "改期次数"),
    ("by", "订立人"),
    ("at", "订立时间"),
]
reason_option = click.option("--reason", required=True, help="理由")
hour_option = click.option("--at", "hour", type=_HOUR, help="几点起应联系，如 10:00")
owner_option = click.option("--owner", help="由谁联系（人员代码）")
about_option = click.option("--about", help="说明，如就诊的医院（加密保存）")


@click.group()
def plans() -> None:
    """联系计划：就诊前一天的电话、每月的会谈。"""


@plans.command()
@click.argument("person", metavar="对象")
@click.option("--kind", type=click.Choice([k.value for k in PlanKind]), default="hospital_day", help="事由")
@click.option("--every", required=True, help="间隔：21d 为每 21 天，1m 为每个月")
@click.option("--from", "anchor", type=_DAY, required=True, help="从哪一天起算：一个就诊日，或第一次会谈")
@click.option("--before", default="0d", help="提前几天联系，如 1d")
@click.option("--until", type=_DAY, help="到哪一天为止；不写则到有人结束它")
@hour_option
@owner_option
@about_option
@actor_option
@json_option
@pass_app
def add(
    app: App,
    person: str,
    kind: str,
    every: str,
    anchor: datetime,
    before: str,
    until: datetime | None,
    hour: datetime | None,
    owner: str | None,
    about: str | None,
    actor: str,
    as_json: bool,
) -> None:
    """订立一份联系计划，并欠下第一次联系。只由工作人员联系。

    就诊前的电话不因休息日改动；会谈遇休息日提前到最近的工作日。
    """
    days, months = _every(every)
    with app.store() as work:
        made = service.plan(
            work,
            person,
            kind=PlanKind(kind),
            anchor=_checked(anchor),
            every_days=days,
            every_months=months,
            days_before=_before(before),
            hour=hour.time() if hour else time(10),
            until=_checked(until) if until else None,
            owner=owner,
            about=about or "",
            actor=actor,
            now=app.clock(),
            rules=rules_of(app.settings),
        )
        shown = service.plan_of(work, made.id, actor=actor)
        work.commit()
    _answer(app, shown, as_json)


@plans.command("list")
@click.argument("person", metavar="[对象]", required=False)
@click.option("--all", "ended", is_flag=True, help="已结束的也列出")
@actor_option
@json_option
@pass_app
def list_(app: App, person: str | None, ended: bool, actor: str, as_json: bool) -> None:
    """列出联系计划，最先应联系的在前。"""
    with app.store() as work:
        found = service.plans(work, person=person, ended=ended, actor=actor)
    if not found and not as_json:
        say("没有联系计划。")
        return
    columns = [*_ROWS, ("state_text", "状态")] if ended else _ROWS
    show_rows([_row(app, one, as_json) for one in found], columns, as_json)


@plans.command()
@click.argument("plan", metavar="编号")
@actor_option
@json_option
@pass_app
def show(app: App, plan: str, actor: str, as_json: bool) -> None:
    """显示一份联系计划。"""
    with app.store() as work:
        found = service.plan_of(work, plan, actor=actor)
    show_one(_row(app, found, as_json), _SHOW, as_json)


@plans.command()
@click.argument("plan", metavar="编号")
@click.argument("anchor", metavar="新的日子", type=_DAY)
@reason_option
@actor_option
@json_option
@pass_app
def move(app: App, plan: str, anchor: datetime, reason: str, actor: str, as_json: bool) -> None:
    """改从另一天起算，如就诊日改了。原来欠的一次由新的代替，留有记录。"""
    now, rules = app.clock(), rules_of(app.settings)
    with app.store() as work:
        service.move(work, plan, _checked(anchor), reason=reason, actor=actor, now=now, rules=rules)
        shown = service.plan_of(work, plan, actor=actor)
        work.commit()
    _answer(app, shown, as_json)


@plans.command()
@click.argument("plan", metavar="编号")
@click.option("--every", help="间隔：21d 或 1m")
@click.option("--before", help="提前几天联系，如 1d")
@click.option("--until", type=_DAY, help="到哪一天为止")
@hour_option
@owner_option
@about_option
@reason_option
@actor_option
@json_option
@pass_app
def change(
    app: App,
    plan: str,
    every: str | None,
    before: str | None,
    until: datetime | None,
    hour: datetime | None,
    owner: str | None,
    about: str | None,
    reason: str,
    actor: str,
    as_json: bool,
) -> None:
    """更改间隔、时刻、负责人或说明，没写的不变。"""
    days, months = _every(every) if every else (None, None)
    with app.store() as work:
        service.change(
            work,
            plan,
            every_days=days,
            every_months=months,
            days_before=_before(before) if before else None,
            hour=hour.time() if hour else None,
            until=_checked(until) if until else None,
            owner=owner,
            about=about,
            reason=reason,
            actor=actor,
            now=app.clock(),
            rules=rules_of(app.settings),
        )
        shown = service.plan_of(work, plan, actor=actor)
        work.commit()
    _answer(app, shown, as_json)


@plans.command()
@click.argument("plan", metavar="编号")
@reason_option
@click.option("--dry-run", is_flag=True, help="只看会结束什么，不写入")
@actor_option
@pass_app
def end(app: App, plan: str, reason: str, dry_run: bool, actor: str) -> None:
    """结束一份联系计划，和它欠着的一次。"""
    with app.store() as work:
        before = service.plan_of(work, plan, actor=actor)
        service.end(work, plan, reason=reason, actor=actor, now=app.clock())
        if not dry_run:
            work.commit()
    step = f"，连同待办 {before.owed.id}" if before.owed else ""
    done = "会结束（试算，没有写入）" if dry_run else "已结束，理由已记下"
    say(f"联系计划 {before.plan.id}{step} {done}。")


def _answer(app: App, shown: PlanView, as_json: bool) -> None:
    """Print a plan that was just made or changed, and say which contact is owed first."""
    show_one(_row(app, shown, as_json), _SHOW, as_json)
    if as_json:
        return
    if shown.owed is None:
        say("现在没有欠着的联系：此人登记为死亡，或不愿按计划联系。")
        return
    due, day = shown.owed.due_at.astimezone(app.settings.site.zone), day_of(shown.owed)
    skipped = f"起算的 {shown.plan.anchor} 不再联系；" if day != shown.plan.anchor else ""
    say(f"{skipped}最先应联系：{due:%Y-%m-%d %H:%M} 起，为 {day} 的一次。")


def _every(text: str) -> tuple[int | None, int | None]:
    """Return days and months, one of them None, or raise `Refused`."""
    found = _EVERY.fullmatch(text.strip())
    if found is None:
        raise Refused("间隔请写成 21d（每 21 天）或 1m（每个月）。")
    amount = int(found[1])
    return (amount, None) if found[2] == "d" else (None, amount)


def _before(text: str) -> int:
    found = _BEFORE.fullmatch(text.strip())
    if found is None:
        raise Refused("提前几天请写成 1d。")
    return int(found[1])


def _checked(typed: datetime) -> date:
    check_year(typed.date())
    return typed.date()


def _row(app: App, shown: PlanView, as_json: bool) -> dict[str, object]:
    plan, owed = shown.plan, shown.owed
    due = owed.due_at.astimezone(app.settings.site.zone) if owed else None
    row: dict[str, object] = {
        "id": plan.id,
        "code": shown.code,
        "kind": plan.kind,
        "every_days": plan.every_days,
        "every_months": plan.every_months,
        "anchor": plan.anchor,
        "days_before": plan.days_before,
        "hour": plan.hour.strftime("%H:%M"),
        "until": plan.until,
        "day": day_of(owed) if owed else None,
        "due_at": due,
        "owed": owed.id if owed else None,
        "owner": plan.owner,
        "about": plan.note,
        "state": plan.state,
        "ended_because": plan.ended_because,
        "round": plan.round,
        "by": plan.by,
        "at": plan.at,
    }
    words = {
        "kind_text": PLAN_WORDS[plan.kind],
        "every_text": rhythm_words(plan),
        "due_text": f"{due:%m-%d %H:%M}" if due else None,
        "state_text": _STATES[plan.state],
    }
    return row if as_json else {**row, **words}
