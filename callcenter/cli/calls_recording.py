"""`hotline calls recording`: talks that were recorded with the caller's consent (R15)."""

from __future__ import annotations

from pathlib import Path

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, local, minutes, pass_app, say, show_rows
from callcenter.cli.hearing import let_hear, player
from callcenter.domain.privacy import Recording
from callcenter.service.line import recordings, talks
from callcenter.service.line.recordings import length_of
from callcenter.service.privacy import recording_drops

_COLUMNS = [
    ("at_text", "时间"),
    ("agent", "咨询员"),
    ("length_text", "长度"),
    ("state_text", "情况"),
    ("call", "通话"),
]


@click.group()
def recording() -> None:
    """经来电者按键同意的通话录音。"""


@recording.command("list")
@actor_option
@json_option
@pass_app
def list_recordings(app: App, actor: str, as_json: bool) -> None:
    """列出通话录音:何时、谁的通话、是否还在。不含内容。"""
    with app.store() as work:
        found = talks.listed(work, actor=actor)
    show_rows([_row(one) for one in found], _COLUMNS, as_json)


@recording.command()
@click.argument("call")
@click.option("--reason", required=True, help="为什么要听,留痕")
@click.option("--play", is_flag=True, help="马上播放,之后不留下文件")
@actor_option
@pass_app
def hear(app: App, call: str, reason: str, play: bool, actor: str) -> None:
    """听一通电话的录音:解密到内存里的一个文件,或直接播放。写明理由,留痕。"""
    playing = player() if play else None
    _seal(app)
    folder = app.settings.recordings_folder
    with app.store() as work:
        found = talks.hear(work, folder, call, actor=actor, now=app.clock(), reason=reason)
        work.commit()
    let_hear(found, playing)


@recording.command()
@click.argument("call")
@click.option("--reason", required=True, help="为什么删除,留痕")
@click.option("--dry-run", is_flag=True, help="只说会删什么,不改动")
@actor_option
@pass_app
def drop(app: App, call: str, reason: str, dry_run: bool, actor: str) -> None:
    """删除一通电话的录音,连同密钥,找不回来。来电者撤回同意时用。"""
    with app.store() as work:
        gone = recording_drops.drop(work, call, actor=actor, now=app.clock(), reason=reason)
        if not dry_run:
            work.commit()
    if not dry_run:
        _seal(app)  # what still lay in clear goes now
        for one in gone:
            if one.file:
                (app.settings.recordings_folder / Path(one.file).name).unlink(missing_ok=True)
    say(f"{len(gone)} 段录音{'会删除(试算,没有改动)' if dry_run else '已删除'}。")


def _seal(app: App) -> None:
    settings = app.settings
    spool = settings.pbx_home / "spool" / "recordings"
    recordings.seal_waiting(app.store, spool, settings.recordings_folder, now=app.clock())


def _row(one: Recording) -> dict[str, object]:
    length = length_of(one)
    return {
        "id": one.id,
        "call": one.call,
        "agent": one.agent,
        "at": one.at,
        "at_text": local(one.at),
        "agreed_at": one.agreed_at,
        "withdrawn_at": one.withdrawn_at,
        "dropped_at": one.dropped_at,
        "is_kept": bool(one.file),
        "seconds": round(length.total_seconds()),
        "length_text": minutes(length),
        "state_text": _state(one),
    }


def _state(one: Recording) -> str:
    if one.dropped_at:
        return "已删除"
    if not one.file:
        return "没有录到"
    if one.agreed_at is None:
        return "没有同意记录,不能听"
    return "已加密,后来撤回了同意" if one.withdrawn_at else "已加密"
