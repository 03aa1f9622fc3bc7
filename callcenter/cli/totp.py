"""Setting up the second factor at a terminal: a QR code, then a code to prove that it was read."""

from __future__ import annotations

import sys

import click
import pyotp
import segno

from callcenter.bootstrap import App
from callcenter.errors import Refused
from callcenter.service.staff import signin

#: How often a wrong code may be typed before one has to begin anew.
_TRIES = 3


def enrol(app: App, code: str) -> None:
    """Show a new secret to its owner and turn it on by a code; raise `Refused` after three wrong ones."""
    with app.store() as work:
        secret = signin.set_totp(work, actor=code, now=app.clock())
        work.commit()
    _show(secret, code, app.settings.site.name)
    for left in reversed(range(_TRIES)):
        digits = click.prompt("手机上显示的 6 位动态码")
        try:
            with app.store() as work:
                signin.confirm_totp(work, digits, actor=code, now=app.clock())
                work.commit()
        except Refused as wrong:
            if not left:
                raise
            click.echo(str(wrong))
        else:
            return


def _show(secret: str, code: str, site: str) -> None:
    uri = pyotp.TOTP(secret).provisioning_uri(name=code, issuer_name=site)
    click.echo("用手机上的验证器应用扫描(不要拍照留存):")
    segno.make(uri, error="l").terminal(out=sys.stdout, compact=True)
    click.echo(f"扫不了就手工输入:{secret}")
