"""`hotline keys`: a new key for the fields, the recovery key on paper, and a lost key file brought back."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, pass_app
from callcenter.cli.keys_escrow import confirm, escrow
from callcenter.db.rotation import Resealed, Rotation, retire, until_noticed
from callcenter.errors import CallCenterError, ConfigError, Refused
from callcenter.escrow import load_escrow, open_copy, read_identity, refresh_copy
from callcenter.files import only_one, write_private
from callcenter.keys import KeyRing
from callcenter.safekept import load_mark
from callcenter.service.privacy import audit, safekeeping

reason_option = click.option("--reason", required=True, help="理由,留痕")


@click.group()
def keys() -> None:
    """密钥:更换、托管、找回。"""


keys.add_command(escrow)
keys.add_command(confirm)


@keys.command()
@reason_option
@click.option("--dry-run", is_flag=True, help="只数一数,不更换")
@actor_option
@pass_app
def rotate(app: App, reason: str, dry_run: bool, actor: str) -> None:
    """更换字段密钥:内容用新密钥重新加密,线路照常工作。中断后再运行一次,接着做完。

    话机密码、PIN 等由主密钥得出,不受影响。旧密钥留到 hotline keys retire。
    """
    with app.store() as work:
        safekeeping.may_rotate(work, actor=actor)
    ring = KeyRing.load(app.settings.key_file)
    if dry_run:
        _count(app, ring)
        return
    with _alone(app):
        left = _left(app, ring)
        resuming = ring.current > 1 and _is_waiting(app, ring)
        version = ring.current if resuming else ring.with_new_key().current
        with app.store() as work:
            safekeeping.note_rotation(work, version, actor=actor, now=app.clock(), reason=reason)
            whole = audit.verify(work).is_whole
            work.commit()
        if resuming:
            click.echo(f"接着上次:还有 {sum(left.values())} 行。")
        else:
            ring = ring.with_new_key().save(app.settings.key_file)
        _refresh_copy(app)
        until_noticed()
        result = _reseal(app, ring)
    _report(app, ring, result, was_whole=whole)


@keys.command("retire")
@reason_option
@click.option("--without-backup", is_flag=True, help="更换之后还没有备份也照做")
@actor_option
@pass_app
def retire_old(app: App, reason: str, without_backup: bool, actor: str) -> None:
    """核对没有内容还用旧密钥,然后把旧密钥从密钥文件里去掉。"""
    with app.store() as work:
        safekeeping.may_rotate(work, actor=actor)
    ring = KeyRing.load(app.settings.key_file)
    if len(ring.versions) == 1:
        raise Refused("没有旧密钥。更换密钥:hotline keys rotate。")
    if not without_backup:
        _check_backed_up(app)
    with _alone(app):
        with app.store() as work:
            safekeeping.note_retirement(work, ring.current, actor=actor, now=app.clock(), reason=reason)
            work.commit()
        retire(app.settings.database_url, ring, app.settings.key_file)
        _refresh_copy(app)
    click.echo(f"旧密钥已去掉,只剩版本 {ring.current}。更早的备份里各有当时的密钥,仍能恢复。")


@keys.command()
@click.option("--identity", "identity", required=True, help="恢复密钥:文件,或 - 从终端输入")
@pass_app
def recover(app: App, identity: str) -> None:
    """密钥文件丢了,数据还在:用恢复密钥打开它的加密副本,放回原处。"""
    key_file, copy = app.settings.key_file, app.settings.key_copy_file
    if key_file.exists():
        raise Refused(f"{key_file} 还在,不覆盖。")
    if not copy.exists():
        raise ConfigError(f"{copy} 不在。请从备份恢复:hotline restore 文件 --identity 文件。")
    text = open_copy(copy.read_bytes(), read_key(identity))
    KeyRing.parse(text, copy)
    write_private(key_file, text)
    click.echo(f"{key_file} 已放回(0600)。请运行 hotline doctor 核对。")


@keys.command("copy")
@pass_app
def copy_keys(app: App) -> None:
    """把密钥文件再加密给恢复密钥,存在它旁边(更换密钥时会自动做)。"""
    if not app.settings.recovery_file.exists():
        raise Refused("还没有恢复密钥。先运行 hotline keys escrow。")
    _refresh_copy(app)
    click.echo(f"{app.settings.key_copy_file} 已更新。")


def read_key(identity: str) -> str:
    """Return the recovery key in a file, or typed unseen where `-` stands; raise `Refused` if it is none."""
    if identity != "-":
        return read_identity(Path(identity).read_text(encoding="utf-8", errors="replace"))
    if not sys.stdin.isatty():
        return read_identity(sys.stdin.read())
    return read_identity(click.prompt("恢复密钥(输入不显示)", hide_input=True))


def _alone(app: App) -> AbstractContextManager[None]:
    lock = app.settings.home / "keys.lock"
    return only_one(lock, "另一个 hotline keys 正在运行,请等它做完。")


def _left(app: App, ring: KeyRing) -> dict[str, int]:
    rotation = Rotation(app.settings.database_url, ring)
    try:
        return rotation.left()
    finally:
        rotation.close()


def _is_waiting(app: App, ring: KeyRing) -> bool:
    rotation = Rotation(app.settings.database_url, ring)
    try:
        return rotation.is_waiting()
    finally:
        rotation.close()


def _count(app: App, ring: KeyRing) -> None:
    left = _left(app, ring)
    if not (ring.current > 1 and left):
        # As if the new key were there: then everything is under an older one.
        left = _left(app, replace(ring.with_new_key(), file=None))
    for table, count in left.items():
        click.echo(f"{table}:{count} 行")
    click.echo(f"共 {sum(left.values())} 行要重新加密(试算,没有写入)。")


def _reseal(app: App, ring: KeyRing) -> Resealed:
    rotation = Rotation(app.settings.database_url, ring)
    try:
        total = sum(rotation.left().values())
        with click.progressbar(length=total, label="重新加密", show_pos=True) as bar:
            return rotation.reseal(bar.update)
    finally:
        rotation.close()


def _report(app: App, ring: KeyRing, result: Resealed, *, was_whole: bool) -> None:
    with app.store() as work:
        is_whole = audit.verify(work).is_whole
    if was_whole and not is_whole:
        raise CallCenterError("操作留痕在更换前完整、更换后不完整。请保留旧密钥,运行 hotline audit verify。")
    for table, count in result.broken.items():
        click.echo(f"{table} 有 {count} 行有打不开的内容,哪一把密钥都不行,原样留着。", err=True)
    if sum(result.left.values()) > sum(result.broken.values()):
        click.echo(f"还有 {sum(result.left.values())} 行没有做完,请再运行一次。", err=True)
        raise SystemExit(1)
    click.echo(f"{result.rows} 行已用版本 {ring.current} 的密钥重新加密。")
    click.echo("接着:hotline backup 文件,然后 hotline keys retire --reason 理由 去掉旧密钥。")


def _refresh_copy(app: App) -> None:
    settings = app.settings
    if refresh_copy(settings.recovery_file, settings.key_copy_file, settings.key_file) is None:
        click.echo("还没有恢复密钥:hotline keys escrow。没有它,密钥文件丢了就什么都读不出来。", err=True)


def _check_backed_up(app: App) -> None:
    """Raise `Refused` unless there is a recovery key that is kept, and a backup made since the change."""
    escrow_note = load_escrow(app.settings.recovery_file)
    if escrow_note is None or not escrow_note.is_confirmed:
        raise Refused("恢复密钥还没有确认保存好。先运行 hotline keys escrow 或 hotline keys confirm。")
    mark, changed = load_mark(app.settings.home), app.settings.key_file.stat().st_mtime
    if mark is None or mark.made_at.timestamp() < changed:
        raise Refused("更换密钥之后还没有备份。先运行 hotline backup 文件;确实不需要就加 --without-backup。")
