"""`hotline restore`: a line brought back from one file and the recovery key."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path

import click

from callcenter.bootstrap import App
from callcenter.cli.common import known_actor, pass_app
from callcenter.cli.keys import read_key
from callcenter.config import Settings
from callcenter.db import swapping
from callcenter.db.errors import StoreNotReady
from callcenter.db.migrate import upgrade
from callcenter.db.restore import Restored, Target, check_backup, check_target
from callcenter.db.restore import restore as bring_back
from callcenter.db.unit_of_work import open_store
from callcenter.errors import Refused
from callcenter.escrow import refresh_copy
from callcenter.keys import KeyRing
from callcenter.ports import UnitOfWork
from callcenter.service.privacy import audit, redoing, safekeeping
from callcenter.service.staff.users import SYSTEM


@dataclass(kw_only=True, slots=True)
class _Act:
    """One restore: who brings what back, and what the line that stood there knew."""

    name: str
    by: str
    now: datetime
    zone: tzinfo
    reason: str = ""
    #: None: nobody knows.
    memory: redoing.Memory | None = None
    redone: redoing.Redone = field(default_factory=redoing.Redone)

    def verify(self, work: UnitOfWork) -> None:
        """Raise `Refused` for a bad chain; carry over what was deleted since, before anything counts."""
        verdict = audit.verify(work)
        if not verdict.is_whole:
            raise Refused(f"备份里的操作留痕在第 {verdict.bad_seq} 条不完整。请用另一份备份。")
        safekeeping.note_restore(work, self.name, now=self.now, by=self.by, reason=self.reason)
        self.redo(work)

    def redo(self, work: UnitOfWork) -> None:
        """Delete again what was deleted after the backup; what is done already is not done twice."""
        if self.memory is None:
            return
        done = redoing.redo(work, self.memory, by=self.by or SYSTEM, now=self.now, zone=self.zone)
        self.redone = done if done.objects else self.redone


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--identity", help="恢复密钥:文件,或 - 从终端输入")
@click.option("--into", type=click.Path(path_type=Path), help="恢复到哪个文件夹;默认配置里的 home")
@click.option("--database", help="恢复到哪个数据库(地址);默认配置里的,或 --into 里的 SQLite")
@click.option("--overwrite", is_flag=True, help="那里已有一条线也照做;原来的挪到一旁")
@click.option("--reason", default="", help="换掉现有数据的理由,留痕(与 --overwrite 同用)")
@click.option("--as", "actor", envvar="HOTLINE_ACTOR", help="以谁的名义(与 --overwrite 同用)")
@click.option("--finish", is_flag=True, help="上次的恢复被打断了:接着做完,或还原成没有动过")
@click.option("--dry-run", is_flag=True, help="只核对备份和要恢复到的地方")
@pass_app
def restore(
    app: App,
    file: Path | None,
    identity: str | None,
    into: Path | None,
    database: str | None,
    overwrite: bool,
    reason: str,
    actor: str | None,
    finish: bool,
    dry_run: bool,
) -> None:
    """从一份备份恢复:空机器上只要这个文件和恢复密钥。先停 hotline serve 和 Asterisk。

    备份可以恢复到另一种数据库。有任何一处不对就什么都不改;中途断电,再运行 restore --finish。
    """
    target = _target(app, into, database, overwrite=overwrite)
    if not dry_run and _settled(target, said=finish):
        return
    if finish:
        return
    if file is None or identity is None:
        raise click.UsageError("请写明备份文件和恢复密钥:hotline restore 文件 --identity 文件或 -")
    key = read_key(identity)
    is_this_line = target.home == app.settings.home.resolve() and target.database_url == _url(app)
    if overwrite and is_this_line and (actor or app.settings.access.cli_sign_in):
        actor = known_actor(app, actor)  # where people sign in, it is who signed in
    app.close()  # our own connections are no reason to refuse
    act = _Act(name=file.name, by=actor or "", now=app.clock(), zone=app.settings.site.zone)
    if overwrite:
        _allow(act, target, actor, reason)
    if dry_run:
        found = check_backup(file, key)
        check_target(target, found.key)
        click.echo(f"{_what(found)}可以恢复到 {target.home}(试算,没有写入)。")
        return
    done = bring_back(file, key, target, act.verify, now=act.now)
    _wrap_up(target, act)
    _say(done, target, act)


def _url(app: App) -> str:
    return app.settings.database_url


def _settled(target: Target, *, said: bool) -> bool:
    """Settle a restore that was cut short; return whether it was finished."""
    found = swapping.settle(target.home, target.database_url)
    if found is None:
        if said:
            click.echo(f"{target.home} 里没有被打断的恢复。")
        return False
    if not found.finished:
        click.echo("上次的恢复没有来得及换上去,已还原:现有的数据没有动过。")
        return False
    upgrade(target.database_url)
    _wrap_up(target, None)
    click.echo(f"上次被打断的恢复已接着做完,在 {target.home}。")
    click.echo("接着:hotline pbx apply,hotline doctor,再启动 Asterisk 和 hotline serve。")
    return True


def _wrap_up(target: Target, act: _Act | None) -> None:
    """Note the head of the audit that stands there now, and the copy of its keys."""
    store = open_store(target.database_url, KeyRing.load(target.home / "hotline.key"))
    with store() as work:
        if act is not None:
            act.redo(work)  # of an older backup, whose tables only now are the present ones
            work.commit()
        audit.note_head(work, target.home, anew=True)
    store.close()
    for name in act.redone.files if act else ():
        (target.home / "recordings" / Path(name).name).unlink(missing_ok=True)
    refresh_copy(target.home / "recovery.json", target.home / "hotline.key.age", target.home / "hotline.key")


def _target(app: App, into: Path | None, database: str | None, *, overwrite: bool) -> Target:
    if into is None:
        settings = app.settings
        return Target(
            home=settings.home.resolve(), database_url=database or settings.database_url, overwrite=overwrite
        )
    settings = Settings.model_construct(home=into)
    url = database or f"sqlite:///{into.resolve() / 'hotline.db'}"
    return Target(home=settings.home.resolve(), database_url=url, overwrite=overwrite)


def _allow(act: _Act, target: Target, actor: str | None, reason: str) -> None:
    """Note why a line that stands is replaced, and what it knows; its own administrator has to ask for it."""
    act.reason = reason
    key_file = target.home / "hotline.key"
    if not key_file.exists():
        return
    if actor is None:
        raise Refused("要换掉现有的数据,请写明以谁的名义和理由:--as 人员代码 --reason 理由。")
    store = open_store(target.database_url, KeyRing.load(key_file))
    try:
        with store() as work:
            act.memory = redoing.Memory()
            act.reason = safekeeping.may_restore(work, actor=actor, reason=reason)
            with suppress(StoreNotReady):  # older tables: nothing was deleted by these rules yet
                act.memory = redoing.remembered(work)
    finally:
        store.close()


def _what(found: Restored) -> str:
    return (
        f"备份作于 {found.about.made_at:%Y-%m-%d %H:%M} UTC,"
        f"{found.manifest.rows} 行,{len(found.manifest.files)} 个文件,完好。"
    )


def _say(done: Restored, target: Target, act: _Act) -> None:
    click.echo(f"{_what(done)}已恢复到 {target.home}。")
    if act.redone.objects:
        click.echo(f"备份之后删除过的 {len(act.redone.objects)} 项已重新删除:不会因恢复而回来。")
    if act.memory is None:
        click.echo(
            f"{done.about.made_at:%Y-%m-%d %H:%M} UTC 之后办理的删除请求,这份备份不知道:"
            "请对照请求登记逐件重新办理(hotline people erase)。"
        )
    if done.aside is not None:
        click.echo(f"原来的在 {target.home} 里名字带 before- 的地方,确认无误后请自行删除。")
    config = target.home / "hotline.toml"
    if config.exists():
        click.echo(f"配置在 {config}:核对 home 和 database,放到该放的地方。")
    click.echo("接着:hotline pbx apply,hotline doctor,再启动 Asterisk 和 hotline serve。")
