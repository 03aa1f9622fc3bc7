"""The dry run is held to the real dialplan: in each situation the same phones ring, in the same order.

Phones send their calls away or ring for a second, so that a whole way takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from harness import Actors, Pbx, write_silence

from callcenter.asterisk.journal_rows import parse_journal
from callcenter.asterisk.spool import SpoolEdges
from callcenter.config import Escalation, Queue
from callcenter.demo.runner import until
from callcenter.demo.sipp import Behaviour, Refuse, RingOn, presses
from callcenter.domain.calls import Direction
from callcenter.domain.fold import fold
from callcenter.domain.routing import Caller, Step, route
from callcenter.service.followup.callers import hashed
from callcenter.service.line.routing import line_rules

pytestmark = pytest.mark.asterisk

SECOND = timedelta(seconds=1)
NUMBER, CODE = "13800138000", "264951"
SIP = ("c001", "c002", "c003")
#: Which phones stand for whose fact: of the number that calls, and of the code it keys.
WHO, KEYED = "{who}", "{code}"
REFUSES = Refuse()
#: 3 for "I have a code", then the code.
KEYS = "3@1.2 " + " ".join(f"{key}@{2.4 + 0.3 * n:.1f}" for n, key in enumerate(CODE))


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """Who is on duty, what else the line was told, and whether the caller keys a code."""

    on: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    keys_code: bool = False
    #: Who is rung, as the rules are written; the model and the line must both say so.
    rung: tuple[str, ...]
    #: A phone that sends its call away counts as not free: then whoever is next is rung, trainees too.
    phones: Behaviour = REFUSES
    #: Who sits in the queue besides.
    also_seated: tuple[str, ...] = ()

    @property
    def members(self) -> tuple[str, ...]:
        return (*self.on, *self.also_seated)


SITUATIONS = {
    "the least burdened first, and no trainee while others are there": Situation(
        on=SIP,
        facts={"load/c001": "4", "load/c002": "1", "skill/c003": "trainee"},
        rung=("c002", "c001", "s001", "s002"),
        phones=RingOn(),
    ),
    "the caller's own counsellor first": Situation(
        on=SIP,
        facts={f"owner/{WHO}": "c003", "load/c003": "9", "load/c002": "1"},
        rung=("c003", "c001", "c002"),
    ),
    "the counsellor of a code, and not the caller's own": Situation(
        on=SIP,
        facts={f"code/{KEYED}": "c002", f"owner/{WHO}": "c003", "load/c002": "9", "load/c003": "5"},
        keys_code=True,
        rung=("c002", "c001", "c003"),
    ),
    "danger: those trained for it, then all but trainees": Situation(
        on=SIP,
        facts={
            **{"skill/c002": "crisis", "load/c002": "8", "skill/c001": "crisis&trainee"},
            f"fact/{WHO}": "no_menu&high_risk",
        },
        rung=("c002", "c003"),
    ),
    "a wish waits for a woman a while, then anybody": Situation(
        on=SIP,
        facts={
            **{"skill/c003": "woman", "load/c003": "9", "load/c001": "2"},
            f"fact/{WHO}": "no_menu&wants_woman",
        },
        rung=("c003", "c002", "c001"),
    ),
    "a surge rings backups like everybody": Situation(
        on=("c001",),
        facts={"load/c001": "3", "backup/c002": "{around}", "surge/until": "{later}"},
        rung=("c002", "c001"),
        also_seated=("c002",),
    ),
    "nobody on duty: backups on call, then the chain": Situation(
        facts={
            **{"backup/c001": "{around}", "backup/c003": "{around}", "backup/s002": "{around}"},
            "debrief/c003": "1",
        },
        rung=("c001", "s002", "s001"),
    ),
    "a blocked number rings nobody": Situation(on=SIP, facts={f"block/{WHO}": "{later}"}, rung=()),
}


class QuickPbx(Pbx):
    """A line whose keys are asked for slowly and whose waits are short."""

    def provision(self) -> None:
        super().provision()
        sounds = self.home / "sounds" / self.settings.site.language / "hotline"
        for prompt in ("greet_keys", "caller_code"):
            write_silence(sounds / f"{prompt}.wav", 3 * SECOND)


@pytest.fixture(scope="module")
def _session_pbx(new_pbx: Callable[..., Pbx]) -> Pbx:
    queue = Queue(ring=SECOND, wrap_up=timedelta(0), wait_cap=5 * SECOND, wish_wait=2 * SECOND)
    made = new_pbx(queue=queue, escalation=Escalation(ring=2 * SECOND, accept=2 * SECOND))
    pbx = QuickPbx(settings=made.settings, keys=made.keys, users=made.users, mobile_members=False)
    made.process = pbx.process  # the same folder: ended with it
    pbx.start()
    return pbx


def facts_of(pbx: Pbx, situation: Situation, now: datetime) -> dict[str, str]:
    """Return the facts of a situation as they are pushed."""
    at, salt = int(now.timestamp()), pbx.keys.password("pbx-salt")
    around = f"{at - 60}-{at + 3600}"
    blanks = {
        "who": hashed(salt, NUMBER),
        "code": hashed(salt, CODE),
        "around": around,
        "later": f"{at + 3600}",
    }
    told = {f"fact/{WHO}": "" if situation.keys_code else "no_menu"} | dict(situation.facts)
    facts = {
        f"hotline-{key.format(**blanks)}": value.format(**blanks) for key, value in told.items() if value
    }
    for agent in situation.on:
        facts |= {f"hotline-shift/{agent}": around, f"hotline-signed/{agent}": "1"}
    return facts


def seat(pbx: Pbx, facts: Mapping[str, str], members: Iterable[str]) -> None:
    for key, value in facts.items():
        family, _, name = key.partition("/")
        pbx.put(family, name, value)
    SpoolEdges(pbx.home).lay({datetime.now(UTC) - SECOND: frozenset(user.code for user in pbx.users)})
    wanted = {pbx.interface(agent) for agent in members}
    until(lambda: pbx.members() == wanted, 15, what=f"the queue to hold {sorted(wanted)}")


def rung_by(pbx: Pbx) -> list[str]:
    """Return who was rung for the caller, each the first time, in order."""
    rows = parse_journal(b"".join(pbx.journal_rows()), final=True).rows
    calls = [call for call in fold(rows).calls if call.direction is Direction.INBOUND]
    told = [one.partition("=")[0] for call in calls for one in call.rung]
    return list(dict.fromkeys(told))


def meant(steps: Iterable[Step]) -> list[str]:
    return list(dict.fromkeys(one.agent for step in steps for one in step.who))


@pytest.mark.parametrize("what", SITUATIONS)
def test_the_phones_that_ring_are_those_that_the_dry_run_names(what: str, pbx: Pbx, actors: Actors) -> None:
    situation, now = SITUATIONS[what], datetime.now(UTC)
    facts, salt = facts_of(pbx, situation, now), pbx.keys.password("pbx-salt")
    code = hashed(salt, CODE) if situation.keys_code else ""
    who = Caller(number=hashed(salt, NUMBER), code=code)
    steps = route(facts, now, who, line_rules(pbx.settings, pbx.users))
    wanted = list(situation.rung)
    assert meant(steps)[: len(wanted)] == wanted
    actors.phone(*SIP, behaviour=situation.phones)
    actors.carrier({user.mobile: REFUSES for user in pbx.users if user.mobile})
    seat(pbx, facts, situation.members)
    keys = presses(KEYS) if situation.keys_code else ()
    caller = actors.caller(number=NUMBER, talk=40 * SECOND, keys=keys)
    until(lambda: is_told(pbx, len(wanted)), 25, what=f"{wanted} to be rung")
    caller.hang_up()
    assert rung_by(pbx)[: len(wanted)] == wanted


def is_told(pbx: Pbx, many: int) -> bool:
    """Tell whether so many were rung; for nobody, whether the call was turned away."""
    return len(rung_by(pbx)) >= many if many else any("blocked" in text for _, text in pbx.user_events())
