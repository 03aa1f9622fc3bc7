"""What refuses a list because of what stands in the store, and what is merely to be looked at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

from callcenter.domain.hardship_files import FileRules, short_notice, short_watch
from callcenter.domain.people import ExitReason, FileStatus, HardshipFile
from callcenter.service.hardship.changes import Doubt
from callcenter.service.hardship.fields import Entry
from callcenter.service.hardship.tables import ImportRefused, Problem
from callcenter.service.hardship.targets import Known, Target


def check(known: Known, entries: Sequence[Entry]) -> None:
    """Raise `ImportRefused` where somebody, or their household, has another file that stays open."""
    after = _standing(known.files, entries)
    owner = {file.person: file.file_no for file in after.values()}
    homes: dict[str | None, str] = {f.household: f.file_no for f in after.values() if f.household}
    problems = [
        Problem(row=entry.row, column="", message=message)
        for entry in entries
        if entry.is_open
        for message in _hindrances(known, entry, owner, homes)
    ]
    if problems:
        raise ImportRefused(problems)


def _standing(files: Mapping[str, HardshipFile], entries: Sequence[Entry]) -> dict[str, HardshipFile]:
    """Return the files that are open and stay so: the list takes none of them out, nor moves it."""
    leaving = {e.file_no for e in entries if not e.is_open}
    return {no: f for no, f in files.items() if f.status is not FileStatus.CLOSED and no not in leaving}


def _hindrances(
    known: Known, entry: Entry, owner: Mapping[str, str], homes: Mapping[str | None, str]
) -> Iterator[str]:
    for number in entry.phones:
        for found in known.having(number):
            other = owner.get(found.id)
            is_listed = any(phone.listed and phone.number == number for phone in found.phones)
            if is_listed and other not in (None, entry.file_no):
                yield f"电话号码已登记在另一份档案（{other}）"
    for person in known.of_identity(entry.identity):
        other = owner.get(person.id)
        if other not in (None, entry.file_no):
            yield f"身份证号已登记在另一份档案（{other}）"
    other = homes.get(known.homes.id_of(entry))
    if other not in (None, entry.file_no):
        yield f"同户（户号）已有在册的档案（{other}），一户一档"


#: Says that a notice between two days is too short.
Short = Callable[[date, date], str | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Register:
    """By what a list is looked at: the site's own rules, its workdays, the day."""

    rules: FileRules
    is_workday: Callable[[date], bool]
    today: date

    def notices(self) -> Callable[[date, date], str | None]:
        """Return what says that a notice is too short; of a day of many files it is asked once."""
        return cache(lambda start, end: short_notice(start, end, self.is_workday, self.rules))


def doubts_of(known: Known, targets: Sequence[Target], register: Register) -> tuple[Doubt, ...]:
    """Return what somebody should look at, by row."""
    short = register.notices()
    found = [
        Doubt(row=target.entry.row, file_no=target.file.file_no, message=message)
        for target in targets
        if not target.is_unchanged
        for message in _doubts(target, register, short)
    ]
    return tuple(sorted([*found, *_alike(known, targets)], key=lambda doubt: (doubt.row, doubt.message)))


def _doubts(target: Target, register: Register, short: Short) -> Iterator[str]:
    before, after = target.file_before, target.file
    if before is not None and before.person != after.person:
        yield "姓名和身份证号都变了：这份档案换了人，以前的记录仍归原来的人"
    elif _has_other_mark(target):
        yield "身份证号与以前的名单不同，请核对"
    yield from _of_notice(before, after, register.today, short)
    if after.status is FileStatus.CLOSED and (before is None or before.status is not FileStatus.CLOSED):
        yield from _of_exit(before, after, register)


def _has_other_mark(target: Target) -> bool:
    before = target.person_before.identity_mark if target.person_before else None
    return before is not None and before != target.person.identity_mark


def _of_notice(before: HardshipFile | None, after: HardshipFile, today: date, short: Short) -> Iterator[str]:
    """Doubt a notice that is too short, or that an application came into the register without."""
    start, end = after.notice_from, after.notice_to
    told = None if before is None else (before.notice_from, before.notice_to)
    if start is not None and end is not None and told != (start, end):
        message = short(start, end)
        if message is not None:
            yield message.rstrip("。")
    enters = before is not None and before.status in {FileStatus.APPLIED, FileStatus.NOTICE}
    if enters and after.status is FileStatus.ACTIVE:
        if end is None:
            yield "没有公示的日期就已在档"
        elif today <= end:
            yield f"公示到 {end} 为止，还没有期满就已在档"


def _of_exit(before: HardshipFile | None, after: HardshipFile, register: Register) -> Iterator[str]:
    if after.exit_reason is None:
        yield "退档没有写明原因"
    if before is None or after.exit_reason is not ExitReason.RECOVERED:
        return
    if before.status is not FileStatus.WATCH:
        yield "没有经过脱困观察就以“脱困”退档"
    elif short_watch(before, ExitReason.RECOVERED, register.today, register.rules) is not None:
        yield f"脱困观察不满 {register.rules.watch_months} 个月（从 {before.since} 起）就退档"


def _alike(known: Known, targets: Sequence[Target]) -> Iterator[Doubt]:
    """Find open files of one name, month of birth and district: one of them new, so that it is told once."""
    listed = {target.file.file_no for target in targets}
    groups: defaultdict[tuple[object, ...], list[tuple[str, str, Target | None]]] = defaultdict(list)
    for file in known.files.values():
        if file.file_no not in listed and file.status is not FileStatus.CLOSED:
            person = known.person(file.person)
            key = (person.name, person.birth_month, file.district)
            groups[key].append((file.file_no, file.person, None))
    for target in targets:
        if target.entry.is_open:
            key = (target.person.name, target.person.birth_month, target.file.district)
            groups[key].append((target.file.file_no, target.person.id, target))
    for (_, month, district), group in groups.items():
        if month and district and len(group) > 1:
            yield from _told(group)


def _told(group: Sequence[tuple[str, str, Target | None]]) -> Iterator[Doubt]:
    for file_no, person, target in group:
        if target is None or target.file_before is not None:
            continue
        other = next((no for no, whose, _ in group if whose != person), None)
        if other is not None:
            message = f"与档案 {other} 同名、同出生月份、同区县，请核对是否同一个人"
            yield Doubt(row=target.entry.row, file_no=file_no, message=message)
