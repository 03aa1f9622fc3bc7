"""`hotline hardship`: hardship workers' files, and who of them is owed a contact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
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
from callcenter.service.followup import debt_rows
from callcenter.service.followup.debts import line_facts, rules_of, sweep
from callcenter.service.hardship.fields import Field, parse_mapping
from callcenter.service.hardship.importing import Change, Diff, import_entries, read_list
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


@hardship.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--map", "pairs", multiple=True, metavar="列=字段", help=f"列名对应的字段：{'、'.join(Field)}")
@click.option("--dry-run", is_flag=True, help="只看会改什么，不写入")
@json_option
@actor_option
@pass_app
def import_list(
    app: App, file: Path, pairs: tuple[str, ...], dry_run: bool, as_json: bool, actor: str
) -> None:
    """从 CSV 或 XLSX 名单导入。全部导入，或一行也不导入。

    本人的退订、撤回的同意、查明打错的号码，不会被名单覆盖；名单里少了的人只列出，不删除。
    """
    now = app.clock()
    columns, entries = read_list(file, parse_mapping(pairs), now, None if as_json else _progress)
    with app.store() as work:
        diff = import_entries(
            work, entries, actor=actor, now=now, unused_columns=columns.unused, dry_run=dry_run
        )
        if not dry_run:
            sweep(work, now, rules=rules_of(app.settings))
            work.commit()
    _show_diff(diff, dry_run, as_json)


@hardship.command("list")
@click.option("--left", is_flag=True, help="只列出已退档、还没有人核对的")
@actor_option
@json_option
@pass_app
def list_files(app: App, left: bool, actor: str, as_json: bool) -> None:
    """列出档案。"""
    with app.store() as work:
        found = debt_rows.files(work, actor=actor, now=app.clock(), left=left)
    show_rows(found, _LIST, as_json)


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


def _progress(rows: int) -> None:
    click.echo(f"已读 {rows} 行……", err=True)


def _show_diff(diff: Diff, dry_run: bool, as_json: bool) -> None:
    if as_json:
        row = {
            "dry_run": dry_run,
            "new": [c.file_no for c in diff.new],
            "changed": [{"file_no": c.file_no, "fields": [f[0] for f in c.fields]} for c in diff.changed],
            "unchanged": diff.unchanged,
            "missing": list(diff.missing),
            "unused_columns": list(diff.unused_columns),
        }
        show_one(row, [], as_json=True)
        return
    out = console()
    out.print("试算，没有写入:" if dry_run else "已导入:", end="")
    out.print(f"新增 {len(diff.new)}，变更 {len(diff.changed)}，不变 {diff.unchanged}。")
    for change in (*diff.new[:20], *diff.changed[:200]):
        _show_change(change, is_new=change in diff.new)
    _show_some(diff.new[20:], "……以及另外 {} 份新档案")
    _show_some(diff.changed[200:], "……以及另外 {} 份变更")
    if diff.missing:
        out.print(f"名单里没有、仍在档的 {len(diff.missing)} 份（保留不动）：{'、'.join(diff.missing[:20])}")
    if diff.unused_columns:
        out.print(f"没有用到、也不保存的列：{'、'.join(diff.unused_columns)}")


def _show_change(change: Change, *, is_new: bool) -> None:
    said = [f"{what} {before or '空'} → {after or '空'}" for what, before, after in change.fields]
    mark = "新增" if is_new else "变更"
    console().print(f"  {mark} {change.file_no} {';'.join(said)}", markup=False)


def _show_some(rest: Sequence[Change], text: str) -> None:
    if rest:
        console().print("  " + text.format(len(rest)))


hardship.add_command(coverage_)
for act in FILE_ACTS:
    hardship.add_command(act)
