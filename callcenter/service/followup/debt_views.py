"""What a supervisor sees of the debts: who is owed, since when, and why not yet. Masked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property, partial

from callcenter.domain.books import CASES
from callcenter.domain.cases import Case
from callcenter.domain.numbers import mask_name, mask_number
from callcenter.domain.people import HardshipFile, Person, SafeContact
from callcenter.domain.verifying import bad_number
from callcenter.ports import UnitOfWork
from callcenter.service.followup.ahead import file_no_of, read_ahead, worst_cases
from callcenter.service.followup.case_steps import case_of, step_name
from callcenter.service.followup.debts import LineFacts, has_ivr_consent, situation_of
from callcenter.service.followup.ended import Ending, ending_of, ending_words
from callcenter.service.followup.handled import Standing, standing_of
from callcenter.service.followup.missed import why_missed
from callcenter.service.followup.planning import why_planned
from callcenter.service.followup.settling import details_of, numbers_for
from callcenter.service.followup.sweeping import due_of
from callcenter.service.people.phones import agreement_words
from callcenter.words import (
    ELSEWHERE_WORDS,
    KIND_WORDS,
    URGENT_WORDS,
    attempt_words,
    doubt_words,
    step_words,
)
from scheduler.gates import Gate, Situation, Verdict, check, check_human, refusals, step_of
from scheduler.ladder import WHY_SENTENCES, Step, Who, Why
from scheduler.obligations import OF_REGISTER, Attempt, Kind, Mode, Obligation
from scheduler.risk_ladder import counts_from
from scheduler.stages import Progress, Stage, stage_of
from scheduler.urgency import is_lost, is_put_off, rank

#: Gates whose refusal says nothing about the person, least telling last.
_TELLING = [
    *(Gate.IN_DOUBT, Gate.LIVE_CALL, Gate.LEASED, Gate.SUPPRESSED, Gate.NO_PHONE, Gate.PHONE_QUARANTINED),
    *(Gate.HUMAN_ONLY, Gate.NO_IVR_CONSENT, Gate.NOT_DUE, Gate.COOL_DOWN, Gate.PERSON_DAY_CAP),
]


#: What a list says where there is no room for a sentence; a step nobody has to be told of says nothing.
_SHORT = {
    Why.HUMAN_ONLY: "",
    Why.IN_DOUBT: "先核实上次",
    Why.RESULT_MISSING: "结果待登记",
    Why.ASKED_FOR_HUMAN: "要人工",
    Why.OPTED_OUT: "不接自动来电",
    Why.PHONE_LOST: "号码待核实",
    Why.NO_AUTOMATION: "由人联系",
    Why.HUMAN_HAS_IT: "已转人工",
    Why.LADDER_EXHAUSTED: "已转人工",
}
#: What to do for somebody whom no number reaches.
_WITHOUT_NUMBER = (
    "没有可拨的号码：请补登号码（hotline people phone），或找紧急联系人、单位、社区，或上门走访。"
)
#: The mark of somebody who asked to be called elsewhere and left no number.
OTHER_NUMBER = "要改打别的号码"

#: What a caller was promised.
_PROMISES = {
    Kind.CALLBACK: "答应了回电",
    Kind.APPOINTMENT: "登记了预约，要与本人约定时间",
    Kind.TALK: "登记了讲座，要与联系人商定",
    Kind.MESSAGE: "留了言，要听完并回电",
}


@dataclass(frozen=True, kw_only=True)
class DebtView:
    """One debt as it stands, with everything a list or an explanation needs, read when it is asked for."""

    obligation: Obligation
    facts: LineFacts = field(repr=False)
    #: What the rest is read from.
    work: UnitOfWork = field(repr=False)
    #: Every person on the list and the worst of their open cases, whatever is owed to them here.
    cases: Callable[[], Mapping[str, Case]] = field(repr=False)
    #: How every debt of the list stands with who works on it.
    standings: Callable[[], Mapping[str, Standing]] = field(repr=False)

    @cached_property
    def person(self) -> Person:
        """Return whom it is owed to."""
        return self.work.people.get(self.obligation.person)

    @cached_property
    def file(self) -> HardshipFile | None:
        """Return the file it comes from, of a routine debt."""
        return file_of(self.work, self.obligation)

    @cached_property
    def situation(self) -> Situation:
        """Return what the gates are asked about."""
        return situation_of(self.work, self.obligation, self.facts)

    @cached_property
    def ended(self) -> Ending | None:
        """Return how it ended; None: it is open."""
        return ending_of(self.obligation, self.situation.evidence)

    @cached_property
    def last_contact(self) -> datetime | None:
        """Return when they were last reached; of a routine debt by routine contacts alone (R39)."""
        kind = self.obligation.kind if self.obligation.kind in OF_REGISTER else None
        return self.work.debts.last_contact(self.obligation.person, kind)

    @property
    def case(self) -> Case | None:
        """Return the person's worst open case, whatever this debt is."""
        return self.cases().get(self.obligation.person)

    @property
    def standing(self) -> Standing:
        """Return how it stands with who works on it: a waiver asked for, a decision that is wanting."""
        return self.standings()[self.obligation.id]

    def read(self) -> None:
        """Read everything there is to know."""
        _ = (self.person, self.file, self.situation, self.last_contact, self.case, self.standing)
        _ = self.progress

    @cached_property
    def step(self) -> Step:
        """Return who tries next, and why."""
        return step_of(self.situation)

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Return what every gate says of an automated call now."""
        return check(self.situation)

    @cached_property
    def for_humans(self) -> tuple[Verdict, ...]:
        """Return the verdicts that bind a person who dials."""
        return check_human(self.situation)

    @property
    def priority(self) -> int:
        """Return how urgent it is, what misses raised it by included (R35): smaller is more."""
        return self.obligation.priority - self.obligation.raised

    @property
    def id(self) -> str:
        """Return the obligation's id."""
        return self.obligation.id

    @property
    def who(self) -> str:
        """Return the masked name, or the pseudonym of somebody anonymous."""
        return mask_name(self.person.name) if self.person.name else self.person.code

    @property
    def phone(self) -> str:
        """Return the masked number that would be dialled."""
        usable = numbers_for(self.person, self.obligation)
        return mask_number(next(iter(usable), None)) if usable or self.person.phones else "无"

    @property
    def poster_code(self) -> str | None:
        """Return the code of the poster that the promise came by."""
        return details_of(self.obligation).get("code")

    @property
    def wants_other_number(self) -> bool:
        """Tell whether the caller asked not to be called where they called from, and left no number."""
        return "elsewhere" in details_of(self.obligation)

    @property
    def is_owed(self) -> bool:
        """Tell whether it is due, and open."""
        return self.ended is None and self.facts.now >= self.obligation.due_at

    @property
    def is_handed_up(self) -> bool:
        """Tell whether it stands first, due or not, because somebody handed it up."""
        return self.obligation.escalated_at is not None

    @property
    def no_number(self) -> bool:
        """Tell whether there is nothing that may be dialled."""
        return not numbers_for(self.person, self.obligation)

    @property
    def level(self) -> int | None:
        """Return how great the person's danger is, whatever is owed to them here."""
        return int(self.case.level) if self.case is not None else None

    @property
    def owner(self) -> str | None:
        """Return whose it is: who took it on, the case's owner, or who tried last by hand."""
        if self.obligation.owner is not None:
            return self.obligation.owner
        if self.case is not None and self.case.owner:
            return self.case.owner
        return next((a.by for a in reversed(self.situation.attempts) if not a.is_automatic), None)

    @property
    def may_be_automatic(self) -> bool:
        """Tell whether a machine could ever place the call."""
        return self.obligation.mode is Mode.IVR_OK and not self.situation.person.high_risk

    @property
    def marks(self) -> tuple[str, ...]:
        """Return what somebody has to know before they dial."""
        if self.ended is not None:
            return ()
        asked, one = self.situation.person, self.obligation
        put_off = is_put_off(one, self.facts.now)
        found = {
            "已上报": one.escalated_at is not None,
            f"推迟到 {_wall(one.snoozed_until, self.facts)}" if one.snoozed_until else "": put_off,
            "待督导决定": self.standing.undecided,
            "免除待批": self.standing.waiver is not None,
            "拒绝来电": asked.no_outbound,
            "不接自动来电": asked.no_automation and not asked.no_outbound,
            OTHER_NUMBER: self.wants_other_number,
            "有约定": bool(self.agreed),
            "有号码不宜拨打": any(not phone.safe_to_call for phone in self.person.phones),
        }
        return tuple(mark for mark, is_so in found.items() if is_so)

    @property
    def agreed(self) -> str:
        """Say what was agreed about the number that would be dialled: whom to ask for, by which word."""
        first = next(iter(numbers_for(self.person, self.obligation)), None)
        phone = next((p for p in self.person.phones if p.number == first), None)
        return agreement_words(phone.agreed) if phone and phone.agreed != SafeContact() else ""

    @property
    def overdue(self) -> timedelta | None:
        """Return how long the promise or period has been broken; None before its end, and once it ended."""
        if self.ended is not None:
            return None
        late = self.facts.now - self.obligation.window_end
        return late if late > timedelta(0) else None

    @property
    def last_attempt(self) -> Attempt | None:
        """Return the newest attempt."""
        return self.situation.attempts[-1] if self.situation.attempts else None

    @property
    def last_result(self) -> str:
        """Say how the newest attempt ended."""
        last = self.last_attempt
        if last is None:
            return "未拨打"
        return attempt_words(last, self.progress)

    @cached_property
    def progress(self) -> Progress:
        """Return what the record of the newest attempt's call tells while it goes on."""
        return self.facts.progress_of(self.last_attempt) if self.last_attempt else Progress.NONE

    @property
    def stage(self) -> Stage | None:
        """Return how far the newest attempt has come."""
        return stage_of(self.last_attempt, self.progress) if self.last_attempt else None

    @property
    def doubt(self) -> str:
        """Say in one sentence what is known of the newest attempt, if its end is not."""
        return doubt_words(self.last_attempt, partial(_second, self.facts)) if self.last_attempt else ""

    @property
    def refused(self) -> tuple[Verdict, ...]:
        """Return the gates that refuse; a list made away from the line does not judge the line."""
        offline = self.situation.line is None
        found = refusals(self.verdicts)
        return tuple(v for v in found if not (offline and v.gate is Gate.LINE_UNKNOWN))

    @property
    def reason(self) -> str:
        """Say in one sentence why it is not kept yet, or that it ended."""
        if self.ended is not None:
            return self.ended.word
        refused = {v.gate: v for v in self.refused}
        if self.no_number and not {Gate.IN_DOUBT, Gate.LIVE_CALL} & refused.keys():
            return WHY_SENTENCES[Why.NO_NUMBER]
        by_gate = self.step.why in {Why.NO_AUTOMATION, Why.NO_NUMBER}  # there the gate says it better
        under_way = {Gate.IN_DOUBT, Gate.LIVE_CALL} & refused.keys()
        if self.step.who is Who.HUMAN and not by_gate and not under_way:
            return WHY_SENTENCES[self.step.why]
        order = [*_TELLING, *(gate for gate in Gate if gate not in _TELLING)]
        first = next((refused[gate] for gate in order if gate in refused), None)
        return first.sentence if first is not None else "排队待拨"

    @property
    def short(self) -> str:
        """Say what stands about it in a list: marks, tries and how the last ended, what holds it up."""
        tried = f"{len(self.situation.attempts)}次，{self.last_result}" if self.last_attempt else "未拨打"
        holds = _SHORT.get(self.step.why) if self.step.who is Who.HUMAN else self.reason
        if self.no_number:
            holds = "没有可拨的号码"
        return "；".join(part for part in (*self.marks, tried, holds) if part)

    @property
    def rank(self) -> tuple[object, ...]:
        """Return the place in the queue: urgent, in doubt, then R29 (`Debts.page` knows the same order)."""
        return rank(self.obligation, self.facts.now, in_doubt=is_lost(self.situation.attempts))


def view(work: UnitOfWork, obligation: Obligation, facts: LineFacts) -> DebtView:
    """Return one debt as it stands."""
    return views(work, [obligation], facts)[0]


def views(work: UnitOfWork, obligations: Sequence[Obligation], facts: LineFacts) -> list[DebtView]:
    """Return debts as they stand, in the order given, read whole: they outlive the unit of work."""
    found = unread(work, obligations, facts)
    for one in found:
        one.read()
    return found


def unread(work: UnitOfWork, obligations: Sequence[Obligation], facts: LineFacts) -> list[DebtView]:
    """Return the same, reading what is asked for when it is asked for: a clerk's list asks little."""
    ahead = read_ahead(work, obligations)
    cases = cache(lambda: worst_cases(ahead, {one.person for one in obligations}))
    standings = cache(lambda: standing_of(ahead, obligations, facts.now))
    return [
        DebtView(obligation=one, facts=facts, work=ahead, cases=cases, standings=standings)
        for one in obligations
    ]


def queue(
    work: UnitOfWork,
    facts: LineFacts,
    *,
    all_of_them: bool = False,
    today: bool = False,
    kinds: Collection[Kind] | None = None,
    limit: int | None = None,
) -> list[DebtView]:
    """Return the first open debts that are due (`today`: or will be before midnight; or all), R29's order."""
    until = until_when(facts, all_of_them=all_of_them, today=today)
    return views(work, work.debts.page(facts.now, until=until, kinds=kinds, limit=limit), facts)


def until_when(facts: LineFacts, *, all_of_them: bool = False, today: bool = False) -> datetime:
    """Return up to when a list looks ahead."""
    if all_of_them:
        return datetime.max.replace(tzinfo=UTC)
    return _midnight_after(facts) if today else facts.now


def _midnight_after(facts: LineFacts) -> datetime:
    """Return the last instant of the site's day."""
    wall = facts.now.astimezone(facts.rules.windows.zone)
    return wall.replace(hour=23, minute=59, second=59, microsecond=999999)


def file_of(work: UnitOfWork, obligation: Obligation) -> HardshipFile | None:
    """Return the file a routine debt comes from."""
    return work.people.file(file_no_of(obligation)) if obligation.kind in OF_REGISTER else None


def explain(work: UnitOfWork, shown: DebtView, facts: LineFacts) -> list[str]:
    """Return the chain of reasons, a sentence each: why it is owed, what was tried, what comes next.

    Of one that ended: how it did, and nothing that comes next.
    """
    if shown.ended is not None:
        how = ending_words(shown.ended, shown.obligation, facts.rules.windows.zone)
        return [*_why_owed(work, shown, facts), *_tried(shown, facts), how]
    missing = [_WITHOUT_NUMBER] if shown.no_number else []
    agreed = [f"拨打约定：{shown.agreed}。"] if shown.agreed else []
    return [*_why_owed(work, shown, facts), *_tried(shown, facts), *missing, *agreed, *_next(shown, facts)]


def who_may_dial(shown: DebtView) -> str:
    """Say whether a person may dial now, and else why not."""
    refused = refusals(shown.for_humans)
    if not refused:
        return "工作人员现在可以拨打。"
    return f"工作人员现在不能拨打：{'；'.join(verdict.sentence for verdict in refused)}。"


def _why_owed(work: UnitOfWork, shown: DebtView, facts: LineFacts) -> list[str]:
    one, file = shown.obligation, shown.file
    end = f"到 {_wall(one.window_end, facts)} 未联系上即为逾期。"
    if shown.ended is not None:
        end = f"期限到 {_wall(one.window_end, facts)}。"
    if case_of(one) is not None:
        return [*_why_followed(work, one, facts), end]
    if one.kind is Kind.PLANNED:
        return [*why_planned(work, one, facts), end]
    if one.kind is Kind.MISSED_CALL:
        return [*why_missed(one, facts.rules), end]
    if one.kind is Kind.VERIFY:
        return [*_why_asked(one), end]
    if file is None:
        what = "没有来得及与人通话" if "urgent" in details_of(one) else _PROMISES[one.kind]
        said = f"{_wall(one.created_at, facts)} 的通话里{what}（通话 {one.origin}）。"
        left = details_of(one)
        return [
            said,
            *(
                [f"紧急：{URGENT_WORDS.get(left['urgent'], left['urgent'])}，没有人接听。"]
                if "urgent" in left
                else []
            ),
            *(
                [f"来电时另留了号码 {mask_number(left['number'])}，先拨这个号码。"]
                if "number" in left
                else []
            ),
            *([f"{ELSEWHERE_WORDS}。"] if shown.wants_other_number else []),
            *([f"海报编号 {left['code']}。"] if "code" in left else []),
            end,
        ]
    about = f"档案 {file.file_no}：{file.grade}，{file.status.value}，自 {file.since} 起。"
    if shown.ended is not None:  # what is counted from the last contact now is the next period
        return [about, f"{_wall(one.due_at, facts)} 起应联系；{end}"]
    due = due_of(file, shown.last_contact, facts.rules, one.kind)
    contact = _wall(shown.last_contact, facts) if shown.last_contact else "没有"
    moved = "" if due.at.date() == due.period_end else "遇休息日，提前到最近的工作日。"
    day = facts.rules.calendar.day(due.period_end)
    consent = "有" if has_ivr_consent(work, one.person, facts.now) else "没有"
    return [
        about,
        f"最近一次有凭据的联系：{contact}。",
        f"从 {due.counted_from} 起算，本期到 {due.period_end} 为止。{moved}",
        *([f"注意：{day.warning}。"] if day.warning else []),
        f"{_wall(one.due_at, facts)} 起应联系；{end}",
        f"同意自动回访：{consent}。",
    ]


def _why_asked(one: Obligation) -> list[str]:
    """Say what a person has to make sure of."""
    about, _, named = one.origin.partition("/")
    match about:
        case "grade":
            return [
                f"档案 {named} 的困难类别在本站没有规则，算不出何时该联系。",
                "请改正档案的类别，或在配置 hardship.grades 里写上这一类。",
            ]
        case "exit":
            return [f"档案 {named} 已退档，要有人核对：hotline hardship confirm {named}。"]
        case _:
            bad = bad_number(one)
            return [
                f"拨打时查出号码 {mask_number(bad)} 不对，要有人核实。"
                if bad
                else "有一个号码不对，登记的人说不清是哪一个，要有人核实。",
                "查清后登记：hotline people phone set（--status），或 phone add --replaces 换上新号码。",
            ]


def _why_followed(work: UnitOfWork, one: Obligation, facts: LineFacts) -> list[str]:
    """Say of a step of a case which it is, and whose the case is: for those who see counselling only."""
    case = work.book(CASES).one(case_of(one) or "")
    owner = f"，由 {case.owner} 负责" if case is not None and case.owner else ""
    since = _wall(one.created_at, facts)
    return [
        f"{KIND_WORDS[one.kind]}：个案 {case_of(one)}{owner}。",
        f"{step_words(step_name(one))}，从 {since} 起算。",
        f"{_wall(one.due_at, facts)} 起应联系，只能由工作人员联系。",
        f"{_wall(counts_from(one.created_at, one.due_at), facts)} 起与本人的联系可以算这一步。",
    ]


def _tried(shown: DebtView, facts: LineFacts) -> list[str]:
    if not shown.situation.attempts:
        return ["还没有拨打过。" if shown.ended is None else "没有拨打过。"]
    return [line for a in shown.situation.attempts for line in _attempt_lines(a, facts)]


def _attempt_lines(attempt: Attempt, facts: LineFacts) -> list[str]:
    by = "自动" if attempt.is_automatic else attempt.by
    word = attempt_words(attempt, facts.progress_of(attempt))
    free = "" if attempt.counts or attempt.in_doubt else "（不计次数）"
    line = f"第{attempt.n}次 {_wall(attempt.at, facts)} {by}：{word}{free}（{attempt.id}）。"
    return [line, *filter(None, [doubt_words(attempt, partial(_second, facts))])]


def _next(shown: DebtView, facts: LineFacts) -> list[str]:
    step = shown.step
    who = "工作人员" if step.who is Who.HUMAN else "自动拨打"
    when = f"，不早于 {_wall(step.not_before, facts)}" if step.not_before else ""
    return [f"下一步：{who}（{WHY_SENTENCES[step.why]}）{when}。"]


def _wall(moment: datetime, facts: LineFacts) -> str:
    return moment.astimezone(facts.rules.windows.zone).strftime("%Y-%m-%d %H:%M")


def _second(facts: LineFacts, moment: datetime) -> str:
    return moment.astimezone(facts.rules.windows.zone).strftime("%m-%d %H:%M:%S")
