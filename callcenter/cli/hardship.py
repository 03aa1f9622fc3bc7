"""`hotline hardship`: hardship workers' files, and who of them is owed a contact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import click

from callcenter.bootstrap import App
from callcenter.cli.common import (
    actor_option,
    console,
    counted,
    json_option,
    limit_option,
    pass_app,
    plain,
    say,
    show_one,
    show_rows,
)
from callcenter.cli.hardship_coverage import coverage_
from callcenter.cli.hardship_files import FILE_ACTS
from callcenter.cli.hardship_import import import_, profiles
from callcenter.service.followup import debt_rows
from callcenter.service.followup.debts import line_facts, rules_of
from scheduler.obligations import Kind

_LIST = [
    ("file_no", "档案编号"),
    ("name", "姓名"),
    ("grade", "困难类别"),
    ("status", "状态"),
    ("since", "起始"),
    ("phone", "电话"),
    ("district", "区县"),
    ("consent", "自动回访"),
]
#: In a list of the register's debts, where a visit stands beside a call.
_SHORT_KINDS = {Kind.HARDSHIP.value: "联系", Kind.VISIT.value: "走访"}
_OWED = [
    ("file_no", "档案编号"),
    ("kind", "事由"),
    ("name", "姓名"),
    ("grade", "类别"),
    ("owed_since", "应联系"),
    ("overdue_days", "逾期天"),
    ("last_result", "上次结果"),
    ("reason", "为何还没有"),
]


@click.group()
def hardship() -> None:
    """困难职工档案与回访。"""


hardship.add_command(import_)
hardship.add_command(profiles)


@hardship.command("list")
@click.option("--left", is_flag=True, help="只列出已退档、还没有人核对的")
@click.option("--after", metavar="档案编号", default="", help="从这个编号之后列起（看下一页）")
@limit_option
@actor_option
@json_option
@pass_app
def list_files(app: App, left: bool, after: str, limit: int, actor: str, as_json: bool) -> None:
    """按编号列出档案。"""
    most = limit or None
    with app.store() as work:
        found = debt_rows.files(work, actor=actor, now=app.clock(), left=left, after=after, limit=most)
    show_rows(found.rows, _seen(_LIST, found.rows), as_json)
    if not as_json:
        rest = f"，这里列出 {len(found.rows)} 份（--limit 0 全部列出）" if len(found.rows) < found.all else ""
        say(f"共 {found.all} 份{rest}。")
        if found.more:
            say(f"后面还有 {found.more} 份，接着看：--after {found.rows[-1]['file_no']}")


@hardship.command()
@click.option("--all", "all_of_them", is_flag=True, help="还没到期的也列出")
@limit_option
@actor_option
@json_option
@pass_app
def owed(app: App, all_of_them: bool, limit: int, actor: str, as_json: bool) -> None:
    """列出该联系、该走访而还没有的人：从何时起，为何还没有，上次结果。

    帮扶录入员只看到谁该联系、从何时起。
    """
    with app.store() as work:
        facts = line_facts(work, app.clock(), None, rules_of(app.settings))
        found = debt_rows.owed(work, facts, actor=actor, all_of_them=all_of_them, limit=limit or None)
    rows = found.rows if as_json else [_said_kind(row) for row in found.rows]
    show_rows(rows, _seen(_OWED, rows), as_json)
    if not as_json:
        say(counted(len(found.rows), found.more))
        if found.left:
            say(f"另有 {found.left} 份档案已退档，其回访已结束，请核对：hotline hardship list --left")


def _said_kind(row: Mapping[str, object]) -> Mapping[str, object]:
    return {**row, "kind": _SHORT_KINDS.get(str(row["kind"]), row["kind"])}


@hardship.command()
@click.argument("file_no")
@actor_option
@json_option
@pass_app
def show(app: App, file_no: str, actor: str, as_json: bool) -> None:
    """显示一份档案和它的回访。"""
    with app.store() as work:
        facts = line_facts(work, app.clock(), None, rules_of(app.settings))
        row = debt_rows.one_file(work, file_no, facts, actor=actor)
    chain = row.pop("chain", None)
    owes = cast("list[dict[str, object]]", row["debts"])
    row["debts"] = [plain_row(one) for one in owes] if as_json else [one["id"] for one in owes]
    titles = [*_LIST, ("union_unit", "所属工会"), ("liaison", "联系人"), ("owed", "该联系")]
    show_one(row, _seen([*titles, ("last_contact", "最近联系"), ("debts", "应做")], [row]), as_json)
    if isinstance(chain, list) and not as_json:
        console().print("\n".join(chain))


def _seen(columns: Sequence[tuple[str, str]], rows: Sequence[Mapping[str, object]]) -> list[tuple[str, str]]:
    """Return the columns that the rows have: what the actor does not see has none."""
    return [column for column in columns if not rows or column[0] in rows[0]]


def plain_row(row: dict[str, object]) -> dict[str, object]:
    """Return a row of JSON-able values, for rows within rows."""
    kept = (str, int, float, bool, list, type(None))
    return {key: value if type(value) in kept else plain(value) for key, value in row.items()}


hardship.add_command(coverage_)
for act in FILE_ACTS:
    hardship.add_command(act)
