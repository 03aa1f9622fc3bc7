"""`hotline people`, as counsellors and supervisors type it: masked, and shown in clear with a reason."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from people_world import SHEN, a_call, a_promise, a_session, near, on_file, peopled, with_case

from callcenter.bootstrap import App
from callcenter.cli.calls import calls
from callcenter.cli.people import people
from callcenter.config import Settings
from callcenter.domain.risk import Level
from callcenter.errors import Forbidden, NotFound, Refused
from callcenter.memory import MemoryStore
from callcenter.service.sessions.reading import read_session

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
NUMBER = "13861705555"
WHY = "需要核对回电号码"


class DeskApp(App):
    """An App with its store in memory and a clock that stands."""

    def __init__(self) -> None:
        super().__init__(settings=Settings())
        self.now = NOW
        self.__dict__["store"] = peopled(MemoryStore())
        self.clock = lambda: self.now  # type: ignore[method-assign]


def worked_with(app: App, *people: str, by: str = "c017") -> None:
    """Let a counsellor have records still to be written about these people."""
    with app.store() as work:
        near(work, NOW, *people, by=by)
        work.commit()


def filed(app: App, person: str) -> None:
    """Put somebody on the register."""
    with app.store() as work:
        on_file(work, person)
        work.commit()


@pytest.fixture
def app() -> DeskApp:
    """A line that knows Shen and Qian."""
    return DeskApp()


def run(app: App, *words: str, by: str = "s001", group: click.Command = people, typed: str = "") -> Result:
    return CliRunner().invoke(
        group, [*words], obj=app, env={"HOTLINE_ACTOR": by}, catch_exceptions=False, input=typed
    )


def told(app: App, *words: str, by: str = "s001") -> Any:
    return json.loads(run(app, *words, "--json", by=by).output)


def test_a_page_about_somebody_is_masked_and_fits_the_screen(app: DeskApp) -> None:
    with_case(app.store, "p1", Level.HIGH, NOW)
    with app.store() as work:
        work.debts.add(a_promise("x", "p1", NOW))
        work.calls.put_many([a_call(f"1.{n}", NOW - timedelta(days=n)) for n in range(9)])
        work.sessions.open_many([a_session("1.1", NOW, person="p1")])
        work.commit()
    run(app, "plan", "p1", "--worker", "c018", "--instructions", "先问今天吃饭了没有", by="c017")
    page = run(app, "show", "P-7F3K", by="c017").output
    assert "沈**" in page
    assert "138****5555" in page
    assert "建国" not in page
    assert NUMBER not in page
    for word in ("1 高危", "承诺回电", "se-1.1", "c018", "先问今天吃饭了没有"):
        assert word in page
    assert max(map(_width, page.splitlines())) <= 80
    row = told(app, "show", "p1", by="c017")
    assert (row["calls_lately"], row["is_repeat"], row["case"]["level"]) == (9, True, 1)
    assert NUMBER not in json.dumps(row)


def _width(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in line.rstrip())


def test_r38_a_number_is_shown_once_with_a_reason_and_the_audit_has_no_value(app: DeskApp) -> None:
    shown = run(app, "reveal", "P-7F3K", "--field", "numbers", "--field", "name", "--reason", WHY).output
    assert NUMBER in shown
    assert "沈建国" in shown
    assert "已记入留痕" in shown
    with app.store() as work:
        entries = [e for e in work.audit.recent(9) if e.verb == "people.reveal"]
    assert [(e.actor, e.object, e.field, e.reason) for e in entries] == [
        ("s001", "person:p1", "name", WHY),
        ("s001", "person:p1", "numbers", WHY),
    ]
    assert NUMBER not in str(entries)
    assert "建国" not in str(entries)


@pytest.mark.parametrize("reason", ["看看", "1111", "…… ……"])
def test_r38_a_reason_that_explains_nothing_reveals_nothing(app: DeskApp, reason: str) -> None:
    with pytest.raises(Refused, match="理由"):
        run(app, "reveal", "p1", "--reason", reason)


def test_a_number_is_typed_apart_from_the_command_line(app: DeskApp) -> None:
    found = run(app, "find", "--number", "-", "--reason", "来电者请我们核对", typed=f"{NUMBER}\n").output
    assert "P-7F3K" in found
    assert "138****5555" in found


def test_r17_a_search_by_number_needs_a_reason_and_is_written_down_also_when_nobody_is_found(
    app: DeskApp,
) -> None:
    with pytest.raises(Refused, match="理由"):
        run(app, "find", "--number", NUMBER, by="c017")
    assert told(app, "find", "--number", "13700000000", "--reason", "来电者请我们核对", by="c017") == []
    assert [row["id"] for row in told(app, "find", "--number", NUMBER, "--reason", "核对登记")] == ["p1"]
    with app.store() as work:
        entries = [(e.actor, e.object, e.field) for e in work.audit.recent(9) if e.verb == "people.find"]
    assert entries == [("s001", "person:p1", "number"), ("c017", "person:none", "number")]


def test_a_caller_without_a_number_is_known_again_by_the_code_they_keep(app: DeskApp) -> None:
    worked_with(app, "p1")
    digits = told(app, "code", "P-7F3K", by="c017")["code"]
    wide = "".join(chr(ord(sign) + 0xFEE0) for sign in f"{digits[:3]}{digits[3:]}")
    for spelling in (digits, f"{digits[:3]} {digits[3:]}", wide):
        assert [row["code"] for row in told(app, "find", "--code", spelling, by="c018")] == ["P-7F3K"]
    new = told(app, "code", "P-7F3K", by="c017")["code"]
    assert told(app, "find", "--code", digits, by="c018") == [], "the old code is void"
    assert len(told(app, "find", "--code", new, by="c018")) == 1
    with app.store() as work:
        assert digits not in str(work.audit.recent(20))


def test_reveals_are_looked_over_by_another_supervisor_within_a_day(app: DeskApp) -> None:
    run(app, "reveal", "p1", "--reason", WHY, by="s002")
    [row] = told(app, "reveals", "--open")
    assert (row["actor"], row["field"], row["reviewed_by"], row["overdue"]) == (
        "s002",
        "numbers",
        None,
        False,
    )
    with pytest.raises(Refused, match="另一位督导"):
        run(app, "reveals", "--review", str(row["seq"]), by="s002")
    app.now = NOW + timedelta(hours=25)
    assert told(app, "reveals", "--open")[0]["overdue"] is True
    run(app, "reveals", "--review", str(row["seq"]), "--remark", "合理")
    assert told(app, "reveals", "--open") == []
    assert told(app, "reveals")[0]["reviewed_by"] == "s001"
    with pytest.raises(Refused, match="已经复核"):
        run(app, "reveals", "--review", str(row["seq"]))


def test_the_number_of_a_call_is_shown_to_who_took_it_and_to_no_other_counsellor(app: DeskApp) -> None:
    with app.store() as work:
        work.calls.put_many([a_call("1.1", NOW), a_call("1.2", NOW, None)])
        work.commit()
    assert NUMBER in run(app, "reveal", "1.1", "--reason", WHY, by="c017", group=calls).output
    with pytest.raises(Forbidden):
        run(app, "reveal", "1.1", "--reason", WHY, by="c018", group=calls)
    with pytest.raises(NotFound, match="没有号码"):
        run(app, "reveal", "1.2", "--reason", WHY, by="c017", group=calls)


def test_numbers_are_added_and_marked_and_a_wrong_one_is_left_alone_everywhere(app: DeskApp) -> None:
    worked_with(app, "p1", "p2")
    run(app, "phone", "add", "p2", "--number", NUMBER, "--unsafe", by="c017")
    run(app, "phone", "set", "p2", "2", "--status", "wrong", "--reason", "接的人说打错了", by="c017")
    for who, place in (("p1", 0), ("p2", 1)):
        assert told(app, "show", who)["phones"][place]["status"] == "wrong"
    run(app, "phone", "set", "p1", "1", "--status", "ok", "--reason", "本人当面核对过", by="c017")
    assert told(app, "show", "p1")["phones"][0]["status"] == "ok"
    assert told(app, "show", "p2")["phones"][1] == {
        "place": 2,
        "number": "138****5555",
        "status": "wrong",
        "safe_to_call": False,
        "confirmed": False,
        "agreed": False,
        "verified_at": None,
    }


def test_what_somebody_wants_is_kept(app: DeskApp) -> None:
    filed(app, "p1")
    worked_with(app, "p1")
    run(app, "consent", "p1", "ivr_checkin", "--granted", "--channel", "电话", by="k001")
    run(app, "consent", "p1", "ivr_checkin", "--withdrawn", "--channel", "当面", by="c017")
    run(app, "optout", "p1", "--all", "--reason", "家里人会听见", by="k001")
    run(app, "care", "p1", "--language", "zh_wx", "--people-only", by="c017")
    row = told(app, "show", "p1")
    assert row["consents"] == {"ivr_checkin": False}
    assert row["suppressions"] == ["all_outbound"]
    assert (row["speaks"], row["no_ivr"]) == ("zh_wx", True)


def test_a_merge_is_rehearsed_made_and_undone(app: DeskApp) -> None:
    words = ("P-7F3K", "P-4KXA", "--reason", "同一个人,两次登记")
    rehearsed = run(app, "merge", *words, "--dry-run").output
    assert "没有写入" in rehearsed
    assert "姓名不同" in rehearsed
    assert told(app, "show", "p2")["id"] == "p2"
    assert told(app, "merge", *words)["phone"] == 1
    page = told(app, "show", "P-4KXA")
    assert (page["id"], page["merged"]) == ("p1", ["P-4KXA"])
    run(app, "unmerge", "P-4KXA", "--reason", "原来是母女二人")
    assert told(app, "show", "P-4KXA")["id"] == "p2"


def test_a_number_is_blocked_and_unblocked(app: DeskApp) -> None:
    made = told(app, "block", "--number", NUMBER, "--days", "7", "--reason", "反复辱骂,已提醒")
    assert made["number"] == "138****5555"
    listed = run(app, "blocks").output
    assert made["id"] in listed
    assert NUMBER not in listed
    run(app, "unblock", made["id"], "--reason", "家属说明了情况")
    assert told(app, "blocks") == []
    assert len(told(app, "blocks", "--all")) == 1


@pytest.mark.parametrize("who", ["k001", "x001"])
@pytest.mark.parametrize("name", [SHEN.code, "P-NONE"])
def test_who_may_not_see_people_learns_not_even_whether_there_is_one(
    app: DeskApp, who: str, name: str
) -> None:
    for words in (("show", name), ("reveal", name, "--reason", WHY), ("code", name)):
        with pytest.raises(Forbidden):
            run(app, *words, by=who)


class FileApp(DeskApp):
    """The same, with a home for files."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self._settings = Settings(home=home)


def test_r43_a_request_is_opened_listed_and_answered_with_a_copy_of_0600(tmp_path: Path) -> None:
    app = FileApp(tmp_path)
    filed(app, "p1")
    made = told(app, "request", "P-7F3K", "access", "--identity", "当面看过身份证", by="k001")
    assert [row["id"] for row in told(app, "requests")] == [made["id"]]
    copy = told(app, "answer", made["id"], "--copy", "csv")
    file = Path(copy["file"])
    assert file.stat().st_mode & 0o777 == 0o600
    assert "沈建国" in file.read_text(encoding="utf-8-sig")
    assert "建国" not in file.name
    assert told(app, "requests") == []
    assert told(app, "requests", "--all")[0]["state"] == "answered"


def test_r43_an_erasure_is_rehearsed_and_done(app: DeskApp) -> None:
    made = told(app, "request", "p1", "erasure", "--identity", "当面看过身份证", "--wish", "都删掉")
    rehearsed = run(app, "erase", made["id"], "--reason", "本人要求删除", "--dry-run").output
    assert "会删除" in rehearsed
    assert "电话号码 1" in rehearsed
    assert "没有删除" in rehearsed
    done = told(app, "erase", made["id"], "--reason", "本人要求删除")
    assert {"what": "电话号码", "count": 1, "why": ""} in done["goes"]
    page = told(app, "show", "p1")
    assert (page["name"], page["phones"]) == ("匿名", [])


def test_an_answer_is_one_of_four(app: DeskApp) -> None:
    made = told(app, "request", "p1", "correction", "--identity", "当面看过身份证")
    for words in ((), ("--text", "好的好的", "--refuse", "不能办理"), ("--set", "name")):
        with pytest.raises(Refused, match="选一种"):
            run(app, "answer", made["id"], *words)
    done = told(app, "answer", made["id"], "--set", "name", "--value", "陈建国")
    assert done["answer"] == "name: 沈** -> 陈**"


def test_a_supervisor_alone_makes_no_copy_of_what_they_asked_for_themselves(tmp_path: Path) -> None:
    app = FileApp(tmp_path)
    made = told(app, "request", "P-7F3K", "access", "--identity", "当面看过身份证", by="s001")
    with pytest.raises(Forbidden, match="另一位督导"):
        run(app, "answer", made["id"], "--copy", "csv", "--with-facts", by="s001")
    assert [row["id"] for row in told(app, "requests")] == [made["id"]]
    told(app, "answer", made["id"], "--copy", "csv", "--with-facts", by="s002")
    [row] = told(app, "reveals", "--open")
    assert (row["actor"], row["field"]) == ("s002", "export.person")
    assert "含接访文字" in row["reason"]
    run(app, "reveals", "--review", str(row["seq"]), by="s001")
    assert told(app, "reveals", "--open") == []


def test_a_record_shown_unmasked_is_looked_over_by_another_supervisor(app: DeskApp) -> None:
    with app.store() as work:
        work.sessions.open_many([a_session("1.1", NOW)])
        read_session(work, "se-1.1", actor="s001", now=NOW, reveal=True, reason=WHY)
        work.commit()
    [row] = told(app, "reveals", "--open")
    assert (row["object"], row["field"], row["reason"]) == ("session:se-1.1", "session.reveal", WHY)
    with pytest.raises(Refused, match="另一位督导"):
        run(app, "reveals", "--review", str(row["seq"]), by="s001")
    run(app, "reveals", "--review", str(row["seq"]), by="s002")
    assert told(app, "reveals")[0]["reviewed_by"] == "s002"


def test_what_an_opt_out_says_is_what_it_does(app: DeskApp) -> None:
    assert "自动电话" in run(app, "optout", "--help").output
    assert "--all" in run(app, "optout", "--help").output.split("Options")[0]
    assert told(app, "optout", "p1")["kind"] == "automation"
    assert told(app, "optout", "p1", "--all")["kind"] == "all_outbound"


def test_a_number_typed_in_waits_for_a_supervisor_on_the_page(app: DeskApp) -> None:
    worked_with(app, "p1")
    run(app, "phone", "add", "p1", "--number", "13700000001", by="c017")
    assert "待督导核实" in run(app, "show", "p1").output
    run(app, "phone", "set", "p1", "2", "--confirmed")
    assert "待督导核实" not in run(app, "show", "p1").output
    assert told(app, "show", "p1")["phones"][1]["confirmed"] is True


def test_looking_somebody_up_is_kept_in_the_audit(app: DeskApp) -> None:
    run(app, "show", "P-7F3K", by="c018")
    with app.store() as work:
        assert [(e.actor, e.object) for e in work.audit.recent(5, verb="people.see")] == [
            ("c018", "person:p1")
        ]


def test_entries_with_one_number_are_listed_masked(app: DeskApp) -> None:
    run(app, "phone", "add", "p2", "--number", NUMBER)
    page = run(app, "duplicates").output
    assert "138****5555" in page
    assert NUMBER not in page
    assert "建国" not in page
    assert {told(app, "duplicates")[0][key] for key in ("one", "other")} == {"P-7F3K", "P-4KXA"}
