"""What refuses a list because of what stands in the store, and what is merely to be looked at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

from callcenter.domain.hardship_files import FileRules, short_notice, short_watch
from callcenter.domain.people import ExitReason, FileStatus, HardshipFile
from callcenter.service.hardship.changes import Doubt
from callcenter.service.hardship.fields import Entry
from callcenter.service.hardship.stated import contradictions, is_return, is_unlooked, way_back
from callcenter.service.hardship.tables import ImportRefused, Problem
from callcenter.service.hardship.targets import Known, Target

#: What one open file alone may have: kind and value.
Claim = tuple[str, str]


def check(known: Known, entries: Sequence[Entry]) -> None:
    """Raise `ImportRefused` where somebody, or their household, has another file that stays open.

    What counts is how files stand once the list is in: one that it takes out claims nothing any more, and
    one that it takes in again claims what it had.
    """
    named = {entry.file_no for entry in entries}
    standing = (f for no, f in known.files.items() if no not in named and f.status is not FileStatus.CLOSED)
    owners: dict[Claim, HardshipFile | Entry] = {
        claim: file for file in standing for claim in _kept(known, file)
    }
    problems: list[Problem] = []
    for entry in (one for one in entries if one.is_open):
        for claim in _claims(known, entry):
            other = owners.setdefault(claim, entry)
            if other.file_no != entry.file_no and not _is_theirs(known, entry, other):
                message = _TAKEN[claim[0]].format(other.file_no)
                problems.append(Problem(row=entry.row, column="", message=message))
    if problems:
        raise ImportRefused(problems)


_TAKEN = {
    "phone": "电话号码已登记在另一份档案（{}）",
    "identity": "身份证号已登记在另一份档案（{}）",
    "household": "同户（户号）已有在册的档案（{}），一户一档",
}


def _claims(known: Known, entry: Entry) -> list[Claim]:
    """Return what an open file claims once the list is in: what the list says, and else what it had."""
    before = known.files.get(entry.file_no)
    kept = dict[str, list[Claim]]()
    for claim in _kept(known, before) if before is not None else ():
        kept.setdefault(claim[0], []).append(claim)
    home = known.homes.id_of(entry)
    said = {
        "phone": [("phone", number) for number in entry.phones],
        "identity": [("identity", known.marks[entry.identity])] if entry.identity is not None else [],
        "household": [("household", home)] if home is not None else [],
    }
    return [claim for kind, claims in said.items() for claim in claims or kept.get(kind, [])]


def _kept(known: Known, file: HardshipFile) -> Iterator[Claim]:
    """Yield what a file has: the numbers that the register holds, and no others (R39), mark, household."""
    person = known.person(file.person)
    yield from (("phone", phone.number) for phone in person.phones if phone.listed)
    if (mark := known.standing(person.id).identity_mark) is not None:
        yield "identity", mark
    if file.household is not None:
        yield "household", file.household


def _is_theirs(known: Known, entry: Entry, other: HardshipFile | Entry) -> bool:
    """Tell whether both files were one person's before: that is not the list's to mend."""
    before = known.files.get(entry.file_no)
    beside = known.files.get(other.file_no)
    return before is not None and beside is not None and before.person == beside.person


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
        for message in _messages(target, register, short)
    ]
    return tuple(sorted([*found, *_alike(known, targets)], key=lambda doubt: (doubt.row, doubt.message)))


def check_returns(targets: Sequence[Target], *, accepted: bool) -> None:
    """Raise `ImportRefused` where a list undoes a leaving, and nobody said that it shall (`accepted`)."""
    problems = [
        Problem(row=target.entry.row, column="", message=f"档案已退档，名单又写在册：{way_back(before)}")
        for target in targets
        if (before := target.file_before) is not None
        and is_return(before, target.file.status)
        and not (accepted and not is_unlooked(before))
    ]
    if problems:
        raise ImportRefused(problems)


def _messages(target: Target, register: Register, short: Short) -> Iterator[str]:
    """Yield what a list says against the store as often as it does, and everything else once."""
    yield from contradictions(target.entry, target.file_before, target.file)
    if not target.is_unchanged:
        yield from _doubts(target, register, short)


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
