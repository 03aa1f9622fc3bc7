"""What the line says: approved wording, and sound that fits a caller's patience."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from ivr.errors import PromptError, SynthesisError
from ivr.flow import prompts_of
from ivr.loader import SHIPPED, shipped
from ivr.prompts.catalogue import UNAPPROVED, Catalogue, checksum_of, load_catalogue
from ivr.prompts.synthesis import Voice, sound_file, spoken, synthesise

#: Used by the PBX configuration, outside of any flow.
OUTSIDE_FLOWS = {
    "accept", "pin", "pin_wrong", "signed_on", "signed_off", "paused", "resumed", "not_on_shift",
    "queue_wait", "transfer_wait", "alarm_ack", "alarm_test", "alarm_nobody_on_duty",
    "alarm_trunk_down", "alarm_journal_stalled", "alarm_journal_unreadable",
    "alarm_bridge_disconnected", "alarm_self_dial_failed", "alarm_no_caller_id", "alarm_watchdog",
}  # fmt: skip


def catalogue_of(folder: Path, **texts: str) -> Catalogue:
    lines = ["language: zh", "prompts:"]
    for id_, text in texts.items():
        lines += [f"  {id_}:", f"    text: {text}", "    version: 1"]
        lines += [f"    checksum: {checksum_of(text)}", f"    approver: {UNAPPROVED}"]
    file = folder / "目录.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    return load_catalogue(file)


def seconds(file: Path) -> float:
    with wave.open(str(file)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 8000)
        return sound.getnframes() / sound.getframerate()


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole catalogue, spoken once."""
    folder = tmp_path_factory.mktemp("sounds")
    synthesise(load_catalogue(), folder)
    return folder


def test_the_catalogue_holds_what_flows_and_pbx_say() -> None:
    in_flows = {
        prompt for name in SHIPPED for node in shipped(name).nodes.values() for prompt in prompts_of(node)
    }
    assert in_flows | OUTSIDE_FLOWS == set(load_catalogue().prompts)


def test_a_text_changed_without_its_checksum_is_refused(tmp_path: Path) -> None:
    catalogue_of(tmp_path, greet="您好")
    file = tmp_path / "目录.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("您好", "喂"), encoding="utf-8")
    with pytest.raises(PromptError) as caught:
        load_catalogue(file)
    assert f"{file}:6: " in str(caught.value)
    assert checksum_of("喂") in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("version: 1", "version: 零", "not a version number"),
        ("version: 1", "version: 0", "not a version number"),
        (f"approver: {UNAPPROVED}", "approver: ''", "`approver` is empty"),
        ("  greet:", "  Greet;x:", "cannot be a prompt's id"),
        ("    version: 1\n", "", "`version` is missing"),
        ("text: 您好", "text: ''", "says nothing"),
        ("language: zh\n", "", "`language` is missing"),
    ],
)
def test_a_clumsy_catalogue_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    catalogue_of(tmp_path, greet="您好")
    file = tmp_path / "目录.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(PromptError, match=words):
        load_catalogue(file)


def test_an_unknown_prompt_is_named() -> None:
    with pytest.raises(PromptError, match="no prompt `nothing`"):
        load_catalogue().text("nothing")


@pytest.mark.parametrize(
    ("text", "read_out"),
    [("请按1", "请按一"), ("请拨110或120", "请拨幺幺零或幺二零"), ("拨打12356。", "拨打幺二三五六。")],
)
def test_numbers_are_read_the_way_people_say_them(text: str, read_out: str) -> None:
    assert spoken(text) == read_out


@pytest.mark.parametrize("prompt", load_catalogue().prompts)
def test_no_prompt_takes_longer_than_a_caller_listens(sounds: Path, prompt: str) -> None:
    """R1: the greeting, and every other breath, is at most 12 s of real audio."""
    assert 0.5 < seconds(sound_file(sounds, "zh", prompt)) <= 12


def test_only_what_changed_is_spoken_again(tmp_path: Path) -> None:
    first = catalogue_of(tmp_path, greet="您好", goodbye="再见")
    assert synthesise(first, tmp_path) == ("greet", "goodbye")
    assert synthesise(first, tmp_path) == ()
    assert synthesise(catalogue_of(tmp_path, greet="您好", goodbye="再会"), tmp_path) == ("goodbye",)
    sound_file(tmp_path, "zh", "greet").unlink()
    assert synthesise(catalogue_of(tmp_path, greet="您好"), tmp_path) == ("greet",)
    assert synthesise(first, tmp_path, voice=Voice(speed=150)) == ("greet", "goodbye")


def test_a_damaged_manifest_costs_only_time(tmp_path: Path) -> None:
    catalogue = catalogue_of(tmp_path, greet="您好")
    synthesise(catalogue, tmp_path)
    (tmp_path / "zh" / "hotline" / "manifest.json").write_text("{cut", encoding="utf-8")
    assert synthesise(catalogue, tmp_path) == ("greet",)


def test_progress_is_told_for_every_prompt(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    synthesise(
        catalogue_of(tmp_path, greet="您好", goodbye="再见"), tmp_path, progress=lambda *at: told.append(at)
    )
    assert told == [(1, 2, "greet"), (2, 2, "goodbye")]


def test_a_missing_tool_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = catalogue_of(tmp_path, greet="您好")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SynthesisError, match="apt-get install espeak-ng"):
        synthesise(catalogue, tmp_path)
    assert not sound_file(tmp_path, "zh", "greet").exists()


def test_an_unknown_language_has_no_voice(tmp_path: Path) -> None:
    with pytest.raises(SynthesisError, match="no voice for language `eo`"):
        synthesise(Catalogue(language="eo", prompts={}), tmp_path)
