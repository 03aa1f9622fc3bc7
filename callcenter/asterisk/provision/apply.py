"""Rendered files -> the PBX's folder -> a running Asterisk, without touching a call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from callcenter.asterisk.process import AsteriskProcess
from callcenter.asterisk.provision.plan import PbxPlan
from callcenter.asterisk.provision.render import render
from callcenter.asterisk.provision.write import write, write_hold_tone

#: What makes a running Asterisk (22.10) read a file again, in the order it is safe to do so: those
#: a call may be sent to before those who send it. None of these ends or disturbs a call. Other
#: files are read at start only.
RELOADS = {
    "logger.conf": ("logger reload",),
    "indications.conf": ("module reload indications",),
    "features.conf": ("module reload features",),
    "musiconhold.conf": ("moh reload",),
    "rtp.conf": ("module reload res_rtp_asterisk.so",),
    "cel_custom.conf": ("module reload cel_custom.so",),
    "cel.conf": ("module reload cel",),
    "pjsip.conf": (
        "module reload res_pjsip.so",
        "module reload res_pjsip_endpoint_identifier_ip.so",
    ),
    "extensions.conf": ("dialplan reload",),
    "queues.conf": ("module reload app_queue.so",),
    "manager.conf": ("manager reload",),
}
#: Addresses are bound once, at start.
_BOUND = re.compile(r"^(?:bind|bindaddr|port) = .*$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """What `apply` did. `restart` names what only a restart of Asterisk brings into force."""

    changed: frozenset[str]
    running: bool
    restart: frozenset[str]


def pending(plan: PbxPlan) -> frozenset[str]:
    """Return the names of the files that `apply` would change."""
    folder = plan.home / "etc"
    return frozenset(
        name
        for name, text in render(plan).items()
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != text
    )


def apply(plan: PbxPlan, process: AsteriskProcess) -> Applied:
    """Write what changed and make the Asterisk of this folder, if it runs, read it again.

    Raises `ConfigError` before anything is written, `PbxError` when Asterisk does not take it.
    """
    files = render(plan)
    restart = _needs_restart(plan, files)
    process.prepare()
    write_hold_tone(plan.home)
    changed = write(files, plan.home / "etc")
    if not process.is_running:
        return Applied(changed=changed, running=False, restart=frozenset())
    for name, commands in RELOADS.items():
        if name in changed:
            for command in commands:
                process.console.run(command)
    return Applied(changed=changed, running=True, restart=restart & changed)


def _needs_restart(plan: PbxPlan, files: Mapping[str, str]) -> frozenset[str]:
    """Return the files whose change no reload brings in, judged by what stands in the folder now."""
    needed = set(files.keys() - RELOADS.keys())
    for name in RELOADS.keys() & files.keys():
        file = plan.home / "etc" / name
        old = file.read_text(encoding="utf-8") if file.exists() else ""
        if _BOUND.findall(old) != _BOUND.findall(files[name]):
            needed.add(name)
    return frozenset(needed)
