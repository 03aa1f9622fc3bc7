"""The form language: what is wrong with a form file is named by line, with the mend."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callcenter.domain.access import DataClass
from callcenter.domain.books import FORMS as FORM_BOOK
from callcenter.domain.form_file import FORMS, FormError, load_form, parse_form
from callcenter.domain.form_needs import NEEDS
from callcenter.domain.forms import FieldKind
from callcenter.domain.users import Role
from callcenter.errors import Refused
from callcenter.memory import MemoryStore
from callcenter.service.sessions.forms import form_of, keep_form, session_form

SHIPPED = (FORMS / "session.yaml").read_text(encoding="utf-8")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SMALL = """\
form: small
version: 1
sections:
  - id: one
    label: 一
    fields:
      - {id: kind, label: 类型, kind: choice, choices: [甲, 乙]}
      - {id: note, label: 备注, kind: text, when: {kind: [甲]}}
"""
#: What is replaced, by what, the line of the complaint, and words of it.
BROKEN = [
    ("form: small\n", "", 1, "`form` is missing"),
    ("version: 1", "version: 0", 2, "whole number from 1"),
    ("version: 1", "version: eins", 2, "is not a version"),
    ("sections:", "colour: red\nsections:", 3, "unknown key `colour`"),
    ("    fields:\n      - {id: kind", "    fields: []\n      - {id: kind", 7, "not YAML"),
    ("label: 一", "label:", 5, "not one line"),
    ("id: note", "id: kind", 8, "stands in this form already"),
    ("id: note", "id: Note", 8, "is not a name"),
    ("label: 备注", "label: 类型", 8, "the label `类型` stands"),
    ("label: 备注", "label: '备:注'", 8, "is not a label"),
    ("label: 备注", "label: '#备注'", 8, "is not a label"),
    ("kind: text", "kind: texts", 8, "is not known here"),
    ("kind: text", "kind: text, choices: [甲]", 8, "`text` has no `choices`"),
    ("kind: choice, choices: [甲, 乙]", "kind: choice", 7, "`choices` is missing"),
    ("[甲, 乙]", "[]", 7, "the list is empty"),
    ("[甲, 乙]", "[甲, 甲]", 7, "in this list already"),
    ("[甲, 乙]", "[甲, '乙、丙']", 7, "cannot be told from other answers"),
    ("[甲, 乙]", "[甲, '1']", 7, "taken for the number of a choice"),
    ("when: {kind: [甲]}", "when: {kind: [丙]}", 8, "is never `丙`"),
    ("when: {kind: [甲]}", "when: {}", 8, "no field stands here"),
    ("when: {kind: [甲]}", "when: {kind: []}", 8, "no answer stands here"),
    ("when: {kind: [甲]}", "when: {other: [甲]}", 8, "is no other field here"),
    ("when: {kind: [甲]}", "required: 'true'", 8, "neither true nor false"),
    ("when: {kind: [甲]}", "most: 0", 8, "a length"),
    ("when: {kind: [甲]}", "class: secret", 8, "is not known here"),
    ("when: {kind: [甲]}", "seen_by: [boss]", 8, "is not known here"),
    ("when: {kind: [甲]}", "wording: nice", 8, "is not known here"),
    (
        "kind: text, when: {kind: [甲]}",
        "kind: records, fields: [{id: a, label: 子, kind: long}]",
        8,
        "inside records",
    ),
    ("kind: text, when: {kind: [甲]}", "kind: records", 8, "`fields` is missing"),
    ("form: small", "form: [", 3, "not YAML"),
]


@pytest.mark.parametrize(("old", "new", "line", "words"), BROKEN)
def test_a_broken_form_names_its_line_and_the_mend(
    tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    file = tmp_path / "small.yaml"
    assert old in SMALL
    file.write_text(SMALL.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(FormError, match=re.escape(words)) as caught:
        load_form(file)
    assert str(caught.value).startswith(f"{file}:{line}: ")


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"- - -", b"a: &a [*a]", b"{" * 5000])
def test_what_is_no_form_at_all_is_refused_all_the_same(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "small.yaml"
    file.write_bytes(raw)
    with pytest.raises(FormError, match=re.escape(str(file))):
        load_form(file)


def test_a_condition_on_a_field_without_words_is_refused(tmp_path: Path) -> None:
    text = SMALL + "      - {id: more, label: 又, kind: text, when: {note: [甲]}}\n"
    with pytest.raises(FormError, match=r"small:9: .*has no words"):
        parse_form(text, "small")


# --- the shipped form, and a site's own -----------------------------------------------------


def site(tmp_path: Path, text: str) -> Path:
    (tmp_path / "session.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_site_without_a_form_of_its_own_has_ours(tmp_path: Path) -> None:
    assert session_form(tmp_path) == session_form() == session_form(None)
    assert session_form().id == "session/1"


def test_a_sites_own_form_stands_in_the_place_of_ours(tmp_path: Path) -> None:
    own = SHIPPED.replace("version: 1", "version: 2").replace("label: 小结", "label: 总的印象")
    form = session_form(site(tmp_path, own))
    assert form.id == "session/2"
    assert form.fields["summary"].label == "总的印象"


@pytest.mark.parametrize("name", NEEDS)
def test_a_form_without_what_the_rules_read_is_refused(tmp_path: Path, name: str) -> None:
    own = re.sub(rf"\b(id: ){name}\b", rf"\g<1>{name}x", SHIPPED).replace(f"{name}: [", f"{name}x: [")
    own = own.replace(f"{{{name}: ", f"{{{name}x: ")
    with pytest.raises(FormError, match=rf"session\.yaml:1: field `{name}` is missing"):
        session_form(site(tmp_path, own))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "[来电者先挂断, 技术中断, 非服务来电]",
            "[来电者先挂断, 技术中断, 非服务来电, 太忙]",
            "have to be exactly",
        ),
        ("[紧急, 高危, 中危, 一般, 咨询]", "[高危, 中危, 一般, 咨询, 紧急]", "have to be exactly"),
        ("讨论, 约定, 计划, 进行中, 完成, 失败", "讨论, 约定", "lacks the choice `完成`"),
        ("[正常受理, 信息咨询, 沉默, 误拨,", "[正常受理, 信息咨询, 沉默,", "choice `误拨` is missing"),
        (
            "{id: distress_start, label: 开始时痛苦, kind: scale,",
            "{id: distress_start, label: 开始时痛苦, kind: text,",
            "as `scale`",
        ),
    ],
)
def test_a_form_that_lost_a_word_the_rules_look_for_is_refused(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    assert old in SHIPPED
    with pytest.raises(FormError, match=re.escape(words)):
        session_form(site(tmp_path, SHIPPED.replace(old, new, 1)))


def test_every_field_of_ours_is_of_a_class_and_what_names_somebody_is_marked() -> None:
    fields = session_form().fields
    assert {name for name, one in fields.items() if one.pii} == {
        "subject_name",
        "subject_contact",
        "workplace",
        "plan_contacts",
    }
    assert {name for name, one in fields.items() if one.data is DataClass.OPEN} == {
        "kind",
        "caller_type",
        "relation",
    }


def test_problem_codes_are_all_those_that_statistics_ask_for() -> None:
    asked = (
        "工作压力 劳动关系/欠薪 职业倦怠 工伤/职业病 失业 人际 经济债务 亲子 婚恋 丧亲 躯体疾病 睡眠 "
        "成瘾 信息咨询 其他 沉默 骚扰 误拨 第三方 未成年"
    )
    assert set(asked.split()) <= set(session_form().fields["codes"].choices)
    assert session_form().fields["codes"].kind is FieldKind.CHOICES


def test_a_field_may_be_for_some_roles_only() -> None:
    form = parse_form(SMALL.replace("when: {kind: [甲]}", "seen_by: [supervisor]"), "small")
    note = form.fields["note"]
    assert note.is_seen_by({Role.SUPERVISOR})
    assert not note.is_seen_by({Role.COUNSELLOR})
    assert not replace(note, seen_by=()).is_seen_by({Role.CLERK})


# --- versions -------------------------------------------------------------------------------


def test_a_form_changed_under_the_same_version_is_refused_and_the_next_version_taken() -> None:
    first = parse_form(SHIPPED, "session")
    other = parse_form(SHIPPED.replace("label: 小结", "label: 总的印象"), "session")
    with MemoryStore()() as work:
        keep_form(work, first, NOW)
        keep_form(work, first, NOW)
        with pytest.raises(Refused, match="version 改为 2"):
            keep_form(work, other, NOW)
        keep_form(work, replace(other, version=2), NOW)
        assert len(work.book(FORM_BOOK).where()) == 2
        assert form_of(work, "session/1").fields["summary"].label == "小结"


def test_remarks_and_the_order_of_keys_change_no_checksum() -> None:
    plain = parse_form(SMALL, "small")
    moved = SMALL.replace(
        "{id: kind, label: 类型, kind: choice,", "{kind: choice, label: 类型, id: kind, # x\n       "
    )
    assert parse_form("# 说明\n" + moved, "other").checksum == plain.checksum
    assert parse_form(SMALL.replace("乙", "丙"), "small").checksum != plain.checksum
    assert (
        parse_form(SMALL.replace("kind: text,", "kind: text, hint: 写一句,"), "small").checksum
        != plain.checksum
    )
