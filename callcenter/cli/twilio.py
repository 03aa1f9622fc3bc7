"""`hotline twilio`: is a line at Twilio ready, and what would it say."""

from __future__ import annotations

# It reads nothing but the page that we have just written.
from xml.dom import minidom  # nosec B408

import click

from callcenter.bootstrap import App
from callcenter.cli.common import json_option, pass_app, show_rows
from callcenter.errors import ConfigError
from callcenter.twilio.account import account_problems, load_account
from callcenter.twilio.answers import Line, line_of
from ivr.backends import twiml
from ivr.flow import Flow, Transfer, takes_keys
from ivr.graph import rings
from ivr.loader import SHIPPED, shipped
from ivr.machine import State

#: Stands for Twilio's sid of a call in what is only shown.
_SHOWN = "CA" + "0" * 32


@click.group()
def twilio() -> None:
    """Twilio 线路。"""


@twilio.command()
@json_option
@pass_app
def check(app: App, as_json: bool) -> None:
    """检查 Twilio 线路还缺什么。不拨出任何电话。"""
    problems = account_problems(app.settings)
    if not problems:
        problems = _unsaid(_line(app))
    show_rows([{"problem": problem} for problem in problems], [("problem", "待办")], as_json)
    if problems:
        raise ConfigError(f"Twilio 线路还不能用:有 {len(problems)} 项待办。")
    if not as_json:
        live = "已启用,会拨出真实电话。" if app.settings.twilio.live else "未启用(twilio.live = false)。"
        click.echo(f"配置齐全。{live}")


@twilio.command()
@click.argument("flow", type=click.Choice(SHIPPED))
@pass_app
def render(app: App, flow: str) -> None:
    """按节点列出一条流程在 Twilio 上的 TwiML。"""
    line = _line(app)
    for node in waiting_nodes(line.flows[flow], line.site):
        page = twiml.render(
            line.flows[flow], State(node=node), line.site, call=_SHOWN, owner=line.site.shown_number
        )
        click.echo(f"<!-- {node} -->")
        click.echo(minidom.parseString(page).toprettyxml(indent="  ").partition("\n")[2])  # noqa: S318 - ours


def waiting_nodes(flow: Flow, site: twiml.Site) -> list[str]:
    """Return the nodes at which a call waits for something: each is one page of TwiML.

    A transfer to a service without a number is none: the caller is told so at once.
    """
    return [
        name
        for name, node in flow.nodes.items()
        if (takes_keys(node) or rings(node))
        and not (isinstance(node, Transfer) and node.destination not in site.transfers)
    ]


def _line(app: App) -> Line:
    with app.store() as work:
        people = work.users.all()
    flows = [shipped(name) for name in SHIPPED]
    return line_of(app.settings, load_account(app.settings), app.keys, people, flows)


def _unsaid(line: Line) -> list[str]:
    """Return what callers of a complete configuration would still miss."""
    if not line.site.contacts:
        return ["转接名单里没有手机:无人值守时来电在 Twilio 线路上找不到人。请给人员设 --escalation-rank。"]
    return []
