"""`hotline sessions` as a counsellor and a supervisor type it; the editor is a small script."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import sys
import unicodedata
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from session_commands import NOW, Desk, run
from session_desk import DANGER, FULL, desk, talked

from callcenter.cli import session_editor
from callcenter.domain.form_text import render
from callcenter.domain.sessions import SessionStatus

FORM = desk().form


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(session_editor, "MEMORY", memory)
    monkeypatch.setattr(session_editor, "POLL", 0.02)
    return Desk(tmp_path / "home")


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let `$EDITOR` run this Python, which has the file's path in `path`."""

    def set_it(code: str) -> None:
        script = tmp_path / "editor.py"
        script.write_text(
            f"import sys, os, pathlib\npath = pathlib.Path(sys.argv[1])\n{code}", encoding="utf-8"
        )
        monkeypatch.setenv("EDITOR", f"{shlex.quote(sys.executable)} {shlex.quote(str(script))}")
        monkeypatch.delenv("VISUAL", raising=False)

    return set_it


def writes(text: str) -> str:
    return f"path.write_text({text!r}, encoding='utf-8')"


def test_a_record_is_typed_in_an_editor_and_submitted(app: Desk, editor: Any) -> None:
    session = talked(app.store, NOW)
    editor(writes(render(FORM, FULL)))
    done = run(app, "write", session)
    assert done.exit_code == 0, done.output
    assert "已提交(第 1 版)" in done.output
    assert app.version(session, 1) == FULL
    assert app.draft(session) is None


def test_the_editor_opens_a_form_that_says_which_call_it_is_about(
    app: Desk, editor: Any, tmp_path: Path
) -> None:
    session = talked(app.store, NOW)
    editor(f"pathlib.Path({str(tmp_path / 'seen')!r}).write_bytes(path.read_bytes())")
    assert run(app, "write", session).exit_code == 1
    seen = (tmp_path / "seen").read_text(encoding="utf-8")
    assert "138****1111" in seen
    assert "13800001111" not in seen
    assert "没有问的原因" in seen
    assert app.draft(session) is None


def test_a_mistake_is_shown_at_its_place_and_what_was_typed_stays(app: Desk, editor: Any) -> None:
    session = talked(app.store, NOW)
    editor(
        "text = path.read_text(encoding='utf-8')\n"
        "if '#! ' in text:\n"
        "    bad = next(n for n, l in enumerate(text.split('\\n')) if l.startswith('#! '))\n"
        "    lines = text.split('\\n')\n"
        "    assert f'第 {bad + 2} 行' in lines[bad], lines[bad]\n"
        "    assert lines[bad + 1].startswith('开始时痛苦'), lines[bad + 1]\n"
        "    path.write_text(text.replace('开始时痛苦:非常', '开始时痛苦:75'), encoding='utf-8')\n"
        "else:\n"
        f"    {writes(render(FORM, FULL).replace('开始时痛苦:75', '开始时痛苦:非常'))}\n"
    )
    done = run(app, "write", session)
    assert done.exit_code == 0, done.output
    assert app.version(session, 1) == FULL


def test_whoever_closes_it_with_the_mistake_still_there_keeps_a_draft(app: Desk, editor: Any) -> None:
    session = talked(app.store, NOW)
    wrong = render(FORM, FULL).replace("问过自杀危险:是", "问过自杀危险:")
    editor(f"if '#! ' not in path.read_text(encoding='utf-8'):\n    {writes(wrong)}")
    done = run(app, "write", session)
    assert done.exit_code == 1
    assert "问过自杀危险" in done.output
    assert app.draft(session) == wrong
    editor("assert '#! ' not in path.read_text(encoding='utf-8')\nsys.exit(3)")
    assert "以 3 结束" in run(app, "write", session).output
    assert app.draft(session) == wrong


def test_the_file_is_private_lies_in_memory_and_is_gone_afterwards(
    app: Desk, editor: Any, tmp_path: Path
) -> None:
    session = talked(app.store, NOW)
    told = tmp_path / "where"
    editor(
        "modes = [oct(p.stat().st_mode) for p in (path, path.parent)]\n"
        f"pathlib.Path({str(told)!r}).write_text(' '.join([str(path), *modes]))"
    )
    run(app, "write", session)
    place, of_file, of_folder = told.read_text().split()
    assert Path(place).is_relative_to(session_editor.MEMORY)
    assert stat.S_IMODE(int(of_file, 8)) == 0o600
    assert stat.S_IMODE(int(of_folder, 8)) == 0o700
    assert list(session_editor.MEMORY.iterdir()) == []


def test_a_text_saved_while_the_editor_is_open_is_a_draft_already(
    app: Desk, editor: Any, tmp_path: Path
) -> None:
    session = talked(app.store, NOW)
    go = tmp_path / "go"
    seen: list[str | None] = []

    def draft_was_kept() -> None:
        seen.append(app.draft(session))

    original = session_editor._wait

    def waits(process: Any) -> int:
        while app.draft(session) is None:
            if process.poll() is not None:
                break
            session_editor.threading.Event().wait(0.01)
        draft_was_kept()
        go.touch()
        return original(process)

    editor(
        writes("事实:\n  他说「撑不下去了」\n")
        + f"\nimport time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nsys.exit(1)"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_editor, "_wait", waits)
        run(app, "write", session)
    assert seen == ["事实:\n  他说「撑不下去了」\n"]


def test_what_a_killed_command_left_behind_is_taken_up(app: Desk, editor: Any) -> None:
    session = talked(app.store, NOW)
    owner = session_editor.desk_for(app.settings.home, "c017", {"EDITOR": "vi"}).owner
    folder = session_editor.MEMORY / f"hotline-{owner}-{_dead_pid()}-x"
    folder.mkdir(mode=0o700)
    (folder / f"{session}.txt").write_text("事实:\n  没来得及存的话\n", encoding="utf-8")
    editor("assert '没来得及存的话' in path.read_text(encoding='utf-8')\nsys.exit(1)")
    done = run(app, "write", session)
    assert "已经找回" in done.output
    assert app.draft(session) == "事实:\n  没来得及存的话\n"
    assert list(session_editor.MEMORY.iterdir()) == []


def _dead_pid() -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def test_bytes_of_a_windows_editor_are_read_too(app: Desk, editor: Any) -> None:
    session = talked(app.store, NOW)
    editor(f"path.write_bytes({render(FORM, FULL)!r}.replace('\\n', '\\r\\n').encode('gb18030'))")
    assert run(app, "write", session).exit_code == 0
    assert app.version(session, 1) == FULL


@pytest.mark.parametrize(
    ("keys", "kind", "why"),
    [
        ("1", "误拨", "非服务来电"),
        ("2", "骚扰", "非服务来电"),
        ("3\n2", "沉默", "技术中断"),
        ("4", "短挂", "来电者先挂断"),
        ("5", "信息咨询", "非服务来电"),
    ],
)
def test_calls_that_were_no_counselling_take_two_keystrokes(
    app: Desk, keys: str, kind: str, why: str
) -> None:
    session = talked(app.store, NOW, talk=timedelta(seconds=8))
    done = run(app, "quick", typed=f"{keys}\n")
    assert done.exit_code == 0, done.output
    assert f"11-23 20:29  138****1111  谈了 0:08({session})" in done.output
    kept = app.version(session, 1)
    assert (kept["kind"], kept["risk_asked"], kept["not_asked_reason"]) == (kind, False, why)
    with app.store() as work:
        assert work.sessions.get(session).person is None
        assert work.people.all() == []


def test_a_quick_key_never_throws_a_draft_away(app: Desk) -> None:
    session = talked(app.store, NOW)
    run(app, "write", session, "--from", "-", "--draft", typed="事实:\n  她哭了很久\n")
    done = run(app, "quick", session, typed="5\n")
    assert done.exit_code == 1
    assert "有草稿" in done.output
    assert app.draft(session) == "事实:\n  她哭了很久\n"
    assert run(app, "discard", session, "--dry-run").exit_code == 0
    assert app.draft(session) is not None
    assert run(app, "discard", session).exit_code == 0
    assert run(app, "quick", session, typed="5\n").exit_code == 0


def test_a_record_comes_from_a_file_a_pipe_json_or_single_fields(app: Desk, tmp_path: Path) -> None:
    text, data = tmp_path / "记录.txt", tmp_path / "记录.json"
    text.write_text(render(FORM, FULL), encoding="utf-8")
    data.write_text(json.dumps(FULL, ensure_ascii=False), encoding="utf-8")
    ids = [talked(app.store, NOW, n) for n in range(1, 5)]
    assert run(app, "write", ids[0], "--from", str(text)).exit_code == 0
    assert run(app, "write", ids[1], "--from", "-", typed=render(FORM, FULL)).exit_code == 0
    assert run(app, "write", ids[2], "--from", str(data)).exit_code == 0
    fields = [f"{name}={_typed(value)}" for name, value in FULL.items()]
    done = run(app, "write", ids[3], "--json", *(word for one in fields for word in ("--set", one)))
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["version"] == 1
    assert [app.version(session, 1) for session in ids] == [FULL] * 4


def _typed(value: Any) -> str:
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, list) and isinstance(value[0], dict):
        return json.dumps(value, ensure_ascii=False)
    return " ".join(value) if isinstance(value, list) else str(value)


@pytest.mark.parametrize(
    "typed", ["[1]", "{", '{"kind": [[[]]]}', '{"nobody": 1}', '{"actions": "x"}', "\0", "事实"]
)
def test_what_cannot_be_read_from_a_pipe_is_refused_in_one_line(app: Desk, typed: str) -> None:
    session = talked(app.store, NOW)
    done = run(app, "write", session, "--from", "-", typed=typed)
    assert done.exit_code == 1
    assert re.search("^(Error: |错误:)", done.output, re.MULTILINE)
    assert "Traceback" not in done.output
    with app.store() as work:
        assert work.sessions.get(session).status is SessionStatus.OPEN


def test_amending_opens_what_was_submitted_and_keeps_it(app: Desk, editor: Any) -> None:
    session = talked(app.store, NOW)
    run(app, "write", session, "--from", "-", typed=render(FORM, FULL))
    editor(
        "text = path.read_text(encoding='utf-8')\nassert '太湖机械厂' in text\n"
        "path.write_text(text.replace('结束时痛苦:50', '结束时痛苦:40'), encoding='utf-8')"
    )
    assert run(app, "amend", session, "--reason", "记错了分数").exit_code == 0
    assert app.version(session, 1)["distress_end"] == 50
    assert app.version(session, 2)["distress_end"] == 40
    told = run(app, "diff", session, "1", "2").output
    assert "结束时痛苦" in told
    assert "50" in told
    assert "40" in told


def test_amending_nothing_adds_no_version_and_leaves_no_draft(app: Desk, editor: Any) -> None:
    session = talked(app.store, NOW)
    run(app, "write", session, "--from", "-", typed=render(FORM, FULL))
    editor("pass")
    done = run(app, "amend", session, "--reason", "只看一看")
    assert done.exit_code == 1
    assert "没有改动" in done.output
    assert app.draft(session) is None
    again = run(app, "amend", session, "--reason", "只看一看", "--set", "distress_end=50")
    assert "没有改动" in again.output
    with app.store() as work:
        assert work.sessions.get(session).version == 1


def test_a_record_is_shown_masked_in_eighty_columns_and_revealed_for_a_reason(app: Desk) -> None:
    session = talked(app.store, NOW)
    facts = "夜里醒。老婆电话 139-1234-5678,2026-11-20 那天吵过一架。" * 4
    run(app, "write", session, "--from", "-", typed=json.dumps({**FULL, **DANGER, "facts": facts}))
    shown = run(app, "show", session).output
    assert "沈**" in shown
    assert "太****" in shown
    for secret in ("沈师傅", "太湖机械厂", "139-1234-5678", "沈小妹"):
        assert secret not in shown
    assert "139****5678" in shown.replace("\n", "").replace(" ", "")
    assert (
        max(
            sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)
            for line in shown.splitlines()
        )
        <= 80
    )
    assert run(app, "show", session, "--reveal").exit_code == 1
    whole = run(app, "show", session, "--reveal", "--reason", "要打给家人", "--json").output
    assert json.loads(whole)["answers"]["subject_name"] == "沈师傅"
    with app.store() as work:
        verbs = [(e.verb, e.reason) for e in work.audit.recent(5)]
    assert ("session.reveal", "要打给家人") in verbs


def test_what_stands_in_brackets_is_shown_as_it_was_written(app: Desk) -> None:
    session = talked(app.store, NOW)
    facts = "她说[b]不想活[/b],[red]停了[/] [/x]"
    run(app, "write", session, "--from", "-", typed=json.dumps({**FULL, "facts": facts}))
    assert facts in run(app, "show", session).output


def test_a_key_that_means_nothing_is_asked_again(app: Desk) -> None:
    session = talked(app.store, NOW, talk=timedelta(seconds=20))
    done = run(app, "quick", session, typed="9\n误拨\n1\n")
    assert done.exit_code == 0
    assert done.output.count("请按 1 至 5") == 2
    assert app.version(session, 1)["kind"] == "误拨"


def test_what_was_not_written_within_a_day_is_late(app: Desk) -> None:
    old = talked(app.store, NOW - timedelta(hours=24), 1)
    fresh = talked(app.store, NOW, 2)
    done = talked(app.store, NOW - timedelta(hours=30), 3)
    run(app, "quick", done, typed="5\n")
    assert [r["id"] for r in json.loads(run(app, "list", "--late", "--json").output)] == [old]
    assert {r["id"] for r in json.loads(run(app, "list", "--open", "--json").output)} == {old, fresh}


def test_old_records_leave_the_list_and_those_to_be_written_never_do(app: Desk) -> None:
    old = NOW - timedelta(days=40)
    written, waiting, fresh = talked(app.store, old, 1), talked(app.store, old, 2), talked(app.store, NOW, 3)
    run(app, "quick", written, typed="5\n")
    assert [r["id"] for r in json.loads(run(app, "list", "--json").output)] == [waiting, fresh]
    far = json.loads(run(app, "list", "--days", "60", "--json").output)
    assert [r["id"] for r in far] == [written, waiting, fresh]
    assert [r["id"] for r in json.loads(run(app, "list", "--status", "submitted", "--json").output)] == []


def test_review_and_uptake_by_command(app: Desk) -> None:
    session = talked(app.store, NOW)
    run(app, "write", session, "--from", "-", typed=render(FORM, FULL))
    assert run(app, "review", session, "--remarks", "可以", by="c017").exit_code == 1
    assert "已审阅" in run(app, "review", session, "--remarks", "可以", by="s001").output
    assert json.loads(run(app, "uptake", "--json").output) == [
        {"id": session, "n": 1, "to": "法律援助", "uptake": "已建议"}
    ]
    assert run(app, "uptake", session, "1", "已到达").exit_code == 0
    assert json.loads(run(app, "uptake", "--json").output) == []
