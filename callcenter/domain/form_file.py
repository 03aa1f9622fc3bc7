"""YAML -> `Form`. Every complaint names file:line and the mend; nothing half-read is returned."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from callcenter.domain.access import DataClass
from callcenter.domain.forms import NO, YES, Condition, Field, FieldKind, Form, Section, Wording
from callcenter.domain.users import Role
from callcenter.errors import Refused
from ivr.errors import IvrError
from ivr.yaml_marks import Marked, parse_yaml, read_yaml

T = TypeVar("T")

#: Forms that come with us.
FORMS = Path(__file__).parents[1] / "forms"

_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")
#: Shown before the answer and typed by people, so it must not look like anything else in the text.
_LABEL = re.compile(r"[^\s:\uff1a#|\-][^\s:\uff1a|]{0,15}")
#: What separates several answers in one line cannot stand in one of them.
_CHOICE = re.compile(r"[^\s,\uff0c\u3001;\uff1b:\uff1a#|=][^\s,\uff0c\u3001;\uff1b|]{0,29}")

_TOP = frozenset({"form", "version", "sections"})
_SECTION = frozenset({"id", "label", "fields"})
_OPTIONAL_OF_SECTION = frozenset({"when", "class"})
_FIELD = frozenset({"id", "label", "kind"})
_OPTIONAL = frozenset(
    {
        "hint",
        "choices",
        "first",
        "required",
        "when",
        "required_when",
        "class",
        "pii",
        "seen_by",
        "most",
        "wording",
        "fields",
    }
)
#: Keys that only some kinds have, and which kinds have to have them.
_ONLY: Mapping[str, frozenset[FieldKind]] = {
    "choices": frozenset({FieldKind.CHOICE, FieldKind.CHOICES}),
    "first": frozenset({FieldKind.CHOICE, FieldKind.CHOICES}),
    "fields": frozenset({FieldKind.RECORDS}),
    "most": frozenset({FieldKind.TEXT, FieldKind.LONG, FieldKind.RECORDS}),
    "wording": frozenset({FieldKind.TEXT, FieldKind.LONG}),
}
_MUST = frozenset({"choices", "fields"})
_MOST = {FieldKind.TEXT: 200, FieldKind.LONG: 4000, FieldKind.RECORDS: 20}
#: Longer than anybody writes in one call.
_MOST_EVER = 20_000
#: Answers a condition can name.
_ASKABLE = frozenset({FieldKind.CHOICE, FieldKind.CHOICES, FieldKind.YESNO})


class FormError(Refused, IvrError):
    """A form file cannot be used. The message names file and line, and the mend."""

    error_id = "form_error"


def load_form(file: Path) -> Form:
    """Read a form, or raise `FormError`."""
    form = _form(read_yaml(file, FormError))
    return replace(form, text=file.read_text(encoding="utf-8"))


def parse_form(text: str, source: str) -> Form:
    """Read a form from a text that was kept, or raise `FormError`."""
    return replace(_form(parse_yaml(text, source, FormError)), text=text)


def _form(root: Marked) -> Form:
    top = root.fields(_TOP, _TOP)
    seen: dict[str, Field] = {}
    marks: dict[str, Marked] = {}
    sections = tuple(_section(mark, seen, marks) for mark in _some(top["sections"]))
    ids = [section.id for section in sections]
    if doubled := next((name for name in ids if ids.count(name) > 1), None):
        raise top["sections"].fail(f"section `{doubled}` stands here twice. Give one another id.")
    for name, mark in marks.items():
        _check_conditions(seen[name], seen, mark)
    return Form(
        name=_id(top["form"]), version=_whole(top["version"], 1, 9999, "a version"), sections=sections
    )


def _section(mark: Marked, seen: dict[str, Field], marks: dict[str, Marked]) -> Section:
    given = mark.fields(_SECTION | _OPTIONAL_OF_SECTION, _SECTION)
    when = _condition(given["when"]) if "when" in given else {}
    data = _one_of(given["class"], DataClass) if "class" in given else DataClass.COUNSELLING
    fields = []
    for inner in _some(given["fields"]):
        field = _field(inner, when, data)
        _check_new(field, seen, inner)
        seen[field.id], marks[field.id] = field, inner
        fields.append(field)
    return Section(id=_id(given["id"]), label=_hint(given["label"]), fields=tuple(fields))


def _check_new(field: Field, seen: Mapping[str, Field], mark: Marked) -> None:
    if field.id in seen:
        raise mark.fail(f"field `{field.id}` stands in this form already. Give this one another id.")
    if field.label in {other.label for other in seen.values()}:
        raise mark.fail(f"the label `{field.label}` stands in this form already. Write another one.")


def _field(mark: Marked, when: Condition, data: DataClass, *, inside: bool = False) -> Field:
    given = mark.fields(_FIELD | _OPTIONAL, _FIELD)
    kind = _one_of(given["kind"], FieldKind)
    _check_keys(mark, given, kind)
    if inside and kind in (FieldKind.RECORDS, FieldKind.LONG):
        raise given["kind"].fail(f"`{kind}` cannot stand inside records. Use `text`, or a field of its own.")
    data = _one_of(given["class"], DataClass) if "class" in given else data
    choices, first = _choices(given)
    own = _condition(given["when"]) if "when" in given else {}
    if both := own.keys() & when.keys():
        raise given["when"].fail(f"`{min(both)}` is asked for by the section already. Take it out here.")
    return Field(
        id=_id(given["id"]),
        label=_label(given["label"]),
        kind=kind,
        hint=_hint(given["hint"]) if "hint" in given else "",
        choices=choices,
        first=first,
        required=_truth(given.get("required")),
        when={**when, **own},
        required_when=_condition(given["required_when"]) if "required_when" in given else {},
        data=data,
        pii=_truth(given.get("pii")),
        seen_by=tuple(_one_of(role, Role) for role in given["seen_by"].items()) if "seen_by" in given else (),
        most=_whole(given["most"], 1, _MOST_EVER, "a length") if "most" in given else _MOST.get(kind, 1),
        wording=_one_of(given["wording"], Wording) if "wording" in given else Wording.FREE,
        fields=_parts(given["fields"], data) if "fields" in given else (),
        line=mark.line,
    )


def _check_keys(mark: Marked, given: Mapping[str, Marked], kind: FieldKind) -> None:
    for key, kinds in _ONLY.items():
        if key in given and kind not in kinds:
            raise given[key].fail(f"`{kind}` has no `{key}`. It belongs to: {', '.join(sorted(kinds))}.")
        if key in _MUST and kind in kinds and key not in given:
            raise mark.fail(f"`{key}` is missing. `{kind}` cannot do without it.")


def _parts(mark: Marked, data: DataClass) -> tuple[Field, ...]:
    """Return the fields of a group; their conditions look at the group itself."""
    parts: dict[str, Field] = {}
    for inner in _some(mark):
        part = _field(inner, {}, data, inside=True)
        _check_new(part, parts, inner)
        parts[part.id] = part
        _check_conditions(part, parts, inner)
    return tuple(parts.values())


def _check_conditions(field: Field, known: Mapping[str, Field], mark: Marked) -> None:
    for condition in (field.when, field.required_when):
        for name, words in condition.items():
            if name not in known or name == field.id:
                raise mark.fail(f"`{field.id}` depends on `{name}`, which is no other field here. Mend it.")
            asked = known[name]
            if asked.kind not in _ASKABLE:
                raise mark.fail(
                    f"`{field.id}` depends on `{name}`, which is `{asked.kind}` and has no words."
                )
            may_be = asked.choices if asked.choices else (YES, NO)
            if stray := next((word for word in words if word not in may_be), None):
                raise mark.fail(f"`{name}` is never `{stray}`. It may be: {', '.join(may_be)}.")


def _choices(given: Mapping[str, Marked]) -> tuple[tuple[str, ...], int]:
    if "choices" not in given:
        return (), 1
    first = _whole(given["first"], 0, 1, "the number of the first choice") if "first" in given else 1
    marks = _some(given["choices"])
    words: list[str] = []
    for mark in marks:
        word = mark.text()
        if not _CHOICE.fullmatch(word):
            raise mark.fail(f"`{word}` cannot be told from other answers. No blanks, commas or colons.")
        if word.isdecimal() and int(word) < first + len(marks):
            raise mark.fail(f"`{word}` would be taken for the number of a choice. Write it as a word.")
        if word in words:
            raise mark.fail(f"`{word}` stands in this list already. Keep one.")
        words.append(word)
    return tuple(words), first


def _condition(mark: Marked) -> dict[str, tuple[str, ...]]:
    found = {}
    for key, value in mark.pairs():
        words = tuple(word.text() for word in value.items())
        if not words:
            raise value.fail("no answer stands here. Name at least one.")
        found[key.text()] = words
    if not found:
        raise mark.fail("no field stands here. Write `field: [answer]`, or take it out.")
    return found


def _some(mark: Marked) -> list[Marked]:
    items = mark.items()
    if not items:
        raise mark.fail("the list is empty. Write at least one entry.")
    return items


def _id(mark: Marked) -> str:
    return _matching(mark, _ID, "a name: a-z, 0-9 and _, a letter first")


def _label(mark: Marked) -> str:
    return _matching(mark, _LABEL, "a label: at most 16 characters without blanks, colons, # or |")


def _hint(mark: Marked) -> str:
    return _matching(mark, re.compile(r"[^\n\r]{1,200}"), "one line of at most 200 characters")


def _matching(mark: Marked, pattern: re.Pattern[str], wanted: str) -> str:
    text = mark.text()
    if not pattern.fullmatch(text) or not text.isprintable():
        raise mark.fail(f"`{text}` is not {wanted}.")
    return text


def _whole(mark: Marked, least: int, most: int, wanted: str) -> int:
    found = mark.number(wanted)
    if not isinstance(found, int) or not least <= found <= most:
        raise mark.fail(f"`{mark.text()}` is not {wanted}: a whole number from {least} to {most}.")
    return found


def _truth(mark: Marked | None) -> bool:
    if mark is None:
        return False
    found = mark.truth()
    if found is None:
        raise mark.fail(f"`{mark.text()}` is neither true nor false. Write one of them, without quotes.")
    return found


def _one_of(mark: Marked, kinds: Callable[[str], T]) -> T:
    known = ", ".join(sorted(str(kind) for kind in kinds))  # type: ignore[attr-defined]
    return mark.convert(kinds, f"known here. Known: {known}")
