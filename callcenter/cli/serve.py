"""`hotline serve`: the long-running process beside the PBX."""

from __future__ import annotations

import asyncio

import click

from callcenter.bootstrap import App
from callcenter.cli.common import pass_app
from callcenter.logs import configure_logging
from callcenter.serving import Part, Server


@click.command()
@click.argument("parts", metavar="[bridge|scheduler]", nargs=-1, type=click.Choice([p.value for p in Part]))
@pass_app
def serve(app: App, parts: tuple[str, ...]) -> None:
    """运行后台服务:读取通话记录、维持队列、调度回访、看护线路。

    不写哪一部分就全部运行。bridge 在电话系统旁边:话务日志、队列、看护、录音、备份。
    scheduler 欠访调度和外呼,可以多开几个,只有一个在做,它停了别的接着做。
    """
    configure_logging()
    asyncio.run(Server(app, [Part(part) for part in parts or tuple(Part)]).run())
