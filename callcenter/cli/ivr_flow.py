"""A flow named on the command line: one that comes with the software, or a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ivr.flow import Flow
from ivr.loader import PARTS, SHIPPED, load_flow, shipped


class FlowName(click.ParamType[Flow]):
    """Turns the name of a shipped flow, or a file, into the flow."""

    name = "flow"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Flow:
        """Return the flow; end with one clean line if there is none of that name."""
        if isinstance(value, Flow):
            return value
        if value in (*SHIPPED, *PARTS):
            return shipped(value)
        if not Path(value).exists():
            self.fail(
                f"没有名为 {value} 的流程,也没有这个文件。随软件提供的有:{'、'.join(SHIPPED)}。", param, ctx
            )
        return load_flow(Path(value))


flow_argument = click.argument("flow", type=FlowName(), metavar="FLOW|FILE")
