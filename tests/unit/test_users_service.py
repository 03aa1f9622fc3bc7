"""Users are made and changed by named administrators, and every change is on record."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from hashlib import sha1

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import Conflict, NotFound, Refused
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.health.doctor import State
from callcenter.service.health.doctor_line import machine_names
from callcenter.service.staff.users import (
    add_first_admin,
    add_user,
    change_user,
    check_pin,
    disable_user,
    note_account_shown,
    pin_verifier,
    set_pin,
)

LIN = User(
    code="c017",
    name="林晓燕",
    roles=frozenset({Role.COUNSELLOR}),
    phone=PhoneKind.MOBILE,
    mobile="13861700017",
    escalation_rank=1,
)


@pytest.fixture
def line(now: datetime) -> MemoryStore:
    """A line with its first administrator and one counsellor."""
    store = MemoryStore()
    with store() as work:
        add_first_admin(work, "admin", "周敏", now=now)
        add_user(work, LIN, actor="admin", now=now, reason="入职")
        work.commit()
    return store


def acts(work: UnitOfWork) -> list[tuple[str, str, str, str]]:
    return [(e.actor, e.verb, e.object, e.field) for e in reversed(work.audit.recent(99))]


def test_the_first_administrator_is_made_by_the_system_and_makes_the_others(line: MemoryStore) -> None:
    with line() as work:
        assert acts(work) == [("system", "add", "user:admin", ""), ("admin", "add", "user:c017", "")]
        assert work.users.get("admin").roles == {Role.ADMIN}


def test_there_is_one_first_administrator(line: MemoryStore, now: datetime) -> None:
    with line() as work, pytest.raises(Refused, match="hotline user add"):
        add_first_admin(work, "boss", "吴刚", now=now)


@pytest.mark.parametrize("actor", ["c017", "nobody", "system"])
def test_only_an_administrator_manages_users(line: MemoryStore, now: datetime, actor: str) -> None:
    other = User(code="c018", name="顾卫东", roles=frozenset({Role.COUNSELLOR}))
    with line() as work:
        for act in (
            lambda: add_user(work, other, actor=actor, now=now),
            lambda: change_user(work, replace(LIN, name="林燕"), actor=actor, now=now),
            lambda: disable_user(work, "admin", actor=actor, now=now, reason="试试"),
            lambda: set_pin(work, "admin", "2580", salt="s", actor=actor, now=now),
        ):
            with pytest.raises(Refused):
                act()
        assert len(acts(work)) == 2


def test_a_code_is_given_once(line: MemoryStore, now: datetime) -> None:
    with line() as work, pytest.raises(Conflict):
        add_user(work, LIN, actor="admin", now=now)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "林\r\n晓"},
        {"name": "林" * 61},
        {"roles": frozenset()},
        {"escalation_rank": 0},
    ],
)
def test_a_senseless_user_is_refused(line: MemoryStore, now: datetime, wrong: dict[str, object]) -> None:
    with line() as work, pytest.raises(Refused):
        add_user(work, replace(LIN, code="c099", **wrong), actor="admin", now=now)  # type: ignore[arg-type]


def test_each_changed_field_is_on_record_without_its_value(line: MemoryStore, now: datetime) -> None:
    moved = replace(LIN, mobile="13900001111", roles=frozenset({Role.COUNSELLOR, Role.SUPERVISOR}))
    with line() as work:
        changed = change_user(work, moved, actor="admin", now=now, reason="换号")
        assert sorted(changed) == ["mobile", "roles"]
        assert work.users.get("c017") == moved
        assert sorted(acts(work)[2:]) == [
            ("admin", "change", "user:c017", "mobile"),
            ("admin", "change", "user:c017", "roles"),
        ]
        assert "13900001111" not in repr(work.audit.recent(99))


def test_changing_nothing_records_nothing(line: MemoryStore, now: datetime) -> None:
    with line() as work:
        assert change_user(work, LIN, actor="admin", now=now) == []
        assert len(acts(work)) == 2


def test_a_disabled_user_leaves_both_chains_and_cannot_sign_on(line: MemoryStore, now: datetime) -> None:
    with line() as work:
        set_pin(work, "c017", "2580", salt="s", actor="admin", now=now)
        off = disable_user(work, "c017", actor="admin", now=now, reason="调离")
        assert (off.active, off.escalation_rank, off.pin_verifier) == (False, None, None)
        assert work.audit.recent(1)[0].reason == "调离"
        with pytest.raises(Refused):
            disable_user(work, "c017", actor="admin", now=now, reason="调离")
        with pytest.raises(Refused):
            set_pin(work, "c017", "2580", salt="s", actor="admin", now=now)


def test_disabling_needs_a_reason_and_a_user(line: MemoryStore, now: datetime) -> None:
    with line() as work:
        with pytest.raises(Refused):
            disable_user(work, "c017", actor="admin", now=now, reason=" ")
        with pytest.raises(NotFound):
            disable_user(work, "c999", actor="admin", now=now, reason="调离")


def test_the_last_administrator_stays(line: MemoryStore, now: datetime) -> None:
    with line() as work:
        demoted = replace(work.users.get("admin"), roles=frozenset({Role.CLERK}))
        with pytest.raises(Refused, match="管理员"):
            disable_user(work, "admin", actor="admin", now=now, reason="调离")
    with line() as work, pytest.raises(Refused, match="管理员"):
        change_user(work, demoted, actor="admin", now=now)


def test_a_pin_is_kept_only_as_what_dialplan_compares(line: MemoryStore, now: datetime) -> None:
    with line() as work:
        user = set_pin(work, "c017", "2580", salt="SALT", actor="c017", now=now)
        assert user.pin_verifier == sha1(b"SALTc0172580", usedforsecurity=False).hexdigest()
        assert acts(work)[-1] == ("c017", "set_pin", "user:c017", "pin")
        assert "2580" not in repr(user) + repr(work.audit.recent(9))


@pytest.mark.parametrize(
    "pin", ["", "123", "123456789", "12a4", "１２３４", "2580\n", "1111", "1234", "8765", "7890"]
)
def test_a_malformed_or_trivial_pin_is_refused_and_not_repeated(pin: str) -> None:
    with pytest.raises(Refused) as refusal:
        check_pin(pin)
    assert pin not in str(refusal.value) or pin in {"", "1111", "1234", "8765"}


@given(st.from_regex(r"[0-9]{4,8}", fullmatch=True), st.from_regex(r"[0-9]{4,8}", fullmatch=True))
def test_different_pins_have_different_verifiers(one: str, other: str) -> None:
    assert (pin_verifier("S", "c017", one) == pin_verifier("S", "c017", other)) == (one == other)
    assert pin_verifier("S", "c017", one) != pin_verifier("S", "c018", one)


def test_showing_a_phones_account_needs_an_administrator_a_reason_and_is_on_record(
    line: MemoryStore, now: datetime
) -> None:
    with line() as work:
        add_user(
            work,
            replace(LIN, code="c009", phone=PhoneKind.SIP, mobile=None, escalation_rank=None),
            actor="admin",
            now=now,
        )
        for actor, reason in (("c009", "换话机"), ("admin", " ")):
            with pytest.raises(Refused):
                note_account_shown(work, "c009", actor=actor, now=now, reason=reason)
        note_account_shown(work, "c009", actor="admin", now=now, reason="换话机")
        newest = work.audit.recent(1)[0]
    assert (newest.verb, newest.object, newest.reason) == ("show_account", "user:c009", "换话机")


@pytest.mark.parametrize("code", ["system", "trunk", "root"])
def test_nobody_is_called_what_machines_are_audited_as(now: datetime, code: str) -> None:
    store = MemoryStore()
    with store() as work:
        with pytest.raises(Refused, match="留给系统"):
            add_first_admin(work, code, "周敏", now=now)
        add_first_admin(work, "admin", "周敏", now=now)
        with pytest.raises(Refused, match="留给系统"):
            add_user(
                work, User(code=code, name="李静", roles=frozenset({Role.AUDITOR})), actor="admin", now=now
            )
        assert machine_names(work).state is State.OK
        work.users.add(User(code=code, name="李静", roles=frozenset({Role.AUDITOR})))
        found = machine_names(work)
    assert (found.state, code in found.sentence) == (State.BAD, True)
