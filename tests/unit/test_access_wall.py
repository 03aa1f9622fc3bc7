"""The wall: what the clerk, the administrator and a colleague see of somebody who called in distress."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import click
import pytest
from actors import enlist
from click.testing import CliRunner, Result

from callcenter.bootstrap import App
from callcenter.cli.calls import calls
from callcenter.cli.hardship import hardship
from callcenter.cli.queue import queue
from callcenter.cli.user import user
from callcenter.config import Settings
from callcenter.domain.access import VISIBLE, DataClass
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.fields import DEBT_FIELDS, FILE_FIELDS, USER_FIELDS
from callcenter.domain.people import Consent, ConsentKind, FileStatus, Grade, HardshipFile, Person, Phone
from callcenter.domain.users import Role
from callcenter.errors import Forbidden
from callcenter.memory import MemoryStore
from callcenter.service.followup.debts import settle, sweep
from scheduler.cadence import SHANGHAI
from scheduler.obligations import Kind

MORNING = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
NUMBER = "13800001111"
#: 沈建国 called at night, pressed for a person, answered a questionnaire and was promised a call back.
CALL = CallRecord(
    id="pbx1-1795462084.7",
    direction=Direction.INBOUND,
    outcome=Outcome.OVERFLOWED,
    started_at=MORNING - timedelta(hours=9),
    offered_at=MORNING - timedelta(hours=9),
    ended_at=MORNING - timedelta(hours=8, minutes=50),
    number=NUMBER,
    dialled="4000850966",
    path=("greet", "phq9", "callback"),
    keys=("phq9=3",),
    promises=("callback",),
    kept=("number=13900009999",),
    answers=("phq9/9=3",),
    left_at="callback",
    flow_outcome="callback",
)


class DeskApp(App):
    """An App whose store lives in memory and whose clock stands."""

    def __init__(self, home: Path) -> None:
        super().__init__(settings=Settings(home=home))
        self.__dict__["store"] = MemoryStore()
        self.clock = lambda: MORNING  # type: ignore[method-assign]

    def types(self, group: click.Command, *words: str, by: str) -> Result:
        return CliRunner().invoke(group, [*words], obj=self, env={"HOTLINE_ACTOR": by})

    def json(self, group: click.Command, *words: str, by: str) -> list[dict[str, object]]:
        result = self.types(group, *words, "--json", by=by)
        assert result.exit_code == 0, result.output
        found = json.loads(result.output)
        return found if isinstance(found, list) else [found]


@pytest.fixture
def app(tmp_path: Path) -> DeskApp:
    """A hardship worker who is owed a check-in and, after last night's call, a call back."""
    app = DeskApp(tmp_path)
    with app.store() as work:
        enlist(work)
        work.people.add(Person(id="p1", code="P-7F3K", name="沈建国", phones=(Phone(number=NUMBER),)))
        work.people.put_file(
            HardshipFile(
                file_no="WX-1",
                person="p1",
                grade=Grade.DEEP,
                status=FileStatus.ACTIVE,
                since=date(2026, 9, 1),
                liaison="李干事",
            )
        )
        work.people.add_consent(
            Consent(person="p1", kind=ConsentKind.IVR_CHECKIN, granted=True, at=MORNING, channel="paper")
        )
        work.calls.put_many([CALL])
        settle(work, [CALL], MORNING)
        sweep(work, MORNING)
        assert {o.kind for o in work.debts.open(person="p1")} >= {Kind.HARDSHIP, Kind.CALLBACK}
        work.commit()
    return app


#: What would tell the clerk that somebody called, when, or how they are.
TELLING = (
    CALL.id,
    "callback",
    "回电",
    "承诺",
    "phq9",
    "通话",
    "9999",
    "紧急",
    "P-7F3K/",
    '"reason"',
    "拨打",
    "why",
)


@pytest.mark.parametrize("words", [("show", "WX-1"), ("owed", "--all"), ("list",)])
def test_r39_the_clerk_learns_that_a_check_in_is_owed_and_nothing_of_last_nights_call(
    app: DeskApp, words: tuple[str, ...]
) -> None:
    for more in ((), ("--json",)):
        said = app.types(hardship, *words, *more, by="k001").output
        assert "WX-1" in said
        assert "沈**" in said
        assert "沈建国" not in said
        assert NUMBER not in said
        assert "李干事" not in said
        for word in TELLING:
            assert word not in said, f"{word} in {said}"


def test_r39_the_clerk_has_the_registers_debts_and_their_rows_have_the_keys_of_the_archive_only(
    app: DeskApp,
) -> None:
    [row] = app.json(hardship, "show", "WX-1", by="k001")
    assert row["owed"] is True
    assert isinstance(row["debts"], list)
    # The visit in half a year stands there too: it follows from the file alone, as the check-in does.
    assert {debt["kind"] for debt in row["debts"]} == {"hardship", "visit"}
    assert [debt["kind"] for debt in row["debts"] if debt["is_due"]] == ["hardship"]
    clerk = VISIBLE[Role.CLERK]
    for debt in row["debts"]:
        assert set(debt) == {key for key, data in DEBT_FIELDS.items() if data in clerk}
        assert not {"reason", "attempts", "last_result", "last_contact", "chain"} & set(debt)
    assert set(row) <= {key for key, data in FILE_FIELDS.items() if data in clerk}
    assert not set(row) & {"chain", "last_contact"}


def test_r39_the_clerk_is_not_told_what_somebody_said_to_the_line_about_being_called(app: DeskApp) -> None:
    for words in (("list",), ("show", "WX-1")):
        (row,) = app.json(hardship, *words, by="k001")
        assert not {"consent", "human_only", "last_contact"} & row.keys()
        (whole,) = app.json(hardship, *words, by="s001")
        assert whole["consent"] is True


def test_the_supervisor_sees_every_debt_and_why(app: DeskApp) -> None:
    [row] = app.json(hardship, "show", "WX-1", by="s001")
    assert isinstance(row["debts"], list)
    assert {debt["kind"] for debt in row["debts"]} == {"hardship", "visit", "callback"}
    said = app.types(hardship, "show", "WX-1", by="s001").output
    assert CALL.id in said
    assert "下一步" in said


def test_the_clerk_reaches_the_queue_by_no_road(app: DeskApp) -> None:
    with app.store() as work:
        promise = next(o.id for o in work.debts.open() if o.kind is Kind.CALLBACK)
    for words in (
        ("list",),
        ("next",),
        ("show", promise),
        ("why", promise),
        ("done", promise, "--call", CALL.id),
    ):
        assert isinstance(app.types(queue, *words, by="k001").exception, Forbidden), words
    for words in (("list",), ("show", CALL.id), ("live", "--once")):
        assert isinstance(app.types(calls, *words, by="k001").exception, Forbidden), words


@pytest.mark.parametrize("actor", ["admin"])
def test_the_administrator_sees_that_the_line_works_and_not_who_said_what(app: DeskApp, actor: str) -> None:
    day = ("list", "--day", "2026-11-24")
    [row] = app.json(calls, *day, by=actor)
    assert row["number"] == "***"
    assert row["outcome"] == "overflowed"
    hidden = {"path", "keys", "promises", "kept", "items_answered", "pieces", "left_at", "flow_outcome"}
    assert not hidden & set(row)
    assert "flow_outcome_text" not in row
    for words in (day, ("show", CALL.id), ("show", CALL.id, "--json")):
        said = app.types(calls, *words, by=actor).output
        for secret in ("1111", "138", "phq9", "9999"):
            assert secret not in said, words


def test_the_auditor_and_the_employer_see_nothing_of_people(app: DeskApp) -> None:
    for actor in ("u001", "e001"):
        for group, words in (
            (calls, ("list",)),
            (calls, ("show", CALL.id)),
            (hardship, ("list",)),
            (hardship, ("show", "WX-1")),
            (hardship, ("owed",)),
            (queue, ("list",)),
        ):
            result = app.types(group, *words, by=actor)
            assert isinstance(result.exception, Forbidden), (actor, words)
            assert "沈" not in result.output
    assert isinstance(app.types(user, "list", by="e001").exception, Forbidden)


def test_a_counsellor_sees_what_their_own_callers_pressed_and_not_what_a_colleagues_did(
    app: DeskApp,
) -> None:
    with app.store() as work:
        common = {"direction": Direction.INBOUND, "outcome": Outcome.ANSWERED, "number": NUMBER}
        for n, code in enumerate(("c017", "c018"), start=1):
            work.calls.put_many(
                [
                    CallRecord(
                        id=f"c{n}",
                        started_at=MORNING - timedelta(hours=1),
                        answered_at=MORNING - timedelta(minutes=50),
                        ended_at=MORNING,
                        answered_by=code,
                        keys=("way=2",),
                        **common,  # type: ignore[arg-type]
                    )
                ]
            )
        work.commit()
    rows = {row["id"]: row for row in app.json(calls, "list", "--day", "2026-11-24", by="c017")}
    assert rows["c1"]["keys"] == ["way=2"]
    assert "keys" not in rows["c2"]
    assert rows["c2"]["answered_by"] == "c018"
    assert rows[CALL.id]["keys"] == ["phq9=3"], "nobody answered: somebody has to call back"
    assert rows[CALL.id]["kept"] == ["number=139****9999"]
    everything = {row["id"]: row for row in app.json(calls, "list", "--day", "2026-11-24", by="s001")}
    assert everything["c2"]["keys"] == ["way=2"]


def test_every_key_of_every_row_has_a_class(app: DeskApp) -> None:
    """A key without a class would be shown to nobody: it is forgotten, not hidden."""
    everything = frozenset(DataClass)
    assert VISIBLE[Role.SUPERVISOR] == everything
    [file] = app.json(hardship, "list", by="s001")
    owed, visit = app.json(hardship, "owed", "--all", by="s001")
    [shown] = app.json(hardship, "show", "WX-1", by="s001")
    assert set(file) | set(shown) | {"chain"} == set(FILE_FIELDS)
    assert set(owed) == set(visit) == set(DEBT_FIELDS)
    assert set(app.json(user, "show", "c017", by="s001")[0]) == set(USER_FIELDS)
