"""Holds what is on record against what SIPp itself saw. Tolerance: one second."""

from __future__ import annotations

import wave
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from callcenter.demo.cast import CALL_BACK, FINE, NO_CONSENT
from callcenter.demo.sipp import CallTiming
from callcenter.demo.stage import Stage
from callcenter.domain.calls import OFFERED, CallRecord, Direction, Outcome
from callcenter.service.line.records import was_talk
from ivr.flow import Menu
from ivr.loader import shipped
from scheduler.obligations import Kind

CLOSE = timedelta(seconds=1)


@dataclass(slots=True)
class Played:
    """What was played, by SIPp's own log."""

    callers: dict[str, CallTiming] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)
    abandoned: set[str] = field(default_factory=set)
    overflowed: set[str] = field(default_factory=set)
    #: Calls that reached each counsellor's phone.
    phones: dict[str, list[CallTiming]] = field(default_factory=dict)
    #: Calls that reached the duty mobile, and the voicemail.
    mobile: list[CallTiming] = field(default_factory=list)
    voicemail: list[CallTiming] = field(default_factory=list)
    #: The line called itself and came through.
    self_dial: bool = False
    #: Check-in calls by number.
    checkins: dict[str, list[CallTiming]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One figure that was looked at."""

    text: str
    right: bool


def verify(stage: Stage, played: Played, began: datetime) -> list[Finding]:
    """Return every figure with its verdict."""
    with stage.app.store() as work:
        calls = list(work.calls.between(began - timedelta(minutes=1), datetime.now(UTC)))
        sessions = [session.call for session in work.sessions.all()]
        unread = work.journal.unread_count()
    inbound = {c.number or "": c for c in calls if c.direction is Direction.INBOUND}
    return [
        *_outcomes(played, inbound, len([c for c in calls if c.direction is Direction.INBOUND])),
        *_one_session_each(calls, sessions),
        *_times(stage, played, inbound),
        *_voicemail(played, inbound),
        Finding(text="自拨的电话从外线打了进来", right=played.self_dial),
        *_debts(stage, played),
        Finding(text=f"读不懂的记录:{unread} 行", right=unread == 0),
        *_replay(stage),
    ]


def _outcomes(played: Played, inbound: dict[str, CallRecord], count: int) -> list[Finding]:
    tally = Counter(call.outcome for call in inbound.values())
    offered = [call for call in inbound.values() if call.offered_at is not None]
    parts = [tally[outcome] for outcome in OFFERED]
    names = ("接听", "放弃", "溢出", "承诺回电", "系统故障")
    said = " + ".join(f"{name} {part}" for name, part in zip(names, parts, strict=True))
    wanted = {
        Outcome.ANSWERED: played.answered,
        Outcome.ABANDONED: played.abandoned,
        Outcome.OVERFLOWED: played.overflowed,
    }
    as_played = all(
        {number for number, call in inbound.items() if call.outcome is outcome} == numbers
        for outcome, numbers in wanted.items()
    )
    return [
        Finding(text=f"打进来 {len(played.callers)} 通,记录 {count} 通", right=count == len(played.callers)),
        Finding(text=f"进线 {len(offered)} = {said}", right=len(offered) == sum(parts)),
        Finding(text="每一通的结果与排练一致", right=as_played),
    ]


def _one_session_each(calls: list[CallRecord], sessions: list[str]) -> list[Finding]:
    answered = {call.id for call in calls if was_talk(call)}
    right = len(sessions) == len(set(sessions)) and set(sessions) == answered
    return [Finding(text=f"接听 {len(answered)} 通,接访记录 {len(sessions)} 条,一通一条", right=right)]


def _times(stage: Stage, played: Played, inbound: dict[str, CallRecord]) -> list[Finding]:
    """Compare wait and talk: SIPp saw the caller's answer, the other side's answer, and both ends."""
    greeting = _greeting(stage)
    others = [timing for timings in played.phones.values() for timing in timings] + played.mobile
    findings = []
    for number, seen in played.callers.items():
        call = inbound.get(number)
        if call is None or seen.answered_at is None or seen.ended_at is None:
            findings.append(Finding(text=f"…{number[-4:]} 没有记录", right=False))
            continue
        queued = seen.answered_at + greeting
        if call.answered_at is None:
            findings.append(_near(number, "等待", call.wait, seen.ended_at - queued))
            continue
        other = _met(others, seen, call)
        if other is None or other.answered_at is None or other.ended_at is None:
            findings.append(Finding(text=f"…{number[-4:]} 对方话机没有这一通", right=False))
            continue
        if call.answered_via == "queue":
            findings.append(_near(number, "等待", call.wait, other.answered_at - queued))
        talk_began = other.answered_at if call.answered_via == "queue" else call.answered_at
        findings.append(_near(number, "通话", call.talk, other.ended_at - talk_began))
    return findings


def _met(others: list[CallTiming], seen: CallTiming, call: CallRecord) -> CallTiming | None:
    """Return the other side's call that ended when this one did."""
    near = [t for t in others if t.ended_at and t.answered_at and call.ended_at and call.answered_at]
    return min(
        (t for t in near if t.ended_at and t.invited_at >= seen.invited_at),
        key=lambda t: abs((t.answered_at or t.invited_at) - (call.answered_at or seen.invited_at)),
        default=None,
    )


def _near(number: str, what: str, recorded: timedelta | None, seen: timedelta) -> Finding:
    right = recorded is not None and abs(recorded - seen) <= CLOSE
    said = "—" if recorded is None else f"{recorded.total_seconds():.2f}"
    text = f"…{number[-4:]} {what}:记录 {said} 秒,SIPp {seen.total_seconds():.2f} 秒"
    return Finding(text=text, right=right)


def _greeting(stage: Stage) -> timedelta:
    """Return how long a caller who presses nothing waits for the queue: guard, sentences, last key."""
    flow = shipped("inbound")
    greet = flow.nodes["greet"]
    if not isinstance(greet, Menu):
        raise TypeError("the inbound flow greets by a menu")
    said = sum((_length(stage, prompt) for prompt in greet.prompts), timedelta())
    return flow.guard + said + greet.timeout


def _length(stage: Stage, prompt: str) -> timedelta:
    with wave.open(str(stage.folder / "asterisk/sounds/zh/hotline" / f"{prompt}.wav")) as sound:
        return timedelta(seconds=sound.getnframes() / sound.getframerate())


def _voicemail(played: Played, inbound: dict[str, CallRecord]) -> list[Finding]:
    picked_up = any(timing.answered_at is not None for timing in played.voicemail)
    counted = any(inbound[n].answered_at is not None for n in played.overflowed if n in inbound)
    return [
        Finding(text="语音信箱确实应答了,没有被算作接听", right=picked_up and not counted),
    ]


def _debts(stage: Stage, played: Played) -> list[Finding]:
    with stage.app.store() as work:
        owed: dict[str, set[Kind]] = {}
        now = stage.app.clock()
        for debt in work.debts.open():
            # The next period is not due, and no call ends the visit that everybody on the register is owed.
            if debt.due_at <= now and debt.kind is not Kind.VISIT:
                owed.setdefault(work.people.get(debt.person).phones[0].number, set()).add(debt.kind)
        fine = work.people.by_number(FINE)
        proven = fine is not None and fine.id in work.debts.last_contacts()
    called = {number: len(calls) for number, calls in played.checkins.items()}
    return [
        Finding(text="按 1 的职工有凭据,不再欠", right=proven and FINE not in owed),
        Finding(text="按 2 的职工欠一个人工回电", right=Kind.CALLBACK in owed.get(CALL_BACK, ())),
        Finding(text="没有同意自动回访的职工没有被自动拨打", right=called.get(NO_CONSENT) == 0),
        Finding(text=f"没有接听和没有同意的职工还欠着(共欠 {len(owed)} 位)", right=len(owed) == 3),
    ]


def _replay(stage: Stage) -> list[Finding]:
    """Forget every call row, read the journal again, and compare."""
    stage.stop_serving()
    before = stage.hotline_json("calls", "list", "--all")
    stage.hotline("calls", "replay")
    after = stage.hotline_json("calls", "list", "--all")
    return [Finding(text=f"清空后重放:{len(after)} 通,与原表相同", right=before == after and bool(after))]
