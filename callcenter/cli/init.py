"""`hotline init`: key, database, first administrator, recovery key. May be repeated; keeps what is there."""

from __future__ import annotations

import sys

import click

from callcenter.bootstrap import App
from callcenter.cli.common import pass_app, say
from callcenter.cli.keys_escrow import keep_public_half, show_recovery_key
from callcenter.db.migrate import is_begun, upgrade
from callcenter.db.swapping import check_settled
from callcenter.errors import ConfigError
from callcenter.escrow import new_identity, recipient_of
from callcenter.keys import KeyRing
from callcenter.service.privacy import audit, safekeeping
from callcenter.service.staff import users


@click.command()
@click.option("--admin", default="admin", show_default=True, help="第一位管理员的代码")
@click.option("--name", default="管理员", show_default=True, help="第一位管理员的姓名")
@click.option("--without-recovery-key", "is_trial", is_flag=True, help="不做恢复密钥:只用于排练和试用")
@pass_app
def init(app: App, admin: str, name: str, is_trial: bool) -> None:
    """建立密钥、数据库和第一位管理员,并做好恢复密钥。可重复运行,已有的都保留。

    恢复密钥只在第一次显示,不存在机器上:当场抄在纸上。
    """
    settings = app.settings
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    check_settled(settings.home)
    _make_keys(app)
    upgrade(settings.database_url)
    identity = _begin(app, admin, name, is_trial=is_trial)
    click.echo("数据库已是最新。")
    if identity is not None:
        _hand_over(identity, admin)
    elif not settings.recovery_file.exists():
        say(f"还没有恢复密钥,密钥文件丢了就什么都读不出来。做一把:hotline keys escrow --as {admin}")


def _make_keys(app: App) -> None:
    settings = app.settings
    if settings.key_file.exists():
        return
    if is_begun(settings.database_url):
        raise ConfigError(
            f"数据库已有内容,密钥 {settings.key_file} 却不在。"
            "用恢复密钥找回:hotline keys recover --identity -;或从备份恢复:hotline restore。"
            "新的密钥读不出其中的姓名和号码。"
        )
    KeyRing.create(settings.key_file)
    say(f"密钥已写入 {settings.key_file}(0600)。没有它,姓名和号码无法读出。")


def _begin(app: App, admin: str, name: str, *, is_trial: bool) -> str | None:
    """Add the first administrator and make the recovery key in their name; return it, None if not now."""
    with app.store() as work:
        if work.users.all():
            work.commit()
            return None
        users.add_first_admin(work, admin, name, now=app.clock())
        if is_trial or app.settings.recovery_file.exists():
            work.commit()
            note = identity = None
        else:
            identity = new_identity()
            note = safekeeping.new_escrow(work, None, recipient_of(identity), actor=admin, now=app.clock())
            work.commit()
    with app.store() as work:
        audit.note_head(work, app.settings.home, anew=True)
    if note is not None:
        keep_public_half(app, note)
    click.echo(f"管理员 {admin} 已建立。")
    return identity


def _hand_over(identity: str, admin: str) -> None:
    """Print the recovery key and what to do with it. A picture is for eyes at a terminal only."""
    click.echo("")
    show_recovery_key(identity, picture=sys.stdout.isatty())
    click.echo("\n接着做四件事:")
    click.echo("  1. 现在就把上面的恢复密钥抄在纸上,抄两份,分放两处上锁的地方,然后清屏。")
    click.echo("     备份和密钥文件的副本都加密给它:机器坏了、密钥丢了,凭这张纸找回来。")
    click.echo(f"  2. hotline keys confirm --as {admin}    照着纸输入一遍,证明抄对了")
    click.echo("  3. 在 hotline.toml 的 [backup] 里设 folder,或每天运行 hotline backup")
    click.echo("  4. hotline doctor                  看还缺什么")
