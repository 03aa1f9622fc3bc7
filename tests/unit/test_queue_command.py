"""`hotline hardship` and `hotline queue`, as a clerk and a supervisor type them."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from callcenter.bootstrap import App, Telephony
from callcenter.cli.hardship import hardship
from callcenter.cli.queue import queue
from callcenter.config import Settings
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import NotFound, PbxUnreachable, Refused
from callcenter.memory import MemoryCallControl, MemoryQueue, MemoryStore
from callcenter.service.followup.debts import settle
from scheduler.cadence import SHANGHAI
from scheduler.gates import Gate

MORNING = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
LIST = """档案编号,职工姓名,联系电话,困难类别,认定日期,区县,是否同意,同意日期,家庭人口
WX-001,沈建国,13800001111,深度困难,2026-09-01,梁溪区,是,2026-09-01,3
WX-002,周秀英,13900002222,相对困难,2026-08-05,滨湖区,否,,2
WX-003,钱小妹,,意外致困,2026-11-20,惠山区,,,1
"""


class DeskApp(App):
    """An App with its store and telephone in memory and a clock that stands."""

    def __init__(self) -> None:
        super().__init__(settings=Settings())
        self.now = MORNING.astimezone(UTC)
        self.__dict__["store"] = MemoryStore()
        self.clock = lambda: self.now  # type: ignore[method-assign]
        self.calls, self.queue = MemoryCallControl(), MemoryQueue()

    @asynccontextmanager
    async def telephony(self) -> AsyncIterator[Telephony]:
        yield Telephony(calls=self.calls, queue=self.queue)


@pytest.fixture
def app(tmp_path: Path) -> DeskApp:
    """A line whose list has been imported."""
    app = DeskApp()
    with app.store() as work:
        roles = frozenset({Role.SUPERVISOR, Role.COUNSELLOR})
        work.users.add(User(code="s001", name="孙立", roles=roles, phone=PhoneKind.SIP))
        work.commit()
    file = tmp_path / "名单.csv"
    file.write_text(LIST, encoding="utf-8")
    assert run(app, hardship, "import", str(file)).exit_code == 0
    return app


def run(app: App, group: click.Command, *words: str) -> Result:
    return CliRunner().invoke(group, [*words], obj=app, env={"HOTLINE_ACTOR": "s001"}, catch_exceptions=False)


def rows(app: App, group: click.Command, *words: str) -> list[dict[str, object]]:
    found = json.loads(run(app, group, *words, "--json").output)
    assert isinstance(found, list)
    return found


def debt_of(app: App, file_no: str) -> str:
    return str(next(r["id"] for r in rows(app, queue, "list", "--all") if r["file_no"] == file_no))


def width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def test_an_import_says_what_is_new_and_what_it_does_not_keep(app: DeskApp, tmp_path: Path) -> None:
    file = tmp_path / "next.csv"
    file.write_text(LIST.replace("梁溪区", "新吴区").replace("WX-003", "WX-004"), encoding="gb18030")
    said = run(app, hardship, "import", str(file), "--dry-run").output
    assert "试算，没有写入" in said
    assert "新增 1，变更 1，不变 1" in said
    assert "区县 梁溪区 → 新吴区" in said
    assert "WX-003" in said
    assert "家庭人口" in said
    with app.store() as work:
        assert len(work.people.files()) == 3


def test_a_list_with_a_fault_changes_nothing_and_says_where(app: DeskApp, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(LIST.replace("滨湖区", "=1+1").replace("WX-001", "WX-009"), encoding="utf-8")
    with pytest.raises(Refused, match="第3行 F列"):
        run(app, hardship, "import", str(file))
    with app.store() as work:
        assert work.people.file("WX-009") is None


def test_who_is_owed_since_when_and_why_not_yet(app: DeskApp) -> None:
    said = run(app, hardship, "owed").output
    assert "WX-001" in said
    assert "2026-09-30" in said
    assert "没有同意接听自动回访" in said.replace("\n", "").replace(" ", "")
    assert "共 2 件" in said
    ahead = rows(app, hardship, "owed", "--all")
    # In half a year each of them is owed a visit, too.
    assert [r["file_no"] for r in ahead if r["kind"] == "hardship"] == ["WX-001", "WX-002", "WX-003"]
    assert sorted(str(r["file_no"]) for r in ahead if r["kind"] == "visit") == ["WX-001", "WX-002", "WX-003"]


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (hardship, ["list"]),
        (hardship, ["owed", "--all"]),
        (hardship, ["show", "WX-001"]),
        (queue, ["list", "--all"]),
        (queue, ["next"]),
    ],
)
def test_r51_masked_and_within_eighty_columns(app: DeskApp, group: click.Command, words: list[str]) -> None:
    for text in (run(app, group, *words).output, run(app, group, *words, "--json").output):
        for secret in ("建国", "秀英", "小妹", "13800001111", "13900002222"):
            assert secret not in text
    for line in run(app, group, *words).output.splitlines():
        assert width(line.rstrip()) <= 80


def test_r29_the_oldest_breach_stands_first_and_promises_before_what_is_not_broken(app: DeskApp) -> None:
    promise = CallRecord(
        id="c1",
        direction=Direction.INBOUND,
        outcome=Outcome.PROMISED,
        started_at=MORNING,
        ended_at=MORNING,
        number="13700007777",
    )
    with app.store() as work:
        settle(work, [promise], MORNING)
        work.commit()
    app.now = MORNING + timedelta(days=13)
    found = rows(app, queue, "list", "--all")
    # The visits of the coming half year stand behind what is owed before them.
    assert {r["kind"] for r in found[4:]} == {"visit"}
    assert [r["file_no"] for r in found[:4]] == ["WX-001", "WX-002", None, "WX-003"]
    app.now = MORNING
    assert [r["file_no"] for r in rows(app, queue, "list")] == ["WX-001", "WX-002", None]


def test_why_prints_the_whole_chain_and_every_gate(app: DeskApp) -> None:
    said = run(app, queue, "why", debt_of(app, "WX-002")).output
    assert "档案 WX-002：相对困难，在档，自 2026-08-05 起" in said
    assert "没有同意接听自动回访" in said
    # Whether a counsellor can be spared is asked only where one of them is rung first.
    assert said.count("\n  过 ") + said.count("\n  拦 ") == len(set(Gate) - {Gate.NO_FREE_SEAT})
    found = json.loads(run(app, queue, "why", debt_of(app, "WX-002"), "--json").output)
    assert [g["gate"] for g in found["gates"] if not g["passed"]] == ["no_ivr_consent"]


def test_why_says_so_when_the_line_cannot_be_seen(app: DeskApp) -> None:
    app.queue.failing = PbxUnreachable()
    said = run(app, queue, "why", debt_of(app, "WX-001")).output
    assert "拦 看不到线路状态" in said
    assert "来电在等候" not in said


def test_the_next_thing_for_a_human_is_the_worker_no_machine_may_call(app: DeskApp) -> None:
    found = json.loads(run(app, queue, "next", "--json").output)
    assert (found["file_no"], found["who_next"]) == ("WX-002", "human")


def test_dialling_by_machine_and_with_ones_own_phone_first(app: DeskApp) -> None:
    assert "已拨出：at-" in run(app, queue, "dial", debt_of(app, "WX-001")).output
    run(app, queue, "dial", debt_of(app, "WX-002"), "--agent", "s001")
    assert [(c.flow, c.first_ring) for c in app.calls.placed] == [("checkin", None), ("preview", "s001")]


def test_a_gate_that_refuses_says_why_and_dials_nothing(app: DeskApp) -> None:
    app.queue.waiting = 2
    with pytest.raises(Refused, match="有来电在等候"):
        run(app, queue, "dial", debt_of(app, "WX-001"))
    assert app.calls.placed == []


def test_what_kept_a_call_from_going_out_is_said_with_since_when(app: DeskApp) -> None:
    debt = debt_of(app, "WX-001")
    app.queue.waiting = 2
    with pytest.raises(Refused):
        run(app, queue, "dial", debt)
    assert "上一次没有拨出：有来电在等候，呼出让路（11-24 10:00 起）。" in run(app, queue, "why", debt).output
    kept = json.loads(run(app, queue, "why", debt, "--json").output)["last_refused"]
    assert kept["codes"] == ["inbound_waiting"]


def test_i5_after_hours_a_supervisor_dials_with_a_reason_and_not_without(app: DeskApp) -> None:
    debt = debt_of(app, "WX-001")
    app.now = MORNING.replace(hour=22, minute=30).astimezone(UTC)
    words = ("dial", debt, "--agent", "s001")
    with pytest.raises(Refused, match="不在拨打时段"):
        run(app, queue, *words)
    with pytest.raises(Refused):
        run(app, queue, *words, "--override")
    said = run(app, queue, *words, "--override", "--reason", "家属请我们今晚务必打").output
    assert "已拨出：at-" in said
    assert "家属" not in said
    assert [c.first_ring for c in app.calls.placed] == ["s001"]


def test_done_needs_one_proof_that_exists(app: DeskApp) -> None:
    debt = debt_of(app, "WX-001")
    for words in ([], ["--call", "c1", "--visit", "7"]):
        with pytest.raises(Refused, match="凭据"):
            run(app, queue, "done", debt, *words)
    with pytest.raises(NotFound):
        run(app, queue, "done", debt, "--call", "c404")
    assert "已完成" in run(app, queue, "done", debt, "--visit", "走访-7").output
    assert [r["file_no"] for r in rows(app, hardship, "owed")] == ["WX-002"]
    after = next(r for r in rows(app, hardship, "owed", "--all") if r["file_no"] == "WX-001")
    assert str(after["owed_since"]) == "2026-12-24"


def test_an_attempt_in_doubt_stands_above_everything(app: DeskApp) -> None:
    run(app, queue, "dial", debt_of(app, "WX-001"))
    died = CallRecord(
        id=app.calls.placed[0].id,
        direction=Direction.OUTBOUND,
        outcome=Outcome.OUTBOUND,
        started_at=MORNING,
        ended_at=MORNING,
        end_is_uncertain=True,
    )
    with app.store() as work:
        settle(work, [died], MORNING)
        work.commit()
    first = rows(app, queue, "list")[0]
    assert (first["file_no"], first["why"]) == ("WX-001", "in_doubt")


def test_files_that_left_are_listed_for_a_human_to_check(app: DeskApp, tmp_path: Path) -> None:
    file = tmp_path / "left.csv"
    head, *lines = LIST.splitlines()
    file.write_text("\n".join([f"{head},状态", *(f"{line},退档" for line in lines[:1])]), encoding="utf-8")
    run(app, hardship, "import", str(file))
    assert "1 份档案已退档" in run(app, hardship, "owed").output
    assert [r["file_no"] for r in rows(app, hardship, "list", "--left")] == ["WX-001"]
    assert [r["file_no"] for r in rows(app, hardship, "owed")] == ["WX-002"]


def test_a_file_nobody_has_is_not_found(app: DeskApp) -> None:
    with pytest.raises(NotFound, match="WX-404"):
        run(app, hardship, "show", "WX-404")


def promise(app: DeskApp, *kinds: str, **left: object) -> dict[str, str]:
    """Let a stranger call and be promised these; return the debts' ids by kind."""
    ended = app.now - timedelta(minutes=40)
    record = CallRecord(
        id="pbx1-1700000000.7",
        direction=Direction.INBOUND,
        outcome=Outcome.PROMISED,
        started_at=ended - timedelta(minutes=2),
        ended_at=ended,
        number="13700003333",
        promises=kinds,
        **left,  # type: ignore[arg-type]
    )
    with app.store() as work:
        settle(work, [record], app.now)
        work.commit()
        return {o.kind.value: o.id for o in work.debts.open()}


def test_what_callers_asked_for_stands_in_the_queue_by_name_within_eighty_columns(app: DeskApp) -> None:
    promise(app, "appointment", "talk", "message")
    said = run(app, queue, "list").output
    assert all(word in said for word in ("预约咨询", "讲座报名", "电话留言"))
    assert max(width(line) for line in said.splitlines()) <= 80
    late = {r["kind_text"]: r["overdue_text"] for r in rows(app, queue, "list")}
    assert (late["电话留言"], late["讲座报名"]) == ("10分", None)


def test_r51_codes_of_people_and_ids_stay_whole_beside_long_words(app: DeskApp) -> None:
    promise(app, "appointment", "talk", "message")
    run(app, queue, "dial", debt_of(app, "WX-001"))
    lines = run(app, queue, "list", "--all").output.splitlines()
    assert max(width(line.rstrip()) for line in lines) <= 80
    for row in rows(app, queue, "list", "--all"):
        (line,) = [line for line in lines if str(row["id"]) in line]
        assert str(row["name"]) in line
        assert str(row["due_text"]) in line


def test_a_promise_says_which_poster_and_which_number_it_came_with(app: DeskApp) -> None:
    found = promise(app, "talk", kept=("number=13900002222", "code=1204"))
    shown = run(app, queue, "show", found["talk"]).output
    assert "1204" in shown
    assert "139****2222" in shown
    chain = run(app, queue, "why", found["talk"]).output
    assert "登记了讲座" in chain
    assert "海报编号 1204" in chain
    assert "13900002222" not in shown + chain


@pytest.mark.parametrize("node", ["callback__which", "closing__back__which"])
def test_a_caller_who_wants_another_number_and_leaves_none_is_not_dialled_unawares(
    app: DeskApp, node: str
) -> None:
    debt = promise(app, "callback", keys=(f"{node}=2",))["callback"]
    for words in (("show", debt), ("why", debt)):
        assert "来电者要求改打别的号码，但没有留下" in run(app, queue, *words).output.replace("\n", "")


@pytest.mark.parametrize(
    "left",
    [
        {"keys": ("callback__which=2",), "kept": ("number=13900002222",)},
        {"keys": ("callback__which=2",), "kept": ("number=13700003333",)},
        {"keys": ("callback__which=1", "requests__which=2")},
    ],
)
def test_nothing_of_the_kind_is_said_of_who_left_one_or_asked_for_none(
    app: DeskApp, left: dict[str, tuple[str, ...]]
) -> None:
    debt = promise(app, "callback", **left)["callback"]
    assert "改打别的号码" not in run(app, queue, "show", debt).output + run(app, queue, "why", debt).output


def test_a_message_comes_with_the_command_that_lets_it_be_heard(app: DeskApp, tmp_path: Path) -> None:
    app.settings = Settings(home=tmp_path)
    folder = app.settings.pbx_home / "spool" / "messages"
    folder.mkdir(parents=True)
    found = promise(app, "message")
    (folder / "pbx1-1700000000.77-say_it.wav").touch()
    assert json.loads(run(app, queue, "show", found["message"], "--json").output)["recordings"] == []
    (folder / "pbx1-1700000000.7-say_it.wav").touch()
    told = json.loads(run(app, queue, "show", found["message"], "--json").output)
    assert told["recordings"] == ["hotline calls message pbx1-1700000000.7"]


def test_a_promise_is_ended_by_name_and_reason_and_a_routine_debt_is_not(app: DeskApp) -> None:
    message = promise(app, "message")["message"]
    assert "试算" in run(app, queue, "close", message, "--reason", "听完没有人声", "--dry-run").output
    assert message in [r["id"] for r in rows(app, queue, "list")]
    run(app, queue, "close", message, "--reason", "听完没有人声")
    assert message not in [r["id"] for r in rows(app, queue, "list")]
    with pytest.raises(Refused, match="例行回访"):
        run(app, queue, "close", debt_of(app, "WX-001"), "--reason", "这阵子太忙了")


def test_a_silent_caller_in_danger_stands_first_with_a_warning_not_to_ring_blindly(app: DeskApp) -> None:
    promise(app, "callback", unheard="silent_in_danger")
    shown = run(app, queue, "next", "--json")
    chain = run(app, queue, "why", json.loads(shown.output)["id"]).output.replace("\n", "")
    assert "按键表示处境危险" in chain
    assert "先由督导判断" in chain


def _talked(app: DeskApp, call: str) -> None:
    """Let 周秀英 have talked with us just now."""
    with app.store() as work:
        work.calls.put_many(
            [
                CallRecord(
                    id=call,
                    direction=Direction.OUTBOUND,
                    outcome=Outcome.ANSWERED,
                    number="13900002222",
                    started_at=app.now,
                    offered_at=app.now,
                    answered_at=app.now,
                    ended_at=app.now + timedelta(minutes=5),
                    answered_by="s001",
                )
            ]
        )
        work.commit()


def test_of_what_is_kept_it_is_said_by_which_call_and_by_whom_and_nothing_comes_next(app: DeskApp) -> None:
    debt = debt_of(app, "WX-002")
    app.now += timedelta(minutes=5)
    _talked(app, "c-77")
    app.now += timedelta(days=90)
    run(app, queue, "done", debt, "--call", "c-77")
    for said in (run(app, queue, "why", debt).output, run(app, queue, "show", debt).output):
        flat = said.replace("\n", "").replace(" ", "")
        assert "2026-11-2410:05已完成，已过期限：与本人通话，凭据c-77，s001登记。" in flat
        for word in ("下一步", "已逾期", "本期到", "关口", "可以拨打"):
            assert word not in said
    found = json.loads(run(app, queue, "show", debt, "--json").output)
    assert (found["ended_as"], found["ended_by"], found["evidence"]) == ("human_talk", "s001", "c-77")
    assert found["ended_at"].startswith("2026-11-24T")
    assert (found["who_next"], found["why"], found["next_at"], found["overdue_days"]) == (None,) * 4
    assert found["is_due"] is False
    assert json.loads(run(app, queue, "why", debt, "--json").output)["ended_as"] == "human_talk"


def test_of_what_ended_no_gate_is_asked(app: DeskApp) -> None:
    kept, waived = debt_of(app, "WX-001"), debt_of(app, "WX-002")
    before = json.loads(run(app, queue, "why", kept, "--json").output)
    assert before["gates"]
    assert before["human_gates"]
    app.now += timedelta(minutes=5)
    run(app, queue, "done", kept, "--visit", "走访-118")
    run(app, queue, "waive", waived, "--reason", "本人住院，家属照看")
    for debt in (kept, waived):
        found = json.loads(run(app, queue, "why", debt, "--json").output)
        assert (found["gates"], found["human_gates"], found["last_refused"]) == ([], [], None)


def test_of_what_was_let_go_it_is_said_by_whom_and_why(app: DeskApp) -> None:
    debt = debt_of(app, "WX-002")
    run(app, queue, "waive", debt, "--reason", "本人住院，家属照看")
    said = run(app, queue, "why", debt).output.replace("\n", "")
    assert "已结束" in said
    assert "由督导免除，s001 登记。理由：本人住院，家属照看。" in said
    found = json.loads(run(app, queue, "show", debt, "--json").output)
    assert (found["ended_as"], found["evidence"]) == ("waived", None)


def test_an_open_debt_has_not_ended(app: DeskApp) -> None:
    found = json.loads(run(app, queue, "show", debt_of(app, "WX-002"), "--json").output)
    assert [found[key] for key in ("ended_at", "ended_by", "ended_as", "evidence")] == [None] * 4


def test_a_list_takes_who_asks_and_json_in_any_order(app: DeskApp) -> None:
    for words in (("--json", "--as", "s001"), ("--as", "s001", "--json")):
        assert json.loads(run(app, queue, *words).output)
        assert json.loads(run(app, queue, "ladder", *words).output)
        assert json.loads(run(app, hardship, "profiles", *words).output) == []
        assert json.loads(run(app, hardship, "profiles", "list", *words).output) == []
    assert "写在子命令后面" in run(app, queue, "--json", "list").output
