"""The key file: read line by line, replaced whole, and refused kindly when somebody has been at it."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from callcenter.db import crypto
from callcenter.db.crypto import FieldCipher, SealBroken
from callcenter.errors import ConfigError
from callcenter.keys import MOST_VERSIONS, KeyRing

MASTER = b64encode(bytes(range(32)))
COLUMNS = st.sampled_from(["people.name", "calls.number", "audit.reason", "cases.body"])


def ring_of(versions: int, *, retired: bool = False) -> KeyRing:
    later = {version: bytes([version]) * 32 for version in range(2, versions + 1)}
    return KeyRing(master=bytes(range(32)), later=later, first_is_retired=retired and versions > 1)


@given(st.integers(1, 6), st.booleans())
def test_a_ring_is_read_as_it_was_written(versions: int, retired: bool) -> None:
    ring = ring_of(versions, retired=retired)
    assert KeyRing.parse(ring.text(), Path("hotline.key")) == ring


def test_a_file_of_one_line_is_what_it_always_was(tmp_path: Path) -> None:
    file = tmp_path / "hotline.key"
    file.write_bytes(MASTER + b"\n")
    file.chmod(0o600)
    ring = KeyRing.load(file)
    assert ring.versions == (1,)
    assert ring.of_fields("field", 1) == ring.derive("field/1")
    assert ring.of_fields("lookup", 1) == ring.derive("lookup/1")


def test_a_new_key_changes_neither_sip_passwords_nor_the_pbxs_salt_nor_the_audits_chain() -> None:
    before = ring_of(1)
    after = before.with_new_key().only_current()
    for purpose in ("sip:c001", "pbx-salt", "ami:bridge"):
        assert after.password(purpose) == before.password(purpose)
    assert FieldCipher(after).chain(b"", b"x") == FieldCipher(before).chain(b"", b"x")
    assert after.of_fields("field", 2) not in {before.derive("field/1"), before.derive("field/2")}


def test_dropping_the_old_keys_leaves_the_current_one(tmp_path: Path) -> None:
    ring = ring_of(3).only_current()
    assert (ring.versions, ring.current) == ((3,), 3)
    assert ring.save(tmp_path / "hotline.key") == KeyRing.load(tmp_path / "hotline.key")
    assert KeyRing.load(tmp_path / "hotline.key").with_new_key().current == 4
    assert ring_of(1).only_current() == ring_of(1)


def test_when_no_version_is_left_none_is_made() -> None:
    with pytest.raises(ConfigError, match="版本号已用完"):
        ring_of(MOST_VERSIONS).with_new_key()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "hotline.key"),
        (b"not base64!\n", "不是密钥。"),
        (MASTER + b"\nfield 2\n", ":2:不是密钥文件的一行"),
        (MASTER + b"\nfield x " + MASTER + b"\n", ":2:不是密钥文件的一行"),
        (MASTER + b"\nfield 1 " + MASTER + b"\n", ":2:不是密钥文件的一行"),
        (MASTER + b"\nfield 256 " + MASTER + b"\n", ":2:不是密钥文件的一行"),
        (MASTER + b"\nfield 2 c2hvcnQ=\n", ":2:有 5 字节"),
        (MASTER + b"\nfield 2 " + MASTER + b"\nretired 2\n", ":3:不是密钥文件的一行"),
        (MASTER + b"\nretired 1\n", "没有剩下字段密钥"),
    ],
)
def test_a_damaged_file_names_the_line(tmp_path: Path, text: bytes, says: str) -> None:
    file = tmp_path / "hotline.key"
    file.write_bytes(text)
    file.chmod(0o600)
    with pytest.raises(ConfigError, match=says) as refusal:
        KeyRing.load(file)
    assert MASTER.decode() not in str(refusal.value)


def test_the_file_is_replaced_whole_and_for_its_owner_only(tmp_path: Path) -> None:
    ring = KeyRing.create(tmp_path / "hotline.key").with_new_key()
    ring.save(tmp_path / "hotline.key")
    assert (tmp_path / "hotline.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["hotline.key"]
    assert MASTER.decode() not in repr(ring_of(3))


# --- fields under several keys ---------------------------------------------------------------


@given(st.text(max_size=100), COLUMNS, st.integers(1, 5), st.integers(0, 3))
def test_what_any_version_sealed_opens_while_it_is_in_the_ring(
    text: str, column: str, version: int, further: int
) -> None:
    sealed = FieldCipher(ring_of(version)).seal(text, column)
    assert sealed is not None
    assert sealed[0] == version
    assert FieldCipher(ring_of(version + further)).open(sealed, column) == text


@given(st.text(max_size=50), COLUMNS, COLUMNS, st.integers(1, 4), st.integers(1, 4))
def test_another_column_or_another_version_never_opens(
    text: str, column: str, other: str, version: int, named: int
) -> None:
    sealed = FieldCipher(ring_of(version)).seal(text, column)
    assert sealed is not None
    assume((other, named) != (column, version))
    with pytest.raises(SealBroken):
        FieldCipher(ring_of(4)).open(bytes([named]) + sealed[1:], other)


@given(st.text(max_size=50), COLUMNS, st.integers(1, 4), st.data())
def test_a_flipped_bit_never_opens(text: str, column: str, version: int, data: st.DataObject) -> None:
    sealed = bytearray(FieldCipher(ring_of(version)).seal_bytes(text.encode(), column))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SealBroken):
        FieldCipher(ring_of(4)).open_bytes(bytes(sealed), column)


def test_a_retired_version_opens_nothing_any_more() -> None:
    sealed = FieldCipher(ring_of(1)).seal("沈建国", "people.name")
    with pytest.raises(SealBroken):
        FieldCipher(ring_of(2, retired=True)).open(sealed, "people.name")


def test_a_number_is_looked_up_under_every_key_newest_first() -> None:
    old, both = FieldCipher(ring_of(1)), FieldCipher(ring_of(2))
    assert both.lookups("13861701234") == (both.lookup("13861701234"), old.lookup("13861701234"))


# --- a process that began before the new key -------------------------------------------------


def test_it_learns_of_a_new_key_from_the_first_field_it_cannot_open(tmp_path: Path) -> None:
    ring = KeyRing.create(tmp_path / "hotline.key")
    running = FieldCipher(ring)
    sealed = FieldCipher(ring.with_new_key().save(ring.file or tmp_path)).seal("沈建国", "people.name")
    assert running.open(sealed, "people.name") == "沈建国"
    assert running.version == 2


def test_it_learns_of_a_new_key_by_itself_before_it_seals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = KeyRing.create(tmp_path / "hotline.key")
    running = FieldCipher(ring)
    ring.with_new_key().save(tmp_path / "hotline.key")
    monkeypatch.setattr(crypto, "NOTICE", 0.0)
    assert running.seal_bytes(b"x", "people.name")[0] == 2


@pytest.mark.parametrize("text", [b"damaged", b64encode(bytes(32)) + b"\n"])
def test_a_damaged_or_foreign_file_does_not_take_the_keys_in_memory_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    ring = KeyRing.create(tmp_path / "hotline.key")
    running = FieldCipher(ring)
    sealed = running.seal("沈建国", "people.name")
    (tmp_path / "hotline.key").write_bytes(text)
    monkeypatch.setattr(crypto, "NOTICE", 0.0)
    assert running.seal_bytes(b"x", "people.name")[0] == 1
    assert running.open(sealed, "people.name") == "沈建国"
    (tmp_path / "hotline.key").unlink()
    assert running.open(sealed, "people.name") == "沈建国"
