"""`hotline sessions`: the handling records that answered calls opened."""

from __future__ import annotations

import click

from callcenter.bootstrap import App
from callcenter.cli.common import json_option, pass_app, show_rows
from callcenter.domain.sessions import SessionRow, SessionStatus

_STATUS = {SessionStatus.OPEN: "待填写", SessionStatus.SUBMITTED: "已提交"}
_COLUMNS = [("opened_at", "开始"), ("status_text", "状态"), ("counsellor", "咨询员"), ("call", "通话")]


@click.group()
def sessions() -> None:
    """接访记录。"""


@sessions.command("list")
@click.option("--open", "only_open", is_flag=True, help="只列出还没有填写的")
@json_option
@pass_app
def list_sessions(app: App, only_open: bool, as_json: bool) -> None:
    """列出接访记录。每一通接听的来电都有一条。"""
    with app.store() as work:
        found = work.sessions.all(SessionStatus.OPEN if only_open else None)
    show_rows([_row(session) for session in found], _COLUMNS, as_json)


def _row(session: SessionRow) -> dict[str, object]:
    return {
        "id": session.id,
        "call": session.call,
        "counsellor": session.counsellor,
        "opened_at": session.opened_at,
        "status": session.status,
        "status_text": _STATUS[session.status],
    }
