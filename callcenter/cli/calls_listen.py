"""`hotline calls listen` and `ears`: a supervisor on somebody's call, and who was on which."""

from __future__ import annotations

import asyncio
from datetime import datetime

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, local, pass_app, say, show_rows
from callcenter.domain.listening import Listening, ListenMode
from callcenter.service.line import listening
from callcenter.words import LISTEN_WORDS

_TOLD = {
    ListenMode.LISTEN: "双方都听不到您",
    ListenMode.WHISPER: "只有咨询员听得到您",
    ListenMode.BARGE: "双方都听得到您,这是三方通话",
}
_COLUMNS = [
    ("asked_text", "时间"),
    ("by", "督导"),
    ("mode_text", "方式"),
    ("agent", "咨询员"),
    ("state_text", "情况"),
    ("call", "通话"),
]


@click.command("listen")
@click.argument("target", metavar="通话编号或咨询员")
@click.option("--mode", type=click.Choice([mode.value for mode in ListenMode]), default="listen", help="方式")
@click.option("--reason", required=True, help="为什么要听,留痕")
@actor_option
@pass_app
def listen(app: App, target: str, mode: str, reason: str, actor: str) -> None:
    """听一通正在进行的电话:listen 听线,whisper 耳语,barge 加入成三方。

    您自己的电话会响,接起后开始;挂断只结束听线,不影响通话。咨询员能看到有人听过。
    """
    granted = asyncio.run(_listen(app, target, ListenMode(mode), reason, actor))
    say(f"正在拨您的电话。接起后{_TOLD[granted.mode]};挂断只结束{LISTEN_WORDS[granted.mode]}。")


async def _listen(app: App, target: str, mode: ListenMode, reason: str, actor: str) -> Listening:
    with app.store() as work:
        call = listening.talk_of(work, target, mode, actor=actor)
    async with app.telephony() as line:
        ear = await listening.ear_of(line.calls, call)
        with app.store() as work:
            granted = listening.grant(work, call, mode, ear, actor=actor, now=app.clock(), reason=reason)
            work.commit()
        await listening.place(line.calls, granted, ear, shown_number=app.settings.site.outbound_number)
    return granted


@click.command("ears")
@click.argument("call", metavar="[通话编号]", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="至多几条")
@actor_option
@json_option
@pass_app
def ears(app: App, call: str | None, limit: int, actor: str, as_json: bool) -> None:
    """列出督导听线:督导和审计看全部,咨询员看自己的通话。"""
    with app.store() as work:
        found = listening.ears(work, limit, actor=actor, call=call)
    show_rows([_row(one) for one in found], _COLUMNS, as_json)


def _row(one: Listening) -> dict[str, object]:
    return {
        "listening": one.id,
        "call": one.call,
        "agent": one.agent,
        "by": one.by,
        "mode": one.mode.value,
        "mode_text": LISTEN_WORDS[one.mode],
        "asked_at": one.asked_at,
        "asked_text": local(one.asked_at),
        "started_at": one.started_at,
        "ended_at": one.ended_at,
        "state_text": _state(one.started_at, one.ended_at),
    }


def _state(started: datetime | None, ended: datetime | None) -> str:
    if started is None:
        return "没有接起"
    return "听过" if ended else "在听"
