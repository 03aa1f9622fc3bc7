"""What people record: taken in whole or not at all, bound to its words, and as loud as everything else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from prompt_sounds import TELEPHONE, Humming, catalogue_of, hum, kind_of, recording

from ivr.errors import PromptError, RecordingError
from ivr.prompts.audio import CEILING, TARGET, read_sound
from ivr.prompts.catalogue import Catalogue, filled
from ivr.prompts.recordings import keep, read_recordings, summary
from ivr.prompts.sets import prompt_set
from ivr.prompts.sheet import sheet
from ivr.prompts.store import read_manifest, sound_file
from ivr.prompts.survey import Fault, Finding, State, examine, lengths_of, longest_sentence, survey
from ivr.prompts.synthesis import heard_file, synthesise

ZH, WX = prompt_set("zh"), prompt_set("zh_wx")


@pytest.fixture
def words(tmp_path: Path) -> Catalogue:
    return catalogue_of(tmp_path, greet="您好，正在为您接通。", goodbye="谢谢您，请多保重。再见。")


@pytest.fixture
def talent(tmp_path: Path) -> Path:
    """The folder that comes back from the voice talent."""
    folder = tmp_path / "录音"
    folder.mkdir()
    return folder


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    return tmp_path / "sounds"


def take_in(sounds: Path, source: Path, words: Catalogue, chosen: str = "zh", by: str = "王丽") -> None:
    one = prompt_set(chosen)
    keep(sounds, one, read_recordings(source, words, one), by=by)


def states(sounds: Path, words: Catalogue, chosen: str = "zh") -> dict[str, State]:
    return {entry.prompt.id: entry.state for entry in survey(sounds, prompt_set(chosen), words)}


def faults(sounds: Path, words: Catalogue, chosen: str = "zh") -> list[tuple[str, Fault]]:
    return [(one.prompt, one.fault) for one in examine(sounds, prompt_set(chosen), words)]


# --- conversion ------------------------------------------------------------------------------------


def test_an_m4a_from_a_phone_is_levelled_and_telephone_narrow(
    talent: Path, sounds: Path, words: Catalogue
) -> None:
    recording(talent / "greet.m4a", "volume=-25dB", "adelay=1500", "apad=pad_dur=2")
    (one,) = read_recordings(talent, words, ZH)
    keep(sounds, ZH, (one,), by="王丽")
    file = sound_file(sounds, "zh", "greet")
    assert kind_of(file) == TELEPHONE
    assert one.level_before < -30
    assert read_sound(file).level == pytest.approx(TARGET, abs=1)
    assert read_sound(file).seconds == pytest.approx(2.2, abs=0.2), "3.5 s of silence are gone"


@pytest.mark.parametrize("ending", ["wav", "WAV", "mp3", "m4a", "aac", "ogg", "opus", "flac"])
def test_any_usual_format_will_do(talent: Path, words: Catalogue, ending: str) -> None:
    recording(talent / f"greet.{ending}")
    (one,) = read_recordings(talent, words, ZH)
    assert one.sound.level == pytest.approx(TARGET, abs=1)


def test_loud_and_quiet_talents_sound_alike(talent: Path, words: Catalogue) -> None:
    recording(talent / "greet.wav", "volume=-30dB")
    recording(talent / "goodbye.wav", "volume=8dB")
    assert [one.sound.level for one in read_recordings(talent, words, ZH)] == pytest.approx(
        [TARGET] * 2, abs=1
    )


def test_a_knock_on_the_table_does_not_make_the_voice_faint(talent: Path, words: Catalogue) -> None:
    knock = "volume='if(between(t,1,1.004),3,0.1)':eval=frame"
    recording(talent / "greet.wav", "asetnsamples=64", knock)
    (one,) = read_recordings(talent, words, ZH)
    assert one.sound.level == pytest.approx(TARGET, abs=1.5)
    assert one.sound.peak <= CEILING + 0.3


# --- refusals --------------------------------------------------------------------------------------


def _clipped(file: Path) -> None:
    recording(file, "volume=20dB")


def _silent(file: Path) -> None:
    recording(file, "volume=-80dB")


def _long(file: Path) -> None:
    recording(file, seconds=14)


def _text(file: Path) -> None:
    file.write_text("这不是声音", encoding="utf-8")


def _empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "words_of_error"),
    [
        (_clipped, "clipped"),
        (_silent, "nothing is heard"),
        (_long, r"longest sentence takes 14\.\d s"),
        (_text, "ffmpeg failed"),
        (_empty, "ffmpeg failed"),
    ],
)
def test_a_folder_with_one_bad_file_changes_nothing(
    talent: Path, sounds: Path, words: Catalogue, spoil: object, words_of_error: str
) -> None:
    recording(talent / "goodbye.wav")
    assert callable(spoil)
    spoil(talent / "greet.wav")
    with pytest.raises(RecordingError, match=f"greet.wav: .*{words_of_error}") as caught:
        take_in(sounds, talent, words)
    assert "goodbye" not in str(caught.value)
    assert "Nothing was imported." in str(caught.value)
    assert not sounds.exists()


def test_a_playlist_cannot_bring_in_another_file(talent: Path, words: Catalogue) -> None:
    (talent / "secret.wav").write_bytes(hum(2))
    (talent / "greet.wav").write_text("ffconcat version 1.0\nfile secret.wav\n", encoding="utf-8")
    with pytest.raises(RecordingError, match="ffmpeg failed"):
        read_recordings(talent / "greet.wav", words, ZH)


def test_a_piece_of_a_library_may_take_its_time(talent: Path, sounds: Path, words: Catalogue) -> None:
    """R1's 12 s are for who waits to press a key; a micro-class is there to be listened to."""
    _long(talent / "greet.wav")
    found = read_recordings(talent, words, ZH, pieces={"greet"})
    keep(sounds, ZH, found, by="王丽")
    synthesise(words, sounds, speaker=Humming())
    assert list(examine(sounds, ZH, words, pieces={"greet"})) == []
    assert faults(sounds, words) == [("greet", Fault.LONG)]


def test_a_recording_that_goes_on_for_ever_is_refused_and_not_cut(
    talent: Path, words: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivr.prompts.audio.LONGEST_RECORDING", 60)
    recording(talent / "greet.wav", "apad=pad_dur=59")
    with pytest.raises(RecordingError, match="longer than 1 minutes"):
        read_recordings(talent, words, ZH, pieces={"greet"})


def test_every_bad_file_is_named_at_once(talent: Path, words: Catalogue) -> None:
    _text(talent / "greet.mp3")
    _text(talent / "goodbye.mp3")
    _text(talent / "notes.docx")
    recording(talent / "gret.wav")
    with pytest.raises(RecordingError) as caught:
        read_recordings(talent, words, ZH)
    lines = str(caught.value).splitlines()
    assert sorted(line.partition(":")[0] for line in lines[:-1]) == [
        "goodbye.mp3", "greet.mp3", "gret.wav", "notes.docx"
    ]  # fmt: skip


def test_two_takes_of_one_prompt_are_refused(talent: Path, words: Catalogue) -> None:
    recording(talent / "greet.wav")
    recording(talent / "greet.mp3")
    with pytest.raises(RecordingError, match=r"`greet` is there twice, see greet\.mp3"):
        read_recordings(talent, words, ZH)


def test_what_phones_and_file_managers_leave_about_does_not_matter(talent: Path, words: Catalogue) -> None:
    recording(talent / "greet.wav")
    for litter in (".DS_Store", "._greet.wav", "Thumbs.db", "desktop.ini"):
        _text(talent / litter)
    assert [one.prompt.id for one in read_recordings(talent, words, ZH)] == ["greet"]


@pytest.mark.parametrize(
    "name", ["-i.wav", "$(touch pwned).wav", "pipe:0.wav", "../greet.wav", "a\x1b[2Jb.wav"]
)
def test_a_hostile_file_name_is_only_a_name(
    tmp_path: Path, talent: Path, words: Catalogue, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(talent)
    file = Path(name)
    file.write_bytes(hum(2))
    (one,) = read_recordings(file, words, ZH, prompt="greet")
    assert summary((one,))[0]["id"] == "greet"
    assert "\x1b" not in str(summary((one,)))
    assert not list(tmp_path.rglob("pwned"))


def test_a_bad_file_with_a_hostile_name_cannot_disturb_the_terminal(talent: Path, words: Catalogue) -> None:
    _text(talent / "a\x1b[2Jb.wav")
    with pytest.raises(RecordingError) as caught:
        read_recordings(talent / "a\x1b[2Jb.wav", words, ZH, prompt="greet")
    assert "\x1b" not in str(caught.value)


def test_a_name_that_is_not_text_is_refused_in_plain_words(talent: Path, words: Catalogue) -> None:
    with open(os.fsencode(talent) + b"/\xff\xfe.wav", "wb") as file:
        file.write(hum(2))
    with pytest.raises(RecordingError, match=r"\?\?\.wav: there is no prompt"):
        read_recordings(talent, words, ZH)


def test_an_id_for_a_folder_an_empty_folder_and_no_folder_are_refused(talent: Path, words: Catalogue) -> None:
    with pytest.raises(RecordingError, match="the folder is empty"):
        read_recordings(talent, words, ZH)
    with pytest.raises(RecordingError, match="goes with one file"):
        read_recordings(talent, words, ZH, prompt="greet")
    with pytest.raises(RecordingError, match="no such file"):
        read_recordings(talent / "nobody.wav", words, ZH)


def test_an_overlay_names_the_set_to_record_instead(talent: Path, words: Catalogue) -> None:
    with pytest.raises(RecordingError, match=r"Import into `zh` instead: queue_plain\.$"):
        read_recordings(talent, words, prompt_set("zh_plain"))


# --- a recording and its text ----------------------------------------------------------------------


def test_a_current_recording_is_never_spoken_over(talent: Path, sounds: Path, words: Catalogue) -> None:
    take_in(sounds, recording(talent / "greet.wav"), words)
    heard = sound_file(sounds, "zh", "greet").read_bytes()
    assert synthesise(words, sounds, speaker=Humming()) == ("goodbye",)
    assert sound_file(sounds, "zh", "greet").read_bytes() == heard
    assert states(sounds, words) == {"greet": State.RECORDED, "goodbye": State.SYNTHESISED}
    assert faults(sounds, words) == []


def test_the_manifest_says_who_recorded_what_and_how_loud(
    talent: Path, sounds: Path, words: Catalogue
) -> None:
    take_in(sounds, recording(talent / "greet.wav"), words, by="王丽")
    made = read_manifest(sounds, "zh")["greet"]
    assert (made.kind, made.by, made.checksum) == ("recorded", "王丽", words.prompts["greet"].checksum)
    assert made.level == pytest.approx(TARGET, abs=1)
    assert made.at.endswith("+00:00")


def test_a_changed_text_makes_its_recording_stale(
    tmp_path: Path, talent: Path, sounds: Path, words: Catalogue
) -> None:
    """R48: the old recording is not played, the machine fills in, the check names it."""
    take_in(sounds, recording(talent / "greet.wav"), words)
    changed = catalogue_of(tmp_path, greet="您好，请稍候。", goodbye="谢谢您，请多保重。再见。")
    assert states(sounds, changed)["greet"] is State.STALE
    speaker = Humming()
    synthesise(changed, sounds, speaker=speaker)
    assert "您好，请稍候。" in speaker.said
    assert faults(sounds, changed) == [("greet", Fault.STALE_RECORDING)]
    take_in(sounds, recording(talent / "greet.mp3"), changed)
    assert states(sounds, changed)["greet"] is State.RECORDED


def test_a_text_changed_back_finds_its_recording_again(
    tmp_path: Path, talent: Path, sounds: Path, words: Catalogue
) -> None:
    take_in(sounds, recording(talent / "greet.wav"), words, by="王丽")
    recorded = sound_file(sounds, "zh", "greet").read_bytes()
    synthesise(catalogue_of(tmp_path, greet="喂。"), sounds, speaker=Humming())
    assert sound_file(sounds, "zh", "greet").read_bytes() != recorded
    synthesise(words, sounds, speaker=Humming())
    assert sound_file(sounds, "zh", "greet").read_bytes() == recorded
    assert read_manifest(sounds, "zh")["greet"].by == "王丽"


def test_new_hours_make_the_recording_of_the_old_ones_stale(
    tmp_path: Path, talent: Path, sounds: Path
) -> None:
    raw = catalogue_of(tmp_path, closed_hours="服务时间是{hours}。")
    take_in(sounds, recording(talent / "closed_hours.wav"), filled(raw, {"hours": "每天"}))
    assert states(sounds, filled(raw, {"hours": "每天"})) == {"closed_hours": State.RECORDED}
    assert states(sounds, filled(raw, {"hours": "周一"})) == {"closed_hours": State.STALE}


def test_a_lost_manifest_loses_no_recording(talent: Path, sounds: Path, words: Catalogue) -> None:
    take_in(sounds, recording(talent / "greet.wav"), words)
    heard = sound_file(sounds, "zh", "greet").read_bytes()
    (sounds / "zh" / "hotline" / "manifest.json").unlink()
    synthesise(words, sounds, speaker=Humming())
    assert sound_file(sounds, "zh", "greet").read_bytes() == heard
    assert states(sounds, words)["greet"] is State.RECORDED


def test_dialect_is_heard_once_recorded_and_mandarin_again_once_stale(
    tmp_path: Path, talent: Path, sounds: Path, words: Catalogue
) -> None:
    synthesise(words, sounds, speaker=Humming())
    take_in(sounds, recording(talent / "greet.wav"), words, "zh_wx")
    assert heard_file(sounds, WX, "greet") == sound_file(sounds, "zh_wx", "greet")
    assert heard_file(sounds, WX, "goodbye") == sound_file(sounds, "zh", "goodbye")
    assert faults(sounds, words, "zh_wx") == []
    changed = catalogue_of(tmp_path, greet="喂。", goodbye="谢谢您，请多保重。再见。")
    assert synthesise(changed, sounds, chosen=WX) == ("greet",)
    assert heard_file(sounds, WX, "greet") == sound_file(sounds, "zh", "greet")
    assert faults(sounds, changed, "zh_wx") == [("greet", Fault.STALE_RECORDING)]


def test_a_recorded_wait_is_what_the_overlay_says(tmp_path: Path, talent: Path, sounds: Path) -> None:
    words = catalogue_of(
        tmp_path, queue_wait="等咨询员。", queue_offer="回电请按1。", queue_plain="请您稍候。"
    )
    plain = prompt_set("zh_plain")
    synthesise(words, sounds, speaker=Humming())
    synthesise(words, sounds, chosen=plain)
    take_in(sounds, recording(talent / "queue_plain.wav"), words)
    announced = ("queue_wait", "queue_offer")
    assert faults(sounds, words, "zh_plain") == [(one, Fault.OUTDATED) for one in announced]
    synthesise(words, sounds, chosen=plain)
    assert states(sounds, words, "zh_plain") == dict.fromkeys(announced, State.RECORDED)
    assert faults(sounds, words, "zh_plain") == []


# --- lengths, by which a flow is judged ------------------------------------------------------------


def test_only_a_sound_of_the_text_of_now_has_a_length(
    tmp_path: Path, talent: Path, sounds: Path, words: Catalogue
) -> None:
    """A site that changes its wording is not refused for how long the old wording took."""
    take_in(sounds, recording(talent / "greet.wav", seconds=11), words)
    synthesise(words, sounds, speaker=Humming())
    assert lengths_of(sounds, ZH, words) == pytest.approx({"greet": 11, "goodbye": 1.3}, abs=0.2)
    changed = catalogue_of(tmp_path, greet="喂。", goodbye="谢谢您，请多保重。再见。")
    assert lengths_of(sounds, ZH, changed).keys() == {"goodbye"}
    synthesise(changed, sounds, speaker=Humming())
    assert lengths_of(sounds, ZH, changed)["greet"] < 1


def test_a_sound_put_there_by_hand_has_no_length(sounds: Path, words: Catalogue) -> None:
    file = sound_file(sounds, "zh", "greet")
    file.parent.mkdir(parents=True)
    file.write_bytes(hum(13))
    assert lengths_of(sounds, ZH, words) == {}


def test_dialect_is_measured_where_it_is_heard(
    tmp_path: Path, talent: Path, sounds: Path, words: Catalogue
) -> None:
    synthesise(words, sounds, speaker=Humming())
    take_in(sounds, recording(talent / "greet.wav", seconds=5), words, "zh_wx")
    assert lengths_of(sounds, WX, words) == pytest.approx({"greet": 5, "goodbye": 1.3}, abs=0.2)
    changed = catalogue_of(tmp_path, greet="您好，正在为您接通。", goodbye="再会。")
    assert lengths_of(sounds, WX, changed).keys() == {"greet"}


# --- the check -------------------------------------------------------------------------------------


def test_a_set_without_sounds_lacks_everything_but_not_where_it_falls_back(
    sounds: Path, words: Catalogue
) -> None:
    assert faults(sounds, words) == [("greet", Fault.MISSING), ("goodbye", Fault.MISSING)]
    synthesise(words, sounds, speaker=Humming())
    assert faults(sounds, words) == faults(sounds, words, "zh_wx") == faults(sounds, words, "zh_slow") == []


def test_an_overlay_that_is_not_there_is_a_fault(tmp_path: Path, sounds: Path) -> None:
    """Asterisk would fall back to the very offer that must not be made."""
    words = catalogue_of(tmp_path, queue_wait="等咨询员。", queue_offer="回电请按1。", queue_plain="稍候。")
    synthesise(words, sounds, speaker=Humming())
    assert faults(sounds, words, "zh_plain") == [
        ("queue_wait", Fault.MISSING),
        ("queue_offer", Fault.MISSING),
    ]


def test_an_old_text_still_heard_is_found(tmp_path: Path, sounds: Path, words: Catalogue) -> None:
    synthesise(words, sounds, speaker=Humming())
    changed = catalogue_of(tmp_path, greet="喂。", goodbye="谢谢您，请多保重。再见。")
    assert faults(sounds, changed) == [("greet", Fault.OUTDATED)]


def test_a_file_put_there_by_hand_is_found(sounds: Path, words: Catalogue) -> None:
    synthesise(words, sounds, speaker=Humming())
    file = sound_file(sounds, "zh_wx", "greet")
    file.parent.mkdir(parents=True)
    file.write_bytes(hum(1))
    assert faults(sounds, words, "zh_wx") == [("greet", Fault.UNBOUND)]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (hum(1, rate=16000), Fault.UNREADABLE),
        (b"RIFF", Fault.UNREADABLE),
        (b"", Fault.UNREADABLE),
        (hum(1, loudness=0), Fault.SILENT),
        (hum(13), Fault.LONG),
    ],
)
def test_a_sound_nobody_can_listen_to_is_found(
    sounds: Path, words: Catalogue, content: bytes, fault: Fault
) -> None:
    synthesise(words, sounds, speaker=Humming())
    sound_file(sounds, "zh", "greet").write_bytes(content)
    assert faults(sounds, words) == [("greet", fault)]


def test_a_long_prompt_of_short_sentences_may_be_listened_to() -> None:
    assert longest_sentence("一二三四。五六七八。九十。", 20) == 8
    assert longest_sentence("Breathe in. Breathe out now.", 22) == pytest.approx(13)
    assert longest_sentence("。", 3) == 0


def test_a_finding_names_set_and_prompt(sounds: Path, words: Catalogue) -> None:
    assert next(examine(sounds, ZH, words)) == Finding(set="zh", prompt="greet", fault=Fault.MISSING)


# --- the script sheet ------------------------------------------------------------------------------


def test_the_sheet_says_how_numbers_are_read(tmp_path: Path) -> None:
    page = sheet(ZH, catalogue_of(tmp_path, closed="您可以拨打12356。"), uses={"closed": ("inbound",)})
    assert "12356 读作“幺二三五六”" in page
    assert "用于：inbound" in page
    assert "未审定" in page


def test_a_text_with_markup_stays_text_on_the_sheet(tmp_path: Path) -> None:
    page = sheet(ZH, catalogue_of(tmp_path, greet="<script>alert(1)</script>"), site="<b>热线</b>")
    assert "<script" not in page
    assert "&lt;b&gt;热线" in page


def test_the_sheet_needs_no_other_file(words: Catalogue) -> None:
    page = sheet(WX, words)
    assert "http" not in page
    assert "src=" not in page


def test_an_overlay_has_no_sheet(words: Catalogue) -> None:
    with pytest.raises(PromptError, match="zh_plain"):
        sheet(prompt_set("zh_plain"), words)
