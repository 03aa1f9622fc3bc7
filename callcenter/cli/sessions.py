"""`hotline sessions`: the handling records that answered calls opened."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, show_one, show_rows
from callcenter.cli.session_editor import decoded
from callcenter.cli.session_screen import (
    change_row,
    record_row,
    row,
    say_submitted,
    show_changes,
    show_record,
    submitted_row,
)
from callcenter.cli.session_typing import (
    Keeper,
    remarks_on,
    say_problems,
    take_up_leftovers,
    write_until_right,
)
from callcenter.domain.form_text import parse, render, unmarked
from callcenter.domain.forms import FieldKind, Form
from callcenter.domain.session_words import QUICK, UPTAKES
from callcenter.domain.sessions import Draft, SessionRow, SessionStatus
from callcenter.errors import Conflict, Refused
from callcenter.service.sessions import reading as records
from callcenter.service.sessions import writing as session_writing
from callcenter.service.sessions.forms import desk_of, form_of
from callcenter.service.sessions.writing import Submitted

F = TypeVar("F", bound=Callable[..., Any])

_COLUMNS = [("id", "编号"), ("opened_at", "开始"), ("status_text", "状态"), ("counsellor", "咨询员")]
_REFERRALS = [("id", "编号"), ("n", "第几条"), ("to", "转到"), ("uptake", "去向")]
#: Longest text taken from a file or a pipe, bytes.
_MOST = 1_000_000

_from = click.option("--from", "source", help="从文件(- 为标准输入)读:与编辑器里相同的文字,或 JSON")
_set = click.option("--set", "fields", multiple=True, metavar="FIELD=VALUE", help="直接填一项,可重复")


@click.group()
def sessions() -> None:
    """接访记录。"""


@sessions.command("list")
@click.option("--open", "only_open", is_flag=True, help="只列出还没有填写的")
@click.option("--late", is_flag=True, help="只列出过了 24 小时还没有填写的")
@click.option("--mine", is_flag=True, help="只列出自己的,和还没有归到谁的")
@click.option("--status", type=click.Choice([s.value for s in SessionStatus]), help="只列出这种状态的")
@click.option("--days", type=click.IntRange(1, 3660), default=30, show_default=True, help="几天之内的")
@actor_option
@json_option
@pass_app
def list_sessions(
    app: App,
    only_open: bool,
    late: bool,
    mine: bool,
    status: str | None,
    days: int,
    actor: str,
    as_json: bool,
) -> None:
    """列出接访记录。每一通接听的来电都有一条;还没有填写的,不论多久都在。"""
    wanted = SessionStatus.OPEN if only_open else SessionStatus(status) if status else None
    with app.store() as work:
        found = records.list_sessions(
            work,
            status=wanted,
            late=late,
            mine=mine,
            past=timedelta(days=days),
            actor=actor,
            now=app.clock(),
        )
    show_rows([row(session) for session in found], _COLUMNS, as_json)


@sessions.command()
@click.argument("session_id", metavar="ID")
@click.option("--version", "n", type=click.IntRange(min=1), help="第几版;不写为最新一版")
@click.option("--reveal", is_flag=True, help="不遮盖(需写 --reason,留痕)")
@click.option("--reason", default="", help="原因(记入操作留痕)")
@actor_option
@json_option
@pass_app
def show(
    app: App, session_id: str, n: int | None, reveal: bool, reason: str, actor: str, as_json: bool
) -> None:
    """显示一条接访记录;姓名和号码遮盖。"""
    with app.store() as work:
        record = records.read_session(
            work, session_id, n=n, reveal=reveal, reason=reason, actor=actor, now=app.clock()
        )
        work.commit()
    if as_json:
        show_one(record_row(record), [], as_json=True)
    else:
        show_record(record)


@sessions.command()
@click.argument("session_id", metavar="ID")
@click.argument("older", type=click.IntRange(min=1))
@click.argument("newer", type=click.IntRange(min=1))
@actor_option
@json_option
@pass_app
def diff(app: App, session_id: str, older: int, newer: int, actor: str, as_json: bool) -> None:
    """显示一条接访记录的两版之间改了什么。"""
    with app.store() as work:
        changed = records.compare(work, session_id, older, newer, actor=actor, now=app.clock())
        newest = records.versions_of(work, session_id)[newer - 1]
        form = form_of(work, newest.form)
        work.commit()
    if as_json:
        show_rows([change_row(one) for one in changed], [], as_json=True)
    elif changed:
        show_changes(changed, form)
    else:
        click.echo("内容没有改动。")


# --- writing -------------------------------------------------------------------------------


@sessions.command()
@click.argument("session_id", metavar="ID")
@_from
@_set
@click.option("--draft", "draft_only", is_flag=True, help="只存为草稿,不提交")
@actor_option
@json_option
@pass_app
def write(
    app: App,
    session_id: str,
    source: str | None,
    fields: tuple[str, ...],
    draft_only: bool,
    actor: str,
    as_json: bool,
) -> None:
    """填写接访记录 ID:打开编辑器,关闭后提交。没写完的存为草稿,下次接着写。"""
    desk = desk_of(app.settings)
    head, draft = _opened(app, session_id, actor)
    if head.version:
        raise Conflict(f"{session_id} 已经提交过。要改,请用 hotline sessions amend {session_id}。")

    def submit(answers: Mapping[str, Any], revision: int | None, counts: bool = True) -> Submitted:
        with app.store() as work:
            done = session_writing.submit(
                work, session_id, answers, desk=desk, draft=revision, actor=actor, now=app.clock()
            )
            if counts:
                work.commit()
        return done

    form = desk.form
    keeper = Keeper(app, session_id, form, base=0, draft=draft, actor=actor)
    done: Submitted | None = None
    if source is not None or fields:
        answers = _given(form, keeper, draft, source, fields, {})
        done = None if draft_only else submit(answers, keeper.revision)
    else:
        text = _text_to_edit(app, keeper, session_id, actor) or render(
            form, {}, head=remarks_on(app, head, form)
        )
        done = write_until_right(app, keeper, form, session_id, text, None if draft_only else submit, actor)
    _say_end(keeper, session_id, done, draft_only, as_json)


@sessions.command()
@click.argument("session_id", metavar="ID")
@_from
@_set
@click.option("--reason", required=True, help="为什么修改(留在记录的历史里)")
@actor_option
@json_option
@pass_app
def amend(
    app: App,
    session_id: str,
    source: str | None,
    fields: tuple[str, ...],
    reason: str,
    actor: str,
    as_json: bool,
) -> None:
    """修改已提交的接访记录 ID:另存新的一版,原来的留着。"""
    desk = desk_of(app.settings)
    head, draft = _opened(app, session_id, actor)
    if not head.version:
        raise Refused(f"{session_id} 还没有提交,请用 hotline sessions write {session_id}。")
    record = _whole(app, session_id, actor)
    form = record.form or desk.form

    def submit(answers: Mapping[str, Any], revision: int | None, counts: bool = True) -> Submitted:
        with app.store() as work:
            done = session_writing.amend(
                work,
                session_id,
                answers,
                desk=desk,
                seen=head.version,
                draft=revision,
                actor=actor,
                now=app.clock(),
                reason=reason,
            )
            if counts:
                work.commit()
        return done

    keeper = Keeper(app, session_id, form, base=head.version, draft=draft, actor=actor)
    done: Submitted | None
    if source is not None or fields:
        done = submit(_given(form, keeper, draft, source, fields, record.answers), keeper.revision)
    else:
        fresh = render(form, record.answers, head=remarks_on(app, head, form))
        text = _text_to_edit(app, keeper, session_id, actor) or fresh
        if draft is not None and draft.base != head.version:
            text = _warned(text, draft, head)
        done = write_until_right(app, keeper, form, session_id, text, submit, actor)
    _say_end(keeper, session_id, done, False, as_json)


@sessions.command()
@click.argument("session_id", metavar="ID")
@click.option("--kind", type=click.Choice(list(QUICK)), help="来电类型;不写则按一个数字键选")
@actor_option
@json_option
@pass_app
def quick(app: App, session_id: str, kind: str | None, actor: str, as_json: bool) -> None:
    """两次按键登记不需要整条记录的来电 ID:误拨、骚扰、沉默、短挂、信息咨询。"""
    desk = desk_of(app.settings)
    _opened(app, session_id, actor)
    with app.store() as work:
        done = session_writing.submit_quick(
            work, session_id, kind or _asked_kind(), desk=desk, actor=actor, now=app.clock()
        )
        work.commit()
    _say_end(None, session_id, done, False, as_json)


def _asked_kind() -> str:
    kinds = {str(n): word for n, word in enumerate(QUICK, start=1)}
    click.echo("  ".join(f"{n} {word}" for n, word in kinds.items()))
    while (chosen := click.prompt("按一个数字,再按回车").strip()) not in kinds:
        click.echo(f"请按 1 至 {len(kinds)}。")
    return kinds[chosen]


@sessions.command()
@click.argument("session_id", metavar="ID")
@click.option("--remarks", default="", help="审阅意见(留在记录的历史里)")
@click.option("--version", "n", type=click.IntRange(min=1), help="审阅的是第几版;不写为最新一版")
@actor_option
@json_option
@pass_app
def review(app: App, session_id: str, remarks: str, n: int | None, actor: str, as_json: bool) -> None:
    """审阅别人提交的接访记录 ID(督导)。先用 show 看过。"""
    with app.store() as work:
        head = session_writing.review(work, session_id, remarks=remarks, seen=n, actor=actor, now=app.clock())
        work.commit()
    if as_json:
        show_one(row(head), [], as_json=True)
    else:
        click.echo(f"{head.id} 已审阅。")


@sessions.command()
@click.argument("session_id", metavar="[ID]", required=False)
@click.argument("n", type=click.IntRange(min=1), required=False)
@click.argument("result", metavar="[去向]", type=click.Choice(UPTAKES), required=False)
@click.option("--note", "reason", default="", help="从哪里得知的")
@actor_option
@json_option
@pass_app
def uptake(
    app: App,
    session_id: str | None,
    n: int | None,
    result: str | None,
    reason: str,
    actor: str,
    as_json: bool,
) -> None:
    """登记转介的去向:ID、第几条、结果。什么都不写则列出还要再问的。"""
    if session_id is None:
        _list_referrals(app, actor, as_json)
        return
    if n is None or result is None:
        raise click.UsageError("写全:hotline sessions uptake ID 第几条 去向。")
    with app.store() as work:
        session_writing.note_uptake(work, session_id, n, result, reason=reason, actor=actor, now=app.clock())
        work.commit()
    click.echo(f"{session_id} 第 {n} 条转介:{result}。")


def _list_referrals(app: App, actor: str, as_json: bool) -> None:
    with app.store() as work:
        found = records.referrals_to_ask(work, actor=actor, now=app.clock())
        work.commit()
    rows = [
        {"id": head.id, "n": n, "to": one.get("to"), "uptake": one.get("uptake")}
        for head, still in found
        for n, one in still
    ]
    show_rows(rows, _REFERRALS, as_json)


@sessions.command()
@click.argument("session_id", metavar="ID")
@click.option("--dry-run", is_flag=True, help="只看会丢弃什么")
@actor_option
@pass_app
def discard(app: App, session_id: str, dry_run: bool, actor: str) -> None:
    """丢弃接访记录 ID 的草稿。"""
    _, draft = _opened(app, session_id, actor)
    if draft is not None and dry_run:
        click.echo(f"{session_id} 的草稿:{draft.by} 写的,{len(draft.text)} 字。没有丢弃。")
        return
    with app.store() as work:
        records.discard_draft(work, session_id, actor=actor, now=app.clock())
        work.commit()
    click.echo(f"{session_id} 的草稿已丢弃。")


# --- what the writing commands share -------------------------------------------------------


def _opened(app: App, session_id: str, actor: str) -> tuple[SessionRow, Draft | None]:
    with app.store() as work:
        draft = records.read_draft(work, session_id, actor=actor, now=app.clock())
        head = work.sessions.get(session_id)
        work.commit()
    return head, draft


def _whole(app: App, session_id: str, actor: str) -> records.Record:
    """Return a record unmasked: who amends it has to see what they change. Audited as such."""
    with app.store() as work:
        record = records.read_session(
            work, session_id, reveal=True, reason="修改记录", actor=actor, now=app.clock()
        )
        work.commit()
    return record


def _text_to_edit(app: App, keeper: Keeper, session_id: str, actor: str) -> str:
    """Return the draft, with what a killed command left behind; empty if there is neither."""
    if take_up_leftovers(app, keeper, session_id, actor):
        click.echo("上次没有正常关闭,写过的文字已经找回。", err=True)
    return keeper.text


def _warned(text: str, draft: Draft, head: SessionRow) -> str:
    told = (
        f"# 注意:您写这份草稿时看的是第 {draft.base} 版,现在已是第 {head.version} 版。",
        f"# 改了什么:hotline sessions diff {head.id} {draft.base} {head.version}",
    )
    return "\n".join([*told, text])


def _given(
    form: Form,
    keeper: Keeper,
    draft: Draft | None,
    source: str | None,
    fields: tuple[str, ...],
    before: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the answers of `--from` and `--set`, on top of the draft or of what stood there before."""
    if source is not None and draft is not None:
        raise Conflict("这条记录有草稿。先用编辑器打开它,或用 hotline sessions discard 丢弃,再用 --from。")
    answers = dict(before)
    if draft is not None:
        answers = _parsed(form, draft.text)
    if source is not None:
        answers = _from_source(form, keeper, source)
    for word in fields:
        name, value = _set_field(form, word)
        answers[name] = value
    return answers


def _from_source(form: Form, keeper: Keeper, source: str) -> dict[str, Any]:
    raw = sys.stdin.buffer.read(_MOST + 1) if source == "-" else _read(Path(source))
    if len(raw) > _MOST:
        raise Refused(f"{source}:超过 {_MOST} 字节,不像一条接访记录。")
    text = decoded(raw)
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        return _from_json(text, source)
    keeper.keep(text)
    return _parsed(form, text)


def _read(file: Path) -> bytes:
    with file.open("rb") as source:
        return source.read(_MOST + 1)


def _from_json(text: str, source: str) -> dict[str, Any]:
    try:
        found = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        where = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise Refused(f"{source}{where}:不是 JSON,请改正这一行。") from None
    if not isinstance(found, dict):
        raise Refused(f"{source}:JSON 最外层应是 {{...}}。")
    return found


def _parsed(form: Form, text: str) -> dict[str, Any]:
    found = parse(form, unmarked(text))
    if found.problems:
        say_problems(found.problems)
        raise Refused("有读不懂的地方,没有提交;文字已存为草稿。")
    return found.answers


def _set_field(form: Form, word: str) -> tuple[str, Any]:
    name, sign, value = word.partition("=")
    labels = {one.label: one.id for one in form.fields.values()}
    name = labels.get(name, name)
    if not sign or name not in form.fields:
        raise Refused(f"--set {word[:40]}:写成 字段=值,字段用表单里的名称或标签。")
    if form.fields[name].kind is FieldKind.RECORDS and value.strip():
        return name, _from_json_list(value, name)
    return name, value


def _from_json_list(value: str, name: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise Refused(f"--set {name}=…:这一项有几条,请写成 JSON 列表。") from None


def _say_end(
    keeper: Keeper | None, session_id: str, done: Submitted | None, draft_only: bool, as_json: bool
) -> None:
    if done is not None:
        if as_json:
            show_one(submitted_row(done), [], as_json=True)
        else:
            say_submitted(done)
        return
    if keeper is not None and keeper.revision is not None:
        click.echo(f"{session_id} 的草稿已保存,没有提交。")
    if not draft_only:
        click.get_current_context().exit(1)
