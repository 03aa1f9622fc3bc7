"""A whole line that records and is listened to, by the commands people type, beside `hotline serve`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from taped import CALLER, COUNSELLOR, notes_in, spool
from violence import DUTY_MOBILE, Site
from voices import Voice

from callcenter.demo.runner import Address, until

pytestmark = pytest.mark.asterisk

SUPERVISOR = 1100.0
WHY = "新咨询员第一次独立接听"


class RecordingSite(Site):
    """A site that has decided to record."""

    def _configure(self, store: str) -> None:
        super()._configure(store)
        with self.config.open("a") as more:
            more.write("\n[recording]\nenabled = true\n")


@pytest.fixture
def site(_tools: None, request: pytest.FixtureRequest) -> Iterator[Site]:
    whole = RecordingSite()
    try:
        yield whole.open()
    finally:
        whole.close(keep=bool(request.session.testsfailed))


@pytest.fixture
def people(site: Site) -> Iterator[tuple[Voice, Voice, Voice]]:
    """王女士 in a talk with c001; 赵值班 (d001) at her mobile, whom nobody has called yet."""
    pbx = site.pbx
    password = pbx.keys.password("sip:c001")
    here, there = Address(host="127.0.0.1", port=0), Address(host=pbx.trunk.host, port=0)
    counsellor = Voice(pbx.sip, here, "c001", note=COUNSELLOR, password=password)
    caller = Voice(pbx.sip, there, "13800138000", note=CALLER)
    supervisor = Voice(pbx.sip, pbx.trunk, "mobile", note=SUPERVISOR, number=DUTY_MOBILE)
    yield caller, counsellor, supervisor
    for voice in (caller, counsellor, supervisor):
        voice.close()


def test_a_talk_is_listened_to_recorded_sealed_heard_and_dropped(
    site: Site, people: tuple[Voice, Voice, Voice]
) -> None:
    caller, counsellor, supervisor = people
    counsellor.register()
    site.on_duty("c001")
    site.until_members("c001")
    caller.dial("4000850966")
    counsellor.until_up()
    until(lambda: caller.hears(counsellor) and counsellor.hears(caller), 15, what="the talk")
    counsellor.press("*7")
    until(lambda: acts(site) == ["asked"], what="the question")
    caller.press("1")
    until(lambda: list(spool(site.pbx).glob("*.wav")), what="the tape")
    until(lambda: any(call.answered_by == "c001" for call in site.records()), what="the call on record")

    assert "双方都听不到您" in site.hotline("calls", "listen", "c001", "--reason", WHY, "--as", "d001")
    supervisor.until_up()
    supervisor.press("1")
    until(
        lambda: supervisor.hears(caller) and supervisor.hears(counsellor), 15, what="the supervisor to hear"
    )
    until(lambda: ears(site, "c001") == [("d001", "listen", True, False)], what="the counsellor to see it")
    assert ears(site, "c002") == []
    supervisor.hang_up()
    until(lambda: ears(site, "c001") == [("d001", "listen", True, True)], what="the end to be seen")

    caller.hang_up()
    until(lambda: not list(spool(site.pbx).iterdir()), 60, what="nothing to lie in clear")
    (row,) = site.rows("calls", "recording", "list", "--as", "d001")
    assert (row["agent"], row["is_kept"], row["agreed_at"] is not None) == ("c001", True, True)
    call = row["call"]
    heard = Path(site.hotline("calls", "recording", "hear", call, "--reason", WHY, "--as", "d001").strip())
    try:
        assert notes_in(heard) >= {COUNSELLOR, CALLER}
    finally:
        heard.unlink()
    words = ("calls", "recording", "drop", call, "--reason", "来电者撤回了同意", "--as", "d001")
    assert "没有改动" in site.hotline(*words, "--dry-run")
    assert len(list(site.app.settings.recordings_folder.iterdir())) == 1
    site.hotline(*words)
    assert not list(site.app.settings.recordings_folder.iterdir())
    (row,) = site.rows("calls", "recording", "list", "--as", "d001")
    assert (row["is_kept"], row["dropped_at"] is not None) == (False, True)


def acts(site: Site) -> list[str]:
    rows = [text for name, text in site.pbx.user_events() if name == "RECORD"]
    return [text.rpartition("act=")[2].rstrip('"}') for text in rows]


def ears(site: Site, actor: str) -> list[tuple[str, str, bool, bool]]:
    """Return by whom, how, and whether it began and ended, as somebody sees it."""
    return [
        (row["by"], row["mode"], row["started_at"] is not None, row["ended_at"] is not None)
        for row in site.rows("calls", "ears", "--as", actor)
    ]
