"""A real Asterisk that walks through compiled flows, and SIPp callers that press keys when it listens.

The flows are the product's own, compiled with a trace: at each moment at which the line waits or asks,
the context `walk-trace` takes the next letter of the call's script and writes a row. The letters:

  k  the caller does something now: the words last long, so that a busy machine cannot be too late
  s  nothing happens: the words last 0.1 s
  y n  the answer to what the flow asks the world
  a f c r  whoever is rung answers, does not, lets the longest wait go by, rings on

So a walk has no times of its own: a caller acts when the journal says that the line listens.
"""

from __future__ import annotations

import heapq
import re
import socket
import struct
import time
import wave
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count, zip_longest
from pathlib import Path

from harness import Pbx
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined
from walks import CAP, Deed, Moment, Plan

from callcenter.asterisk.journal_rows import parse_journal
from callcenter.asterisk.provision.plan import plan_from
from callcenter.asterisk.provision.render import render
from callcenter.asterisk.provision.write import write, write_hold_tone
from callcenter.demo.dtmf import write_press
from callcenter.demo.runner import Address, SippRun, free_media_port, free_ports, until
from callcenter.domain.journal import Row as JournalRow
from ivr.backends.dialplan import QueueOptions, compile_flow, queue_keys
from ivr.flow import Flow
from ivr.prompts.catalogue import load_catalogue
from ivr.rows import Row
from ivr.vocabulary import EXPECTED, FACTS, LANGUAGES

TRACE = "walk-trace"
LANGUAGE = "zh"
SHORT, LONG = 0.1, 20.0
#: Callers at one time.
TOGETHER = 64
#: Callers of one SIPp process.
_COMPANY = 100
#: Rows that a flow writes.
OURS = re.compile(r"IVR_[A-Z]+|PROMISE")
#: Members of the queues in which somebody answers or rings on: one caller must not wait for another.
_MEMBERS = 24
_EXTRA_MODULES = ("res_pjsip_header_funcs",)
_PRESS = timedelta(milliseconds=240)

_EXTENSIONS = """
[general]
static = yes
writeprotect = yes
clearglobalvars = yes

[globals]
HOTLINE_SALT = {salt}

[hotline-trunk]
exten => h,1,NoOp()
exten => _[a-z].,1,Set(WALK_SCRIPT=${{FILTER(a-z,${{PJSIP_HEADER(read,X-Script)}})}})
 same => n,Set(WALK_N=0)
 same => n,Goto(flow-${{EXTEN}},s,1)

[walk-trace]
exten => _[a-z].,1,Set(__WALK_NEXT=${{WALK_SCRIPT:${{WALK_N}}:1}})
 same => n,Set(WALK_SET=${{CHANNEL(language)}})
 same => n,ExecIf($["${{WALK_SET:-5}}"="_long"]?Set(WALK_SET=${{WALK_SET:0:-5}}))
 same => n,Set(CHANNEL(language)=${{WALK_SET}}${{IF($["${{WALK_NEXT}}"="k"]?_long)}})
 same => n,ExecIf($["${{EXTEN}}-${{WALK_NEXT}}"="look-y"]?Gosub(walk-look,yes,1))
 same => n,ExecIf($["${{EXTEN}}-${{WALK_NEXT}}"="look-n"]?Gosub(walk-look,no,1))
 same => n,CELGenUserEvent(WALK,kind=${{EXTEN}}&node=${{ARG1}}&n=${{WALK_N}}&language=${{WALK_SET}})
 same => n,Set(WALK_N=$[${{WALK_N}}+1])
 same => n,Return()

[walk-look]
exten => yes,1,MSet(HOTLINE_FACTS={facts},HOTLINE_CALLER=13800138000)
{expected_right}
 same => n,Return()
exten => no,1,MSet(HOTLINE_FACTS=,HOTLINE_CALLER=)
{expected_wrong}
 same => n,Return()

[walk-people]
exten => _a!,1,Answer()
 same => n,Wait(0.2)
 same => n,Hangup()
exten => _f!,1,Hangup(17)
exten => _[rcks]!,1,Ringing()
 same => n,Wait(20)
exten => anybody,1,Goto(${{IF($["${{WALK_NEXT}}"=""]?f:${{WALK_NEXT}})}},1)

[hotline-escalate]
exten => s,1,Dial(Local/anybody@walk-people/n,60,g)
 same => n,Return(${{IF($["${{DIALSTATUS}}"="ANSWER"]?answered:failed)}})
[hotline-owner]
exten => s,1,Dial(Local/anybody@walk-people/n,60,g)
 same => n,Return(${{IF($["${{DIALSTATUS}}"="ANSWER"]?answered:failed)}})
[hotline-hours]
exten => s,1,Return(${{IF($["${{WALK_NEXT}}"="y"]?open:closed)}})
[hotline-accept]
exten => s,1,Return()
[hotline-queue-keys]
{queue_keys}

{flows}
"""

_QUEUES = """
[general]
persistentmembers = no
[walk](!)
context = hotline-queue-keys
strategy = rrmemory
timeout = 30
retry = 1
autofill = yes
ringinuse = no
musicclass = default
joinempty = unavailable,invalid,unknown,paused
[walk_f](walk)
[walk_n](walk)
[walk_y](walk)
member => Local/a@walk-people/n
[walk_a](walk)
{answering}
[walk_r](walk)
{ringing}
[walk_c](walk)
{capped}
"""


@dataclass(kw_only=True)
class WalkPbx(Pbx):
    """An Asterisk with nothing on it but flows and the world they ask."""

    flows: Mapping[str, Flow] = field(default_factory=dict)
    #: Further contexts: compiled text by name, such as a flow that was tampered with.
    texts: Mapping[str, str] = field(default_factory=dict)

    def provision(self) -> None:
        """Render the product's files with our own dialplan and queues."""
        plan = plan_from(self.settings, self.keys, (), flows={}, journal=self.process.program.journal)
        files = render(replace(plan, trunk_qualify=0))
        files["extensions.conf"] = self._extensions(plan.salt)
        files["queues.conf"] = _QUEUES.format(
            answering=_members("a"), ringing=_members("r"), capped=_members("c")
        )
        files["modules.conf"] += "".join(f"load = {name}.so\n" for name in _EXTRA_MODULES)
        _write_sets(self.home / "sounds")  # first: Asterisk's own English is put only where nothing is
        self.process.prepare()
        write(files, self.home / "etc")
        write_hold_tone(self.home)

    def _extensions(self, salt: str) -> str:
        keys = queue_keys(self.flows.values())
        texts = {name: compiled(flow) for name, flow in self.flows.items()} | dict(self.texts)
        right = "${SHA1(${HOTLINE_SALT}${HOTLINE_TYPED})}"
        wrong = '${IF($["${HOTLINE_TYPED}"=""]?:somebody-else)}'
        return _EXTENSIONS.format(
            salt=salt,
            facts="&".join(sorted(FACTS)),
            expected_right="\n".join(f" same => n,Set(HOTLINE_EXPECT_{w}={right})" for w in EXPECTED),
            expected_wrong="\n".join(f" same => n,Set(HOTLINE_EXPECT_{w}={wrong})" for w in EXPECTED),
            queue_keys="\n".join(f"exten => {key},1,Goto(${{HOTLINE_AT}},k{key})" for key in keys),
            flows="\n".join(texts.values()),
        )


def compiled(flow: Flow) -> str:
    """Return a flow as the walks' Asterisk runs it."""
    destinations = ("12356", "110", "120")
    return compile_flow(
        flow,
        language=LANGUAGE,
        queue_options=QueueOptions(cap=CAP),
        transfers=dict.fromkeys(destinations, "Local/anybody@walk-people/n"),
        queues={"hotline": "walk_${WALK_NEXT}"},
        trace=TRACE,
    )


def _members(letter: str) -> str:
    return "\n".join(f"member => Local/{letter}{n:02}@walk-people/n" for n in range(_MEMBERS))


def _write_sets(sounds: Path) -> None:
    """Write every prompt once short and, in the set `<any>_long`, once long. Other sets are the same."""
    for name, seconds in ((LANGUAGE, SHORT), (f"{LANGUAGE}_long", LONG)):
        folder = sounds / name / "hotline"
        folder.mkdir(parents=True, exist_ok=True)
        words = folder / "words.wav"
        _write_silence(words, seconds)
        for prompt in load_catalogue().prompts:
            (folder / f"{prompt}.wav").hardlink_to(words)
    (sounds / "en").symlink_to(sounds / LANGUAGE)
    for other in sorted(LANGUAGES - {LANGUAGE}):
        (sounds / f"{other}_long").symlink_to(sounds / f"{LANGUAGE}_long")


def _write_silence(file: Path, seconds: float) -> None:
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(bytes(int(16000 * seconds)))


# --- playing walks -----------------------------------------------------------------------------------


@dataclass(kw_only=True, slots=True)
class Heard:
    """What the line said of one call."""

    rows: list[Row] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)

    def agrees_so_far(self, plan: Plan) -> bool:
        """Tell whether the call may still come to be what the machine means."""
        here = len(self.moments)
        return self.rows == plan.rows[: len(self.rows)] and self.moments == plan.moments[:here]

    def unlike(self, plan: Plan) -> str:
        """Return how the call differs from what the machine means, empty if it does not."""
        texts = [
            *_unlike("row", [f"{n} {t}" for n, t in plan.rows], [f"{n} {t}" for n, t in self.rows]),
            *_unlike("moment", list(map(str, plan.moments)), list(map(str, self.moments))),
        ]
        return "\n  ".join([f"{plan.walk.flow.name}: {' '.join(plan.walk.words)}", *texts]) if texts else ""


def _unlike(what: str, wanted: Sequence[str], heard: Sequence[str]) -> Iterator[str]:
    """Yield the first place at which two lists differ."""
    for place, (left, right) in enumerate(zip_longest(wanted, heard)):
        if left != right:
            yield f"{what} {place}: the machine says {left}, the line {right}"
            return


class Players:
    """Plays walks, all at one time: tells each caller what to press when the line listens to it."""

    def __init__(
        self, pbx: WalkPbx, folder: Path, plans: Sequence[Plan], *, into: Sequence[str] = ()
    ) -> None:
        """`into`: for each call the name of the context that it gets in place of its flow's own."""
        called = into or [plan.walk.flow.name for plan in plans]
        self._pbx, self._plans = pbx, plans
        self.heard = [Heard() for _ in plans]
        self._journal = _Tail(pbx.journal_file)
        self._due: list[tuple[float, int, int, Deed, int]] = []
        self._order = count(1)
        self._leaving: set[int] = set()
        self._over: set[int] = set()
        companies = -(-len(plans) // _COMPANY)
        shares = [dict(list(enumerate(plans))[first::companies]) for first in range(companies)]
        self._companies = [
            _Company(f"walk{place}", pbx.sip, folder / f"{place}", share, called)
            for place, share in enumerate(shares)
        ]

    def play(self, timeout: float = 240) -> list[Heard]:
        """Play every walk to its end and return what the line said of each."""
        with ExitStack() as endings:
            self._out = endings.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            for company in self._companies:
                endings.callback(company.run.stop)
                company.start(together=max(1, TOGETHER // len(self._companies)))
            self._listen(time.monotonic() + timeout)
            for company in self._companies:
                company.run.wait(1)
        until(self._all_over, 15, what="the journal of every call")
        return self.heard

    def _listen(self, deadline: float) -> None:
        while any(company.run.is_running for company in self._companies) and time.monotonic() < deadline:
            self._hear()
            self._tell()
            time.sleep(0.01)

    def _all_over(self) -> bool:
        self._hear()
        return len(self._over) == len(self._plans)

    def _hear(self) -> None:
        for row in self._journal.read():
            if row.num.isdecimal() and int(row.num) < len(self._plans):
                self._on(int(row.num), row)

    def _on(self, n: int, row: JournalRow) -> None:
        heard, plan = self.heard[n], self._plans[n]
        if row.event == "CHAN_END" and row.channel.startswith("PJSIP/"):
            self._over.add(n)
        elif row.event == "WALK":
            words = _words_in(row)
            heard.moments.append(Moment(words["kind"], words["node"], words["language"]))
            self._let(n, plan.deeds.get(len(heard.moments) - 1, []))
        elif OURS.fullmatch(row.event):
            heard.rows.append((row.event, _text_of(row)))
        if not heard.agrees_so_far(plan):
            # It is somewhere else than it should be and has told enough. SIPp may still be about a press.
            self._let(n, [Deed("", after=0.3)])

    def _let(self, n: int, deeds: Iterable[Deed]) -> None:
        moment = len(self.heard[n].moments) - 1
        for deed in deeds:
            heapq.heappush(self._due, (time.monotonic() + deed.after, next(self._order), n, deed, moment))

    def _tell(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            _, order, n, deed, moment = heapq.heappop(self._due)
            if n in self._leaving:
                continue
            if deed.hangs_up:
                self._leaving.add(n)
            company = self._companies[n % len(self._companies)]
            self._out.sendto(company.message(n, moment, deed, order).encode(), company.address)


class _Company:
    """Callers that one SIPp process plays; by their number in the whole."""

    def __init__(
        self, name: str, pbx: Address, folder: Path, plans: Mapping[int, Plan], called: Sequence[str]
    ) -> None:
        self._name, self._numbers, self._folder = name, list(plans), folder
        self._local = Address(host="127.0.0.2", port=free_ports(1, "127.0.0.2")[0])
        self._presses = _Presses(folder, plans)
        scenario = _scenario(self._presses.count)
        self.run = SippRun(folder=folder, scenario=scenario, pbx=pbx, local=self._local)
        rows = [f"{n};{called[n]};{plan.script};{self._presses.early(n)}" for n, plan in plans.items()]
        (folder / "walks.csv").write_text("\n".join(["SEQUENTIAL", *rows, ""]), encoding="utf-8")

    @property
    def address(self) -> tuple[str, int]:
        """Return where this process listens."""
        return self._local.host, self._local.port

    def start(self, *, together: int) -> None:
        """Let the callers dial, so many at one time."""
        words = ["-inf", str(self._folder / "walks.csv"), "-m", str(len(self._numbers))]
        words += ["-cid_str", f"{self._name}-%u", "-l", str(together), "-r", "20"]
        self.run.start([*words, "-mp", str(free_media_port(self._local.host))], full_trace=False)

    def message(self, n: int, moment: int, deed: Deed, order: int) -> str:
        """Return the REFER that lets a caller do something."""
        press = 0 if deed.hangs_up else self._presses.number(n, moment, deed)
        call = f"{self._name}-{self._numbers.index(n) + 1}"
        return _TELL.format(call=call, order=order, press=press)


#: A word of the test to one caller: which press to play.
_TELL = (
    "REFER sip:actor SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK-walk{order}\r\n"
    "From: <sip:test>;tag=test\r\nTo: <sip:actor>\r\nCall-ID: {call}\r\nCSeq: {order} REFER\r\n"
    "X-Press: {press}\r\nContent-Length: 0\r\n\r\n"
)


class _Presses:
    """Presses as files `1.pcap` and so on: each has its place in its call's RTP stream."""

    def __init__(self, folder: Path, plans: Mapping[int, Plan]) -> None:
        folder.mkdir(parents=True)
        self._folder, self._plans = folder, plans
        self._numbers: dict[tuple[str, int], int] = {}
        self._places: dict[tuple[int, int], int] = {}
        for n, plan in plans.items():
            place = 0
            for moment, deeds in sorted(plan.deeds.items()):
                self._places[n, moment] = place
                for deed in deeds:
                    self._write(deed.keys, place)
                    place += len(deed.keys)

    @property
    def count(self) -> int:
        """Return how many files there are."""
        return len(self._numbers)

    def early(self, n: int) -> int:
        """Return the number of the press that comes with the answer, 0 for none."""
        deeds = self._plans[n].deeds.get(-1)
        return self.number(n, -1, deeds[0]) if deeds else 0

    def number(self, n: int, moment: int, deed: Deed) -> int:
        """Return the number of the file of a press."""
        return self._numbers[deed.keys, self._places[n, moment]]

    def _write(self, keys: str, place: int) -> None:
        if not keys or (keys, place) in self._numbers:
            return
        number = self._numbers[keys, place] = self.count + 1
        singles = [
            write_press(self._folder / f"{number}-{i}.pcap", key, place + i) for i, key in enumerate(keys)
        ]
        _join(self._folder / f"{number}.pcap", singles)


_HEAD = 24  # of a pcap file
_RECORD = struct.Struct("<IIII")


def _join(file: Path, singles: Iterable[Path]) -> None:
    """Write presses one behind the other into one pcap."""
    out = b""
    for place, single in enumerate(singles):
        data = single.read_bytes()
        out = out or data[:_HEAD]
        at = _HEAD
        while at < len(data):
            seconds, micros, kept, size = _RECORD.unpack_from(data, at)
            moment = timedelta(seconds=seconds, microseconds=micros) + place * _PRESS
            whole, rest = divmod(moment, timedelta(seconds=1))
            out += _RECORD.pack(whole, rest.microseconds, kept, size)
            at += _RECORD.size
            out += data[at : at + kept]
            at += kept
    file.write_bytes(out)


def _scenario(presses: int) -> str:
    here = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=ChoiceLoader([here, PackageLoader("callcenter.demo", "scenarios")]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701  nothing of a stranger's stands in it
    )
    text = environment.get_template("walker.xml").render(presses=presses)
    assert len(text) < 65_000, "SIPp 3.6.1 reads no longer scenario: let fewer callers share a process"
    return text


# --- reading the journal -----------------------------------------------------------------------------


class _Tail:
    """Reads what is new in the journal."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._at = file.stat().st_size if file.exists() else 0

    def read(self) -> list[JournalRow]:
        """Return the whole rows written since the last time."""
        if not self._file.exists():
            return []
        with self._file.open("rb") as source:
            source.seek(self._at)
            parsed = parse_journal(source.read())
        self._at += parsed.consumed
        assert not parsed.scraps, parsed.scraps
        return parsed.rows


def _text_of(row: JournalRow) -> str:
    found = re.fullmatch(r'\{""extra"":""(.*)""\}', row.extra)
    return found[1] if found else ""


def _words_in(row: JournalRow) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in _text_of(row).split("&"))
