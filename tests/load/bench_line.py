"""The two lines compared: the product as a site runs it, and the least dialplan that does the same.

Both run the same Asterisk with the same rendered endpoints, modules, media and queue options, have
the same phones and hear the same greeting (silence of the same length), with the same waits before and
after it. The native one swaps four files for hand-written ones: dialplan, queue members, no journal, no
AMI. It has no Python. Between the two stand lines that take over the product's parts one by one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import wave
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template

from callcenter.asterisk.process import AsteriskProcess
from callcenter.asterisk.provision.flows import site_flows
from callcenter.asterisk.provision.plan import PROMPTS, plan_from
from callcenter.asterisk.provision.render import render
from callcenter.asterisk.provision.write import write, write_hold_tone
from callcenter.asterisk.tree import find_asterisk
from callcenter.bootstrap import App
from callcenter.config import load_settings
from callcenter.db.migrate import upgrade
from callcenter.demo.runner import Address, free_ports, until
from callcenter.demo.sipp import Carrier
from callcenter.domain.calls import CallRecord
from callcenter.domain.duty import PresenceAct
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.keys import KeyRing
from callcenter.service.duty import presence, roster
from callcenter.service.staff import users
from ivr.flow import Flow, Menu
from ivr.loader import shipped
from ivr.prompts.catalogue import load_catalogue

from bench_measure import cpu_seconds  # isort: skip
from bench_sipp import HERE, Seats  # isort: skip

#: Where callers come from: not the phones' address, so that the trunk is known by it.
TRUNK = "127.0.0.2"
NATIVE = ("extensions.conf", "cel.conf", "manager.conf")


def greeting_of(flow: Flow) -> Menu:
    """Return the node that greets a caller of whom nothing is known."""
    node = flow.nodes["greet"]
    if not isinstance(node, Menu) or node.on_silence != "owner":
        raise TypeError("the inbound flow no longer greets and queues: mend the native dialplan as well")
    return node


def before_queue(greeting: float) -> float:
    """Return the seconds from the answer to the queue for a caller who presses nothing."""
    flow = shipped("inbound")
    return (flow.guard + greeting_of(flow).timeout).total_seconds() + greeting


CONFIG = """\
# Written by scripts/bench. Everything stays on this machine.
home = "{home}"

[asterisk]
sip_port = {sip}
ami_port = {ami}
rtp_first = 10000
rtp_last = 17999

[trunk]
host = "{trunk}"
port = {carrier}
channels = 1000

[queue]
# So many calls need every seat again as soon as it is free.
wrap_up = 0

[alarms]
# No probe of our own in the middle of a round.
self_dial_at = "23:59:59"
"""


class Line:
    """One line with its phones, made anew for each round. Use: `prepare`, `start`, ..., `stop`."""

    name = ""

    def __init__(self, folder: Path, *, seats: int, greeting: float, ring: float = 0.0) -> None:
        self.folder = folder
        self._greeting = greeting
        self._ring = ring
        self.agents = tuple(
            User(
                code=f"c{place:03d}",
                name=f"咨询员{place}",
                roles=frozenset({Role.COUNSELLOR}),
                phone=PhoneKind.SIP,
            )
            for place in range(1, seats + 1)
        )
        self._actors: list[Carrier | Seats] = []

    # --- making it ---

    def prepare(self) -> None:
        """Write the configuration, the key and every file of the PBX."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        sip, ami = free_ports(2)
        text = CONFIG.format(home=self.folder, sip=sip, ami=ami, trunk=TRUNK, carrier=free_ports(1, TRUNK)[0])
        self.config_file.write_text(text, encoding="utf-8")
        self.settings = load_settings(self.config_file)
        self.keys = KeyRing.create(self.settings.key_file)
        self.app = App(settings=self.settings)
        self.asterisk = AsteriskProcess(find_asterisk(), self.settings.pbx_home)
        self.asterisk.prepare()
        write(self._files(), self.settings.pbx_home / "etc")
        write_hold_tone(self.settings.pbx_home)
        self._write_prompts(self.settings.pbx_home / "sounds" / self.settings.site.language / "hotline")

    @property
    def config_file(self) -> Path:
        """Return the line's configuration."""
        return self.folder / "hotline.toml"

    def _files(self) -> dict[str, str]:
        plan = plan_from(
            self.settings,
            self.keys,
            self.agents,
            flows=site_flows(self.settings),
            journal=self.asterisk.program.journal,
        )
        # The phones send no sound, and a talk of the bench may be long.
        return render(replace(plan, phone_rtp_timeout=600))

    def _write_prompts(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        parts = len(greeting_of(shipped("inbound")).prompts)
        for prompt in {*load_catalogue().prompts, *PROMPTS}:
            with wave.open(str(folder / f"{prompt}.wav"), "wb") as out:
                out.setnchannels(1)
                out.setsampwidth(2)
                out.setframerate(8000)
                out.writeframes(bytes(2 * round(8000 * self._greeting / parts)))

    # --- running it ---

    def start(self) -> None:
        """Start the PBX, register every phone and wait until the queue has them all."""
        self.asterisk.start()
        trunk = Address(host=self.settings.trunk.host, port=self.settings.trunk.port)
        carrier = Carrier(pbx=self.pbx, folder=self.folder / "carrier", listens=trunk)
        self._actors.append(carrier.start())
        passwords = {user.code: self.keys.password(f"sip:{user.code}") for user in self.agents}
        local = Address(host=self.pbx.host, port=free_ports(1)[0])
        seats = Seats(self.folder / "seats", self.pbx, local, passwords, self._ring)
        self._actors.append(seats)
        seats.start()
        self._until(lambda: self._contacts() >= len(self.agents), "the phones to register")

    def _contacts(self) -> int:
        said = self.asterisk.console.run("pjsip show contacts")
        return len(re.findall(r"^\s*Contact:\s+c\d+/\S+.* Avail ", said, re.MULTILINE))

    def _members(self) -> int:
        said = self.asterisk.console.run("queue show hotline")
        return sum("PJSIP/" in line and "Not in use" in line for line in said.splitlines())

    def _until(self, true: Callable[[], bool], what: str) -> None:
        until(true, 60 + len(self.agents) / 5, what=what)

    def stop(self) -> None:
        """End everything this line started."""
        for actor in reversed(self._actors):
            actor.stop()
        self._actors.clear()
        self.asterisk.stop()

    @property
    def pbx(self) -> Address:
        """Return where the PBX takes calls."""
        return Address(host=self.settings.asterisk.sip_address, port=self.settings.asterisk.sip_port)

    @property
    def queue_log(self) -> Path:
        """Return the file of the queue's own log."""
        return self.settings.pbx_home / "log" / "queue_log"

    # --- looking at it ---

    def asterisk_cpu(self) -> float:
        """Return the CPU seconds Asterisk has used."""
        return cpu_seconds(self.asterisk.pid or 0)

    def bridge_cpu(self) -> float:
        """Return the CPU seconds our own process has used."""
        return 0.0

    def records(self, since: datetime) -> list[CallRecord]:
        """Return what the store holds of the calls since then."""
        return []

    def settle(self, numbers: Sequence[str], since: datetime) -> int | None:
        """Wait until the calls are on record; return how many are not there exactly once (None: no store)."""
        return None


class Native(Line):
    """The least that does the same."""

    name = "native"
    #: What is written by hand instead of rendered.
    own: tuple[str, ...] = NATIVE

    def _files(self) -> dict[str, str]:
        files = super()._files()
        return (
            files
            | {name: _by_hand(name) for name in self.own}
            | {"queues.conf": one_queue(files["queues.conf"], self.agents)}
        )

    def start(self) -> None:
        """Start the PBX and its phones."""
        super().start()
        self._until(lambda: self._members() == len(self.agents), "the queue's members")


def one_queue(text: str, agents: Sequence[User]) -> str:
    """Return queues.conf with the queue of everybody alone, all of them equal, as Asterisk does it itself."""
    general, queue = re.split(r"(?m)^(?=\[)", text)[1:3]
    members = "".join(f"member => PJSIP/{user.code},0,{user.code}\n" for user in agents)
    return general + re.sub(r"(?m)^weight = .*\n", "", queue).rstrip() + "\n" + members


def skilled_queues(text: str, agents: Sequence[User]) -> str:
    """Return queues.conf with everybody in the queue of all and in one of fewer people, loads 0 to 2."""
    general, everybody, *fewer = re.split(r"(?m)^(?=\[)", text)[1:]
    seats = [f"member => PJSIP/{user.code},{place % 3},{user.code}\n" for place, user in enumerate(agents)]
    parts = [everybody.rstrip() + "\n" + "".join(seats)]
    parts += [part.rstrip() + "\n" + "".join(seats[n :: len(fewer)]) for n, part in enumerate(fewer)]
    return general + "\n".join(parts)


def _by_hand(name: str) -> str:
    """Return a hand-written file; its dialplan greets as the inbound flow does."""
    flow = shipped("inbound")
    greet = greeting_of(flow)
    text = (HERE / "native" / name).read_text(encoding="utf-8")
    return Template(text).safe_substitute(
        guard=f"{flow.guard.total_seconds():g}",
        greeting="&".join(f"hotline/{prompt}" for prompt in greet.prompts),
        patience=f"{greet.timeout.total_seconds():g}",
    )


class Compiled(Native):
    """Native, with the compiled flow for the hand-written dialplan."""

    name = "flow"
    own = ("cel.conf", "manager.conf")

    def _files(self) -> dict[str, str]:
        files = super()._files()
        trunk, rest = files["extensions.conf"].split("[hotline-inbound]", 1)
        return files | {
            "extensions.conf": trunk.replace("hotline-inbound", "flow-inbound") + "[hotline-inbound]" + rest
        }


class Routed(Native):
    """Native, with all of the product's dialplan: who is calling is looked up before the flow."""

    name = "route"
    own = ("cel.conf", "manager.conf")


class Journalled(Native):
    """Native, with the product's dialplan and its journal."""

    name = "journal"
    own = ("manager.conf",)


class Unrouted(Native):
    """The product without `hotline serve` and without routing: the flow's plain Queue(), and no owner."""

    name = "queue"
    own = ()

    def _files(self) -> dict[str, str]:
        files = super()._files()
        text = files["extensions.conf"].replace("[hotline-first]", "[hotline-first-off]")
        text = text.replace(
            "[hotline-owner]", "[hotline-owner]\nexten => s,1,Return(failed)\n[hotline-owner-off]"
        )
        phones = re.sub(r"(?m)^set_var = .*hotline-ring.*\n", "", files["pjsip.conf"])
        return files | {"extensions.conf": text, "pjsip.conf": phones}


class Skilled(Native):
    """The same with routing: skills, loads, who missed a ring, and the owner asked after."""

    name = "routing"
    own = ()

    def _files(self) -> dict[str, str]:
        files = Line._files(self)
        return files | {"queues.conf": skilled_queues(files["queues.conf"], self.agents)}


class Product(Line):
    """The product: rendered files, compiled flow, journal, and `hotline serve` on SQLite."""

    name = "product"
    _serving: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Write everything, make the database, plan everybody's shift and sign them on."""
        super().prepare()
        upgrade(self.settings.database_url)
        now = datetime.now(UTC)
        start, length = now - timedelta(minutes=5), timedelta(hours=8)
        with self.app.store() as work:
            users.add_first_admin(work, "admin", "管理员", now=now)
            chief = User(code="s001", name="孙督导", roles=frozenset({Role.SUPERVISOR}))
            users.add_user(work, chief, actor="admin", now=now)
            for user in self.agents:
                users.add_user(work, user, actor="admin", now=now)
                roster.add_shift(work, user.code, start, length, actor="s001", now=now, reason="早五分钟开始")
                presence.act(work, user.code, PresenceAct.ON, actor="s001", now=now)
            work.commit()

    def start(self) -> None:
        """Start PBX, phones and `hotline serve`, and wait until it has put everybody into the queue."""
        super().start()
        self.serve()
        self._until(lambda: self._members() == len(self.agents), "the queue's members")

    def serve(self) -> None:
        """Start `hotline serve`."""
        with (self.folder / "serve.log").open("ab") as log:
            self._serving = subprocess.Popen(
                [sys.executable, "-m", "callcenter.cli", "--config", str(self.config_file), "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    k: v for k, v in os.environ.items() if not k.startswith("HOTLINE_") or k.endswith("_TREE")
                },
                start_new_session=True,
            )

    def halt(self) -> None:
        """End `hotline serve` as a service manager would."""
        if self._serving is None:
            return
        self._serving.terminate()
        try:
            self._serving.wait(20)
        except subprocess.TimeoutExpired:
            self._serving.kill()
            self._serving.wait()
        self._serving = None

    def crash(self) -> None:
        """Kill `hotline serve`."""
        if self._serving is not None:
            self._serving.kill()
            self._serving.wait()
            self._serving = None

    def stop(self) -> None:
        """End our process as a service manager would, then the rest."""
        self.halt()
        super().stop()

    @property
    def bridge_pid(self) -> int:
        """Return the process id of `hotline serve`."""
        if self._serving is None or self._serving.poll() is not None:
            raise RuntimeError(f"hotline serve ended. See {self.folder / 'serve.log'}")
        return self._serving.pid

    def bridge_cpu(self) -> float:
        """Return the CPU seconds of `hotline serve` and of the consoles it called."""
        return cpu_seconds(self.bridge_pid)

    def records(self, since: datetime) -> list[CallRecord]:
        """Return what the store holds of the calls since then."""
        with self.app.store() as work:
            return list(work.calls.between(since, datetime.now(UTC)))

    def settle(self, numbers: Sequence[str], since: datetime) -> int | None:
        """Wait until each number has one record of a call that is over; return how many have not."""
        wanted = Counter(numbers)

        def lost() -> int:
            kept = Counter(call.number for call in self.records(since) if not call.is_open)
            return sum(kept[number] != count for number, count in wanted.items())

        try:
            until(lambda: lost() == 0, 20)
        except TimeoutError:
            return lost()
        return 0
