"""Records handed in by `--from` and `--set`: what is refused is kept, or it says that it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from session_commands import NOW, Desk, run
from session_desk import FULL, desk, talked

from callcenter.domain.form_text import parse

FORM = desk().form
#: A record that reads well, and that the rules refuse.
LACKING = {name: value for name, value in FULL.items() if name != "facts"}


@pytest.fixture
def app(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "home")


def kept(app: Desk, session: str) -> dict[str, Any]:
    """Return what the draft says."""
    return parse(FORM, app.draft(session) or "").answers


def test_fields_and_json_are_kept_as_a_draft_where_that_is_asked_for(app: Desk) -> None:
    one, two, three = (talked(app.store, NOW, n) for n in (1, 2, 3))
    done = run(app, "write", one, "--set", "kind=正常受理", "--set", "事实=她哭了很久", "--draft")
    assert (done.exit_code, "草稿已保存" in done.output) == (0, True)
    assert kept(app, one) == {"kind": "正常受理", "facts": "她哭了很久"}
    run(app, "write", one, "--set", "判断=很累", "--draft")
    assert kept(app, one) == {"kind": "正常受理", "facts": "她哭了很久", "judgement": "很累"}
    assert run(app, "write", two, "--from", "-", "--draft", typed=json.dumps(FULL)).exit_code == 0
    assert kept(app, two) == FULL
    empty = run(app, "write", three, "--from", "-", "--draft", typed="{}")
    assert "没有存为草稿" in empty.output


def test_a_corrected_file_takes_the_place_of_the_draft_that_the_failed_one_left(
    app: Desk, tmp_path: Path
) -> None:
    session, file = talked(app.store, NOW), tmp_path / "记录.json"
    file.write_text(json.dumps(LACKING), encoding="utf-8")
    failed = run(app, "write", session, "--from", str(file))
    assert failed.exit_code == 1
    assert "「事实」没有填" in failed.output
    assert "已存为草稿" in failed.output
    assert kept(app, session) == LACKING
    file.write_text(json.dumps(FULL), encoding="utf-8")
    done = run(app, "write", session, "--from", str(file))
    assert done.exit_code == 0, done.output
    assert app.version(session, 1) == FULL
    assert app.draft(session) is None


def test_a_text_that_cannot_be_read_is_kept_and_replaced_by_the_mended_one(app: Desk) -> None:
    session = talked(app.store, NOW)
    failed = run(app, "write", session, "--from", "-", typed="来电类型:聊天\n事实:\n  她哭了很久\n")
    assert "第 1 行" in failed.output
    assert "已存为草稿" in failed.output
    mended = run(app, "write", session, "--from", "-", "--draft", typed="来电类型:1\n事实:\n  她哭了很久\n")
    assert mended.exit_code == 0, mended.output
    assert kept(app, session) == {"kind": "正常受理", "facts": "她哭了很久"}


def test_a_file_never_takes_the_place_of_what_somebody_typed(app: Desk) -> None:
    session = talked(app.store, NOW)
    app.types(session, "事实:\n  她哭了很久\n")
    for given in (json.dumps(FULL), "来电类型:1\n"):
        done = run(app, "write", session, "--from", "-", typed=given)
        assert done.exit_code == 1
        assert "c017 在 11-23 20:30:00 写的旧草稿" in done.output
        assert app.draft(session) == "事实:\n  她哭了很久\n"


def test_single_fields_on_an_old_draft_say_which_of_the_two_cannot_be_read(app: Desk) -> None:
    session = talked(app.store, NOW)
    app.types(session, "来电类型:聊天\n")
    done = run(app, "write", session, "--set", "判断=很累")
    assert "旧草稿里有读不懂的地方" in done.output
    assert "--set 的内容没有存" in done.output.replace("\n  ", "")
    assert app.draft(session) == "来电类型:聊天\n"
    app.types(session, "来电类型:正常受理\n")
    refused = run(app, "write", session, "--set", "判断=很累")
    assert "旧草稿没有动;--set 的内容没有存为草稿" in refused.output
    assert app.draft(session) == "来电类型:正常受理\n"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ('[{"kind": "正常受理"}]', "现在是一个列表 [...]"),
        ("[]", "现在是一个列表 [...]"),
        ('{"kind": "正常受理",', "不是 JSON"),
        ('{"kind": "骚扰", "kind": "正常受理"}', "「kind」写了两次"),
        (
            '{"instruments": [{"instrument": "phq9", "items": {"9": 3, "9": 0}}]}',
            "「9」写了两次",
        ),
    ],
)
def test_json_that_is_no_record_is_named_as_such_and_not_kept_as_text(
    app: Desk, typed: str, words: str
) -> None:
    session = talked(app.store, NOW)
    done = run(app, "write", session, "--from", "-", typed=typed)
    assert done.exit_code == 1
    assert words in done.output
    assert "没有存为草稿" in done.output
    assert app.draft(session) is None


def test_json_whose_values_cannot_be_read_says_that_it_is_not_kept(app: Desk) -> None:
    session = talked(app.store, NOW)
    done = run(app, "write", session, "--from", "-", typed='{"distress_start": "很高"}')
    assert "「开始时痛苦」应填 0 至 100" in done.output
    assert "没有存为草稿" in done.output
    assert app.draft(session) is None
