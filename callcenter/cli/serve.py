"""`hotline serve`: the long-running process beside the PBX."""

from __future__ import annotations

import asyncio

import click

from callcenter.bootstrap import App
from callcenter.cli.common import pass_app
from callcenter.logs import configure_logging
from callcenter.serving import Server


@click.command()
@pass_app
def serve(app: App) -> None:
    """运行后台服务:读取通话记录、维持队列、调度回访、看护线路。"""
    configure_logging()
    asyncio.run(Server(app).run())
