"""A sealed file opens whole, under its own key and name, or not at all."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.sealed_files import CHUNK, Content, SealedFileBroken, open_file, seal_file

KEY = bytes(range(32))
_HEAD, _TAG = 15, 16
#: Around the edges of chunks, where a slip would be.
SIZES = st.sampled_from([0, 1, 44, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 7])


def sealed(size: int, name: str = "c/n") -> tuple[bytes, bytes, Content]:
    sound = (bytes(range(256)) * (size // 256 + 1))[:size]
    out = BytesIO()
    content = seal_file(BytesIO(sound), out, KEY, name)
    return sound, out.getvalue(), content


def opened(raw: bytes, key: bytes = KEY, name: str = "c/n") -> bytes:
    return b"".join(open_file(BytesIO(raw), key, name))


@given(SIZES)
def test_it_opens_to_what_it_was(size: int) -> None:
    sound, raw, content = sealed(size)
    assert opened(raw) == sound
    assert content.size == size
    assert size < 44 or sound[:44] not in raw


@given(SIZES, st.data())
def test_cut_anywhere_it_does_not_open(size: int, data: st.DataObject) -> None:
    _, raw, _ = sealed(size)
    with pytest.raises(SealedFileBroken):
        opened(raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(SIZES, st.data())
def test_a_changed_bit_anywhere_is_noticed(size: int, data: st.DataObject) -> None:
    _, raw, _ = sealed(size)
    changed = bytearray(raw)
    changed[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SealedFileBroken):
        opened(bytes(changed))


def test_cut_at_the_edge_of_a_chunk_or_with_chunks_moved_it_does_not_open() -> None:
    _, raw, _ = sealed(3 * CHUNK)
    whole = CHUNK + _TAG
    one, two = raw[_HEAD : _HEAD + whole], raw[_HEAD + whole : _HEAD + 2 * whole]
    for wrong in (raw[: _HEAD + whole], raw[:_HEAD] + two + one + raw[_HEAD + 2 * whole :], raw + one):
        with pytest.raises(SealedFileBroken):
            opened(wrong)


def test_another_key_another_name_or_something_else_does_not_open() -> None:
    _, raw, _ = sealed(100)
    for raw_, key, name in ((raw, bytes(32), "c/n"), (raw, KEY, "c/m"), (b"RIFF" + raw, KEY, "c/n")):
        with pytest.raises(SealedFileBroken):
            opened(raw_, key, name)
