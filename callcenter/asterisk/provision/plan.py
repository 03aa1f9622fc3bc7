"""Everything the rendered files say, as one frozen value.

Nothing here is read while a call is up: the plan is made from settings, keys, users and flows, and
whatever does not fit the files is refused at this door, naming the field and the mend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from callcenter.asterisk.tree import JournalFormat
from callcenter.config import Settings
from callcenter.domain.duty import BREAK, SHIFT_OVER
from callcenter.domain.numbers import national
from callcenter.domain.staff import GENERAL, QUEUE_OF, TRAINEE_PENALTY, Skill
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import ConfigError
from callcenter.keys import KeyRing

#: The AMI account of the bridge.
BRIDGE = "bridge"
#: The queue every caller waits in.
QUEUE = "hotline"
#: The largest penalty there is.
NO_PENALTY = 2_147_483_647
#: Prompts that the call centre's own contexts play (flows name theirs themselves).
PROMPTS = (
    *("queue_wait", "accept", "pin", "pin_wrong", "signed_on", "signed_off", "paused", "resumed"),
    *("not_on_shift", "alarm_ack", "blocked"),
    *("signed_on_debrief", "pause_why", "debrief_owed", "debrief_stays"),
    *("listen_only", "listen_whisper", "listen_barge", "listen_over"),
    *("record_ask", "record_on", "record_paused", "record_over", "record_not", "record_no"),
    *("queue_offer", "queue_place", "queue_place_end", "queue_more_than", "queue_more_than_end"),
)
#: The key that bears a letter (ITU-T E.161).
_KEYPAD = str.maketrans("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999")
#: What our own flows offer to callers who wait.
QUEUE_KEYS = ("1", "2", "3")
#: Names of the services a flow hands callers over to: the state's mental-health line (R6), police,
#: ambulance. What is dialled for each is the site's to say.
LINE_12356, POLICE, AMBULANCE = "12356", "110", "120"


@dataclass(frozen=True, kw_only=True, slots=True)
class SipAgent:
    """A counsellor at a SIP phone that registers here."""

    code: str
    secret: str = field(repr=False)

    @property
    def interface(self) -> str:
        """Return the queue member's interface."""
        return f"PJSIP/{self.code}"

    @property
    def dial(self) -> str:
        """Return what Dial rings."""
        return f"PJSIP/{self.code}"


@dataclass(frozen=True, kw_only=True, slots=True)
class MobileAgent:
    """A counsellor at a mobile, rung through the trunk; counts only after the accept key."""

    code: str
    number: str = field(repr=False)

    @property
    def interface(self) -> str:
        """Return the queue member's interface; `/n` keeps the channel from being optimised away."""
        return f"Local/{self.code}@hotline-mobile/n"

    @property
    def dial(self) -> str:
        """Return what Dial rings."""
        return f"PJSIP/{self.number}@trunk"


Agent = SipAgent | MobileAgent


@dataclass(frozen=True, kw_only=True, slots=True)
class AmiUser:
    """An account of the manager interface."""

    name: str
    secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Carrier:
    """A way out. Its calls are the public's."""

    name: str
    host: str
    port: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """A carrier as the way out of calls that show one of our numbers."""

    name: str
    carrier: str
    number: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PbxPlan:
    """The whole PBX. All durations are whole seconds, since that is what the files hold."""

    #: Absolute folder of the running PBX (`Settings.pbx_home`).
    home: Path
    language: str
    public_number: str
    outbound_number: str
    #: More numbers of ours that calls out may show.
    outbound_numbers: tuple[str, ...] = ()
    #: The line that takes registrations for talks; empty: none.
    talks_number: str = ""
    salt: str = field(repr=False)

    sip_address: str
    sip_port: int
    rtp_first: int
    rtp_last: int
    ami_address: str
    ami_port: int
    ami_users: tuple[AmiUser, ...]

    trunk_host: str
    trunk_port: int
    #: Seconds between two OPTIONS to the trunk; without an answer it counts as down.
    trunk_qualify: int = 15
    #: A second carrier, asked where the first takes no call. Empty: none.
    fallback_host: str = ""
    fallback_port: int = 5060
    #: Services with more than one way to them, and the numbers to dial in turn.
    destinations: tuple[tuple[str, tuple[str, ...]], ...] = ()
    #: Seconds one number of a service rings.
    transfer_ring: int = 30

    queue_strategy: str
    queue_ring: int
    wrap_up: int
    #: How long somebody for whom a caller has a need or a wish is waited for (`hotline-first`).
    wish_wait: int = 20
    #: The longest wait before callers are told what else there is, in a surge.
    surge_cap: int = 45
    #: Seconds after which a ring that was missed no longer counts.
    forgive: int = 900
    #: Seconds without RTP after which a counsellor's phone counts as dead.
    phone_rtp_timeout: int = 60

    agents: tuple[Agent, ...]
    #: Whether a counsellor takes calls at a mobile: then the queue has to ring longer.
    mobile_members: bool
    escalation: tuple[Agent, ...]
    escalation_ring: int
    accept: int
    alarm_chain: tuple[Agent, ...]
    alarm_ring: int
    alarm_rounds: int
    #: How long each phone rings when a counsellor raised the alarm: somebody is in danger now.
    crisis_ring: int = 15
    #: Whether counsellors may ask callers to agree to a recording (R15), and how long those have to answer.
    recording: bool = False
    record_answer: int = 6
    #: Seconds between two rounds of the alarm chain.
    alarm_pause: int = 20
    outbound_ring: int
    #: What `messages.log` keeps. A running line keeps errors only: warnings may name callers.
    log_levels: tuple[str, ...] = ("error",)
    #: How the Asterisk that reads these files writes its journal (`AsteriskProgram.journal`).
    journal: JournalFormat

    #: Keys that leave the queue for the waiting flow's own label (`ivr.backends.dialplan.queue_keys`).
    queue_keys: tuple[str, ...] = QUEUE_KEYS

    #: Compiled flows: the text of contexts `flow-<name>`, by name.
    flows: tuple[tuple[str, str], ...] = field(repr=False)

    @property
    def flow_names(self) -> frozenset[str]:
        """Return which flows this line has."""
        return frozenset(name for name, _ in self.flows)

    @property
    def queues(self) -> tuple[tuple[str, str], ...]:
        """Return every queue with the word of `hotline-skill` that seats somebody there; first, of all."""
        return ((GENERAL, GENERAL), *((queue, skill.value) for skill, queue in QUEUE_OF.items()))

    @property
    def weights(self) -> dict[str, int]:
        """Return whose callers have whoever is free: danger first, wishes last."""
        return {queue: 1 for _, queue in QUEUE_OF.items()} | {GENERAL: 2, QUEUE_OF[Skill.CRISIS]: 3}

    @property
    def dialect(self) -> str:
        """Return the language of callers who asked for 无锡话 by key."""
        return f"{self.language}_wx"

    @property
    def trainee_penalty(self) -> int:
        """Return what a trainee's penalty begins with."""
        return TRAINEE_PENALTY

    @property
    def shift_break(self) -> int:
        """Return over how many seconds between two shifts a sign-on holds."""
        return int(BREAK.total_seconds())

    @property
    def shift_over(self) -> str:
        """Return why somebody is signed off at the end of their shift."""
        return SHIFT_OVER

    @property
    def no_penalty(self) -> int:
        """Return a QUEUE_MAX_PENALTY that keeps nobody out; an empty one is a warning (22.10)."""
        return NO_PENALTY

    @property
    def trunks(self) -> tuple[Carrier, ...]:
        """Return the ways out, in the order in which they are asked."""
        first = Carrier(name="trunk", host=self.trunk_host, port=self.trunk_port)
        if not self.fallback_host:
            return (first,)
        return first, Carrier(name="trunk2", host=self.fallback_host, port=self.fallback_port)

    @property
    def ways(self) -> tuple[Way, ...]:
        """Return every carrier as the way out for each of our numbers (`callcenter.asterisk.control`)."""
        return tuple(
            Way(name=f"{trunk.name}{way_of(place)}", carrier=trunk.name, number=number)
            for place, number in enumerate((self.outbound_number, *self.outbound_numbers), start=1)
            for trunk in self.trunks
        )

    @property
    def phones(self) -> tuple[SipAgent, ...]:
        """Return those who register a SIP phone."""
        return tuple(a for a in self.agents if isinstance(a, SipAgent))

    @property
    def mobiles(self) -> tuple[MobileAgent, ...]:
        """Return those who are rung through the trunk."""
        return tuple(a for a in self.agents if isinstance(a, MobileAgent))

    @property
    def colleagues(self) -> tuple[tuple[str, Agent], ...]:
        """Return who can be dialled by their code as a keypad spells it, where no other code is spelt so."""
        by_keys: dict[str, list[Agent]] = {}
        for agent in self.agents:
            by_keys.setdefault(agent.code.translate(_KEYPAD), []).append(agent)
        return tuple((keys, who[0]) for keys, who in sorted(by_keys.items()) if len(who) == 1)

    @property
    def member_ring(self) -> int:
        """Return how long the queue rings a member.

        A mobile's owner must still hear the prompt and press the key after picking up at the last
        moment, or the queue would take the call away between `Hello` and the key.
        """
        return self.queue_ring + (self.accept + 10 if self.mobile_members else 0)

    @property
    def outbound_tails(self) -> tuple[str, ...]:
        """Return the ends of our outbound numbers that every spelling of each shares."""
        return tuple(_tail(number) for number in (self.outbound_number, *self.outbound_numbers))

    @property
    def talks_tail(self) -> str:
        """Return the same of the number for talks; empty if this line has none."""
        return _tail(self.talks_number) if "talks" in self.flow_names else ""


def plan_from(
    settings: Settings,
    keys: KeyRing,
    users: Sequence[User],
    *,
    flows: Mapping[str, str],
    queue_keys: Sequence[str] = QUEUE_KEYS,
    journal: JournalFormat,
) -> PbxPlan:
    """Return the plan of a site.

    `flows`: compiled text by flow name; `queue_keys`: what flows offer to callers who wait; `journal`:
    the Asterisk's way.

    Raises `ConfigError` when users and settings cannot make a working line.
    """
    agents = {u.code: _agent(u, keys) for u in users if u.active and u.phone is not PhoneKind.NONE}
    pbx, trunk = settings.asterisk, settings.trunk
    _check_addresses(settings)
    _check_numbers(settings)
    return PbxPlan(
        home=settings.pbx_home,
        language=settings.site.language,
        public_number=settings.site.public_number,
        outbound_number=settings.site.outbound_number,
        outbound_numbers=settings.outbound.numbers,
        talks_number=settings.site.talks_number,
        salt=keys.password("pbx-salt"),
        sip_address=pbx.sip_address,
        sip_port=pbx.sip_port,
        rtp_first=pbx.rtp_first,
        rtp_last=pbx.rtp_last,
        ami_address=pbx.ami_address,
        ami_port=pbx.ami_port,
        ami_users=(AmiUser(name=BRIDGE, secret=keys.password(f"ami:{BRIDGE}")),),
        trunk_host=trunk.host,
        trunk_port=trunk.port,
        fallback_host=trunk.fallback_host,
        fallback_port=trunk.fallback_port,
        destinations=_destinations(settings),
        queue_strategy=settings.queue.strategy,
        queue_ring=_seconds(settings.queue.ring),
        wrap_up=int(settings.queue.wrap_up.total_seconds()),
        wish_wait=_seconds(settings.queue.wish_wait),
        surge_cap=_seconds(settings.duty.surge_cap),
        agents=tuple(agents[code] for code in sorted(agents)),
        mobile_members=any(u.active and u.phone is PhoneKind.MOBILE for u in users if _takes_calls(u)),
        escalation=_chain(agents, users, lambda u: u.escalation_rank),
        escalation_ring=_seconds(settings.escalation.ring),
        accept=_seconds(settings.escalation.accept),
        alarm_chain=_chain(agents, users, lambda u: u.alarm_rank),
        alarm_ring=_seconds(settings.alarms.ring),
        alarm_rounds=settings.alarms.rounds,
        crisis_ring=_seconds(settings.crisis.ring),
        outbound_ring=_seconds(settings.outbound.ring),
        recording=settings.recording.enabled,
        journal=journal,
        queue_keys=tuple(queue_keys),
        flows=tuple(sorted(flows.items())),
    )


def dial_strings(settings: Settings) -> dict[str, str]:
    """Return the dial string of every destination a flow may hand a caller over to."""
    has_ways = bool(settings.trunk.fallback_host)
    return {
        name: f"Local/{name}@hotline-destination" if has_ways or len(ways) > 1 else f"PJSIP/{ways[0]}@trunk"
        for name, ways in _ways(settings).items()
    }


def _destinations(settings: Settings) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the services that more than one way leads to, and the numbers to dial in turn."""
    second = bool(settings.trunk.fallback_host)
    return tuple(sorted((name, ways) for name, ways in _ways(settings).items() if second or len(ways) > 1))


def _ways(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return what is dialled for each service, in turn."""
    numbers = settings.transfers
    dialled = {
        LINE_12356: (numbers.mental_health, *numbers.mental_health_next),
        POLICE: (numbers.police,),
        AMBULANCE: (numbers.ambulance,),
    }
    return {name: tuple(map(national, some)) for name, some in dialled.items()}


def _takes_calls(user: User) -> bool:
    return Role.COUNSELLOR in user.roles


def _agent(user: User, keys: KeyRing) -> Agent:
    if user.mobile is not None:
        return MobileAgent(code=user.code, number=national(user.mobile))
    return SipAgent(code=user.code, secret=keys.password(f"sip:{user.code}"))


def _chain(
    agents: Mapping[str, Agent], users: Iterable[User], rank: Callable[[User], int | None]
) -> tuple[Agent, ...]:
    """Return who is rung in which order; equal ranks go by code, so that the order never wavers."""
    ranked = sorted((place, u.code) for u in users if (place := rank(u)) is not None)
    return tuple(agents[code] for _, code in ranked if code in agents)


def way_of(place: int) -> str:
    """Return what is put behind a carrier's name for the way that shows our first, second ... number."""
    return "" if place == 1 else f"n{place}"


def _seconds(length: timedelta) -> int:
    """Return whole seconds, at least one: Asterisk reads 0 as "no limit"."""
    return max(1, round(length.total_seconds()))


def _tail(number: str) -> str:
    """Return the end of a number that every spelling of it shares (0, +86, none)."""
    return number.removeprefix("+86").removeprefix("0")


def _check_numbers(settings: Settings) -> None:
    """Refuse a number for talks that calls to another of our numbers would be taken for."""
    site = settings.site
    ours = {"site.public_number": site.public_number, "site.outbound_number": site.outbound_number}
    for place, number in enumerate(settings.outbound.numbers, start=1):
        if _tail(number) in map(_tail, ours.values()):
            raise ConfigError(f"outbound.numbers: the {place}. one stands elsewhere already. Take it out.")
        ours[f"the {place}. of outbound.numbers"] = number
    talks = _tail(site.talks_number)
    for name, number in ours.items() if talks else ():
        other = _tail(number)
        if other.endswith(talks) or talks.endswith(other):
            raise ConfigError(
                f"site.talks_number: cannot be told from {name} by its last digits. "
                "Give it a number of its own, whole, or leave it empty."
            )


def _check_addresses(settings: Settings) -> None:
    pbx, trunk = settings.asterisk, settings.trunk
    for field_name, host in (("trunk.host", trunk.host), ("trunk.fallback_host", trunk.fallback_host)):
        if host == pbx.sip_address:
            raise ConfigError(
                f"{field_name}: a trunk is known by its address, so it cannot share asterisk.sip_address "
                "with the phones. Give it another one (on one machine: 127.0.0.2)."
            )
    if trunk.fallback_host == trunk.host:
        raise ConfigError("trunk.fallback_host: the second carrier needs an address of its own.")
    if pbx.rtp_last - pbx.rtp_first < 4:
        raise ConfigError("asterisk.rtp_last: leave at least four ports above asterisk.rtp_first.")
