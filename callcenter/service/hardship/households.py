"""One household, one person, one open file: who belongs to a household, and which of its files is open."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import uuid4

from callcenter.domain.access import Verb
from callcenter.domain.books import HOUSEHOLDS
from callcenter.domain.households import Household, Member
from callcenter.domain.numbers import normalise
from callcenter.domain.people import FileStatus, HardshipFile, Person
from callcenter.domain.reasons import checked_reason, storable
from callcenter.errors import NotFound, Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup.settling import note
from callcenter.service.people.entries import group_of, resolve

_MOST_MEMBERS = 20
_LONGEST = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """A household with its files. Names are as they are: whoever shows them masks them."""

    household: Household = field(repr=False)
    #: Who has an entry of their own goes by the name that stands there.
    members: tuple[Member, ...] = field(repr=False)
    files: tuple[HardshipFile, ...]


@guarded(Verb.HARDSHIP_SEE)
def home_of(work: UnitOfWork, file_no: str, *, actor: str) -> Home:
    """Return the household of a file; raise `NotFound`, also where none is written down."""
    allow(work, actor, Verb.HARDSHIP_SEE)
    return _home(work, file_named(work, file_no))


@guarded(Verb.HARDSHIP_FILE)
def set_home(
    work: UnitOfWork,
    file_no: str,
    *,
    members: Sequence[Member] | None = None,
    register_no: str | None = None,
    actor: str,
    now: datetime,
    reason: str,
) -> Home:
    """Set who belongs to a file's household (all of them anew) or what the register calls it.

    A file that had none gets one. Raises `Refused` without a reason, for what is too long, and for a register
    number that another household has.
    """
    allow(work, actor, Verb.HARDSHIP_FILE)
    told, file = checked_reason(reason), file_named(work, file_no)
    before = _household(work, file) or Household(id=f"hh-{uuid4().hex[:12]}")
    after = replace(
        before,
        members=before.members if members is None else tuple(map(_checked, members)),
        register_no=before.register_no if register_no is None else _short(register_no),
    )
    if len(after.members) > _MOST_MEMBERS:
        raise Refused(f"一户最多登记 {_MOST_MEMBERS} 人。")
    if register_no:
        _check_number(work, after, file_no)
    if file.household == after.id:
        work.book(HOUSEHOLDS).put(after)
    else:
        work.book(HOUSEHOLDS).add(after)
        work.people.put_file(replace(file, household=after.id))
    note(work, actor, "hardship.household", file_no, now, reason=told)
    return _home(work, file_named(work, file_no))


@guarded(Verb.HARDSHIP_FILE)
def move_home(
    work: UnitOfWork, file_no: str, *, beside: str | None, actor: str, now: datetime, reason: str
) -> HardshipFile:
    """Move a file to the household of another one, or (`beside` None) out of its household.

    Raises `Refused` where that household has an open file already, `NotFound` for an unknown one.
    """
    allow(work, actor, Verb.HARDSHIP_FILE)
    told, file = checked_reason(reason), file_named(work, file_no)
    moved = replace(file, household=None if beside is None else _shared(work, file_named(work, beside)))
    check_one_open(work, moved)
    work.people.put_file(moved)
    note(work, actor, "hardship.household", file_no, now, reason=told)
    return moved


def check_one_open(work: UnitOfWork, file: HardshipFile) -> None:
    """Raise `Refused` if a file that is (or is to be) open has an open one of its household beside it."""
    if file.household is None or file.status is FileStatus.CLOSED:
        return
    for other in work.people.files_of_household(file.household):
        if other.file_no != file.file_no and other.status is not FileStatus.CLOSED:
            raise Refused(
                f"一户一档:同户的档案 {other.file_no} 还在册({other.status.value})。"
                "先办它的退档,或用 hotline hardship household set 改正是哪一户。"
            )


def check_one_file(work: UnitOfWork, file: HardshipFile) -> None:
    """Raise `Refused` if a file that is to be open belongs to somebody who has an open one, as a list does.

    That is who stands for its person, who has their identity number, or whom the register gives a telephone
    that it gives them. A number learned otherwise counts for nothing: the refusal would tell of it (R39).
    """
    people = work.people
    person = resolve(work, file.person)
    group = set(group_of(work, person))
    mark = person.identity_mark
    alike = set(people.marked([mark]).get(mark, ())) if mark is not None else set()
    listed = {phone.number for phone in person.phones if phone.listed}
    sharing = {one.id for number in listed for one in people.having(number) if _lists(one, number)}
    for holders, what in (
        (group, "此人"),
        (alike, "同一身份证号的人"),
        (sharing, "登记着同一个电话号码的人"),
    ):
        others = (one for files in people.files_of_many(holders).values() for one in files)
        for other in sorted(others, key=lambda one: one.file_no):
            if other.file_no != file.file_no and other.status is not FileStatus.CLOSED:
                raise Refused(
                    f"一人一档:{what}还有在册的档案 {other.file_no}({other.status.value})。"
                    "先办它的退档;号码或证件登记错的,先更正。"
                )


def file_named(work: UnitOfWork, file_no: str) -> HardshipFile:
    """Return a file, or raise `NotFound`."""
    file = work.people.file(storable(file_no))
    if file is None:
        raise NotFound(f"没有编号为 {file_no} 的档案。用 hotline hardship list 查看。")
    return file


def _home(work: UnitOfWork, file: HardshipFile) -> Home:
    household = _household(work, file)
    if household is None:
        raise NotFound(f"档案 {file.file_no} 还没有登记家庭。用 hotline hardship household set 登记。")
    entries = work.people.many({one.person for one in household.members if one.person})
    members = tuple(
        replace(one, name=entries[one.person].name or "") if one.person in entries else one
        for one in household.members
    )
    files = tuple(work.people.files_of_household(household.id))
    return Home(household=household, members=members, files=files)


def _household(work: UnitOfWork, file: HardshipFile) -> Household | None:
    return None if file.household is None else work.book(HOUSEHOLDS).one(file.household)


def _lists(person: Person, number: str) -> bool:
    same = normalise(number) or number
    return any(phone.listed and (normalise(phone.number) or phone.number) == same for phone in person.phones)


def _check_number(work: UnitOfWork, home: Household, file_no: str) -> None:
    """Raise `Refused` if another household goes by this register number; one without a file gives it up."""
    for other in work.book(HOUSEHOLDS).where():
        if other.id == home.id or _plain(other.register_no) != _plain(home.register_no):
            continue
        files = work.people.files_of_household(other.id)
        if files:
            raise Refused(
                f"户号 {home.register_no} 已登记在档案 {files[0].file_no} 的家庭。"
                f"同一户的,用 hotline hardship household set {file_no} --with {files[0].file_no}。"
            )
        work.book(HOUSEHOLDS).put(replace(other, register_no=""))


def _plain(number: str) -> str:
    """Return a register number as it compares: wide and narrow, small and capital letters are the same."""
    return unicodedata.normalize("NFKC", number).casefold().strip()


def _shared(work: UnitOfWork, other: HardshipFile) -> str:
    """Return the household of a file that another one joins; one that had none gets one."""
    if other.household is not None:
        return other.household
    made = Household(id=f"hh-{uuid4().hex[:12]}")
    work.book(HOUSEHOLDS).add(made)
    work.people.put_file(replace(other, household=made.id))
    return made.id


def _checked(member: Member) -> Member:
    return replace(member, name=_short(member.name), relation=_short(member.relation))


def _short(text: str) -> str:
    told = storable(text)
    if len(told) > _LONGEST or not told.isprintable():
        raise Refused(f"姓名、关系和户号各最多 {_LONGEST} 个字,不换行。")
    return told
