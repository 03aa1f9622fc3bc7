"""A small line whose roster goes out to files and comes in from them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from callcenter.domain.duty import Shift, ShiftKind
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.duty import calendars, importing, tables
from callcenter.service.duty.filed import Filing, read_text
from callcenter.service.duty.importing import Difference

ZONE = ZoneInfo("Asia/Shanghai")
#: A Friday afternoon, the week before.
NOW = datetime(2026, 11, 27, 6, 0, tzinfo=UTC)
COUNSELLORS = {"c001": "周敏", "c002": "吴芳芳", "c003": "郑洁"}
CODES = frozenset({*COUNSELLORS, "s001", "d001"})


def wall(day: int, hour: int = 0, minute: int = 0, month: int = 12) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=ZONE).astimezone(UTC)


def shift(
    id_: str,
    agent: str,
    start: datetime,
    hours: float = 6,
    kind: ShiftKind = ShiftKind.LINE,
    source: str = "",
) -> Shift:
    return Shift(id=id_, agent=agent, start=start, length=timedelta(hours=hours), kind=kind, source=source)


def enrol(work: UnitOfWork) -> None:
    """Let a line have three counsellors, a supervisor and a clerk."""
    for code, name in COUNSELLORS.items():
        roles = frozenset({Role.COUNSELLOR})
        work.users.add(User(code=code, name=name, roles=roles, phone=PhoneKind.SIP))
    supervisor = frozenset({Role.SUPERVISOR})
    work.users.add(User(code="s001", name="孙立", roles=supervisor, phone=PhoneKind.SIP, alarm_rank=1))
    work.users.add(User(code="d001", name="钱进", roles=frozenset({Role.CLERK}), phone=PhoneKind.SIP))


def line(*shifts: Shift) -> UnitOfWork:
    """Return a unit of work of such a line, with these shifts."""
    work: UnitOfWork
    with MemoryStore()() as work:
        enrol(work)
        work.roster.replace_shifts([], shifts)
    return work


def roster(work: UnitOfWork) -> list[tuple[str, datetime, datetime, ShiftKind]]:
    """Return who is planned when, as what."""
    found = work.roster.shifts_between(wall(1, month=1), wall(31))
    return sorted((s.agent, s.start, s.end, s.kind) for s in found)


def bring(work: UnitOfWork, filing: Filing, *, dry_run: bool = False) -> Difference:
    return importing.import_shifts(work, filing, actor="s001", now=NOW, dry_run=dry_run)


def table(*rows: str, heading: str = "代码,开始,结束,类别") -> Filing:
    return tables.read("\n".join([heading, *rows]), "排班.csv", ZONE, NOW)


def calendar(*events: str, codes: frozenset[str] = CODES) -> Filing:
    body = "".join(
        f"BEGIN:VEVENT\r\n{event.strip()}\r\nEND:VEVENT\r\n".replace("\n", "\r\n") for event in events
    )
    text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{body}END:VCALENDAR\r\n".replace("\r\r", "\r")
    return calendars.read(text, "排班.ics", ZONE, NOW, codes)


def from_file(path: Path, content: bytes) -> Filing:
    path.write_bytes(content)
    text = read_text(path)
    if text.startswith("BEGIN:"):
        return calendars.read(text, path.name, ZONE, NOW, CODES)
    return tables.read(text, path.name, ZONE, NOW)
