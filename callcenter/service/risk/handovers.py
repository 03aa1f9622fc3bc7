"""Hand-overs: a call or a case goes to somebody else, and is theirs once they said so by name (R45).

Sent is not accepted: until then whose it was answers for it, and after a while supervisors are rung.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from secrets import token_hex

from callcenter.domain import case_rules
from callcenter.domain.access import Verb, may
from callcenter.domain.books import CASES, HANDOVERS
from callcenter.domain.cases import Case
from callcenter.domain.fold import LineAct, LineActKind
from callcenter.domain.handover import (
    AGENCIES,
    LONGEST_TOLD,
    Handover,
    HandoverState,
    accepted,
    checked_outsider,
    checked_told,
    is_to_agency,
    taken_back,
)
from callcenter.domain.reasons import checked_reason
from callcenter.domain.users import User
from callcenter.errors import Forbidden, NotFound, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.names import digest
from callcenter.service.risk.cases import save

#: Whom a call is handed to by phone where no supervisor is named.
LEAD = "lead"


@guarded(Verb.HANDOVER)
def give(work: UnitOfWork, about: str, to: str, *, told: str, actor: str, now: datetime) -> Handover:
    """Hand `call:<id>` or `case:<id>` to a colleague or an agency, with what they were told.

    Whose it is, or a supervisor. Raises `Refused` where one is open already, or they cannot take it.
    """
    user = allow(work, actor, Verb.HANDOVER)
    owner = _owner(work, about)
    if actor != owner and not may(user.roles, Verb.CASE_SUPERVISE):
        raise Forbidden("只能交出自己的来电或个案；请它的负责人或督导来交。")
    _check_can_take(work, about, to, actor)
    if standing := open_about(work, about):
        raise Refused(f"{standing[0].id} 还等着接下：先请对方接下，或收回（hotline handover back）。")
    one = Handover(
        id=f"ho-{token_hex(4)}",
        about=about,
        from_agent=actor,
        to=to,
        told=checked_told(told),
        sent_at=now,
        owner=(owner or "") if about.startswith("case:") else None,
    )
    work.book(HANDOVERS).add(one)
    _note(work, actor, "handover.give", one, now)
    return one


@guarded(Verb.HANDOVER)
def accept(work: UnitOfWork, handover_id: str, *, name: str = "", actor: str, now: datetime) -> Handover:
    """Take a hand-over by name: a colleague by their own, for an agency the name somebody there said.

    A case changes hands now and not before, and only from whose it was when this was sent. Raises
    `Forbidden`, `Refused`, and `Conflict` where it was taken before.
    """
    user = allow(work, actor, Verb.HANDOVER)
    one = work.book(HANDOVERS).get(handover_id)
    if is_to_agency(one):
        _check_may_register(work, one, user)
    else:
        _check_may_take(one, user)
    by = checked_outsider(name) if is_to_agency(one) else actor
    saved = work.book(HANDOVERS).put(accepted(one, by, now))
    _note(work, actor, "handover.accept", saved, now)
    if saved.about.startswith("case:") and not is_to_agency(saved):
        _move(work, saved, actor, now)
    return saved


def reassigned(work: UnitOfWork, case: Case, *, told: str, by: str, now: datetime) -> None:
    """Have a case's new owner asked to say by name that they have it; nobody else may take it any more.

    For a case a supervisor just moved. What an agency was told of it goes on waiting for a name there.
    """
    about = f"case:{case.id}"
    for one in open_about(work, about):
        if not is_to_agency(one):
            _note(work, by, "handover.back", work.book(HANDOVERS).put(taken_back(one)), now, told)
    if case.owner is None or case.owner == by:
        return
    one = Handover(
        id=f"ho-{token_hex(4)}",
        about=about,
        from_agent=by,
        to=case.owner,
        told=told[:LONGEST_TOLD],
        sent_at=now,
        owner=case.owner,
    )
    work.book(HANDOVERS).add(one)
    _note(work, by, "handover.give", one, now)


@guarded(Verb.HANDOVER)
def take_back(work: UnitOfWork, handover_id: str, *, reason: str, actor: str, now: datetime) -> Handover:
    """Take back what nobody accepted: whoever gave it, or a supervisor. Raises `Conflict`."""
    user = allow(work, actor, Verb.HANDOVER)
    one = work.book(HANDOVERS).get(handover_id)
    if actor != one.from_agent and not may(user.roles, Verb.CASE_SUPERVISE):
        raise Forbidden("由交出的人收回，或由督导收回。")
    why = checked_reason(reason)
    saved = work.book(HANDOVERS).put(taken_back(one))
    _note(work, actor, "handover.back", saved, now, why)
    return saved


@guarded(Verb.HANDOVER)
def listed(work: UnitOfWork, *, actor: str, all_of_them: bool = False) -> list[Handover]:
    """Return the open hand-overs (or all), the oldest first; a counsellor sees those from and to them."""
    user = allow(work, actor, Verb.HANDOVER)
    states = HandoverState if all_of_them else (HandoverState.OPEN,)
    found = [one for state in states for one in work.book(HANDOVERS).where(state=state)]
    sees_all = may(user.roles, Verb.CASE_SUPERVISE)
    mine = (one for one in found if sees_all or actor in (one.from_agent, one.to, one.accepted_by))
    return sorted(mine, key=lambda one: (one.sent_at, one.id))


def open_about(work: UnitOfWork, about: str) -> list[Handover]:
    """Return what nobody has accepted of a call or a case."""
    return list(work.book(HANDOVERS).where(about=about, state=HandoverState.OPEN))


def on_rows(work: UnitOfWork, acts: Sequence[LineAct], now: datetime) -> None:
    """Follow hand-overs done by phone (journal row `HANDOVER`). Told again, they change nothing (P6).

    Key 1 is a colleague's name. At an agency it is nobody's: such a hand-over stays open for a name.
    """
    rows = (act for act in acts if act.kind is LineActKind.HANDOVER)
    for act in sorted(rows, key=lambda act: (act.at, act.key)):
        match act.word("act"):
            case "sent":
                _sent(work, act)
            case "accepted":
                _accepted_by_key(work, act)
            case "back":
                _came_back(work, act)
            case _:
                pass


def _sent(work: UnitOfWork, act: LineAct) -> Handover:
    name = f"ho-{digest(act.key)}"
    known = work.book(HANDOVERS).one(name)
    if known is not None:
        return known
    one = Handover(
        id=name,
        about=f"call:{act.call}",
        from_agent=act.word("from"),
        to=act.word("to") or LEAD,
        sent_at=act.at,
    )
    work.book(HANDOVERS).add(one)
    _note(work, one.from_agent or "system", "handover.give", one, act.at)
    return one


def _accepted_by_key(work: UnitOfWork, act: LineAct) -> None:
    by = act.word("to")
    if not _is_user(work, by) or _was_told(work, act):
        return
    # An acceptance whose sending was lost is one all the same.
    one = _meant(work, act) or _sent(work, act)
    if one.state is HandoverState.OPEN:
        saved = work.book(HANDOVERS).put(accepted(one, by, act.at))
        _note(work, by, "handover.accept", saved, act.at)


def _came_back(work: UnitOfWork, act: LineAct) -> None:
    if (one := _meant(work, act)) is not None:
        saved = work.book(HANDOVERS).put(taken_back(one))
        _note(work, saved.from_agent or "system", "handover.back", saved, act.at)


def _meant(work: UnitOfWork, act: LineAct) -> Handover | None:
    """Return the newest open hand-over of the call that had been sent by then."""
    sent = [one for one in open_about(work, f"call:{act.call}") if one.sent_at <= act.at]
    return max(sent, key=lambda one: (one.sent_at, one.id), default=None)


def _was_told(work: UnitOfWork, act: LineAct) -> bool:
    return any(one.accepted_at == act.at for one in work.book(HANDOVERS).where(about=f"call:{act.call}"))


def _owner(work: UnitOfWork, about: str) -> str | None:
    kind, _, name = about.partition(":")
    match kind:
        case "call":
            return work.calls.get(name).answered_by
        case "case":
            case = work.book(CASES).get(name)
            if not case.is_open:
                raise Refused(f"{name} 已结案，不能交接。")
            return case.owner
        case _:
            raise Refused("请写明交接的是来电（--call）还是个案（--case）。")


def _check_can_take(work: UnitOfWork, about: str, to: str, actor: str) -> None:
    if to in AGENCIES:
        return
    if to == actor:
        raise Refused("不能交接给自己。")
    verb = Verb.CASE_ACT if about.startswith("case:") else Verb.HANDOVER
    try:
        allow(work, to, verb)
    except Forbidden as error:
        raise Refused(f"{error}可以交接给同事（人员代码）或 {'、'.join(AGENCIES)}。") from None


def _move(work: UnitOfWork, one: Handover, by: str, now: datetime) -> None:
    """Give a case to whoever took it by name. Raises `Refused` if it is somebody else's by now."""
    case = work.book(CASES).get(one.about.removeprefix("case:"))
    if case.owner == by:
        return
    if one.owner is not None and (case.owner or "") != one.owner:
        raise Refused(
            f"{case.id} 在这次交接之后已改由 {case.owner} 负责，不能再按 {one.id} 接下："
            f"请收回它（hotline handover back {one.id}），要换人由负责人或督导另行交接。"
        )
    save(work, case_rules.handed_over(case, by, reason=f"按交接 {one.id} 接下"), by=by, now=now)


def _check_may_register(work: UnitOfWork, one: Handover, user: User) -> None:
    """Raise `Forbidden` unless they gave it, answer for the caller, or are a supervisor."""
    if may(user.roles, Verb.CASE_SUPERVISE) or user.code in (one.from_agent, _responsible(work, one)):
        return
    raise Forbidden(f"{one.id} 由交出的人、来电或个案的负责人或督导登记；请把对方的姓名告诉他们。")


def _responsible(work: UnitOfWork, one: Handover) -> str | None:
    kind, _, name = one.about.partition(":")
    try:
        return work.book(CASES).get(name).owner if kind == "case" else work.calls.get(name).answered_by
    except NotFound:
        return None


def _check_may_take(one: Handover, user: User) -> None:
    """Raise `Forbidden` unless it was given to them, or they are a supervisor; nobody takes their own."""
    if user.code == one.from_agent:
        raise Forbidden("自己交出的要由对方接下；不交了就收回（hotline handover back）。")
    if user.code != one.to and not may(user.roles, Verb.CASE_SUPERVISE):
        raise Forbidden(f"{one.id} 不是交给您的；由对方或督导接下。")


def _is_user(work: UnitOfWork, code: str) -> bool:
    try:
        work.users.get(code)
    except NotFound:
        return False
    return True


def _note(work: UnitOfWork, actor: str, verb: str, one: Handover, at: datetime, reason: str = "") -> None:
    work.audit.append(AuditEntry(actor=actor, verb=verb, object=f"handover:{one.id}", at=at, reason=reason))
