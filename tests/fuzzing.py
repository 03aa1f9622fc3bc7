"""Every parser of what comes from outside, as a function of bytes, and bytes that are nearly right.

A parser may refuse in the words of its package's errors, and nothing else: any other exception, a hang, or
a file left behind is a finding. `scripts/fuzz` runs these for as long as one likes, guided by coverage.
"""

from __future__ import annotations

import io
import re
import signal
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from types import FrameType
from urllib.parse import parse_qsl

from openpyxl import Workbook
from twilio.request_validator import RequestValidator

from callcenter.asterisk.journal_rows import parse_journal
from callcenter.asterisk.translate import event_of
from callcenter.asterisk.wire import headers, variable
from callcenter.config import Settings, load_settings
from callcenter.domain.form_file import load_form, parse_form
from callcenter.domain.form_text import parse, render
from callcenter.domain.instruments import read_instrument
from callcenter.domain.numbers import mask_name, mask_number, normalise
from callcenter.domain.queue_log import read_queue_line
from callcenter.errors import CallCenterError
from callcenter.escrow import (
    Escrow,
    decrypt_stream,
    encrypt_stream,
    load_escrow,
    new_identity,
    read_identity,
    recipient_of,
    save_escrow,
)
from callcenter.keys import KeyRing
from callcenter.logs import redact
from callcenter.service.hardship.importing import read_list
from callcenter.twilio.account import Account
from callcenter.twilio.answers import Answer, Line, answer, line_of
from callcenter.twilio.webhook import Hook
from ivr.diagnosis import diagnosis_in
from ivr.errors import IvrError
from ivr.flow import Flow
from ivr.loader import FLOWS, SHIPPED, load_flow, shipped
from ivr.prompts.catalogue import load_catalogue
from scheduler.errors import SchedulerError

ROOT = Path(__file__).parents[1]
TRACES = ROOT / "tests" / "traces" / "journal"
NOW = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)
#: What a parser may say.
CLEAN = (CallCenterError, IvrError, SchedulerError)
#: Longer than anything that is read: seconds.
PATIENCE = 10


@dataclass(frozen=True, kw_only=True)
class Target:
    """One parser. `seeds`: inputs that it takes; `words`: what its language is made of."""

    name: str
    run: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]
    words: tuple[bytes, ...] = ()
    #: A short input may take this long; big files of the short round are read fewer times.
    rounds: int = field(default=300)


# --- one input --------------------------------------------------------------------------------------


class Hang(BaseException):
    """The parser took too long."""


@contextmanager
def patience(seconds: int = PATIENCE) -> Iterator[None]:
    """Raise `Hang` in whatever runs longer."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def feed(target: Target, data: bytes) -> None:
    """Let a parser read; what it may say is swallowed, everything else is the caller's to see."""
    with patience():
        with suppress(*CLEAN):
            target.run(data)


# --- inputs that are nearly right ----------------------------------------------------------------------

NASTY = (
    *(
        b"\0",
        b"\n",
        b"\r\n",
        b'"',
        b"'",
        b"\\",
        b",",
        b";",
        b"|",
        b"\t",
        b"{",
        b"}",
        b"[",
        b"]",
        b"&",
        b"*",
        b"!",
    ),
    *(b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xe2\x80\xae", b"\xe2\x80\x8b", b"\x81\x30"),
    *(
        b"-1",
        b"0",
        b"1e999",
        b"NaN",
        b"9" * 40,
        b"99999999999999999999",
        b"0x7f",
        b"1_0",
        b"null",
        b"~",
        b"true",
    ),
    *(b"=cmd|' /C calc'!A0", b"@SUM(1)", b"${SHELL(id)}", b"{{7*7}}", b"%s%n", b"../../etc/passwd", b"$(id)"),
    *("沈建国".encode(), "沈建国".encode("gb18030"), "٣".encode(), "１３８".encode(), "🧑‍🏭".encode()),
    *(b"2026-02-30", b"0001-01-01", b"9999-12-31T23:59:59+14:00", b"A" * 5000, b"[" * 600, b"a: " * 600),
    *(b"&a [*a]", b"<<: *a", b"!!python/object:os.system", b"? ", b"---\n", b"%YAML 9.9\n", b"- " * 300),
)


def mutations(target: Target, seed: int) -> Iterator[bytes]:
    """Yield inputs for ever, the same for the same seed: seeds with some places broken."""
    random = Random(seed)
    seeds = list(target.seeds())
    words = (*NASTY, *target.words)
    yield from (b"", b"\0", b"\n", *seeds)
    while True:
        data = bytearray(random.choice(seeds))
        for _ in range(random.choice((1, 1, 2, 3, 8, 30))):
            _break(data, random, words, seeds)
        yield bytes(data[: 1 << 20])


def _break(data: bytearray, random: Random, words: Sequence[bytes], seeds: Sequence[bytes]) -> None:
    at = random.randrange(len(data) + 1)
    to = min(len(data), at + random.choice((1, 1, 2, 4, 16, 64, 400)))
    match random.randrange(8):
        case 0:
            data[at:to] = b""
        case 1:
            data[at:at] = random.choice(words)
        case 2:
            data[at:to] = random.choice(words)
        case 3 if data:
            data[min(at, len(data) - 1)] ^= 1 << random.randrange(8)
        case 4:
            data[at:at] = data[at:to] * random.choice((1, 2, 50))
        case 5:
            other = random.choice(seeds)
            start = random.randrange(len(other) + 1)
            data[at:to] = other[start : start + random.choice((4, 40, 400))]
        case 6:
            data[at:] = b""
        case _:
            data[at:to] = bytes(random.randrange(256) for _ in range(random.randrange(12)))


# --- parsers ----------------------------------------------------------------------------------------------


def _file(read: Callable[[Path], object], suffix: str) -> Callable[[bytes], object]:
    """Return a parser of bytes from one of files: the file lies in a folder of its own."""

    def run(data: bytes) -> object:
        with tempfile.TemporaryDirectory(prefix="hotline-fuzz-") as folder:
            file = Path(folder) / f"file{suffix}"
            file.write_bytes(data)
            file.chmod(0o600)
            return read(file)

    return run


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode("utf-8", "surrogateescape"))


def _contents(*files: Path) -> Callable[[], list[bytes]]:
    return lambda: [file.read_bytes() for file in files]


def _folder(folder: Path, pattern: str) -> Callable[[], list[bytes]]:
    return lambda: [file.read_bytes() for file in sorted(folder.glob(pattern))]


def _journal(data: bytes) -> None:
    first = parse_journal(data)
    assert first.consumed <= len(data)
    last = parse_journal(data, final=True)
    assert last.consumed == len(data), "at the end every byte is a row or kept as a scrap"


def _queue_log(data: bytes) -> None:
    for line in data.split(b"\n"):
        read_queue_line(line.decode("utf-8", "replace").rstrip("\r"))


def _ami_heard(data: bytes) -> object:
    lines = data.decode("utf-8", "replace").splitlines()
    return event_of(dict(line.split(": ", 1) for line in lines if ": " in line))


def _ami_said(text: str) -> None:
    """What goes out is refused, or is one line and one variable."""
    said = headers("Originate", {"Channel": text, "Variable": [variable("X", text)]})
    assert all("\r" not in str(value) and "\n" not in str(value) for value in said.values())


def _caller_id(text: str) -> None:
    found = normalise(text)
    assert found is None or (found.isascii() and found.isdigit())
    mask_number(text)
    mask_name(text)
    redact(text)
    diagnosis_in(text)


ACCOUNT = Account(
    sid="AC" + "a" * 32,
    token="t0ken",
    public_url="https://hotline.example.cn",
    fallback_url="https://elsewhere.example.cn/fallback.xml",
)


@cache
def _flows() -> tuple[Flow, ...]:
    return tuple(shipped(name) for name in SHIPPED)


def _line() -> Line:
    """Return a line that remembers no call yet, so that one input does not change the next one's way."""
    return line_of(Settings(), ACCOUNT, KeyRing(master=bytes(range(32))), [], _flows())


def _twilio(data: bytes) -> Answer:
    """Answer a hook whose first line is its target, signed as far as it can be."""
    first, _, body = data.partition(b"\n")
    target = "/twilio/" + first.decode("latin-1").lstrip("/")
    form = dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True))
    signature = RequestValidator(ACCOUNT.token).compute_signature(ACCOUNT.public_url + target, form)
    return answer(_line(), Hook(target=target, body=body, headers={"x-twilio-signature": signature}))


def _hooks() -> list[bytes]:
    """Return hooks of every kind: beginnings, and what follows by the addresses that these hand out."""
    begun = [b"inbound\n" + TWILIO_FORM, b"begin/checkin?call=at-7\n" + TWILIO_FORM]
    pages = "".join(_twilio(hook).twiml for hook in begun)
    tokens = re.findall(r"[?;&]t=([^&\"<;]+)", pages)
    return [
        *begun,
        b"status\n" + TWILIO_FORM + b"&CallStatus=completed",
        *(f"flow?t={token}\n".encode() + TWILIO_FORM + b"&Digits=1" for token in tokens),
    ]


TWILIO_FORM = f"AccountSid={ACCOUNT.sid}&CallSid=CA{'1' * 32}&From=%2B8613800001234".encode()
CSV = (
    "档案编号,姓名,手机,困难类别,建档日期,身份证号,户号,公示时间,公示结束,退档原因,复核日期,协议编号,档案状态\n"
    "WX-1,沈建国,13861705555,深度困难,2026-01-05,,H-7,2026-01-05至2026-01-12,,脱困,2027-01-05,XY-1,退档\n"
)


def _sheet() -> bytes:
    book = Workbook()
    for row in CSV.splitlines():
        book.active.append(row.split(","))  # type: ignore[union-attr]
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _inner_sheet(data: bytes) -> object:
    """Put broken XML into a whole workbook: a broken zip would hide the parser behind it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(_whole_sheet())) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, data if name == "xl/worksheets/sheet1.xml" else old.read(name))
    return _hardship(out.getvalue())


_whole_sheet = cache(_sheet)


def _xml_of_sheet() -> list[bytes]:
    with zipfile.ZipFile(io.BytesIO(_whole_sheet())) as packed:
        return [packed.read("xl/worksheets/sheet1.xml")]


_hardship = _file(lambda file: read_list(file, {}, NOW), ".csv")

FORM = ROOT / "callcenter" / "forms" / "session.yaml"


def _editor(text: str) -> None:
    form = _form()
    read = parse(form, text)
    render(form, read.answers)


_form = cache(lambda: load_form(FORM))


@cache
def _recovery_key() -> str:
    return new_identity()


def _backups() -> list[bytes]:
    out = io.BytesIO()
    encrypt_stream(iter([b"hotline.db", b"\0" * 70_000]), out, recipient_of(_recovery_key()))
    return [out.getvalue()]


def _backup(data: bytes) -> None:
    decrypt_stream(io.BytesIO(data), io.BytesIO(), _recovery_key())


def _key_files() -> list[bytes]:
    with tempfile.TemporaryDirectory(prefix="hotline-fuzz-") as folder:
        file = Path(folder) / "hotline.key"
        ring = KeyRing.create(file)
        first = file.read_bytes()
        ring.with_new_key().save(file)
        return [first, file.read_bytes()]


CONFIG = b"""home = "var"
[site]
name = "x"
[asterisk]
sip_port = 5060
[outbound]
windows = [["09:00:00", "12:00:00"]]
[calendar.days]
2026-10-01 = "off"
"""


def _some_texts() -> list[bytes]:
    """Return a short catalogue: ours has hundreds of texts."""
    lines = (ROOT / "ivr" / "prompts" / "texts" / "zh.yaml").read_bytes().splitlines(keepends=True)
    prompts = next(number for number, line in enumerate(lines) if line.startswith(b"prompts:"))
    return [b"".join(lines[: prompts + 28])]


def _escrows() -> list[bytes]:
    with tempfile.TemporaryDirectory(prefix="hotline-fuzz-") as folder:
        file = Path(folder) / "escrow.json"
        save_escrow(file, Escrow(recipient=recipient_of(_recovery_key()), made_at=NOW, made_by="admin"))
        return [file.read_bytes()]


TARGETS = (
    Target(
        name="journal",
        run=_journal,
        seeds=_folder(TRACES, "*.csv"),
        words=(b'"CHAN_START","",', b'"1700000000.000000",', b'""', b'"\r\n'),
    ),
    Target(
        name="queue_log", run=_queue_log, seeds=_folder(TRACES, "*.queue_log"), words=(b"ENTERQUEUE", b"NONE")
    ),
    Target(
        name="ami_heard",
        run=_ami_heard,
        seeds=lambda: [
            b"Event: QueueMemberAdded\r\nQueue: hotline\r\nMemberName: c001\r\nInterface: PJSIP/c001\r\n"
            b"Paused: 0\r\nPenalty: 0\r\nInCall: 0\r\nStatus: 1\r\n",
            b"Event: OriginateResponse\r\nResponse: Failure\r\nUniqueid: at-1\r\nReason: 5\r\n",
            b"Event: Hangup\r\nUniqueid: 1.2\r\nCause: 16\r\n",
        ],
        words=(b"Event: ", b"Status: ", b"Reason: "),
    ),
    Target(name="ami_said", run=_text(_ami_said), seeds=lambda: [b"PJSIP/c001", b"13800138000"]),
    Target(name="caller_id", run=_text(_caller_id), seeds=lambda: [b"+8613800138000", b"0510-8500-0966"]),
    Target(
        name="twilio",
        run=_twilio,
        seeds=_hooks,
        words=(b"&Digits=", b"&CallStatus=", b"%", b"?s=", b"&CallSid="),
    ),
    Target(
        name="hardship_csv",
        run=_hardship,
        seeds=lambda: [CSV.encode(), CSV.encode("gb18030"), CSV.encode("utf-16")],
        words=("脱困".encode(), "身份证号".encode(), b"320211197405198812", b'"\n'),
    ),
    Target(name="hardship_xlsx", run=_hardship, seeds=lambda: [_whole_sheet()], rounds=150),
    Target(
        name="hardship_sheet",
        run=_inner_sheet,
        seeds=_xml_of_sheet,
        words=(
            b'<c r="ZZZ9999999" t="n"><v>',
            b't="d"',
            b't="s"',
            b"<f>1+1</f>",
            b"&amp;",
            b"<!DOCTYPE a>",
            b't="e"',
        ),
        rounds=150,
    ),
    Target(name="flow", run=_file(load_flow, ".yaml"), seeds=_folder(FLOWS, "*.yaml"), rounds=120),
    Target(
        name="texts",
        run=_file(load_catalogue, ".yaml"),
        seeds=_some_texts,
        words=(b"approver: ", b"checksum: ", b"version: "),
    ),
    Target(
        name="form", run=_text(lambda text: parse_form(text, "form.yaml")), seeds=_contents(FORM), rounds=60
    ),
    Target(name="editor", run=_text(_editor), seeds=lambda: [render(_form(), {}).encode()], rounds=150),
    Target(
        name="instrument",
        run=_file(read_instrument, ".yaml"),
        seeds=_folder(ROOT / "callcenter" / "instruments", "*.yaml"),
        rounds=150,
    ),
    Target(
        name="config", run=_file(load_settings, ".toml"), seeds=lambda: [CONFIG], words=(b"[site]\n", b"= [")
    ),
    Target(name="key_file", run=_file(KeyRing.load, ".key"), seeds=_key_files, words=(b"=", b"2 ")),
    Target(name="recovery_key", run=_text(read_identity), seeds=lambda: [_recovery_key().encode()]),
    Target(
        name="escrow",
        run=_file(load_escrow, ".json"),
        seeds=_escrows,
    ),
    Target(
        name="backup", run=_backup, seeds=_backups, words=(b"age-encryption.org/v1\n", b"-> X25519 ", b"--- ")
    ),
)
