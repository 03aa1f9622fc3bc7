"""Looks at the processes that serve a line: the process table, the order they renew, the lead, `/readyz`."""

from __future__ import annotations

import http.client
import json
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep

from sqlalchemy import make_url

from callcenter.bootstrap import App
from callcenter.config import DEFAULT_FILE, Settings
from callcenter.db.leading import leadership_of
from callcenter.service.health import doctor_serving as says
from callcenter.service.health.doctor import Check, checked
from callcenter.service.health.doctor_serving import BRIDGE, SCHEDULER, Answer, Process, Silence

#: How long a process may take to say how it is, seconds; it answers from memory.
_PATIENCE = 3.0
#: A scheduler tries to lead every two seconds: so long nobody may, seconds.
_LEADERLESS = 5.0
_UNITS = Path("/etc/systemd/system")
_BY_HAND = "hotline serve（最好交给 systemd，见 docs/howto/operator.zh-CN.md）"


def of_serving(app: App, *, can_store: bool) -> Iterator[Check]:
    """Look whether the line is served. `can_store`: the store can be written."""
    settings, now = app.settings, app.clock()
    processes = processes_of(settings.home.resolve(), settings.health.port)
    answers = {port: ask(settings.health.address, port) for port in _ports(settings, processes)}
    yield says.serving(
        processes,
        looked_at_line(settings.pbx_home),
        now,
        start=start_of_bridge("hotline serve bridge" if processes else _BY_HAND),
        can_store=can_store,
        answers=answers,
    )
    if processes:
        yield says.watched(processes)
    if can_store and processes and not any(p.stopped for p in processes):  # who was stopped keeps the lead
        patience = _LEADERLESS if any(SCHEDULER in p.parts for p in processes) else 0.0
        start = start_of("hotline@scheduler", "hotline serve scheduler")
        yield checked("lead", lambda: says.lead(is_led(settings.database_url, patience), start=start))
    if answers and (processes or any(answer is not Silence.NOBODY for answer in answers.values())):
        yield says.ready(answers, processes)


def start_of(unit: str, by_hand: str) -> str:
    """Return what starts something on this machine: its unit of systemd where there is one, or by hand."""
    name, at, _ = unit.partition("@")
    return f"systemctl start {unit}" if (_UNITS / f"{name}{at}.service").exists() else by_hand


def start_of_bridge(by_hand: str) -> str:
    """Return what starts a bridge on this machine, as this machine was told to run it."""
    is_apart = (_UNITS / "hotline.target.wants" / "hotline@bridge.service").is_symlink()
    return start_of("hotline@bridge" if is_apart else "hotline", by_hand)


def _ports(settings: Settings, processes: Sequence[Process]) -> Sequence[int]:
    """Return where somebody ought to say how they are."""
    found = {p.port for p in processes} if processes else {settings.health.port}
    return sorted(found - {0})


# --- the process table -----------------------------------------------------------------------------


def processes_of(home: Path, port: int = 0) -> tuple[Process, ...]:
    """Return each `hotline serve` of the site in `home` that this account may look into (proc(5)).

    `port`: where one says how it is whose environment names no other.
    """
    places = sorted(Path("/proc").glob("[0-9]*"), key=lambda place: int(place.name))
    return tuple(found for place in places if (found := _process(place, home, port)) is not None)


def _process(place: Path, home: Path, port: int) -> Process | None:
    try:
        words = (place / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        parts = parts_of(words)
        if parts is None:
            return None
        environment = _environment(place)
        if home_of(words, environment, (place / "cwd").readlink()) != home:
            return None
        return _described(place, parts, {"HOTLINE_HEALTH__PORT": str(port)} | environment)
    except OSError:  # it ended meanwhile, or is somebody else's
        return None


def parts_of(words: Sequence[str]) -> frozenset[str] | None:
    """Return which parts a command line serves; None: it is not `hotline serve`."""
    ours = (Path(word).name == "hotline" or word == "callcenter.cli" for word in words[:3])
    if "serve" not in words or not Path(words[0]).name.startswith(("python", "hotline")) or not any(ours):
        return None
    named = frozenset(words[words.index("serve") + 1 :]) & {BRIDGE, SCHEDULER}
    return named or frozenset({BRIDGE, SCHEDULER})


def _environment(place: Path) -> dict[str, str]:
    pairs = (place / "environ").read_bytes().decode(errors="replace").split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def home_of(words: Sequence[str], environment: Mapping[str, str], cwd: Path) -> Path:
    """Return the folder of the site that a process serves, as its configuration says."""
    told = environment.get("HOTLINE_HOME") or _told(_config(words, environment, cwd)).get("home")
    return (cwd / (told or "var/hotline")).resolve()


def _config(words: Sequence[str], environment: Mapping[str, str], cwd: Path) -> Path:
    after = dict(pairwise(words))
    joined = next((word.partition("=")[2] for word in words if word.startswith("--config=")), "")
    return cwd / (joined or after.get("--config") or environment.get("HOTLINE_CONFIG") or DEFAULT_FILE)


def _told(config: Path) -> Mapping[str, str]:
    with suppress(FileNotFoundError, tomllib.TOMLDecodeError):
        return tomllib.loads(config.read_text(encoding="utf-8"))
    return {}


def _described(place: Path, parts: frozenset[str], environment: Mapping[str, str]) -> Process:
    state, *numbers = (place / "stat").read_text().rpartition(")")[2].split()
    since_boot = float(Path("/proc/uptime").read_text().split()[0])
    patience, port = environment.get("WATCHDOG_USEC", ""), environment.get("HOTLINE_HEALTH__PORT", "")
    return Process(
        pid=int(place.name),
        parts=parts,
        stopped=state in "Tt",
        age=timedelta(seconds=since_boot - int(numbers[18]) / os.sysconf("SC_CLK_TCK")),
        watched=timedelta(microseconds=int(patience)) if patience.isdecimal() else None,
        unit=unit_of((place / "cgroup").read_text()),
        port=int(port) if port.isdecimal() else 0,
    )


def unit_of(cgroup: str) -> str:
    """Return the unit of systemd of ours that a process belongs to (cgroups(7)), or nothing."""
    names = (line.rpartition("/")[2] for line in cgroup.splitlines())
    return next((n for n in names if n.startswith("hotline") and n.endswith(".service")), "")


# --- what they leave behind -------------------------------------------------------------------------


def looked_at_line(pbx_home: Path) -> datetime | None:
    """Return when a bridge last looked at the whole line: it then leaves the PBX's watchdog a new order."""
    made = [_made(order) for order in (pbx_home / "spool" / "outgoing").glob("watchdog-*.call")]
    last = max((at for at in made if at is not None), default=None)
    return None if last is None else datetime.fromtimestamp(last, UTC)


def _made(order: Path) -> float | None:
    with suppress(FileNotFoundError):  # it has just been replaced
        return order.stat().st_ctime  # its mtime is when it will ring
    return None


def is_led(database_url: str, patience: float) -> bool:
    """Tell whether somebody leads: whoever tries to is refused. A lead got by trying is given back at once.

    `patience`: how long nobody may lead, in seconds.
    """
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite" and not Path(f"{url.database}.leader").exists():
        return False
    candidate, until = leadership_of(database_url), monotonic() + patience
    while True:
        try:
            if not candidate.lead():
                return True
        finally:
            candidate.resign()
        if monotonic() >= until:
            return False
        sleep(0.5)


def ask(address: str, port: int) -> Answer:
    """Ask a process how it is."""
    link = http.client.HTTPConnection(address, port, timeout=_PATIENCE)
    try:
        link.request("GET", "/readyz")
        said = json.loads(link.getresponse().read(1 << 16))
        return {str(name): bool(holds) for name, holds in said["checks"].items()}
    except ConnectionRefusedError:
        return Silence.NOBODY
    except (TimeoutError, ConnectionResetError):
        return Silence.MUTE
    except (OSError, http.client.HTTPException, ValueError, TypeError, KeyError, AttributeError):
        return Silence.STRANGER
    finally:
        link.close()
