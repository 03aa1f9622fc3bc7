"""What of a record is masked on screens (R38): who somebody is, and every number in a text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from callcenter.domain.form_values import said_value
from callcenter.domain.forms import Answers, Field, Form
from callcenter.domain.numbers import mask_name, mask_number

#: Digits in a row, as people write telephone and identity numbers.
_DIGITS = re.compile(r"\+?[0-9](?:[ \-]?[0-9]){6,24}[Xx]?")
_DAY = re.compile(r"(?:19|20)[0-9]{2}-[0-9]{1,2}-[0-9]{1,2}")
#: A name is not longer than this.
_NAME = 8


def masked(form: Form, answers: Answers) -> dict[str, Any]:
    """Return the answers with names and numbers masked."""
    return {name: mask(form.fields[name], value) for name, value in answers.items()}


def mask(field: Field, value: Any) -> Any:
    """Return one answer with names and numbers masked; None stays."""
    match value:
        case str():
            return _hidden(value) if field.pii else mask_numbers(value)
        case list() if field.fields:
            parts = {part.id: part for part in field.fields}
            return [{name: mask(parts[name], inner) for name, inner in group.items()} for group in value]
        case list() | Mapping() if field.pii:
            return _hidden(said_value(field, value))
        case _:
            return value


def _hidden(text: str) -> str:
    """Return a name with its first character, anything longer without any."""
    return mask_name(text) if len(text) <= _NAME and not any(c.isdigit() for c in text) else "(已遮盖)"


def mask_numbers(text: str) -> str:
    """Return a text with the numbers in it masked; days stay."""
    return _DIGITS.sub(lambda found: _number(found[0]), text)


def _number(text: str) -> str:
    return text if _DAY.fullmatch(text) else mask_number(re.sub(r"[ \-]", "", text))
