"""`hotline sessions write`, `amend`, `quick`: what a counsellor says of a call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, local, pass_app, show_one
from callcenter.cli.session_given import Given, from_option, hand_in, set_option
from callcenter.cli.session_outcome import Rung, leave, ring, say_submitted, submitted_row
from callcenter.cli.session_screen import say, which_call
from callcenter.cli.session_typing import (
    Keeper,
    Submit,
    notes_on,
    remarks_on,
    take_up_leftovers,
    write_until_right,
)
from callcenter.domain.form_text import render
from callcenter.domain.session_quick import SHORT_TALK, needs_confirming
from callcenter.domain.session_words import NOT_ASKED, QUICK, SHORT
from callcenter.domain.sessions import Draft, SessionRow
from callcenter.errors import Conflict, NotFound, Refused
from callcenter.ports import UnitOfWork
from callcenter.service.sessions import drafts, listing
from callcenter.service.sessions import quick as quickly
from callcenter.service.sessions import reading as records
from callcenter.service.sessions import writing as session_writing
from callcenter.service.sessions.forms import desk_of
from callcenter.service.sessions.writing import Submitted

_mine = click.argument("session_id", metavar="[ID]", required=False)


class _Desk:
    """Submits in one transaction, and remembers whether the supervisors were rung."""

    def __init__(self, app: App, actor: str) -> None:
        self._app, self._actor = app, actor
        self.rung = Rung()

    def submit(self, act: Callable[[UnitOfWork], Submitted], counts: bool) -> Submitted:
        """Do it; what does not count is only tried, and undone."""
        with self._app.store() as work:
            done = act(work)
            if counts:
                self.rung = ring(self._app, work, done, actor=self._actor)
                work.commit()
        return done

    def say(self, done: Submitted, as_json: bool) -> None:
        """Say what became of it."""
        if as_json:
            show_one(submitted_row(done, self.rung), [], as_json=True)
        else:
            say_submitted(self._app, done, self.rung)


@click.command()
@_mine
@from_option
@set_option
@click.option("--draft", "draft_only", is_flag=True, help="只存为草稿,不提交")
@actor_option
@json_option
@pass_app
def write(
    app: App,
    session_id: str | None,
    source: str | None,
    fields: tuple[str, ...],
    draft_only: bool,
    actor: str,
    as_json: bool,
) -> None:
    """填写接访记录 ID(不写编号:您最近一通还没有写的)。打开编辑器,关闭后提交。

    没写完的存为草稿,下次接着写。
    """
    session = session_id or _picked(app, actor, as_json, asks=source != "-")
    desk, mine = desk_of(app.settings), _Desk(app, actor)
    head, draft = opened(app, session, actor)
    if head.version:
        raise Conflict(f"{session} 已经提交过。要改:hotline sessions amend {session}")

    def submit(answers: Mapping[str, Any], revision: int | None, counts: bool = True) -> Submitted:
        how: dict[str, Any] = {"desk": desk, "draft": revision, "actor": actor, "now": app.clock()}
        return mine.submit(lambda work: session_writing.submit(work, session, answers, **how), counts)

    keeper = Keeper(app, session, desk.form, base=0, draft=draft, actor=actor)
    send: Submit | None = None if draft_only else submit
    if given := Given(source=source, fields=fields):
        done = hand_in(given, desk.form, keeper, draft, send)
    else:
        text = _text_to_edit(app, keeper, session, actor) or render(
            desk.form, {}, head=remarks_on(app, head, desk.form), notes=notes_on(desk)
        )
        done = write_until_right(app, keeper, desk.form, session, text, send, actor)
    _say_end(mine, keeper, session, done, draft_only, as_json)


@click.command()
@click.argument("session_id", metavar="ID")
@from_option
@set_option
@click.option("--reason", required=True, help="为什么修改,至少 4 个字(留在记录的历史里)")
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
    desk, mine = desk_of(app.settings), _Desk(app, actor)
    head, draft = opened(app, session_id, actor)
    if not head.version:
        raise Refused(f"{session_id} 还没有提交,请用 hotline sessions write {session_id}")
    record = _whole(app, session_id, actor)
    records.check_kept(head, record.history)
    form = record.form or desk.form

    def submit(answers: Mapping[str, Any], revision: int | None, counts: bool = True) -> Submitted:
        how: dict[str, Any] = {"seen": head.version, "draft": revision, "reason": reason, "desk": desk}
        how |= {"actor": actor, "now": app.clock()}
        return mine.submit(lambda work: session_writing.amend(work, session_id, answers, **how), counts)

    keeper = Keeper(app, session_id, form, base=head.version, draft=draft, actor=actor)
    if given := Given(source=source, fields=fields, before=record.answers):
        done = hand_in(given, form, keeper, draft, submit)
    else:
        fresh = render(form, record.answers, head=remarks_on(app, head, form), notes=notes_on(desk))
        text = _text_to_edit(app, keeper, session_id, actor) or fresh
        if draft is not None and draft.base != head.version:
            text = _warned(text, draft, head)
        done = write_until_right(app, keeper, form, session_id, text, submit, actor)
    _say_end(mine, keeper, session_id, done, False, as_json)


# --- two keystrokes ------------------------------------------------------------------------


@click.command()
@_mine
@click.option("--kind", type=click.Choice(list(QUICK)), help="来电类型;不写则按一个数字键选")
@click.option("--why", type=click.Choice(NOT_ASKED), help="沉默的来电:为什么没有问自杀危险")
@click.option("--yes", "is_sure", is_flag=True, help="谈了很久也确实是误拨,不再问")
@actor_option
@json_option
@pass_app
def quick(
    app: App,
    session_id: str | None,
    kind: str | None,
    why: str | None,
    is_sure: bool,
    actor: str,
    as_json: bool,
) -> None:
    """两次按键登记不需要整条记录的来电 ID:误拨、骚扰、沉默、短挂、信息咨询。

    不写编号:您最近一通还没有写的。短挂只用于 10 秒以内的通话。
    """
    session = session_id or _picked(app, actor, as_json)
    desk, mine = desk_of(app.settings), _Desk(app, actor)
    head, _ = opened(app, session, actor)
    with app.store() as work:
        quickly.check_nothing_open(work, head)
        talk = quickly.talk_of(work, head)
    kind = kind or _key("这是什么来电?", list(QUICK), {SHORT: f"({SHORT_TALK.seconds} 秒内)"})
    if QUICK[kind] is None and why is None:
        why = _key("为什么没有问自杀危险?", list(NOT_ASKED))
    sure = is_sure or (needs_confirming(kind, talk) and sys.stdin.isatty() and _is_sure(kind, talk))
    done = mine.submit(
        lambda work: quickly.submit_quick(
            work, session, kind, why=why, is_sure=sure, desk=desk, actor=actor, now=app.clock()
        ),
        True,
    )
    mine.say(done, as_json)


def _is_sure(kind: str, talk: Any) -> bool:
    took = f"这一通谈了 {round(talk.total_seconds())} 秒" if talk is not None else "这一通不知道谈了多久"
    return _key(f"{took},确实是{kind}?", ["不是,要写整条记录", "是"]) == "是"


def _key(question: str, words: list[str], more: Mapping[str, str] | None = None) -> str:
    """Ask for one key; ask again until it means something."""
    say(question)
    say("  ".join(f"{n} {word}{(more or {}).get(word, '')}" for n, word in enumerate(words, start=1)))
    while True:
        said = click.prompt("按一个数字,再按回车").strip()
        if said.isdecimal() and 1 <= int(said) <= len(words):
            return words[int(said) - 1]
        click.echo(f"请按 1 至 {len(words)}。")


# --- what they share -----------------------------------------------------------------------


def _picked(app: App, actor: str, as_json: bool, *, asks: bool = True) -> str:
    """Return the actor's newest record that is still to be written; of several, the one they choose."""
    with app.store() as work:
        waiting = listing.to_write(work, actor=actor, now=app.clock())
    if not waiting:
        raise NotFound("您没有待填写的接访记录。")
    if len(waiting) == 1:
        say(f"这一通:{which_call(waiting[0])}", err=as_json)
        return waiting[0].session.id
    if not asks:
        raise Refused(f"您有 {len(waiting)} 条待填写的接访记录,请写上编号。")
    for n, one in enumerate(waiting[:9], start=1):
        say(f"{n}  {which_call(one)}", err=as_json)
    ask = f"写哪一通?(1 至 {min(len(waiting), 9)},直接回车为 1:最近的)"
    while True:
        said = click.prompt(ask, default="1", show_default=False, err=as_json).strip()
        if said.isdecimal() and 1 <= int(said) <= min(len(waiting), 9):
            return waiting[int(said) - 1].session.id


def opened(app: App, session_id: str, actor: str) -> tuple[SessionRow, Draft | None]:
    """Return a record's head and its draft, if the actor may write it."""
    with app.store() as work:
        draft = drafts.read_draft(work, session_id, actor=actor, now=app.clock())
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
        say("上次没有正常关闭,写过的文字已经找回。", err=True)
    elif keeper.begun is not None:
        say(f"接着 {keeper.begun.by} 在 {local(keeper.begun.at)} 存的旧草稿写。", err=True)
    return keeper.text


def _warned(text: str, draft: Draft, head: SessionRow) -> str:
    told = (
        f"# 注意:您写这份草稿时看的是第 {draft.base} 版,现在已是第 {head.version} 版。",
        f"# 改了什么:hotline sessions diff {head.id} {draft.base} {head.version}",
    )
    return "\n".join([*told, text])


def _say_end(
    mine: _Desk, keeper: Keeper, session_id: str, done: Submitted | None, draft_only: bool, as_json: bool
) -> None:
    if done is not None:
        mine.say(done, as_json)
        return
    if keeper.revision is not None:
        say(f"{session_id} 的草稿已保存,没有提交。")
    elif draft_only:
        say("没有内容,没有存为草稿。")
    if not draft_only:
        leave(1)
