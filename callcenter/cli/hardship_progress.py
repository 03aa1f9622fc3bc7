"""How far an import is: a bar where somebody looks, else a line now and then. On stderr, always."""

from __future__ import annotations

from types import TracebackType

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from callcenter.service.hardship.importing import Step

_WORDS = {
    Step.READ: "读取名单",
    Step.COMPARE: "与档案对照",
    Step.WRITE: "写入档案",
    Step.DERIVE: "推算应联系的人",
}
#: Below so many rows nobody waits long enough to be told.
_SHORT = 1000
#: Rows between two lines.
_LINE = 10_000


class Meter:
    """Shows how far an import is. `shown` False: it says nothing."""

    def __init__(self, *, shown: bool) -> None:
        self._is_shown = shown
        screen = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._bars = Progress(*columns, console=screen, transient=True)
        self._is_live = shown and screen.is_terminal
        self._tasks: dict[Step, TaskID] = {}
        self._told: dict[Step, int] = {}

    def __enter__(self) -> Meter:
        if self._is_live:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._is_live:
            self._bars.stop()

    def read(self, rows: int) -> None:
        """Note how many rows are read."""
        self(Step.READ, rows, 0)

    def __call__(self, step: Step, done: int, total: int) -> None:
        """Note how far a step is; `total` 0: nobody knows of how much."""
        if self._is_live:
            if step not in self._tasks:
                self._tasks[step] = self._bars.add_task(_WORDS[step])
            self._bars.update(self._tasks[step], completed=done, total=total or None)
        elif self._is_shown:
            self._line(step, done, total)

    def _line(self, step: Step, done: int, total: int) -> None:
        if max(done, total) < _SHORT:
            return
        lines = done // _LINE
        if step in self._told and lines <= self._told[step]:
            return
        self._told[step] = lines
        far = f"{done} / {total}" if total else f"{done}"
        click.echo(f"{_WORDS[step]}：{far}", err=True)
