"""`hotline people merge` and `unmerge`: two entries of one person."""

from __future__ import annotations

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, show_one, show_rows
from callcenter.cli.people import person_argument
from callcenter.domain.numbers import mask_name, mask_number
from callcenter.domain.privacy import Merge
from callcenter.errors import NotFound
from callcenter.service.people import merging as service
from callcenter.service.people.duplicates import Pair
from callcenter.service.people.duplicates import duplicates as find_duplicates

_ROWS = [
    ("id", "合并编号"),
    ("kept_code", "保留"),
    ("merged_code", "并入"),
    ("phone", "号码"),
    ("obligation", "应做的联系"),
    ("closed", "因此只欠一次的"),
    ("session", "接访记录"),
    ("case", "个案"),
    ("file", "困难档案"),
    ("plan", "联系计划"),
    ("remark", "注意"),
]

_PAIRS = [
    ("number", "号码"),
    ("one", "代号"),
    ("one_name", "姓名"),
    ("one_text", "有"),
    ("other", "代号"),
    ("other_name", "姓名"),
    ("other_text", "有"),
]

reason_option = click.option("--reason", required=True, help="理由(至少 4 个字)")
dry_run_option = click.option("--dry-run", is_flag=True, help="只看会怎样,不写入")


@click.command()
@click.argument("kept", metavar="保留谁")
@click.argument("merged", metavar="并入谁")
@reason_option
@dry_run_option
@actor_option
@json_option
@pass_app
def merge(app: App, kept: str, merged: str, reason: str, dry_run: bool, actor: str, as_json: bool) -> None:
    """两份资料是同一个人:并成一份。同意、拒绝、风险立刻对两边都算数。先用 --dry-run 看。"""
    with app.store() as work:
        done = service.merge(work, kept, merged, actor=actor, now=app.clock(), reason=reason, dry_run=dry_run)
        if not dry_run:
            work.commit()
    _show(done, dry_run, as_json)


@click.command()
@person_argument
@click.option("--merge", "merge_id", help="合并编号;不写则拆开最近一次")
@reason_option
@dry_run_option
@actor_option
@json_option
@pass_app
def unmerge(
    app: App, person: str, merge_id: str | None, reason: str, dry_run: bool, actor: str, as_json: bool
) -> None:
    """拆开一次合并:并进来的都还回去,合并之后新来的留在保留的一方。"""
    with app.store() as work:
        now = app.clock()
        standing = service.merges_of(work, person, actor=actor, now=now)
        if not standing:
            raise NotFound("此人没有合并过。")
        done = service.unmerge(
            work, merge_id or standing[0].id, actor=actor, now=now, reason=reason, dry_run=dry_run
        )
        if not dry_run:
            work.commit()
    _show(done, dry_run, as_json)


@click.command()
@actor_option
@json_option
@pass_app
def duplicates(app: App, actor: str, as_json: bool) -> None:
    """列出号码相同的两份资料:也许是同一个人,也许是一家人共用电话。核对后用 merge 合并。"""
    with app.store() as work:
        found = find_duplicates(work, actor=actor)
    show_rows([_pair_row(pair) for pair in found], _PAIRS, as_json)


def _pair_row(pair: Pair) -> dict[str, object]:
    row: dict[str, object] = {"number": mask_number(pair.number)}
    for n, (key, person) in enumerate((("one", pair.one), ("other", pair.other))):
        marks = [word for word, is_so in (("档案", pair.filed[n]), ("接访", pair.recorded[n])) if is_so]
        row |= {key: person.code, f"{key}_name": mask_name(person.name), f"{key}_filed": pair.filed[n]}
        row |= {f"{key}_recorded": pair.recorded[n], f"{key}_text": "、".join(marks)}
    return row


def _show(done: Merge, dry_run: bool, as_json: bool) -> None:
    before, other = done.kept_before, done.merged_before
    counts: dict[str, object] = {kind: len(ids) for kind, ids in done.moved.items()}
    differ = before is not None and other is not None and None not in (before.name, other.name)
    remark = "两边姓名不同,请再核对" if differ and before and other and before.name != other.name else ""
    row = {
        "id": done.id,
        "kept": done.kept,
        "merged": done.merged,
        "kept_code": before.code if before else "",
        "merged_code": other.code if other else "",
        **counts,
        "remark": remark,
        "dry_run": dry_run,
    }
    show_one(row, _ROWS, as_json)
    if dry_run and not as_json:
        click.echo("只是预演,没有写入。")
