"""The load of the bench: counted exactly, with many phones in one process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from harness import HOTLINE, Pbx

from callcenter.demo.load import Load, load_phones
from callcenter.domain.users import PhoneKind, Role, User

pytestmark = pytest.mark.asterisk


def test_load_is_answered_by_many_phones_and_counted(new_pbx: Callable[..., Pbx], tmp_path: Path) -> None:
    codes = [f"c{number:03}" for number in range(40)]
    pbx = new_pbx()
    pbx.users = [
        User(code=code, name="咨询员", roles=frozenset({Role.COUNSELLOR}), phone=PhoneKind.SIP)
        for code in codes
    ]
    pbx.start()
    users = {code: pbx.keys.password(f"sip:{code}") for code in codes}
    phones = load_phones(pbx=pbx.sip, folder=tmp_path / "phones", users=users).start()
    pbx.on_duty(*codes)
    load = Load(
        pbx=pbx.sip,
        folder=tmp_path / "load",
        dials=HOTLINE,
        rate=8,
        seconds=4,
        talk=timedelta(seconds=2),
    )
    counts = load.start().wait()
    assert (counts.created, counts.successful, counts.failed) == (32, 32, 0)
    assert len(phones.calls()) == 32
    assert all(call.answered_at is not None for call in phones.calls())
    phones.stop()


def test_load_nobody_answers_is_counted_as_failed(pbx: Pbx, tmp_path: Path) -> None:
    load = Load(
        pbx=pbx.sip,
        folder=tmp_path / "load",
        dials=HOTLINE,
        rate=5,
        seconds=1,
        talk=timedelta(seconds=1),
        address="127.0.0.3",
    )
    counts = load.start().wait()
    assert (counts.created, counts.successful, counts.failed) == (5, 0, 5)
