"""`hotline queue`: the acts on a debt, as a counsellor, a supervisor and a clerk type them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

import click
import pytest
from actors import enlist
from click.testing import CliRunner
from rich.cells import cell_len

from callcenter.bootstrap import App, Telephony
from callcenter.cli.hardship import hardship
from callcenter.cli.queue import queue
from callcenter.config import Settings
from callcenter.domain.people import FileStatus, HardshipFile, Person, Phone
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import Role, User
from callcenter.errors import Forbidden, NotFound, Refused
from callcenter.memory import MemoryCallControl, MemoryQueue, MemoryStore
from callcenter.service.followup.debts import rules_of, sweep
from callcenter.service.risk.cases import follow
from scheduler.cadence import SHANGHAI
from scheduler.obligations import Kind, Mode, Obligation

MORNING = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
HOUR = timedelta(hours=1)
WHY = "本人说下午三点以后方便"


class Desk(App):
    """An App with its store and telephone in memory and a clock that stands."""

    def __init__(self) -> None:
        super().__init__(settings=Settings())
        self.now = MORNING.astimezone(UTC)
        self.__dict__["store"] = MemoryStore()
        self.clock = lambda: self.now  # type: ignore[method-assign]

    @asynccontextmanager
    async def telephony(self) -> AsyncIterator[Telephony]:
        yield Telephony(calls=MemoryCallControl(), queue=MemoryQueue())

    def run(self, *words: str, actor: str = "c017", group: click.Command = queue) -> str:
        found = CliRunner().invoke(
            group, [*words], obj=self, env={"HOTLINE_ACTOR": actor}, catch_exceptions=False
        )
        return found.output

    def json(self, *words: str, actor: str = "c017") -> dict[str, object]:
        found = json.loads(self.run(*words, "--json", actor=actor))
        assert isinstance(found, dict)
        return found

    def listed(self, actor: str = "c017") -> list[str]:
        return [row["id"] for row in json.loads(self.run("list", "--json", actor=actor))]


@pytest.fixture
def desk() -> Desk:
    """沈建国 is owed a check-in, 周秀英 a call back (`ob-call`), 陈梦瑶 is in danger."""
    desk = Desk()
    with desk.store() as work:
        enlist(work)
        work.users.add(User(code="s002", name="吴敏华", roles=frozenset({Role.SUPERVISOR})))
        for n, name in enumerate(("沈建国", "周秀英", "陈梦瑶"), start=1):
            phone = Phone(number=f"1380000111{n}", listed=True)
            work.people.add(Person(id=f"p{n}", code=f"P-{n}", name=name, phones=(phone,)))
        file = HardshipFile(
            file_no="WX-1", person="p1", grade="深度困难", status=FileStatus.ACTIVE, since=date(2026, 10, 1)
        )
        work.people.put_file(file)
        sweep(work, desk.now, rules=rules_of(desk.settings))
        work.debts.add(
            Obligation(
                id="ob-call",
                person="p2",
                kind=Kind.CALLBACK,
                due_at=desk.now - HOUR,
                window_end=desk.now + HOUR,
                mode=Mode.HUMAN_ONLY,
                priority=3,
                origin="c1",
                created_at=desk.now - HOUR,
            )
        )
        ended = desk.now - 28 * HOUR
        follow(
            work,
            session=SessionRow(id="se-3", call="3", counsellor="c017", opened_at=ended),
            person="p3",
            answers=RiskAnswers(asked=True, plan_soon=True),
            ended_at=ended,
            actor="c017",
            now=ended,
            rules=rules_of(desk.settings),
        )
        work.commit()
    return desk


def step(desk: Desk) -> str:
    with desk.store() as work:
        return min(work.debts.open(kind=Kind.HIGH_RISK), key=lambda one: one.due_at).id


def routine(desk: Desk) -> str:
    with desk.store() as work:
        return work.debts.open(person="p1", kind=Kind.HARDSHIP)[0].id


def test_without_a_subcommand_the_queue_is_listed(desk: Desk) -> None:
    assert desk.run() == desk.run("list")
    assert desk.run("--as", "s001", actor="") == desk.run("list", actor="s001")
    assert "写在子命令后面" in desk.run("--as", "s001", "list")


def test_a_debt_is_claimed_passed_on_and_given_back(desk: Desk) -> None:
    assert "由 c017 负责" in desk.run("claim", "ob-call")
    assert desk.json("assign", "ob-call", "s002", "--reason", "她熟悉情况", actor="s001")["owner"] == "s002"
    with pytest.raises(Refused, match="由 s002 负责"):
        desk.run("release", "ob-call")
    assert desk.json("release", "ob-call", actor="s002")["owner"] is None


def test_r29_what_is_handed_up_stands_first_and_what_is_put_off_last_with_its_hour(desk: Desk) -> None:
    with desk.store() as work:
        (visit,) = work.debts.open(kind=Kind.VISIT)  # not due for months
    before = desk.listed()
    desk.run("escalate", visit.id, "--reason", "家里出了变故，请督导看看")
    desk.run("snooze", "ob-call", "--until", "2026-11-24 15:00", "--reason", WHY)
    assert desk.listed() == [visit.id, *(one for one in before if one != "ob-call"), "ob-call"]
    said = desk.run("list").replace("\n", "").replace(" ", "")
    assert "已上报" in said
    assert "推迟到" in said
    desk.now = datetime(2026, 11, 24, 15, tzinfo=SHANGHAI)
    assert "推迟到" not in desk.run("list")


@pytest.mark.parametrize("words", [["escalate", "ob-call"], ["waive", "ob-call"], ["pause"]])
def test_r51_what_needs_a_reason_is_not_done_without_one(desk: Desk, words: list[str]) -> None:
    assert "--reason" in desk.run(*words, actor="s001")
    with pytest.raises(Refused, match="请写明理由"):
        desk.run(*words, "--reason", "x", actor="s001")


def test_who_wakes_a_debt_has_it_before_its_hour(desk: Desk) -> None:
    desk.run("snooze", "ob-call", "--hours", "2", "--reason", WHY)
    assert desk.json("wake", "ob-call")["snoozed_until"] is None


@pytest.mark.parametrize("words", [[], ["--until", "2026-11-24 15:00", "--hours", "2"]])
def test_a_snooze_says_until_when_in_one_way(desk: Desk, words: list[str]) -> None:
    with pytest.raises(Refused, match="推迟到几时"):
        desk.run("snooze", "ob-call", "--reason", WHY, *words)


def test_the_history_says_who_did_what_and_why_says_why(desk: Desk) -> None:
    desk.run("claim", "ob-call")
    desk.run("snooze", "ob-call", "--hours", "2", "--reason", WHY)
    desk.run("outcome", "ob-call", "no_answer", "--note", "微信语音没有接")
    shown = desk.json("show", "ob-call")
    history = shown["history"]
    assert isinstance(history, list)
    assert [act["act"] for act in history] == ["claimed", "snoozed", "outcome"]
    assert (shown["owner"], shown["claimed_by"], shown["attempts"]) == ("c017", "c017", 1)
    text = desk.run("show", "ob-call").replace("\n", "").replace(" ", "")
    assert "c017推迟到11-2412:00" in text
    assert WHY not in text
    why = desk.run("why", "ob-call").replace("\n", "")
    assert f"c017 推迟到 11-24 12:00：{WHY}" in why
    assert "c017 登记结果 无人接听：微信语音没有接" in why


def test_r26_a_supervisor_decides_about_somebody_nobody_reaches(desk: Desk) -> None:
    one = step(desk)
    desk.now += 4 * HOUR
    assert "待督导决定" in desk.run("list").replace("\n", "").replace(" ", "")
    row = desk.json("decide", one, "welfare_check", "--reason", "已请公安上门查看", actor="s001")
    assert row["decision"] == "welfare_check"
    assert "待督导决定" not in desk.run("list").replace("\n", "").replace(" ", "")
    assert one in desk.listed()
    assert "督导决定 请 110 上门查看" in desk.run("why", one).replace("\n", "")


def test_the_second_supervisor_must_be_another(desk: Desk) -> None:
    one = step(desk)
    asked = desk.json("waive", one, "--reason", "本人随子女迁居外地", actor="s001")
    assert asked["state"] == "open"
    assert desk.json("show", one)["waiver"] == asked["id"]
    (waiting,) = json.loads(desk.run("waivers", "--json"))
    assert waiting["reason"] == "本人随子女迁居外地"
    with pytest.raises(Refused, match="另一位督导"):
        desk.run("waivers", "--grant", str(asked["id"]), actor="s001")
    with pytest.raises(Forbidden):
        desk.run("waivers", "--grant", str(asked["id"]))
    assert "试算" in desk.run("waivers", "--grant", str(asked["id"]), "--dry-run", actor="s002")
    assert one in desk.listed()
    desk.run("waivers", "--grant", str(asked["id"]), actor="s002")
    assert one not in desk.listed()


def test_r51_a_dry_run_waives_and_closes_nothing(desk: Desk) -> None:
    before = desk.listed("s001")
    assert "试算，没有写入" in desk.run("waive", routine(desk), "--reason", WHY, "--dry-run", actor="s001")
    assert desk.json("close", "ob-call", "--reason", "重复登记", "--dry-run", actor="s001")["dry_run"] is True
    assert desk.listed("s001") == before


def test_a_waiver_is_refused_with_a_reason(desk: Desk) -> None:
    asked = desk.json("waive", step(desk), "--reason", "本人随子女迁居外地", actor="s001")
    said = desk.run("waivers", "--refuse", str(asked["id"]), "--reason", "先联系子女", actor="s002")
    assert "仍然欠着" in said
    assert json.loads(desk.run("waivers", "--json")) == []


def test_one_paper_keeps_both_routine_debts_and_says_so(desk: Desk) -> None:
    row = desk.json("done", routine(desk), "--visit", "走访2026-118号", actor="k001")
    assert len(row["kept"]) == 2  # type: ignore[arg-type]
    with desk.store() as work:
        assert work.debts.open(person="p1") != []  # the next period
        assert {o.created_at for o in work.debts.open(person="p1")} == {desk.now}


def test_the_dialler_is_stopped_and_goes_on(desk: Desk) -> None:
    held = desk.json("pause", "--reason", "来电高峰，先接来电", "--until", "2026-11-24 12:00", actor="s001")
    assert held["state"] == "paused"
    assert "已恢复" in desk.run("resume", actor="s001")


def test_r39_a_clerk_learns_nothing_of_what_was_done(desk: Desk) -> None:
    one = routine(desk)
    before = desk.run("owed", "--json", actor="k001", group=hardship)
    desk.run("claim", one)
    desk.run("escalate", one, "--reason", "本人情绪很差")
    desk.run("outcome", one, "reached_other", "--note", "妻子接的电话")
    assert desk.run("owed", "--json", actor="k001", group=hardship) == before
    for words in (["show", one], ["why", one], ["claim", one], ["waivers"], ["waive", one, "--reason", WHY]):
        with pytest.raises(Forbidden):
            desk.run(*words, actor="k001")
    with pytest.raises(NotFound):
        desk.run("done", "ob-call", "--visit", "2026-118", actor="k001")


@pytest.mark.parametrize(
    "words",
    [
        ["claim", "ob-call"],
        ["snooze", "ob-call", "--hours", "2", "--reason", WHY],
        ["escalate", "ob-call", "--reason", WHY],
        ["outcome", "ob-call", "no_answer"],
        ["show", "ob-call"],
        ["pause", "--reason", WHY, "--until", "2026-11-25 09:00"],
        ["waive", "ob-call", "--reason", WHY],
    ],
)
def test_r51_every_act_fits_eighty_columns_and_names_nobody(desk: Desk, words: list[str]) -> None:
    said = desk.run(*words, actor="s001")
    assert all(cell_len(line) <= 80 for line in said.splitlines())
    assert not any(secret in said for secret in ("秀英", "13800001112"))
