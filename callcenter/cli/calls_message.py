"""`hotline calls message`: hearing what a caller left. In clear it lies in memory only."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, pass_app
from callcenter.errors import Refused
from callcenter.service.line import recordings
from callcenter.service.line.recordings import Message

#: Where a file never reaches a disk.
_MEMORY = Path("/dev/shm")  # noqa: S108 - files of random names, 0600, made exclusively
#: Players that end by themselves, tried in turn.
_PLAYERS = (("play", "-q"), ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"), ("aplay", "-q"))


@click.command()
@click.argument("call")
@click.option("--reason", required=True, help="为什么要听,留痕")
@click.option("--play", is_flag=True, help="马上播放,之后不留下文件")
@actor_option
@pass_app
def message(app: App, call: str, reason: str, play: bool, actor: str) -> None:
    """听来电者的留言:解密到内存里的一个文件,或直接播放。写明理由,留痕。"""
    player = _player() if play else None
    settings, now = app.settings, app.clock()
    recordings.seal_waiting(
        app.store, settings.pbx_home / "spool" / "messages", settings.recordings_folder, now=now
    )
    with app.store() as work:
        found = recordings.hear(work, settings.recordings_folder, call, actor=actor, now=now, reason=reason)
        work.commit()
    for one in found:
        file = _in_memory(one)
        if player is None:
            click.echo(file)
            continue
        try:
            subprocess.run([*player, str(file)], check=False)
        finally:
            file.unlink(missing_ok=True)
    if player is None:
        click.echo("听完请删除:文件在内存里,重启后也会消失。", err=True)


def _in_memory(found: Message) -> Path:
    """Write the sound to a file (0600) that no disk ever sees, and return it; a broken one leaves none."""
    if not _MEMORY.is_dir():
        raise Refused(f"{_MEMORY} 不在,没有地方可以只在内存里存放。请在 Linux 上听。")
    descriptor, name = tempfile.mkstemp(prefix="hotline-", suffix=".wav", dir=_MEMORY)
    try:
        with os.fdopen(descriptor, "wb") as out:
            for piece in found.sound():
                out.write(piece)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _player() -> tuple[str, ...]:
    for command in _PLAYERS:
        if shutil.which(command[0]):
            return command
    raise Refused("没有播放器。请安装 sox、ffmpeg 或 alsa-utils,或不加 --play。")
