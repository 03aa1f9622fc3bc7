"""Things of every kind that retention looks at, for a store of any kind."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from callcenter.config import Retention
from callcenter.domain.books import (
    ASSESSMENTS,
    BLOCKS,
    CALLER_PLANS,
    CASE_EVENTS,
    CASES,
    DRAFTS,
    LOGINS,
    MERGES,
    RECORDINGS,
    REQUESTS,
    RESCUES,
    SESSION_VERSIONS,
)
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.cases import Case, CaseEvent, CaseState, Rescue, RescueState
from callcenter.domain.people import Consent, ConsentKind, FileStatus, Grade, HardshipFile, Person, Phone
from callcenter.domain.privacy import (
    Block,
    CallerPlan,
    DataRequest,
    Login,
    Merge,
    Recording,
    RequestKind,
    RequestState,
)
from callcenter.domain.retention import Plan
from callcenter.domain.risk import Assessment, Level
from callcenter.domain.sessions import Draft, SessionRow, SessionStatus, SessionVersion
from callcenter.domain.users import Role, User
from callcenter.ports import Store, UnitOfWork, UnreadRow
from callcenter.service.privacy import retention

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2030, 6, 3, 2, 0, tzinfo=UTC)
TERMS = Retention().terms


def years_ago(years: float) -> datetime:
    return NOW - timedelta(days=round(years * 365.25))


def add_users(store: Store) -> None:
    with store() as work:
        for code, role in (("x001", Role.ADMIN), ("s001", Role.SUPERVISOR), ("a001", Role.AUDITOR)):
            work.users.add(User(code=code, name="沈静", roles=frozenset({role})))
        work.commit()


def add_person(
    work: UnitOfWork, person: str, *, number: str | None = None, merged_into: str | None = None
) -> None:
    phones = (Phone(number=number),) if number else ()
    one = Person(id=person, code=f"P-{person.upper()}", name="沈建国", phones=phones, merged_into=merged_into)
    work.people.add(one)
    if merged_into is not None:
        at = years_ago(6)
        merge = Merge(id=f"me-{person}", kept=merged_into, merged=person, by="s001", at=at, reason="同一人")
        work.book(MERGES).add(merge)


def add_record(
    work: UnitOfWork, name: str, at: datetime, *, person: str | None = None, number: str | None = None
) -> None:
    """A call of half an hour, its session, one version, one assessment."""
    call = CallRecord(
        id=f"call-{name}",
        direction=Direction.INBOUND,
        outcome=Outcome.ANSWERED,
        started_at=at,
        answered_at=at,
        ended_at=at + timedelta(minutes=25),
        number=number,
        kept=("number=13800009999",),
        answers=("who5/1=3",),
    )
    work.calls.put_many([call])
    head = SessionRow(id=f"se-{name}", call=call.id, counsellor="c017", opened_at=at)
    work.sessions.open_many([head])
    done = replace(head, status=SessionStatus.SUBMITTED, person=person, version=1, submitted_at=at)
    work.sessions.update(done, seen=0)
    work.book(SESSION_VERSIONS).add(
        SessionVersion(
            id=f"{head.id}/1",
            session=head.id,
            n=1,
            status=SessionStatus.SUBMITTED,
            form="session/1",
            checksum="00",
            answers={
                "kind": "正常受理",
                "codes": ["睡眠", "工作压力"],
                "level_given": "高危",
                "facts": "睡不着",
            },
            by="c017",
            at=at,
        )
    )
    work.book(ASSESSMENTS).add(
        Assessment(
            id=f"as-{name}",
            session=head.id,
            person=person or "",
            instrument="phq9",
            version="1",
            checksum="00",
            answers={"1": 3},
            score=3,
            by="c017",
            at=at,
        )
    )


def add_draft(work: UnitOfWork, name: str, at: datetime) -> None:
    work.book(DRAFTS).add(Draft(id=f"se-{name}", by="c017", at=at, form="session/1", text="睡不着"))


def add_case(work: UnitOfWork, name: str, person: str, opened: datetime, closed: datetime | None) -> None:
    state = CaseState.ACTIVE if closed is None else CaseState.CLOSED
    case = Case(
        id=f"ca-{name}",
        person=person,
        level=Level.HIGH,
        state=state,
        owner="c017",
        opened_at=opened,
        opened_from="se-1",
        closed_at=closed,
    )
    work.book(CASES).add(case)
    work.book(CASE_EVENTS).add(CaseEvent(id=f"ce-{name}", case=case.id, kind="opened", by="c017", at=opened))
    work.book(RESCUES).add(
        Rescue(id=f"re-{name}", case=case.id, session="se-1", state=RescueState.CLOSED, agency="110")
    )


def add_file(work: UnitOfWork, person: str, since: date, status: FileStatus) -> None:
    file = HardshipFile(file_no=f"WX-{person}", person=person, grade=Grade.DEEP, status=status, since=since)
    work.people.put_file(file)
    consent = Consent(
        person=person,
        kind=ConsentKind.IVR_CHECKIN,
        granted=True,
        at=datetime(since.year, since.month, since.day, tzinfo=UTC),
        channel="form",
    )
    work.people.add_consent(consent)
    work.book(CALLER_PLANS).add(CallerPlan(id=person, by="c017", at=consent.at, instructions="慢慢说"))


def add_small_things(
    work: UnitOfWork, name: str, at: datetime, *, person: str = "", number: str = ""
) -> None:
    """A recording, a block, a login, an answered request, an unread row, all of that moment."""
    work.book(RECORDINGS).add(
        Recording(id=f"rec-{name}", call=f"call-{name}", node="message", at=at, size=9, file=f"{name}.sealed")
    )
    block = Block(
        id=f"bl-{name}", number=number or "13800007777", since=at, until=at, by="s001", reason="骚扰"
    )
    work.book(BLOCKS).add(block)
    work.book(LOGINS).add(Login(id=f"lo-{name}", user="c017", opened_at=at, seen_at=at, expires_at=at))
    work.book(REQUESTS).add(
        DataRequest(
            id=f"rq-{name}",
            person=person,
            kind=RequestKind.ACCESS,
            state=RequestState.ANSWERED,
            opened_at=at,
            due_at=at,
            by="s001",
            identity_check="核对身份证",
            answered_at=at,
            answered_by="s001",
        )
    )
    work.journal.keep_unread([UnreadRow(key=f"seg:{name}", raw=b"?", reason="columns", at=at)])


def planned(store: Store, now: datetime = NOW) -> Plan:
    with store() as work:
        return retention.plan(work, actor="x001", now=now, terms=TERMS, zone=ZONE)


def carry_out(store: Store, now: datetime = NOW, most: int = 3) -> list[retention.Gone]:
    """Look at the plan and carry it out as the command does, in small batches."""
    token = planned(store, now).token
    with store() as work:
        agreed = retention.agreed(work, token, actor="x001", now=now, terms=TERMS, zone=ZONE)
    gone = []
    for batch in agreed.batches(most):
        with store() as work:
            gone.append(
                retention.run(work, batch, actor="x001", now=now, reason="年度清理", terms=TERMS, zone=ZONE)
            )
            work.commit()
    return gone
