"""`hotline hardship`: hardship workers' files, and who of them is owed a contact."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, console, json_option, pass_app, plain, show_one, show_rows
from callcenter.domain.numbers import mask_name, mask_number
from callcenter.domain.people import FileStatus, HardshipFile, Person
from callcenter.errors import NotFound
from callcenter.service import debt_views
from callcenter.service.debt_views import DebtView
from callcenter.service.debts import has_ivr_consent, line_facts, rules_of, sweep
from callcenter.service.hardship_fields import Field, parse_mapping
from callcenter.service.hardship_import import Change, Diff, import_entries, read_list

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
_OWED = [
    ("file_no", "档案编号"),
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
@click.option("--left", is_flag=True, help="只列出已退档的，供人工核对")
@json_option
@pass_app
def list_files(app: App, left: bool, as_json: bool) -> None:
    """列出档案。"""
    with app.store() as work:
        found = [
            _file_row(file, person, has_ivr_consent(work, person.id))
            for file, person in debt_views.files(work)
            if not left or file.status is FileStatus.CLOSED
        ]
    show_rows(found, _LIST, as_json)


@hardship.command()
@click.option("--all", "all_of_them", is_flag=True, help="还没到期的也列出")
@json_option
@pass_app
def owed(app: App, all_of_them: bool, as_json: bool) -> None:
    """列出该联系而还没有联系到的人：从何时起，为何还没有，上次结果。"""
    now, rules = app.clock(), rules_of(app.settings)
    with app.store() as work:
        sweep(work, now, rules=rules)  # seen, not kept: the list is right even if nobody swept today
        facts = line_facts(work, now, None, rules)
        rows = [owed_row(v) for v in debt_views.owed(work, facts, all_of_them=all_of_them)]
        left = sum(f.status is FileStatus.CLOSED for f in work.people.files())
    show_rows(rows, _OWED, as_json)
    if not as_json:
        console().print(f"共 {len(rows)} 人。")
        if left:
            console().print(f"另有 {left} 份档案已退档，其回访已结束，请核对：hotline hardship list --left")


@hardship.command()
@click.argument("file_no")
@json_option
@pass_app
def show(app: App, file_no: str, as_json: bool) -> None:
    """显示一份档案和它的回访。"""
    now, rules = app.clock(), rules_of(app.settings)
    with app.store() as work:
        file = work.people.file(file_no)
        if file is None:
            raise NotFound(f"没有编号为 {file_no} 的档案。用 hotline hardship list 查看。")
        sweep(work, now, rules=rules)
        facts = line_facts(work, now, None, rules)
        person = work.people.get(file.person)
        mine = [debt_views.view(work, o, facts) for o in work.debts.open(person=person.id)]
        row = _file_row(file, person, has_ivr_consent(work, person.id))
        row["union_unit"], row["liaison"] = file.union_unit, mask_name(file.liaison) if file.liaison else None
        row["last_contact"] = work.debts.last_contact(person.id)
        row["debts"] = [plain_row(owed_row(v)) for v in mine] if as_json else [v.id for v in mine]
        reasons = [line for v in mine for line in debt_views.explain(work, v, facts)]
    titles = [*_LIST, ("union_unit", "所属工会"), ("liaison", "联系人"), ("last_contact", "最近联系")]
    show_one(row, [*titles, ("debts", "应做")], as_json)
    if not as_json:
        console().print("\n".join(reasons))


def owed_row(shown: DebtView) -> dict[str, object]:
    """Return one debt as a row, for tables and JSON."""
    last = shown.last_attempt
    return {
        "id": shown.id,
        "file_no": shown.file.file_no if shown.file else None,
        "code": shown.person.code,
        "name": shown.who,
        "phone": shown.phone,
        "kind": shown.obligation.kind,
        "grade": shown.file.grade if shown.file else None,
        "district": shown.file.district if shown.file else None,
        "owed_since": shown.obligation.due_at.astimezone(shown.situation.rules.windows.zone).date(),
        "due_at": shown.obligation.due_at,
        "breach_at": shown.obligation.window_end,
        "overdue_days": shown.overdue.days if shown.overdue is not None else None,
        "who_next": shown.step.who,
        "why": shown.step.why,
        "refused_by": [v.gate.value for v in shown.refused],
        "reason": shown.reason,
        "attempts": len(shown.situation.attempts),
        "last_attempt_at": last.at if last else None,
        "last_attempt": last.id if last else None,
        "last_result_code": last.result if last else None,
        "last_result": shown.last_result,
        "last_contact": shown.last_contact,
    }


def plain_row(row: dict[str, object]) -> dict[str, object]:
    """Return a row of JSON-able values, for rows within rows."""
    kept = (str, int, float, bool, list, type(None))
    return {key: value if type(value) in kept else plain(value) for key, value in row.items()}


def _file_row(file: HardshipFile, person: Person, consent: bool) -> dict[str, object]:
    return {
        "file_no": file.file_no,
        "code": person.code,
        "name": mask_name(person.name),
        "grade": file.grade,
        "status": file.status,
        "since": file.since,
        "phone": " ".join(mask_number(p.number) for p in person.phones) or None,
        "phone_status": [p.status.value for p in person.phones],
        "district": file.district,
        "consent": consent,
        "human_only": person.no_ivr,
    }


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
    console().print(f"  {mark} {change.file_no} {';'.join([*said, *change.remarks])}", markup=False)


def _show_some(rest: Sequence[Change], text: str) -> None:
    if rest:
        console().print("  " + text.format(len(rest)))
