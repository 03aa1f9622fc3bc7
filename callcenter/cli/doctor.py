"""`hotline doctor`: is the line healthy, and what mends it. One sentence each; exit code 1 if one is red."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import click
from sqlalchemy import make_url

from callcenter.asterisk.ami import LoginRefused
from callcenter.asterisk.process import AsteriskProcess
from callcenter.asterisk.tree import find_asterisk
from callcenter.bootstrap import App
from callcenter.cli.common import json_option, pass_app, say, show_rows
from callcenter.cli.doctor_serving import of_serving, start_of
from callcenter.cli.ivr_prompts import prompt_findings
from callcenter.db.migrate import is_begun, is_current
from callcenter.db.rotation import Rotation
from callcenter.domain.instruments import overridden
from callcenter.errors import CallCenterError
from callcenter.ports import Store, UnitOfWork
from callcenter.safekept import load_mark
from callcenter.service.duty.checking import rules_of as plan_rules_of
from callcenter.service.followup.debts import rules_of
from callcenter.service.health import doctor as looks
from callcenter.service.health import doctor_faults as faults
from callcenter.service.health import doctor_line as line
from callcenter.service.health.doctor import Check, State, checked
from callcenter.service.health.doctor_line import Login
from ivr.loader import SHIPPED, site_flow
from ivr.prompts.sets import prompt_set
from ivr.prompts.wording import site_catalogue

#: Rows of each end of each table that are opened.
_SAMPLE = 3
#: How long the PBX may take to let our account in, seconds; the link itself gives up a little earlier.
_PATIENCE = 6.0
_NO_SITE = "新建：hotline init；从备份恢复：hotline restore；线在别处的，用 --config 指明它的 hotline.toml。"
_MARKS = {State.OK: "好", State.WARN: "注意", State.BAD: "不好"}


@click.command()
@json_option
@pass_app
def doctor(app: App, as_json: bool) -> None:
    """体检:电话系统、后台服务、数据库、磁盘、备份与密钥、留痕、提示音、值守、回访。

    每项一句话:哪里不对,怎么改。有一项“不好”,退出码为 1。不显示任何个人信息。
    """
    found = list(_looks(app))
    rows = [{"id": check.id, "state": check.state.value, "sentence": check.sentence} for check in found]
    if as_json:
        show_rows(rows, [], as_json=True)
    else:
        _show(found)
    if looks.worst(found) is State.BAD:
        raise SystemExit(1)


def _looks(app: App) -> Iterator[Check]:
    """Look at everything; where no line was ever set up, that alone is said."""
    if not app.settings.home.exists():
        yield looks.bad("home", f"这里还没有线：{app.settings.home} 不在。{_NO_SITE}")
        return
    yield checked("pbx", lambda: _pbx(app))
    yield from _of_store(app)
    yield from _of_faults(app)
    yield from _of_keeping(app)
    yield from _of_line(app)


def _show(found: Sequence[Check]) -> None:
    """Print the worst first, and at the end how many there are of each."""
    order = list(reversed(State))
    for check in sorted(found, key=lambda check: order.index(check.state)):
        say(f"{_MARKS[check.state]}  {check.sentence}", further="  ")
    counts = Counter(check.state for check in found)
    say("共 " + "，".join(f"{counts[state]} 项{_MARKS[state]}" for state in order if counts[state]) + "。")


def _of_keeping(app: App) -> Iterator[Check]:
    settings, now = app.settings, app.clock()
    keys = settings.key_file
    yield checked("key_file", lambda: looks.key_file(app.keys))
    if keys.exists():
        escrow = partial(looks.key_escrow, settings.recovery_file, settings.key_copy_file, keys)
        yield checked("key_escrow", escrow)
    yield checked("backup", lambda: looks.last_backup(load_mark(settings.home), now, settings.backup.every))
    yield checked("folders", partial(looks.private_folders, settings.pbx_home, settings.recordings_folder))
    spools = [settings.pbx_home / "spool" / kind for kind in ("messages", "recordings")]
    yield checked("messages", partial(looks.unsealed_messages, spools, now))
    kept = {"数据": settings.home, "话务日志": settings.pbx_home / "log"}
    yield checked("disk", partial(looks.disk, kept))


def _of_store(app: App) -> Iterator[Check]:
    """Look at what the store holds; where it cannot be reached, that alone is said."""
    settings, now = app.settings, app.clock()
    reached = checked("database", lambda: _database(app))
    yield reached
    if reached.state is State.BAD or not settings.key_file.exists():  # without keys nothing opens: said above
        return
    yield checked("sealed", lambda: looks.sealed_columns(_sample(app)))
    rules = rules_of(settings).risk
    of_store: dict[str, Callable[[UnitOfWork], Check]] = {
        "audit": lambda work: looks.audit_chain(work, settings.home),
        "clock": lambda work: looks.clock(work, now),
        "machine_names": line.machine_names,
        "alarm_chain": line.alarm_chain,
        "outbound_capacity": lambda work: line.outbound_capacity(
            settings.trunk.channels, line.seats(work), rules_of(settings)
        ),
        "roster": lambda work: line.roster(work, now, plan_rules_of(settings)),
        "recordings": line.recordings,
        "sessions": lambda work: line.unwritten_sessions(work, now),
        "cases": lambda work: line.high_risk(work, now, rules),
        "second_factor": lambda work: line.second_factors(work, demanded=settings.access.second_factor),
    }
    for name, look in of_store.items():
        yield checked(name, partial(_in_unit, app, look))


def _database(app: App) -> Check:
    url = make_url(app.settings.database_url)
    file = None if _at_server(app) else Path(str(url.database))
    # To open one that is not there would make it; of an empty one nobody knows whether more was there.
    if file is not None and (not file.exists() or _is_empty(app)):
        return looks.bad("database", "还没有数据库。运行 hotline init；丢了的，hotline restore。")
    return faults.database(
        lambda: is_current(app.settings.database_url),
        at_server=file is None,
        disk_reads_only=file is not None and bool(os.statvfs(file.parent).f_flag & os.ST_RDONLY),
    )


def _is_empty(app: App) -> bool:
    """Tell whether a database holds nothing; one that cannot be asked is looked into later."""
    with suppress(CallCenterError):
        return not is_begun(app.settings.database_url)
    return False


def _at_server(app: App) -> bool:
    return make_url(app.settings.database_url).get_backend_name() != "sqlite"


def _of_faults(app: App) -> Iterator[Check]:
    """Look for what hit the line and was survived, for what still waits, and for who serves."""
    now, zone = app.clock(), app.settings.site.zone
    yield checked("ntp", lambda: faults.clock_synchronised(_is_synchronised()))
    if not app.settings.key_file.exists() or not _is_there(app):  # said above
        yield from of_serving(app, can_store=False)
        return
    writes = checked(
        "store_writes", lambda: faults.store_writes(lambda: _try_writing(app), at_server=_at_server(app))
    )
    yield writes
    yield from of_serving(app, can_store=writes.state is State.OK)
    of_store: dict[str, Callable[[UnitOfWork], Check]] = {
        "journal": lambda work: faults.journal(app.journal_unread(work), app.journal_changed(), now),
        "unread_rows": faults.unread_rows,
        "broken_calls": lambda work: faults.broken_calls(work, now, zone),
        "attempts_in_doubt": lambda work: faults.attempts_in_doubt(work, now, zone),
        "attempts_lost": lambda work: faults.attempts_lost(work, now),
        "alarms": faults.alarms,
    }
    for name, look in of_store.items():
        yield checked(name, partial(_in_unit, app, look))


def _is_there(app: App) -> bool:
    """Tell whether the store answers with the present tables."""
    with suppress(CallCenterError, OSError):
        return _database(app).state is State.OK
    return False


def _try_writing(app: App) -> None:
    """Take the store's turn to write, write, and take it back."""
    with app.store() as work:
        faults.try_writing(work, app.clock())  # and no commit


def _is_synchronised() -> bool | None:
    """Ask systemd whether the clock is kept right; None: there is nobody to ask."""
    words = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        said = subprocess.run(words, capture_output=True, text=True, timeout=3, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(said)


def _of_line(app: App) -> Iterator[Check]:
    settings = app.settings
    today = app.clock().astimezone(settings.site.zone).date()
    yield checked("calendar", lambda: line.calendar(rules_of(settings).calendar, today))
    yield checked("outbound_number", lambda: line.outbound_number(settings.site.outbound_number))
    yield checked("outbound_numbers", lambda: line.further_numbers(settings.outbound.numbers))
    yield checked("prompts", lambda: _prompts(app))
    yield checked("scales", lambda: line.scales(overridden(settings.instruments_folder)))


def _in_unit(app: App, look: Callable[[UnitOfWork], Check]) -> Check:
    reading: Store = getattr(app.store, "reading", app.store)  # a store that is locked can be looked into
    with reading() as work:
        return look(work)


def _sample(app: App) -> dict[str, int]:
    rotation = Rotation(app.settings.database_url, app.keys)
    try:
        return rotation.sample(_SAMPLE)
    finally:
        rotation.close()


def _prompts(app: App) -> Check:
    flows = [site_flow(name, app.settings.flows_folder) for name in SHIPPED]
    catalogue = site_catalogue(prompt_set(app.settings.site.language).language, app.settings.wording)
    unapproved = sum(not prompt.approved for prompt in catalogue.prompts.values())
    if not (app.settings.pbx_home / "sounds").exists():
        return looks.bad("prompts", "还没有提示音。运行 hotline pbx apply。")
    return line.prompts(prompt_findings(app, flows), unapproved)


def _pbx(app: App) -> Check:
    settings = app.settings
    process = AsteriskProcess(
        find_asterisk(settings.asterisk.program), settings.pbx_home, name=settings.asterisk.name
    )
    if not process.is_running:
        is_applied = (settings.pbx_home / "etc" / "asterisk.conf").exists()
        start = start_of("hotline-asterisk", "hotline pbx start")
        return line.pbx_down(start if is_applied else f"hotline pbx apply，再 {start}")
    where = f"{settings.asterisk.ami_address}:{settings.asterisk.ami_port}"
    return line.manager_interface(asyncio.run(_login(app)), where)


async def _login(app: App) -> Login:
    """Try our account at the manager interface."""
    link = app.ami_link()
    running = asyncio.create_task(link.run())
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while not (link.connected or link.trouble):  # noqa: ASYNC110 - only success is announced
                    await asyncio.sleep(0.05)
        return Login.IN if link.connected else _why_not(link.trouble)
    finally:
        link.close()
        await running


def _why_not(trouble: str) -> Login:
    known = {str(LoginRefused()): Login.REFUSED, ConnectionRefusedError.__name__: Login.NOBODY}
    return known.get(trouble, Login.SILENT)
