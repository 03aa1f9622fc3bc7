"""Who approves what the line says (R48)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from callcenter.domain.access import Verb
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from ivr.prompts.catalogue import Prompt
from ivr.prompts.wording import approve


@guarded(Verb.PROMPTS_APPROVE)
def approve_prompts(
    work: UnitOfWork,
    folder: Path,
    language: str,
    ids: Sequence[str],
    *,
    text: str | None,
    actor: str,
    now: datetime,
) -> Sequence[Prompt]:
    """Approve prompts by the actor's name, with a new `text` for a single one; return them.

    Raises `Forbidden`, and what `ivr.prompts.wording.approve` raises.
    """
    user = allow(work, actor, Verb.PROMPTS_APPROVE)
    done = approve(folder, language, ids, by=user.name, text=text)
    for prompt in done:
        version = f"v{prompt.version}"
        work.audit.append(
            AuditEntry(actor=actor, verb="prompt.approve", object=prompt.id, at=now, reason=version)
        )
    return done
