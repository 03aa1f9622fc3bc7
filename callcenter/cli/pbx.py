"""`hotline pbx`: Asterisk's files, rendered from the configuration and the users."""

from __future__ import annotations

from pathlib import Path

import click

from callcenter.asterisk.process import AsteriskProcess
from callcenter.asterisk.provision.apply import apply as apply_plan
from callcenter.asterisk.provision.apply import pending
from callcenter.asterisk.provision.check import check as check_plan
from callcenter.asterisk.provision.flows import site_flows, site_queue_keys
from callcenter.asterisk.provision.plan import PbxPlan, plan_from
from callcenter.asterisk.provision.render import render as render_files
from callcenter.asterisk.provision.write import write
from callcenter.asterisk.tree import AsteriskProgram, find_asterisk
from callcenter.bootstrap import App
from callcenter.cli.common import pass_app
from ivr.prompts.sets import SETS, prompt_set
from ivr.prompts.speech import synthesiser
from ivr.prompts.synthesis import synthesise_all


@click.group()
def pbx() -> None:
    """电话系统的配置:由设置和人员生成,从不手改。"""


@pbx.command()
@click.option("--to", "folder", type=click.Path(path_type=Path, file_okay=False), help="写到这个文件夹")
@pass_app
def render(app: App, folder: Path | None) -> None:
    """生成配置文件。不写 --to 时只说明有哪些文件会改变(文件含密码,不显示内容)。"""
    plan = _plan(app)
    if folder is not None:
        written = write(render_files(plan), folder)
        click.echo(f"已写入 {folder}:{len(written)} 个文件有变化。")
        return
    changed = pending(plan)
    click.echo("\n".join(["将要改变的文件:", *sorted(changed)]) if changed else "配置都是最新的。")


@pbx.command()
@pass_app
def apply(app: App) -> None:
    """写入配置,合成缺少的提示音;Asterisk 正在运行时让它重新读取,不影响正在进行的通话。"""
    plan = _plan(app)
    spoken = _speak(app, plan)
    if spoken:  # only now can it be measured whether the new sounds are too long to listen to
        plan = _plan(app)
    done = apply_plan(plan, _process(app))
    if spoken:
        click.echo(f"更新提示音 {spoken} 条。")
    click.echo(f"{len(done.changed)} 个文件有变化。" if done.changed else "配置都是最新的。")
    if done.running and done.changed:
        click.echo("Asterisk 已重新读取。")
    if done.restart:
        click.echo(f"要重新启动 Asterisk 才能生效:{' '.join(sorted(done.restart))}")


@pbx.command()
@pass_app
def start(app: App) -> None:
    """启动本线路的 Asterisk;已在运行的不打扰。没有用系统服务管理时使用。"""
    process = _process(app)
    if process.is_running:
        click.echo("Asterisk 已在运行。")
        return
    process.start()
    click.echo(f"Asterisk {process.program.version_text} 已启动。")


@pbx.command()
@click.option("--yes", is_flag=True, help="不再询问:正在进行的通话会断开")
@pass_app
def stop(app: App, yes: bool) -> None:
    """停止本线路的 Asterisk。正在进行的通话会断开。"""
    process = _process(app)
    if not process.is_running:
        click.echo("Asterisk 没有在运行。")
        return
    if not yes:
        click.confirm("正在进行的通话会断开,停止吗?", abort=True)
    process.stop()
    click.echo("Asterisk 已停止。")


@pbx.command()
@pass_app
def check(app: App) -> None:
    """在临时启动的 Asterisk 里装入全部配置,试拨一通,核对日志和监听端口。"""
    findings = check_plan(_plan(app), _program(app))
    for finding in findings:
        click.echo(f"{'对' if finding.good else '错'}  {finding.text}")
    if not all(finding.good for finding in findings):
        raise click.ClickException("检查没有通过。")
    click.echo("检查通过。")


def _speak(app: App, plan: PbxPlan) -> int:
    """Bring the sounds of the site's language up to date; return how many changed."""
    language = prompt_set(plan.language).language
    changed = synthesise_all(
        plan.home / "sounds",
        wording=app.settings.wording,
        names=tuple(one.name for one in SETS.values() if one.language == language),
        speaker=synthesiser(app.settings.prompts.command),
    )
    return sum(len(ids) for ids in changed.values())


def _process(app: App) -> AsteriskProcess:
    return AsteriskProcess(_program(app), app.settings.pbx_home, name=app.settings.asterisk.name)


def _program(app: App) -> AsteriskProgram:
    return find_asterisk(app.settings.asterisk.program)


def _plan(app: App) -> PbxPlan:
    with app.store() as work:
        users = work.users.all()
    return plan_from(
        app.settings,
        app.keys,
        users,
        flows=site_flows(app.settings),
        queue_keys=site_queue_keys(app.settings),
        journal=_program(app).journal,
    )
