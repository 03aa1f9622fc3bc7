"""What the line's rules need of a session form, whoever wrote it: these fields, with these words in them.

A site may word, order and add as it likes; without these a record could not be followed (R9, R17, R18, R20).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from callcenter.domain.form_file import FormError
from callcenter.domain.forms import Field, FieldKind, Form
from callcenter.domain.session_words import (
    ACTING,
    CALLER_TYPES,
    DONE,
    LEVELS,
    MINORS,
    NOT_ASKED,
    PLAN_STEPS,
    QUICK,
    SAYS,
    SERVED,
    UPTAKES,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """A field the rules read: its kind, and the words that have to be among its choices."""

    kind: FieldKind
    words: tuple[str, ...] = ()
    #: No other choices than these, in this order.
    exactly: bool = False
    #: Fields within each group of records.
    parts: tuple[tuple[str, FieldKind, tuple[str, ...]], ...] = ()


_TEXT, _LONG, _SCALE, _YESNO = FieldKind.TEXT, FieldKind.LONG, FieldKind.SCALE, FieldKind.YESNO
_CHOICE, _RECORDS = FieldKind.CHOICE, FieldKind.RECORDS

NEEDS: Mapping[str, Need] = {
    "kind": Need(kind=_CHOICE, words=(*SERVED, *QUICK)),
    "caller_type": Need(kind=_CHOICE, words=CALLER_TYPES),
    "age_band": Need(kind=_CHOICE, words=MINORS),
    "risk_asked": Need(kind=_YESNO),
    "not_asked_reason": Need(kind=_CHOICE, words=NOT_ASKED, exactly=True),
    "thoughts": Need(kind=_CHOICE, words=SAYS, exactly=True),
    "plan_soon": Need(kind=_CHOICE, words=SAYS, exactly=True),
    "attempt_lately": Need(kind=_CHOICE, words=SAYS, exactly=True),
    "acting": Need(kind=_CHOICE, words=ACTING, exactly=True),
    "distress_start": Need(kind=_SCALE),
    "distress_end": Need(kind=_SCALE),
    "hope_start": Need(kind=_SCALE),
    "hope_end": Need(kind=_SCALE),
    "intent_start": Need(kind=_SCALE),
    "intent_end": Need(kind=_SCALE),
    "instruments": Need(
        kind=_RECORDS,
        parts=(
            ("instrument", _TEXT, ()),
            ("items", FieldKind.ITEMS, ()),
            ("score", FieldKind.NUMBER, ()),
        ),
    ),
    "level_given": Need(kind=_CHOICE, words=LEVELS, exactly=True),
    "level_reason": Need(kind=_LONG),
    "actions": Need(
        kind=_RECORDS, parts=(("text", _TEXT, ()), ("state", _CHOICE, (DONE,)), ("evidence", _TEXT, ()))
    ),
    "referrals": Need(kind=_RECORDS, parts=(("to", _CHOICE, ()), ("uptake", _CHOICE, UPTAKES))),
    **{step: Need(kind=_LONG) for step in PLAN_STEPS},
    "plan_not_made": Need(kind=_CHOICE),
    "abuse": Need(kind=_YESNO),
    "report_to": Need(kind=FieldKind.CHOICES),
    "report_at": Need(kind=_TEXT),
    "report_supervisor": Need(kind=_YESNO),
    "report_why_not": Need(kind=_LONG),
}


def check_needs(form: Form, source: str) -> None:
    """Raise `FormError` if the form lacks what the rules read, naming the file, the field and the mend."""
    if form.name != "session":
        raise FormError(f"{source}:1: `form: {form.name}` is another form. Write `form: session`.")
    for name, need in NEEDS.items():
        field = form.fields.get(name)
        if field is None:
            said = f"field `{name}` is missing. The rules read it: put it back as `{need.kind}`."
            raise FormError(f"{source}:1: {said}")
        for problem in _lacks(field, need):
            raise FormError(f"{source}:{field.line}: field `{name}`: {problem}")


def _lacks(field: Field, need: Need) -> Iterator[str]:
    if field.kind is not need.kind:
        yield f"it is `{field.kind}`. The rules read it as `{need.kind}`: put that back."
        return
    if need.exactly and field.choices != need.words:
        yield f"the choices have to be exactly [{', '.join(need.words)}]."
    for word in need.words:
        if word not in field.choices:
            yield f"the choice `{word}` is missing. The rules look for it: put it back."
    parts = {part.id: part for part in field.fields}
    for name, kind, words in need.parts:
        part = parts.get(name)
        if part is None or part.kind is not kind:
            yield f"its part `{name}` has to be there, as `{kind}`."
        elif stray := next((word for word in words if word not in part.choices), None):
            yield f"its part `{name}` lacks the choice `{stray}`. Put it back."
