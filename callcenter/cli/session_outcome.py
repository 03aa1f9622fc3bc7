"""What became of a record that was submitted, a line each; and ringing the supervisors where that is due."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import click

from callcenter.bootstrap import App
from callcenter.cli.common import said
from callcenter.cli.session_screen import minute, row, say
from callcenter.domain.alarms import AlarmKind
from callcenter.domain.case_rules import is_alarming
from callcenter.domain.cases import Case
from callcenter.domain.levels import Level
from callcenter.domain.session_words import LEVELS
from callcenter.ports import UnitOfWork
from callcenter.service.followup.case_steps import step_name
from callcenter.service.followup.debts import rules_of
from callcenter.service.line.alarms import policy_of, raise_alarm
from callcenter.service.line.risk_clock import unacknowledged
from callcenter.service.sessions.writing import Submitted
from callcenter.words import step_words


@dataclass(frozen=True, kw_only=True, slots=True)
class Rung:
    """Whether the supervisors are being called now. None: it is not due (yet)."""

    now: bool | None = None


def ring(app: App, work: UnitOfWork, done: Submitted, *, actor: str) -> Rung:
    """Ring the supervisors for a case at level 0 that none of them knows, as a rescue does."""
    return ring_for(app, work, done.case, actor=actor)


def ring_for(app: App, work: UnitOfWork, case: Case | None, *, actor: str) -> Rung:
    """Ring for a case at level 0 that no supervisor knows: now, not at the next look (R14)."""
    if case is None or case.level is not Level.IMMINENT or not is_alarming(case):
        return Rung()
    rules = rules_of(app.settings)
    waiting = " ".join(unacknowledged(work, app.clock(), rules.risk))
    policy = policy_of(app.settings.alarms, rules.risk)
    kind = AlarmKind.RISK_UNACKNOWLEDGED
    rung = raise_alarm(work, app.road, kind, waiting, app.clock(), policy=policy, actor=actor)
    # An alarm somebody acknowledged stays quiet: then nobody is being called.
    return Rung(now=rung.rung_at is not None) if rung.is_open else Rung()


def say_submitted(app: App, done: Submitted, rung: Rung) -> None:
    """Say what became of a record."""
    for line in _lines(app, done, rung):
        say(line)


def _lines(app: App, done: Submitted, rung: Rung) -> Iterator[str]:
    yield f"{done.session.id} 已提交(第 {done.session.version} 版)。"
    if done.finding.level is not None:
        yield f"评估:{LEVELS[done.finding.level]}。{';'.join(done.finding.reasons)}"
    elif done.finding.reasons:
        yield f"评估:{';'.join(done.finding.reasons)}"
    if done.case is not None:
        yield from _of_case(app, done, done.case, rung)
    yield from _of_report(done)
    if done.after.person is not None and not done.after.is_reachable:
        yield from _unreachable(done, done.after.person)
    yield from (f"※ {line}" for line in (*done.marks, *done.tips))


def _of_case(app: App, done: Submitted, case: Case, rung: Rung) -> Iterator[str]:
    yield f"个案 {case.id}:{LEVELS[case.level]},负责人 {said(case.owner)}"
    yield from (f"救援 {one}:还没有结束。进展用 hotline rescue step 登记" for one in done.after.rescues)
    yield from _of_supervisors(app, case, rung)
    if case.level is Level.IMMINENT and done.after.is_live:
        yield "请留在线上陪着来电者。"
    if case.proposed is not None and case.proposed.by == done.version.by:
        yield f"您给的较低级别({LEVELS[case.proposed.level]})已作为提议,等督导确认。"
    for one in done.after.owed:
        yield (f"要做:{step_words(step_name(one))},{minute(one.due_at)} 起,最迟 {minute(one.window_end)}")


def _of_supervisors(app: App, case: Case, rung: Rung) -> Iterator[str]:
    if rung.now is not None:
        failed = "没能呼叫督导(电话系统写不进去),请马上打电话告诉督导!"
        yield "正在呼叫督导。" if rung.now else failed
    elif is_alarming(case) and case.level is Level.IMMINENT:
        yield "还没有督导确认这个个案,请马上打电话告诉督导!"
    elif is_alarming(case):
        within = rules_of(app.settings).risk.acknowledge_within
        yield f"还没有督导确认这个个案。请告诉督导;{round(within.total_seconds() / 60)} 分钟没有确认会响铃。"
    elif case.level.is_high and case.acknowledged_by:
        yield f"督导 {case.acknowledged_by} 已知道这个个案。"


def _of_report(done: Submitted) -> Iterator[str]:
    if not done.report:
        return
    yield f"疑似侵害未成年人:{'、'.join(done.report)}。"
    yield "法律要求立即向公安等部门报告(未成年人保护法第11条),请现在就告诉督导、马上报告。"
    yield f"报告之后登记:hotline sessions amend {done.session.id}"
    yield f"登记好之前它一直列着,由 {said(done.session.counsellor)} 负责:hotline sessions list --reports"


def _unreachable(done: Submitted, person: str) -> Iterator[str]:
    yield f"没有可拨的号码:{person} 名下没有能拨打的电话。"
    third = bool(done.version.answers.get("caller_type") == "第三方")
    whose = "第三方的联系方式,或" if third else ""
    yield f"知道的请补上({whose}能安全打回的号码):"
    yield f"  hotline people phone add {person} --number -"


def submitted_row(done: Submitted, rung: Rung) -> dict[str, object]:
    """Return what became of a record, for JSON."""
    case, after = done.case, done.after
    return {
        **row(done.session),
        "level_found": None if done.finding.level is None else int(done.finding.level),
        "reasons": list(done.finding.reasons),
        "case": case.id if case else None,
        "level": int(case.level) if case else None,
        "proposed": int(case.proposed.level) if case and case.proposed else None,
        "rescues": list(after.rescues),
        "supervisor_called": rung.now,
        "owed": [_owed_row(step_name(one), one.due_at, one.window_end) for one in after.owed],
        "person": after.person,
        "reachable": after.is_reachable,
        "report_owed": list(done.report),
        "marks": list(done.marks),
        "tips": list(done.tips),
    }


def _owed_row(step: str, due: datetime, breach: datetime) -> dict[str, object]:
    return {"step": step, "due_at": due.isoformat(), "breach_at": breach.isoformat()}


def leave(code: int) -> None:
    """End the command with a code: what it was asked for was not done."""
    click.get_current_context().exit(code)
