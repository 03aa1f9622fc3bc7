"""`hotline ivr prompts`: what whoever looks after the prompts sees."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from prompt_sounds import TELEPHONE, hum, kind_of, recording

from callcenter.cli import main
from ivr.prompts.catalogue import load_catalogue
from ivr.prompts.sets import SETS

RUNNER = CliRunner()


class Home:
    """A site that speaks its prompts with a hum, which takes no time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sounds = folder / "asterisk" / "sounds"
        (folder / "hum.wav").write_bytes(hum(0.3))
        (folder / "hum.py").write_text(
            f"import sys; sys.stdout.buffer.write(open({str(folder / 'hum.wav')!r}, 'rb').read())",
            encoding="utf-8",
        )
        self.variables = {
            "HOTLINE_HOME": str(folder),
            "HOTLINE_PROMPTS__COMMAND": f"{sys.executable} -S {folder / 'hum.py'}",
        }

    def prompts(self, *words: str) -> Result:
        return RUNNER.invoke(main, ["ivr", "prompts", *words], env=self.variables)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_prompts_are_listed_with_their_approver(home: Home) -> None:
    rows = json.loads(home.prompts("list", "--json").output)
    assert [row["id"] for row in rows] == list(load_catalogue().prompts)
    assert not any(row["approved"] for row in rows)
    assert {row["state"] for row in rows} == {"missing"}
    assert "未审定" in home.prompts("list").output


def test_a_set_is_spoken_once_and_listed_with_its_lengths(home: Home) -> None:
    first = home.prompts("synthesise", "--set", "en")
    assert first.exit_code == 0, first.output
    assert f"en:更新 {len(load_catalogue('en').prompts)} 条。" in first.output
    assert "提示音都是最新的。" in home.prompts("synthesise", "--set", "en").output
    rows = json.loads(home.prompts("list", "--set", "en", "--json").output)
    assert {(row["state"], row["seconds"]) for row in rows} == {("synthesised", 0.4)}
    assert home.prompts("check", "--set", "en").exit_code == 0
    assert home.prompts("check", "--set", "en_plain").exit_code == 0


def test_a_recording_is_imported_listed_and_listened_to(home: Home, tmp_path: Path) -> None:
    file = recording(tmp_path / "手机录音 1.m4a", "volume=-20dB")
    tried = home.prompts("import", str(file), "--id", "greet", "--dry-run")
    assert tried.exit_code == 0, tried.output
    assert "没有改动任何文件" in tried.output
    assert not home.sounds.exists()
    done = home.prompts("import", str(file), "--id", "greet", "--by", "王丽", "--set", "zh_wx")
    assert "已导入 1 条到 zh_wx。" in done.output
    rows = json.loads(home.prompts("list", "--set", "zh_wx", "--json").output)
    assert [(row["id"], row["by"]) for row in rows if row["state"] == "recorded"] == [("greet", "王丽")]
    out = tmp_path / "听.wav"
    heard = home.prompts("listen", "greet", "--set", "zh_wx", "--out", str(out))
    assert f"已写到 {out}(2.0 秒)。" in heard.output
    assert kind_of(out) == TELEPHONE


def test_a_refused_recording_is_plain_words_and_exit_1(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "greet.wav"
    file.write_text("不是声音", encoding="utf-8")
    done = home.prompts("import", str(file))
    assert done.exit_code == 1
    assert "greet.wav: ffmpeg failed" in done.output
    assert "Traceback" not in done.output


def test_a_micro_class_is_imported_at_any_length_and_the_check_agrees(home: Home, tmp_path: Path) -> None:
    home.prompts("synthesise", "--set", "zh")
    talk = recording(tmp_path / "microclass_sleep.wav", "aloop=loop=-1:size=88200,atrim=duration=80")
    done = home.prompts("import", str(talk))
    assert done.exit_code == 0, done.output
    checked = home.prompts("check", "--set", "zh")
    assert checked.exit_code == 0, checked.output
    greeting = home.prompts("import", str(talk), "--id", "greet")
    assert "its longest sentence takes" in greeting.output


def test_the_check_names_what_lacks_and_the_mend(home: Home) -> None:
    done = home.prompts("check", "--set", "zh")
    assert done.exit_code == 1
    assert "zh/greet:没有声音。请运行 hotline ivr prompts synthesise。" in done.output
    assert f"有 {len(load_catalogue().prompts)} 处要处理。" in done.output


def test_where_there_is_no_sound_card_the_file_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callcenter.cli.ivr_prompts._played", lambda file: False)
    assert "还没有声音" in home.prompts("listen", "greet").output
    home.prompts("import", str(recording(home.folder / "greet.wav")))
    file = home.sounds / "zh" / "hotline" / "greet.wav"
    assert f"{file}(2.0 秒)。" in home.prompts("listen", "greet").output


def test_the_sites_hours_are_what_is_listed(home: Home) -> None:
    home.variables["HOTLINE_HOURS__TEXT"] = "周一到周五"
    rows = json.loads(home.prompts("list", "--json").output)
    assert next(row["text"] for row in rows if row["id"] == "closed_hours").endswith("周一到周五。")


def test_the_sheet_is_written_to_a_file(home: Home, tmp_path: Path) -> None:
    out = tmp_path / "录音稿.html"
    assert f"已写到 {out}" in home.prompts("sheet", "--set", "zh_wx", "--out", str(out)).output
    page = out.read_text(encoding="utf-8")
    assert all(f">{key}</span>" in page for key in load_catalogue().prompts)


def test_an_unknown_set_names_those_there_are(home: Home) -> None:
    for verb in (("list",), ("synthesise",), ("check",), ("listen", "greet"), ("sheet",)):
        done = home.prompts(*verb, "--set", "wx")
        assert done.exit_code == 1
        assert all(name in done.output for name in SETS)
