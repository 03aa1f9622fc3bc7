"""No generated name, number or note survives into logs, errors, facts, call files or the audit's ids."""

from __future__ import annotations

import io
import json
import logging
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_people_typing import ACTS

from callcenter.asterisk.spool import SpoolEdges
from callcenter.domain.duty import Shift
from callcenter.domain.identity import check_digit
from callcenter.domain.people import Person, Phone, Suppression, SuppressionKind
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import CallCenterError
from callcenter.keys import KeyRing
from callcenter.logs import ID_FIELDS, NUMBER_FIELDS, WORD_FIELDS, JsonFormatter, PlainFormatter
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.hardship.importing import read_list
from callcenter.service.hardship.tables import ImportRefused
from callcenter.service.line.wanted import pbx_wants
from scheduler.obligations import Kind, Mode, Obligation

NOW = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)
SALT = KeyRing(master=bytes(range(32))).password("pbx-salt")
#: Common family names, and characters given names are made of.
NAMES = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(("沈", "顾", "欧阳", "林", "上官")),
        st.text("建国晓燕卫东鹤鸣望舒若兰", min_size=2, max_size=2),
    ),
)
NUMBERS = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
IDENTITIES = st.from_regex(r"3202(0[0-9]|1[0-4])19[5-9][0-9](0[1-9]|1[0-2])[01][0-9]{4}", fullmatch=True).map(
    lambda first: first + check_digit(first)
)
SAYINGS = st.sampled_from(("晚上想从桥上跳下去", "丈夫又打了她", "欠了三个月房租"))
NOTES = st.builds("{}说{}".format, NAMES, SAYINGS)


def shown(value: str, text: str) -> bool:
    """Tell whether a value stands in a text, as it is or escaped as JSON does."""
    return value in text or json.dumps(value)[1:-1] in text


@pytest.mark.parametrize("formatter", [JsonFormatter(), PlainFormatter()], ids=["json", "plain"])
@given(name=NAMES, number=NUMBERS, identity=IDENTITIES, note=NOTES)
def test_no_line_of_the_log_holds_one_wherever_it_was_put(
    formatter: logging.Formatter, name: str, number: str, identity: str, note: str
) -> None:
    for value in (name, number, identity, note):
        try:
            raise ValueError(f"cannot keep {value}") from KeyError(value)
        except ValueError as error:
            record = logging.LogRecord("x", logging.ERROR, "x.py", 1, f"{value} %s", (value,), None)
            record.exc_info = (type(error), error, error.__traceback__)
        fields = (*ID_FIELDS, *NUMBER_FIELDS, *WORD_FIELDS, "caller_name", value)
        record.__dict__.update(dict.fromkeys(fields, value) | {"members": [value], "state": {"n": value}})
        assert not shown(value, formatter.format(record))


#: Acts that ask for an id or a code: one that nobody has is named, so that a slip of the finger is seen.
ASKS_FOR_A_CODE = {"reveal whom", "plan"}


def refusal_of(act: str, work: UnitOfWork, text: str) -> str:
    """Return what an act says of a text; empty if it takes it."""
    try:
        ACTS[act](work, text)
    except CallCenterError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("act", [act for act in ACTS if act not in ASKS_FOR_A_CODE])
@given(text=st.one_of(NOTES, IDENTITIES, NUMBERS))
def test_no_refusal_and_no_id_in_the_audit_repeats_what_was_typed(
    act: str, text: str, people_store: MemoryStore
) -> None:
    with people_store() as work:
        assert not shown(text, refusal_of(act, work, text))
        for entry in work.audit.recent(50):
            assert not shown(text, f"{entry.actor} {entry.verb} {entry.object} {entry.field}")


@pytest.fixture(scope="module")
def people_store() -> MemoryStore:
    """A store that knows one person and one supervisor; no unit of work is kept."""
    store = MemoryStore()
    with store() as work:
        supervisor = frozenset({Role.SUPERVISOR, Role.COUNSELLOR})
        work.users.add(User(code="s001", name="陈静", roles=supervisor))
        work.people.add(Person(id="p1", code="P-7F3K", name="王芳", phones=(Phone(number="13800138000"),)))
        work.commit()
    return store


@given(name=NAMES, number=NUMBERS, identity=IDENTITIES)
def test_no_complaint_about_a_list_repeats_a_cell(name: str, number: str, identity: str) -> None:
    rows = [
        "档案编号,姓名,手机,困难类别,建档日期,身份证号",
        f"{name},{number},{name},{identity},{number},{name}",
        f"WX-1,{name},{number}9,{name},{identity},{identity}7",
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "名单.csv"
        file.write_text("\n".join(rows), encoding="utf-8")
        with pytest.raises(ImportRefused) as refused:
            read_list(file, {}, NOW)
    for value in (name, number, identity):
        assert not shown(value, str(refused.value))


@pytest.mark.parametrize("column", ["档案编号", "区县", "所属工会"])
@given(secret=st.one_of(NUMBERS, IDENTITIES))
def test_what_a_list_keeps_in_clear_takes_no_number_of_a_person(column: str, secret: str) -> None:
    row = {
        "档案编号": "WX-1",
        "姓名": "沈建国",
        "困难类别": "深度困难",
        "建档日期": "2026-01-05",
        column: secret,
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "名单.csv"
        file.write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n", encoding="utf-8")
        with pytest.raises(ImportRefused, match="不加密保存"):
            read_list(file, {}, NOW)


@given(name=NAMES, number=NUMBERS, note=NOTES)
def test_no_fact_and_no_call_file_holds_one(name: str, number: str, note: str) -> None:
    store = MemoryStore()
    with store() as work:
        work.users.add(
            User(
                code="c017",
                name=name,
                roles=frozenset({Role.COUNSELLOR}),
                phone=PhoneKind.MOBILE,
                mobile=number,
            )
        )
        work.roster.add_shift(Shift(id="sh-1", agent="c017", start=NOW, length=timedelta(hours=4)))
        phones = (Phone(number=number),)
        work.people.add(
            Person(id="p1", code="P-1", name=name, birth_year=1950, speaks="zh_wx", phones=phones)
        )
        work.people.add_suppression(
            Suppression(person="p1", kind=SuppressionKind.AUTOMATION, at=NOW, reason=note)
        )
        work.debts.add(
            Obligation(
                id="ob-1",
                person="p1",
                kind=Kind.CALLBACK,
                due_at=NOW,
                window_end=NOW + timedelta(hours=1),
                mode=Mode.HUMAN_ONLY,
                detail=f"number={number}",
                created_at=NOW,
            )
        )
        found = pbx_wants(work, NOW, salt=SALT)
    assert any(key.startswith("hotline-fact/") for key in found.facts), "the person is known to the line"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "spool" / "outgoing").mkdir(parents=True)
        (Path(folder) / "spool" / "tmp").mkdir()
        SpoolEdges(Path(folder)).lay(found.edges)
        files = [file for file in Path(folder).rglob("*") if file.is_file()]
        assert files
        laid = io.StringIO()
        laid.writelines(f"{file.name} {file.read_text(encoding='utf-8')}\n" for file in files)
    for value in (name, number, note):
        assert not shown(value, str(found.facts) + laid.getvalue())
