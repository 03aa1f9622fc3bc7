"""What may become of a case: decisions as pure functions, each returning the case and what to log.

    open -> active -> watch -> closed -> active

Software raises a level; only a person lowers it, with a reason, and from level 1 or worse only two
people, the second one a supervisor (R12). The same two close such a case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from callcenter.domain.cases import CASE_WORDS, Case, CaseState, CloseReason, Ending, Lowering
from callcenter.domain.levels import LEVEL_WORDS, Level
from callcenter.domain.reasons import SHORTEST, checked_reason, explains
from callcenter.domain.risk import Finding, RiskAnswers
from callcenter.errors import Forbidden, Refused

#: State -> where it may go. Staying is no move.
MOVES: Mapping[CaseState, frozenset[CaseState]] = MappingProxyType(
    {
        CaseState.OPEN: frozenset({CaseState.ACTIVE, CaseState.WATCH, CaseState.CLOSED}),
        CaseState.ACTIVE: frozenset({CaseState.WATCH, CaseState.CLOSED}),
        CaseState.WATCH: frozenset({CaseState.ACTIVE, CaseState.CLOSED}),
        CaseState.CLOSED: frozenset({CaseState.ACTIVE}),
    }
)
LONGEST_REASON = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """What a `CaseEvent` says, before it has an id and a moment."""

    kind: str
    before: str = ""
    after: str = ""
    #: Who proposed it, and who confirmed it; where it took one person only, neither is said here.
    first: str = ""
    second: str = ""
    reason: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A case as it will stand, and what is logged of it."""

    case: Case
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Ruling:
    """What a record makes of the level: where it stands now, and what one person proposes."""

    level: Level | None
    lower_to: Level | None = None


def ruling(finding: Finding, answers: RiskAnswers) -> Ruling:
    """Return the level a record comes to: never below what was found, unless a person gives a reason (R12).

    Raises `Refused` without one. From level 1 or worse the reason is a proposal for a second person.
    """
    found, given = finding.level, answers.given
    if given is None or found is None or given <= found:
        return Ruling(level=given if given is not None else found)
    if not explains(answers.given_reason):
        raise Refused(
            f"评估至少为 {int(found)} 级（{'；'.join(finding.reasons)}），给出的是 {int(given)} 级："
            f"请写明理由，至少 {SHORTEST} 个字（标点不算）。"
        )
    return Ruling(level=found, lower_to=given) if found.is_high else Ruling(level=given)


def relevelled(
    case: Case, level: Level, *, reason: str, now: datetime, first: str = "", second: str = ""
) -> Change:
    """Return the case at another level, or at the same one after another contact.

    The risk clock starts when it becomes this bad, and anew with each imminent danger. What somebody
    proposed before they knew of this is no longer proposed.
    """
    _check_open(case)
    after = replace(case, level=level, proposed=None, ending=None)
    if level.is_high and (level < case.level or level is Level.IMMINENT):
        after = replace(after, alarming_since=now, acknowledged_by=None, acknowledged_at=None)
    if not level.is_high:
        after = replace(after, alarming_since=None)
    if level.is_high and case.state is CaseState.WATCH:
        after = replace(after, state=CaseState.ACTIVE)
    told = Note(
        kind="level",
        before=_said(case.level),
        after=_said(level),
        first=first,
        second=second,
        reason=reason,
    )
    back = Note(kind="state", before=case.state.value, after=after.state.value, reason=reason)
    return Change(case=after, notes=(told, back) if after.state is not case.state else (told,))


def in_hand(change: Change) -> Change:
    """Return the change with the case in its owner's hands: whose record it was works on it."""
    case = replace(change.case, state=CaseState.ACTIVE)
    note = Note(kind="state", before=change.case.state.value, after=case.state.value)
    return Change(case=case, notes=(*change.notes, note))


def raised(case: Case, level: Level, *, reason: str, now: datetime) -> Change:
    """Return the case at a worse level. Anybody who works on it may raise it, and says why."""
    _check_open(case)
    if level >= case.level:
        raise Refused(
            f"{case.id} 现在是 {int(case.level)} 级，要改到更危险的级别（更小的数）；降级用 lower。"
        )
    return relevelled(case, level, reason=check_reason(reason), now=now)


def lowered(case: Case, level: Level, *, by: str, reason: str, now: datetime) -> Change:
    """Return the case at a milder level, or, at level 1 or worse, with that proposed (R12)."""
    _check_open(case)
    reason = check_reason(reason)
    if level <= case.level:
        raise Refused(f"{case.id} 现在是 {int(case.level)} 级，要改到更轻的级别（更大的数）；升级用 raise。")
    if not case.level.is_high:
        return relevelled(case, level, reason=reason, now=now)
    after = replace(case, proposed=Lowering(level=level, by=by, reason=reason, at=now), ending=None)
    note = Note(kind="proposed", before=_said(case.level), after=_said(level), reason=reason)
    return Change(case=after, notes=(note,))


def confirmed_lower(case: Case, level: Level, *, by: str, now: datetime) -> Change:
    """Return the case as proposed. `level` is what the second person saw proposed.

    Raises `Refused` to whoever proposed it, without a proposal, and where another level is proposed now.
    """
    proposed = case.proposed
    if proposed is None:
        raise Refused(f"{case.id} 没有待确认的降级。{_waiting(case)}")
    if proposed.level is not level:
        raise Refused(f"{case.id} 待确认的不是降为 {LEVEL_WORDS[level]}。{_waiting(case)}")
    _check_second(proposed.by, by)
    return relevelled(case, proposed.level, reason=proposed.reason, now=now, first=proposed.by, second=by)


def proposal(case: Case) -> str:
    """Return in words what waits for a second person, and who proposed it; empty if nothing does."""
    if case.ending is not None:
        return f"结案（{case.ending.reason.value}，{case.ending.by} 提出）"
    if case.proposed is not None:
        return f"降为 {LEVEL_WORDS[case.proposed.level]}（{case.proposed.by} 提出）"
    return ""


def proposed_why(case: Case) -> str:
    """Return the reason of whoever proposed what waits; empty if nothing does."""
    if case.ending is not None:
        return case.ending.note
    return case.proposed.reason if case.proposed is not None else ""


def _waiting(case: Case) -> str:
    waits = proposal(case)
    return f"现在待确认的是：{waits}。请看清以后再确认。" if waits else ""


def withdrawn(case: Case, *, reason: str) -> Change:
    """Return the case without what was proposed."""
    if case.proposed is None and case.ending is None:
        raise Refused(f"{case.id} 没有待确认的提议。")
    return Change(
        case=replace(case, proposed=None, ending=None),
        notes=(Note(kind="withdrawn", reason=check_reason(reason)),),
    )


def taken(case: Case, by: str) -> Change:
    """Return the case in somebody's hands: open -> active. Raises `Refused` if it is somebody else's."""
    _check_open(case)
    if case.owner not in (None, by):
        raise Refused(f"{case.id} 由 {case.owner} 负责；要换人请督导转交（--to）。")
    return _moved(replace(case, owner=by), case, _after_taking(case), "")


def handed_over(case: Case, to: str, *, reason: str) -> Change:
    """Return the case in somebody else's hands."""
    _check_open(case)
    return _moved(replace(case, owner=to), case, _after_taking(case), check_reason(reason))


def watched(case: Case, *, reason: str) -> Change:
    """Return the case as only watched: danger has passed. Raises `Refused` at level 1 or worse."""
    if case.level.is_high:
        raise Refused(f"{case.id} 是 {int(case.level)} 级，先由两人降级，再转为观察。")
    return _moved(case, case, CaseState.WATCH, check_reason(reason))


def closed(case: Case, why: CloseReason, *, by: str, note: str, now: datetime, second: str = "") -> Change:
    """Return the case closed, or, at level 1 or worse without a second person, with that proposed."""
    _check_open(case)
    note = check_reason(note)
    if case.level.is_high and not second:
        after = replace(case, ending=Ending(reason=why, note=note, by=by, at=now), proposed=None)
        return Change(case=after, notes=(Note(kind="proposed", after=why.value, reason=note),))
    _check_move(case, CaseState.CLOSED)
    after = replace(
        case,
        state=CaseState.CLOSED,
        close_reason=why,
        closed_at=now,
        proposed=None,
        ending=None,
        alarming_since=None,
    )
    first = by if second else ""
    text = Note(
        kind="closed", before=case.state.value, after=why.value, first=first, second=second, reason=note
    )
    return Change(case=after, notes=(text,))


def confirmed_ending(case: Case, why: CloseReason, *, by: str, now: datetime) -> Change:
    """Return the case closed as proposed. `why` is the reason the second person saw proposed.

    Raises `Refused` to whoever proposed it, without a proposal, and where another reason is proposed now.
    """
    ending = case.ending
    if ending is None:
        raise Refused(f"{case.id} 没有待确认的结案。{_waiting(case)}")
    if ending.reason is not why:
        raise Refused(f"{case.id} 待确认的结案原因不是“{why.value}”。{_waiting(case)}")
    _check_second(ending.by, by)
    return closed(case, ending.reason, by=ending.by, note=ending.note, now=now, second=by)


def reopened(case: Case, *, reason: str, now: datetime) -> Change:
    """Return a closed case taken up again, at the level it had."""
    if case.is_open:
        raise Refused(f"{case.id} 没有结案，不必重开。")
    again = replace(case, state=CaseState.ACTIVE, close_reason=None, closed_at=None)
    if case.level.is_high:
        again = replace(again, alarming_since=now, acknowledged_by=None, acknowledged_at=None)
    note = Note(
        kind="reopened", before=case.state.value, after=again.state.value, reason=check_reason(reason)
    )
    return Change(case=again, notes=(note,))


def acknowledged(case: Case, *, by: str, now: datetime) -> Change:
    """Return the case with a supervisor's name on it; the first name stands."""
    _check_open(case)
    if not is_alarming(case):
        raise Refused(f"{case.id} 没有待确认的高危提醒。")
    return Change(
        case=replace(case, acknowledged_by=by, acknowledged_at=now),
        notes=(Note(kind="acknowledged", after=by),),
    )


def is_alarming(case: Case) -> bool:
    """Tell whether it is at level 1 or worse and no supervisor has said that they know."""
    return case.is_open and case.level.is_high and case.acknowledged_at is None


def check_reason(reason: str) -> str:
    """Return the reason without blanks around it. Raises `Refused` if it explains nothing, or is too long."""
    text = checked_reason(reason)
    if len(text) > LONGEST_REASON:
        raise Refused(f"理由最多 {LONGEST_REASON} 个字。")
    return text


def check_mine(case: Case, actor: str, *, supervisor: bool) -> None:
    """Raise `Forbidden` unless it is the actor's own case: milder or over is no colleague's word."""
    if supervisor or case.owner == actor:
        return
    if case.owner is None:
        raise Forbidden(f"{case.id} 还没有人负责：请先接手（hotline cases take {case.id}）。")
    raise Forbidden(f"{case.id} 由 {case.owner} 负责：降级、观察、结案由负责人或督导办理；升级谁都可以。")


def _after_taking(case: Case) -> CaseState:
    return CaseState.ACTIVE if case.state is CaseState.OPEN else case.state


def _moved(after: Case, before: Case, to: CaseState, reason: str) -> Change:
    _check_open(before)
    notes = []
    if after.owner != before.owner:
        notes.append(Note(kind="owner", before=before.owner or "", after=after.owner or "", reason=reason))
    if to is not before.state:
        _check_move(before, to)
        notes.append(Note(kind="state", before=before.state.value, after=to.value, reason=reason))
    return Change(case=replace(after, state=to), notes=tuple(notes))


def _check_open(case: Case) -> None:
    if not case.is_open:
        raise Refused(f"{case.id} 已结案；要再跟进请先重开（reopen）。")


def _check_move(case: Case, to: CaseState) -> None:
    if to not in MOVES[case.state]:
        raise Refused(f"{case.id} 不能从“{CASE_WORDS[case.state]}”变为“{CASE_WORDS[to]}”。")


def _check_second(first: str, second: str) -> None:
    if first == second:
        raise Refused("要由另一个人确认：提出的人不能自己确认。")


def _said(level: Level) -> str:
    return str(int(level))
