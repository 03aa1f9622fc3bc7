"""`hotline init`: key, database and the first administrator. May be repeated; keeps what is there."""

from __future__ import annotations

import click

from callcenter.bootstrap import App
from callcenter.cli.common import pass_app
from callcenter.db.migrate import is_begun, upgrade
from callcenter.errors import ConfigError
from callcenter.keys import KeyRing
from callcenter.service.staff import users


@click.command()
@click.option("--admin", default="admin", show_default=True, help="第一位管理员的代码")
@click.option("--name", default="管理员", show_default=True, help="第一位管理员的姓名")
@pass_app
def init(app: App, admin: str, name: str) -> None:
    """建立密钥、数据库和第一位管理员。可重复运行,已有的都保留。"""
    settings = app.settings
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not settings.key_file.exists():
        if is_begun(settings.database_url):
            raise ConfigError(
                f"数据库已有内容,密钥 {settings.key_file} 却不在。"
                "用恢复密钥找回:hotline keys recover --identity -;或从备份恢复:hotline restore。"
                "新的密钥读不出其中的姓名和号码。"
            )
        KeyRing.create(settings.key_file)
        click.echo(f"密钥已写入 {settings.key_file}(0600)。没有它,姓名和号码无法读出。")
    upgrade(settings.database_url)
    with app.store() as work:
        if not work.users.all():
            users.add_first_admin(work, admin, name, now=app.clock())
            click.echo(f"管理员 {admin} 已建立。")
        work.commit()
    click.echo("数据库已是最新。")
    if not settings.recovery_file.exists():
        click.echo("接着做三件事:")
        click.echo(f"  1. hotline keys escrow --as {admin}     做一把恢复密钥,抄在纸上")
        click.echo("  2. 在 hotline.toml 的 [backup] 里设 folder,或每天运行 hotline backup")
        click.echo("  3. hotline doctor                   看还缺什么")
