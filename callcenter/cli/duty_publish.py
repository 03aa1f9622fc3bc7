"""`hotline duty publish`: the plan of some days becomes the roster."""

from __future__ import annotations

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, say, show_one
from callcenter.cli.duty_time import parse_day
from callcenter.cli.duty_words import fault_row, say_dry, warn_of
from callcenter.domain.duty import Shift
from callcenter.service.duty.checking import rules_of
from callcenter.service.duty.publishing import PlanFaulty, Published
from callcenter.service.duty.publishing import publish as publish_plan


@click.command()
@click.option("--from", "first_day", required=True, help="从哪一天,例如 2026-11-30")
@click.option("--to", "last_day", required=True, help="到哪一天(那一天也发布)")
@click.option("--dry-run", is_flag=True, help="只看会改什么、哪里不足,不写入")
@click.option("--reason", default="", help="有不足也发布的理由(至少 4 个字),记入操作留痕")
@actor_option
@json_option
@pass_app
def publish(
    app: App, first_day: str, last_day: str, dry_run: bool, reason: str, actor: str, as_json: bool
) -> None:
    """按模板和调整发布这些天的班次,先检查有没有不足。

    手工排的班、已经开始的班都不动;再发布一次,什么也不会变。
    有不足又没有写理由,就不发布,退出码为 1。
    """
    zone = app.settings.site.zone
    first, last = parse_day(first_day), parse_day(last_day)
    with app.store() as work:
        try:
            done = publish_plan(
                work,
                first,
                last,
                rules=rules_of(app.settings),
                actor=actor,
                now=app.clock(),
                reason=reason,
                dry_run=dry_run,
            )
        except PlanFaulty as error:
            if not as_json:
                warn_of(error.faults, zone)
                raise
            faults = [fault_row(fault) for fault in error.faults]
            show_one({"published": False, "faults": faults}, [], as_json=True)
            raise SystemExit(1) from error
        if not dry_run:
            work.commit()
    if as_json:
        show_one(_row(done, dry_run), [], as_json=True)
        return
    warn_of(done.faults, zone)
    say(_summary(done, dry_run))
    say_dry(dry_run)


def _summary(done: Published, dry_run: bool) -> str:
    if not done.gone and not done.new:
        return f"没有要改的,{done.kept} 个班照旧。"
    will = "会发布" if dry_run else "已发布"
    return f"{will} {len(done.new)} 个班,去掉 {len(done.gone)} 个,照旧 {done.kept} 个。"


def _row(done: Published, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "published": not dry_run,
        "publication": done.record.id if done.record else None,
        "new": [_shift_row(shift) for shift in done.new],
        "gone": [_shift_row(shift) for shift in done.gone],
        "kept": done.kept,
        "faults": [fault_row(fault) for fault in done.faults],
    }


def _shift_row(shift: Shift) -> dict[str, object]:
    return {
        "id": shift.id,
        "agent": shift.agent,
        "kind": shift.kind,
        "start": shift.start,
        "end": shift.end,
        "source": shift.source,
    }
