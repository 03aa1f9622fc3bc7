"""`hotline hardship import` and `profiles`: a union's list, what it changes, and how it is to be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import click

from callcenter.bootstrap import App
from callcenter.cli.common import (
    actor_option,
    json_option,
    pass_app,
    plain,
    say,
    show_one,
    show_rows,
)
from callcenter.cli.hardship_progress import Meter
from callcenter.domain.households import ImportProfile
from callcenter.service.hardship import profiles as service
from callcenter.service.hardship.fields import SYNONYMS, Field, parse_mapping
from callcenter.service.hardship.filing import register_of
from callcenter.service.hardship.importing import Change, Diff, derive, import_entries, read_list

#: How many of each are shown at a screen; all of them are in `--json`.
_NEW, _CHANGED, _MISSING, _DOUBTS = 20, 200, 50, 50
_PROFILE = [("name", "名称"), ("columns", "列数"), ("by", "保存人"), ("at", "保存于")]
_COLUMN = [("heading", "列名"), ("field", "字段"), ("means", "含义")]


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--map", "pairs", multiple=True, metavar="列=字段", help=f"列名对应的字段：{'、'.join(Field)}")
@click.option("--profile", metavar="名称", help="按已保存的名单格式读")
@click.option("--save-as", metavar="名称", help="导入后把这份名单的格式存下来，下次用 --profile")
@click.option("--accept-returns", "returns", is_flag=True, help="名单又写在册的退档档案，确认是回来了")
@click.option("--dry-run", is_flag=True, help="只看会改什么，不写入")
@json_option
@actor_option
@pass_app
def import_(
    app: App,
    file: Path,
    pairs: tuple[str, ...],
    profile: str | None,
    save_as: str | None,
    returns: bool,
    dry_run: bool,
    as_json: bool,
    actor: str,
) -> None:
    """从 CSV 或 XLSX 名单导入。全部导入，或一行也不导入。

    本人的退订、撤回的同意、查明打错的号码，不会被名单覆盖；名单里少了的人只列出，不删除。
    """
    now, register = app.clock(), register_of(app.settings)
    mapping = {**_saved(app, profile, actor), **parse_mapping(pairs)}
    with Meter(shown=not as_json) as meter:
        columns, entries = read_list(
            file, mapping, now, meter.read, grades=register.rules.grades, profile=profile or ""
        )
        with app.store() as work:
            diff = import_entries(
                work,
                entries,
                actor=actor,
                now=now,
                unused_columns=columns.unused,
                dry_run=dry_run,
                zone=app.settings.site.zone,
                profile=profile or "",
                rules=register.rules,
                is_workday=register.owed.calendar.is_workday,
                returns=returns,
                watch=meter,
            )
            if not dry_run:
                derive(work, now, register.owed, meter)
                if save_as is not None:
                    service.save(work, save_as, columns, actor=actor, now=now)
                work.commit()
    _show_diff(diff, now, dry_run=dry_run, profile=profile, as_json=as_json)


def _saved(app: App, profile: str | None, actor: str) -> Mapping[str, Field]:
    if profile is None:
        return {}
    with app.store() as work:
        return service.mapping_of(service.profile(work, profile, actor=actor))


# --- what it changes -------------------------------------------------------------------------


def _show_diff(diff: Diff, now: datetime, *, dry_run: bool, profile: str | None, as_json: bool) -> None:
    if as_json:
        show_one(_as_row(diff, dry_run, profile), [], as_json=True)
        return
    head = "试算，没有写入:" if dry_run else "已导入:"
    say(f"{head}新增 {len(diff.new)}，变更 {len(diff.changed)}，不变 {diff.unchanged}。")
    for change in diff.new[:_NEW]:
        _show_change("新增", change)
    _show_rest(len(diff.new) - _NEW, "份新档案")
    for change in diff.changed[:_CHANGED]:
        _show_change("变更", change)
    _show_rest(len(diff.changed) - _CHANGED, "份变更")
    if diff.missing:
        say(f"名单里没有、仍在册的 {len(diff.missing)} 份（保留不动）：")
        for file_no in diff.missing[:_MISSING]:
            say(f"  {file_no}{_how_long(diff.missing_since.get(file_no), now)}")
        _show_rest(len(diff.missing) - _MISSING, "份")
    if diff.doubts:
        say(f"请核对 {len(diff.doubts)} 处（不妨碍导入，写明不能导入的除外）：")
        for doubt in diff.doubts[:_DOUBTS]:
            say(f"  第{doubt.row}行 {doubt.file_no} {doubt.message}", further="    ")
        _show_rest(len(diff.doubts) - _DOUBTS, "处")
    if diff.unused_columns:
        say(f"没有用到、也不保存的列：{'、'.join(diff.unused_columns)}", further="  ")


def _show_change(mark: str, change: Change) -> None:
    say(f"  {mark} {change.file_no}（第{change.row}行）")
    said = [
        f"{what} {after}" if mark == "新增" else f"{what} {before or '空'} → {after or '空'}"
        for what, before, after in change.fields
    ]
    if said:
        say(f"      {'；'.join(said)}", further="      ")


def _how_long(since: datetime | None, now: datetime) -> str:
    if since is None:
        return ""
    day = since.astimezone(now.tzinfo).date()
    days = (now.date() - day).days
    return f"，从 {day} 的名单起就没有，已 {days} 天" if days > 0 else "，从今天的名单起就没有"


def _show_rest(rest: int, what: str) -> None:
    if rest > 0:
        say(f"  ……以及另外 {rest} {what}（--json 列出全部）")


def _as_row(diff: Diff, dry_run: bool, profile: str | None) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "profile": profile,
        "new": [c.file_no for c in diff.new],
        "added": [_change_row(c) for c in diff.new],
        "changed": [{**_change_row(c), "fields": [f[0] for f in c.fields]} for c in diff.changed],
        "unchanged": diff.unchanged,
        "missing": list(diff.missing),
        "missing_since": {no: plain(at) for no, at in diff.missing_since.items()},
        "doubts": [{"row": d.row, "file_no": d.file_no, "message": d.message} for d in diff.doubts],
        "unused_columns": list(diff.unused_columns),
    }


def _change_row(change: Change) -> dict[str, object]:
    told = zip(change.keys, change.fields, strict=True)
    return {
        "file_no": change.file_no,
        "row": change.row,
        "changes": [{"field": key.value, "before": f[1], "after": f[2]} for key, f in told],
    }


# --- saved forms -----------------------------------------------------------------------------


@click.group("profiles", invoke_without_command=True)
@click.option("--as", "actor", help="以谁的名义（人员代码）；也可用 HOTLINE_ACTOR")
@json_option
@click.pass_context
def profiles(ctx: click.Context, actor: str | None, as_json: bool) -> None:
    """已保存的名单格式：哪一列是什么。不写子命令就列出它们。"""
    words = [*([] if actor is None else ["--as", actor]), *(["--json"] if as_json else [])]
    if ctx.invoked_subcommand is None:
        with list_profiles.make_context("list", words, parent=ctx) as listing:
            list_profiles.invoke(listing)
    elif words:
        path = f"hotline hardship profiles {ctx.invoked_subcommand}"
        raise click.UsageError(f"{words[0]} 写在子命令后面：{path} … {' '.join(words)}")


@profiles.command("list")
@actor_option
@json_option
@pass_app
def list_profiles(app: App, actor: str, as_json: bool) -> None:
    """列出已保存的名单格式。"""
    with app.store() as work:
        found = service.profiles(work, actor=actor)
    show_rows([_profile_row(one) for one in found], _PROFILE, as_json)


@profiles.command("show")
@click.argument("profile")
@actor_option
@json_option
@pass_app
def show_profile(app: App, profile: str, actor: str, as_json: bool) -> None:
    """显示一个名单格式：每一列读作什么。"""
    with app.store() as work:
        found = service.profile(work, profile, actor=actor)
    show_rows(_column_rows(found), _COLUMN, as_json)


@profiles.command("drop")
@click.argument("profile")
@click.option("--dry-run", is_flag=True, help="只看会去掉什么")
@click.option("--reason", required=True, help="为什么")
@actor_option
@json_option
@pass_app
def drop_profile(app: App, profile: str, dry_run: bool, reason: str, actor: str, as_json: bool) -> None:
    """去掉一个名单格式。导入过的名单不受影响。"""
    with app.store() as work:
        found = service.drop(work, profile, reason=reason, actor=actor, now=app.clock())
        if not dry_run:
            work.commit()
    show_one({**_profile_row(found), "dry_run": dry_run}, [*_PROFILE, ("dry_run", "试算")], as_json)


def _profile_row(found: ImportProfile) -> dict[str, object]:
    return {"name": found.id, "columns": len(found.columns), "by": found.by, "at": found.at}


def _column_rows(found: ImportProfile) -> Sequence[Mapping[str, object]]:
    words = {one.value: names[0] for one, names in SYNONYMS.items()}
    return [
        {"heading": heading, "field": name, "means": words.get(name, "")} for heading, name in found.columns
    ]
