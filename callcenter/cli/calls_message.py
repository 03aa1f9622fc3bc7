"""`hotline calls message`: hearing what a caller left."""

from __future__ import annotations

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, pass_app
from callcenter.cli.hearing import let_hear, player
from callcenter.service.line import recordings


@click.command()
@click.argument("call")
@click.option("--reason", required=True, help="为什么要听,留痕")
@click.option("--play", is_flag=True, help="马上播放,之后不留下文件")
@actor_option
@pass_app
def message(app: App, call: str, reason: str, play: bool, actor: str) -> None:
    """听来电者的留言:解密到内存里的一个文件,或直接播放。写明理由,留痕。"""
    playing = player() if play else None
    settings, now = app.settings, app.clock()
    recordings.seal_waiting(
        app.store, settings.pbx_home / "spool" / "messages", settings.recordings_folder, now=now
    )
    with app.store() as work:
        found = recordings.hear(work, settings.recordings_folder, call, actor=actor, now=now, reason=reason)
        work.commit()
    let_hear(found, playing)
