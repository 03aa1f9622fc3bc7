"""Prove a rendered set on a real, throw-away Asterisk: it loads, takes a call and keeps the journal.

The set runs on loopback with ports of its own, whatever the site's addresses are, and its trunk leads
back to itself: a call that leaves through the trunk comes in again as the public's, over real SIP and
RTP, through the whole inbound route. Prompts are silence, and the escalation and alarm chains are
empty: a contact's number dialled here would come back as one more call. Neither SIPp, a carrier nor
recorded prompts are needed.
"""

from __future__ import annotations

import re
import shutil
import socket
import tempfile
import time
import wave
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from callcenter.asterisk.journal_rows import parse_journal
from callcenter.asterisk.process import AsteriskProcess
from callcenter.asterisk.provision.plan import PROMPTS, PbxPlan
from callcenter.asterisk.provision.render import modules_of, render
from callcenter.asterisk.provision.sockets import Listening, listening
from callcenter.asterisk.provision.write import write, write_hold_tone
from callcenter.asterisk.spool import Spool
from callcenter.asterisk.tree import AsteriskProgram
from callcenter.domain.alarms import AlarmKind
from callcenter.domain.journal import Row, words_of
from callcenter.errors import PbxError

Files = Mapping[str, str]
Rendered = Callable[[PbxPlan], Files]

LOOPBACK = "127.0.0.1"
#: Digits pressed in both check calls. No row of the journal may hold one of them by itself.
PRESSED = "739"
#: How long both calls may take, seconds.
PATIENCE = 30.0
#: Lines of the log that are no fault: a caller who cannot be queued goes on to the escalation chain.
#: The feature code is dialled through a Local channel, which has no endpoint.
_EXPECTED = re.compile(r"Unable to join queue 'hotline'|item requested: 'endpoint'")
_FAULT = re.compile(r"\] (?:ERROR|WARNING)\[[^\]]*\](?:\[[^\]]*\])? (.*)")
_APPLICATION = re.compile(
    r"(?:^exten => [^,]+,[^,]+,|^ same => n(?:\([^)]*\))?,|\?|:)([A-Z][A-Za-z]+)\(", re.M
)
_FUNCTION = re.compile(r"(?:\$\{|Set\()([A-Z][A-Z0-9_]+)\(")
_PROMPT = re.compile(r"hotline/([a-z0-9_]+)(?![a-z0-9_$])")

#: Only in the throw-away: dial out of the trunk and press keys; press keys at a phone's feature code.
_CONTEXT = f"""
[hotline-check]
exten => keys,1,Wait(2)
 same => n,SendDTMF({PRESSED})
 same => n,Wait(1)
 same => n,Hangup()
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was proved, or not. `text` is for people."""

    good: bool
    text: str


def check(plan: PbxPlan, program: AsteriskProgram, *, rendered: Rendered = render) -> tuple[Finding, ...]:
    """Return what was proved about the plan's files; raise `PbxError` if Asterisk does not even start."""
    home = Path(tempfile.mkdtemp(prefix="hotline-check-"))
    try:
        trial = _trial_plan(plan, home)
        files = rendered(trial)
        with _running(trial, files, program) as process:
            return (*_findings(trial, files, process), _prompts(plan, files))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _trial_plan(plan: PbxPlan, home: Path) -> PbxPlan:
    sip, ami = _free_ports(2)
    return replace(
        plan,
        log_levels=("notice", "warning", "error"),
        home=home,
        sip_address=LOOPBACK,
        sip_port=sip,
        ami_address=LOOPBACK,
        ami_port=ami,
        trunk_host=LOOPBACK,
        trunk_port=sip,
        escalation=(),
        alarm_chain=(),
    )


def _free_ports(count: int) -> list[int]:
    held = [socket.socket(socket.AF_INET, kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)][:count]
    try:
        for one in held:
            one.bind((LOOPBACK, 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


@contextmanager
def _running(plan: PbxPlan, files: Files, program: AsteriskProgram) -> Iterator[AsteriskProcess]:
    process = AsteriskProcess(program, plan.home)
    process.prepare()
    more = {"extensions.conf": _CONTEXT, "modules.conf": "load = app_senddtmf.so\n"}
    write({name: text + more.get(name, "") for name, text in files.items()}, plan.home / "etc")
    write_hold_tone(plan.home)
    _write_silence(plan.home / "sounds" / plan.language / "hotline", _prompts_of(files))
    process.start()
    try:
        yield process
    finally:
        process.stop()


def _findings(plan: PbxPlan, files: Files, process: AsteriskProcess) -> Iterator[Finding]:
    yield _all_modules(plan, process)
    yield _all_words(files, process)
    _make_calls(plan, process)
    rows = list(parse_journal(_journal_bytes(plan), final=True).rows)
    yield _said(
        any(words_of(row).get("flow") == "inbound" for row in rows)
        and any(row.app == "Queue" for row in rows),
        "试拨一通来电:经外线进入,走过来电流程,到达队列",
        "试拨一通来电,没有走到队列",
    )
    yield from _journal(plan, rows)
    yield _log_is_clean(plan)
    yield from _sockets(plan, process)


def _said(good: bool, right: str, wrong: str) -> Finding:
    return Finding(good=good, text=right if good else wrong)


def _all_modules(plan: PbxPlan, process: AsteriskProcess) -> Finding:
    wanted = modules_of(plan)
    shown = process.console.run("module show")
    absent = [name for name in wanted if not re.search(rf"^{name}\.so .* Running ", shown, re.MULTILINE)]
    return _said(not absent, f"{len(wanted)} 个模块全部装入", f"没有装入的模块:{' '.join(absent)}")


def _all_words(files: Files, process: AsteriskProcess) -> Finding:
    """Find dialplan words that no loaded module knows: Asterisk itself tells only a caller."""
    text = "\n".join(x for x in files["extensions.conf"].splitlines() if not x.startswith(";"))
    applications = process.console.run("core show applications").lower()
    functions = process.console.run("core show functions")
    unknown = {
        word
        for word in _APPLICATION.findall(text)
        if not re.search(rf"^\s*{word.lower()}:", applications, re.M)
    }
    unknown |= {word for word in _FUNCTION.findall(text) if not re.search(rf"^{word} ", functions, re.M)}
    return _said(
        not unknown, "拨号方案用到的应用和函数都在", f"拨号方案里不认识的词:{' '.join(sorted(unknown))}"
    )


def _make_calls(plan: PbxPlan, process: AsteriskProcess) -> None:
    """Make a call through the trunk into the line, and one to a feature code, and wait for their end."""
    spool = Spool(plan.home)
    keys = ("Context: hotline-check", "Extension: keys", "Priority: 1")
    spool.put("check-in.call", (f"Channel: PJSIP/{plan.public_number}@trunk", *keys))
    spool.put("check-code.call", ("Channel: Local/*11@hotline-phones/n", *keys))
    deadline = time.monotonic() + PATIENCE
    while _at_work(plan, process) and time.monotonic() < deadline:
        time.sleep(0.3)


def _at_work(plan: PbxPlan, process: AsteriskProcess) -> bool:
    """Tell whether an order waits (its file goes when it is done) or a channel is up."""
    waiting = any((plan.home / "spool" / "outgoing").iterdir())
    return waiting or not process.console.run("core show channels count").startswith("0 active channel")


def _journal_bytes(plan: PbxPlan) -> bytes:
    file = plan.home / "log" / "cel-custom" / "journal.csv"
    return file.read_bytes() if file.exists() else b""


def _journal(plan: PbxPlan, rows: list[Row]) -> Iterator[Finding]:
    parsed = parse_journal(_journal_bytes(plan), final=True)
    yield _said(
        bool(rows) and not parsed.scraps,
        f"通话日志已写入:{len(rows)} 行,每行 12 个字段,全部带引号",
        "通话日志没有写入" if not rows else f"通话日志有 {len(parsed.scraps)} 段读不出来",
    )
    digits = [row for row in rows if _tells_digits(row)]
    yield _said(not digits, "通话日志里没有按键内容", f"通话日志有 {len(digits)} 行带有按键内容")


def _tells_digits(row: Row) -> bool:
    """Tell whether a row would give away what was pressed: a digit event, or the digits themselves."""
    return row.event.startswith("DTMF") or PRESSED in row.extra.replace(row.unique, "")


def _log_is_clean(plan: PbxPlan) -> Finding:
    faults = list(_faults((plan.home / "log" / "messages.log").read_text(errors="replace").splitlines()))
    return _said(not faults, "Asterisk 日志里没有错误和警告", "Asterisk 日志:\n  " + "\n  ".join(faults[:20]))


def _faults(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        fault = _FAULT.search(line)
        if fault is not None and not _EXPECTED.search(line):
            yield fault[1]


def _sockets(plan: PbxPlan, process: AsteriskProcess) -> Iterator[Finding]:
    if process.pid is None:
        raise PbxError("Asterisk ended during the check.")
    sockets = listening(process.pid)
    ours = [one for one in sockets if one.is_loopback]
    wide = [one for one in sockets if not one.is_loopback]
    known = [one for one in wide if _is_pjsips_own(one, plan)]
    yield _said(
        wide == known,
        f"只在设定的地址上监听:{' '.join(map(str, ours))}",
        f"在不该开放的地址上监听:{' '.join(str(one) for one in wide if one not in known)}",
    )
    if known:
        # res_pjsip (22.10) opens one per IP family besides its transports; no SIP is answered there.
        yield Finding(good=True, text=f"res_pjsip 自行打开的端口,不接受呼叫:{' '.join(map(str, known))}")


def _is_pjsips_own(one: Listening, plan: PbxPlan) -> bool:
    """Tell res_pjsip's own UDP sockets from a transport or RTP that is open to the world."""
    everywhere = one.address in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
    ours = one.port == plan.sip_port or plan.rtp_first <= one.port <= plan.rtp_last
    return one.protocol.startswith("udp") and everywhere and not ours


def _prompts(plan: PbxPlan, files: Files) -> Finding:
    """Find prompts that calls would play and that are not there: Read() then does not wait for keys."""
    folder = plan.home / "sounds" / plan.language / "hotline"
    named = _prompts_of(files)
    absent = sorted(name for name in named if not (folder / f"{name}.wav").exists())
    mend = "请运行 hotline ivr prompts synthesise"
    return _said(not absent, f"{len(named)} 条提示音都在", f"缺少提示音:{' '.join(absent)}。{mend}")


def _prompts_of(files: Files) -> frozenset[str]:
    """Return every prompt the files name, and those of the alarms, whose names hold a variable."""
    named = set(_PROMPT.findall(files["extensions.conf"] + files["queues.conf"])) | set(PROMPTS)
    return frozenset(named | {f"alarm_{kind}" for kind in AlarmKind})


def _write_silence(folder: Path, names: Iterable[str]) -> None:
    """Write each prompt as 0.2 s of silence, 8 kHz mono 16 bit."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        with wave.open(str(folder / f"{name}.wav"), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(8000)
            out.writeframes(bytes(3200))
