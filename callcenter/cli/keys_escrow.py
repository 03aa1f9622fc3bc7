"""`hotline keys escrow`, `hotline keys confirm`: the recovery key, printed once for paper."""

from __future__ import annotations

import io
import secrets
import sys

import click
import segno

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, pass_app
from callcenter.escrow import (
    PREFIX,
    Escrow,
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
    """另做一把恢复密钥(第一把由 hotline init 做好),只显示这一次:抄在纸上,与机器分开存放。

    备份都加密给它。机器和密钥文件都没了,凭这张纸和一份备份就能恢复。
    """
    known, identity = load_escrow(app.settings.recovery_file), new_identity()
    with app.store() as work:
        note = safekeeping.new_escrow(
            work,
            known,
            recipient_of(identity),
            actor=actor,
            now=app.clock(),
            reason=reason,
            replaces=replaces,
        )
        work.commit()
    keep_public_half(app, note)
    show_recovery_key(identity, picture=True)
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


def keep_public_half(app: App, note: Escrow) -> None:
    """Write down the recovery key's public half, and encrypt the key file's copy to it."""
    settings = app.settings
    save_escrow(settings.recovery_file, note)
    refresh_copy(settings.recovery_file, settings.key_copy_file, settings.key_file)


def show_recovery_key(identity: str, *, picture: bool) -> None:
    """Print a recovery key, the only time: whole, in groups to check by, and as a QR code."""
    groups = groups_of(identity)
    click.echo("恢复密钥,只显示这一次。请抄写或打印,不要拍照,不要存在这台机器上。\n")
    click.echo(identity + "\n")
    click.echo(f"分组核对({PREFIX} 之后):")
    for at in range(0, len(groups), _PER_LINE):
        line = "  ".join(f"{at + n + 1:>2} {group}" for n, group in enumerate(groups[at : at + _PER_LINE]))
        click.echo(f"  {line}")
    if picture:
        drawn = io.StringIO()
        segno.make(identity, error="m", micro=False).terminal(drawn, compact=True)
        click.echo("\n" + drawn.getvalue())


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
