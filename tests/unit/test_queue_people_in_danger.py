"""The queue beside people in danger: level and owner, tonight's step in time, what may be done now."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from callcenter.bootstrap import App, Telephony
from callcenter.cli.queue import queue
from callcenter.config import Settings
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.people import Person, Phone, Suppression, SuppressionKind
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import PbxUnreachable, Refused
from callcenter.memory import MemoryCallControl, MemoryQueue, MemoryStore
from callcenter.service.risk.cases import follow
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules

#: The evening before: 陈梦瑶's call ended; her first step falls due at eight in the evening today.
ENDED = datetime(2026, 11, 23, 20, tzinfo=SHANGHAI)
NUMBER = "13800001111"


class Desk(App):
    """An App with its store and telephone in memory and a clock that stands."""

    def __init__(self) -> None:
        super().__init__(settings=Settings())
        self.now = (ENDED + timedelta(hours=14)).astimezone(UTC)
        self.__dict__["store"] = MemoryStore()
        self.clock = lambda: self.now  # type: ignore[method-assign]
        self.calls, self.queue = MemoryCallControl(), MemoryQueue()

    @asynccontextmanager
    async def telephony(self) -> AsyncIterator[Telephony]:
        yield Telephony(calls=self.calls, queue=self.queue)

    def run(self, *words: str, actor: str = "c017") -> str:
        found = CliRunner().invoke(
            queue, [*words], obj=self, env={"HOTLINE_ACTOR": actor}, catch_exceptions=False
        )
        return found.output

    def rows(self, *words: str) -> list[dict[str, object]]:
        found = json.loads(self.run(*words, "--json"))
        assert isinstance(found, list)
        return found

    def steps(self) -> list[str]:
        return [str(r["id"]) for r in self.rows("list", "--all")]

    def follow(self, person: str, ended: datetime) -> None:
        with self.store() as work:
            follow(
                work,
                session=SessionRow(id=f"se-{person}", call=person, counsellor="c017", opened_at=ended),
                person=person,
                answers=RiskAnswers(asked=True, plan_soon=True),
                ended_at=ended,
                actor="c017",
                now=ended,
                rules=Rules(),
            )
            work.commit()


@pytest.fixture
def desk() -> Desk:
    """陈梦瑶, followed at level 1 by c017."""
    desk = Desk()
    with desk.store() as work:
        for code, role in (("c017", Role.COUNSELLOR), ("s001", Role.SUPERVISOR)):
            work.users.add(User(code=code, name="林晓燕", roles=frozenset({role}), phone=PhoneKind.SIP))
        work.people.add(Person(id="p1", code="P-7F3K", name="陈梦瑶", phones=(Phone(number=NUMBER),)))
        work.commit()
    desk.follow("p1", ENDED)
    return desk


def width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def test_a_step_of_tonight_is_seen_this_morning_with_level_and_owner(desk: Desk) -> None:
    said = desk.run("list")
    assert "今天到期，时间还没到" in said
    (line,) = [line for line in said.splitlines() if "高危随访" in line]
    assert line.split()[1:7] == ["1", "高危随访", "陈**", "11-24", "20:00", "—"]
    assert line.split()[7] == "c017"
    (row,) = desk.rows("list")
    assert (row["level"], row["owner"], row["is_due"], row["short"]) == (1, "c017", False, "未拨打")
    assert "没有要工作人员办的事" in desk.run("next")


def test_a_step_in_half_a_year_does_not_stand_above_tonights(desk: Desk) -> None:
    desk.now = (ENDED + timedelta(hours=25)).astimezone(UTC)
    found = desk.rows("list", "--all")
    dues = [datetime.fromisoformat(str(row["due_at"])) for row in found]
    assert dues == sorted(dues)
    assert [row["is_due"] for row in found] == [True, False, False, False, False]
    said = desk.run("list", "--all")
    assert "还没到期：" in said
    assert max(width(line.rstrip()) for line in said.splitlines()) <= 80


def test_every_mark_and_try_of_somebody_fits_into_eighty_columns(desk: Desk) -> None:
    with desk.store() as work:
        work.people.add_suppression(
            Suppression(person="p1", kind=SuppressionKind.ALL_OUTBOUND, at=ENDED, reason="本人")
        )
        work.commit()
    (row,) = desk.rows("list")
    assert row["short"] == "拒绝来电；未拨打"
    assert max(width(line.rstrip()) for line in desk.run("list").splitlines()) <= 80
    assert "拒绝来电" in desk.run("show", str(row["id"]))


def test_why_tells_whether_a_person_may_dial_and_asks_no_machines_gate(desk: Desk) -> None:
    step = desk.steps()[0]
    said = desk.run("why", step)
    assert "工作人员现在可以拨打。" in said
    assert "自动" not in said
    assert "11-24 14:00 起与本人的联系可以算这一步" in said
    told = json.loads(desk.run("why", step, "--json"))
    assert told["gates"] == []
    assert all(gate["passed"] for gate in told["human_gates"])
    desk.now = (ENDED + timedelta(hours=3)).astimezone(UTC)
    assert "工作人员现在不能拨打：不在拨打时段内。" in desk.run("why", step)
    desk.queue.failing = PbxUnreachable()
    assert "空闲线路不够" not in desk.run("why", step)


def test_somebody_without_any_number_is_seen_as_such_and_what_can_be_done(desk: Desk) -> None:
    with desk.store() as work:
        work.people.add(Person(id="p2", code="P-2222"))
        work.commit()
    desk.follow("p2", ENDED)
    row = next(row for row in desk.rows("list") if row["code"] == "P-2222")
    assert row["short"] == "未拨打；没有可拨的号码"
    assert "没有可拨的号码" in str(row["reason"])
    said = desk.run("why", str(row["id"])).replace("\n", "")
    assert "补登号码（hotline people phone）" in said
    assert "工作人员现在不能拨打：没有登记电话号码" in said


def test_done_with_somebody_in_danger_asks_for_the_record(desk: Desk) -> None:
    step, at = desk.steps()[0], ENDED + timedelta(hours=24)
    call = CallRecord(
        id="c9",
        direction=Direction.INBOUND,
        outcome=Outcome.ANSWERED,
        started_at=at,
        answered_at=at,
        ended_at=at + timedelta(minutes=30),
        answered_by="c017",
        number=NUMBER,
    )
    with desk.store() as work:
        work.calls.put_many([call])
        work.sessions.open_many([SessionRow(id="se-c9", call="c9", counsellor="c017", opened_at=at)])
        work.commit()
    desk.now = (at + timedelta(hours=1)).astimezone(UTC)
    assert "hotline sessions write se-c9" in desk.run("done", step, "--call", "c9")


def test_done_by_a_visit_to_somebody_in_danger_wants_all_of_it(desk: Desk) -> None:
    step = desk.steps()[0]
    desk.now = (ENDED + timedelta(hours=24)).astimezone(UTC)
    words = ["done", step, "--visit", "走访-7", "--at", "2026-11-24 19:00"]
    with pytest.raises(Refused, match="--met"):
        desk.run(*words)
    whole = [*words, "--met", "本人", "--note", "在家，睡眠好转", "--visitor", "c017", "--visitor", "张主任"]
    said = desk.run(*whole)
    assert "已完成" in said
    assert "hotline cases show ca-" in said
    assert "睡眠" not in said
