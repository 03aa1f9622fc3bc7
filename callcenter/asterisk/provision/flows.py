"""The site's flows, proved safe and compiled for its dialplan."""

from __future__ import annotations

from collections.abc import Iterable

from callcenter.asterisk.provision.plan import dial_strings
from callcenter.config import Settings
from callcenter.errors import ConfigError
from ivr.backends.dialplan import QueueOptions, compile_flow, queue_keys
from ivr.check import Finding, check
from ivr.flow import Flow
from ivr.loader import SHIPPED, site_flow
from ivr.prompts.sets import prompt_set
from ivr.prompts.survey import lengths_of
from ivr.prompts.wording import site_catalogue


def site_flows(settings: Settings) -> dict[str, str]:
    """Return the dialplan text of every flow by name; raise `ConfigError` for an unsafe one (R1-R3)."""
    flows = _flows(settings)
    _refuse_unsafe(flows, settings)
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


def site_findings(flows: Iterable[Flow], settings: Settings) -> list[Finding]:
    """Return what is unsafe about flows with the site's words, and its sounds if there are any."""
    chosen = prompt_set(settings.site.language)
    catalogue = site_catalogue(chosen.language, settings.wording)
    lengths = lengths_of(settings.pbx_home / "sounds", chosen, catalogue)
    return [finding for flow in flows for finding in check(flow, catalogue, lengths)]


def _refuse_unsafe(flows: list[Flow], settings: Settings) -> None:
    findings = [str(finding) for finding in site_findings(flows, settings)]
    if findings:
        raise ConfigError("\n".join(findings))
