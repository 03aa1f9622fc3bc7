"""`hotline login`, `logout`, `whoami`: who sits at this terminal."""

from __future__ import annotations

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, show_one
from callcenter.cli.token import drop_token, keep_token, read_token
from callcenter.cli.totp import enrol
from callcenter.errors import Forbidden
from callcenter.service.access import acting
from callcenter.service.staff import signin

_TITLES = [
    ("code", "代码"),
    ("roles", "角色"),
    ("signed_in", "已登录"),
    ("since", "登录于"),
    ("until", "最迟到"),
]


@click.command()
@click.argument("code", metavar="代码")
@pass_app
def login(app: App, code: str) -> None:
    """登录:输入密码,设置了动态码的再输入动态码。

    之后的命令就以这位人员的名义(配置 access.cli_sign_in = true 时)。
    """
    policy = signin.policy_of(app.settings.access)
    password = click.prompt("密码", hide_input=True)
    digits = click.prompt("动态码(没有设置的直接回车)", default="", show_default=False)
    try:
        token = signin.sign_in(app.store, code, password, digits, now=app.clock(), policy=policy)
    except signin.NeedsSecondFactor:
        click.echo("您要用动态码登录,还没有设置。现在设置:")
        enrol(app, code)
        digits = click.prompt("设置好了。等手机上出现新的一组数字,再输入一次动态码")
        token = signin.sign_in(app.store, code, password, digits, now=app.clock(), policy=policy)
    keep_token(app, token)
    click.echo(f"{code} 已登录。离开时请运行 hotline logout。")


@click.command()
@click.option("--everywhere", is_flag=True, help="连同在别处的登录一起结束")
@pass_app
def logout(app: App, everywhere: bool) -> None:
    """结束登录。"""
    token, now = read_token(app), app.clock()
    if token is None:
        click.echo("没有登录。")
        return
    policy = signin.policy_of(app.settings.access)
    with app.store() as work:
        if everywhere:
            code = signin.authenticate(work, token, now=now, policy=policy).code
            signin.sign_out_everywhere(work, code, actor=code, now=now)
        else:
            signin.sign_out(work, token, now=now)
        work.commit()
    drop_token(app)
    click.echo("已退出登录。")


@click.command()
@actor_option
@json_option
@pass_app
def whoami(app: App, actor: str, as_json: bool) -> None:
    """显示现在以谁的名义操作,登录到何时。"""
    token, now = read_token(app), app.clock()
    policy = signin.policy_of(app.settings.access)
    with app.store() as work:
        user = acting(work, actor)
        try:
            found = signin.login_of(work, token or "", now=now, policy=policy)
        except Forbidden:
            found = None
    mine = found is not None and found.user == user.code
    row: dict[str, object] = {
        "code": user.code,
        "roles": sorted(user.roles),
        "signed_in": mine,
        "since": found.opened_at if found and mine else None,
        "until": found.expires_at if found and mine else None,
    }
    show_one(row, _TITLES, as_json)
