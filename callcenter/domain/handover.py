"""A caller or a case goes to somebody else: open until that person says by name that they have it (R45)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from callcenter.domain.reasons import checked_reason
from callcenter.errors import Conflict, Refused


class HandoverState(StrEnum):
    """Sent and read is not accepted."""

    OPEN = "open"
    ACCEPTED = "accepted"
    TAKEN_BACK = "taken_back"


@dataclass(frozen=True, kw_only=True, slots=True)
class Handover:
    """One hand-over, to a colleague or to an agency (110, 120, 12356)."""

    id: str
    #: `call:<id>` or `case:<id>`.
    about: str
    from_agent: str
    #: A user's code, or an agency's name.
    to: str
    #: What they were told.
    told: str = field(default="", repr=False)
    sent_at: datetime
    state: HandoverState = HandoverState.OPEN
    #: The name of the person who took it: a user's code, or what somebody at the agency said.
    accepted_by: str = field(default="", repr=False)
    accepted_at: datetime | None = None
    #: Whose the case was when this was sent: once it is somebody else's, this can no longer move it.
    #: Empty: nobody's. None: of no case, or from before this was kept.
    owner: str | None = None
    revision: int = 0


#: Agencies a caller or a case is handed to; who takes it there is known only by the name they say.
AGENCIES = ("110", "120", "12356")
#: As people read them.
HANDOVER_WORDS = {
    HandoverState.OPEN: "等待接下",
    HandoverState.ACCEPTED: "已接下",
    HandoverState.TAKEN_BACK: "已收回",
}
#: Words that name nobody, the longest first: of "120 接线员" nothing is left, of "周调度员" a name is.
_NOBODY = sorted(
    "他 她 他们 她们 对方 有人 别人 某人 人家 大家 那边 的 人员 接线员 接警员 接警 调度员 调度 工作人员 "
    "值班员 值班人员 值班 医生 护士 警察 警官 民警 老师 同志 客服 平台 热线 中心 急救 指挥 公安 派出所 "
    "姓名 工号 不知道 不清楚 不详 未知 没问 匿名 无名".split(),
    key=len,
    reverse=True,
)
_SHORTEST_NAME, _LONGEST_NAME = 2, 40
LONGEST_TOLD = 500


def is_to_agency(one: Handover) -> bool:
    """Tell whether somebody outside the line is to take it."""
    return one.to in AGENCIES


def accepted(one: Handover, name: str, at: datetime) -> Handover:
    """Return the hand-over in this person's hands. Raises `Conflict` unless it is open (R45)."""
    _check_open(one)
    return replace(one, state=HandoverState.ACCEPTED, accepted_by=checked_name(name), accepted_at=at)


def taken_back(one: Handover) -> Handover:
    """Return the hand-over as given up by who sent it. Raises `Conflict` unless it is open."""
    _check_open(one)
    return replace(one, state=HandoverState.TAKEN_BACK)


def checked_name(name: str) -> str:
    """Return a name without blanks around it. Raises `Refused` for none: "they" have accepted nothing."""
    told = name.strip()
    if not any(map(str.isalpha, told)) or len(told) > _LONGEST_NAME:
        raise Refused(f"请写明对方是谁接下的（--name，最多 {_LONGEST_NAME} 个字）。")
    return told


def checked_outsider(name: str) -> str:
    """Return the name somebody at an agency said. Raises `Refused` for words that name nobody."""
    told = checked_name(name)
    said = "".join(filter(str.isalnum, told))
    for agency in AGENCIES:
        said = said.replace(agency, "")
    left = said
    for word in _NOBODY:
        left = left.replace(word, "")
    if len(said) < _SHORTEST_NAME or not left:
        raise Refused("这不是人名：请问清对方的姓名或工号，如 --name 周调度员、--name 工号3307。")
    return told


def checked_told(told: str) -> str:
    """Return what was told. Raises `Refused` if that says nothing, or too much."""
    if len(told) > LONGEST_TOLD:
        raise Refused(f"告知的内容最多 {LONGEST_TOLD} 个字。")
    return checked_reason(told)


def _check_open(one: Handover) -> None:
    match one.state:
        case HandoverState.OPEN:
            return
        case HandoverState.ACCEPTED:
            raise Conflict(f"{one.id} 已经有人接下。")
        case HandoverState.TAKEN_BACK:
            raise Conflict(f"{one.id} 已经收回。")
        case _:
            assert_never(one.state)
