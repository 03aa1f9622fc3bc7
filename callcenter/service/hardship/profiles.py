"""How one office's lists are to be read, kept under a name: which of their columns holds which field."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from callcenter.domain.access import Verb
from callcenter.domain.books import IMPORT_PROFILES
from callcenter.domain.households import ImportProfile
from callcenter.domain.identity import names_somebody
from callcenter.domain.reasons import checked_reason, storable
from callcenter.errors import NotFound, Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup.settling import note
from callcenter.service.hardship.columns import Columns, Field, plain_heading

_NAME = re.compile(r"[0-9A-Za-z\u4e00-\u9fff][0-9A-Za-z\u4e00-\u9fff._-]{0,29}")
_LONGEST = 100


@guarded(Verb.HARDSHIP_IMPORT)
def profiles(work: UnitOfWork, *, actor: str) -> Sequence[ImportProfile]:
    """Return every saved form, by name."""
    allow(work, actor, Verb.HARDSHIP_IMPORT)
    return work.book(IMPORT_PROFILES).where()


@guarded(Verb.HARDSHIP_IMPORT)
def profile(work: UnitOfWork, name: str, *, actor: str) -> ImportProfile:
    """Return a saved form, or raise `NotFound`."""
    allow(work, actor, Verb.HARDSHIP_IMPORT)
    found = work.book(IMPORT_PROFILES).one(storable(name))
    if found is None:
        raise NotFound("没有这个名单格式。用 hotline hardship profiles list 查看。")
    return found


@guarded(Verb.HARDSHIP_IMPORT)
def save(work: UnitOfWork, name: str, columns: Columns, *, actor: str, now: datetime) -> ImportProfile:
    """Keep, under a name, how a list's columns were read; what stood under it goes. Raise `Refused`."""
    allow(work, actor, Verb.HARDSHIP_IMPORT)
    if not _NAME.fullmatch(name) or names_somebody(name):
        raise Refused("名单格式的名称用数字、字母、汉字和 . _ -，最多 30 个字，不能是号码。")
    book = work.book(IMPORT_PROFILES)
    before = book.one(name)
    new = ImportProfile(id=name, columns=_pairs(columns), by=actor, at=now)
    if before is not None and before.columns == new.columns:
        return before
    if before is None:
        book.add(new)
    else:
        new = book.put(replace(new, revision=before.revision))
    note(work, actor, "hardship.profile", f"profile:{name}", now, reason=f"{len(new.columns)} 列")
    return new


@guarded(Verb.HARDSHIP_IMPORT)
def drop(work: UnitOfWork, name: str, *, reason: str, actor: str, now: datetime) -> ImportProfile:
    """Take a saved form away; raise `NotFound`, or `Refused` without a reason."""
    found = profile(work, name, actor=actor)
    told = checked_reason(reason)
    work.book(IMPORT_PROFILES).remove(found.id)
    note(work, actor, "hardship.profile_drop", f"profile:{found.id}", now, reason=told)
    return found


def mapping_of(saved: ImportProfile) -> Mapping[str, Field]:
    """Return heading -> field as `read_list` takes it; raise `Refused` for a field that is no more."""
    known = set(Field)
    if any(name not in known for _, name in saved.columns):
        raise Refused(f"名单格式“{saved.id}”是旧版本的，请用 --save-as 重新保存。")
    return {plain_heading(heading): Field(name) for heading, name in saved.columns}


def _pairs(columns: Columns) -> tuple[tuple[str, str], ...]:
    """Return (heading, field) of each column that is read, from left to right."""
    places = sorted((place, name) for name, found in columns.of.items() for place in found)
    found = tuple((columns.headings[place], name.value) for place, name in places)
    if any(len(heading) > _LONGEST or names_somebody(heading) for heading, _ in found):
        raise Refused("标题行里的列名太长，或像是号码，不能保存为格式。")
    return found
