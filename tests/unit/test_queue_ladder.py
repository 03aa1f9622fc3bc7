"""`hotline queue ladder`, and a site's own table in its configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from callcenter.cli import main
from callcenter.config import load_settings
from callcenter.errors import ConfigError, Refused
from callcenter.service.followup.debts import rules_of
from scheduler.ladder_table import Part, Then
from scheduler.obligations import Result as Outcome

OWN = """
[ladder]
rungs = 2

[ladder.results.no_answer]
wait = [7200, 86400]
part = ["same", "any"]

[ladder.results.powered_off]
then = "human"

[ladder.results.busy]
quick = 1
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ladder(*words: str) -> Result:
    return CliRunner().invoke(main, ["queue", "ladder", *words])


def tried(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ladder("--json", *words).output)
    return found


def test_the_table_is_printed_whole_within_eighty_columns(home: Path) -> None:
    rows = {row["result"]: row for row in tried()}
    assert set(rows) == {str(outcome) for outcome in Outcome}
    assert rows["busy"]["quick"] == 2
    assert rows["opted_out"]["then"] == "human"
    said = ladder().output
    assert "先隔10分钟重拨2次" in said.replace("\n", "").replace(" ", "")
    assert "自动拨打共 3 次" in said


def test_a_trial_says_when_each_call_goes_out_and_when_a_person_has_it(home: Path) -> None:
    calls = tried("--try", "no_answer,busy,busy,busy,no_answer", "--from", "2026-12-01 09:00")
    when = [call["at"][:16] for call in calls]
    assert when == [
        "2026-12-01T09:00",
        "2026-12-01T14:00",
        "2026-12-01T14:10",
        "2026-12-01T14:20",
        "2026-12-02T17:00",
    ]
    assert [call["who_next"] for call in calls] == ["ivr"] * 4 + ["human"]
    said = ladder("--try", "no_answer,opted_out,no_answer", "--from", "2026-12-01 09:00").output
    assert "第 2 次之后转人工：对方不再接受自动来电。" in said


def test_a_trial_of_a_result_that_is_none_names_it(home: Path) -> None:
    found = ladder("--try", "no_answer,vanished")
    assert isinstance(found.exception, Refused) or "vanished" in found.output
    assert found.exit_code != 0


def test_a_table_of_the_sites_own_is_tried_before_it_goes_live(home: Path) -> None:
    (home / "hotline.toml").write_text(OWN, encoding="utf-8")
    calls = tried("--try", "no_answer,no_answer", "--from", "2026-12-01 09:00")
    assert [call["at"][:16] for call in calls] == ["2026-12-01T09:00", "2026-12-01T11:00"]
    assert calls[-1]["who_next"] == "human"
    table = rules_of(load_settings(home / "hotline.toml")).limits.table
    assert table.row(Outcome.NO_ANSWER).nexts[0].part is Part.SAME
    assert table.row(Outcome.POWERED_OFF).then is Then.HUMAN
    assert table.row(Outcome.BUSY).quick == 1
    # What the site does not name is as shipped.
    assert table.row(Outcome.DECLINED).nexts[1].part is Part.EVENING


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rungs = 9", "rungs：自动拨打要有 1 至 5 次"),
        ("results.no_answer = { counts = false }", "no_answer.counts：电话响过就要占一次"),
        ('results.opted_out = { then = "retry" }', "opted_out.then：对方不再接受自动来电，只能写 human"),
        ("results.no_answer = { wait = [] }", "no_answer.wait：没有写多久以后再拨"),
        ('results.no_answer = { then = "later" }', "then"),
        ('results.vanished = { then = "human" }', "vanished"),
    ],
)
def test_a_table_that_calls_for_ever_or_drops_somebody_is_refused_with_key_and_mend(
    home: Path, text: str, said: str
) -> None:
    (home / "hotline.toml").write_text(f"[ladder]\n{text}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_settings(home / "hotline.toml")
    assert "ladder" in str(refused.value)
    assert said in str(refused.value)
