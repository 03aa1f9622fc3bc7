"""`hotline cases` and `hotline rescue`, as a counsellor and a supervisor type them."""

from __future__ import annotations

import json
import unicodedata
from datetime import datetime, timedelta
from pathlib import Path

import click
import pytest
from actors import enlist
from click.testing import CliRunner, Result

from callcenter.bootstrap import App
from callcenter.cli.cases import cases
from callcenter.cli.queue import queue
from callcenter.cli.rescue import rescue
from callcenter.config import Settings
from callcenter.domain.alarms import AlarmKind
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.people import Person, Phone
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import CallCenterError
from callcenter.memory import MemoryAlarmRoad, MemoryStore
from callcenter.service.risk.cases import follow
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules
from scheduler.obligations import Kind, Mode, Obligation

ENDED = datetime(2026, 11, 24, 15, 20, tzinfo=SHANGHAI)
NAME, NUMBER = "陈梦瑶", "13800001111"
HOUR = timedelta(hours=1)


class Desk(App):
    """A line in memory whose clock stands, with one person at high risk."""

    def __init__(self, home: Path) -> None:
        super().__init__(settings=Settings(home=home))
        self.now = ENDED + HOUR
        self.__dict__.update(store=MemoryStore(), road=MemoryAlarmRoad())
        self.clock = lambda: self.now  # type: ignore[method-assign]
        self.alive = True
        with self.store() as work:
            enlist(work)
            work.users.add(
                User(
                    code="s002",
                    name="吴倩",
                    roles=frozenset({Role.SUPERVISOR}),
                    phone=PhoneKind.SIP,
                    alarm_rank=1,
                )
            )
            work.people.add(Person(id="p1", code="P-7F3K", name=NAME, phones=(Phone(number=NUMBER),)))
            work.calls.put_many([_call()])
            follow(
                work,
                session=SessionRow(id="se-c1", call="c1", counsellor="c017", opened_at=ENDED),
                person="p1",
                answers=RiskAnswers(asked=True, plan_soon=True, given_reason="睡前想跳楼"),
                ended_at=ENDED,
                actor="c017",
                now=self.now,
                rules=Rules(),
            )
            work.commit()

    def pbx_answers(self) -> bool:
        return self.alive

    def types(self, group: click.Command, *words: str, by: str = "s001") -> str:
        result = self.tries(group, *words, by=by)
        assert result.exit_code == 0, result.output
        return result.output

    def tries(self, group: click.Command, *words: str, by: str = "s001") -> Result:
        return CliRunner().invoke(group, [*words], obj=self, env={"HOTLINE_ACTOR": by})

    def listed(self, group: click.Command, *words: str) -> list[dict[str, object]]:
        found = json.loads(self.types(group, *words, "--json"))
        assert isinstance(found, list)
        return found

    @property
    def case(self) -> str:
        return str(self.listed(cases, "list", "--all")[0]["id"])


def _call() -> CallRecord:
    return CallRecord(
        id="c1",
        direction=Direction.INBOUND,
        outcome=Outcome.OPEN,
        started_at=ENDED - HOUR,
        answered_at=ENDED - HOUR,
        ended_at=None,
        answered_by="c017",
        number=NUMBER,
    )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def width(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def test_r51_the_list_is_masked_and_fits_eighty_columns(desk: Desk) -> None:
    shown = desk.types(cases, "list")
    assert "1 高危" in shown
    assert "待督导确认" in shown
    assert "陈" in shown
    assert NAME not in shown
    assert max(map(width, shown.splitlines())) <= 80


def test_one_case_shows_what_is_owed_and_what_happened(desk: Desk) -> None:
    shown = desk.types(cases, "show", desk.case)
    assert "24小时后的随访" in shown
    assert "建立" in shown
    assert not any(secret in shown for secret in (NAME, NUMBER))
    row = json.loads(desk.types(cases, "show", desk.case, "--json"))
    assert (row["level"], row["owner"], len(row["steps"])) == (1, "c017", 5)
    assert [event["kind"] for event in row["events"]] == ["opened"]


def test_two_people_lower_a_case_and_a_trial_changes_nothing(desk: Desk) -> None:
    case = desk.case
    said = desk.types(cases, "lower", case, "2", "--reason", "家人已陪同就医", by="c017")
    assert "confirm" in said
    assert "试算" in desk.types(cases, "confirm", case, "--level", "2", "--dry-run")
    assert desk.listed(cases, "list")[0]["level"] == 1
    desk.types(cases, "confirm", case, "--level", "2")
    assert desk.listed(cases, "list")[0]["level"] == 2


def test_the_list_says_everything_a_case_waits_for(desk: Desk) -> None:
    desk.types(cases, "lower", desk.case, "2", "--reason", "家人已陪同就医", by="c017")
    desk.now = ENDED + 40 * HOUR
    (row,) = desk.listed(cases, "list")
    assert row["remark"] == "待督导确认 待第二人确认 随访逾期"
    shown = "".join(desk.types(cases, "list").split())
    assert not [word for word in ("待督导确认", "待第二人确认") if word[:4] not in shown]


def test_what_is_confirmed_is_named_and_said(desk: Desk) -> None:
    case = desk.case
    for words in ((), ("--level", "2", "--closing", "误建")):
        assert "写明确认的是什么" in str(desk.tries(cases, "confirm", case, *words).exception)
    said = desk.types(cases, "close", case, "接受治疗", "--note", "门诊随诊中", by="c017")
    assert f"hotline cases confirm {case} --closing 接受治疗" in said.replace("\n", "")
    row = json.loads(desk.types(cases, "show", case, "--json"))
    assert (row["proposed_text"], row["proposed_why"]) == ("结案（接受治疗，c017 提出）", "门诊随诊中")
    assert isinstance(desk.tries(cases, "confirm", case, "--level", "2").exception, CallCenterError)
    done = desk.types(cases, "confirm", case, "--closing", "接受治疗")
    assert "您确认了结案（接受治疗），c017 提出，理由：门诊随诊中。" in done.replace("\n", "")
    assert "紧急" not in done


def test_states_are_true_and_the_next_act_stands_beside_them(desk: Desk) -> None:
    case = desk.case
    row = json.loads(desk.types(cases, "show", case, "--json"))
    assert row["state_text"] == "跟进中"
    assert f"督导具名：hotline cases ack {case}" in row["next_act"]
    desk.types(cases, "ack", case)
    row = json.loads(desk.types(cases, "show", case, "--json"))
    assert row["next_act"].endswith(f"随访：hotline queue dial {row['steps'][0]['id']}")


def test_the_log_is_said_in_words(desk: Desk) -> None:
    desk.types(cases, "raise", desk.case, "0", "--reason", "家属来电话了")
    events = json.loads(desk.types(cases, "show", desk.case, "--json"))["events"]
    level = next(event for event in events if event["kind"] == "level")
    assert (level["before"], level["before_text"], level["after_text"]) == ("1", "1 高危", "0 紧急")


def test_r14_raising_to_level_0_names_the_rescue(desk: Desk) -> None:
    said = desk.types(cases, "raise", desk.case, "0", "--reason", "家属来电话了")
    (form,) = json.loads(desk.types(cases, "show", desk.case, "--json"))["rescues"]
    assert form["id"] in said


def test_r14_raising_to_level_0_rings_supervisors_at_once(desk: Desk) -> None:
    said = desk.types(cases, "raise", desk.case, "0", "--reason", "家属来电话了", by="c017")
    assert "正在呼叫督导。" in said
    assert isinstance(desk.road, MemoryAlarmRoad)
    assert [alarm.kind for alarm in desk.road.rung] == [AlarmKind.RISK_UNACKNOWLEDGED]


def test_who_looked_at_a_colleagues_case_is_on_record(desk: Desk) -> None:
    desk.types(cases, "show", desk.case, by="s002")
    with desk.store() as work:
        assert [e.actor for e in work.audit.recent(9, verb="case.see")] == ["s002"]


def test_no_role_is_told_of_verbs_in_english(desk: Desk) -> None:
    said = str(desk.tries(cases, "ack", desk.case, by="c017").exception)
    assert "督导个案" in said
    assert "case.supervise" not in said


def test_everything_about_a_case_fits_eighty_columns(desk: Desk) -> None:
    case = desk.case
    shown = [
        desk.types(cases, "lower", case, "2", "--reason", "家人已陪同就医" * 9, by="c017"),
        desk.types(cases, "list"),
        desk.types(cases, "show", case),
        desk.types(cases, "confirm", case, "--level", "2", "--dry-run"),
        desk.types(cases, "scales"),
        desk.types(cases, "score", "phq9"),
        desk.types(cases, "score", "phq9", "--total", "14"),
        desk.types(rescue, "call", "c1", "--agency", "120", "--note", "她说已经吃了药" * 9, by="c017"),
        desk.types(cases, "show", case),
    ]
    assert [line for text in shown for line in text.splitlines() if width(line) > 80] == []


def test_nobody_lowers_without_a_reason_or_confirms_alone(desk: Desk) -> None:
    assert desk.tries(cases, "lower", desk.case, "2", by="c017").exit_code == 2
    desk.types(cases, "lower", desk.case, "2", "--reason", "家人陪同就医")
    refused = desk.tries(cases, "confirm", desk.case, "--level", "2")
    assert isinstance(refused.exception, CallCenterError)
    assert "另一个人" in str(refused.exception)


def test_a_case_is_taken_handed_over_raised_watched_closed_and_reopened(desk: Desk) -> None:
    case = desk.case
    assert "c017" in desk.types(cases, "take", case, by="c017")
    assert "s002" in desk.types(cases, "take", case, "--to", "s002", "--reason", "她换班了")
    assert "0 紧急" in desk.types(cases, "raise", case, "0", "--reason", "家属来电")
    (form,) = json.loads(desk.types(cases, "show", case, "--json"))["rescues"]
    desk.types(rescue, "close", form["id"], "--reason", "家属在身边")
    desk.types(cases, "lower", case, "2", "--reason", "家人陪同就医", by="s002")
    desk.types(cases, "confirm", case, "--level", "2")
    assert "观察" in desk.types(cases, "watch", case, "--reason", "情绪已稳定")
    assert "已结案" in desk.types(cases, "close", case, "接受治疗", "--note", "门诊随诊")
    assert desk.listed(cases, "list") == []
    assert "2 中危" in desk.types(cases, "reopen", case, "--reason", "又来电话了")


def test_a_try_that_was_no_call_and_a_proposal_taken_back_are_logged(desk: Desk) -> None:
    case = desk.case
    desk.types(cases, "tried", case, "--way", "上门", "--note", "敲门无人应", by="c017")
    desk.types(cases, "close", case, "目标达成", "--note", "情绪已稳定", by="c017")
    assert "没有待确认" in desk.types(cases, "withdraw", case, "--reason", "仍有计划")
    events = json.loads(desk.types(cases, "show", case, "--json"))["events"]
    assert sorted(event["kind"] for event in events) == ["opened", "proposed", "tried", "withdrawn"]


def test_r14_one_command_rings_the_supervisor_and_a_name_silences_the_phones(desk: Desk) -> None:
    words = ("call", "c1", "--agency", "120", "--fact", "address=滨湖区某小区", "--line", "座机2")
    shown = desk.types(rescue, *words, by="c017")
    assert "正在呼叫督导" in shown
    assert "附近的标志物" in shown
    road = desk.road
    assert isinstance(road, MemoryAlarmRoad)
    assert len(road.rung) == 1
    desk.types(cases, "ack", desk.case)
    assert road.silenced == [road.rung[0].id]


def test_a_rescue_goes_its_steps_and_ends_with_confirmed_contact(desk: Desk) -> None:
    begun = json.loads(desk.types(rescue, "call", "c1", "--agency", "110", "--json", by="c017"))
    assert (begun["rung"], begun["dial"], begun["state"]) == (True, "110", "requested")
    one = begun["id"]
    desk.types(rescue, "step", one, "--state", "dispatched", "--note", "警车已出发", by="c017")
    desk.types(rescue, "confirm", one, "--note", "民警在楼下见到本人", by="c017")
    desk.types(rescue, "close", one, "--reason", "已送医院急诊", by="c017")
    desk.types(rescue, "inform", one, "--how", "次日回访告知", by="c017")
    row = json.loads(desk.types(rescue, "show", one, "--json"))
    assert [step["state"] for step in row["steps"]] == [
        "requested", "dispatched", "contact_confirmed", "closed",
    ]  # fmt: skip
    assert "民警在楼下" in desk.types(rescue, "show", one)


@pytest.mark.parametrize("fact", ["address", "colour=红", "address=甲"])
def test_a_fact_that_means_nothing_or_stands_twice_is_refused(desk: Desk, fact: str) -> None:
    tried = desk.tries(rescue, "call", "c1", "--agency", "120", "--fact", "address=乙", "--fact", fact)
    assert isinstance(tried.exception, CallCenterError)


def test_risk_stands_on_top_of_the_queue_before_what_is_long_overdue(desk: Desk) -> None:
    with desk.store() as work:
        work.people.add(Person(id="p2", code="P-2", name="沈建国"))
        old = Obligation(
            id="ob-old",
            person="p2",
            kind=Kind.HARDSHIP,
            due_at=ENDED - 900 * HOUR,
            window_end=ENDED - 800 * HOUR,
            mode=Mode.IVR_OK,
            origin="WX-1",
            created_at=ENDED - 900 * HOUR,
        )
        work.debts.add(old)
        work.commit()
    desk.now = ENDED + 30 * HOUR
    found = desk.listed(queue, "list")
    assert [row["kind"] for row in found] == ["high_risk", "hardship"]
    why = desk.types(queue, "why", str(found[0]["id"]))
    assert f"个案 {desk.case}" in why
    assert "24小时后的随访" in why


def test_the_calculator_scores_by_item_and_keeps_nothing(desk: Desk) -> None:
    before = desk.listed(cases, "list")
    answers = [f"phq9_{n}=1" for n in range(1, 9)] + ["phq9_9=1"]
    shown = desk.types(cases, "score", "phq9", *answers)
    assert "2 中危" in shown
    assert "第9题" in shown
    assert json.loads(desk.types(cases, "score", "beijing", "--total", "8", "--json"))["level"] == 1
    assert desk.listed(cases, "list") == before


def test_the_calculator_takes_what_the_form_takes_and_a_total_with_its_hidden_item(desk: Desk) -> None:
    assert json.loads(desk.types(cases, "score", "cssrs", "1=是", "--json"))["level"] == 3
    assert json.loads(desk.types(cases, "score", "phq9", "1=2", "9=0", "--json"))["missing"]
    hidden = json.loads(desk.types(cases, "score", "phq9", "--total", "14", "--json"))
    assert (hidden["level"], hidden["missing"]) == (2, ["phq9_9"])
    told = json.loads(desk.types(cases, "score", "phq9", "9=0", "--total", "14", "--json"))
    assert (told["level"], told["missing"]) == (None, [])


def test_the_calculator_lists_items_and_scales(desk: Desk) -> None:
    assert "phq9_9" in desk.types(cases, "score", "phq9")
    names = {row["id"] for row in desk.listed(cases, "scales")}
    assert {"phq9", "gad7", "who5", "cssrs", "beijing", "scl90"} <= names
    assert isinstance(desk.tries(cases, "score", "beijing").exception, CallCenterError)
    assert isinstance(desk.tries(cases, "score", "mmpi").exception, CallCenterError)


def test_a_broken_scale_of_the_sites_own_is_said_with_its_line(desk: Desk) -> None:
    folder = desk.settings.instruments_folder
    folder.mkdir()
    (folder / "mine.yaml").write_text("instrument: mine\nversion: one\n", encoding="utf-8")
    tried = desk.tries(cases, "scales")
    assert "mine.yaml:1: `checksum` is missing" in str(tried.exception)


def test_a_clerk_learns_nothing_of_cases(desk: Desk) -> None:
    for words in (("list",), ("show", desk.case), ("take", desk.case)):
        tried = desk.tries(cases, *words, by="k001")
        assert "角色不能" in str(tried.exception)
        assert NAME not in tried.output
