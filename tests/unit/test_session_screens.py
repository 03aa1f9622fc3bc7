"""What counsellors see of their records: which call it is, and what a submitted record sets going."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from session_commands import NOW, Desk, run
from session_desk import DANGER, FULL, desk, talked

from callcenter.domain.books import CASES
from callcenter.domain.columns import folded, width
from callcenter.domain.form_text import Problem, marked, render
from callcenter.memory import MemoryAlarmRoad

ACTING = {**FULL, **DANGER, "acting": "是", "level_given": "紧急"}
HURT = {
    **FULL,
    "age_band": "14至17岁",
    "occupation": "学生",
    "abuse": True,
    "report_supervisor": False,
    "report_why_not": "孩子还在通话里,先顾眼前安全",
}


@pytest.fixture
def app(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "home")


def written(app: Desk, session: str, answers: dict[str, Any], by: str = "c017") -> str:
    done = run(app, "write", session, "--from", "-", typed=json.dumps(answers), by=by)
    assert done.exit_code == 0, done.output
    assert max(map(width, done.output.splitlines())) <= 80, done.output
    return done.output


def test_high_danger_says_line_by_line_what_stands_open_and_until_when(app: Desk) -> None:
    session = talked(app.store, NOW)
    lines = written(app, session, {**FULL, **DANGER}).splitlines()
    with app.store() as work:
        (case,) = work.book(CASES).where()
    assert lines[0] == f"{session} 已提交(第 1 版)。"
    assert lines[1].startswith("评估:高危。有72小时内实施的计划")
    assert f"个案 {case.id}:高危,负责人 c017" in lines
    assert any(line.startswith("还没有督导确认这个个案") for line in lines)
    assert any(line.startswith("要做:24小时后的随访,11-24 20:30") for line in lines)
    assert not any("正在呼叫督导" in line or "没有可拨的号码" in line for line in lines)


def test_imminent_danger_rings_the_supervisors_at_once(app: Desk) -> None:
    session = talked(app.store, NOW)
    told = written(app, session, ACTING)
    assert "正在呼叫督导。\n" in told
    # The call has ended: there is no line to stay in.
    assert "请留在线上" not in told
    assert "救援 re-" in told
    with app.store() as work:
        (alarm,) = work.alarms.open()
    assert alarm.rung_at == NOW


def test_that_the_supervisors_are_called_is_said_only_if_it_is_true(app: Desk) -> None:
    class Broken(MemoryAlarmRoad):
        def ring(self, alarm: object) -> None:
            raise OSError("no spool folder")

    app.__dict__["road"] = Broken()
    told = written(app, talked(app.store, NOW), ACTING)
    assert "没能呼叫督导(电话系统写不进去),请马上打电话告诉督导!\n" in told
    assert "正在呼叫督导" not in told


def test_who_is_still_in_the_line_is_not_left_alone(app: Desk) -> None:
    session = talked(app.store, NOW)
    with app.store() as work:
        work.calls.put_many([replace(work.calls.get("pbx1-1.1"), ended_at=None)])
        work.commit()
    assert "请留在线上陪着来电者。\n" in written(app, session, ACTING)


def test_a_lower_level_is_told_as_a_proposal(app: Desk) -> None:
    session = talked(app.store, NOW)
    lower = {**FULL, **DANGER, "level_given": "一般", "level_reason": "农药已经交出去,妻子在家陪着"}
    assert "您给的较低级别(一般)已作为提议,等督导确认。\n" in written(app, session, lower)


def test_who_cannot_be_called_back_is_named_with_the_way_to_mend_it(app: Desk) -> None:
    withheld, third = talked(app.store, NOW, 1, number=None), talked(app.store, NOW, 2)
    told = written(app, withheld, {**FULL, **DANGER})
    assert "没有可拨的号码" in told
    assert "hotline people phone add P-" in told
    told = written(app, third, {**FULL, **DANGER, "caller_type": "第三方", "relation": "家属"})
    assert "第三方的联系方式" in told


def test_r18_suspected_abuse_tells_the_duty_and_is_listed_for_supervisors(app: Desk) -> None:
    session = talked(app.store, NOW)
    told = written(app, session, HURT)
    assert "疑似侵害未成年人:还没有报告、督导未告知。" in told
    assert "未成年人保护法第11条" in told
    assert "hotline sessions list --reports" in told
    listed = run(app, "list", "--reports", by="s001").output
    assert session in listed
    assert "还没有报告、督导未告知" in listed
    (row,) = json.loads(run(app, "list", "--reports", "--json", by="s001").output)
    assert (row["id"], row["counsellor"], row["owed"]) == (session, "c017", ["还没有报告", "督导未告知"])


def test_a_list_tells_which_call_it_was_in_eighty_columns(app: Desk) -> None:
    minor, third, waiting = (talked(app.store, NOW, n) for n in (1, 2, 1795462084))
    written(app, minor, HURT)
    written(app, third, {**FULL, "caller_type": "第三方", "relation": "家属"})
    run(app, "write", waiting, "--set", "判断=很累", "--draft")
    shown = run(app, "list").output
    assert max(map(width, shown.splitlines())) <= 80
    whole = " ".join(shown.split())
    for words in ("11-23 19:42", "138****1111", "48:00", "未成年", "第三方", "待报告", "有草稿", "一般"):
        assert words in whole, words
    rows = {row["id"]: row for row in json.loads(run(app, "list", "--json").output)}
    assert rows[minor]["marks"] == ["未成年", "待报告"]
    assert (rows[third]["kind"], rows[third]["level"], rows[third]["talk"]) == ("正常受理", 3, 2880.0)
    assert rows[waiting]["draft_by"] == "c017"


def test_somebody_elses_claim_is_seen_in_the_list(app: Desk) -> None:
    session = talked(app.store, NOW, by=None)
    app.types(session, "事实:\n  她哭了很久\n", by="c018")
    assert "c018正在写" in run(app, "list").output.replace("\n", "")
    refused = run(app, "discard", session)
    assert refused.exit_code == 1
    assert "c018 正在写" in refused.output


def test_without_a_name_the_newest_ended_call_of_ones_own_is_meant(app: Desk) -> None:
    talked(app.store, NOW, 1, by="c018")
    assert "没有待填写" in run(app, "write", "--set", "判断=很累", "--draft").output
    own = talked(app.store, NOW, 2, talk=timedelta(minutes=5))
    done = run(app, "write", "--set", "判断=很累", "--draft")
    assert f"这一通:11-23 20:25  138****1111  谈了 5:00({own})" in done.output
    assert app.draft(own) is not None


def test_of_several_calls_one_is_chosen_by_a_number(app: Desk) -> None:
    older = talked(app.store, NOW - timedelta(hours=2), 1)
    newer = talked(app.store, NOW, 2)
    going_on = talked(app.store, NOW + timedelta(minutes=1), 3)
    with app.store() as work:
        work.calls.put_many([replace(work.calls.get("pbx1-3.1"), ended_at=None)])
        work.commit()
    done = run(app, "quick", typed="9\n2\n5\n")
    assert done.exit_code == 0, done.output
    assert going_on not in done.output
    assert done.output.index(newer) < done.output.index(older)
    assert app.version(older, 1)["kind"] == "信息咨询"
    talked(app.store, NOW - timedelta(hours=3), 4)
    assert run(app, "quick", typed="\n5\n").exit_code == 0
    assert app.version(newer, 1)["kind"] == "信息咨询"
    talked(app.store, NOW - timedelta(hours=4), 5)
    piped = run(app, "write", "--from", "-", typed=json.dumps(FULL))
    assert "请写上编号" in piped.output


def test_a_wrong_number_of_an_hour_is_not_taken_without_being_said_again(app: Desk) -> None:
    session = talked(app.store, NOW)
    refused = run(app, "quick", session, typed="1\n")
    assert refused.exit_code == 1
    assert "谈了 2880 秒" in refused.output
    assert run(app, "quick", session, "--kind", "误拨", "--yes").exit_code == 0


def test_no_remark_in_the_editor_is_wider_than_a_terminal() -> None:
    form = desk().form
    notes = {"instruments": f"这里有的量表:{'、'.join(desk().instruments)}"}
    text = render(form, FULL, notes=notes)
    for name in desk().instruments:
        assert name in text
    for number in range(1, text.count("\n")):
        if number % 9 == 0:
            text = marked(text, [Problem(line=number, text="这一行不知道填的是什么,请看一看上面写的。" * 3)])
    assert max(width(line) for line in text.split("\n") if line.startswith("#")) <= 80


def test_folded_text_says_the_same_and_commands_stay_whole() -> None:
    text = "确认是同一人的,用 hotline people merge 合并。" * 6
    lines = folded(text, 40)
    assert max(map(width, lines)) <= 40
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(line[0] not in ",。" for line in lines)
