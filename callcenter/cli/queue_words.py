"""What a debt is to whoever has to get it done, in words."""

from __future__ import annotations

from callcenter.service.followup.debt_views import OTHER_NUMBER, DebtView
from callcenter.words import ELSEWHERE_WORDS


def remark(shown: DebtView) -> str | None:
    """Say what has to be known before anybody dials, in whole sentences."""
    said = (ELSEWHERE_WORDS if mark == OTHER_NUMBER else mark for mark in shown.marks)
    return "；".join(said) or None


def overdue_for(shown: DebtView) -> str | None:
    """Say for how long its promise or period has been broken; None: not yet."""
    if shown.overdue is None:
        return None
    minutes = int(shown.overdue.total_seconds() // 60)
    if minutes < 60:
        return f"{minutes}分"
    return f"{minutes // 1440}天" if minutes >= 1440 else f"{minutes // 60}小时"
