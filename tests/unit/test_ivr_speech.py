"""A site's own voice: any command line, never a shell, and errors that name the mend."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from prompt_sounds import Humming, catalogue_of, hum

from ivr.errors import SynthesisError
from ivr.prompts.speech import CommandLine, Espeak, patience, synthesiser
from ivr.prompts.store import sound_file
from ivr.prompts.synthesis import synthesise
from ivr.prompts.tools import run

#: Text that would do harm in a shell.
HOSTILE = "您好; touch {out}.pwned $(touch pwned) `touch pwned` && 'x' \"y\" | -v --help"


def program(folder: Path, *lines: str) -> str:
    """Return a command that runs these lines of Python; `wav` holds a sound."""
    (folder / "sound.wav").write_bytes(hum(0.5))
    script = folder / "声音 program.py"
    head = [
        "import sys",
        "from pathlib import Path",
        f"wav = Path({str(folder / 'sound.wav')!r}).read_bytes()",
    ]
    script.write_text("\n".join([*head, *lines]), encoding="utf-8")
    return f"{sys.executable} '{script}'"


def is_running(process: int) -> bool:
    """Tell whether a process is alive; one that has ended but was not waited for yet is not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come true within 5 s")


def test_no_command_means_espeak() -> None:
    assert isinstance(synthesiser(" "), Espeak)
    assert isinstance(synthesiser("piper"), CommandLine)


def test_the_text_comes_on_standard_input(tmp_path: Path) -> None:
    heard = tmp_path / "heard.txt"
    command = program(
        tmp_path,
        f"Path({str(heard)!r}).write_bytes(sys.stdin.buffer.read())",
        "sys.stdout.buffer.write(wav)",
    )
    synthesise(catalogue_of(tmp_path, greet="请按1"), tmp_path, speaker=synthesiser(command))
    assert heard.read_text(encoding="utf-8") == "请按一"
    assert sound_file(tmp_path, "zh", "greet").exists()


def test_files_language_and_speed_are_filled_in(tmp_path: Path) -> None:
    told = tmp_path / "told.txt"
    command = program(
        tmp_path,
        f"Path({str(told)!r}).write_text(Path(sys.argv[1]).read_text('utf-8') + '|'.join(sys.argv[3:]))",
        "Path(sys.argv[2]).write_bytes(wav)",
    )
    speaker = synthesiser(command + " {text_file} {out} {language} --speed={speed} {unknown}")
    assert speaker.speak("您好", language="zh", pace=0.77) == hum(0.5)
    assert told.read_text(encoding="utf-8") == "您好zh|--speed=0.77|{unknown}"


def test_a_text_with_shell_characters_is_only_spoken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    heard = tmp_path / "heard.txt"
    command = program(
        tmp_path,
        f"Path({str(heard)!r}).write_text(Path(sys.argv[1]).read_text('utf-8'), 'utf-8')",
        "sys.stdout.buffer.write(wav)",
    )
    CommandLine(template=command + " {text_file}").speak(HOSTILE, language="zh", pace=1)
    assert heard.read_text(encoding="utf-8") == HOSTILE
    assert not list(tmp_path.rglob("*pwned*"))


def test_shell_signs_in_the_command_mean_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = program(tmp_path, "sys.stdout.buffer.write(wav)") + " ; touch pwned > pwned"
    assert CommandLine(template=command).speak("您好", language="zh", pace=1) == hum(0.5)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("/no/such/voice --fast", "/no/such/voice cannot be run"),
        ("voice 'unclosed", "No closing quotation"),
        ("{text}", "names no program"),
        ("cat", "made no WAV"),
        ("true {out}", "made no WAV"),
    ],
)
def test_a_command_that_cannot_speak_is_named_with_the_mend(template: str, words: str) -> None:
    with pytest.raises(SynthesisError, match=words) as caught:
        CommandLine(template=template).speak("您好", language="zh", pace=1)
    assert r"[prompts]" in str(caught.value)


def test_a_failing_command_tells_its_last_words(tmp_path: Path) -> None:
    command = program(tmp_path, "sys.exit('no voice model found')")
    with pytest.raises(SynthesisError, match="no voice model found"):
        CommandLine(template=command).speak("您好", language="zh", pace=1)


def test_one_failure_stops_whatever_else_is_being_spoken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The site reads of the first failure at once, not of the time-outs of all prompts that hang."""
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    hanging = tmp_path / "hanging.pid"
    command = program(
        tmp_path,
        "import os, time",
        f"hanging = Path({str(hanging)!r})",
        "if sys.stdin.buffer.read().decode() == '再见':",
        "    while not hanging.exists(): time.sleep(0.01)",
        "    sys.exit('no voice model found')",
        f"Path({str(tmp_path / 'trial')!r}).write_text(str(os.getpid()))",
        f"Path({str(tmp_path / 'trial')!r}).rename(hanging)",
        "time.sleep(300)",
    )
    catalogue = catalogue_of(tmp_path, greet="您好", goodbye="再见", later="稍候")
    with pytest.raises(SynthesisError, match="no voice model found"):
        synthesise(catalogue, tmp_path, speaker=synthesiser(command))
    assert not is_running(int(hanging.read_text()))


def test_a_voice_that_hangs_is_given_up_within_one_time_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("ivr.prompts.speech._BEGINNING", 1.0)
    monkeypatch.setattr("ivr.prompts.speech._TIMES", 0.0)
    command = program(
        tmp_path,
        "import os, time",
        f"Path({str(tmp_path)!r}, f'{{os.getpid()}}.started').touch()",
        "time.sleep(300)",
    )
    texts = {f"prompt_{number}": "您好" for number in range(1, 9)}
    with pytest.raises(SynthesisError, match=r"did not finish within 1 s\. Mend `command`") as caught:
        synthesise(catalogue_of(tmp_path, **texts), tmp_path, speaker=synthesiser(command))
    assert "\n" not in str(caught.value)
    started = [int(file.stem) for file in tmp_path.glob("*.started")]
    assert len(started) <= 2, "none is begun after the first was given up"
    assert not any(map(is_running, started))


def test_what_a_hanging_voice_has_started_ends_with_it(tmp_path: Path) -> None:
    told = tmp_path / "told.pid"
    with pytest.raises(SynthesisError, match="did not finish"):
        run(["sh", "-c", f"sleep 300 & echo $! > '{told}'; wait"], seconds=1)
    child = int(told.read_text())
    wait_until(lambda: not is_running(child))


def test_a_long_text_is_given_longer_than_a_short_one() -> None:
    assert patience("您好", language="zh", pace=1) == pytest.approx(31, abs=0.2)
    assert patience("字" * 220, language="zh", pace=1) == pytest.approx(150)
    assert patience("字" * 220, language="zh", pace=0.5) == pytest.approx(270)
    assert patience("word " * 150, language="en", pace=1) == pytest.approx(150)


def test_another_voice_speaks_everything_anew(tmp_path: Path) -> None:
    catalogue = catalogue_of(tmp_path, greet="您好")
    synthesise(catalogue, tmp_path, speaker=Humming())
    command = synthesiser(program(tmp_path, "sys.stdout.buffer.write(wav)"))
    assert synthesise(catalogue, tmp_path, speaker=command) == ("greet",)
    assert synthesise(catalogue, tmp_path, speaker=command) == ()
