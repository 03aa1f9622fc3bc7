"""What whoever steals the PBX's disk reads of a call: the places the data classification names, no others."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path

import pytest
from planted import NAME, NUMBER, places_of_secrets, written
from violence import DUTY_MOBILE, Site

from callcenter.asterisk.journal import JournalFollower
from callcenter.demo.runner import until
from callcenter.demo.sipp import Answer
from callcenter.domain.people import Person, Phone, Suppression, SuppressionKind
from scheduler.obligations import Kind, Mode, Obligation

pytestmark = pytest.mark.asterisk
PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "data.md").read_text(encoding="utf-8")
SOON = timedelta(milliseconds=300)
NEEDLES = {core: written(core) for core in (NAME, NUMBER, DUTY_MOBILE)}


def told_to_be_clear() -> list[str]:
    """Return the patterns of files of which the page says that something stands in them in clear."""
    table = PAGE.partition("## PBX folder")[2].partition("\n\n## ")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    clear = [where for _, _, where, clear, *_ in rows if clear.strip() == "yes"]
    return [f"asterisk/{pattern}" for where in clear for pattern in re.findall(r"`([^`]+)`", where)]


def people_behind(site: Site) -> None:
    """Know the caller: by name, with a debt, an opt-out, and a flow that is told of it."""
    now = datetime.now(UTC)
    with site.app.store() as work:
        work.people.add(
            Person(id="pe-1", code="P-7F3K", name=NAME, birth_year=1950, phones=(Phone(number=NUMBER),))
        )
        work.people.add_suppression(
            Suppression(person="pe-1", kind=SuppressionKind.AUTOMATION, at=now, reason=f"{NAME}不要机器打")
        )
        work.debts.add(
            Obligation(
                id="ob-1",
                person="pe-1",
                kind=Kind.CALLBACK,
                due_at=now + timedelta(hours=9),
                window_end=now + timedelta(hours=10),
                mode=Mode.HUMAN_ONLY,
                created_at=now,
            )
        )
        work.commit()


@pytest.fixture
def called(site: Site) -> Site:
    """A site whose line knows a person, who has just called and talked to a counsellor."""
    people_behind(site)
    site.actors.phone("c001", behaviour=Answer(after=SOON, talk=timedelta(seconds=2)))
    site.on_duty("c001")
    site.until_members("c001")
    facts = site.pbx.home / "lib" / "astdb.sqlite3"
    until(lambda: "hotline-fact" in site.pbx.console("database show"), 30, what="the facts to be pushed")
    call = site.call(NUMBER, name=NAME)
    site.until_talking(call)
    site.until_on_record([call])
    site.until_quiet()
    until(lambda: b"hotline-fact" in facts.read_bytes(), 10, what="the facts to be on the disk")
    return site


def secrets_on_disk(site: Site) -> dict[str, set[str]]:
    """Return every file of the site with a secret; what the actors of the test wrote is not the site's."""
    found = places_of_secrets(site.folder, NEEDLES)
    return {file: secrets for file, secrets in found.items() if not file.startswith("actors/")}


def test_exactly_the_places_named_hold_a_caller_in_clear(called: Site) -> None:
    found = secrets_on_disk(called)
    assert found == {
        "asterisk/log/cel-custom/journal.csv": {NUMBER},
        "asterisk/log/queue_log": {NUMBER},
        "asterisk/etc/extensions.conf": {DUTY_MOBILE},
    }
    named = told_to_be_clear()
    assert [file for file in found if not any(fnmatch(file, pattern) for pattern in named)] == []


def test_a_caller_is_gone_from_the_disk_when_the_journal_is_old_enough(called: Site) -> None:
    """What is folded and `journal_days` old is deleted; nothing else ever held it in clear."""
    called.python.close()
    follower = JournalFollower(called.pbx.home, called.app.store)
    today = datetime.now(UTC)
    follower.catch_up(today)
    begun_anew = today + timedelta(days=1, hours=1)
    follower.rotate(begun_anew, reopen=lambda: called.pbx.console("logger reload"))
    # The line goes on: somebody else calls, so that reading stands in a newer file.
    called.call("13900001111").actor.wait()
    follower.catch_up(begun_anew)
    assert NUMBER in set().union(*secrets_on_disk(called).values())
    follower.rotate(today + timedelta(days=8), keep=timedelta(days=7))
    assert NUMBER not in set().union(*secrets_on_disk(called).values())
    assert NAME not in set().union(*secrets_on_disk(called).values())
