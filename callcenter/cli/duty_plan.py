"""`hotline duty template`, `need`, `override`: what the roster is planned from."""

from __future__ import annotations

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, say, show_rows
from callcenter.cli.duty_time import parse_day, parse_days, parse_hours, say_days, say_hours
from callcenter.cli.duty_words import say_dry
from callcenter.domain.duty import ShiftKind
from callcenter.domain.roster import Need, Override, OverrideAct, Template
from callcenter.service.duty import templates as service
from callcenter.service.duty.filed import KIND_WORDS

kind_option = click.option(
    "--kind",
    type=click.Choice([kind.value for kind in ShiftKind]),
    default=ShiftKind.LINE.value,
    show_default=True,
    help="line 值班接线,backup 备班,supervisor 督导",
)
reason_option = click.option("--reason", default="", help="说明,记入操作留痕")
dry_run_option = click.option("--dry-run", is_flag=True, help="只看会去掉什么,不写入")
_PUBLISH = "发布后生效:hotline duty publish"


# --- templates ---------------------------------------------------------------------------------


@click.group()
def template() -> None:
    """每周重复的班次。改了模板,发布后才生效。"""


@template.command("add")
@click.argument("title", metavar="名称")
@click.argument("hours", metavar="时段")
@click.option("--days", required=True, help="星期几开始,例如 1-5 或 6,7 或 每天;1 是周一")
@click.option("--agent", "agents", multiple=True, required=True, help="谁(可重复)")
@click.option("--first", "first_day", required=True, help="第一天,例如 2026-11-30")
@click.option("--last", "last_day", help="最后一天;不写则一直有效")
@click.option("--every", type=click.IntRange(1, 52), default=1, show_default=True, help="每几周一次")
@kind_option
@reason_option
@actor_option
@pass_app
def add_template(
    app: App,
    title: str,
    hours: str,
    days: str,
    agents: tuple[str, ...],
    first_day: str,
    last_day: str | None,
    every: int,
    kind: str,
    reason: str,
    actor: str,
) -> None:
    """添加一个每周的班,时段如 19:00-01:00,可过午夜。"""
    start, length = parse_hours(hours)
    with app.store() as work:
        made = service.add_template(
            work,
            name=title,
            kind=ShiftKind(kind),
            days=parse_days(days),
            start=start,
            length=length,
            agents=agents,
            first=parse_day(first_day),
            last=parse_day(last_day) if last_day else None,
            every=every,
            actor=actor,
            now=app.clock(),
            reason=reason,
        )
        work.commit()
    say(f"已添加模板 {made.id}:{say_days(made.days)} {say_hours(made.start, made.length)}。{_PUBLISH}")


@template.command("list")
@actor_option
@json_option
@pass_app
def list_templates(app: App, actor: str, as_json: bool) -> None:
    """列出模板。"""
    with app.store() as work:
        found = service.list_templates(work, actor=actor)
    if not found and not as_json:
        click.echo("还没有模板。用 hotline duty template add 添加。")
        return
    columns = [
        ("id", "编号"),
        ("name", "名称"),
        ("kind", "类别"),
        ("days", "星期"),
        ("hours", "时段"),
        ("agents", "人员"),
        ("dates", "日期"),
    ]
    show_rows([_template_row(t, as_json) for t in found], columns, as_json)


def _template_row(one: Template, as_json: bool) -> dict[str, object]:
    if as_json:
        return {key: getattr(one, key) for key in Template.__dataclass_fields__ if key != "revision"}
    every = "" if one.every == 1 else f" 每 {one.every} 周"
    return {
        "id": one.id,
        "name": one.name,
        "kind": KIND_WORDS[one.kind],
        "days": say_days(one.days) + every,
        "hours": say_hours(one.start, one.length),
        "agents": one.agents,
        "dates": f"{one.first} 起" + (f",{one.last} 止" if one.last else ""),
    }


@template.command("end")
@click.argument("template_id", metavar="编号")
@click.argument("day", metavar="最后一天")
@reason_option
@actor_option
@pass_app
def end_template(app: App, template_id: str, day: str, reason: str, actor: str) -> None:
    """让模板到某一天为止(那一天还有)。"""
    last = parse_day(day)
    with app.store() as work:
        service.end_template(work, template_id, last, actor=actor, now=app.clock(), reason=reason)
        work.commit()
    say(f"{template_id} 到 {last} 为止。{_PUBLISH}")


@template.command("remove")
@click.argument("template_id", metavar="编号")
@dry_run_option
@reason_option
@actor_option
@pass_app
def remove_template(app: App, template_id: str, dry_run: bool, reason: str, actor: str) -> None:
    """去掉一个模板和它的调整;已发布的班次到下次发布时才去掉。"""
    with app.store() as work:
        gone = service.remove_template(work, template_id, actor=actor, now=app.clock(), reason=reason)
        if not dry_run:
            work.commit()
    say(
        f"{_dry(dry_run)}模板 {gone.id}:"
        f"{say_days(gone.days)} {say_hours(gone.start, gone.length)}。{_PUBLISH}"
    )
    say_dry(dry_run)


# --- needs -------------------------------------------------------------------------------------


@click.group()
def need() -> None:
    """各时段要几个人。没有写明的服务时间,要两席和一位督导。"""


@need.command("add")
@click.argument("hours", metavar="时段")
@click.option("--days", required=True, help="星期几开始,例如 1-5 或 6,7 或 每天;1 是周一")
@click.option("--seats", type=click.IntRange(0, 100), default=2, show_default=True, help="几席")
@click.option("--supervisors", type=click.IntRange(0, 100), default=1, show_default=True, help="几位督导")
@click.option("--backups", type=click.IntRange(0, 100), default=0, show_default=True, help="几位备班")
@reason_option
@actor_option
@pass_app
def add_need(
    app: App, hours: str, days: str, seats: int, supervisors: int, backups: int, reason: str, actor: str
) -> None:
    """写明一个时段要几个人;时段重叠时,取多的。

    少于两席或没有督导,要写理由。服务时间没有人值班,无论写几席都算不足。
    """
    start, length = parse_hours(hours)
    with app.store() as work:
        made = service.add_need(
            work,
            days=parse_days(days),
            start=start,
            length=length,
            seats=seats,
            supervisors=supervisors,
            backups=backups,
            actor=actor,
            now=app.clock(),
            reason=reason,
        )
        work.commit()
    say(f"已添加 {made.id}:{_said_need(made)}")


@need.command("list")
@actor_option
@json_option
@pass_app
def list_needs(app: App, actor: str, as_json: bool) -> None:
    """列出各时段要几个人。"""
    with app.store() as work:
        found = service.list_needs(work, actor=actor)
    if not found and not as_json:
        click.echo("没有写明:服务时间都要两席和一位督导。")
        return
    keys = ("id", "days", "start", "length", "seats", "supervisors", "backups")
    rows: list[dict[str, object]] = [{key: getattr(one, key) for key in keys} for one in found]
    if not as_json:
        rows = [
            {**row, "days": say_days(one.days), "hours": say_hours(one.start, one.length)}
            for row, one in zip(rows, found, strict=True)
        ]
    columns = [("id", "编号"), ("days", "星期"), ("hours", "时段"), ("seats", "席位")]
    show_rows(rows, [*columns, ("supervisors", "督导"), ("backups", "备班")], as_json)


@need.command("remove")
@click.argument("need_id", metavar="编号")
@dry_run_option
@reason_option
@actor_option
@pass_app
def remove_need(app: App, need_id: str, dry_run: bool, reason: str, actor: str) -> None:
    """去掉一个时段的人数要求。"""
    with app.store() as work:
        gone = service.remove_need(work, need_id, actor=actor, now=app.clock(), reason=reason)
        if not dry_run:
            work.commit()
    say(f"{_dry(dry_run)} {gone.id}:{_said_need(gone)}")
    say_dry(dry_run)


def _said_need(one: Need) -> str:
    counts = f"{one.seats} 席、督导 {one.supervisors}、备班 {one.backups}"
    return f"{say_days(one.days)} {say_hours(one.start, one.length)},{counts}"


# --- what differs on a date --------------------------------------------------------------------


@click.group()
def override() -> None:
    """某一天与模板不同:取消,或换人来。"""


@override.command("add")
@click.argument("template_id", metavar="模板编号")
@click.argument("day", metavar="日期")
@click.option("--agent", default="", help="谁;不写则是这个模板的所有人(只能取消)")
@click.option("--substitute", default="", help="由谁来替;不写则取消")
@reason_option
@actor_option
@pass_app
def add_override(
    app: App, template_id: str, day: str, agent: str, substitute: str, reason: str, actor: str
) -> None:
    """这一天取消(整个班或一个人),或由别人来替。"""
    act = OverrideAct.SUBSTITUTE if substitute else OverrideAct.CANCEL
    on = parse_day(day)
    with app.store() as work:
        made = service.add_override(
            work,
            template_id,
            on,
            act,
            agent=agent,
            substitute=substitute,
            actor=actor,
            now=app.clock(),
            reason=reason,
        )
        work.commit()
    say(f"已调整 {made.id}:{made.day} {_said_override(made)}。{_PUBLISH}")


@override.command("list")
@click.option("--all", "everything", is_flag=True, help="过去的也列出")
@actor_option
@json_option
@pass_app
def list_overrides(app: App, everything: bool, actor: str, as_json: bool) -> None:
    """列出今天起的调整。"""
    since = None if everything else app.clock().astimezone(app.settings.site.zone).date()
    with app.store() as work:
        found = service.list_overrides(work, actor=actor, since=since)
    if not found and not as_json:
        click.echo("没有调整。")
        return
    keys = ("id", "template", "day", "act", "agent", "substitute", "by", "at")
    rows: list[dict[str, object]] = [{key: getattr(one, key) for key in keys} for one in found]
    if not as_json:
        rows = [
            {**row, "day": str(one.day), "what": _said_override(one)}
            for row, one in zip(rows, found, strict=True)
        ]
    columns = [("id", "编号"), ("template", "模板"), ("day", "日期"), ("what", "调整"), ("by", "谁调的")]
    show_rows(rows, columns, as_json)


@override.command("remove")
@click.argument("override_id", metavar="编号")
@dry_run_option
@reason_option
@actor_option
@pass_app
def remove_override(app: App, override_id: str, dry_run: bool, reason: str, actor: str) -> None:
    """撤销一天的调整,照模板排。"""
    with app.store() as work:
        gone = service.remove_override(work, override_id, actor=actor, now=app.clock(), reason=reason)
        if not dry_run:
            work.commit()
    say(f"{_dry(dry_run)}调整 {gone.id}:{gone.day} {_said_override(gone)}。{_PUBLISH}")
    say_dry(dry_run)


def _said_override(one: Override) -> str:
    match one.act:
        case OverrideAct.CANCEL:
            return f"取消 {one.agent or '整个班'}"
        case OverrideAct.SUBSTITUTE:
            return f"{one.substitute} 替 {one.agent}"


def _dry(is_dry: bool) -> str:
    return "会去掉" if is_dry else "已去掉"
