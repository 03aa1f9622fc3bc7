"""What is typed and shown at the terminal: masked unless revealed, and no message repeats what was typed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import click
import pytest
from planted import IDENTITY_NUMBER, NAME, NOTE, NUMBER, found_in, places_of_secrets, secret_text
from sqlalchemy import LargeBinary, select
from typing_at import Leaf, Site, leaves, open_site

from callcenter.db.engine import make_engine
from callcenter.db.tables import metadata
from callcenter.domain.books import BOOKS

#: Commands that exist to show who somebody is, with a reason that is audited.
REVEALS = {"people reveal", "calls reveal", "rescue dial"}
#: Command -> why what somebody wrote may stand in what it prints.
SHOWS_TEXT: Mapping[str, str] = {
    "audit list": "why somebody did what they did is what is looked for",
    "audit holds": "why something is held",
    "audit tombstones": "why something went",
    "duty debrief list": "what was agreed in talking a hard call over: the supervisor's and the counsellor's",
    "duty hours": "why somebody's hours were put right: they are paid by it",
    "duty template list": "what whoever plans called a shift that recurs",
    "export list": "why a file left the store: whoever made it has to answer for it",
    "people reveals": "why somebody looked: a supervisor reviews it",
    "people answer": "the request with the answer just given",
    "people block": "the block as it was just set",
    "people blocks": "why a number is not put through, to lift it again",
    "people unblock": "the block as it was just lifted",
    "people plan": "what is to be known when they call",
    "people request": "the request as it was just taken down",
    "people requests": "what is asked for, to be answered",
    "handover list": "who handed over: whoever takes it asks them",
    "handover accept": "what whoever takes it has to know",
    "queue next": "what was agreed about ringing somebody: whoever dials has to know",
    "queue show": "what was agreed about ringing somebody: whoever dials has to know",
    "queue why": "why colleagues put it off, handed it up or let it go: whoever calls next has to know",
    "queue sheet accept": "who takes it over: a colleague's code",
    "queue sheet list": "who took it over: a colleague's code",
    "queue waivers": "why a debt is to be let go: whoever signs second has to know",
    "rescue dial": "what has to be told to who is sent",
    "rescue show": "the rescue's own log",
    "rescue confirm": "the rescue as it was just confirmed",
}
LEFT_OUT = {"serve", "demo", "pbx start", "pbx apply", "pbx check", "pbx render", "keys rotate"}
LEFT_OUT |= {"keys retire"}
LEAVES = [leaf for leaf in leaves() if str(leaf) not in LEFT_OUT and leaf.words[0] not in {"ivr", "twilio"}]
#: Argument -> what is there under that name; else the id of the book whose values begin with its letters.
THERE = {
    "agent": "c017",
    "code": "c017",
    "call": "pbx1-1700000000.12",
    "call_id": "pbx1-1700000000.12",
    "obligation": "ob-2",
    "session_id": "se-1",
    "file_no": "WX-1",
    "alarm_id": "al-1",
    "shift_id": "sh-1",
    "person": "P-7F3K",
    "kept": "P-7F3K",
    "object": "person:p1",
    "start": "2026-11-24 09:00",
    "length": "4h",
    "day": "2026-11-23",
    "substitute": "c017",
    "hours": "19:00-01:00",
    "days": "1-5",
    "first_day": f"{datetime.now(UTC).date()}",
    "last_day": f"{datetime.now(UTC).date()}",
    "month": "2026-11",
    "first": "2026-11-23",
    "last": "2026-12-31",
    "chosen": "2026-W48",
    "agents": "c017",
    "aht": "60m",
    "patience": "5m",
}
TEXTS = {"reason", "note", "remarks", "remark", "wish", "text", "identity", "value", "set", "links", "times"}
TEXTS |= {"instructions", "fact", "how", "visit", "line", "channel", "worker", "title"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with pytest.MonkeyPatch.context() as patch:
        yield open_site(tmp_path_factory.mktemp("site"), patch)


def words_for(leaf: Leaf, site: Site, chosen: frozenset[str]) -> list[str]:
    """Return what somebody would type: things that are there, secrets where one writes freely.

    `chosen` are the options given besides those that have to be.
    """
    words: list[str] = []
    for parameter in leaf.command.params:
        name = (parameter.name or "").rstrip("_")
        if isinstance(parameter, click.Argument):
            words.append(_typed(leaf, name, parameter, site))
        elif not parameter.required and name not in chosen:
            continue
        elif getattr(parameter, "is_flag", False):
            words.append(parameter.opts[0])
        else:
            words += [parameter.opts[0], _typed(leaf, name, parameter, site)]
    return words


def choices(leaf: Leaf) -> Iterator[frozenset[str]]:
    """Yield the options to give: none, each alone, each with `--json`, all."""
    names = {(parameter.name or "").rstrip("_") for parameter in leaf.command.params}
    free = sorted(names - {"actor", "help", "overwrite", "reveal"})
    yield frozenset()
    for name in free:
        yield frozenset({name})
        yield frozenset({name, "as_json"} & names)
    yield frozenset(free) - {"dry_run", "as_json"}


def _typed(leaf: Leaf, name: str, parameter: click.Parameter, site: Site) -> str:
    if isinstance(parameter.type, click.Choice):
        return str(next(iter(parameter.type.choices)))
    if isinstance(parameter.type, click.IntRange):
        return "1"
    if isinstance(parameter.type, click.Path):
        return str(site.folder / "out")
    if name == "identity" and "密钥" in str(getattr(parameter, "help", "")):
        return str(site.folder / "out")  # a file with the recovery key
    if name in TEXTS:
        return secret_text()
    if name in {"number", "mobile"}:
        return NUMBER
    if name == "name":
        return NAME
    if (str(leaf), name) == ("queue done", "obligation"):
        return "ob-3"  # ob-2 was closed
    return THERE.get(name) or _of_a_book(name, site)


def _of_a_book(name: str, site: Site) -> str:
    called = name.removesuffix("_id")
    book = next((b for b in BOOKS if b.table.removeprefix("shift_").startswith(called)), None)
    if book is None:
        return "1"
    with site.app.store() as work:
        return str(next((value.id for value in work.book(book).where()), "1"))


@pytest.mark.parametrize("leaf", LEAVES, ids=str)
def test_nothing_is_printed_that_was_not_asked_for(leaf: Leaf, site: Site) -> None:
    allowed = {NAME, NUMBER} if str(leaf) in REVEALS else set()
    allowed |= {NOTE, IDENTITY_NUMBER} if str(leaf) in SHOWS_TEXT else set()
    for chosen in choices(leaf):
        done = site.type(*leaf.words, *words_for(leaf, site, chosen), stdin="y\n")
        shown = found_in(done.output.encode("utf-8", "surrogateescape"))
        assert shown <= allowed, f"{leaf} {sorted(chosen)}: {done.output[:1500]}"


def test_nothing_stands_in_the_folder_or_in_a_clear_column(site: Site) -> None:
    """After everything above was typed with secrets wherever one writes freely."""
    assert clear_places(site) == {}
    assert places_of_secrets(site.folder) == {}


def clear_places(site: Site) -> dict[str, set[str]]:
    """Return the columns in clear that hold a secret."""
    engine, found = make_engine(site.app.settings.database_url), dict[str, set[str]]()
    with engine.connect() as link:
        for table in metadata.sorted_tables:
            clear = [column for column in table.columns if not isinstance(column.type, LargeBinary)]
            for row in link.execute(select(*clear)).mappings():
                for column, value in row.items():
                    if secrets := found_in(str(value).encode()):
                        found[f"{table.name}.{column}"] = secrets
    engine.dispose()
    return found
