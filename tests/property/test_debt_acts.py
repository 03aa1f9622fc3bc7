"""Whatever people do with debts, in whatever order: none disappears without a name or a proof (I4, I12)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

from actors import enlist
from hypothesis import given, settings
from hypothesis import strategies as st

from callcenter.domain.books import DEBT_EVENTS, WAIVERS
from callcenter.domain.ledger import DebtAct, Decision, WaiverState
from callcenter.domain.people import FileStatus, HardshipFile, Person, Phone
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import Role, User
from callcenter.errors import CallCenterError
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.followup import handling, waiving
from callcenter.service.followup.debt_views import queue
from callcenter.service.followup.debts import line_facts, sweep
from callcenter.service.followup.ending import close, done_by_visit
from callcenter.service.risk.cases import follow
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules
from scheduler.obligations import OF_CASES, ClosingKind, Kind, Mode, Obligation
from scheduler.risk_ladder import STEPS, RiskRules

START = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
#: One step for somebody at level 1, so that it is soon the last.
RULES = Rules(visit_every=182, risk=RiskRules(steps={**STEPS, 1: STEPS[1][:1]}))
FOREVER = datetime.max.replace(tzinfo=UTC)
WHY = "本人住院，下月再联系"

#: Letting go takes two acts that fit together, so it is drawn more often.
VERBS = (
    *("ask", "grant") * 5,
    *("claim", "release", "assign", "snooze", "wake", "escalate", "decide"),
    *("outcome", "ask", "grant", "refuse", "close", "visit", "sweep"),
)
ACTORS = st.sampled_from(["s001", "s002", "s001", "s002", "c017", "c018", "k001"])
#: Which of the debts, by place; which of a verb's own choices; how many minutes go by before it.
ACTS = st.lists(
    st.tuples(
        st.sampled_from(VERBS),
        ACTORS,
        st.integers(0, 30),
        st.integers(0, 30),
        st.sampled_from([0, 1, 90, 60 * 5, 60 * 26]),
    ),
    min_size=10,
    max_size=60,
)


def world() -> UnitOfWork:
    """沈建国 is owed a check-in and a visit, 周秀英 a call back, 陈梦瑶 is in danger."""
    work: UnitOfWork = MemoryStore()().__enter__()
    enlist(work)
    for code, role in (("c018", Role.COUNSELLOR), ("s002", Role.SUPERVISOR)):
        work.users.add(User(code=code, name="吴敏华", roles=frozenset({role})))
    for n, name in enumerate(("沈建国", "周秀英", "陈梦瑶"), start=1):
        work.people.add(
            Person(id=f"p{n}", code=f"P-{n}", name=name, phones=(Phone(number=f"1380000111{n}"),))
        )
    work.people.put_file(
        HardshipFile(
            file_no="WX-1", person="p1", grade="深度困难", status=FileStatus.ACTIVE, since=date(2026, 10, 1)
        )
    )
    sweep(work, START, rules=RULES)
    for kind, person in ((Kind.CALLBACK, "p2"), (Kind.VERIFY, "p2"), (Kind.PLANNED, "p1")):
        owed = Obligation(
            id=f"ob-{kind}",
            person=person,
            kind=kind,
            due_at=START,
            window_end=START + timedelta(hours=2),
            mode=Mode.HUMAN_ONLY,
            origin=f"of-{kind}",
            created_at=START,
        )
        assert work.debts.add(owed)
    follow(
        work,
        session=SessionRow(id="se-3", call="3", counsellor="c017", opened_at=START - timedelta(days=1)),
        person="p3",
        answers=RiskAnswers(asked=True, plan_soon=True),
        ended_at=START - timedelta(days=1),
        actor="c017",
        now=START - timedelta(days=1),
        rules=RULES,
    )
    return work


def act(work: UnitOfWork, verb: str, actor: str, debt: str, choice: int, now: datetime) -> None:
    asked = sorted(waiver.id for waiver in work.book(WAIVERS).where(state=WaiverState.OPEN))
    waiver = asked[choice % len(asked)] if asked else "wv-none"
    heard = sorted(handling.HEARD)
    verbs: dict[str, Callable[[], object]] = {
        "claim": lambda: handling.claim(work, debt, actor=actor, now=now),
        "release": lambda: handling.release(work, debt, actor=actor, now=now),
        "assign": lambda: handling.assign(work, debt, "c018", actor=actor, now=now),
        "snooze": lambda: handling.snooze(
            work, debt, now + timedelta(hours=choice), reason=WHY, actor=actor, now=now, rules=RULES
        ),
        "wake": lambda: handling.wake(work, debt, actor=actor, now=now),
        "escalate": lambda: handling.escalate(work, debt, reason=WHY, actor=actor, now=now),
        "decide": lambda: handling.decide(
            work, debt, list(Decision)[choice % 4], reason=WHY, actor=actor, now=now
        ),
        "outcome": lambda: handling.outcome(work, debt, heard[choice % len(heard)], actor=actor, now=now),
        "ask": lambda: waiving.ask(work, debt, reason=WHY, actor=actor, now=now),
        "grant": lambda: waiving.grant(work, waiver, actor=actor, now=now),
        "refuse": lambda: waiving.refuse(work, waiver, reason=WHY, actor=actor, now=now),
        "close": lambda: close(work, debt, reason=WHY, actor=actor, now=now),
        "visit": lambda: done_by_visit(
            work,
            debt,
            f"2026-{choice}",
            actor=actor,
            now=now,
            at=now,
            met="本人",
            note="情绪平稳",
            visitors=("c017", "s001"),
        ),
        "sweep": lambda: sweep(work, now, rules=RULES),
    }
    with suppress(CallCenterError):
        verbs[verb]()


@settings(max_examples=60)
@given(ACTS)
def test_i12_no_debt_disappears_without_a_name_or_a_proof(
    steps: list[tuple[str, str, int, int, int]],
) -> None:
    work, now = world(), START
    known: dict[str, Obligation] = {}
    told: list[object] = []
    for verb, actor, which, choice, minutes in steps:
        now += timedelta(minutes=minutes)
        known |= {o.id: o for p in ("p1", "p2", "p3") for o in work.debts.of_person(p)}
        in_danger = [o.id for o in work.debts.open(person="p3")]
        debts = in_danger if which % 2 else sorted(known)
        act(work, verb, actor, debts[which % len(debts)], choice, now)
        shown = {o.id for o in work.debts.page(now, until=FOREVER)}
        for debt in known:
            _check_whereabouts(work, debt, debt in shown)
        after = [(e.id, e.act, e.by, e.at, e.reason) for e in work.book(DEBT_EVENTS).where()]
        assert [event for event in after if event in told] == told, "history only grows"
        told = after  # type: ignore[assignment]
    assert any(o.kind is Kind.HIGH_RISK for o in work.debts.open(person="p3")), "I3"
    listed = queue(work, line_facts(work, now, None, RULES), all_of_them=True)
    assert {view.id for view in listed} == {o.id for o in work.debts.open()}


def _check_whereabouts(work: UnitOfWork, debt: str, is_shown: bool) -> None:
    one, proofs = work.debts.get(debt), work.debts.evidence(debt)
    assert is_shown is (one.closing is None and not proofs)
    if one.closing is not None and one.closing.kind is ClosingKind.WAIVED:
        assert one.closing.by in {"s001", "s002"}
        assert one.closing.reason
        granted = [w for w in waiving.waivers_of(work, debt) if w.state is WaiverState.GRANTED]
        assert len(granted) == 1
        two = {granted[0].asked_by, granted[0].decided_by}
        assert one.kind not in OF_CASES or one.kind is Kind.FOLLOW_UP or two == {"s001", "s002"}
    acts = [event.act for event in handling.history(work, debt)]
    assert acts.count(DebtAct.WAIVED) == (one.closing is not None and one.closing.kind is ClosingKind.WAIVED)
