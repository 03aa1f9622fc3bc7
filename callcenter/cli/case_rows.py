"""Rows of `hotline cases`: what is shown of a case, masked, and what is to be done with it now."""

from __future__ import annotations

from datetime import datetime

from callcenter.cli.common import local
from callcenter.domain.case_rules import proposal
from callcenter.domain.cases import CASE_WORDS, Case, CaseEvent, CaseState
from callcenter.domain.levels import LEVEL_WORDS, Level
from callcenter.domain.numbers import mask_name
from callcenter.domain.people import Person
from callcenter.service.followup.case_steps import step_name
from callcenter.service.risk import case_verbs as service
from callcenter.service.risk.case_verbs import CaseView
from callcenter.words import EVENT_WORDS, KIND_WORDS, step_words
from scheduler.obligations import Obligation


def confirming(case: Case) -> str:
    """Return the command that confirms what is proposed."""
    if case.ending is not None:
        return f"hotline cases confirm {case.id} --closing {case.ending.reason.value}"
    level = "" if case.proposed is None else int(case.proposed.level)
    return f"hotline cases confirm {case.id} --level {level}"


def _next_act(view: CaseView) -> str:
    """Return what is to be done now, and by which command."""
    case = view.case
    if not case.is_open:
        return f"再有危险时：hotline cases reopen {case.id}（督导）"
    acts = []
    if service.is_alarming(case):
        acts.append(f"督导具名：hotline cases ack {case.id}")
    if proposal(case):
        acts.append(f"另一位督导确认：{confirming(case)}")
    if case.owner is None or case.state is CaseState.OPEN:
        acts.append(f"{case.owner or '有人'}接手：hotline cases take {case.id}")
    if view.steps:
        acts.append(f"{local(view.steps[0].due_at)[:11]} 随访：hotline queue dial {view.steps[0].id}")
    return "；".join(acts) or f"写下结论：降级（lower）、观察（watch）或结案（close {case.id}）"


def _state_words(case: Case) -> str:
    """Return the state in words that are true: a case somebody has is not waiting for anybody else."""
    waits = case.state is CaseState.OPEN and case.owner is not None
    return "待负责人接手" if waits else CASE_WORDS[case.state]


def case_row(view: CaseView, now: datetime) -> dict[str, object]:
    """Return what the list shows of a case. No reason and no name in clear."""
    case, first = view.case, next(iter(view.steps), None)
    return {
        "id": case.id,
        "level": int(case.level),
        "level_text": LEVEL_WORDS[case.level],
        "name": _name_of(view.person),
        "code": view.person.code,
        "state": case.state,
        "state_text": _state_words(case),
        "owner": case.owner,
        "opened_at": case.opened_at,
        "opened_from": case.opened_from,
        "acknowledged_by": case.acknowledged_by,
        "acknowledged_at": case.acknowledged_at,
        "proposed_text": proposal(case) or None,
        "next_act": _next_act(view),
        "close_reason": case.close_reason,
        "next_due": first.due_at if first else None,
        "next_text": local(first.due_at)[:11] if first else None,
        "remark": _remark(view, now),
    }


def _remark(view: CaseView, now: datetime) -> str | None:
    case = view.case
    found = {
        "待督导确认": service.is_alarming(case),
        "待第二人确认": bool(proposal(case)),
        "随访逾期": any(step.window_end < now for step in view.steps),
    }
    return " ".join(word for word, holds in found.items() if holds) or None


def _name_of(person: Person) -> str:
    return mask_name(person.name) if person.name else person.code


def step_row(one: Obligation) -> dict[str, object]:
    """Return one contact that is owed."""
    return {
        "id": one.id,
        "kind": one.kind,
        "kind_text": KIND_WORDS[one.kind],
        "step": step_name(one),
        "step_text": step_words(step_name(one)),
        "due_at": one.due_at,
        "due_text": local(one.due_at)[:11],
        "breach_at": one.window_end,
        "breach_text": local(one.window_end)[:11],
    }


def event_row(one: CaseEvent) -> dict[str, object]:
    """Return one entry of a case's log, as it is kept and in words."""
    return {
        "at": one.at,
        "kind": one.kind,
        "kind_text": EVENT_WORDS.get(one.kind, one.kind),
        "before": one.before,
        "before_text": _value_words(one.kind, one.before),
        "after": one.after,
        "after_text": _value_words(one.kind, one.after),
        "by": one.by,
        "second": one.second,
        "reason": one.reason,
    }


def _value_words(kind: str, value: str) -> str:
    """Return what a log entry's value means: a level, a state, or what it says itself."""
    if kind in ("level", "opened", "proposed") and value.isdigit():
        return LEVEL_WORDS[Level(int(value))]
    known = {state.value: words for state, words in CASE_WORDS.items()}
    return known.get(value, value)


def plain_rows(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return rows that stand inside another one as JSON can hold them."""
    return [
        {key: value.isoformat() if isinstance(value, datetime) else value for key, value in row.items()}
        for row in rows
    ]
