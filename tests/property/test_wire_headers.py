"""No text can add a header to an action."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from panoramisk.actions import Action

from callcenter.asterisk import wire

ANY_TEXT = st.text(st.characters(codec=None)) | st.text("\r\n\0:, |ab\u2028\x85", max_size=30)


def written(headers: dict[str, str | list[str]]) -> bytes:
    """Return the bytes that go out."""

    async def write() -> bytes:
        return str(Action({**headers, "ActionID": "1"}, as_list=False)).encode()

    return asyncio.run(write())


@given(key=ANY_TEXT, value=ANY_TEXT)
def test_no_text_adds_a_header(key: str, value: str) -> None:
    try:
        headers = wire.headers("Originate", {key: value})
    except wire.Unsendable:
        return
    raw = written(headers)
    assert raw.endswith(b"\r\n\r\n")
    lines = raw[:-4].split(b"\r\n")
    assert len(lines) == 3
    assert not any(ending in line for line in lines for ending in (b"\r", b"\n", b"\0"))
    assert f"{key}: {value}".encode() in lines


@given(name=ANY_TEXT, value=ANY_TEXT)
def test_no_value_becomes_two_variables(name: str, value: str) -> None:
    try:
        line = wire.variable(name, value)
    except wire.Unsendable:
        return
    assert line == f"{name}={value}"
    assert "," not in line
    assert wire.headers("Originate", {"Variable": [line]})["Variable"] == [line]


@given(text=ANY_TEXT)
def test_an_argument_is_itself_or_refused(text: str) -> None:
    try:
        assert wire.argument(text) == text
    except wire.Unsendable:
        return
    assert text.isascii()
    assert not set(text) & set(',|&$"\\ \r\n')
