"""A form as values: sections, fields, closed lists, and under which answers a field is asked or owed.

A form is data (`callcenter/forms/*.yaml`); `callcenter.domain.form_file` reads it. Its version and its
checksum are stored with each record, so that an old record is shown by the form it was written on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from dataclasses import field as attribute
from enum import StrEnum
from functools import cached_property
from typing import Any

from callcenter.domain.access import DataClass, sees
from callcenter.domain.users import Role

#: Field id -> value. Values are what JSON has: words, texts, numbers, truths, lists and mappings.
Answers = Mapping[str, Any]


class FieldKind(StrEnum):
    """What a field takes."""

    #: One word, or several, of a closed list.
    CHOICE = "choice"
    CHOICES = "choices"
    #: One line; many lines.
    TEXT = "text"
    LONG = "long"
    #: A whole number from 0 to 100.
    SCALE = "scale"
    NUMBER = "number"
    YESNO = "yesno"
    #: A calendar day, kept as `2026-11-23`.
    DAY = "day"
    #: Answers to a questionnaire by item: `1=2 2=0`.
    ITEMS = "items"
    #: A list of small groups of fields.
    RECORDS = "records"


#: How a condition names the answers of a yes/no field.
YES, NO = "是", "否"


class Wording(StrEnum):
    """What a text may say of a diagnosis (R16; the Mental Health Law, art. 23)."""

    FREE = "free"
    #: Only in the caller's own words, between 「 and 」.
    QUOTED = "quoted"
    PLAIN = "plain"


#: Field id -> the words of which one has to be its answer. All fields named have to agree; empty: always.
Condition = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field."""

    id: str
    label: str
    kind: FieldKind
    hint: str = ""
    choices: tuple[str, ...] = ()
    #: Number of the first choice, where people know the choices by numbers of their own.
    first: int = 1
    required: bool = False
    #: Asked only under this condition; owed only under that one.
    when: Condition
    required_when: Condition
    data: DataClass = DataClass.COUNSELLING
    #: Tells who somebody is: masked unless revealed.
    pii: bool = False
    #: Roles that may see it at all; empty: whoever sees its class.
    seen_by: tuple[Role, ...] = ()
    #: Most characters of a text, most groups of records.
    most: int
    wording: Wording = Wording.FREE
    #: The fields of one group of records.
    fields: tuple[Field, ...] = ()
    #: Where it stands in its file.
    line: int = attribute(default=1, compare=False)

    def is_seen_by(self, roles: Collection[Role]) -> bool:
        """Tell whether somebody with these roles may see its answers."""
        return sees(roles, self.data) and (not self.seen_by or not set(self.seen_by).isdisjoint(roles))


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """Fields under one heading."""

    id: str
    label: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form of one version."""

    name: str
    version: int
    sections: tuple[Section, ...]
    #: The file it was read from, word for word: kept with the records written on it.
    text: str = attribute(default="", repr=False, compare=False)

    @property
    def id(self) -> str:
        """Return `session/1`: how records name the form they were written on."""
        return f"{self.name}/{self.version}"

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """Return the fields by id, in their order."""
        return {field.id: field for section in self.sections for field in section.fields}

    @cached_property
    def checksum(self) -> str:
        """Return the SHA-256 of what the form says. Comments and the order of keys do not count."""
        said = json.dumps(_said(self), ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()


def _said(value: Any) -> Any:
    """Return a value as JSON has it, without what is as it is by default: a key new to the language
    then changes the checksum of no form that does not use it.
    """
    if isinstance(value, tuple):
        return [_said(item) for item in value]
    if not is_dataclass(value) or isinstance(value, type):
        return value
    told = {spec.name: getattr(value, spec.name) for spec in fields(value) if spec.compare}
    usual = {spec.name: spec.default for spec in fields(value) if spec.default is not MISSING}
    return {name: _said(given) for name, given in told.items() if name not in usual or given != usual[name]}


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrong:
    """What is wrong with an answer, and the mend. `field` names the field it is to be mended at."""

    field: str
    text: str


def holds(condition: Condition, answers: Answers) -> bool:
    """Tell whether the answers agree with a condition."""
    return all(not set(_words(answers.get(name))).isdisjoint(wanted) for name, wanted in condition.items())


def _words(value: object) -> Iterator[str]:
    match value:
        case bool():
            yield YES if value else NO
        case str():
            yield value
        case list() | tuple():
            yield from (str(item) for item in value)


def check(form: Form, answers: Answers) -> tuple[Wrong, ...]:
    """Return what the form itself finds wrong: what is owed and missing, what was not asked."""
    found: list[Wrong] = []
    for field in form.fields.values():
        found.extend(_check_field(form, field, answers))
    return tuple(found)


def _check_field(form: Form, field: Field, answers: Answers) -> Iterator[Wrong]:
    given = field.id in answers
    if not holds(field.when, answers):
        if given:
            said = f"「{field.label}」只在{told(form, field.when)}时填写,请删去,或改正前面的回答。"
            yield Wrong(field=field.id, text=said)
        return
    if not given and is_owed(field, answers):
        yield Wrong(field=field.id, text=f"「{field.label}」没有填。")
    if field.kind is FieldKind.RECORDS:
        for n, group in enumerate(answers.get(field.id, ()), start=1):
            for part in field.fields:
                if part.id not in group and holds(part.when, group) and is_owed(part, group):
                    yield Wrong(field=field.id, text=f"「{field.label}」第 {n} 条的「{part.label}」没有填。")


def is_owed(field: Field, answers: Answers) -> bool:
    """Tell whether a field that is asked has to be filled in."""
    return field.required or (bool(field.required_when) and holds(field.required_when, answers))


def told(form: Form, condition: Condition) -> str:
    """Return a condition as people say it: `「来电者」为第三方`."""
    parts = [f"「{form.fields[name].label}」为{'或'.join(words)}" for name, words in condition.items()]
    return ",且".join(parts)
