"""Writing a record in an editor: the text is a draft from the first save on, until it is submitted."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import click

from callcenter.bootstrap import App
from callcenter.cli.common import local
from callcenter.cli.session_editor import desk_for, edit, leftovers
from callcenter.cli.session_screen import say
from callcenter.domain.form_text import Problem, marked, parse, unmarked
from callcenter.domain.forms import Form, Wrong
from callcenter.domain.numbers import mask_number
from callcenter.domain.sessions import Draft, SessionRow
from callcenter.errors import NotFound
from callcenter.service.sessions import drafts
from callcenter.service.sessions.forms import Desk
from callcenter.service.sessions.writing import RecordRefused, Submitted

_HELP = (
    "以 # 开头的行不会提交。在冒号后面填写;选项填序号或照写;没有的空着。",
    "每次在编辑器里存盘,内容就进入加密的草稿;没有存盘的只在编辑器里。",
    "关闭编辑器后提交。",
)

#: Answers, the draft's revision, and whether it counts: what is only tried is undone.
Submit = Callable[[dict[str, Any], int | None, bool], Submitted]


class Keeper:
    """Keeps a record's draft while it is typed, from whatever thread asks."""

    def __init__(
        self, app: App, session_id: str, form: Form, *, base: int, draft: Draft | None, actor: str
    ) -> None:
        self.revision = draft.revision if draft else None
        self.session, self.actor = session_id, actor
        #: The draft that lay there before.
        self.begun = draft
        #: Whether this command saved what came whole, from a file.
        self.was_handed_in = False
        self._app, self._form, self._base = app, form, base
        self._turn = threading.Lock()
        #: What somebody else saved beside it meanwhile; every later save keeps it.
        self._beside = ""
        self._kept = draft.text if draft else ""

    @property
    def text(self) -> str:
        """Return the draft as it stands; empty if there is none."""
        return self._kept

    def keep(self, text: str, *, handed_in: bool = False) -> None:
        """Save the text as the draft. An empty form is not kept: it never takes the place of words."""
        text = unmarked(text)
        if not says_something(self._form, text):
            return
        with self._turn:
            whole = text + self._beside
            if whole == self._kept:
                self.was_handed_in = self.was_handed_in or handed_in
                return
            with self._app.store() as work:
                found = drafts.save_draft(
                    work,
                    self.session,
                    whole,
                    form=self._form,
                    base=self._base,
                    seen=self.revision,
                    handed_in=handed_in,
                    actor=self.actor,
                    now=self._app.clock(),
                )
                work.commit()
            self.revision, self._kept = found.revision, found.text
            self.was_handed_in = handed_in
            if found.text != whole:
                self._beside = found.text.removeprefix(text.rstrip("\n"))

    def taken_beside(self) -> str:
        """Return once what was saved elsewhere meanwhile, so that its writer sees it; or nothing."""
        with self._turn:
            found, self._beside = self._beside, ""
        return found


def says_something(form: Form, text: str) -> bool:
    """Tell whether anything at all was filled in."""
    found = parse(form, text)
    return bool(found.answers or found.problems)


def write_until_right(
    app: App, keeper: Keeper, form: Form, session_id: str, text: str, submit: Submit | None, actor: str
) -> Submitted | None:
    """Open the editor until the record is submitted, or its writer leaves it as a draft (None).

    Without `submit` it is only kept. A text with mistakes is opened again with a remark at each place.
    """
    desk = desk_for(app.settings.home, actor)
    while True:
        typed = edit(desk, session_id, text, keeper.keep)
        plain = unmarked(typed.text)
        if typed.text == text and keeper.revision is None:
            click.echo("没有改动,没有提交。")
            return None
        if typed.code != 0 or not says_something(form, plain):
            click.echo("没有提交。" if typed.code == 0 else f"编辑器以 {typed.code} 结束,没有提交。")
            return None
        keeper.keep(plain)
        if other := keeper.taken_beside():
            say("这条记录同时在别处写过,两边的文字都在,请看一看再提交。", err=True)
            text = plain.rstrip("\n") + other
            continue
        done, problems = _try(form, plain, keeper, submit)
        if done is not None or not problems:
            return done
        again = marked(plain, problems)
        if again == text:
            say_problems(problems)
            return None
        text = again


def _try(
    form: Form, text: str, keeper: Keeper, submit: Submit | None
) -> tuple[Submitted | None, Sequence[Problem]]:
    found = parse(form, text)
    if found.problems or submit is None:
        return None, found.problems if submit else ()
    try:
        # Tried before anybody is asked, so that nobody says yes to what is then refused.
        submit(found.answers, keeper.revision, False)
    except RecordRefused as error:
        return None, placed(error.wrongs, found.lines)
    return (submit(found.answers, keeper.revision, True) if _confirmed() else None), ()


def _confirmed() -> bool:
    """Ask at a terminal whether to submit: saving in between is no submitting."""
    if not sys.stdin.isatty():
        return True
    ask = "提交这条记录?(回车提交,n 留作草稿)"
    while (said := click.prompt(ask, default="y", show_default=False).strip()) not in _SAID:
        click.echo("请按回车,或 n。")
    return _SAID[said]


_SAID = {"y": True, "Y": True, "是": True, "n": False, "N": False, "否": False}


def placed(wrongs: Sequence[Wrong], lines: dict[str, int]) -> tuple[Problem, ...]:
    """Return what is wrong with where it stands in the text."""
    found = (Problem(line=lines.get(wrong.field, 1), text=wrong.text) for wrong in wrongs)
    return tuple(sorted(found, key=lambda problem: problem.line))


def say_problems(problems: Sequence[Problem]) -> None:
    """Print what is wrong, line by line."""
    for problem in problems:
        say(f"第 {problem.line} 行:{problem.text}", err=True)


def remarks_on(app: App, session: SessionRow, form: Form) -> list[str]:
    """Return what stands above a form: which call it is about."""
    told = f"接访记录 {session.id}  表单 {form.id}"
    return [told, *_call_told(app, session), *_HELP]


def notes_on(desk: Desk) -> dict[str, str]:
    """Return what the form's own remarks cannot know: the questionnaires this site has."""
    return {"instruments": f"这里有的量表:{'、'.join(desk.instruments)}"}


def _call_told(app: App, session: SessionRow) -> list[str]:
    with app.store() as work:
        try:
            call = work.calls.get(session.call)
        except NotFound:
            return []
    ended = f" 至 {_clock(call.ended_at)}" if call.ended_at else ",还没有结束"
    return [
        f"{local(session.opened_at)}{ended}  {mask_number(call.number)}  咨询员 {session.counsellor or '—'}"
    ]


def _clock(moment: datetime) -> str:
    return local(moment).split(" ")[1]


def take_up_leftovers(app: App, keeper: Keeper, session_id: str, actor: str) -> bool:
    """Save into the draft what a killed command left behind; tell whether there was anything."""
    found = False
    for text, folder in leftovers(desk_for(app.settings.home, actor), session_id):
        keeper.keep(text)
        shutil.rmtree(folder, ignore_errors=True)
        found = True
    return found
