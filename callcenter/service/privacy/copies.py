"""A person's own copy of what we keep of them (R43; art. 45 of the law on personal information).

What they told us, what was agreed with them and what happened is theirs. What others told us in
confidence, and what a counsellor thought, is not copied: the copy says so. Decision 0022.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

from callcenter.domain.access import Verb
from callcenter.domain.books import ASSESSMENTS, FORMS, HANDOVERS, SESSION_VERSIONS
from callcenter.domain.calls import CallRecord, Direction
from callcenter.domain.handover import HandoverState, is_to_agency
from callcenter.domain.instruments import load_instruments
from callcenter.domain.people import Person, SafeContact
from callcenter.domain.privacy import RequestKind, RequestState
from callcenter.domain.risk import Assessment
from callcenter.domain.sessions import SessionRow
from callcenter.domain.spreadsheets import Cell, Sheet
from callcenter.errors import Forbidden, Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.people.entries import group_of, named, own_numbers
from callcenter.service.people.phones import agreement_words
from callcenter.service.people.wishes import refusal_words
from callcenter.service.privacy.export_files import FileKind
from callcenter.service.privacy.exports import Kind, Made, make
from callcenter.service.privacy.requests import close, still_open
from callcenter.words import CONSENT_WORDS, KIND_WORDS, SPEECH_WORDS
from scheduler.obligations import OF_CASES, ClosingKind, Obligation

_MOST_CALLS = 10_000
#: Records in which somebody else speaks about the person: theirs to keep in confidence.
_BY_OTHERS = ("第三方", "未知")
#: What is copied of a record: field and heading. `facts` only after a supervisor has read it through.
_SAID = {
    "kind": "类型",
    "codes": "谈到的事",
    "actions": "约定的事",
    "referrals": "建议去处",
    "plan_signs": "安全计划:预警信号",
    "plan_coping": "安全计划:自己能做的",
    "plan_services": "安全计划:专业帮助",
    "plan_means": "安全计划:让环境安全",
}
_FACTS = {"facts": "您谈到的情况"}
#: Said in every copy.
WITHHELD = (
    "他人在保密前提下告诉我们的内容,以及涉及他人的号码、姓名,不在副本内。",
    "工作人员的工作判断与内部留痕,不在副本内。",
    "督导听线的理由、工作人员支持性谈话的备注、交接时同事间的说明,属内部留痕,也不在副本内。",
    "联系安排为何推迟、上报或免去,是工作人员之间的说明,也不在副本内。",
    "录音不随副本提供,可以预约到现场收听。",
    "量表分数只是当时的自评结果,不是结论;想了解含义,请与工作人员谈。",
    "对副本有疑问,可以提出更正或删除,我们在 15 个工作日内答复。",
)


@guarded(Verb.REQUEST_ANSWER)
def answer_access(
    work: UnitOfWork,
    request_id: str,
    *,
    form: FileKind,
    lasts: timedelta,
    zone: tzinfo,
    with_facts: bool = False,
    actor: str,
    now: datetime,
    reason: str,
) -> Made:
    """Answer a request for access with a copy, written down as an export; `exports.save` makes the file.

    `with_facts`: somebody has read the records' texts through and found nobody else in them. Raises
    `Forbidden` to whoever wrote the request down: no copy leaves by one person's word alone.
    """
    allow(work, actor, Verb.REQUEST_ANSWER)
    found = still_open(work, request_id)
    if found.kind is not RequestKind.ACCESS:
        raise Refused(f"{request_id} 不是查阅请求。")
    if found.by == actor:
        raise Forbidden("您登记的查阅请求,副本要由另一位督导核对后做。")
    person = named(work, found.person)
    sheets = copy_of(work, person, zone, with_facts=with_facts)
    made = make(
        work,
        Kind.PERSON,
        sheets,
        form=form,
        lasts=lasts,
        zone=zone,
        actor=actor,
        now=now,
        reason=f"{reason}{',含接访文字' if with_facts else ''} ({request_id})",
        about=person.id,
    )
    told = f"已提供本人副本,导出编号 {made.export.id}"
    close(work, found, RequestState.ANSWERED, told, by=actor, now=now)
    return made


def copy_of(work: UnitOfWork, person: Person, zone: tzinfo, *, with_facts: bool) -> list[Sheet]:
    """Return what we keep of somebody, as tables in plain words. For whoever was let through."""
    sheets = (
        Sheet(title="基本资料", headings=("项目", "内容"), rows=tuple(_about(work, person))),
        Sheet(
            title="同意与拒绝",
            headings=("时间", "事项", "表示", "话术与凭据"),
            rows=tuple(_wishes(work, person, zone)),
        ),
        Sheet(
            title="通话登记", headings=("时间", "方向", "时长(分钟)"), rows=tuple(_calls(work, person, zone))
        ),
        _records(work, person, zone, with_facts),
        Sheet(title="自评", headings=("日期", "量表", "分数"), rows=tuple(_scores(work, person, zone))),
        Sheet(title="联系安排", headings=("事由", "最晚", "状态"), rows=tuple(_owed(work, person, zone))),
        Sheet(
            title="转交机构",
            headings=("时间", "机构", "是否接下"),
            rows=tuple(_passed_on(work, person, zone)),
        ),
        Sheet(
            title="困难档案",
            headings=("档案编号", "类别", "状态", "起始", "区县", "所属工会"),
            rows=tuple(_files(work, person)),
        ),
        Sheet(title="说明", headings=("说明",), rows=tuple((line,) for line in WITHHELD)),
    )
    return [sheet for sheet in sheets if sheet.rows]


def _about(work: UnitOfWork, person: Person) -> Iterator[tuple[Cell, ...]]:
    yield "代号", person.code
    yield "姓名", person.name or "没有登记"
    for phone in person.phones:
        yield "电话", phone.number
        if phone.agreed != SafeContact():
            yield "电话约定", agreement_words(phone.agreed)
    yield "出生年份", person.birth_year or "没有登记"
    yield "出生月份", person.birth_month or "没有登记"
    yield "语言", SPEECH_WORDS[person.speaks]
    yield "仅由人联系", "是" if person.no_ivr else "否"


def _wishes(work: UnitOfWork, person: Person, zone: tzinfo) -> Iterator[tuple[Cell, ...]]:
    for said in work.people.consents(person.id):
        word = ("同意" if said.granted else "撤回") + _until(said.expires_at, zone)
        proof = " ".join(filter(None, (said.script_version, said.evidence)))
        yield _when(said.at, zone), CONSENT_WORDS[said.kind], word, proof
    for wish in work.people.suppressions(person.id):
        word = "恢复" if wish.lifted else "拒绝" + _until(wish.until, zone)
        yield _when(wish.at, zone), refusal_words(wish.kind, wish.topic), word, ""


def _until(moment: datetime | None, zone: tzinfo) -> str:
    return f",至 {_when(moment, zone)}" if moment is not None else ""


def _calls(work: UnitOfWork, person: Person, zone: tzinfo) -> Iterator[tuple[Cell, ...]]:
    theirs = (c for number in own_numbers(work, person) for c in work.calls.of_number(number, _MOST_CALLS))
    for call in sorted(theirs, key=lambda call: (call.started_at, call.id)):
        way = "您打来" if call.direction is Direction.INBOUND else "我们打去"
        yield _when(call.started_at, zone), way, _minutes(call)


def _minutes(call: CallRecord) -> int:
    return round(call.talk.total_seconds() / 60) if call.talk else 0


def _records(work: UnitOfWork, person: Person, zone: tzinfo, with_facts: bool) -> Sheet:
    fields = {**_SAID, **(_FACTS if with_facts else {})}
    rows = []
    for session in _own_sessions(work, person):
        answers = _answers(work, session)
        rows.append((_when(session.opened_at, zone), *(_said(answers.get(name)) for name in fields)))
    return Sheet(title="接访记录", headings=("时间", *fields.values()), rows=tuple(rows))


def _own_sessions(work: UnitOfWork, person: Person) -> list[SessionRow]:
    """Return the records of what somebody said themselves; that others called about them stays theirs."""
    sessions = (s for entry in group_of(work, person) for s in work.sessions.of_person(entry))
    own = (s for s in sessions if s.version and _answers(work, s).get("caller_type") not in _BY_OTHERS)
    return sorted(own, key=lambda session: (session.opened_at, session.id))


def _answers(work: UnitOfWork, session: SessionRow) -> Mapping[str, Any]:
    versions = work.book(SESSION_VERSIONS).where(session=session.id)
    return max(versions, key=lambda version: version.n).answers if versions else {}


def _said(value: object) -> str:
    """Return an answer in words: lists joined, of groups what was agreed and how it stands."""
    match value:
        case None:
            return ""
        case list() | tuple():
            return "、".join(filter(None, map(_said, value)))
        case Mapping():
            parts = (value.get(name) for name in ("text", "to", "state", "uptake"))
            return " ".join(str(part) for part in parts if part)
        case _:
            return str(value)


def _scores(work: UnitOfWork, person: Person, zone: tzinfo) -> Iterator[tuple[Cell, ...]]:
    own = {session.id for session in _own_sessions(work, person)}
    found = [one for entry in group_of(work, person) for one in work.book(ASSESSMENTS).where(person=entry)]
    for one in sorted(found, key=lambda one: (one.at, one.id)):
        if one.session in own and one.score is not None:
            yield _when(one.at, zone), _name_of(work, one), one.score


def _name_of(work: UnitOfWork, one: Assessment) -> str:
    """Return what an instrument is called on its own sheet, as it was in use then."""
    kept = work.book(FORMS).one(f"instrument/{one.instrument}/{one.version}")
    if kept is not None:
        return str(json.loads(kept.text)[0]["name"])
    known = load_instruments().get(one.instrument)
    return known.name if known else "自评量表"


def _owed(work: UnitOfWork, person: Person, zone: tzinfo) -> Iterator[tuple[Cell, ...]]:
    for owed in work.debts.of_person(person.id):
        state = _state(work, owed, zone)
        # Neutral: a copy may be read by whoever else is at home.
        what = "回访" if owed.kind in OF_CASES else KIND_WORDS[owed.kind]
        yield what, _when(owed.window_end, zone), state


def _state(work: UnitOfWork, owed: Obligation, zone: tzinfo) -> str:
    """Say where it stands; that it was put off and until when is the person's to know, why is not."""
    if work.debts.evidence(owed.id):
        return "已联系"
    if owed.closing is not None:
        return "这一次免去" if owed.closing.kind is ClosingKind.WAIVED else "已结束"
    return f"待联系,约在 {_when(owed.snoozed_until, zone)} 以后" if owed.snoozed_until else "待联系"


def _passed_on(work: UnitOfWork, person: Person, zone: tzinfo) -> Iterator[tuple[Cell, ...]]:
    """Yield to which agencies a call of theirs was passed on; one in which others spoke stays theirs."""
    own = {session.call for session in _own_sessions(work, person)}
    numbered = (c.id for n in own_numbers(work, person) for c in work.calls.of_number(n, _MOST_CALLS))
    calls = own | {call for call in numbered if work.sessions.of_call(call) is None}
    found = [one for call in calls for one in work.book(HANDOVERS).where(about=f"call:{call}")]
    found = [one for one in found if is_to_agency(one)]
    for one in sorted(found, key=lambda one: (one.sent_at, one.id)):
        if one.state is not HandoverState.TAKEN_BACK:
            took = "已接下" if one.state is HandoverState.ACCEPTED else "等待接下"
            yield _when(one.sent_at, zone), one.to, took


def _files(work: UnitOfWork, person: Person) -> Iterator[tuple[Cell, ...]]:
    for file in work.people.files_of(person.id):
        # The liaison is somebody else.
        yield file.file_no, file.grade, file.status, file.since, file.district, file.union_unit


def _when(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")
