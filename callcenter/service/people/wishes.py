"""What somebody agreed to, refused and took back: their own words, appended and never changed.

A refusal ends by its date, or by the person's own word with something that proves it. Nothing else lifts
one: no list, no merge, no number that is added (R32).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from callcenter.domain.access import Verb, may
from callcenter.domain.people import (
    Consent,
    ConsentKind,
    Person,
    Suppression,
    SuppressionKind,
    in_force,
    lasts_as_long,
)
from callcenter.domain.reasons import checked_reason, storable
from callcenter.domain.users import User
from callcenter.errors import NotFound, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.people.nearness import asked_for, changed_by, check_changes
from callcenter.words import KIND_WORDS, SUPPRESSION_WORDS
from scheduler.obligations import OF_CASES, Kind

#: By which way somebody said it. This, the script's version and the evidence stand in clear: never in
#: one's own words.
CHANNELS = ("电话", "当面", "表格", "短信", "微信", "网上")
_SCRIPT = re.compile(r"[A-Za-z0-9._-]{0,20}", re.ASCII)
#: A paper's number: it has a digit, and no row of digits that could be a telephone or an identity card.
_PAPER = re.compile(r"(?:表|同意书|登记表|回执)?(?=[^0-9]*[0-9])[A-Za-z0-9./_-]{1,32}号?", re.ASCII)
_LONG_NUMBER = re.compile(r"[0-9]{7}")
#: What somebody may want no calls about. Who is in danger is followed whatever was said before.
TOPICS = tuple(kind for kind in Kind if kind not in OF_CASES and kind is not Kind.VERIFY)


@guarded(Verb.PEOPLE_CONSENT)
def record_consent(
    work: UnitOfWork,
    person_id: str,
    kind: ConsentKind,
    granted: bool,
    *,
    channel: str,
    script_version: str = "",
    evidence: str = "",
    expires_at: datetime | None = None,
    actor: str,
    now: datetime,
) -> Consent:
    """Append what somebody agreed to or took back; the last statement of a kind counts (PIPL art. 15).

    `evidence`: a call on record or a paper's number. `expires_at`: the yes ends by itself then. Raises
    `Refused` for words of one's own where codes stand in clear.
    """
    user = allow(work, actor, Verb.PEOPLE_CONSENT)
    if channel not in CHANNELS or not _SCRIPT.fullmatch(script_version):
        ways = "、".join(CHANNELS)
        raise Refused(f"同意的途径是其中一种:{ways};话术版本只写字母、数字和 . _ -(如 2026-1)。")
    if expires_at is not None and (not granted or expires_at <= now):
        raise Refused("到期时间只用于同意,而且要在将来。")
    person = _of_whom(work, user, person_id, now)
    said = Consent(
        person=person.id,
        kind=kind,
        granted=granted,
        at=now,
        channel=channel,
        script_version=script_version,
        evidence=checked_evidence(work, evidence),
        expires_at=expires_at,
    )
    work.people.add_consent(said)
    _note(work, actor, "people.consent" if granted else "people.withdraw", person, now, field=kind)
    return said


@guarded(Verb.PEOPLE_CONSENT)
def opt_out(
    work: UnitOfWork,
    person_id: str,
    kind: SuppressionKind,
    *,
    until: datetime | None = None,
    topic: str = "",
    actor: str,
    now: datetime,
    reason: str = "",
) -> Suppression:
    """Append an opt-out. It works at once, binds every entry of theirs, and survives imports (R32).

    `until`: it ends by itself then, unless an older one holds longer. `topic`: of `TOPIC`, one of `TOPICS`.
    """
    user = allow(work, actor, Verb.PEOPLE_CONSENT)
    _check_topic(kind, topic)
    if until is not None and until <= now:
        raise Refused("截止时间要在将来。")
    person = _of_whom(work, user, person_id, now)
    wish = Suppression(person=person.id, kind=kind, at=now, reason=storable(reason), until=until, topic=topic)
    work.people.add_suppression(wish)
    _note(work, actor, "people.optout", person, now, field=topic or kind, reason=reason)
    return wish


@guarded(Verb.PEOPLE_OPTIN)
def opt_in(
    work: UnitOfWork,
    person_id: str,
    kind: SuppressionKind,
    *,
    topic: str = "",
    evidence: str,
    actor: str,
    now: datetime,
    reason: str,
) -> Suppression:
    """Append the person's own word that an opt-out no longer holds; it works at once.

    Raises `Refused` without a reason, without something that proves it, or where nothing of the kind is
    in force; `Forbidden` to a counsellor who does not work with them.
    """
    person = changed_by(work, person_id, verb=Verb.PEOPLE_OPTIN, actor=actor, now=now)
    told, proof = checked_reason(reason), checked_evidence(work, evidence)
    _check_topic(kind, topic)
    if not proof:
        raise Refused("恢复来电要有凭据:本人说这句话的那通电话的编号,或本人签的表的编号。")
    holds = in_force(work.people.suppressions(person.id), now)
    if not any((one.kind, one.topic) == (kind, topic) for one in holds):
        standing = "、".join(refusal_words(one.kind, one.topic) for one in holds) or "没有"
        raise Refused(f"没有这样的拒绝可以取消。现在的拒绝:{standing}。")
    word = Suppression(
        person=person.id, kind=kind, at=now, reason=f"{told} ({proof})", topic=topic, lifted=True
    )
    work.people.add_suppression(word)
    _note(work, actor, "people.optin", person, now, field=topic or kind, reason=word.reason)
    return word


def bind_again(
    work: UnitOfWork, person_id: str, before: Iterable[Sequence[Suppression]], now: datetime
) -> None:
    """Say again what held before two entries, or a person and a number, came together (R32).

    A word that lifted one side's refusal says nothing of the other side's.
    """
    for wish in (wish for said in before for wish in in_force(said, now)):
        holds = in_force(work.people.suppressions(person_id), now)
        same = (one for one in holds if (one.kind, one.topic) == (wish.kind, wish.topic))
        if not any(lasts_as_long(one, wish) for one in same):
            work.people.add_suppression(replace(wish, person=person_id, at=now))


def bind_by_number(work: UnitOfWork, person_id: str, before: Sequence[Suppression], now: datetime) -> None:
    """Let what an erased person refused on a number bind whoever has it now (R32).

    `before`: what bound them until they got the number. Whatever they had lifted by then was of their own.
    """
    added = [one for one in work.people.suppressions(person_id) if one not in before]
    bind_again(work, person_id, [added], now)


def refusal_words(kind: SuppressionKind, topic: str) -> str:
    """Return an opt-out in words."""
    return f"不接{KIND_WORDS[Kind(topic)]}的来电" if topic in set(Kind) else SUPPRESSION_WORDS[kind]


def checked_evidence(work: UnitOfWork, said: str) -> str:
    """Return what proves a word: a call on record or a paper's number; raise `Refused` for anything else.

    It stands in clear, so a name or a number of somebody's is refused.
    """
    told = storable(said)
    if not told or _is_call(work, told) or (_PAPER.fullmatch(told) and not _LONG_NUMBER.search(told)):
        return told
    raise Refused(
        "凭据写通话编号,或纸质表的编号(字母、数字和 - / . _,如 同意书2026-17)。"
        "它不加密保存,请不要写姓名、电话或证件号。"
    )


def _is_call(work: UnitOfWork, told: str) -> bool:
    try:
        return work.calls.get(told).id == told
    except NotFound:
        return False


def _check_topic(kind: SuppressionKind, topic: str) -> None:
    if (kind is SuppressionKind.TOPIC) != bool(topic) or (topic and topic not in TOPICS):
        raise Refused(f"可以单独拒绝的事项:{'、'.join(f'{one}({KIND_WORDS[one]})' for one in TOPICS)}。")


def _of_whom(work: UnitOfWork, user: User, name: str, now: datetime) -> Person:
    """Return whose wishes somebody may write down: whom they work with; a clerk, of those with a file."""
    person = asked_for(work, name, user=user)
    if may(user.roles, Verb.PEOPLE_CHANGE):
        check_changes(work, user, person, now)
    return person


def _note(
    work: UnitOfWork,
    actor: str,
    verb: str,
    person: Person,
    now: datetime,
    *,
    field: str,
    reason: str = "",
) -> None:
    entry = AuditEntry(
        actor=actor, verb=verb, object=f"person:{person.id}", at=now, field=str(field), reason=reason
    )
    work.audit.append(entry)
