"""`hotline user`: the people who run the line. Names and numbers are shown masked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, show_one, show_rows
from callcenter.cli.totp import enrol
from callcenter.cli.user_skills import skills
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import Forbidden, Refused
from callcenter.service.staff import signin, users

F = TypeVar("F", bound=Callable[..., Any])

TITLES = [
    ("code", "代码"),
    ("name", "姓名"),
    ("roles", "角色"),
    ("phone", "电话"),
    ("mobile", "手机"),
    ("pin_set", "PIN"),
    ("escalation_rank", "转接次序"),
    ("alarm_rank", "告警次序"),
    ("active", "在用"),
]

_reason = click.option("--reason", default="", help="原因(记入操作留痕)")


def _profile_options(command: F) -> F:
    """Add what describes a user: roles, phone and places in the two chains."""
    options = [
        click.option(
            "--role", "roles", multiple=True, type=click.Choice([r.value for r in Role]), help="角色,可重复"
        ),
        click.option(
            "--phone", type=click.Choice([k.value for k in PhoneKind]), help="sip 话机、mobile 手机或 none"
        ),
        click.option("--mobile", help="手机号码(只用于 --phone mobile)"),
        click.option(
            "--escalation-rank", type=click.IntRange(min=0), help="无人值守时的转接次序;0 为不在其列"
        ),
        click.option("--alarm-rank", type=click.IntRange(min=0), help="告警时的次序;0 为不在其列"),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def user() -> None:
    """人员与角色。"""


user.add_command(skills)


@user.command()
@click.argument("code")
@click.option("--name", required=True, help="姓名")
@_profile_options
@click.option("--pin", help="电话签到用的 PIN,4 至 8 位数字")
@click.option("--pin-prompt", is_flag=True, help="隐藏输入 PIN")
@_reason
@actor_option
@json_option
@pass_app
def add(
    app: App,
    /,
    code: str,
    name: str,
    pin: str | None,
    pin_prompt: bool,
    reason: str,
    actor: str,
    as_json: bool,
    **profile: Any,
) -> None:
    """添加人员 CODE(2 至 12 位小写字母和数字,字母开头)。"""
    if not profile["roles"]:
        raise click.UsageError("至少写一个 --role。")
    fresh = _applied(User(code=code, name=name, roles=frozenset()), profile)
    secret = _ask_pin() if pin_prompt else pin
    now = app.clock()
    with app.store() as work:
        added = users.add_user(work, fresh, actor=actor, now=now, reason=reason)
        if secret is not None:
            added = users.set_pin(work, code, secret, salt=_salt(app), actor=actor, now=now)
        row = users.seen_user(work, added.code, actor=actor)
        work.commit()
    show_one(row, TITLES, as_json)


@user.command("list")
@click.option("--all", "with_disabled", is_flag=True, help="连同已停用的")
@actor_option
@json_option
@pass_app
def list_(app: App, with_disabled: bool, actor: str, as_json: bool) -> None:
    """列出人员。"""
    with app.store() as work:
        everybody = users.seen_users(work, actor=actor)
    columns = [column for column in TITLES if column[0] != "active" or with_disabled]
    show_rows([row for row in everybody if row["active"] or with_disabled], columns, as_json)


@user.command()
@click.argument("code")
@actor_option
@json_option
@pass_app
def show(app: App, code: str, actor: str, as_json: bool) -> None:
    """显示一位人员。"""
    with app.store() as work:
        found = users.seen_user(work, code, actor=actor)
    show_one(found, TITLES, as_json)


@user.command("set")
@click.argument("code")
@click.option("--name", help="姓名")
@_profile_options
@click.option("--enable", is_flag=True, help="重新启用已停用的人员")
@_reason
@actor_option
@json_option
@pass_app
def set_(
    app: App,
    /,
    code: str,
    name: str | None,
    enable: bool,
    reason: str,
    actor: str,
    as_json: bool,
    **profile: Any,
) -> None:
    """更改人员 CODE;没有写的保持不变。"""
    with app.store() as work:
        before = users.user_to_change(work, code, actor=actor)
        changed = _applied(before, profile)
        changed = replace(changed, name=name or before.name, active=before.active or enable)
        users.change_user(work, changed, actor=actor, now=app.clock(), reason=reason)
        row = users.seen_user(work, code, actor=actor)
        work.commit()
    show_one(row, TITLES, as_json)


@user.command()
@click.argument("code")
@click.option("--pin", help="新 PIN;不写则隐藏输入")
@_reason
@actor_option
@pass_app
def pin(app: App, code: str, pin: str | None, reason: str, actor: str) -> None:
    """设置人员 CODE 的 PIN。"""
    secret = pin if pin is not None else _ask_pin()
    with app.store() as work:
        users.set_pin(work, code, secret, salt=_salt(app), actor=actor, now=app.clock(), reason=reason)
        work.commit()
    click.echo(f"{code} 的 PIN 已更改。")


@user.command()
@click.argument("code")
@_reason
@actor_option
@pass_app
def password(app: App, code: str, reason: str, actor: str) -> None:
    """设置人员 CODE 登录用的密码(隐藏输入)。此前的登录随之结束。

    本人更改时先输入旧密码;管理员可以替别人重设。
    """
    with app.store() as work:
        is_change = actor == code and signin.has_password(work, code)
    old = click.prompt("旧密码", hide_input=True) if is_change else ""
    new = click.prompt("新密码", hide_input=True, confirmation_prompt="再输一次")
    if is_change:
        policy = signin.policy_of(app.settings.access)
        signin.change_password(app.store, code, old, new, now=app.clock(), policy=policy)
    else:
        with app.store() as work:
            signin.set_password(work, code, new, actor=actor, now=app.clock(), reason=reason)
            work.commit()
    click.echo(f"{code} 的密码已更改。")


@user.command()
@click.argument("code")
@click.option("--remove", is_flag=True, help="取消动态码:本人要输入密码和动态码,管理员可以替别人取消")
@_reason
@actor_option
@pass_app
def totp(app: App, code: str, remove: bool, reason: str, actor: str) -> None:
    """设置人员 CODE 登录用的动态码:显示二维码,用手机上的验证器扫描,再输入一次确认。

    手机丢了请管理员取消(写明原因,留痕);本人下次登录时要重新设置。
    """
    if not remove:
        if actor != code:
            raise Forbidden("动态码只能由本人设置。")
        enrol(app, code)
        click.echo("动态码已启用。下次登录时要用。")
        return
    if actor == code:
        _remove_own_totp(app, code, reason)
    else:
        with app.store() as work:
            signin.reset_totp(work, code, actor=actor, now=app.clock(), reason=reason)
            work.commit()
    click.echo(f"{code} 的动态码已取消。")


def _remove_own_totp(app: App, code: str, reason: str) -> None:
    secret = click.prompt("密码", hide_input=True)
    digits = click.prompt("动态码(还没有确认过的直接回车)", default="", show_default=False)
    policy = signin.policy_of(app.settings.access)
    signin.remove_totp(app.store, code, secret, digits, now=app.clock(), policy=policy, reason=reason)


@user.command()
@click.argument("code")
@click.option("--reason", required=True, help="原因(记入操作留痕)")
@actor_option
@json_option
@pass_app
def account(app: App, code: str, reason: str, actor: str, as_json: bool) -> None:
    """显示 CODE 的话机怎样注册(含密码;留痕)。"""
    with app.store() as work:
        users.note_account_shown(work, code, actor=actor, now=app.clock(), reason=reason)
        work.commit()
    pbx = app.settings.asterisk
    row = {
        "server": f"{pbx.sip_address}:{pbx.sip_port}",
        "user": code,
        "password": app.keys.password(f"sip:{code}"),
    }
    show_one(row, [("server", "服务器"), ("user", "用户名"), ("password", "密码")], as_json)


@user.command()
@click.argument("code")
@click.option("--reason", required=True, help="原因(记入操作留痕)")
@actor_option
@pass_app
def disable(app: App, code: str, reason: str, actor: str) -> None:
    """停用人员 CODE:不再能操作,不再被呼叫;以往记录不变。"""
    with app.store() as work:
        users.disable_user(work, code, actor=actor, now=app.clock(), reason=reason)
        work.commit()
    click.echo(f"{code} 已停用。")


def _applied(to: User, profile: dict[str, Any]) -> User:
    """Return the user with the options that were given; a new kind of phone drops the old number."""
    kind = PhoneKind(profile["phone"]) if profile["phone"] else to.phone
    mobile = profile["mobile"] or (to.mobile if kind is PhoneKind.MOBILE else None)
    if profile["mobile"] and kind is not PhoneKind.MOBILE:
        raise Refused("手机号码只用于 --phone mobile。")
    return replace(
        to,
        roles=frozenset(Role(role) for role in profile["roles"]) or to.roles,
        phone=kind,
        mobile=mobile,
        escalation_rank=_rank(profile["escalation_rank"], to.escalation_rank),
        alarm_rank=_rank(profile["alarm_rank"], to.alarm_rank),
    )


def _rank(given: int | None, before: int | None) -> int | None:
    return before if given is None else given or None


def _ask_pin() -> str:
    secret: str = click.prompt("PIN", hide_input=True, confirmation_prompt="再输一次")
    return secret


def _salt(app: App) -> str:
    return app.keys.password("pbx-salt")
