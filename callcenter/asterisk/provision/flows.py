"""The site's flows, proved safe and compiled for its dialplan."""

from __future__ import annotations

from callcenter.asterisk.provision.plan import dial_strings
from callcenter.config import Settings
from callcenter.errors import ConfigError
from ivr.backends.dialplan import QueueOptions, compile_flow, queue_keys
from ivr.check import check
from ivr.flow import Flow
from ivr.loader import SHIPPED, site_flow
from ivr.prompts.catalogue import load_catalogue


def site_flows(settings: Settings) -> dict[str, str]:
    """Return the dialplan text of every flow by name; raise `ConfigError` for an unsafe one (R1-R3)."""
    flows = _flows(settings)
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


def site_queue_keys(settings: Settings) -> tuple[str, ...]:
    """Return every key that some flow of the site offers to callers who wait."""
    return queue_keys(_flows(settings))


def _flows(settings: Settings) -> list[Flow]:
    """Return the site's flows: its own files in `flows_folder`, ours where it has none."""
    return [site_flow(name, settings.flows_folder) for name in SHIPPED]


def _refuse_unsafe(flows: list[Flow]) -> None:
    catalogue = load_catalogue()
    findings = [str(finding) for flow in flows for finding in check(flow, catalogue)]
    if findings:
        raise ConfigError("\n".join(findings))
