"""The form as text: what is answered comes back, and nothing anybody types ends in anything but a remark."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from session_desk import FULL, desk

from callcenter.domain.form_text import marked, parse, render, unmarked
from callcenter.domain.form_values import clean, is_nothing, read_answers
from callcenter.domain.forms import Field, FieldKind
from callcenter.errors import Refused
from callcenter.service.sessions.writing import RecordRefused, examine

DESK = desk()
FORM = DESK.form
LABELS = [one.label for one in FORM.fields.values()]
#: Pieces that look like something else in the text.
PIECES = st.sampled_from(
    [
        "# 不是注释",
        "#! ",
        "- ",
        "事实:",
        "行动:",
        "  ",
        "\t",
        "「",
        "」",
        ":",
        "\uff1a",
        "\u3000",
        "1",
        "\n",
        "\n\n",
        "=",
        "、",
    ]
)
TEXTS = st.lists(st.one_of(st.text(max_size=12), PIECES), max_size=8).map("".join)


def value_of(field: Field) -> st.SearchStrategy[Any]:
    """Return answers as they are kept."""
    strategies: dict[FieldKind, Any] = {
        FieldKind.CHOICE: lambda: st.sampled_from(field.choices),
        FieldKind.CHOICES: lambda: st.sets(st.sampled_from(field.choices)).map(
            lambda chosen: [word for word in field.choices if word in chosen]
        ),
        FieldKind.TEXT: lambda: TEXTS.map(lambda text: " ".join(clean(text).split())).map(
            lambda text: text[: field.most].strip()
        ),
        FieldKind.LONG: lambda: TEXTS.map(lambda text: clean(clean(text)[: field.most])),
        FieldKind.SCALE: lambda: st.integers(0, 100),
        FieldKind.NUMBER: lambda: st.one_of(st.integers(0, 999), st.integers(0, 9999).map(lambda n: n / 4)),
        FieldKind.YESNO: st.booleans,
        FieldKind.DAY: lambda: st.dates(date(1950, 1, 1), date(2099, 1, 1)).map(date.isoformat),
        FieldKind.ITEMS: lambda: st.dictionaries(
            st.from_regex(r"[A-Za-z0-9_.-]{1,20}", fullmatch=True), st.integers(-999, 999), max_size=5
        ),
        FieldKind.RECORDS: lambda: st.lists(group_of(field), max_size=3),
    }
    found: st.SearchStrategy[Any] = strategies[field.kind]()
    return found


def group_of(field: Field) -> st.SearchStrategy[dict[str, Any]]:
    parts = {part.id: value_of(part) for part in field.fields}
    return st.fixed_dictionaries({}, optional=parts).map(filled).filter(bool)


def filled(answers: dict[str, Any]) -> dict[str, Any]:
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in answers.items()
        if not is_nothing(value)
    }


ANSWERS = st.fixed_dictionaries({}, optional={one.id: value_of(one) for one in FORM.fields.values()}).map(
    filled
)


@given(ANSWERS)
@example(FULL)
@example({"facts": "事实:\n\n# 她说\n  - 「不想活了」\n行动:没有"})
@example({"actions": [{"text": "- 内容:复诊", "state": "完成"}]})
def test_what_is_answered_comes_back_from_the_text(answers: dict[str, Any]) -> None:
    found = parse(FORM, render(FORM, answers))
    assert found.problems == ()
    assert found.answers == answers
    assert read_answers(FORM, answers) == (answers, ())


@given(ANSWERS)
def test_an_editor_of_windows_that_strips_blanks_changes_nothing(answers: dict[str, Any]) -> None:
    text = "\ufeff" + "\r\n".join(line.rstrip() for line in render(FORM, answers).split("\n"))
    assert parse(FORM, text).answers == answers


LINES = st.one_of(
    st.text(max_size=30),
    PIECES,
    st.builds("{}{}{}".format, st.sampled_from(LABELS), st.sampled_from([":", "\uff1a", " :", ""]), TEXTS),
)


@given(st.lists(LINES, max_size=12).map("\n".join))
def test_whatever_is_typed_is_submitted_or_refused_line_by_line(text: str) -> None:
    found = parse(FORM, text)
    last = len(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    assert all(1 <= problem.line <= last for problem in found.problems)
    for problem in found.problems:
        assert problem.text
    with suppress(RecordRefused):
        examine(FORM, DESK, found.answers)
    again = marked(text, found.problems)
    assert marked(unmarked(again), found.problems) == again
    assert parse(FORM, unmarked(again)).answers == parse(FORM, unmarked(text)).answers


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*FORM.fields, "nobody"]), JSON, max_size=8))
def test_whatever_a_program_sends_is_taken_or_refused(sent: dict[str, Any]) -> None:
    try:
        kept = examine(FORM, DESK, sent).answers
    except Refused:
        return
    assert read_answers(FORM, kept) == (kept, ())
