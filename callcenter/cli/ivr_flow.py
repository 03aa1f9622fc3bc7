"""A flow named on the command line: the site's, one that comes with the software, or a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from callcenter.bootstrap import App
from ivr.flow import Flow
from ivr.hearing import Texts, texts_of
from ivr.loader import PARTS, SHIPPED, load_flow, site_flow


class FlowName(click.ParamType[Flow]):
    """Turns the name of a flow, or a file, into the flow. A site's own stands in the place of ours."""

    name = "flow"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Flow:
        """Return the flow; end with one clean line if there is none of that name."""
        if isinstance(value, Flow):
            return value
        app = ctx.find_object(App) if ctx else None
        if value in (*SHIPPED, *PARTS):
            return site_flow(value, app.settings.flows_folder if app else None)
        if not Path(value).exists():
            self.fail(
                f"没有名为 {value} 的流程，也没有这个文件。随软件提供的有：{'、'.join(SHIPPED)}。", param, ctx
            )
        return load_flow(Path(value))


flow_argument = click.argument("flow", type=FlowName(), metavar="FLOW|FILE")


def site_texts(app: App, language: str) -> Texts:
    """Return what prompts say at this site."""
    return texts_of(language, app.settings.wording)
