"""`hotline keys escrow`, `hotline keys confirm`: the recovery key, printed once for paper."""

from __future__ import annotations

import io
import secrets
import sys

import click
import segno

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, pass_app
from callcenter.errors import Refused
from callcenter.escrow import (
    PREFIX,
    groups_of,
    load_escrow,
    new_identity,
    read_identity,
    recipient_of,
    refresh_copy,
    save_escrow,
)
from callcenter.service.privacy import safekeeping

#: Groups asked back at once; the whole key is asked by `confirm`.
_ASKED = 3
_PER_LINE = 5


@click.command()
@click.option("--replace", "replaces", is_flag=True, help="另做一把,旧的作废(旧备份仍要旧的那一把)")
@click.option("--reason", default="", help="替换的理由,留痕")
@actor_option
@pass_app
def escrow(app: App, replaces: bool, reason: str, actor: str) -> None:
    """做一把恢复密钥,只显示这一次:抄在或印在纸上,与机器分开存放。

    备份都加密给它。机器和密钥文件都没了,凭这张纸和一份备份就能恢复。
    """
    settings = app.settings
    if not settings.key_file.exists():
        raise Refused(f"{settings.key_file} 不在。先运行 hotline init。")
    identity = new_identity()
    with app.store() as work:
        note = safekeeping.new_escrow(
            work,
            load_escrow(settings.recovery_file),
            recipient_of(identity),
            actor=actor,
            now=app.clock(),
            reason=reason,
            replaces=replaces,
        )
        work.commit()
    save_escrow(settings.recovery_file, note)
    refresh_copy(settings.recovery_file, settings.key_copy_file, settings.key_file)
    _show(identity)
    if sys.stdin.isatty() and _knows(identity):
        _confirm(app, identity, actor)
        return
    click.echo("还没有确认。抄好以后,在另一时刻照着纸输入整把密钥:hotline keys confirm")


@click.command()
@actor_option
@pass_app
def confirm(app: App, actor: str) -> None:
    """照着纸输入整把恢复密钥(不显示),证明它保存好了。"""
    with app.store() as work:
        safekeeping.may_escrow(work, actor=actor)
    typed = sys.stdin.read() if not sys.stdin.isatty() else click.prompt("恢复密钥", hide_input=True)
    _confirm(app, read_identity(typed), actor)


def _confirm(app: App, identity: str, actor: str) -> None:
    file = app.settings.recovery_file
    with app.store() as work:
        note = safekeeping.confirm_escrow(
            work, load_escrow(file), recipient_of(identity), actor=actor, now=app.clock()
        )
        work.commit()
    save_escrow(file, note)
    click.echo("已确认:恢复密钥保存好了。请清屏,并把纸收进上锁的地方。")


def _show(identity: str) -> None:
    groups = groups_of(identity)
    click.echo("恢复密钥,只显示这一次。请抄写或打印,不要拍照,不要存在这台机器上。\n")
    click.echo(identity + "\n")
    click.echo(f"分组核对({PREFIX} 之后):")
    for at in range(0, len(groups), _PER_LINE):
        line = "  ".join(f"{at + n + 1:>2} {group}" for n, group in enumerate(groups[at : at + _PER_LINE]))
        click.echo(f"  {line}")
    picture = io.StringIO()
    segno.make(identity, error="m", micro=False).terminal(picture, compact=True)
    click.echo("\n" + picture.getvalue())


def _knows(identity: str) -> bool:
    """Ask some groups back from the paper; tell whether they are right. Empty: not now."""
    groups = groups_of(identity)
    for place in sorted(secrets.SystemRandom().sample(range(len(groups)), _ASKED)):
        typed = click.prompt(
            f"请照着纸输入第 {place + 1} 组(现在不确认就直接回车)", default="", show_default=False
        )
        if "".join(typed.split()).upper() != groups[place]:
            click.echo("不对。请核对纸上的字,再运行 hotline keys confirm。" if typed else "")
            return False
    return True
