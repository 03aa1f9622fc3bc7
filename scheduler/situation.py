"""What gates are asked about: one debt, its person and the line, as seen at one instant.

What nobody has said counts as the worst, so that no gate is passed by knowing too little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from scheduler.breaker import Breaker
from scheduler.cadence import CADENCES, Cadence
from scheduler.calendar import Calendar
from scheduler.ladder import Limits
from scheduler.obligations import Attempt, Evidence, Obligation, Result
from scheduler.risk_ladder import RiskRules
from scheduler.windows import Windows

#: `date.weekday` of the last day that is no weekend.
_FRIDAY = 4


class Gate(StrEnum):
    """The gates, in the order in which they are asked. The value is the reason code of a refusal."""

    SATISFIED = "satisfied"
    NOT_DUE = "not_due"
    LEASED = "leased"
    IN_DOUBT = "in_doubt"
    LIVE_CALL = "live_call"
    SUPPRESSED = "suppressed"
    #: The person wants no calls about this one thing.
    TOPIC_REFUSED = "topic_refused"
    #: A person put it off, with a reason.
    SNOOZED = "snoozed"
    HUMAN_ONLY = "human_only"
    NO_IVR_CONSENT = "no_ivr_consent"
    NO_PHONE = "no_phone"
    PHONE_QUARANTINED = "phone_quarantined"
    #: It was agreed to ring the number at other hours only.
    OUTSIDE_SAFE_WINDOW = "outside_safe_window"
    COOL_DOWN = "cool_down"
    PERSON_DAY_CAP = "person_day_cap"
    PERSON_WEEK_CAP = "person_week_cap"
    DIALLER_PAUSED = "dialler_paused"
    BREAKER_OPEN = "breaker_open"
    HOLIDAY = "holiday"
    OUTSIDE_WINDOW = "outside_window"
    LINE_UNKNOWN = "line_unknown"
    INBOUND_WAITING = "inbound_waiting"
    NO_FREE_TRUNK = "no_free_trunk"
    #: Of a call that rings a counsellor first: callers need those who are left.
    NO_FREE_SEAT = "no_free_seat"
    DID_DAY_CAP = "did_day_cap"
    DID_WEEK_CAP = "did_week_cap"
    #: No burst: an hour's share in any hour.
    DID_PACE = "did_pace"


#: Gate -> (what a passed gate says, what a refusal says).
SENTENCES: dict[Gate, tuple[str, str]] = {
    Gate.SATISFIED: ("还没有完成", "已经完成或已经结束"),
    Gate.NOT_DUE: ("已到期", "还没到期"),
    Gate.LEASED: ("没有人正在处理", "有人正在处理"),
    Gate.IN_DOUBT: ("上一次拨打有结果", "上一次拨打还没有结果，不能重拨"),
    Gate.LIVE_CALL: ("对方没有在与我们通话", "正在与这位职工通话"),
    Gate.SUPPRESSED: ("没有拒绝来电", "这位职工已拒绝来电"),
    Gate.TOPIC_REFUSED: ("没有拒绝为这件事来电", "这位职工不愿为这件事接电话"),
    Gate.SNOOZED: ("没有推迟", "有人写明原因推迟了，还没到时候"),
    Gate.HUMAN_ONLY: ("可以自动拨打", "只能由工作人员联系"),
    Gate.NO_IVR_CONSENT: ("同意接听自动回访", "没有同意接听自动回访，由工作人员联系"),
    Gate.NO_PHONE: ("有可拨的号码", "没有登记电话号码"),
    Gate.PHONE_QUARANTINED: ("号码可用", "登记的号码都不可用(停用、打错或被拒),请联系人核实"),
    Gate.OUTSIDE_SAFE_WINDOW: ("在说好可以拨打的时间内", "不在与对方说好可以拨打的时间内"),
    Gate.COOL_DOWN: ("已过间隔时间", "还没到下次可以拨打的时间"),
    Gate.PERSON_DAY_CAP: ("今天还可以拨打此人", "今天自动拨打此人的次数已满"),
    Gate.PERSON_WEEK_CAP: ("七天内还可以拨打此人", "七天内自动拨打此人的次数已满"),
    Gate.DIALLER_PAUSED: ("自动拨打开着", "自动拨打已暂停"),
    Gate.BREAKER_OPEN: ("线路没有连续故障", "线路连续故障，自动拨打暂时停止"),
    Gate.HOLIDAY: ("今天可以自动拨打", "今天是休息日或应当静默的日子"),
    Gate.OUTSIDE_WINDOW: ("在拨打时段内", "不在拨打时段内"),
    Gate.LINE_UNKNOWN: ("看得到线路状态", "看不到线路状态"),
    Gate.INBOUND_WAITING: ("没有来电在等候", "有来电在等候，呼出让路"),
    Gate.NO_FREE_TRUNK: ("有空闲线路", "空闲线路不够，要给来电留出线路"),
    Gate.NO_FREE_SEAT: ("接来电的人手够", "空闲的人手不够，要留给来电"),
    Gate.DID_DAY_CAP: ("外呼号码今天还有额度", "外呼号码今天的额度(或此刻应有的份额)已用完"),
    Gate.DID_WEEK_CAP: ("外呼号码这七天还有额度", "外呼号码七天的额度已用完"),
    Gate.DID_PACE: ("外呼号码这一小时还有份额", "外呼号码最近一小时的份额已用完"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """The live line, as far as calling out depends on it."""

    #: Callers in the queue whom nobody has answered yet (R36).
    waiting: int
    free_channels: int
    #: Counsellors who could take a call now, besides the one who is about to dial.
    free_agents: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """The site's settings that gates ask."""

    calendar: Calendar = field(default_factory=Calendar)
    windows: Windows = field(default_factory=Windows)
    limits: Limits = field(default_factory=Limits)
    breaker: Breaker = field(default_factory=Breaker)
    #: Our numbers that calls may show. The caps are those of each.
    numbers: tuple[str, ...] = ("",)
    daily_cap: int = 40
    weekly_cap: int = 200
    #: Channels, and counsellors, always left for callers.
    reserved_channels: int = 1
    reserved_seats: int = 0
    paused: bool = False
    #: How people in danger are followed.
    risk: RiskRules = field(default_factory=RiskRules)
    #: How often the register's grades are owed a contact, and (in days; 0: never) a visit at home.
    cadences: Mapping[str, Cadence] = field(default_factory=lambda: CADENCES)
    visit_every: int = 0

    def calendar_for(self, answered: Sequence[datetime]) -> Calendar:
        """Return the days on which somebody may be called: weekends too, if they were reached on one.

        And if the site has windows for weekends.
        """
        reached = any(at.astimezone(self.windows.zone).weekday() > _FRIDAY for at in answered)
        weekends = self.calendar.weekends or (reached and bool(self.windows.weekend))
        return replace(self.calendar, weekends=weekends)


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """What gates need to know of the person; nobody's name or number. What is not said refuses."""

    ivr_consent: bool = False
    no_automation: bool = True
    no_outbound: bool = True
    #: Wants no calls about this kind of thing.
    refused_topic: bool = True
    #: On file as not to be called by machine (age, hearing, own wish).
    no_ivr: bool = True
    #: Numbers on file, how many of them may be dialled, and how many of those at this hour.
    phones: int = 0
    usable_phones: int = 0
    safe_phones: int = 0
    #: The person's other open obligations: is one of them leased?
    leased_elsewhere: bool = True
    live_call: bool = True
    #: Followed at level 0 or 1: no machine calls them, whatever else they are owed (R21).
    high_risk: bool = True
    #: Attempts at the person's other obligations: the open ones, and all of the last seven days.
    attempts: tuple[Attempt, ...]
    #: When contacts of this kind succeeded, for the hour of the first attempt.
    answered: tuple[datetime, ...] = ()
    #: Which of our numbers they saw last.
    knows: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """Everything one decision depends on, read at one instant."""

    now: datetime
    obligation: Obligation
    attempts: tuple[Attempt, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    person: Person
    line: Line | None = None
    #: When each of our numbers was shown in the last seven days, of any length (R37). None: unknown.
    shown: Mapping[str, tuple[datetime, ...]] | None = None
    #: How recent attempts of the whole line ended, for the breaker. None: unknown.
    outcomes: tuple[tuple[datetime, Result], ...] | None = None
    rules: Rules = field(default_factory=Rules)
    #: The lease we hold ourselves, if any.
    our_fence: int | None = None
    #: A supervisor has this call placed outside the window, with a reason on record (I5).
    overridden: bool = False

    def with_call(self, made: Attempt) -> Situation:
        """Return the situation after one more call of the line's, to whomever."""
        did, shown = made.did or self.rules.numbers[0], dict(self.shown or {})
        shown[did] = (*shown.get(did, ()), made.at)
        return replace(self, shown=shown)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What one gate says."""

    gate: Gate
    passed: bool
    #: When to ask again; None: when something changes.
    retry_at: datetime | None = None
    #: Passed, but whoever dials should know: somebody put it off.
    notice: bool = False

    @property
    def sentence(self) -> str:
        """Say it in Chinese."""
        return SENTENCES[self.gate][0 if self.passed and not self.notice else 1]
