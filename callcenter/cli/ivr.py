"""`hotline ivr`: the flows callers hear, and the prompts they are made of."""

from __future__ import annotations

from pathlib import Path

import click

from callcenter.cli.ivr_draw import draw_flow
from callcenter.cli.ivr_prompts import prompts
from callcenter.cli.ivr_try import try_flow
from ivr.check import check as check_flow
from ivr.loader import SHIPPED, load_flow, shipped
from ivr.prompts.catalogue import load_catalogue
from ivr.schema import schema_text


@click.group()
def ivr() -> None:
    """语音流程与提示音。"""


ivr.add_command(try_flow)
ivr.add_command(draw_flow)


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


ivr.add_command(prompts)


@ivr.command("schema")
def print_schema() -> None:
    """输出流程文件的 JSON Schema，供编辑器提示和检查。"""
    click.echo(schema_text(), nl=False)
