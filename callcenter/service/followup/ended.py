"""How a debt ended: by what proves a contact, or by a name and with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from callcenter.service.followup.settling import SYSTEM
from scheduler.obligations import BY_IVR, ClosingKind, Evidence, EvidenceKind, Obligation

_PROOF_WORDS = {
    EvidenceKind.IVR_KEY: "本人在自动回访里按键确认",
    EvidenceKind.HUMAN_TALK: "与本人通话",
    EvidenceKind.HOME_VISIT: "上门走访",
}
_CLOSING_WORDS = {
    ClosingKind.SUPERSEDED: "由另一件代替",
    ClosingKind.WAIVED: "由督导免除",
    ClosingKind.REFUSED: "本人不愿意",
    ClosingKind.LEFT: "已退档，或计划、个案已结束",
    ClosingKind.DIED: "本人去世",
    ClosingKind.WRONG_PERSON: "不是本人",
    ClosingKind.DUPLICATE: "重复登记",
    ClosingKind.VERIFIED: "已经核实",
    ClosingKind.OTHER: "写明理由结束",
}
_NOBODY = frozenset({SYSTEM, BY_IVR})


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """When, by whom and how a debt ended."""

    at: datetime
    by: str
    how: EvidenceKind | ClosingKind
    #: Id of the call, or number of the visit, that proves a contact; None: it ended without one.
    evidence: str | None = None
    #: Why it ended without contact. For who sees counselling only.
    reason: str = field(default="", repr=False)

    @property
    def word(self) -> str:
        """Say in a word how it ended."""
        return "已结束" if self.evidence is None else "已完成"


def ending_of(obligation: Obligation, proofs: Iterable[Evidence]) -> Ending | None:
    """Return how a debt ended, by its first proof if it has one; None: it is open."""
    proof = min(proofs, key=lambda one: (one.at, one.id), default=None)
    if proof is not None:
        return Ending(at=proof.at, by=proof.by, how=proof.kind, evidence=proof.reference)
    closing = obligation.closing
    if closing is None:
        return None
    return Ending(at=closing.at, by=closing.by, how=closing.kind, reason=closing.reason)


def ending_words(ended: Ending, obligation: Obligation, zone: tzinfo, *, reason: bool = True) -> str:
    """Return in a sentence how a debt ended: when, how, by whom, why, and whether it was late."""
    late = "，已过期限" if ended.at > obligation.window_end else ""
    by = "系统" if ended.by in _NOBODY else ended.by
    told = f"{ended.at.astimezone(zone):%Y-%m-%d %H:%M} {ended.word}{late}："
    if isinstance(ended.how, EvidenceKind):
        return f"{told}{_PROOF_WORDS[ended.how]}，凭据 {ended.evidence}，{by} 登记。"
    why = f"理由：{ended.reason.rstrip('。')}。" if reason and ended.reason else ""
    return f"{told}{_CLOSING_WORDS[ended.how]}，{by} 登记。{why}"
