"""Writing: whole files, private, nothing of others touched, nothing rewritten without need."""

from __future__ import annotations

import stat
from pathlib import Path

from callcenter.asterisk.provision.tone import LENGTH, RATE, _alaw, hold_tone
from callcenter.asterisk.provision.write import write, write_hold_tone


def test_only_what_changed_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    assert write({"a.conf": "1\n", "b.conf": "2\n"}, folder) == {"a.conf", "b.conf"}
    assert write({"a.conf": "1\n", "b.conf": "3\n"}, folder) == {"b.conf"}
    assert write({"a.conf": "1\n", "b.conf": "3\n"}, folder) == frozenset()


def test_a_file_no_longer_rendered_goes_and_a_strangers_file_stays(tmp_path: Path) -> None:
    (tmp_path / "asterisk.conf").write_text("not ours")
    write({"a.conf": "1\n", "b.conf": "2\n"}, tmp_path)
    assert write({"a.conf": "1\n"}, tmp_path) == {"b.conf"}
    assert sorted(p.name for p in tmp_path.glob("*.conf")) == ["a.conf", "asterisk.conf"]


def test_files_are_private_and_so_is_their_folder(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    write({"manager.conf": "secret\n"}, folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / "manager.conf").chmod(0o644)
    write({"manager.conf": "secret\n"}, folder)
    assert {stat.S_IMODE(f.stat().st_mode) for f in folder.iterdir()} == {0o600}


def test_a_damaged_list_of_our_files_removes_nothing(tmp_path: Path) -> None:
    outside = tmp_path / "precious"
    outside.write_text("x")
    folder = tmp_path / "etc"
    write({"a.conf": "1\n"}, folder)
    (folder / ".hotline-files").write_text('["../precious", 7]')
    write({"a.conf": "1\n"}, folder)
    (folder / ".hotline-files").write_text("{")
    write({"a.conf": "1\n"}, folder)
    assert outside.exists()


def test_waiting_callers_hear_a_tone_that_is_never_loud(tmp_path: Path) -> None:
    write_hold_tone(tmp_path)
    tone = (tmp_path / "moh" / "wait.alaw").read_bytes()
    assert tone == hold_tone()
    assert len(tone) == LENGTH * RATE
    assert 500 < max(abs(_linear(byte)) for byte in tone) < 6000


def test_every_sample_is_coded_as_the_itu_says() -> None:
    # decoding (checked against the table of G.711 by others) must land next to the sample
    for sample in range(-32768, 32768, 37):
        assert abs(_linear(_alaw(sample)) - sample) <= max(16, abs(sample) // 16)


def _linear(byte: int) -> int:
    """Decode one A-law byte (ITU-T G.711)."""
    code = byte ^ 0x55
    exponent, mantissa = code >> 4 & 7, code & 15
    level = (mantissa << 4) + 8 if exponent == 0 else ((mantissa << 4) + 0x108) << (exponent - 1)
    return level if code & 0x80 else -level
