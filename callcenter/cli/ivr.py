"""`hotline ivr`: the flows callers hear, and the prompts they are made of."""

from __future__ import annotations

from pathlib import Path

import click

from callcenter.asterisk.provision.flows import site_findings
from callcenter.bootstrap import App
from callcenter.cli.common import pass_app
from callcenter.cli.ivr_draw import draw_flow
from callcenter.cli.ivr_prompts import prompt_findings, prompts, sounds_of
from callcenter.cli.ivr_try import try_flow
from ivr.loader import SHIPPED, load_flow, site_flow
from ivr.schema import schema_text


@click.group()
def ivr() -> None:
    """语音流程与提示音。"""


ivr.add_command(try_flow)
ivr.add_command(draw_flow)


@ivr.command("check")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
@pass_app
def check_flows(app: App, files: tuple[Path, ...]) -> None:
    """检查流程是否安全:没有死路,按 0 能找到人,核实身份之前不透露来意。

    已有提示音时,也检查每条都在、都说现在的文字、每句不超过 12 秒。
    不写文件名时,检查本站的全部流程。
    """
    settings = app.settings
    flows = [load_flow(file) for file in files]
    flows = flows or [site_flow(name, settings.flows_folder) for name in SHIPPED]
    findings = [*map(str, site_findings(flows, settings)), *prompt_findings(app, flows)]
    for finding in findings:
        click.echo(finding)
    if findings:
        raise click.ClickException(f"有 {len(findings)} 处不安全,请改好后再上线。")
    click.echo("检查通过:" + "、".join(f"{flow.name}({len(flow.nodes)} 个节点)" for flow in flows))
    if not sounds_of(app).exists():
        click.echo("注意:还没有提示音,没有量句长。请先运行 hotline ivr prompts synthesise。")


ivr.add_command(prompts)


@ivr.command("schema")
def print_schema() -> None:
    """输出流程文件的 JSON Schema，供编辑器提示和检查。"""
    click.echo(schema_text(), nl=False)
