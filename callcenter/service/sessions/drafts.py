"""Drafts: what has been typed of a record so far, kept sealed until it is submitted or thrown away."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from callcenter.domain.access import Verb
from callcenter.domain.books import DRAFTS
from callcenter.domain.form_text import beside
from callcenter.domain.forms import Form
from callcenter.domain.sessions import Draft
from callcenter.errors import NotFound, Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.privacy.holds import check_free
from callcenter.service.sessions.access import check_writes, is_nobodys
from callcenter.service.sessions.noting import note

#: Longer than anything somebody types in one call; what is longer was not typed.
MOST_TYPED = 200_000


@guarded(Verb.SESSION_WRITE, Verb.SESSION_WRITE_FOR)
def read_draft(work: UnitOfWork, session_id: str, *, actor: str, now: datetime) -> Draft | None:
    """Return what has been typed so far, if anything has. Raises `NotFound` and `Forbidden`."""
    user = allow(work, actor, Verb.SESSION_WRITE)
    check_writes(work, user, work.sessions.get(session_id))
    found = work.book(DRAFTS).one(session_id)
    if found is not None and found.by != actor:
        note(work, actor, "session.draft_read", session_id, now)
    return found


@guarded(Verb.SESSION_WRITE, Verb.SESSION_WRITE_FOR)
def save_draft(
    work: UnitOfWork,
    session_id: str,
    text: str,
    *,
    form: Form,
    base: int,
    seen: int | None,
    handed_in: bool = False,
    actor: str,
    now: datetime,
) -> Draft:
    """Keep what has been typed so far, also what does not parse yet; return the draft as it now stands.

    `base`: the version of the record it began from. `seen`: the revision of the draft it continues, None
    for none. `handed_in`: it came whole, from a file. If the draft was saved elsewhere meanwhile, that
    text is kept below this one, as remarks: nothing typed is ever lost. The first draft of a record that
    is nobody's claims it. Raises `NotFound`, `Forbidden`, and `Refused` for a text no one typed.
    """
    user = allow(work, actor, Verb.SESSION_WRITE)
    head = work.sessions.get(session_id)
    check_writes(work, user, head)
    if len(text) > MOST_TYPED:
        raise Refused(f"一条记录最多 {MOST_TYPED} 字,现在 {len(text)} 字,请缩短。")
    drafts = work.book(DRAFTS)
    before = drafts.one(session_id)
    text = _storable(text)
    fresh = Draft(id=session_id, by=actor, at=now, form=form.id, text=text, base=base, handed_in=handed_in)
    if before is None:
        drafts.add(fresh)
        note(work, actor, "session.draft", session_id, now)
        return fresh
    if before.revision != seen and before.text != text:
        fresh = replace(fresh, text=beside(text, before.text))
    # Whoever helps with it takes it away from nobody.
    owner = before.by if is_nobodys(work, head) else actor
    return drafts.put(replace(fresh, by=owner, revision=before.revision))


def _storable(text: str) -> str:
    """Return the text without the halves of characters and zeros that no store takes."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")


@guarded(Verb.SESSION_WRITE, Verb.SESSION_WRITE_FOR)
def discard_draft(work: UnitOfWork, session_id: str, *, actor: str, now: datetime) -> None:
    """Throw away what was typed. Raises `NotFound` if nothing was, and `Refused` under a legal hold (R42)."""
    user = allow(work, actor, Verb.SESSION_WRITE)
    check_writes(work, user, work.sessions.get(session_id))
    if work.book(DRAFTS).one(session_id) is None:
        raise NotFound(f"{session_id} 没有草稿。")
    check_free(work, f"session:{session_id}")
    work.book(DRAFTS).remove(session_id)
    note(work, actor, "session.draft_discard", session_id, now)
