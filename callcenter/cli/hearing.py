"""Sound that was kept sealed, made audible: in clear it lies in memory only."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from callcenter.errors import Refused
from callcenter.service.line.recordings import Message

#: Where a file never reaches a disk.
_MEMORY = Path("/dev/shm")  # noqa: S108 - files of random names, 0600, made exclusively
#: Players that end by themselves, tried in turn.
_PLAYERS = (("play", "-q"), ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"), ("aplay", "-q"))


def player() -> tuple[str, ...]:
    """Return what plays a sound here, or raise `Refused`."""
    for command in _PLAYERS:
        if shutil.which(command[0]):
            return command
    raise Refused("没有播放器。请安装 sox、ffmpeg 或 alsa-utils,或不加 --play。")


def let_hear(found: Sequence[Message], playing: tuple[str, ...] | None) -> None:
    """Play the sounds, leaving no file; or name the files in memory that hold them."""
    for one in found:
        file = in_memory(one)
        if playing is None:
            click.echo(file)
            continue
        try:
            subprocess.run([*playing, str(file)], check=False)
        finally:
            file.unlink(missing_ok=True)
    if playing is None:
        click.echo("听完请删除:文件在内存里,重启后也会消失。", err=True)


def in_memory(found: Message) -> Path:
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
