"""The people and machines around the line, played by SIPp: callers, counsellors' phones, the carrier.

Each actor is one SIPp 3.6.1 process. Only PCMA is spoken (as Chinese trunks do) and keys are RFC 4733.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self, assert_never

from jinja2 import Environment, PackageLoader, StrictUndefined

from callcenter.demo.dtmf import write_breathing, write_press, write_speech
from callcenter.demo.runner import (
    ActorFailed,
    Address,
    Message,
    SippRun,
    free_media_port,
    free_ports,
    is_bound,
    until,
)

#: Final refusals a caller understands; anything else is a surprise and fails the call.
REFUSALS = (400, 403, 404, 408, 410, 480, 484, 486, 487, 488, 500, 502, 503, 504, 600, 603)
SECOND = timedelta(seconds=1)
#: Of an announcement before the answer.
ANNOUNCEMENT = 20 * SECOND
#: Between the last press and the breathing (`wait_for_bye(400` in scenarios/_blocks.xml).
AFTER_KEYS = timedelta(milliseconds=400)
#: Characters that stand for themselves in a SIPp scenario; every other byte is written as \xNN.
PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .:;@=,+-_/*#%<>")


@dataclass(frozen=True, kw_only=True, slots=True)
class Press:
    """A key (0-9, * or #) pressed `at` this long after the call was answered."""

    key: str = field(repr=False)
    at: timedelta


def presses(script: str) -> tuple[Press, ...]:
    """Read `1@2 9@3.5` as: key 1 after 2 s, key 9 after 3.5 s, counted from the answer."""
    pairs = [word.split("@") for word in script.split()]
    return tuple(Press(key=key, at=timedelta(seconds=float(at))) for key, at in pairs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """Ring `after`, answer, press `keys`, hang up `talk` after the answer (None: the other side does).

    `speaks`: talk for that long after the last key, as a voicemail does. `lost`: after the last key the
    network is gone: no sound, no BYE, and no answer to one.
    """

    after: timedelta = SECOND
    keys: tuple[Press, ...] = ()
    talk: timedelta | None = None
    speaks: timedelta | None = None
    lost: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Refuse:
    """Ring `after`, then refuse: 486 busy, 480 no answer, 404 vacant number, 503 carrier trouble.

    `reason`: the Q.850 cause in a Reason header (RFC 3326). `announces`: an announcement instead of the
    ringing, behind 183 with SDP.
    """

    status: int = 486
    after: timedelta = timedelta(milliseconds=200)
    reason: int | None = None
    announces: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RingOn:
    """Ring for ever; `announces`: say something for ever instead, behind 183 with SDP."""

    announces: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Ignore:
    """Say nothing for ever, as a dead trunk does; `trying`: that the call is tried, and nothing more."""

    trying: bool = False


Behaviour = Answer | Refuse | RingOn | Ignore

BUSY = Refuse(status=486)
NO_ANSWER = Refuse(status=480)
VACANT = Refuse(status=404)
OUT_OF_ORDER = Refuse(status=503)
#: A voicemail answers, talks and never presses a key.
VOICEMAIL = Answer(after=2 * SECOND)


@dataclass(frozen=True, kw_only=True, slots=True)
class CallTiming:
    """When one call happened, by SIPp's own clock (aware, UTC). None: it did not come to that."""

    number: str = field(repr=False)
    invited_at: datetime
    ringing_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    #: Final SIP status of the INVITE: 200, a refusal, 487 when given up; None while it rings.
    status: int | None

    @property
    def talk(self) -> timedelta | None:
        """Return how long the call was up, None if it was not answered or is still up."""
        if self.answered_at is None or self.ended_at is None:
            return None
        return self.ended_at - self.answered_at


class Caller:
    """Somebody who dials one number once. With `user` and `password` it is a phone of ours dialling."""

    def __init__(
        self,
        *,
        pbx: Address,
        folder: Path,
        dials: str,
        address: str = "127.0.0.2",
        number: str | None = "13800138000",
        name: str = "",
        withheld: bool = False,
        keys: Sequence[Press] = (),
        talk: timedelta | None = None,
        give_up: timedelta | None = None,
        refusal_ok: bool = False,
        user: str = "",
        password: str = "",
    ) -> None:
        """Describe the call.

        `number` and `name` may be as hostile as they like; None sends no number at all. `talk`
        counts from the answer to the caller's hang-up (None: wait for the other side); `give_up`
        is how long an unanswered call rings before the caller drops it.
        """
        signalling = free_ports(1, address)[0]
        self._media = free_media_port(address)
        self._refusal_ok = refusal_ok
        scenario = render(
            "caller.xml",
            dials=escape(dials),
            **{"from": _from(name, user or number, address, withheld)},
            privacy=withheld,
            user=escape(user),
            password=escape(password),
            refusals=REFUSALS,
            give_up=_ms(give_up) if give_up else None,
            **_talking(folder, "caller", keys, talk),
        )
        self._run = SippRun(
            folder=folder, scenario=scenario, pbx=pbx, local=Address(host=address, port=signalling)
        )

    def start(self) -> Self:
        """Dial."""
        self._run.start(["-m", "1", "-aa", "-mp", str(self._media)])
        return self

    def wait(self, timeout: float = 60) -> CallTiming:
        """Wait until the call is over; raise `ActorFailed` if it did not go as described."""
        self._run.wait(timeout)
        timing = self.timing
        if timing is None:
            raise ActorFailed("The call was never placed.")
        if timing.status not in (200, 487) and not self._refusal_ok:
            raise ActorFailed(f"The call was refused with {timing.status}.")
        return timing

    def until_answered(self, timeout: float = 20) -> CallTiming:
        """Wait until the PBX answers (which is before a counsellor does)."""

        def answered() -> CallTiming | None:
            self._run.check_alive()
            timing = self.timing
            return timing if timing is not None and timing.answered_at is not None else None

        found = until(answered, timeout, what="the answer")
        assert found is not None  # noqa: S101  narrows what `until` has proved
        return found

    @property
    def timing(self) -> CallTiming | None:
        """Return what is known of the call so far."""
        return next(iter(call_timings(self._run.messages())), None)

    def hang_up(self, timeout: float = 10) -> CallTiming:
        """Hang up now, whatever the description says: BYE in a talk, CANCEL while it rings."""
        self._run.tug()
        return self.wait(timeout)

    def stop(self) -> None:
        """Vanish without a word, as a phone whose battery died."""
        self._run.stop()


class Phone:
    """Counsellors' phones: registered, answering many calls. One process serves all of `users`."""

    def __init__(
        self,
        *,
        pbx: Address,
        folder: Path,
        users: Mapping[str, str],
        behaviour: Behaviour | None = None,
        address: str = "127.0.0.1",
        expires: timedelta = timedelta(minutes=10),
        light: bool = False,
    ) -> None:
        """Describe the phones: `users` maps each user to its password.

        `light` is for load: no RTP and no full message log.
        """
        signalling, self._media = free_ports(1, address)[0], free_media_port(address)
        self._pbx, self._folder, self._users, self._expires = pbx, folder, dict(users), expires
        self._local = Address(host=address, port=signalling)
        self._light = light
        self._run = self._registrar(folder / "phone", leave=False)
        (self._run.folder / "answerer.xml").write_text(
            _answerer(self._run.folder, {}, behaviour or Answer(), silent=light), encoding="utf-8"
        )

    def _registrar(self, folder: Path, *, leave: bool) -> SippRun:
        expires = int(self._expires.total_seconds())
        scenario = render(
            "register.xml", leave=leave, expires=0 if leave else expires, refresh=expires * 1000 // 2
        )
        run = SippRun(folder=folder, scenario=scenario, pbx=self._pbx, local=self._local)
        rows = [f"{u};[authentication username={u} password={p}]" for u, p in self._users.items()]
        users = folder / "users.csv"
        users.touch(mode=0o600)
        users.write_text("\n".join(["SEQUENTIAL", *rows, ""]), encoding="utf-8")
        return run

    def _start_run(self, run: SippRun, *extra: str) -> None:
        """Register all users, 50 a second."""
        count = str(len(self._users))
        words = ["-inf", str(run.folder / "users.csv"), "-m", count, "-l", count, "-r", "50", *extra]
        run.start(words, full_trace=not self._light)

    def start(self, timeout: float = 20) -> Self:
        """Register, and return when every user is registered."""
        extra = ["-oocsf", str(self._run.folder / "answerer.xml"), "-aa", "-mp", str(self._media)]
        self._start_run(self._run, *extra)

        def registered() -> bool:
            self._run.check_alive()
            return len(_registered(self._run.messages())) == len(self._users)

        until(registered, timeout, what="the phones to register")
        return self

    def calls(self) -> list[CallTiming]:
        """Return the calls that reached these phones, oldest first."""
        return call_timings(self._run.messages())

    def hang_up(self) -> None:
        """End every talk these phones are in."""
        self._run.tug()

    def check(self) -> None:
        """Raise `ActorFailed` if the phone died on the way."""
        self._run.check_alive()

    def stop(self, *, leave: bool = True) -> None:
        """Go off line; `leave` unregisters first, as a phone that is switched off properly does."""
        self._run.stop()
        if leave:
            run = self._registrar(self._folder / "leave", leave=True)
            self._start_run(run)
            run.wait(20)


class Carrier:
    """The carrier's side of the trunk: what happens when the PBX calls out, by number called."""

    def __init__(
        self,
        *,
        pbx: Address,
        folder: Path,
        listens: Address,
        numbers: Mapping[str, Behaviour] | None = None,
        otherwise: Behaviour = VACANT,
    ) -> None:
        scenario = _answerer(folder, numbers or {}, otherwise)
        self._listens = listens
        self._media = free_media_port(listens.host)
        self._run = SippRun(folder=folder, scenario=scenario, pbx=pbx, local=listens)

    def start(self) -> Self:
        """Listen at the trunk's address."""
        self._run.start(["-aa", "-mp", str(self._media)])

        def listening() -> bool:
            self._run.check_alive()
            return is_bound(self._listens)

        until(listening, what="the carrier to listen")
        return self

    def calls(self, number: str | None = None) -> list[CallTiming]:
        """Return the calls placed through the trunk, oldest first; only those to `number` if given."""
        return [t for t in call_timings(self._run.messages()) if number is None or t.number == number]

    def hang_up(self) -> None:
        """Let everybody the PBX has called hang up."""
        self._run.tug()

    def check(self) -> None:
        """Raise `ActorFailed` if the carrier died on the way."""
        self._run.check_alive()

    def stop(self) -> None:
        """Stop listening: from now on the trunk is dead."""
        self._run.stop()


def call_timings(messages: Sequence[Message]) -> list[CallTiming]:
    """Fold SIP messages into one timing per call (Call-ID with an INVITE), oldest first."""
    calls: dict[str, list[Message]] = {}
    for message in messages:
        if message.cseq in ("INVITE", "BYE", "CANCEL"):
            calls.setdefault(message.call, []).append(message)
    return [_timing(lines) for lines in calls.values() if lines[0].first.startswith("INVITE ")]


def _timing(lines: Sequence[Message]) -> CallTiming:
    invites = [line for line in lines if line.cseq == "INVITE"]
    finals = [line for line in invites if line.status and line.status >= 200 and line.status != 401]
    ringing = next((line.at for line in invites if line.status in (180, 183)), None)
    answered = next((line.at for line in finals if line.status == 200), None)
    closing = [line.at for line in lines if line.first.startswith(("BYE ", "CANCEL "))]
    closing += [line.at for line in finals if line.status != 200]
    uri = lines[0].first.split(" ")[1]
    return CallTiming(
        number=uri.removeprefix("sip:").partition("@")[0],
        invited_at=lines[0].at,
        ringing_at=ringing,
        answered_at=answered,
        ended_at=min(closing, default=None),
        status=finals[0].status if finals else None,
    )


def _registered(messages: Sequence[Message]) -> set[str]:
    """Return the Call-IDs (one per user) whose REGISTER was accepted."""
    return {line.call for line in messages if line.cseq == "REGISTER" and line.status == 200}


# --- scenarios -----------------------------------------------------------------------------


def render(template: str, **values: Any) -> str:
    """Return the SIPp scenario made of a template of callcenter/demo/scenarios."""
    environment = Environment(
        loader=PackageLoader("callcenter.demo", "scenarios"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701  `escape` is the escaping SIPp understands
    )
    return environment.get_template(template).render(**values)


def escape(text: str) -> str:
    """Return `text` so that SIPp sends exactly these bytes (`[`, CR, LF and all)."""
    return "".join(chr(byte) if byte in PLAIN else f"\\x{byte:02X}" for byte in text.encode())


def _from(name: str, user: str | None, host: str, withheld: bool) -> str:
    """Return the From header's address; quotes in the name are escaped, nothing else is tamed."""
    if withheld:
        return '"Anonymous" <sip:anonymous@anonymous.invalid>'
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    display = escape(f'"{quoted}" ') if name else ""
    return f"{display}<sip:{escape(user) + '@' if user is not None else ''}{host}>"


def _ms(span: timedelta) -> int:
    return max(1, round(span / timedelta(milliseconds=1)))


def _talking(folder: Path, name: str, keys: Sequence[Press], talk: timedelta | None) -> dict[str, object]:
    """Return what happens after the answer: presses, breathing, and the wait till the hang-up.

    Each press is a pcap with the milliseconds to wait since the press before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    steps: list[dict[str, object]] = []
    before = timedelta(0)
    for place, press in enumerate(sorted(keys, key=lambda one: one.at)):
        file = write_press(folder / f"{name}-{place}.pcap", press.key, place)
        steps.append({"file": file, "wait": _ms(press.at - before)})
        before = press.at
    breathing = write_breathing(folder / f"{name}-breathing.pcap", len(steps))
    if steps:
        before += AFTER_KEYS
    return {"steps": steps, "breathing": breathing, "talk": None if talk is None else _ms(talk - before)}


def _answerer(
    folder: Path, numbers: Mapping[str, Behaviour], otherwise: Behaviour, *, silent: bool = False
) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    branches = [
        _branch(folder, f"b{place}", number, behaviour)
        for place, (number, behaviour) in enumerate(numbers.items())
    ]
    branches.append(_branch(folder, "rest", "", otherwise))
    if silent:
        branches = [{**branch, "breathing": None} for branch in branches]
    return render("answerer.xml", branches=branches)


def _branch(folder: Path, label: str, called: str, behaviour: Behaviour) -> dict[str, object]:
    common: dict[str, object] = {"id": label, "called": called, "refuse": None, "first": 180, "speech": None}
    match behaviour:
        case Answer():
            talking = _talking(folder, label, behaviour.keys, behaviour.talk)
            if behaviour.speaks is not None:
                talking["breathing"] = write_speech(folder / f"{label}-speech.pcap", behaviour.speaks)
            if behaviour.lost:
                talking["breathing"] = None
            return {**common, "ring": _ms(behaviour.after), **talking, "lost": behaviour.lost}
        case Refuse():
            told = {"refuse": behaviour.status, "reason": behaviour.reason, "ring": _ms(behaviour.after)}
            return {**common, **_announced(folder, label, behaviour.announces), **told}
        case RingOn():
            return {**common, **_announced(folder, label, behaviour.announces), "ring": None}
        case Ignore():
            return {**common, "first": 100 if behaviour.trying else None, "ring": None}
        case _:
            assert_never(behaviour)


def _announced(folder: Path, label: str, announces: bool) -> dict[str, object]:
    """Return what is sent before the end: 183 and speech, or a plain ringing."""
    if not announces:
        return {}
    return {"first": 183, "speech": write_speech(folder / f"{label}-speech.pcap", ANNOUNCEMENT)}
