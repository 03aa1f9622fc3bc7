"""Rescues: which step may follow which, which facts help, and what has to be said before one ends (R14).

needed -> requested -> dispatched -> contact_confirmed -> closed
                                  -> not_found -> further_step...
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from callcenter.domain.cases import RESCUE_WORDS, Rescue, RescueState, RescueStep
from callcenter.domain.reasons import checked_reason
from callcenter.errors import Refused

S = RescueState
#: State -> which may follow. A further step may follow itself; contact may be confirmed at any time.
NEXT: Mapping[RescueState, frozenset[RescueState]] = MappingProxyType(
    {
        S.NEEDED: frozenset({S.REQUESTED, S.CONTACT_CONFIRMED}),
        S.REQUESTED: frozenset({S.REQUESTED, S.DISPATCHED, S.CONTACT_CONFIRMED, S.NOT_FOUND, S.FURTHER_STEP}),
        S.DISPATCHED: frozenset({S.CONTACT_CONFIRMED, S.NOT_FOUND, S.FURTHER_STEP}),
        S.NOT_FOUND: frozenset({S.FURTHER_STEP, S.DISPATCHED, S.CONTACT_CONFIRMED}),
        S.FURTHER_STEP: frozenset({S.FURTHER_STEP, S.DISPATCHED, S.NOT_FOUND, S.CONTACT_CONFIRMED}),
        S.CONTACT_CONFIRMED: frozenset({S.CLOSED}),
        S.CLOSED: frozenset(),
    }
)
#: What those who are sent have to know, in the order in which it is asked.
FACTS: Mapping[str, str] = MappingProxyType(
    {
        "address": "地址（用话说清楚）",
        "landmark": "附近的标志物",
        "alone": "是否独自一人",
        "means": "手边有什么危险的东西",
        "helper": "谁能赶到",
        "callback": "回拨号码",
    }
)
AGENCIES = ("110", "120", "119", "12356", "家属", "单位", "社区", "其他")
CONSENTS = ("yes", "no", "not_possible")
_LONGEST = 500


def stepped(rescue: Rescue, state: RescueState, *, note: str, by: str, now: datetime) -> Rescue:
    """Return the rescue one entry further. Raises `Refused` where it cannot go there."""
    if state not in NEXT[rescue.state] or state is S.CLOSED:
        raise Refused(
            f"{rescue.id} 现在是“{RESCUE_WORDS[rescue.state]}”，下一步可以是：{next_words(rescue)}。"
        )
    # That somebody was met ends a search, so it has to say who met them where.
    told = evidence(note) if state is S.CONTACT_CONFIRMED else checked(note)
    step = RescueStep(state=state, at=now, by=by, note=told)
    return replace(rescue, state=state, steps=(*rescue.steps, step))


def next_words(rescue: Rescue) -> str:
    """Return in words what may follow, in the order of the list."""
    return "、".join(RESCUE_WORDS[state] for state in S if state in NEXT[rescue.state]) or "（没有了）"


def with_facts(rescue: Rescue, facts: Mapping[str, str]) -> Rescue:
    """Return the rescue with more facts known. Raises `Refused` for a fact nobody asks for."""
    _check_open(rescue)
    for name, value in facts.items():
        if name not in FACTS:
            raise Refused(f"没有“{name[:20]}”这一项。可登记：{'、'.join(FACTS)}。")
        checked(value)
    known = {**rescue.facts, **{name: value.strip() for name, value in facts.items()}}
    return replace(rescue, facts=known)


def missing_facts(rescue: Rescue) -> tuple[str, ...]:
    """Return the facts nobody has told yet, in the order in which they are asked."""
    return tuple(name for name in FACTS if not rescue.facts.get(name, "").strip())


def ended(rescue: Rescue, *, reason: str, by: str, supervisor: bool, now: datetime) -> Rescue:
    """Return the rescue closed: after confirmed contact, or by a supervisor with a reason (R14)."""
    _check_open(rescue)
    if rescue.state is not S.CONTACT_CONFIRMED and not supervisor:
        raise Refused("还没有确认救援人员见到本人：继续跟进，或请督导写明理由后结束。")
    step = RescueStep(state=S.CLOSED, at=now, by=by, note=evidence(reason))
    return replace(rescue, state=S.CLOSED, steps=(*rescue.steps, step))


def checked(text: str) -> str:
    """Return a note without blanks around it. Raises `Refused` if it says nothing, or too much."""
    told = text.strip()
    if not any(map(str.isalnum, told)) or len(told) > _LONGEST:
        raise Refused(f"请写明情况（最多 {_LONGEST} 个字）。")
    return told


def evidence(text: str) -> str:
    """Return a text that has to explain something. Raises `Refused` if it does not, or is too long."""
    return checked_reason(checked(text))


def _check_open(rescue: Rescue) -> None:
    if rescue.state is S.CLOSED:
        raise Refused(f"{rescue.id} 已经结束。")
