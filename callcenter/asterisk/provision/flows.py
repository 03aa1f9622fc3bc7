"""The site's flows, proved safe and compiled for its dialplan."""

from __future__ import annotations

from callcenter.asterisk.provision.plan import dial_strings
from callcenter.config import Settings
from callcenter.errors import ConfigError
from ivr.backends.dialplan import QueueOptions, compile_flow
from ivr.check import check
from ivr.flow import Flow
from ivr.loader import SHIPPED, shipped
from ivr.prompts.catalogue import load_catalogue


def site_flows(settings: Settings) -> dict[str, str]:
    """Return the dialplan text of every flow by name; raise `ConfigError` for an unsafe one (R1-R3)."""
    flows = [shipped(name) for name in SHIPPED]
    _refuse_unsafe(flows)
    return {
        flow.name: compile_flow(
            flow,
            language=settings.site.language,
            queue_options=QueueOptions(cap=settings.queue.wait_cap),
            transfers=dial_strings(settings),
        )
        for flow in flows
    }


def _refuse_unsafe(flows: list[Flow]) -> None:
    catalogue = load_catalogue()
    findings = [str(finding) for flow in flows for finding in check(flow, catalogue)]
    if findings:
        raise ConfigError("\n".join(findings))
