"""Where a call would go: the facts as the PBX holds them, or will hold them, put through the same rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from callcenter.config import Settings
from callcenter.domain import reconcile
from callcenter.domain.access import Verb
from callcenter.domain.numbers import normalise
from callcenter.domain.reasons import SHORTEST, explains
from callcenter.domain.routing import Caller, LineRules, Step, route
from callcenter.domain.users import User
from callcenter.errors import Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.duty.presence import by_phone
from callcenter.service.followup.callers import Opening, hashed
from callcenter.service.line.load import loads_at
from callcenter.service.line.wanted import pbx_wants

#: So far from now an instant still counts as now: who is signed on is known.
_NOW = timedelta(minutes=1)
#: What is known of people only at present.
_PRESENT = (reconcile.SIGNED, reconcile.PAUSED, reconcile.DEBRIEF, reconcile.LOAD)


@dataclass(frozen=True, kw_only=True, slots=True)
class DryRun:
    """The way a call would take."""

    at: datetime
    #: True for a time to come: everybody on shift is taken to sign on, and nobody to rest or to talk.
    assumed: bool
    steps: tuple[Step, ...]


@guarded(Verb.DUTY_ROUTE)
def dry_run(
    work: UnitOfWork,
    number: str,
    code: str,
    *,
    at: datetime,
    dialect: bool = False,
    settings: Settings,
    salt: str,
    actor: str,
    now: datetime,
    reason: str = "",
) -> DryRun:
    """Return whom a call at `at` would ring. Nobody is rung and nothing is changed but the audit.

    `number` and `code` may be empty: withheld, and none keyed. Raises `Refused` for a time that is past,
    for what is no number, and without a reason where one is looked up: the answer tells whether somebody is
    known, owed, at high risk. Neither of the two is written anywhere; that somebody asked, and why, is (R17).
    """
    allow(work, actor, Verb.DUTY_ROUTE)
    if at < now - _NOW:
        raise Refused("只能试算现在或以后的来电。请检查 --at 的日期和时间。")
    caller = _caller(number, code, dialect, salt)
    if number or code:
        if not explains(reason):
            raise Refused(
                "写了号码或口令，就会看到此人是不是熟人、是否高危：请用 --reason 写明为什么查，"
                f'至少 {SHORTEST} 个字，如 --reason "核对约定的咨询员"。'
            )
        field = "number" if number else "code"
        entry = AuditEntry(
            actor=actor, verb=Verb.DUTY_ROUTE.value, object="line", at=now, field=field, reason=reason
        )
        work.audit.append(entry)
    assumed = at > now + _NOW
    loads = {} if assumed else loads_at(work, at)
    wanted = pbx_wants(work, at, salt=salt, opening=Opening.of(settings), loads=loads)
    users = by_phone(work)
    facts = _if_all_come(wanted.facts, users) if assumed else wanted.facts
    busy = frozenset() if assumed else talking(work)
    steps = route(facts, at, caller, line_rules(settings, users.values()), busy=busy)
    return DryRun(at=at, assumed=assumed, steps=steps)


def line_rules(settings: Settings, users: Iterable[User]) -> LineRules:
    """Return what the rendered dialplan has of the site's configuration. `users`: those with a phone."""
    known = list(users)
    ranked = sorted((u.escalation_rank, u.code) for u in known if u.escalation_rank is not None)
    return LineRules(
        agents=frozenset(user.code for user in known),
        chain=tuple(code for _, code in ranked),
        ring=settings.queue.ring,
        chain_ring=settings.escalation.ring,
        wish_wait=settings.queue.wish_wait,
        wait_cap=settings.queue.wait_cap,
        surge_cap=settings.duty.surge_cap,
    )


def talking(work: UnitOfWork) -> frozenset[str]:
    """Return who is with a caller now, as far as the journal was read."""
    going_on = (call for call in work.calls.open_calls() if call.parted_at is None)
    return frozenset(call.answered_by for call in going_on if call.answered_by)


def _caller(number: str, code: str, dialect: bool, salt: str) -> Caller:
    known = normalise(number) if number else None
    if number and known is None:
        raise Refused("看不懂 --caller 的号码。请写成 13800001111;不显示号码的来电请不写 --caller。")
    digits = "".join(str(int(sign)) for sign in code if sign.isdecimal())
    if code and not digits:
        raise Refused("--code 应为来电者的口令,只有数字。")
    return Caller(
        number=hashed(salt, known) if known else "",
        code=hashed(salt, digits) if digits else "",
        dialect=dialect,
    )


def _if_all_come(facts: Mapping[str, str], agents: Iterable[str]) -> dict[str, str]:
    lasting = {key: value for key, value in facts.items() if reconcile.family_of(key) not in _PRESENT}
    return lasting | {f"{reconcile.SIGNED}/{agent}": "1" for agent in agents}
