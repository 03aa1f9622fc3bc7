"""Bringing a union's list of hardship workers into the store: all of it, or nothing.

What a person told us stands above what a list says: opt-outs, withdrawn consent, numbers learned on the
line and numbers found wrong survive every import (R32, R33). Who is missing from a new list is shown, never
dropped. A list is compared with what lists said before, and with nothing else: the clerk who brings it does
not learn from it who called (R39).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, tzinfo
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TypeVar

from callcenter.domain.access import Verb
from callcenter.domain.books import HOUSEHOLDS
from callcenter.domain.hardship_files import FileRules
from callcenter.domain.people import Consent, Grade, Suppression
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup.settling import note
from callcenter.service.followup.sweeping import Swept, sweep
from callcenter.service.hardship.changes import Change, Diff, Doubt, change_of, missing_of
from callcenter.service.hardship.doubts import Register, check, check_returns, doubts_of
from callcenter.service.hardship.fields import Columns, Entry, Field, understand
from callcenter.service.hardship.stated import is_return, settled
from callcenter.service.hardship.tables import Progress, rows_of
from callcenter.service.hardship.targets import Known, Target, targets_of
from callcenter.service.people.wishes import bind_by_number
from scheduler.cadence import SHANGHAI
from scheduler.calendar import Calendar
from scheduler.gates import Rules

__all__ = ["Change", "Diff", "Doubt", "Step", "derive", "import_entries", "read_list"]

T = TypeVar("T")
#: Files written together.
_PIECE = 2000
#: Where nobody says which days the site works.
_CALENDAR = Calendar()
_MISSING, _BACK = "hardship.missing", "hardship.listed"
#: Of who went missing, or was back, so many are looked at: the last lists.
_MOST_NOTES = 100_000


class Step(StrEnum):
    """What an import is about."""

    READ = "read"
    COMPARE = "compare"
    WRITE = "write"
    DERIVE = "derive"


#: Told of each step: how far it is, and of how much (0: nobody knows).
Watch = Callable[[Step, int, int], None]


def read_list(
    path: Path,
    mapping: Mapping[str, Field],
    now: datetime,
    progress: Progress | None = None,
    *,
    grades: Collection[str] = tuple(Grade),
    profile: str = "",
) -> tuple[Columns, list[Entry]]:
    """Read and understand a list, or raise `ImportRefused` with every problem in it.

    `grades`: the site's (`[hardship.grades]`); `profile`: under which name the mapping was saved.
    """
    today = now.astimezone(SHANGHAI).date()
    return understand(rows_of(path, progress), mapping, today, grades=grades, profile=profile)


@guarded(Verb.HARDSHIP_IMPORT)
def import_entries(
    work: UnitOfWork,
    entries: Sequence[Entry],
    *,
    actor: str,
    now: datetime,
    unused_columns: tuple[str, ...] = (),
    dry_run: bool = False,
    zone: tzinfo = SHANGHAI,
    profile: str = "",
    rules: FileRules | None = None,
    is_workday: Callable[[date], bool] = _CALENDAR.is_workday,
    whole: bool = True,
    returns: bool = False,
    watch: Watch | None = None,
) -> Diff:
    """Write the entries (unless `dry_run`) and return what changes. The caller commits.

    `profile`: by which saved form the list was read; `whole` False: the entries are no list of the register,
    so that nobody is missing from them; `returns`: who left for good, or was confirmed to, comes back by it
    (but nobody of whom a supervisor has yet to make sure). Raises `ImportRefused`, before anything is
    written, if a number, an identity or a household belongs to another open file, and for such returns.
    """
    allow(work, actor, Verb.HARDSHIP_IMPORT)
    told = watch or _nobody
    told(Step.COMPARE, 0, len(entries))
    known = Known(work, entries, whole=whole)
    entries = settled(known.files, entries)
    check(known, entries)
    targets = targets_of(known, entries, now, zone)
    register = Register(rules=rules or FileRules(), is_workday=is_workday, today=now.astimezone(zone).date())
    changes = [change_of(target) for target in targets]
    since = _missing_since(work) if whole else {}
    diff = _diff(known, targets, changes, unused_columns, since, whole=whole)
    diff = replace(diff, doubts=doubts_of(known, targets, register))
    told(Step.COMPARE, len(entries), len(entries))
    if not dry_run:
        check_returns(targets, accepted=returns)
        work.book(HOUSEHOLDS).add_many(known.homes.new.values())
        _write(work, targets, changes, actor, now, told)
        _note_import(work, diff, targets, profile, since, actor, now)
    return diff


def derive(work: UnitOfWork, now: datetime, rules: Rules, watch: Watch | None = None) -> Swept:
    """Bring what is owed up to date after an import, page by page. The caller commits."""
    done, counted = sweep(work, now, rules=rules, pages=1), 0
    while work.people.to_look_at(now, 1):
        if done.looked > 4 * counted:
            work.recount()
            counted = done.looked
        done += sweep(work, now, rules=rules, pages=1)
        (watch or _nobody)(Step.DERIVE, done.looked, 0)
    return done


def _nobody(_step: Step, _done: int, _all: int) -> None:
    """Tell nobody."""


def _diff(
    known: Known,
    targets: Sequence[Target],
    changes: Sequence[Change],
    unused_columns: tuple[str, ...],
    since: Mapping[str, datetime],
    *,
    whole: bool,
) -> Diff:
    said = list(zip(targets, changes, strict=True))
    missing = missing_of(targets, known.files) if whole else ()
    return Diff(
        new=tuple(c for t, c in said if t.file_before is None),
        changed=tuple(c for t, c in said if t.file_before is not None and c.fields),
        unchanged=sum(t.file_before is not None and not c.fields for t, c in said),
        missing=missing,
        missing_since={no: since[no] for no in missing if no in since},
        unused_columns=unused_columns,
    )


# --- writing -------------------------------------------------------------------------------


def _write(
    work: UnitOfWork,
    targets: Sequence[Target],
    changes: Sequence[Change],
    actor: str,
    now: datetime,
    told: Watch,
) -> None:
    said = zip(targets, changes, strict=True)
    written = [(t, c) for t, c in said if t.file_before is None or c.fields]
    for leading in _pieces(target for target, _ in written if target.leads):
        changed = [t.person for t in leading if t.person_before not in (None, t.person)]
        bound = work.people.suppressions_of(one.id for one in changed)
        work.people.add_people([t.person for t in leading if t.person_before is None])
        work.people.update_people(changed)
        for person_id, before in bound.items():
            if any(wish.lifted for wish in before):
                bind_by_number(work, person_id, before, now)
    done = 0
    for piece in _pieces(written):
        _write_files(work, [target for target, _ in piece])
        for target, change in piece:
            verb = "hardship.add" if target.file_before is None else "hardship.change"
            note(work, actor, verb, target.file.file_no, now, reason=_what(target, change))
            if is_return(target.file_before, target.file.status):
                note(work, actor, "hardship.return", target.file.file_no, now, reason="名单写明")
        done += len(piece)
        told(Step.WRITE, done, len(written))


def _write_files(work: UnitOfWork, piece: Sequence[Target]) -> None:
    work.people.put_files([target.file for target in piece])
    said = [one for target in piece for one in (target.consent, *target.refused) if one is not None]
    work.people.add_consents([one for one in said if isinstance(one, Consent)])
    work.people.add_suppressions([one for one in said if isinstance(one, Suppression)])


def _what(target: Target, change: Change) -> str:
    """Return which fields changed, for the audit: never what they hold."""
    if target.file_before is None:
        return "" if target.consent is None else "同意自动回访"
    return "、".join(what for what, _, _ in change.fields)


def _pieces(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while piece := list(islice(rest, _PIECE)):
        yield piece


# --- who is missing, and since when ----------------------------------------------------------


def _missing_since(work: UnitOfWork) -> dict[str, datetime]:
    """Return, per file that lists lack, since which import; the audit keeps it."""
    found = [work.audit.recent(_MOST_NOTES, verb=verb) for verb in (_MISSING, _BACK)]
    # Where one was asked no further back, the other tells nothing from before that.
    known_from = max((notes[-1].seq for notes in found if len(notes) == _MOST_NOTES), default=0)
    events = sorted((one for notes in found for one in notes if one.seq >= known_from), key=lambda n: n.seq)
    last = {event.object: event for event in events}
    return {file_no: event.at for file_no, event in last.items() if event.verb == _MISSING}


def _note_import(
    work: UnitOfWork,
    diff: Diff,
    targets: Sequence[Target],
    profile: str,
    since: Mapping[str, datetime],
    actor: str,
    now: datetime,
) -> None:
    """Write down by which form the list was read, and who went missing from it, or is back.

    A list of less than half of the open files is a part of the register: nobody is missing from it.
    """
    if profile:
        sums = f"新增{len(diff.new)} 变更{len(diff.changed)} 不变{diff.unchanged}"
        note(work, actor, "hardship.import", f"profile:{profile}", now, reason=sums)
    for target in targets:
        if target.file.file_no in since:
            note(work, actor, _BACK, target.file.file_no, now)
    if len(targets) >= len(diff.missing):
        for file_no in diff.missing:
            if file_no not in since:
                note(work, actor, _MISSING, file_no, now)
