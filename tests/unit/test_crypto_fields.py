"""Sealed fields open only with the right key, in the right column, unharmed."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.db.crypto import FieldCipher, SealBroken
from callcenter.keys import KeyRing

CIPHER = FieldCipher(KeyRing(master=bytes(range(32))))


@given(st.text(max_size=200))
def test_what_is_sealed_opens_again_and_shows_nothing(text: str) -> None:
    sealed = CIPHER.seal(text, "people.name")
    assert sealed is not None
    assert CIPHER.open(sealed, "people.name") == text
    assert len(text.encode()) < 6 or text.encode() not in sealed


@given(st.binary(max_size=200))
def test_any_bytes_of_a_journal_row_come_back(raw: bytes) -> None:
    assert CIPHER.open_bytes(CIPHER.seal_bytes(raw, "unread.raw"), "unread.raw") == raw


def test_nothing_stays_nothing() -> None:
    assert CIPHER.seal(None, "users.mobile") is None
    assert CIPHER.open(None, "users.mobile") is None
    assert CIPHER.lookup(None) is None


def test_the_same_name_never_looks_the_same_twice() -> None:
    assert len({CIPHER.seal("沈建国", "people.name") for _ in range(50)}) == 50


def test_a_ciphertext_moved_to_another_column_does_not_open() -> None:
    sealed = CIPHER.seal("13861701234", "calls.number")
    with pytest.raises(SealBroken, match=r"people\.name"):
        CIPHER.open(sealed, "people.name")


@given(st.integers(0, 39), st.integers(1, 255))
def test_a_changed_byte_anywhere_is_noticed(place: int, change: int) -> None:
    sealed = bytearray(CIPHER.seal_bytes(b"13861701234", "calls.number"))
    sealed[place] ^= change
    with pytest.raises(SealBroken):
        CIPHER.open_bytes(bytes(sealed), "calls.number")


@given(st.binary(max_size=60))
def test_anything_else_in_the_column_is_refused_kindly(junk: bytes) -> None:
    with pytest.raises(SealBroken):
        CIPHER.open_bytes(junk, "calls.number")


def test_another_key_file_says_so_and_repeats_nothing() -> None:
    other = FieldCipher(KeyRing(master=bytes(32)))
    with pytest.raises(SealBroken, match="密钥") as refusal:
        other.open(CIPHER.seal("沈建国", "people.name"), "people.name")
    assert "沈" not in str(refusal.value)


@pytest.mark.parametrize("spelling", ["+8613861701234", "0086-13861701234", "138 6170 1234"])
def test_a_number_is_looked_up_in_any_spelling(spelling: str) -> None:
    assert CIPHER.lookup(spelling) == CIPHER.lookup("13861701234")


def test_the_lookup_hash_needs_the_key() -> None:
    other = FieldCipher(KeyRing(master=bytes(32)))
    assert CIPHER.lookup("13861701234") != other.lookup("13861701234")


def test_the_key_file_alone_brings_back_the_fields(tmp_path: Path) -> None:
    created = KeyRing.create(tmp_path / "hotline.key")
    sealed = FieldCipher(created).seal("沈建国", "people.name")
    assert (tmp_path / "hotline.key").read_bytes().strip() == b64encode(created.master)
    assert FieldCipher(KeyRing.load(tmp_path / "hotline.key")).open(sealed, "people.name") == "沈建国"
