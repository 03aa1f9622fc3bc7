"""`hotline duty route`, as a supervisor types it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from callcenter.bootstrap import App
from callcenter.cli.duty import duty
from callcenter.config import Settings
from callcenter.domain.books import CALLER_PLANS
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.duty import PresenceAct, PresenceEvent, Shift
from callcenter.domain.people import Person, Phone
from callcenter.domain.privacy import CallerPlan
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import Forbidden, Refused
from callcenter.keys import KeyRing
from callcenter.memory import MemoryStore
from callcenter.ports import Store

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 19, 30, tzinfo=SHANGHAI).astimezone(UTC)
HOUR = timedelta(hours=1)
NUMBER, CODE = "13800138000", "264951"
WHY = ("--reason", "核对约定的咨询员")


class DeskApp(App):
    """An App whose store lives in memory and whose clock stands."""

    def __init__(self) -> None:
        super().__init__(settings=Settings())
        self.__dict__ |= {"store": MemoryStore(), "keys": KeyRing(master=bytes(32))}
        self.clock = lambda: NOW  # type: ignore[method-assign]


@pytest.fixture
def app() -> DeskApp:
    app = DeskApp()
    store: Store = app.store
    with store() as work:
        for code, name in (("c017", "周敏"), ("c018", "吴芳芳")):
            roles = frozenset({Role.COUNSELLOR})
            work.users.add(User(code=code, name=name, roles=roles, phone=PhoneKind.SIP))
            work.roster.add_shift(Shift(id=f"sh-{code}", agent=code, start=NOW - HOUR, length=6 * HOUR))
        supervisor = frozenset({Role.SUPERVISOR})
        work.users.add(
            User(code="s001", name="孙立", roles=supervisor, phone=PhoneKind.SIP, escalation_rank=1)
        )
        work.roster.add_presence(
            PresenceEvent(key="k1", agent="c018", act=PresenceAct.ON, at=NOW - HOUR, source="cli")
        )
        phones = (Phone(number=NUMBER),)
        work.people.add(Person(id="p-1", code="P-AAAA", name="沈师傅", phones=phones, spoken=CODE))
        work.book(CALLER_PLANS).add(CallerPlan(id="p-1", worker="c017", by="s001", at=NOW))
        work.commit()
    return app


def run(app: App, *words: str, actor: str = "s001") -> Result:
    env = {"HOTLINE_ACTOR": actor}
    return CliRunner().invoke(duty, ["route", *words], obj=app, env=env, catch_exceptions=False)


def steps(app: App, *words: str) -> dict[str, dict[str, object]]:
    told = json.loads(run(app, *words, "--json").output)
    return {step["stage"]: step for step in told["steps"]}


def test_now_who_is_signed_on_is_rung_and_who_is_not_is_named(app: DeskApp) -> None:
    said = run(app).output
    assert "试算 11-23 19:30:00 的来电。" in said
    assert "c018" in said
    assert "c017 未签到" in said
    assert all(cell_len(line) <= 80 for line in said.splitlines())
    assert steps(app)["queue"]["who"] == [{"agent": "c018", "penalty": 0}]


def test_for_a_time_to_come_everybody_on_shift_is_taken_to_sign_on_and_that_is_said(app: DeskApp) -> None:
    said = run(app, "--at", "2026-11-23 20:00").output
    assert "假定在班的人都已签到" in said.replace("\n", "")
    told = json.loads(run(app, "--at", "2026-11-23 20:00", "--json").output)
    assert told["assumed"] is True
    queue = next(step for step in told["steps"] if step["stage"] == "queue")
    assert [one["agent"] for one in queue["who"]] == ["c017", "c018"]
    night = steps(app, "--at", "2026-11-24 03:00")
    assert night["queue"]["why"] == "nobody_there"
    assert night["chain"]["who"] == [{"agent": "s001", "penalty": 0}]
    assert "closing" in night


def test_a_number_and_a_code_find_their_counsellor_and_are_shown_and_written_nowhere(app: DeskApp) -> None:
    at = ("--at", "2026-11-23 20:00")
    assert steps(app, *at, "--caller", NUMBER, *WHY)["owner"]["who"] == [{"agent": "c017", "penalty": 0}]
    assert steps(app, *at, "--code", "264 951", *WHY)["code"]["who"] == [{"agent": "c017", "penalty": 0}]
    assert steps(app, *at)["owner"]["why"] == "no_number"
    words = (*at, "--caller", f"+86 {NUMBER}", "--code", CODE, "--reason", "核对约定")
    said = run(app, *words).output + run(app, *words, "--json").output
    assert NUMBER not in said
    assert CODE not in said
    with app.store() as work:
        entries = work.audit.recent(10, verb="duty.route")
    assert {(entry.object, entry.field) for entry in entries} == {("line", "number"), ("line", "code")}
    assert not [entry for entry in entries if NUMBER in repr(entry) or CODE in repr(entry)]


def test_somebody_in_a_talk_is_not_rung_a_second_time(app: DeskApp) -> None:
    call = CallRecord(
        id="pbx1-1.1",
        direction=Direction.INBOUND,
        outcome=Outcome.OPEN,
        started_at=NOW - timedelta(minutes=9),
        offered_at=NOW - timedelta(minutes=9),
        answered_at=NOW - timedelta(minutes=8),
        answered_by="c018",
    )
    with app.store() as work:
        work.calls.put_many([call])
        work.commit()
    assert {"agent": "c018", "why": "busy"} in steps(app)["queue"]["passed_over"]  # type: ignore[operator]
    assert steps(app, "--at", "2026-11-23 20:00")["queue"]["who"] != []


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (("--at", "2026-11-22 20:00"), "只能试算现在或以后"),
        (("--at", "明天"), "请写成 2026-11-23 19:00"),
        (("--caller", "不是号码"), "请写成 13800001111"),
        (("--code", "口令"), "只有数字"),
    ],
)
def test_what_cannot_be_tried_out_is_refused_with_a_mend(
    app: DeskApp, words: tuple[str, ...], mend: str
) -> None:
    with pytest.raises(Refused, match=mend):
        run(app, *words)


@pytest.mark.parametrize("asked", [("--caller", NUMBER), ("--code", CODE)])
@pytest.mark.parametrize("why", [(), ("--reason", "看看"), ("--reason", "……,。!?")])
def test_r17_whose_number_it_is_is_told_for_a_reason_only(
    app: DeskApp, asked: tuple[str, ...], why: tuple[str, ...]
) -> None:
    with pytest.raises(Refused, match="--reason"):
        run(app, *asked, *why)
    with app.store() as work:
        assert not work.audit.recent(10, verb="duty.route")
    run(app, *asked, *WHY)
    with app.store() as work:
        assert [entry.reason for entry in work.audit.recent(10, verb="duty.route")] == [WHY[1]]


def test_r17_a_counsellor_learns_of_no_number_whether_it_is_known(app: DeskApp) -> None:
    with pytest.raises(Forbidden):
        run(app, "--caller", NUMBER, actor="c017")
