"""`hotline sessions` as tests type it, at a desk whose store is memory."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner, Result
from session_desk import desk

from callcenter.bootstrap import App
from callcenter.cli.sessions import sessions
from callcenter.config import Settings
from callcenter.domain.books import DRAFTS, SESSION_VERSIONS
from callcenter.errors import CallCenterError
from callcenter.memory import MemoryStore
from callcenter.service.sessions.drafts import save_draft

FORM = desk().form
NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


class Desk(App):
    """An App with its store in memory and a clock that stands."""

    def __init__(self, home: Path) -> None:
        super().__init__(settings=Settings(home=home))
        self.__dict__["store"] = MemoryStore()
        self.clock = lambda: NOW  # type: ignore[method-assign]

    def draft(self, session: str) -> str | None:
        with self.store() as work:
            found = work.book(DRAFTS).one(session)
        return found.text if found else None

    def types(self, session: str, text: str, by: str = "c017") -> None:
        """Save a draft as an editor does."""
        with self.store() as work:
            before = work.book(DRAFTS).one(session)
            seen = before.revision if before else None
            save_draft(work, session, text, form=FORM, base=0, seen=seen, actor=by, now=NOW)
            work.commit()

    def version(self, session: str, n: int) -> dict[str, Any]:
        with self.store() as work:
            return dict(work.book(SESSION_VERSIONS).get(f"{session}/{n}").answers)


def run(app: Desk, *words: str, by: str = "c017", typed: str | bytes | None = None) -> Result:
    environment = {"HOTLINE_ACTOR": by, "COLUMNS": "80"}
    done = CliRunner().invoke(sessions, [*words], obj=app, env=environment, input=typed)
    if done.exception is None or isinstance(done.exception, SystemExit):
        return done
    if not isinstance(done.exception, CallCenterError):
        raise done.exception
    # Which the root command turns into one line.
    return CliRunner().invoke(_said(done.output, str(done.exception)))


def _said(before: str, text: str) -> Any:
    @click.command()
    def fails() -> None:
        click.echo(before, nl=False)
        raise click.ClickException(text)

    return fails
