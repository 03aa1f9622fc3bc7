"""What changed between two versions of a record, field by field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from callcenter.domain.forms import Answers, Form


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """One field whose answer changed. None: there was no answer."""

    id: str
    label: str
    before: Any = field(repr=False)
    after: Any = field(repr=False)


def changes(form: Form, before: Answers, after: Answers) -> tuple[Changed, ...]:
    """Return the fields of which the answer changed, in the form's order."""
    return tuple(
        Changed(id=one.id, label=one.label, before=before.get(one.id), after=after.get(one.id))
        for one in form.fields.values()
        if before.get(one.id) != after.get(one.id)
    )
