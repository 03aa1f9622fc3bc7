"""`hotline restore`: a line brought back from one file and the recovery key."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from callcenter.bootstrap import App
from callcenter.cli.common import known_actor, pass_app
from callcenter.cli.keys import read_key
from callcenter.config import Settings
from callcenter.db.restore import Restored, Target, check_backup, check_target
from callcenter.db.restore import restore as bring_back
from callcenter.db.unit_of_work import open_store
from callcenter.errors import Refused
from callcenter.escrow import refresh_copy
from callcenter.keys import KeyRing
from callcenter.ports import UnitOfWork
from callcenter.service.privacy import audit, safekeeping


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--identity", required=True, help="恢复密钥:文件,或 - 从终端输入")
@click.option("--into", type=click.Path(path_type=Path), help="恢复到哪个文件夹;默认配置里的 home")
@click.option("--database", help="恢复到哪个数据库(地址);默认配置里的,或 --into 里的 SQLite")
@click.option("--overwrite", is_flag=True, help="那里已有一条线也照做;原来的挪到一旁")
@click.option("--reason", default="", help="换掉现有数据的理由,留痕(与 --overwrite 同用)")
@click.option("--as", "actor", envvar="HOTLINE_ACTOR", help="以谁的名义(与 --overwrite 同用)")
@click.option("--dry-run", is_flag=True, help="只核对备份和要恢复到的地方")
@pass_app
def restore(
    app: App,
    file: Path,
    identity: str,
    into: Path | None,
    database: str | None,
    overwrite: bool,
    reason: str,
    actor: str | None,
    dry_run: bool,
) -> None:
    """从一份备份恢复:空机器上只要这个文件和恢复密钥。先停 hotline serve 和 Asterisk。

    备份可以恢复到另一种数据库。有任何一处不对就什么都不改。
    """
    key = read_key(identity)
    target = _target(app, into, database, overwrite=overwrite)
    is_this_line = target.home == app.settings.home.resolve() and target.database_url == _url(app)
    if overwrite and is_this_line and (actor or app.settings.access.cli_sign_in):
        actor = known_actor(app, actor)  # where people sign in, it is who signed in
    told = _allowed(target, actor, reason) if overwrite else ""
    if dry_run:
        found = check_backup(file, key)
        check_target(target, found.key)
        click.echo(f"{_what(found)}可以恢复到 {target.home}(试算,没有写入)。")
        return
    now = app.clock()
    note = partial(safekeeping.note_restore, name=file.name, now=now, by=actor or "", reason=told)
    done = bring_back(file, key, target, partial(_verify, note=note), now=now)
    store = open_store(target.database_url, KeyRing.load(target.home / "hotline.key"))
    with store() as work:
        audit.note_head(work, target.home, anew=True)
    store.close()
    refresh_copy(target.home / "recovery.json", target.home / "hotline.key.age", target.home / "hotline.key")
    _say(done, target)


def _url(app: App) -> str:
    return app.settings.database_url


def _target(app: App, into: Path | None, database: str | None, *, overwrite: bool) -> Target:
    if into is None:
        settings = app.settings
        return Target(
            home=settings.home.resolve(), database_url=database or settings.database_url, overwrite=overwrite
        )
    settings = Settings.model_construct(home=into)
    url = database or f"sqlite:///{into.resolve() / 'hotline.db'}"
    return Target(home=settings.home.resolve(), database_url=url, overwrite=overwrite)


def _allowed(target: Target, actor: str | None, reason: str) -> str:
    """Return the reason for replacing a line that stands; its own administrator has to ask for it."""
    key_file = target.home / "hotline.key"
    if not key_file.exists():
        return reason
    if actor is None:
        raise Refused("要换掉现有的数据,请写明以谁的名义和理由:--as 人员代码 --reason 理由。")
    store = open_store(target.database_url, KeyRing.load(key_file))
    try:
        with store() as work:
            return safekeeping.may_restore(work, actor=actor, reason=reason)
    finally:
        store.close()


def _verify(work: UnitOfWork, *, note: partial[None]) -> None:
    verdict = audit.verify(work)
    if not verdict.is_whole:
        raise Refused(f"备份里的操作留痕在第 {verdict.bad_seq} 条不完整。请用另一份备份。")
    note(work)


def _what(found: Restored) -> str:
    return (
        f"备份作于 {found.about.made_at:%Y-%m-%d %H:%M} UTC,"
        f"{found.manifest.rows} 行,{len(found.manifest.files)} 个文件,完好。"
    )


def _say(done: Restored, target: Target) -> None:
    click.echo(f"{_what(done)}已恢复到 {target.home}。")
    if done.aside is not None:
        click.echo(f"原来的在 {target.home} 里名字带 before- 的地方,确认无误后请自行删除。")
    config = target.home / "hotline.toml"
    if config.exists():
        click.echo(f"配置在 {config}:核对 home 和 database,放到该放的地方。")
    click.echo("接着:hotline pbx apply,hotline doctor,再启动 Asterisk 和 hotline serve。")
