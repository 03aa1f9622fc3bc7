"""Books: which values the store keeps whole and sealed, and the few columns of each that stand in clear.

A book's value is one frozen dataclass with an `id` and a `revision`. All of it is sealed in the column
`body`; what a look-up needs, and nothing else, is repeated in clear columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from callcenter.domain.cases import Case, CaseEvent, Rescue
from callcenter.domain.handover import Handover
from callcenter.domain.households import Household, ImportProfile
from callcenter.domain.ledger import DebtEvent, DiallerPause, Plan, ShiftSheet, Waiver
from callcenter.domain.listening import Listening
from callcenter.domain.privacy import (
    Block,
    CallerPlan,
    Credential,
    DataRequest,
    Export,
    Hold,
    Login,
    Merge,
    Recording,
    Tombstone,
)
from callcenter.domain.risk import Assessment
from callcenter.domain.roster import Need, Override, Publication, Surge, Swap, Template
from callcenter.domain.sessions import Draft, FormText, SessionVersion
from callcenter.domain.staff import AttendanceCorrection, Debrief, StaffProfile

T = TypeVar("T")
Clear = Literal["text", "whole", "moment"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BookOf(Generic[T]):
    """One kind of value: its table, its type, its clear columns, and whether rows may change."""

    table: str
    of: type[T]
    clear: dict[str, Clear]
    #: What one of it is called, to people.
    called: str
    #: Rows are added and never changed; they go only with a tombstone for `tombstone` (an attribute).
    append_only: bool = False
    #: Attribute that names whose tombstone lets a row go: `session` -> `session:<its value>`.
    goes_with: str = ""


FORMS = BookOf(table="forms", called="表单", of=FormText, clear={}, append_only=True)
SESSION_VERSIONS = BookOf(
    table="session_versions",
    called="接访记录的版本",
    of=SessionVersion,
    clear={"session": "text", "n": "whole", "at": "moment"},
    append_only=True,
    goes_with="session",
)
DRAFTS = BookOf(table="drafts", called="草稿", of=Draft, clear={"by": "text", "at": "moment"})
ASSESSMENTS = BookOf(
    table="assessments",
    called="评估",
    of=Assessment,
    clear={"session": "text", "person": "text"},
    append_only=True,
    goes_with="session",
)
CASES = BookOf(
    table="cases",
    called="个案",
    of=Case,
    clear={"person": "text", "state": "text", "level": "whole", "owner": "text"},
)
CASE_EVENTS = BookOf(
    table="case_events",
    called="个案经过",
    of=CaseEvent,
    clear={"case": "text", "at": "moment"},
    append_only=True,
    goes_with="case",
)
RESCUES = BookOf(table="rescues", called="紧急救援", of=Rescue, clear={"case": "text", "state": "text"})
CALLER_PLANS = BookOf(table="caller_plans", called="约定", of=CallerPlan, clear={})
BLOCKS = BookOf(table="blocks", called="停接", of=Block, clear={"until": "moment"})
MERGES = BookOf(table="merges", called="合并", of=Merge, clear={"kept": "text", "merged": "text"})
REQUESTS = BookOf(
    table="requests",
    called="本人请求",
    of=DataRequest,
    clear={"person": "text", "kind": "text", "state": "text", "due_at": "moment"},
)
HOLDS = BookOf(table="holds", called="保全", of=Hold, clear={"object": "text", "released_at": "moment"})
TOMBSTONES = BookOf(
    table="tombstones",
    called="删除记录",
    of=Tombstone,
    clear={"object": "text", "rule": "text", "at": "moment"},
    append_only=True,
)
EXPORTS = BookOf(
    table="exports", called="导出", of=Export, clear={"expires_at": "moment", "deleted_at": "moment"}
)
CREDENTIALS = BookOf(table="credentials", called="登录凭据", of=Credential, clear={})
LOGINS = BookOf(table="logins", called="登录", of=Login, clear={"user": "text", "expires_at": "moment"})
RECORDINGS = BookOf(table="recordings", called="留言", of=Recording, clear={"call": "text", "at": "moment"})
NEEDS = BookOf(table="shift_needs", called="班次人数要求", of=Need, clear={})
TEMPLATES = BookOf(table="shift_templates", called="班次模板", of=Template, clear={})
OVERRIDES = BookOf(table="shift_overrides", called="班次调整", of=Override, clear={"template": "text"})
SWAPS = BookOf(table="shift_swaps", called="换班", of=Swap, clear={"shift": "text", "state": "text"})
PUBLICATIONS = BookOf(table="publications", called="排班发布", of=Publication, clear={"at": "moment"})
SURGES = BookOf(table="surges", called="高峰接听", of=Surge, clear={})
STAFF = BookOf(table="staff_profiles", called="人员特长", of=StaffProfile, clear={})
DEBRIEFS = BookOf(table="debriefs", called="通话后支持", of=Debrief, clear={"agent": "text", "state": "text"})
CORRECTIONS = BookOf(
    table="attendance_corrections",
    called="考勤更正",
    of=AttendanceCorrection,
    clear={"agent": "text", "at": "moment"},
)
HANDOVERS = BookOf(
    table="handovers", called="交接", of=Handover, clear={"about": "text", "state": "text", "to": "text"}
)
LISTENINGS = BookOf(
    table="listenings",
    called="督导听线",
    of=Listening,
    clear={"call": "text", "by": "text", "asked_at": "moment"},
)
HOUSEHOLDS = BookOf(table="households", called="家庭", of=Household, clear={})
IMPORT_PROFILES = BookOf(table="import_profiles", called="名单格式", of=ImportProfile, clear={})
PLANS = BookOf(table="contact_plans", called="联系计划", of=Plan, clear={"person": "text", "state": "text"})
DEBT_EVENTS = BookOf(
    table="debt_events",
    called="待办经过",
    of=DebtEvent,
    clear={"obligation": "text", "act": "text", "at": "moment"},
)
WAIVERS = BookOf(table="waivers", called="免除", of=Waiver, clear={"obligation": "text", "state": "text"})
DIALLER_PAUSES = BookOf(table="dialler_pauses", called="外呼暂停", of=DiallerPause, clear={})
SHIFT_SHEETS = BookOf(
    table="shift_sheets", called="交班单", of=ShiftSheet, clear={"state": "text", "at": "moment"}
)

BOOKS: tuple[BookOf[Any], ...] = (
    FORMS,
    SESSION_VERSIONS,
    DRAFTS,
    ASSESSMENTS,
    CASES,
    CASE_EVENTS,
    RESCUES,
    CALLER_PLANS,
    BLOCKS,
    MERGES,
    REQUESTS,
    HOLDS,
    TOMBSTONES,
    EXPORTS,
    CREDENTIALS,
    LOGINS,
    RECORDINGS,
    NEEDS,
    TEMPLATES,
    OVERRIDES,
    SWAPS,
    PUBLICATIONS,
    SURGES,
    STAFF,
    DEBRIEFS,
    CORRECTIONS,
    HANDOVERS,
    LISTENINGS,
    HOUSEHOLDS,
    IMPORT_PROFILES,
    PLANS,
    DEBT_EVENTS,
    WAIVERS,
    DIALLER_PAUSES,
    SHIFT_SHEETS,
)
