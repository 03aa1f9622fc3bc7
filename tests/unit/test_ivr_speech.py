"""A site's own voice: any command line, never a shell, and errors that name the mend."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from prompt_sounds import Humming, catalogue_of, hum

from ivr.errors import SynthesisError
from ivr.prompts.speech import CommandLine, Espeak, synthesiser
from ivr.prompts.store import sound_file
from ivr.prompts.synthesis import synthesise

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


def test_another_voice_speaks_everything_anew(tmp_path: Path) -> None:
    catalogue = catalogue_of(tmp_path, greet="您好")
    synthesise(catalogue, tmp_path, speaker=Humming())
    command = synthesiser(program(tmp_path, "sys.stdout.buffer.write(wav)"))
    assert synthesise(catalogue, tmp_path, speaker=command) == ("greet",)
    assert synthesise(catalogue, tmp_path, speaker=command) == ()
