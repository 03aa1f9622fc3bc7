"""A site full of secrets in a folder, and every command of `hotline` to type at it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from planted import fill

from callcenter import bootstrap
from callcenter.bootstrap import App
from callcenter.cli import main
from callcenter.config import load_settings
from callcenter.domain.books import BOOKS
from callcenter.domain.users import Role, User
from callcenter.ports import UnitOfWork

#: Everybody's roles in one person: whatever a command shows to anybody, it shows to them.
EVERYBODY = "e001"


@dataclass(frozen=True)
class Leaf:
    """One command, and the words that lead to it."""

    words: tuple[str, ...]
    command: click.Command

    def __str__(self) -> str:
        return " ".join(self.words)


def leaves(command: click.Command = main, words: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Yield every command that is no group."""
    if not isinstance(command, click.Group):
        yield Leaf(words, command)
        return
    for name in command.list_commands(click.Context(command)):
        inner = command.get_command(click.Context(command), name)
        assert inner is not None
        yield from leaves(inner, (*words, name))


@dataclass(frozen=True)
class Site:
    """A folder with a store that holds a secret in every sealed text, and who types there."""

    folder: Path
    app: App

    def type(self, *words: str, stdin: str = "") -> Result:
        return CliRunner().invoke(main, list(words), input=stdin)

    def ids(self) -> Sequence[str]:
        """Return ids and codes of things that are there, as people copy them."""
        with self.app.store() as work:
            return [*KNOWN, *(value.id for book in BOOKS for value in work.book(book).where())]


KNOWN = (
    "c017",
    EVERYBODY,
    "p1",
    "P-7F3K",
    "ob-1",
    "se-1",
    "al-1",
    "WX-1",
    "sh-1",
    "pbx1-1700000000.12",
    "inbound",
)


def open_site(folder: Path, patch: pytest.MonkeyPatch) -> Site:
    """Make the site and stand in its folder. Nothing of it reaches a PBX, an editor or another folder."""
    patch.chdir(folder)
    for name in ("CONFIG", "HOME", "ASTERISK_TREE"):
        patch.delenv(f"HOTLINE_{name}", raising=False)
    patch.setenv("HOTLINE_ACTOR", EVERYBODY)
    patch.setenv("EDITOR", "true")
    patch.setattr(bootstrap, "_PBX_PATIENCE", 0.01)
    begun = CliRunner().invoke(main, ["init"])
    assert begun.exit_code == 0, begun.output
    app = App(settings=load_settings())
    with app.store() as work:
        _join(work)
        work.commit()
    fill(app.store, datetime.now(UTC))
    return Site(folder, app)


def _join(work: UnitOfWork) -> None:
    work.users.add(User(code=EVERYBODY, name="赵样样", roles=frozenset(Role)))
