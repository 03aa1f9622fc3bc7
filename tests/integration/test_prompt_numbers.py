"""The numbers Asterisk speaks to waiting callers are files that the prompts provide."""

from __future__ import annotations

import re
import shutil
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import REPOSITORY, short_home, until

from callcenter.asterisk.process import AsteriskProcess
from callcenter.asterisk.tree import find_asterisk
from ivr.prompts.catalogue import load_catalogue
from ivr.prompts.store import sound_file

MODULES = (
    "pbx_config",
    "format_wav",
    "func_channel",
    "app_verbose",
    "res_clioriginate",
    "res_timing_timerfd",
)
SETS = {"zh": "zh", "zh_slow": "zh", "en": "en"}
#: Has no sounds at all here: Asterisk cuts its name twice to get to zh.
BARE = "zh_wx_plain"


@pytest.fixture(scope="module")
def log() -> Iterator[str]:
    """What an Asterisk without any sounds but ours logs while it counts to 99 in every set."""
    process = AsteriskProcess(find_asterisk("", start=REPOSITORY), short_home())
    process.prepare()
    etc = process.home / "etc"
    modules = "".join(f"load = {name}.so\n" for name in MODULES)
    (etc / "modules.conf").write_text(f"[modules]\nautoload = no\n{modules}", encoding="utf-8")
    (etc / "logger.conf").write_text("[logfiles]\nmessages.log => warning,verbose(5)\n", encoding="utf-8")
    (etc / "extensions.conf").write_text(
        "".join(map(_counting, (*SETS, BARE))) + _LISTENING, encoding="utf-8"
    )
    for name, language in SETS.items():
        _write_numbers(process.home / "sounds", name, language)
    process.start()
    try:
        process.console.run("core set verbose 5")
        for name in (*SETS, BARE):
            process.console.run(f"channel originate Local/s@count-{name} extension s@listening")
        words = process.home / "log" / "messages.log"
        until(lambda: words.read_text().count("all counted") >= 2 * (len(SETS) + 1), 60, what="the counting")
        yield words.read_text()
    finally:
        process.stop()
        shutil.rmtree(process.home, ignore_errors=True)


_LISTENING = "[listening]\nexten => s,1,Answer\n same => n,Wait(90)\n"


def _counting(name: str) -> str:
    lines = [f"[count-{name}]", "exten => s,1,Answer", f" same => n,Set(CHANNEL(language)={name})"]
    lines += [f" same => n,SayNumber({number})" for number in range(1, 100)]
    return "\n".join([*lines, f" same => n,Verbose(0,all counted {name})", " same => n,Hangup", ""])


def _write_numbers(sounds: Path, name: str, language: str) -> None:
    for prompt in load_catalogue(language).prompts:
        if not prompt.startswith("digit_"):
            continue
        file = sound_file(sounds, name, prompt)
        if file.parent.parent.is_symlink():  # the Asterisk's own English
            file.parent.parent.unlink()
        file.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(file), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(8000)
            out.writeframes(bytes(160))


@pytest.mark.parametrize("name", SETS)
def test_every_place_up_to_99_is_spoken_from_our_files(log: str, name: str) -> None:
    assert _played(log, name) == _ours(SETS[name])
    assert "does not exist" not in log


def test_a_set_without_numbers_counts_with_those_it_falls_back_to(log: str) -> None:
    assert _played(log, BARE) == _ours("zh")


def _played(log: str, name: str) -> set[str]:
    return set(re.findall(rf"count-{name}-.*Playing 'digits/(\d+)\.\w+' \(language '{name}'\)", log))


def _ours(language: str) -> set[str]:
    return {p.removeprefix("digit_") for p in load_catalogue(language).prompts if p.startswith("digit_")}


def test_eleven_is_ten_and_one_in_chinese_and_a_word_in_english(log: str) -> None:
    assert "Playing 'digits/11" not in "".join(line for line in log.splitlines() if "count-zh-" in line)
    assert re.search(r"count-en-.*Playing 'digits/11\.", log)
