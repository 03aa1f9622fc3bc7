"""`hotline report`: counts for employers and superiors, small ones hidden."""

from __future__ import annotations

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, show_one, show_rows
from callcenter.cli.report_staffing import staffing
from callcenter.service.privacy import attendance as counting
from callcenter.service.privacy.attendance import Report

_month = click.option("--month", required=True, help="哪个月（已结束的），如 2026-10")


@click.group()
def report() -> None:
    """给单位和上级的报表：只有人次，不到规定人数的不显示。"""


report.add_command(staffing)


@report.command()
@click.option("--unit", help="哪个单位；单位联系人只能看本单位")
@_month
@json_option
@actor_option
@pass_app
def attendance(app: App, unit: str | None, month: str, as_json: bool, actor: str) -> None:
    """列出各单位已落实的预约和讲座人次。"""
    settings = app.settings
    with app.store() as work:
        found = counting.attendance(
            work,
            month,
            unit,
            actor=actor,
            now=app.clock(),
            zone=settings.site.zone,
            smallest=settings.reports.smallest,
            employers=settings.reports.employers,
        )
        work.commit()  # shown once, a month's table stays as it is
    _show(found, as_json)


@report.command()
@click.option("--unit", help="哪个基层工会")
@_month
@json_option
@actor_option
@pass_app
def contacts(app: App, unit: str | None, month: str, as_json: bool, actor: str) -> None:
    """列出各单位困难职工已完成的回访人次。"""
    settings = app.settings
    with app.store() as work:
        found = counting.contacts(
            work,
            month,
            unit,
            actor=actor,
            now=app.clock(),
            zone=settings.site.zone,
            smallest=settings.reports.smallest,
        )
        work.commit()
    _show(found, as_json)


def _show(found: Report, as_json: bool) -> None:
    if as_json:
        row = {
            "month": found.month,
            "smallest": found.smallest,
            "columns": list(found.columns),
            "rows": found.rows(),
            "hidden": found.hides,
        }
        show_one(row, [], as_json=True)
        return
    shown = [
        {
            key: "合计" if key == "unit" and value is None else "*" if value is None else str(value)
            for key, value in row.items()
        }
        for row in found.rows()
    ]
    titles = [("unit", "单位"), *((column, column) for column in found.columns), ("total", "合计")]
    show_rows(shown, titles if len(found.columns) > 1 else titles[:-1])
    if found.hides:
        click.echo(f"标 * 的数不显示：不足{found.smallest}人的数，会让人认出是谁。")
        click.echo("为了不能从合计推算出来，另有一些数一并隐去。0 表示没有人次。")
    click.echo("人次只说来过多少次，不说是谁、为什么来。")
