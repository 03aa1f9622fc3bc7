"""`hotline backup`: everything the line needs, in one file that only the recovery key opens."""

from __future__ import annotations

from pathlib import Path

import click

from callcenter.backups import make_backup, recipient_for_backups
from callcenter.bootstrap import App
from callcenter.cli.common import known_actor, pass_app
from callcenter.cli.keys import read_key
from callcenter.db.restore import check_backup
from callcenter.errors import Refused
from callcenter.service.privacy import audit, safekeeping


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="核对这份备份,不写入任何东西")
@click.option("--identity", help="恢复密钥(核对时要):文件,或 - 从终端输入")
@click.option("--as", "actor", envvar="HOTLINE_ACTOR", help="以谁的名义(人员代码)")
@pass_app
def backup(app: App, file: Path, check: bool, identity: str | None, actor: str | None) -> None:
    """把数据库、密钥、配置、留言和话务日志备份成一个加密的文件。线路照常工作。

    只有恢复密钥打得开;没有恢复密钥(hotline keys escrow)就不备份。
    """
    if check:
        _check(file, identity)
        return
    known = known_actor(app, actor)
    with app.store() as work:
        safekeeping.note_backup(work, file.name, actor=known, now=app.clock())
        recipient = recipient_for_backups(app.settings)
        work.commit()
    mark = make_backup(app, file, recipient)
    with app.store() as work:
        head = audit.note_head(work, app.settings.home)
    click.echo(f"已备份到 {mark.file}:{mark.rows} 行,{mark.size} 字节。留痕链头 {head}。")
    click.echo("请复制到另一处;恢复演练:hotline backup --check 文件 --identity -")


def _check(file: Path, identity: str | None) -> None:
    if identity is None:
        raise Refused("核对要用恢复密钥:--identity 文件,或 --identity - 从终端输入。")
    found = check_backup(file, read_key(identity), deep=True)
    manifest = found.manifest
    click.echo(
        f"完好,抽查的加密内容都打得开,留痕连贯:"
        f"{found.about.made_at:%Y-%m-%d %H:%M} UTC,版本 {found.about.revision},"
        f"{len(manifest.tables)} 张表 {manifest.rows} 行,{len(manifest.files)} 个文件,"
        f"留痕链头 {manifest.audit_head[:48] or '—'}。"
    )
