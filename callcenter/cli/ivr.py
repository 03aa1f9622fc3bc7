"""`hotline ivr`: the flows callers hear, and the prompts they are made of."""

from __future__ import annotations

from pathlib import Path

import click

from callcenter.bootstrap import App
from callcenter.cli.common import json_option, pass_app, show_rows
from ivr.check import check as check_flow
from ivr.loader import SHIPPED, load_flow, shipped
from ivr.prompts.catalogue import Prompt, load_catalogue
from ivr.prompts.synthesis import synthesise as speak

_COLUMNS = [("id", "编号"), ("version", "版本"), ("approver", "审定人"), ("text", "内容")]


@click.group()
def ivr() -> None:
    """语音流程与提示音。"""


@ivr.command("check")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
def check_flows(files: tuple[Path, ...]) -> None:
    """检查流程是否安全:没有死路,按 0 能找到人,核实身份之前不透露来意。

    不写文件名时,检查随软件提供的流程。
    """
    flows = [load_flow(file) for file in files] or [shipped(name) for name in SHIPPED]
    catalogue = load_catalogue()
    findings = [finding for flow in flows for finding in check_flow(flow, catalogue)]
    for finding in findings:
        click.echo(str(finding))
    if findings:
        raise click.ClickException(f"有 {len(findings)} 处不安全,请改好后再上线。")
    click.echo("检查通过:" + "、".join(f"{flow.name}({len(flow.nodes)} 个节点)" for flow in flows))


@ivr.group("prompts")
def prompts() -> None:
    """提示音目录。"""


@prompts.command("list")
@json_option
def list_prompts(as_json: bool) -> None:
    """列出全部提示音的文字、版本和审定人。"""
    show_rows([_row(prompt) for prompt in load_catalogue().prompts.values()], _COLUMNS, as_json)


@prompts.command("synthesise")
@pass_app
def synthesise_prompts(app: App) -> None:
    """合成提示音。只合成缺少的和文字有改动的。"""
    made = speak(load_catalogue(), app.settings.pbx_home / "sounds", progress=_progress)
    click.echo(f"新合成 {len(made)} 条。" if made else "提示音都是最新的。")


def _progress(ready: int, total: int, prompt: str) -> None:
    if ready % 10 == 0 or ready == total:
        click.echo(f"提示音 {ready}/{total}", err=True)


def _row(prompt: Prompt) -> dict[str, object]:
    return {
        "id": prompt.id,
        "language": prompt.language,
        "version": prompt.version,
        "approver": prompt.approver,
        "approved": prompt.approved,
        "checksum": prompt.checksum,
        "text": prompt.text,
    }
