"""Whatever is typed about people is kept whole or refused with a sentence, and nothing is half-written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callcenter.db.unit_of_work import SqlStore
from callcenter.domain.people import ConsentKind, Person, Phone, SuppressionKind
from callcenter.domain.privacy import RequestKind
from callcenter.domain.users import Role, User
from callcenter.errors import CallCenterError
from callcenter.ports import Store, UnitOfWork
from callcenter.service.people import blocking, caller_plans, people, reveal
from callcenter.service.privacy import requests

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
#: Also what no keyboard has: NUL, lone surrogates as a shell passes broken bytes, other scripts' digits.
TYPED = st.text(st.one_of(st.characters(), st.sampled_from("\0\ud800\udfff１٣1 -+()#!;'")), max_size=30)

Act = Callable[[UnitOfWork, str], object]
ACTS: dict[str, Act] = {
    "find by number": lambda work, text: people.find(
        work, number=text, reason="来电者请我们核对", actor="s001", now=NOW
    ),
    "find by code": lambda work, text: people.find(work, code=text, actor="s001", now=NOW),
    "find by pseudonym": lambda work, text: people.find(work, pseudonym=text, actor="s001", now=NOW),
    "reveal whom": lambda work, text: reveal.reveal(
        work, text, ["numbers"], actor="s001", now=NOW, reason="需要核对号码"
    ),
    "reveal why": lambda work, text: reveal.reveal(
        work, "p1", ["numbers"], actor="s001", now=NOW, reason=text
    ),
    "new person": lambda work, text: people.new_person(work, number=text, actor="s001", now=NOW),
    "add a phone": lambda work, text: people.add_phone(work, "p1", text, actor="s001", now=NOW),
    "consent": lambda work, text: people.record_consent(
        work, "p1", ConsentKind.FOLLOWUP, True, channel=text, script_version=text, actor="s001", now=NOW
    ),
    "opt out": lambda work, text: people.opt_out(
        work, "p1", SuppressionKind.AUTOMATION, reason=text, actor="s001", now=NOW
    ),
    "plan": lambda work, text: caller_plans.set_plan(
        work, "p1", worker=text, times=text, instructions=text, actor="s001", now=NOW
    ),
    "block": lambda work, text: blocking.block(
        work, text, length=timedelta(days=1), actor="s001", now=NOW, reason=text
    ),
    "request": lambda work, text: requests.open_request(
        work, "p1", RequestKind.ACCESS, identity_check=text, wish=text, actor="s001", now=NOW
    ),
}


@pytest.fixture
def sqlite_store(sqlite_url: str, open_sql_store: Callable[[str], SqlStore]) -> Store:
    """A store on disk that knows one person and one supervisor."""
    store = open_sql_store(sqlite_url)
    with store() as work:
        work.users.add(User(code="s001", name="顾明", roles=frozenset({Role.SUPERVISOR})))
        work.people.add(Person(id="p1", code="P-7F3K", phones=(Phone(number="13861705555"),)))
        work.commit()
    return store


@pytest.mark.parametrize("act", ACTS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TYPED)
def test_whatever_is_typed_is_kept_or_refused_with_a_sentence(
    sqlite_store: Store, act: str, text: str
) -> None:
    said = "kept"
    with sqlite_store() as work:
        try:
            ACTS[act](work, text)
        except CallCenterError as error:
            said = str(error)
    assert said.strip()
    assert said.encode(), "can be said on any terminal"
