"""A real Asterisk with the product's own rendered files, and SIPp around it.

`Pbx` is the line; `Actors` plays the people. Prompts are a fifth of a second of silence and waits in
flows are scaled, so that a whole call takes seconds; everything else is what a site runs.
"""

from __future__ import annotations

import csv
import re
import tempfile
import wave
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from callcenter.asterisk.process import AsteriskProcess
from callcenter.asterisk.provision.plan import PROMPTS, dial_strings, plan_from
from callcenter.asterisk.provision.render import render
from callcenter.asterisk.provision.write import write, write_hold_tone
from callcenter.asterisk.tree import DSV_MODULE, JournalFormat, find_asterisk
from callcenter.config import Asterisk, Escalation, Outbound, Queue, Settings, Trunk
from callcenter.demo.runner import Address, free_ports, until
from callcenter.demo.sipp import Behaviour, Caller, Carrier, Phone, Press
from callcenter.domain.staff import GENERAL
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.keys import KeyRing
from ivr.backends.dialplan import QueueOptions, compile_flow
from ivr.loader import shipped
from ivr.prompts.catalogue import load_catalogue

REPOSITORY = Path(__file__).resolve().parents[2]
HOTLINE = "4000850966"
#: Flow waits last this share of what a site would hear.
TIME_SCALE = 0.2
#: What a test waits in the queue before the flow gives up, real seconds.
WAIT_CAP = timedelta(seconds=20)

_INTERFACE = re.compile(r"\(((?:PJSIP|Local)/[^)\s]+)\)")

COUNSELLOR = frozenset({Role.COUNSELLOR})
SUPERVISOR = frozenset({Role.SUPERVISOR})
USERS = (
    User(code="c001", name="王芳", roles=COUNSELLOR, phone=PhoneKind.SIP),
    User(code="c002", name="李娜", roles=COUNSELLOR, phone=PhoneKind.SIP),
    User(code="c003", name="张秀英", roles=COUNSELLOR, phone=PhoneKind.SIP),
    User(code="c004", name="刘洋", roles=COUNSELLOR, phone=PhoneKind.MOBILE, mobile="13900000004"),
    User(
        code="s001",
        name="陈静",
        roles=SUPERVISOR,
        phone=PhoneKind.MOBILE,
        mobile="13900000021",
        escalation_rank=1,
        alarm_rank=1,
    ),
    User(
        code="s002",
        name="赵敏",
        roles=SUPERVISOR,
        phone=PhoneKind.MOBILE,
        mobile="13900000022",
        escalation_rank=2,
        alarm_rank=2,
    ),
)


#: A second number of the line's own, besides `site.outbound_number`.
ANOTHER_OF_OURS = "051085000977"


def test_settings(home: Path, **sections: Any) -> Settings:
    """Return the settings of a line on free ports with short rings; `sections` replaces some."""
    sip, ami = free_ports(2)
    values: dict[str, Any] = {
        "home": home,
        "asterisk": Asterisk(sip_port=sip, ami_port=ami),
        "trunk": Trunk(port=free_ports(1, Trunk().host)[0]),
        "queue": Queue(ring=timedelta(seconds=5), wrap_up=timedelta(0), wait_cap=WAIT_CAP),
        "escalation": Escalation(ring=timedelta(seconds=4), accept=timedelta(seconds=3)),
        "outbound": Outbound(numbers=(ANOTHER_OF_OURS,)),
    }
    return Settings(**(values | sections))


test_settings.__test__ = False  # type: ignore[attr-defined]  # pytest: not a test


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueLine:
    """One line of queue_log."""

    at: float
    call: str
    queue: str
    agent: str
    event: str
    data: tuple[str, ...]


@dataclass(kw_only=True)
class Pbx:
    """A running line. `home` is the PBX's folder; `settings.home` is the site's."""

    settings: Settings
    keys: KeyRing
    users: Sequence[User]
    #: Seconds between two OPTIONS to the trunk. 0: never asked, always believed alive. Only a test of
    #: the trunk's health asks: a late answer to the carrier of the test before would confuse the rest.
    trunk_qualify: int = 0
    #: Whether the queue rings longer because of mobiles. None: as the users have phones.
    mobile_members: bool | None = None
    #: None: as this Asterisk does best.
    journal_format: JournalFormat | None = None
    #: The flows this line has.
    flow_names: Sequence[str] = ("inbound", "checkin")
    process: AsteriskProcess = field(init=False)
    _journal_from: int = 0
    _queue_log_from: int = 0

    def __post_init__(self) -> None:
        self.process = AsteriskProcess(
            find_asterisk(self.settings.asterisk.program, start=REPOSITORY),
            self.settings.pbx_home,
            name=self.settings.asterisk.name,
        )

    # --- life ---

    @property
    def home(self) -> Path:
        return self.settings.pbx_home

    @property
    def sip(self) -> Address:
        """Where callers and phones send."""
        return Address(host=self.settings.asterisk.sip_address, port=self.settings.asterisk.sip_port)

    @property
    def trunk(self) -> Address:
        """Where the carrier must listen."""
        return Address(host=self.settings.trunk.host, port=self.settings.trunk.port)

    def provision(self) -> None:
        """Render and write everything, as `hotline pbx apply` does, with test speed."""
        flows = {
            name: compile_flow(
                shipped(name),
                language=self.settings.site.language,
                queue_options=QueueOptions(cap=self.settings.queue.wait_cap / TIME_SCALE),
                transfers=dial_strings(self.settings),
                time_scale=TIME_SCALE,
            )
            for name in self.flow_names
        }
        able = self.process.program.journal
        journal = self.journal_format or able
        plan = plan_from(self.settings, self.keys, self.users, flows=flows, journal=journal)
        if self.mobile_members is not None:
            plan = replace(plan, mobile_members=self.mobile_members)
        files = render(replace(plan, trunk_qualify=self.trunk_qualify, alarm_pause=2))
        if able != journal:
            # From 22.8 on cel_custom does not load without it, whichever way it is asked to write.
            files["modules.conf"] += f"load = {DSV_MODULE}\n"
        self.process.prepare()
        write(files, self.home / "etc")
        write_hold_tone(self.home)
        write_short_prompts(self.home / "sounds" / self.settings.site.language / "hotline")

    def start(self) -> None:
        self.provision()
        self.process.start()

    def console(self, command: str) -> str:
        return self.process.console.run(command)

    # --- what happened ---

    @property
    def journal_file(self) -> Path:
        return self.home / "log" / "cel-custom" / "journal.csv"

    def journal_rows(self, *, all_tests: bool = False) -> list[bytes]:
        """Return the journal's raw lines since the last reset, with their line ends."""
        return _lines(self.journal_file, 0 if all_tests else self._journal_from)

    def journal(self) -> list[list[str]]:
        """Return the journal since the last reset as read by a CSV reader."""
        text = b"".join(self.journal_rows()).decode("utf-8", errors="replace")
        return list(csv.reader(text.splitlines(keepends=True)))

    def user_events(self) -> list[tuple[str, str]]:
        """Return (name, text) of our own journal rows, such as `("ACCEPT", "by=s001")`."""
        return [(row[1], row[11]) for row in self.journal() if row[1]]

    def queue_log(self, *, all_tests: bool = False) -> list[QueueLine]:
        """Return queue_log since the last reset."""
        start = 0 if all_tests else self._queue_log_from
        lines = [line.decode().rstrip("\n").split("|") for line in _lines(self._queue_log_file, start)]
        return [
            QueueLine(at=float(l[0]), call=l[1], queue=l[2], agent=l[3], event=l[4], data=tuple(l[5:]))
            for l in lines  # noqa: E741
        ]

    @property
    def _queue_log_file(self) -> Path:
        return self.home / "log" / "queue_log"

    def channels(self) -> int:
        """Return how many channels are up."""
        match = re.search(r"(\d+) active channel", self.console("core show channels count"))
        assert match is not None
        return int(match[1])

    def members(self, queue: str = GENERAL) -> set[str]:
        """Return the interfaces of a queue's members."""
        return set(_INTERFACE.findall(self.console(f"queue show {queue}")))

    def seats(self) -> list[tuple[str, str]]:
        """Return (queue, interface) of every member of every queue, by one look."""
        queue, found = "", []
        for line in self.console("queue show").splitlines():
            if match := re.match(r"(\S+) has \d+ calls", line):
                queue = match[1]
            found += [(queue, interface) for interface in _INTERFACE.findall(line)]
        return found

    # --- what the line should know ---

    def on_duty(self, *codes: str) -> None:
        """Make members of these agents, past roster and PIN."""
        for code in codes:
            self.console(f"queue add member {self.interface(code)} to hotline penalty 0 as {code}")

    def off_duty(self, *codes: str) -> None:
        for code in codes:
            self.console(f"queue remove member {self.interface(code)} from hotline")

    def interface(self, code: str) -> str:
        user = next(user for user in self.users if user.code == code)
        return f"PJSIP/{code}" if user.phone is PhoneKind.SIP else f"Local/{code}@hotline-mobile/n"

    def put(self, family: str, key: str, value: str) -> None:
        """Write a fact into AstDB, as the bridge would."""
        self.console(f"database put {family} {key} {value}")

    def get(self, family: str, key: str) -> str | None:
        match = re.search(r"^Value: (.*)$", self.console(f"database get {family} {key}"), re.MULTILINE)
        return match[1] if match else None

    # --- between tests ---

    def reset(self) -> None:
        """Hang up everything, empty the queue and forget the line's facts."""
        for file in (self.home / "spool" / "outgoing").iterdir():  # Asterisk watches the folder itself
            file.unlink(missing_ok=True)
        # Facts before members: an edge that is just running would seat somebody again.
        for family in re.findall(r"^/(hotline-[a-z]+)/", self.console("database show"), re.MULTILINE):
            self.console(f"database deltree {family}")
        self.console("channel request hangup all")
        until(lambda: self.channels() == 0, 15, what="the channels to go")
        for queue, interface in self.seats():
            self.console(f"queue remove member {interface} from {queue}")
        self._journal_from = _size(self.journal_file)
        self._queue_log_from = _size(self._queue_log_file)

    def leak(self) -> str:
        """Return the channels still up after a grace of some seconds, empty if there are none."""
        try:
            until(lambda: self.channels() == 0, 8)
        except TimeoutError:
            return self.console("core show channels concise")
        return ""


@dataclass(kw_only=True)
class Actors:
    """Makes callers, phones and the carrier for one test and ends them all with it."""

    pbx: Pbx
    folder: Path
    _all: list[Caller | Phone | Carrier] = field(default_factory=list)

    def caller(self, dials: str = HOTLINE, **description: Any) -> Caller:
        """Start a caller from the trunk; see `Caller` for the description."""
        caller = Caller(pbx=self.pbx.sip, folder=self._folder("caller"), dials=dials, **description)
        self._all.append(caller)
        return caller.start()

    def dials_from(self, code: str, dials: str, keys: Sequence[Press] = (), **description: Any) -> Caller:
        """Let a counsellor's own phone dial, such as `*11`."""
        return self.caller(
            dials,
            address=self.pbx.sip.host,
            user=code,
            password=self.password(code),
            keys=keys,
            **description,
        )

    def phone(self, *codes: str, behaviour: Behaviour | None = None) -> Phone:
        """Register the phones of these counsellors; all behave alike."""
        users = {code: self.password(code) for code in codes}
        phone = Phone(pbx=self.pbx.sip, folder=self._folder("phone"), users=users, behaviour=behaviour)
        self._all.append(phone)
        return phone.start()

    def carrier(self, numbers: Mapping[str, Behaviour] | None = None, **description: Any) -> Carrier:
        """Start the trunk's far end."""
        carrier = Carrier(
            pbx=self.pbx.sip,
            folder=self._folder("carrier"),
            listens=self.pbx.trunk,
            numbers=numbers,
            **description,
        )
        self._all.append(carrier)
        return carrier.start()

    def password(self, code: str) -> str:
        return self.pbx.keys.password(f"sip:{code}")

    def _folder(self, kind: str) -> Path:
        return self.folder / f"{len(self._all):02d}-{kind}"

    def close(self) -> None:
        """End everybody; raise `ActorFailed` if a phone or the carrier had died before."""
        with ExitStack() as endings:
            for actor in self._all:
                if isinstance(actor, Phone):
                    endings.callback(actor.stop, leave=self.pbx.process.is_running)
                else:
                    endings.callback(actor.stop)
            for actor in self._all:
                if not isinstance(actor, Caller):
                    actor.check()


def short_home() -> Path:
    """Return a new folder with a path short enough for Asterisk's control socket."""
    return Path(tempfile.mkdtemp(prefix="hotline-"))


def write_short_prompts(folder: Path) -> None:
    """Write every prompt as 0.2 s of silence, 8 kHz mono 16 bit."""
    folder.mkdir(parents=True, exist_ok=True)
    for prompt in {*load_catalogue().prompts, *PROMPTS}:
        write_silence(folder / f"{prompt}.wav", timedelta(milliseconds=200))


def write_silence(file: Path, length: timedelta) -> None:
    """Write a sound of nothing, 8 kHz mono 16 bit."""
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(bytes(2 * round(8000 * length.total_seconds())))


def _lines(file: Path, start: int) -> list[bytes]:
    if not file.exists():
        return []
    with file.open("rb") as source:
        source.seek(start)
        return source.read().splitlines(keepends=True)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
