"""Secrets to plant, values made of them for every book, and a search that finds them in any disguise.

All texts planted hold one of a few cores, so that a search for these finds whatever stands around them.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import types
import zipfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import Enum
from itertools import count
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from urllib.parse import quote

from callcenter.domain.alarms import Alarm, AlarmKind
from callcenter.domain.books import BOOKS, BookOf
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.duty import PresenceAct, PresenceEvent, Shift
from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    Grade,
    HardshipFile,
    Person,
    Phone,
    SafeContact,
    Suppression,
    SuppressionKind,
)
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.ports import AuditEntry, Checkpoint, Store, UnitOfWork, UnreadRow
from scheduler.obligations import Attempt, Evidence, EvidenceKind, Kind, Mode, Obligation

#: Of no person we know, and of no other text in this project.
NAME = "沈鹤鸣甫"
NUMBER = "13861709235"
NOTE = "想从太湖大桥"
CORES = (NAME, NUMBER, NOTE)
IDENTITY_NUMBER = "320211197405198812"
ALL = (*CORES, IDENTITY_NUMBER)


def written(core: str) -> frozenset[bytes]:
    """Return the forms in which a text could stand in a file."""
    plain = core.encode()
    forms = {
        plain,
        *(core.encode(coding) for coding in ("utf-16-le", "utf-16-be", "utf-32-le", "gb18030")),
        plain.hex().encode(),
        plain.hex().upper().encode(),
        quote(core).encode(),
        quote(core).lower().encode(),
        ascii(core)[1:-1].encode(),
        core[::-1].encode(),
    }
    return frozenset(forms | set(_base64(plain)))


def _base64(plain: bytes) -> Iterator[bytes]:
    """Yield what of it is sure to stand in base64, wherever in a text it begins."""
    for ahead in range(3):
        coded = b64encode(b"\0" * ahead + plain)
        sure = coded[(ahead * 8 + 5) // 6 : -4 or None]
        yield sure
        yield sure.replace(b"+", b"-").replace(b"/", b"_")


NEEDLES: Mapping[str, frozenset[bytes]] = {core: written(core) for core in ALL}


def found_in(content: bytes, needles: Mapping[str, frozenset[bytes]] = NEEDLES) -> set[str]:
    """Return the secrets that stand in these bytes, packed ones included."""
    found = {core for core, forms in needles.items() if any(form in content for form in forms)}
    for inner in _unpacked(content):
        found |= found_in(inner, needles)
    return found


def places_of_secrets(folder: Path, needles: Mapping[str, frozenset[bytes]] = NEEDLES) -> dict[str, set[str]]:
    """Return, per file that holds one (or whose path does), the secrets; keys are relative to `folder`."""
    found: dict[str, set[str]] = {}
    for file in sorted(folder.rglob("*")):
        name = str(file.relative_to(folder))
        secrets = found_in(name.encode("utf-8", "surrogateescape"), needles)
        if file.is_file():
            with suppress(FileNotFoundError):  # a server at work removes files
                secrets |= found_in(file.read_bytes(), needles)
        if secrets:
            found[name] = secrets
    return found


def _unpacked(content: bytes) -> Iterator[bytes]:
    if content.startswith(b"\x1f\x8b"):
        with suppress(OSError, EOFError):
            yield gzip.decompress(content)
    if content.startswith(b"PK\x03\x04"):
        with suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(content)) as packed:
            yield from (packed.read(name) for name in packed.namelist())
    if content[257:262] == b"ustar":
        with suppress(tarfile.TarError), tarfile.open(fileobj=io.BytesIO(content)) as packed:
            yield from (inner.read() for entry in packed if (inner := packed.extractfile(entry)))


# --- values -----------------------------------------------------------------------------------------

_numbered = count(1)


def secret_text() -> str:
    """Return what somebody wrote: a note with an identity number in it, and with something of its own."""
    return f"{NOTE},身份证{IDENTITY_NUMBER},之{next(_numbered)}"


#: Texts that are words of a closed list, or codes, whatever their type says.
WORDS: Mapping[str, Mapping[str, Any]] = {
    "exports": {"kind": "sessions"},
    "caller_plans": {"wish": ""},
    "shift_templates": {"agents": ("c017",)},
    "shift_overrides": {"agent": "c017", "substitute": "c018"},
    "shift_swaps": {"agent": "c017", "taker": "c018", "decided_by": "s001"},
    "handovers": {"from_agent": "c017"},
}


#: Texts that are never free: the code of who acted, a checksum.
CODES = frozenset({"by", "agent", "checksum"})


def planted(book: BookOf[Any], now: datetime) -> Any:
    """Return a value of a book with a secret in every text of it that does not stand in clear."""
    clear = {"id", "revision", *CODES, *book.clear}
    hints = get_type_hints(book.of)
    values = {part.name: _value(hints[part.name], now, part.name not in clear) for part in fields(book.of)}
    values |= {"number": NUMBER} if "number" in values else {}
    values |= WORDS.get(book.table, {})
    return book.of(**{**values, "id": f"{book.table[:2]}-{next(_numbered)}", "revision": 0})


def _value(kind: Any, now: datetime, secret: bool) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _value(next(part for part in inner if part is not type(None)), now, secret)
    if origin is Literal:
        return inner[0]
    if origin in (list, frozenset):
        return origin([_value(inner[0], now, secret)])
    if origin is tuple:
        return tuple(_value(part, now, secret) for part in inner if part is not ...)
    if origin is not None and issubclass(origin, Mapping):
        return {_value(inner[0], now, secret): _value(inner[1], now, secret)}
    if kind is Any or kind is str:
        return secret_text() if secret else f"x-{next(_numbered)}"
    if kind in (moments := {datetime: now, date: now.date(), time: now.time()}):
        return moments[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(
            **{
                part.name: _value(hints[part.name], now, secret and part.name not in CODES)
                for part in fields(kind)
            }
        )
    return kind(1)


# --- a store full of secrets ------------------------------------------------------------------------


def fill(store: Store, now: datetime) -> None:
    """Put into every table and book something, with a secret in each text that is not in clear."""
    with store() as work:
        for book in BOOKS:
            work.book(book).add(planted(book, now))
        work.debts.remember("rules", "of today")
        _fill_people(work, now)
        _fill_calls(work, now)
        _fill_debts(work, now)
        work.audit.append(
            AuditEntry(actor="admin", verb="people.reveal", object="person:p1", reason=secret_text(), at=now)
        )
        work.commit()


def _fill_people(work: UnitOfWork, now: datetime) -> None:
    counsellor = User(
        code="c017",
        name=NAME,
        roles=frozenset({Role.COUNSELLOR}),
        phone=PhoneKind.MOBILE,
        mobile=NUMBER,
        pin_verifier=secret_text(),
    )
    work.users.add(counsellor)
    work.roster.add_shift(Shift(id="sh-1", agent="c017", start=now, length=timedelta(hours=4)))
    acted = PresenceEvent(key="pr-1", agent="c017", act=PresenceAct.ON, at=now, source="cli")
    work.roster.add_presence(acted)
    phone = Phone(number=NUMBER, agreed=SafeContact(label="家里", code_word=secret_text()))
    person = Person(
        id="p1", code="P-7F3K", name=NAME, birth_month=11, birth_year=1974, phones=(phone,), spoken="480195"
    )
    work.people.add(person)
    work.people.add_consent(
        Consent(person="p1", kind=ConsentKind.IVR_CHECKIN, granted=True, at=now, channel="热线")
    )
    work.people.add_suppression(
        Suppression(person="p1", kind=SuppressionKind.AUTOMATION, at=now, reason=secret_text())
    )
    work.people.put_file(
        HardshipFile(
            file_no="WX-1",
            person="p1",
            grade=Grade.DEEP,
            status=FileStatus.ACTIVE,
            since=now.date(),
            liaison=NAME,
        )
    )


def _fill_calls(work: UnitOfWork, now: datetime) -> None:
    call = CallRecord(
        id="pbx1-1700000000.12",
        direction=Direction.INBOUND,
        outcome=Outcome.ABANDONED,
        started_at=now,
        number=NUMBER,
        dialled="4000850966",
        kept=(f"number={NUMBER}",),
        answers=(secret_text(),),
    )
    made = replace(call, id="at-1", direction=Direction.OUTBOUND, dialled=NUMBER)
    work.calls.put_many([call, made])
    work.sessions.open_many([SessionRow(id="se-1", call=call.id, counsellor="c017", opened_at=now)])
    place = Checkpoint(source="pbx1:journal", segment="s", offset=1, low_segment="s", low_offset=0)
    work.journal.set_checkpoint(place)
    work.journal.keep_unread([UnreadRow(key="s:1", raw=secret_text().encode(), reason="cut", at=now)])
    work.alarms.put(Alarm(id="al-1", kind=AlarmKind.TRUNK_DOWN, raised_at=now))


def _fill_debts(work: UnitOfWork, now: datetime) -> None:
    debt = Obligation(
        id="ob-1",
        person="p1",
        kind=Kind.HARDSHIP,
        due_at=now,
        window_end=now,
        mode=Mode.IVR_OK,
        detail=secret_text(),
        created_at=now,
    )
    work.debts.add(debt)
    for number, kind in ((2, Kind.CALLBACK), (3, Kind.TALK)):
        work.debts.add(replace(debt, id=f"ob-{number}", kind=kind, detail=secret_text()))
    work.debts.add_attempt(
        Attempt(id="at-1", obligation="ob-1", n=1, planned_at=now, by="c017", callee=NUMBER)
    )
    work.debts.add_evidence(
        Evidence(
            id="ev-1", obligation="ob-1", kind=EvidenceKind.HUMAN_TALK, at=now, reference="c-1", by="c017"
        )
    )
    work.debts.close("ob-1", secret_text(), "s001", now)
