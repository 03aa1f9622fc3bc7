"""`hotline ivr draw`: flows for the eye."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click

from callcenter.bootstrap import App
from callcenter.cli.common import pass_app
from callcenter.cli.ivr_flow import flow_argument, site_texts
from callcenter.errors import Refused
from ivr.drawing.graphviz import dot_of, render
from ivr.drawing.mermaid import mermaid_of
from ivr.drawing.picture import picture_of
from ivr.flow import Flow

_SUFFIXES = {".svg": "svg", ".png": "png", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid"}


@click.command("draw")
@flow_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["svg", "png", "dot", "mermaid"]),
    help="图的格式；不写时看文件名，否则 svg",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="写到文件；不写时写到标准输出")
@click.option("--folded", is_flag=True, help="每个分段只画一个框")
@pass_app
def draw_flow(app: App, flow: Flow, form: str | None, out: Path | None, folded: bool) -> None:
    """画出一个流程：每个节点说什么，按什么键到哪里。

    svg 和 png 用 graphviz 画（apt-get install graphviz fonts-noto-cjk）。
    """
    form = form or (_SUFFIXES.get(out.suffix, "svg") if out else "svg")
    picture = picture_of(flow, site_texts(app, flow.language), folded=folded)
    drawn = mermaid_of(picture).encode() if form == "mermaid" else _by_graphviz(dot_of(picture), form)
    if out is not None:
        out.write_bytes(drawn)
        click.echo(f"已画好：{out}")
    elif form == "png" and sys.stdout.isatty():
        raise Refused(f"png 不能显示在终端里。请写 --out {flow.name}.png。")
    else:
        click.echo(drawn, nl=False)


def _by_graphviz(dot: str, form: str) -> bytes:
    if form == "dot":
        return dot.encode()
    if form == "png" and not _has_chinese_font():
        click.echo("没有找到中文字体，图里的汉字可能是方框。请安装：apt-get install fonts-noto-cjk", err=True)
    return render(dot, form)


def _has_chinese_font() -> bool:
    if shutil.which("fc-list") is None:
        return False
    return bool(subprocess.run(["fc-list", ":lang=zh"], capture_output=True, check=False).stdout.strip())
