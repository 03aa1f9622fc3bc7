"""What the line says: approved wording, and sound that fits a caller's patience."""

from __future__ import annotations

import fcntl
import multiprocessing
from pathlib import Path

import pytest
from prompt_sounds import TELEPHONE, Humming, catalogue_of, hum, kind_of

from ivr.check import LONGEST_GREETING
from ivr.diagnosis import diagnosis_in
from ivr.errors import PromptError, SynthesisError
from ivr.flow import prompts_of
from ivr.loader import SHIPPED, shipped
from ivr.prompts.audio import read_sound
from ivr.prompts.catalogue import LANGUAGES, UNAPPROVED, Catalogue, checksum_of, filled, load_catalogue
from ivr.prompts.sets import PLAIN_SAYS, SETS, prompt_set
from ivr.prompts.speech import Espeak, Voice, spoken
from ivr.prompts.store import sound_file
from ivr.prompts.survey import LONGEST_SENTENCE, lengths_of, longest_sentence
from ivr.prompts.synthesis import chain, overlays_of, synthesise, synthesise_all
from ivr.prompts.wording import Wording, site_catalogue
from ivr.vocabulary import PURPOSE_WORDS

#: Used by the PBX configuration, outside of any flow.
OUTSIDE_FLOWS = {
    "accept", "pin", "pin_wrong", "signed_on", "signed_off", "paused", "resumed", "not_on_shift",
    "signed_on_debrief", "pause_why", "debrief_owed", "debrief_stays",
    "queue_wait", "queue_offer", "queue_plain", "queue_place", "queue_place_end",
    "queue_more_than", "queue_more_than_end", "transfer_wait", "blocked",
    "alarm_ack", "alarm_test", "alarm_nobody_on_duty",
    "alarm_trunk_down", "alarm_journal_stalled", "alarm_journal_unreadable",
    "alarm_bridge_disconnected", "alarm_self_dial_failed", "alarm_no_caller_id", "alarm_watchdog",
    "alarm_risk_unacknowledged", "alarm_risk_overdue", "alarm_record_missing",
    "alarm_crisis", "alarm_late_for_duty", "alarm_handover_open",
    "alarm_dialler_stopped", "alarm_debt_starved", "alarm_store_away", "alarm_disk_filling",
    "record_ask", "record_on", "record_paused", "record_over", "record_not", "record_no",
    "listen_only", "listen_whisper", "listen_barge", "listen_over",
}  # fmt: skip
#: What Asterisk 22 asks for to say 1 to 99: Chinese puts 10 before units, English has words up to 19.
TENS = {f"digit_{number}" for number in range(10, 100, 10)}
NUMBERS = {
    "zh": TENS | {f"digit_{number}" for number in range(1, 10)},
    "en": TENS | {f"digit_{number}" for number in range(1, 20)},
}


# --- texts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogue_holds_what_flows_and_pbx_say(language: str) -> None:
    in_flows = {
        prompt for name in SHIPPED for node in shipped(name).nodes.values() for prompt in prompts_of(node)
    }
    assert in_flows | OUTSIDE_FLOWS | NUMBERS[language] == set(load_catalogue(language).prompts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_holds_a_diagnosis(language: str) -> None:
    prompts = load_catalogue(language).prompts
    assert {name: found for name, prompt in prompts.items() if (found := diagnosis_in(prompt.text))} == {}


@pytest.mark.parametrize(("language", "claim"), [("zh", "正在接听其他"), ("en", "on the phone")])
def test_whoever_waits_is_not_told_what_nobody_knows(language: str, claim: str) -> None:
    """Phones may only be ringing while the queue says why it takes so long."""
    texts = load_catalogue(language).prompts
    said = [texts[prompt].text for prompt in (*PLAIN_SAYS, *PLAIN_SAYS.values())]
    assert not [text for text in said if claim in text]


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
        ("text: 您好", "text: '您好{name}'", "nothing fills `{name}`"),
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


def test_an_unknown_language_or_set_names_those_there_are() -> None:
    with pytest.raises(PromptError, match="There are: zh, en"):
        load_catalogue("eo")
    with pytest.raises(PromptError, match="zh_slow"):
        prompt_set("zh_fast")


def test_the_sites_hours_stand_in_the_text_and_in_its_checksum(tmp_path: Path) -> None:
    raw = catalogue_of(tmp_path, closed_hours="服务时间是{hours}。")
    evening = filled(raw, {"hours": "每天晚上七点到九点半"}).prompts["closed_hours"]
    assert evening.text == "服务时间是每天晚上七点到九点半。"
    assert evening.checksum == checksum_of(evening.text) != raw.prompts["closed_hours"].checksum


def test_a_text_without_blanks_keeps_its_checksum_whatever_the_hours() -> None:
    here, there = (site_catalogue("zh", Wording(words={"hours": words})) for words in ("一", "二"))
    assert here.prompts["greet"] == there.prompts["greet"] == load_catalogue().prompts["greet"]


@pytest.mark.parametrize(
    ("text", "read_out"),
    [("请按1", "请按一"), ("请拨110或120", "请拨幺幺零或幺二零"), ("拨打12356。", "拨打幺二三五六。")],
)
def test_numbers_are_read_the_way_people_say_them(text: str, read_out: str) -> None:
    assert spoken(text) == read_out


def test_english_numbers_are_read_digit_by_digit() -> None:
    assert spoken("Call 110 now.", "en") == "Call 1 1 0 now."


# --- sets ------------------------------------------------------------------------------------------


def test_every_set_falls_back_to_where_asterisk_looks_next() -> None:
    for name, one in SETS.items():
        cut = name.rpartition("_")[0]
        assert one.falls_back == (cut or None), name


def test_callers_nobody_knows_yet_hear_of_no_counsellor_and_no_offer(tmp_path: Path) -> None:
    catalogue = catalogue_of(
        tmp_path, queue_wait="等咨询员。", queue_offer="转接12356请按2。", queue_plain="请继续稍候。"
    )
    for name in ("zh", "zh_plain", "zh_wx_plain"):
        synthesise(catalogue, tmp_path, chosen=prompt_set(name), speaker=Humming())
    plain = sound_file(tmp_path, "zh", "queue_plain").read_bytes()
    for overlay in ("zh_plain", "zh_wx_plain"):
        for announced in ("queue_wait", "queue_offer"):
            assert sound_file(tmp_path, overlay, announced).read_bytes() == plain


def test_what_is_announced_to_callers_nobody_knows_yet_names_no_purpose() -> None:
    """R24: everything the queue announces in turn, and each in words that say nothing of the line."""
    texts = load_catalogue().prompts
    assert PLAIN_SAYS.keys() == {"queue_wait", "queue_offer"}
    said = "".join(texts[prompt].text for prompt in PLAIN_SAYS.values())
    assert not [word for word in PURPOSE_WORDS if word in said]
    assert not any(letter.isdigit() for letter in said), "keys on offer"


def test_what_a_set_changes_reaches_every_overlay_that_may_borrow_it() -> None:
    assert overlays_of(("zh",)) == ("zh_plain", "zh_slow_plain", "zh_wx_plain")
    assert overlays_of(("en",)) == ("en_plain",)


def test_a_dialect_is_recorded_or_mandarin_but_never_a_machine(tmp_path: Path) -> None:
    speaker = Humming()
    catalogue = catalogue_of(tmp_path, greet="您好")
    assert synthesise(catalogue, tmp_path, chosen=prompt_set("zh_wx"), speaker=speaker) == ()
    assert speaker.said == []
    assert list(chain(prompt_set("zh_wx"))) == ["zh_wx", "zh"]


def test_numbers_stand_where_asterisk_looks_for_them() -> None:
    assert sound_file(Path("sounds"), "zh", "digit_20") == Path("sounds/zh/digits/20.wav")


# --- synthesis -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["zh", "zh_slow", "en"])
def test_no_prompt_takes_longer_than_a_caller_listens(tmp_path: Path, name: str) -> None:
    """R1: the greeting, and every sentence, is at most 12 s of real audio; the longest are spoken."""
    chosen = prompt_set(name)
    catalogue = site_catalogue(chosen.language)
    texts = {key: prompt.text for key, prompt in catalogue.prompts.items()}
    longest = sorted(texts, key=lambda key: -longest_sentence(texts[key], len(texts[key])))[:5]
    some = {key: catalogue.prompts[key] for key in [*longest, "greet", "digit_1"]}
    synthesise(Catalogue(language=catalogue.language, prompts=some), tmp_path, chosen=chosen)
    lengths = lengths_of(tmp_path, chosen, catalogue)
    assert lengths.keys() == some.keys()
    assert 1 < lengths["greet"] <= LONGEST_GREETING
    assert all(longest_sentence(texts[key], lengths[key]) <= LONGEST_SENTENCE for key in some)
    assert {kind_of(sound_file(tmp_path, name, key)) for key in some} == {TELEPHONE}


def test_elders_are_spoken_to_more_slowly(tmp_path: Path) -> None:
    catalogue = catalogue_of(tmp_path, greet="您好，无锡市总工会职工服务热线，正在为您接通。")
    for name in ("zh", "zh_slow"):
        synthesise(catalogue, tmp_path, chosen=prompt_set(name))
    usual, slow = (read_sound(sound_file(tmp_path, name, "greet")).seconds for name in ("zh", "zh_slow"))
    assert 1.15 < slow / usual < 1.45


def test_every_sound_is_as_loud_as_every_other(tmp_path: Path) -> None:
    synthesise(catalogue_of(tmp_path, one="一", long="请您稍候，我们会尽快接听。"), tmp_path)
    levels = [read_sound(sound_file(tmp_path, "zh", key)).level for key in ("one", "long")]
    assert levels == pytest.approx([-20, -20], abs=1.5)


def test_only_what_changed_is_spoken_again(tmp_path: Path) -> None:
    first = catalogue_of(tmp_path, greet="您好", goodbye="再见")
    assert synthesise(first, tmp_path) == ("greet", "goodbye")
    assert synthesise(first, tmp_path) == ()
    assert synthesise(catalogue_of(tmp_path, greet="您好", goodbye="再会"), tmp_path) == ("goodbye",)
    sound_file(tmp_path, "zh", "greet").unlink()
    assert synthesise(catalogue_of(tmp_path, greet="您好"), tmp_path) == ("greet",)
    slower = Espeak(voice=Voice(speed=150))
    assert synthesise(first, tmp_path, speaker=slower) == ("greet", "goodbye")


def test_new_hours_are_spoken_anew_and_nothing_else(tmp_path: Path) -> None:
    raw = catalogue_of(tmp_path, greet="您好", closed_hours="服务时间是{hours}。")
    speaker = Humming()
    synthesise(filled(raw, {"hours": "每天"}), tmp_path, speaker=speaker)
    assert synthesise(filled(raw, {"hours": "周一"}), tmp_path, speaker=speaker) == ("closed_hours",)
    assert speaker.said[-1] == "服务时间是周一。"


def test_a_damaged_manifest_costs_only_time(tmp_path: Path) -> None:
    catalogue = catalogue_of(tmp_path, greet="您好")
    synthesise(catalogue, tmp_path)
    manifest = tmp_path / "zh" / "hotline" / "manifest.json"
    for damaged in (
        "{cut",
        "[]",
        '{"greet": "0a"}',
        '{"greet": {"kind": 1}}',
        '{"greet": {"colour": "red"}}',
    ):
        manifest.write_text(damaged, encoding="utf-8")
        assert synthesise(catalogue, tmp_path) == ("greet",)


def test_progress_is_told_for_every_prompt(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    catalogue = catalogue_of(tmp_path, greet="您好", goodbye="再见")
    synthesise(catalogue, tmp_path, speaker=Humming(), progress=lambda *at: told.append(at))
    assert told == [(1, 2, "greet"), (2, 2, "goodbye")]


def test_a_missing_tool_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = catalogue_of(tmp_path, greet="您好")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SynthesisError, match="apt-get install espeak-ng"):
        synthesise(catalogue, tmp_path)
    assert not sound_file(tmp_path, "zh", "greet").exists()


def test_an_unknown_language_has_no_voice(tmp_path: Path) -> None:
    with pytest.raises(SynthesisError, match="no voice for language `eo`"):
        synthesise(catalogue_of(tmp_path, "eo", greet="saluton"), tmp_path)


def test_what_was_spoken_before_a_failure_is_kept(tmp_path: Path) -> None:
    class Tiring(Humming):
        def speak(self, text: str, *, language: str, pace: float) -> bytes:
            if text == "再见":
                raise SynthesisError("tired")
            return super().speak(text, language=language, pace=pace)

    catalogue = catalogue_of(tmp_path, greet="您好", goodbye="再见")
    with pytest.raises(SynthesisError, match="tired"):
        synthesise(catalogue, tmp_path, speaker=Tiring())
    assert synthesise(catalogue, tmp_path, speaker=Humming()) == ("goodbye",)


def _speak_at_once(folder: Path) -> tuple[str, ...]:
    return synthesise(load_catalogue(folder / "目录.yaml"), folder, speaker=Humming())


def test_processes_that_speak_at_once_do_the_work_once(tmp_path: Path) -> None:
    catalogue_of(tmp_path, greet="您好", goodbye="再见")
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        made = pool.map(_speak_at_once, [tmp_path, tmp_path], chunksize=1)
    assert sorted(made) == [(), ("greet", "goodbye")]


def test_nobody_else_can_write_while_one_speaks(tmp_path: Path) -> None:
    class Watchful(Humming):
        def speak(self, text: str, *, language: str, pace: float) -> bytes:
            with (tmp_path / "zh" / "hotline" / ".lock").open("w") as lock, pytest.raises(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return super().speak(text, language=language, pace=pace)

    assert synthesise(catalogue_of(tmp_path, greet="您好"), tmp_path, speaker=Watchful()) == ("greet",)


class Brief(Humming):
    def speak(self, text: str, *, language: str, pace: float) -> bytes:
        return hum(0.02)


def test_all_sets_are_brought_up_to_date_together(tmp_path: Path) -> None:
    changed = synthesise_all(tmp_path, names=("zh_wx", "en"), speaker=Brief())
    assert changed["en"] == tuple(load_catalogue("en").prompts)
    assert changed["zh_wx"] == ()
    assert changed["en_plain"] == ("queue_wait", "queue_offer")
