"""Every gate between a debt and a ringing phone, re-checked at dial time (R22).

A gate is a function of one `Situation`. Each refusal has a reason code, a sentence for people, and
the instant from which it is worth asking again. No gate can be passed by knowing too little: what
cannot be seen (the line's state, say) refuses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from scheduler.breaker import Breaker
from scheduler.cadence import CADENCES, Cadence
from scheduler.calendar import Calendar
from scheduler.ladder import Limits, Step, Who, Why, next_step, rungs
from scheduler.obligations import Attempt, Evidence, Kind, Obligation, Result, Status, status_of
from scheduler.risk_ladder import RiskRules
from scheduler.windows import Windows


class Gate(StrEnum):
    """The gates, in the order in which they are asked. The value is the reason code of a refusal."""

    SATISFIED = "satisfied"
    NOT_DUE = "not_due"
    LEASED = "leased"
    IN_DOUBT = "in_doubt"
    LIVE_CALL = "live_call"
    SUPPRESSED = "suppressed"
    HUMAN_ONLY = "human_only"
    NO_IVR_CONSENT = "no_ivr_consent"
    NO_PHONE = "no_phone"
    PHONE_QUARANTINED = "phone_quarantined"
    COOL_DOWN = "cool_down"
    PERSON_DAY_CAP = "person_day_cap"
    DIALLER_PAUSED = "dialler_paused"
    BREAKER_OPEN = "breaker_open"
    HOLIDAY = "holiday"
    OUTSIDE_WINDOW = "outside_window"
    LINE_UNKNOWN = "line_unknown"
    INBOUND_WAITING = "inbound_waiting"
    NO_FREE_TRUNK = "no_free_trunk"
    DID_DAY_CAP = "did_day_cap"


#: Gate -> (what a passed gate says, what a refusal says).
SENTENCES: dict[Gate, tuple[str, str]] = {
    Gate.SATISFIED: ("还没有完成", "已经完成或已经结束"),
    Gate.NOT_DUE: ("已到期", "还没到期"),
    Gate.LEASED: ("没有人正在处理", "有人正在处理"),
    Gate.IN_DOUBT: ("上一次拨打有结果", "上一次拨打还没有结果，不能重拨"),
    Gate.LIVE_CALL: ("对方没有在与我们通话", "正在与这位职工通话"),
    Gate.SUPPRESSED: ("没有拒绝来电", "这位职工已拒绝来电"),
    Gate.HUMAN_ONLY: ("可以自动拨打", "只能由工作人员联系"),
    Gate.NO_IVR_CONSENT: ("同意接听自动回访", "没有同意接听自动回访，由工作人员联系"),
    Gate.NO_PHONE: ("有可拨的号码", "没有登记电话号码"),
    Gate.PHONE_QUARANTINED: ("号码可用", "登记的号码都不可用(停用、打错或被拒),请联系人核实"),
    Gate.COOL_DOWN: ("已过间隔时间", "还没到下次可以拨打的时间"),
    Gate.PERSON_DAY_CAP: ("今天还可以拨打此人", "今天已拨打此人两次"),
    Gate.DIALLER_PAUSED: ("自动拨打开着", "自动拨打已暂停"),
    Gate.BREAKER_OPEN: ("线路没有连续故障", "线路连续故障，自动拨打暂时停止"),
    Gate.HOLIDAY: ("今天可以自动拨打", "今天是休息日或应当静默的日子"),
    Gate.OUTSIDE_WINDOW: ("在拨打时段内", "不在拨打时段内"),
    Gate.LINE_UNKNOWN: ("看得到线路状态", "看不到线路状态"),
    Gate.INBOUND_WAITING: ("没有来电在等候", "有来电在等候，呼出让路"),
    Gate.NO_FREE_TRUNK: ("有空闲线路", "空闲线路不够，要给来电留出线路"),
    Gate.DID_DAY_CAP: ("外呼号码今天还有额度", "外呼号码今天的额度(或此刻应有的份额)已用完"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """The live line, as far as calling out depends on it."""

    #: Callers in the queue whom nobody has answered yet (R36).
    waiting: int
    free_channels: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """The site's settings that gates ask."""

    calendar: Calendar = field(default_factory=Calendar)
    windows: Windows = field(default_factory=Windows)
    limits: Limits = field(default_factory=Limits)
    breaker: Breaker = field(default_factory=Breaker)
    daily_cap: int = 40
    #: Channels always left for callers.
    reserved_channels: int = 1
    paused: bool = False
    #: How people in danger are followed.
    risk: RiskRules = field(default_factory=RiskRules)
    #: How often the register's grades are owed a contact, and (in days; 0: never) a visit at home.
    cadences: Mapping[str, Cadence] = field(default_factory=lambda: CADENCES)
    visit_every: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """What gates need to know of the person; nobody's name or number."""

    ivr_consent: bool = False
    no_automation: bool = False
    no_outbound: bool = False
    #: On file as not to be called by machine (age, hearing, own wish).
    no_ivr: bool = False
    #: Numbers on file, and how many of them may be dialled.
    phones: int = 0
    usable_phones: int = 0
    #: The person's other open obligations: is one of them leased?
    leased_elsewhere: bool = False
    live_call: bool = False
    #: Followed at level 0 or 1: no machine calls them, whatever else they are owed (R21).
    high_risk: bool = False
    #: Attempts of every open obligation of the person.
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """Everything one decision depends on, read at one instant."""

    now: datetime
    obligation: Obligation
    attempts: tuple[Attempt, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    person: Person = field(default_factory=Person)
    line: Line | None = None
    #: Attempts from our outbound number since midnight (R37).
    dialled_today: int = 0
    #: How recent attempts of the whole line ended, for the breaker.
    outcomes: tuple[tuple[datetime, Result], ...] = ()
    rules: Rules = field(default_factory=Rules)
    #: The lease we hold ourselves, if any.
    our_fence: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What one gate says."""

    gate: Gate
    passed: bool
    #: When to ask again; None: when something changes.
    retry_at: datetime | None = None

    @property
    def sentence(self) -> str:
        """Say it in Chinese."""
        return SENTENCES[self.gate][0 if self.passed else 1]


#: How long to wait before asking again, where nothing better is known.
ASK_AGAIN = timedelta(hours=1)
SOON = timedelta(minutes=1)

_Answer = tuple[bool, datetime | None]


def check(situation: Situation) -> tuple[Verdict, ...]:
    """Return every gate's verdict on an automated call now.

    Without a line in sight its gates are not judged, and `LINE_UNKNOWN` refuses.
    """
    unseen = _OF_THE_LIVE_LINE if situation.line is None else frozenset()
    return tuple(_verdict(gate, situation) for gate in Gate if gate not in unseen)


def step_of(situation: Situation) -> Step:
    """Return who tries next, the person's own wishes and numbers considered."""
    step, person = _step(situation), situation.person
    if step.who is Who.HUMAN:
        return step
    if person.high_risk:
        return Step(who=Who.HUMAN, why=Why.HUMAN_ONLY)
    if person.no_ivr or person.no_automation or person.no_outbound or not person.ivr_consent:
        return Step(who=Who.HUMAN, why=Why.NO_AUTOMATION)
    return step if person.usable_phones else Step(who=Who.HUMAN, why=Why.NO_NUMBER)


def check_human(situation: Situation) -> tuple[Verdict, ...]:
    """Return the verdicts that also bind a human who dials: the rest is their judgement.

    Without a line in sight nobody can say how many of it are free; `LINE_UNKNOWN` refuses.
    """
    unseen = _OF_THE_LIVE_LINE if situation.line is None else frozenset()
    return tuple(_human_verdict(gate, situation) for gate in _FOR_HUMANS if gate not in unseen)


def check_line(situation: Situation) -> tuple[Verdict, ...]:
    """Return the verdicts that hold for everybody alike, so that a round can end early."""
    return tuple(_verdict(gate, situation) for gate in _OF_THE_LINE)


def refusals(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Return the verdicts that refuse."""
    return tuple(v for v in verdicts if not v.passed)


def ask_again_at(refused: Sequence[Verdict], now: datetime) -> datetime:
    """Return when all refusing gates may have opened: the latest of their instants."""
    return max((v.retry_at or now + ASK_AGAIN for v in refused), default=now)


def _verdict(gate: Gate, situation: Situation) -> Verdict:
    passed, retry_at = _GATES[gate](situation)
    return Verdict(gate=gate, passed=passed, retry_at=None if passed else retry_at)


def _human_verdict(gate: Gate, situation: Situation) -> Verdict:
    # Who refused calls may still be followed by a person while in danger, and at night in the first hours.
    at_risk = situation.obligation.kind is Kind.HIGH_RISK
    if gate is Gate.SUPPRESSED:
        return Verdict(gate=gate, passed=at_risk or not situation.person.no_outbound)
    if gate is Gate.OUTSIDE_WINDOW:
        imminent = at_risk and situation.obligation.priority == 0
        return Verdict(gate=gate, passed=imminent or not situation.rules.windows.is_quiet(situation.now))
    if gate is Gate.NO_FREE_TRUNK:
        return Verdict(gate=gate, passed=situation.line is not None and situation.line.free_channels >= 1)
    return _verdict(gate, situation)


def _satisfied(s: Situation) -> _Answer:
    return status_of(s.obligation, s.evidence, s.now) not in {Status.SATISFIED, Status.CLOSED}, None


def _not_due(s: Situation) -> _Answer:
    return s.now >= s.obligation.due_at, s.obligation.due_at


def _leased(s: Situation) -> _Answer:
    lease = s.obligation.lease
    ours = lease is not None and lease.fence == s.our_fence
    free = lease is None or ours or lease.until <= s.now
    return free and not s.person.leased_elsewhere, s.now + SOON


def _in_doubt(s: Situation) -> _Answer:
    return not any(a.in_doubt for a in (*s.attempts, *s.person.attempts)), s.now + SOON


def _live_call(s: Situation) -> _Answer:
    return not s.person.live_call, s.now + SOON


def _suppressed(s: Situation) -> _Answer:
    return not (s.person.no_automation or s.person.no_outbound), None


def _human_only(s: Situation) -> _Answer:
    return _step_is_automatic(s) and not s.person.no_ivr and not s.person.high_risk, None


def _consent(s: Situation) -> _Answer:
    return s.person.ivr_consent, None


def _no_phone(s: Situation) -> _Answer:
    return s.person.phones > 0, None


def _quarantined(s: Situation) -> _Answer:
    return s.person.phones == 0 or s.person.usable_phones > 0, None


def _cool_down(s: Situation) -> _Answer:
    free_at = [t for t in (_ladder_says(s), s.obligation.next_at, _gap_ends(s)) if t is not None]
    latest = max(free_at, default=s.now)
    return latest <= s.now, latest


def _person_cap(s: Situation) -> _Answer:
    today = _automatic_rungs_today(s)
    going_on = s.attempts and s.attempts[-1].result is Result.BUSY
    limit = s.rules.limits.per_day + (1 if going_on else 0)
    return today < limit, _tomorrow(s)


def _paused(s: Situation) -> _Answer:
    return not s.rules.paused, s.now + SOON


def _breaker(s: Situation) -> _Answer:
    closes = s.rules.breaker.closes_at(s.outcomes)
    return closes is None or closes <= s.now, closes


def _holiday(s: Situation) -> _Answer:
    return s.rules.calendar.may_automate(_today(s)), _opening(s)


def _window(s: Situation) -> _Answer:
    return s.rules.windows.is_open(s.now), _opening(s)


def _line_unknown(s: Situation) -> _Answer:
    return s.line is not None, s.now + SOON


def _waiting(s: Situation) -> _Answer:
    return s.line is None or s.line.waiting == 0, s.now + SOON


def _trunk(s: Situation) -> _Answer:
    needed = max(2, s.rules.reserved_channels + 1)
    return s.line is None or s.line.free_channels >= needed, s.now + SOON


def _did_cap(s: Situation) -> _Answer:
    if s.dialled_today >= s.rules.daily_cap:
        return False, _tomorrow(s)
    return s.dialled_today < _allowed_by_now(s), s.now + 10 * SOON


_GATES: dict[Gate, Callable[[Situation], _Answer]] = {
    Gate.SATISFIED: _satisfied,
    Gate.NOT_DUE: _not_due,
    Gate.LEASED: _leased,
    Gate.IN_DOUBT: _in_doubt,
    Gate.LIVE_CALL: _live_call,
    Gate.SUPPRESSED: _suppressed,
    Gate.HUMAN_ONLY: _human_only,
    Gate.NO_IVR_CONSENT: _consent,
    Gate.NO_PHONE: _no_phone,
    Gate.PHONE_QUARANTINED: _quarantined,
    Gate.COOL_DOWN: _cool_down,
    Gate.PERSON_DAY_CAP: _person_cap,
    Gate.DIALLER_PAUSED: _paused,
    Gate.BREAKER_OPEN: _breaker,
    Gate.HOLIDAY: _holiday,
    Gate.OUTSIDE_WINDOW: _window,
    Gate.LINE_UNKNOWN: _line_unknown,
    Gate.INBOUND_WAITING: _waiting,
    Gate.NO_FREE_TRUNK: _trunk,
    Gate.DID_DAY_CAP: _did_cap,
}

_OF_THE_LINE = (
    Gate.DIALLER_PAUSED,
    Gate.BREAKER_OPEN,
    Gate.HOLIDAY,
    Gate.OUTSIDE_WINDOW,
    Gate.LINE_UNKNOWN,
    Gate.INBOUND_WAITING,
    Gate.NO_FREE_TRUNK,
    Gate.DID_DAY_CAP,
)
_OF_THE_LIVE_LINE = frozenset({Gate.INBOUND_WAITING, Gate.NO_FREE_TRUNK})
_FOR_HUMANS = (
    Gate.SATISFIED,
    Gate.LEASED,
    Gate.IN_DOUBT,
    Gate.LIVE_CALL,
    Gate.SUPPRESSED,
    Gate.NO_PHONE,
    Gate.PHONE_QUARANTINED,
    Gate.OUTSIDE_WINDOW,
    Gate.LINE_UNKNOWN,
    Gate.NO_FREE_TRUNK,
)
#: Calls that may go out at once when the day opens; the rest of the cap is spread (R37).
_AT_ONCE = 5


def _step_is_automatic(s: Situation) -> bool:
    return _step(s).who is Who.IVR


def _ladder_says(s: Situation) -> datetime | None:
    return _step(s).not_before


def _step(s: Situation) -> Step:
    rules = s.rules
    return next_step(
        s.obligation, s.attempts, windows=rules.windows, calendar=rules.calendar, limits=rules.limits
    )


def _gap_ends(s: Situation) -> datetime | None:
    """Return the end of the gap after the last counting attempt; quick busy retries are exempt."""
    counted = [a for a in (*s.attempts, *s.person.attempts) if a.is_automatic and a.counts]
    last = max(counted, key=lambda a: a.at, default=None)
    if last is None or last.result is Result.BUSY:
        return None
    return last.at + s.rules.limits.gap


def _automatic_rungs_today(s: Situation) -> int:
    everything = {a.id: a for a in (*s.person.attempts, *s.attempts)}
    today = [a for a in everything.values() if a.at.astimezone(s.rules.windows.zone).date() == _today(s)]
    return len(rungs(today, s.rules.limits))


def _allowed_by_now(s: Situation) -> int:
    share = s.rules.windows.share_of_day(s.now)
    return max(_AT_ONCE, math.ceil(s.rules.daily_cap * share))


def _today(s: Situation) -> date:
    return s.now.astimezone(s.rules.windows.zone).date()


def _opening(s: Situation) -> datetime:
    return s.rules.windows.next_open(s.now, s.rules.calendar)


def _tomorrow(s: Situation) -> datetime:
    midnight = datetime.combine(_today(s) + timedelta(days=1), datetime.min.time(), s.rules.windows.zone)
    return s.rules.windows.next_open(midnight, s.rules.calendar)
