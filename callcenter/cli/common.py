"""What every command group shares: the actor, `--json`, and tables that fit 80 columns."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any, TypeVar

import click
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from callcenter.bootstrap import App
from callcenter.cli.folding import WIDTH, fold, visible
from callcenter.cli.token import read_token
from callcenter.errors import Forbidden, Refused
from callcenter.service.access import acting
from callcenter.service.followup.debt_rows import MOST
from callcenter.service.staff import signin

F = TypeVar("F", bound=Callable[..., Any])

pass_app = click.make_pass_decorator(App)

#: What a list shows where nobody says how much.
PAGE = 50
limit_option = click.option(
    "--limit", type=click.IntRange(min=0), default=PAGE, show_default=True, help="最多列出几条；0：全部"
)
json_option = click.option("--json", "as_json", is_flag=True, help="输出 JSON(英文键,格式稳定)")


#: For a list that tells nothing of anybody: it may be asked in anybody's name, and asks for none.
nobody_option = click.option("--as", "nobody", expose_value=False, help="可以不写：不涉及任何人的资料")


def actor_option(command: F) -> F:
    """Add `--as CODE`; the command receives `actor`, an active user's code.

    Where the site has people sign in (`access.cli_sign_in`) it is who signed in, and nobody else.
    """

    @click.option("--as", "actor", envvar="HOTLINE_ACTOR", help="以谁的名义(人员代码);也可用 HOTLINE_ACTOR")
    @functools.wraps(command)
    def checked(*args: Any, actor: str | None, **kwargs: Any) -> Any:
        app = click.get_current_context().find_object(App)
        if app is None:
            raise RuntimeError("the root command sets the App")
        return command(*args, actor=known_actor(app, actor), **kwargs)

    return checked  # type: ignore[return-value]


def counted(shown: int, more: int) -> str:
    """Say how many a list shows, and how many stand behind its first page."""
    if not more:
        return f"共 {shown} 件。"
    behind = f"{more} 件以上" if more >= MOST else f"{more} 件"
    return f"列出 {shown} 件，后面还有 {behind}（--limit 0 全部列出）。"


def known_actor(app: App, actor: str | None) -> str:
    """Return who acts, for the few commands that only sometimes need somebody; raise `Forbidden`."""
    return _signed_in(app, actor) if app.settings.access.cli_sign_in else _believed(app, actor)


def _believed(app: App, actor: str | None) -> str:
    """Return whom `--as` names: whoever has the operating system's account is believed."""
    if not actor:
        raise click.UsageError("请说明以谁的名义:--as 您的代码,或先运行 export HOTLINE_ACTOR=您的代码")
    with app.reading() as work:
        acting(work, actor)
    return actor


def _signed_in(app: App, actor: str | None) -> str:
    """Return who signed in at this terminal; raise `Forbidden` if nobody did, or `--as` names another."""
    token = read_token(app)
    if token is None:
        raise Forbidden("请先登录:hotline login 您的代码")
    policy = signin.policy_of(app.settings.access)
    with app.store() as work:
        user = signin.authenticate(work, token, now=app.clock(), policy=policy)
        work.commit()
    if actor and actor != user.code:
        raise Forbidden(f"登录的是 {user.code},不能以 {actor} 的名义操作。")
    return user.code


def console() -> Console:
    """Return a console that keeps 80 columns where nobody says how wide it is."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(width=WIDTH, highlight=False)


def say(sentence: str, *, further: str = "", err: bool = False) -> None:
    """Print a sentence in lines of 80 columns at most; a word longer than that stays whole."""
    for line in fold(visible(sentence), WIDTH, further=further):
        click.echo(line, err=err)


def show_rows(
    rows: Sequence[Mapping[str, object]], columns: Sequence[tuple[str, str]], as_json: bool = False
) -> None:
    """Print rows as a table (`columns`: key, title) or, whole, as JSON.

    Where the columns do not fit side by side, each row stands as lines of its own.
    """
    if as_json:
        _print_json([dict(r) for r in rows])
        return
    screen = console()
    cells = [[title, *(said(row.get(key)) for row in rows)] for key, title in columns]
    widths = _least_widths([key for key, _ in columns], cells, screen.width)
    if rows and _total(widths) > screen.width:
        _show_one_by_one(screen, cells)
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for (title, *column), width in zip(cells, widths, strict=True):
        is_whole = width >= max(map(cell_len, (title, *column)))
        table.add_column(title, overflow="fold", no_wrap=is_whole, min_width=width)
    for row in zip(*(column for _, *column in cells), strict=True):
        table.add_row(*map(Text, row))  # as it is: brackets in a name are no markup
    screen.print(table)


def _show_one_by_one(screen: Console, cells: Sequence[Sequence[str]]) -> None:
    """Print each row as lines `title  value`: what is copied out of it is still whole."""
    titles = [title for title, *_ in cells]
    for row in zip(*(column for _, *column in cells), strict=True):
        click.echo("─" * min(WIDTH, screen.width))
        _show_pairs(zip(titles, row, strict=True), screen.width)


def _show_pairs(pairs: Iterable[tuple[str, str]], width: int) -> None:
    known = list(pairs)
    margin = max((cell_len(title) for title, _ in known), default=0) + 2
    for title, value in known:
        beside = " " * margin
        first, *rest = fold(value, max(width - margin, _FOLDED)) or [""]
        click.echo(f"{title}{' ' * (margin - cell_len(title))}{first}".rstrip())
        for line in rest:
            click.echo(f"{beside}{line}".rstrip())


def _print_json(value: object) -> None:
    """Print JSON in which signs that act on a screen stand as escapes: it reads the same to a machine."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=plain)
    click.echo("".join(sign if visible(sign) == sign else json.dumps(sign)[1:-1] for sign in text))


#: Columns people copy into the next command, or know by sight: never folded.
_COPIED = frozenset({"id", "call", "number", "name", "object"})
#: No column is folded to less than this.
_FOLDED = 8
#: Cells that read badly in two lines: moments, dates and durations; and codes, where there is room.
_MOMENT = re.compile(r"(\d{4}-)?\d\d-\d\d( \d\d:\d\d(:\d\d)?)?|\d+:\d\d|—")
_CODE = re.compile(r"[!-~]{1,24}|—")


def _least_widths(keys: Sequence[str], cells: Sequence[Sequence[str]], room: int) -> list[int]:
    """Return how narrow each column may become: codes are folded only where they do not fit."""
    widths: list[int] = []
    for shape in (_CODE, _MOMENT):
        widths = [_least_width(key, column, shape) for key, column in zip(keys, cells, strict=True)]
        if _total(widths) <= room:
            break
    return widths


def _least_width(key: str, column: Sequence[str], whole: re.Pattern[str]) -> int:
    natural = max(map(cell_len, column))
    stays = key in _COPIED or all(_MOMENT.fullmatch(cell) or whole.fullmatch(cell) for cell in column[1:])
    return natural if stays else min(natural, _FOLDED)


def _total(widths: Sequence[int]) -> int:
    """Return how wide a table is: two blanks between columns."""
    return sum(widths) + 2 * (len(widths) - 1)


def say_parts(head: str, parts: Sequence[str]) -> None:
    """Print `head` and parts joined by `、`, in lines of 80 columns at most, never broken within a part."""
    line = head
    for place, part in enumerate(parts):
        more = part if place == len(parts) - 1 else f"{part}、"
        if cell_len(line + more) > WIDTH:
            click.echo(line)
            line = "  "
        line += more
    click.echo(line)


def show_one(row: Mapping[str, object], titles: Sequence[tuple[str, str]], as_json: bool = False) -> None:
    """Print one thing, a line per field, or as JSON."""
    if as_json:
        _print_json(dict(row))
        return
    _show_pairs(((title, said(row.get(key))) for key, title in titles), console().width)


def said(value: object) -> str:
    """Return a value as people read it: no `None`, durations as m:ss, local minutes, nothing that acts."""
    match value:
        case None | "":
            return "—"
        case bool():
            return "是" if value else "否"
        case datetime():
            return local(value)
        case timedelta():
            return minutes(value)
        case Enum():
            return visible(str(value.value))
        case tuple() | list():
            return " ".join(said(item) for item in value) or "—"
        case _:
            return visible(str(value))


def local(moment: datetime) -> str:
    """Return the wall time at the site: `11-23 19:04:05`."""
    app = click.get_current_context().find_object(App)
    zone = app.settings.site.zone if app else None
    return moment.astimezone(zone).strftime("%m-%d %H:%M:%S")


def minutes(length: timedelta) -> str:
    """Return a duration as `m:ss`."""
    whole = round(length.total_seconds())
    return f"{whole // 60}:{whole % 60:02d}"


def check_year(day: date) -> None:
    """Raise `Refused` for a year no line has: arithmetic with the last days of the calendar fails."""
    if not 2000 <= day.year <= 2100:
        raise Refused("年份应在 2000 至 2100 之间。")


def plain(value: object) -> object:
    """Return a JSON-able stand-in: ISO instants, seconds, enum values, lists."""
    match value:
        case datetime() | date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Enum():
            return value.value
        case frozenset() | set() | tuple():
            return sorted(value) if isinstance(value, (set, frozenset)) else list(value)
        case _:
            return str(value)
