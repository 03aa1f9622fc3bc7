"""Calls that were no counselling, written in two keystrokes: what has to be true before one may be.

Two keystrokes state facts. So each kind says only what the call's own record bears out, or what the
counsellor says themselves (R9); whoever may be in danger is never written off this way.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from callcenter.domain.session_words import NOT_ASKED, QUICK, SHORT, WRONG_NUMBER
from callcenter.errors import Refused

#: The longest talk that was none: somebody hung up before a word.
SHORT_TALK = timedelta(seconds=10)
#: Nobody needs longer to find that they dialled a wrong number; after that somebody has to say so.
WRONG_NUMBER_TALK = timedelta(seconds=60)


def quick_answers(kind: str, why: str | None = None) -> dict[str, Any]:
    """Return the whole record of a call that was no counselling.

    `why`: why the risk question was not asked, where the kind does not say it. Raises `Refused` for a
    kind that needs a whole record, and for a reason that is none (R9).
    """
    if kind not in QUICK:
        raise Refused(f"「{kind[:20]}」要写完整的记录。可以这样登记的:{'、'.join(QUICK)}。")
    why = QUICK[kind] or why
    if why not in NOT_ASKED:
        raise Refused(f"「{kind}」要说明为什么没有问自杀危险:{'、'.join(NOT_ASKED)}。")
    return {"kind": kind, "risk_asked": False, "not_asked_reason": why}


def check_length(kind: str, talk: timedelta | None) -> None:
    """Raise `Refused` for a short call that was none, by the call's own record. None: nobody knows."""
    if kind != SHORT or (talk is not None and talk <= SHORT_TALK):
        return
    most = round(SHORT_TALK.total_seconds())
    known = "通话记录里没有时长" if talk is None else f"通话记录里谈了 {round(talk.total_seconds())} 秒"
    raise Refused(f"「{SHORT}」只用于 {most} 秒以内的通话;{known}。请选别的类型,或写整条记录。")


def needs_confirming(kind: str, talk: timedelta | None) -> bool:
    """Tell whether somebody has to say again that it was a wrong number: the talk was long for one."""
    return kind == WRONG_NUMBER and (talk is None or talk > WRONG_NUMBER_TALK)
