"""Who listened to which call: granted and audited first, told by the journal, seen by whom it concerns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from callcenter.domain.books import LISTENINGS
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.fold import LineAct
from callcenter.domain.folding.facts import LineActKind
from callcenter.domain.listening import Listening, ListenMode
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import Forbidden, NotFound, Refused
from callcenter.memory import MemoryCallControl
from callcenter.ports import Store
from callcenter.service.line import listening

CALL = "pbx1-1700000000.7"
WHY = "新咨询员第一次独立接听"
EAR = "PJSIP/c001-0000001f"


def open_call(now: datetime, **changes: object) -> CallRecord:
    told: dict[str, object] = {
        "id": CALL,
        "direction": Direction.INBOUND,
        "outcome": Outcome.OPEN,
        "started_at": now,
        "answered_at": now,
        "answered_by": "c001",
    }
    return CallRecord(**{**told, **changes})  # type: ignore[arg-type]


@pytest.fixture
def begin(store: Store, now: datetime) -> Callable[..., None]:
    def make(call: CallRecord | None = None) -> None:
        roles = {
            "c001": Role.COUNSELLOR,
            "c002": Role.COUNSELLOR,
            "s001": Role.SUPERVISOR,
            "a001": Role.AUDITOR,
            "x001": Role.ADMIN,
        }
        with store() as work:
            for code, role in roles.items():
                sip = PhoneKind.SIP
                work.users.add(User(code=code, name="林晓燕", roles=frozenset({role}), phone=sip))
            work.users.add(User(code="s002", name="陈静", roles=frozenset({Role.SUPERVISOR})))
            work.calls.put_many([call or open_call(now)])
            work.commit()

    return make


def grant(store: Store, now: datetime, mode: ListenMode = ListenMode.LISTEN, ear: str = EAR) -> Listening:
    with store() as work:
        call = listening.talk_of(work, "c001", mode, actor="s001")
        granted = listening.grant(work, call, mode, ear, actor="s001", now=now, reason=WHY)
        work.commit()
    return granted


def act_of(listening_id: str, act: str, at: datetime) -> LineAct:
    words = (("act", act), ("listening", listening_id))
    return LineAct(key=f"{act}:{at}", kind=LineActKind.LISTEN, call=listening_id, words=words, at=at)


@pytest.mark.parametrize(
    ("mode", "verb", "said"),
    [
        (ListenMode.LISTEN, "call.listen", WHY),
        (ListenMode.WHISPER, "call.whisper", WHY),
        (ListenMode.BARGE, "call.barge", f"三方通话：{WHY}"),
    ],
)
def test_it_is_written_down_and_audited_before_any_phone_rings(
    store: Store, now: datetime, begin: Callable[..., None], mode: ListenMode, verb: str, said: str
) -> None:
    begin()
    granted = grant(store, now, mode)
    with store() as work:
        (row,) = work.book(LISTENINGS).where(call=CALL)
        assert (row.agent, row.by, row.mode, row.reason) == ("c001", "s001", mode, WHY)
        assert (row.started_at, row.ended_at) == (None, None)
        (entry,) = work.audit.recent(1)
        assert (entry.actor, entry.verb, entry.object) == ("s001", verb, f"call:{CALL}")
        assert entry.reason == said
    calls = MemoryCallControl()
    asyncio.run(listening.place(calls, granted, EAR, shown_number="051012345678"))
    (placed,) = calls.placed
    assert (placed.id, placed.flow, placed.first_ring) == (granted.id, "listen", "s001")
    assert placed.variables == {"LISTENING": granted.id, "MODE": mode.value, "EAR": EAR}


def test_only_a_call_somebody_talks_in_can_be_listened_to(
    store: Store, now: datetime, begin: Callable[..., None]
) -> None:
    begin(open_call(now, answered_at=None, answered_by=None))
    with store() as work:
        with pytest.raises(Refused, match="还没有人接听"):
            listening.talk_of(work, CALL, ListenMode.LISTEN, actor="s001")
        with pytest.raises(NotFound):
            listening.talk_of(work, "c002", ListenMode.LISTEN, actor="s001")
        over = open_call(now, outcome=Outcome.ANSWERED, ended_at=now)
        work.calls.put_many([over])
        with pytest.raises(NotFound):
            listening.talk_of(work, CALL, ListenMode.LISTEN, actor="s001")
    with pytest.raises(Refused):
        asyncio.run(listening.ear_of(MemoryCallControl(), open_call(now)))


def test_of_a_call_that_came_in_the_other_side_is_the_counsellor_of_one_we_placed_it_is_its_own(
    now: datetime,
) -> None:
    calls = MemoryCallControl()
    calls.talks[CALL] = EAR
    assert asyncio.run(listening.ear_of(calls, open_call(now))) == EAR
    ours = open_call(now, id="at-1", direction=Direction.OUTBOUND)
    assert asyncio.run(listening.ear_of(calls, ours)) == "at-1"


def test_nobody_listens_without_a_phone_a_reason_or_to_themselves(
    store: Store, now: datetime, begin: Callable[..., None]
) -> None:
    begin()
    with store() as work:
        call = work.calls.get(CALL)
        mode = ListenMode.LISTEN
        with pytest.raises(Forbidden):
            listening.grant(work, call, mode, EAR, actor="c002", now=now, reason=WHY)
        with pytest.raises(Refused, match="理由"):
            listening.grant(work, call, mode, EAR, actor="s001", now=now, reason=" ")
        with pytest.raises(Refused, match="电话"):
            listening.grant(work, call, mode, EAR, actor="s002", now=now, reason=WHY)
        own = "PJSIP/s001-00000002"
        with pytest.raises(Refused, match="自己"):
            listening.grant(work, call, mode, own, actor="s001", now=now, reason=WHY)
        assert not work.book(LISTENINGS).where()
        assert not work.audit.recent(9)


def test_a_call_that_was_handed_on_is_whose_it_is_now(
    store: Store, now: datetime, begin: Callable[..., None]
) -> None:
    begin(open_call(now, rung=("c001=answered", "c002=answered")))
    assert grant(store, now, ear="PJSIP/c002-00000007").agent == "c002"
    assert grant(store, now, ear="Local/c002@hotline-mobile-00000001;1").agent == "c002"
    assert grant(store, now, ear="PJSIP/trunk-00000001").agent == "c001"
    with store() as work:
        assert listening.talk_of(work, "c002", ListenMode.LISTEN, actor="s001").id == CALL


def test_who_may_know_is_the_counsellor_whose_call_it_is_supervisors_and_auditors(
    store: Store, now: datetime, begin: Callable[..., None]
) -> None:
    begin()
    granted = grant(store, now)
    with store() as work:
        for who in ("s001", "s002", "a001"):
            assert [one.id for one in listening.ears_on(work, CALL, actor=who)] == [granted.id]
            assert [one.reason for one in listening.ears(work, 9, actor=who)] == [WHY]
        assert [one.reason for one in listening.ears_on(work, CALL, actor="c001")] == [""]
        assert [one.by for one in listening.ears(work, 9, actor="c001", call=CALL)] == ["s001"]
        for who in ("c002", "x001"):
            assert listening.ears_on(work, CALL, actor=who) == []
        assert listening.ears(work, 9, actor="c002") == []
        with pytest.raises(Forbidden):
            listening.ears(work, 9, actor="x001")


def test_the_journal_tells_when_it_began_and_ended_once(
    store: Store, now: datetime, begin: Callable[..., None]
) -> None:
    begin()
    granted = grant(store, now)
    began, ended = now + timedelta(seconds=9), now + timedelta(minutes=3)
    acts = [act_of(granted.id, "start", began), act_of(granted.id, "end", ended)]
    acts += [act_of("ls-nobody", "start", began), act_of(granted.id, "end", ended + timedelta(hours=1))]
    for _ in range(2):
        with store() as work:
            listening.on_line_acts(work, acts, now)
            work.commit()
    with store() as work:
        (seen,) = listening.ears_on(work, CALL, actor="s001")
    assert (seen.started_at, seen.ended_at) == (began, ended)
