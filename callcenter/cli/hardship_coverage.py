"""`hotline hardship coverage`: how far the register's people are reached."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, check_year, json_option, pass_app, say, show_one, show_rows
from callcenter.domain.coverage import Coverage
from callcenter.service.hardship.coverage import By, Covered, coverage

_COLUMNS = [
    ("name", "类别"),
    ("in_file", "在档"),
    ("contacted", "已联系"),
    ("share_text", "覆盖"),
    ("owed", "应联系"),
    ("overdue", "已逾期"),
]
_TITLES = {By.GRADE: "困难类别", By.DISTRICT: "区县", By.MONTH: "月份"}
_DAY = click.DateTime(["%Y-%m-%d"])


@click.command("coverage")
@click.option("--by", type=click.Choice([by.value for by in By]), default=By.GRADE.value, help="按什么分")
@click.option("--since", type=_DAY, help="从哪一天起;不写则 90 天前,按月则 12 个月前")
@click.option("--until", type=_DAY, help="到哪一天为止(含);不写则今天")
@actor_option
@json_option
@pass_app
def coverage_(
    app: App, by: str, since: datetime | None, until: datetime | None, actor: str, as_json: bool
) -> None:
    """在档的人里,这段时间有凭据联系到的占多少。

    分母是现在在档(含脱困观察)的人数;一人几份档案,各组各算一次。
    """
    for day in filter(None, (since, until)):
        check_year(day)
    now, zone = app.clock(), app.settings.site.zone
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    back = today - timedelta(days=334 if by == By.MONTH else 89)
    first = since.replace(tzinfo=zone) if since else (back.replace(day=1) if by == By.MONTH else back)
    last = until.replace(tzinfo=zone) if until else today
    grades = app.settings.hardship.grades
    with app.store() as work:
        found = coverage(
            work,
            By(by),
            start=first,
            end=last + timedelta(days=1),
            zone=zone,
            order=sorted(grades, key=lambda name: grades[name].order),
            actor=actor,
            now=now,
        )
    _show(found, By(by), last, as_json)


def _show(found: Covered, by: By, last: datetime, as_json: bool) -> None:
    rows = [_row(part.name, part.counts) for part in found.parts]
    if as_json:
        whole = {"by": by, "since": found.start.date(), "until": last.date()}
        show_one({**whole, "parts": rows, "total": _row("total", found.total)}, [], as_json=True)
        return
    # What is owed now says nothing of a past month.
    titles = [(key, _TITLES[by] if key == "name" else title) for key, title in _COLUMNS]
    columns = titles[:4] if by is By.MONTH else titles
    show_rows([*rows, _row("合计", found.total)], columns)
    say(f"{found.start:%Y-%m-%d} 至 {last:%Y-%m-%d}；分母是现在在档的人。")


def _row(name: str, counts: Coverage) -> dict[str, object]:
    share = counts.share
    return {
        "name": name or "（未填）",
        "in_file": counts.in_file,
        "contacted": counts.contacted,
        "share": None if share is None else round(share, 4),
        "share_text": "—" if share is None else f"{share:.0%}",
        "owed": counts.owed,
        "overdue": counts.overdue,
    }
