"""`hotline demo`: the rehearsal."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType

import click

from callcenter.cli.common import console
from callcenter.config import Settings
from callcenter.demo.rehearsal import Rehearsal
from callcenter.demo.screen import Screen

NEXT = """\
排练结束,热线仍在运行(只在本机,Ctrl-C 结束)。另开一个终端试试:
  export HOTLINE_ACTOR=s001             以督导孙督导的名义
  scripts/hotline calls list            今天的通话
  scripts/hotline sessions list --open  待填写的接访记录
  scripts/hotline hardship owed         还欠着谁
  scripts/hotline queue list            督导的队列
  scripts/hotline queue why ID          为什么欠、为什么还没拨
  scripts/hotline duty show             谁在值守
  scripts/hotline duty on c001
  scripts/hotline alarm test
  scripts/hotline calls live            实时画面
  scripts/hotline calls list --as admin 管理员看同一张表:没有号码
"""


@click.command()
@click.option("--check", is_flag=True, help="核对数字后结束;全对为 0,否则为 1")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("var/rehearsal"),
    show_default=True,
    help="排练用的文件夹,每次清空",
)
def demo(check: bool, folder: Path) -> None:
    """排练:真实的 Asterisk,SIPp 扮演来电者、话机和运营商。"""
    # A plain `kill` must take the same orderly way out as Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupt)
    rehearsal = Rehearsal(folder, Screen(console(), Settings().site.zone))
    # Before `try`: what belongs to another rehearsal is not ours to close.
    rehearsal.stage.claim()
    try:
        rehearsal.play()
        right = rehearsal.summary()
        if not check:
            rehearsal.stage.serve()
            click.echo(f"\n{NEXT}")
            rehearsal.stage.stay_up()
    except TimeoutError as error:
        raise click.ClickException(f"排练没有走完:{error}") from error
    except KeyboardInterrupt:
        click.echo("\n正在收场……")
        right = not check  # a check that was cut short has proved nothing
    finally:
        # An impatient second Ctrl-C must not leave half of it running; each step below has its own end.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        rehearsal.stage.close()
    sys.exit(0 if right else 1)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
