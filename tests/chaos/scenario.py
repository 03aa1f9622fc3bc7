"""What happens in a round: every call and every fault, from the seed alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from faults import Fault

from callcenter.demo.sipp import BUSY, NO_ANSWER, VOICEMAIL, Answer, Behaviour, presses

SOON = timedelta(milliseconds=300)
#: What a worker's telephone may do: fine, wants a call back, opts out, says nothing, and so on.
WORKERS: tuple[Behaviour, ...] = (
    Answer(after=SOON, keys=presses("1@1 1@2.4")),
    Answer(after=SOON, keys=presses("1@1 2@2.4")),
    Answer(after=SOON, keys=presses("9@1")),
    Answer(after=SOON, talk=timedelta(seconds=1)),
    VOICEMAIL,
    BUSY,
    NO_ANSWER,
)
#: What counsellors' phones do: one waits for the caller to hang up, one hangs up first. The third
#: counsellor hands callers on as well (`Counsellor`).
PHONES: tuple[Behaviour, ...] = (Answer(after=SOON), Answer(after=SOON, talk=timedelta(seconds=4)))
#: What a caller presses: mostly nothing, else keys that mean something (whoever still waits after three
#: seconds asks to be called back) and keys that mean nothing.
KEYS = ("", "", "", "1@3", "0@0.4", "7@0.3 *@0.6", "0@0.2 0@0.4 0@0.6", "#@1")
#: Seconds between two callers, two workers and two faults, on average.
EVERY_CALL, EVERY_WORKER, EVERY_FAULT = 1.2, 5.0, 4.0
#: Moments of an attempt at which our Python is killed by the wire tap.
MOMENTS = ("written", "ordered", "answered")


@dataclass(frozen=True, kw_only=True, slots=True)
class Deed:
    """Something done at an instant, in seconds from the first."""

    at: float
    #: `call`, `import`, `strike`, `mend` or `arm`.
    what: str
    talk: float = 0.0
    keys: str = ""
    worker: int = -1
    #: The fault, or the moment that is armed.
    name: str = ""


def plan(seed: int, seconds: float, faults: Mapping[str, Fault]) -> list[Deed]:
    """Return every deed of a round, in order. The same seed and faults give the same plan."""
    random = Random(seed)
    deeds = [*_calls(random, seconds), *_imports(random, seconds), *_faults(random, seconds, faults)]
    return sorted(deeds, key=lambda deed: deed.at)


def workers(seed: int, deeds: Sequence[Deed]) -> dict[str, Behaviour]:
    """Return the numbers of those who are owed a call, and what their telephones do."""
    random = Random(seed)
    return {number_of(deed.worker): random.choice(WORKERS) for deed in deeds if deed.what == "import"}


def number_of(worker: int) -> str:
    """Return a worker's telephone."""
    return f"1370{worker:07d}"


def _calls(random: Random, seconds: float) -> Iterator[Deed]:
    """Yield callers: some give up in the greeting, some while they wait, most talk."""
    at = 0.0
    while at < seconds:
        yield Deed(at=at, what="call", talk=random.uniform(0.2, 7.0), keys=random.choice(KEYS))
        at += random.expovariate(1 / EVERY_CALL)


def _imports(random: Random, seconds: float) -> Iterator[Deed]:
    count = max(3, int(seconds / EVERY_WORKER))
    for worker, at in enumerate(sorted(random.uniform(0, seconds) for _ in range(count))):
        yield Deed(at=at, what="import", worker=worker)


def _faults(random: Random, seconds: float, faults: Mapping[str, Fault]) -> Iterator[Deed]:
    """Yield faults, each of them once before one comes again. They overlap; none strikes while it lasts."""
    free = dict.fromkeys(faults, 0.0)
    at = random.uniform(0.5, 2)
    bag: list[str] = []
    while faults and at < seconds:
        if not bag:
            bag = random.sample([*faults, *MOMENTS], len(faults) + len(MOMENTS))
        name = bag.pop()
        if name in MOMENTS:
            yield Deed(at=at, what="arm", name=name)
        elif free[name] <= at:
            until = at + random.uniform(*faults[name].hold)
            free[name] = until + 1
            yield Deed(at=at, what="strike", name=name)
            yield Deed(at=until, what="mend", name=name)
        at += random.expovariate(1 / EVERY_FAULT)
