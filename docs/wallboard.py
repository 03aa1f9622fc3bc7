"""Draw the wallboard of a made-up evening: `.venv/bin/python docs/wallboard.py`.

`tests/unit/test_docs_wallboard.py` fails when the picture shows another board than the command would.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from callcenter.cli.calls_live import lines_of
from callcenter.domain.alarms import AlarmKind
from callcenter.domain.calls import Direction
from callcenter.domain.listening import ListenMode
from callcenter.domain.wallboard import At, Board, Ear, OnBoard, OnLine, Pending, Priority, Standing, Today

sys.path.insert(0, str(Path(__file__).parent))
from picture import FRAME, PAPER, widened

PICTURE = Path(__file__).parent / "images" / "wallboard.svg"
ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 19, 30, tzinfo=ZONE)


def ago(minutes: int, seconds: int = 0) -> datetime:
    """Return a moment before the evening's present."""
    return NOW - timedelta(minutes=minutes, seconds=seconds)


def call(at: At, since: datetime, tail: str, *who: str, long: bool = False, ear: str = "") -> OnLine:
    """Return a call that came in."""
    return OnLine(
        id=f"pbx1-{tail}",
        at=at,
        since=since,
        direction=Direction.INBOUND,
        number=f"138****{tail}",
        who=who,
        priority=Priority.OWED if tail == "8000" else Priority.NONE,
        is_long=long,
        ears=(Ear(by=ear, mode=ListenMode.LISTEN),) if ear else (),
    )


def person(agent: str, name: str, standing: Standing, since: datetime | None, kind: str = "line") -> OnBoard:
    """Return somebody who is planned for the evening."""
    reason = "meal" if standing is Standing.PAUSED else ""
    return OnBoard(agent=agent, name=name, kind=kind, standing=standing, since=since, reason=reason)


BOARD = Board(
    at=NOW,
    calls=(
        call(At.WAITING, ago(3), "8000"),
        call(At.WAITING, ago(0, 20), "8002"),
        call(At.RINGING, ago(0, 4), "8004", "c018"),
        call(At.TALKING, ago(52), "8003", "c017", long=True, ear="s001"),
        call(At.TALKING, ago(9), "8005", "c021"),
    ),
    people=(
        person("c017", "林**", Standing.TALKING, ago(52)),
        person("c018", "顾**", Standing.RINGING, ago(0, 4)),
        person("c019", "吴**", Standing.PAUSED, ago(8)),
        person("c020", "周*", Standing.NOT_SIGNED_ON, ago(7)),
        person("c022", "沈*", Standing.DEBRIEF, ago(31)),
        person("c021", "钱*", Standing.TALKING, ago(9), "backup"),
        person("s001", "孙*", Standing.ON_CALL, None, "supervisor"),
    ),
    pending=(
        Pending(kind=AlarmKind.CRISIS, id="pbx1-8005", since=ago(1), agent="c021"),
        Pending(kind=AlarmKind.HANDOVER_OPEN, id="ho-31b9", since=ago(5), agent="c017", to="c018"),
    ),
    today=Today(offered=24, answered=22, in_time=18, short=1, promised=1),
    unread=0,
)


def drawn() -> str:
    """Return the picture."""
    console = Console(record=True, width=80, highlight=False, color_system="truecolor", file=StringIO())
    console.print(Text("\n".join(lines_of(BOARD, ZONE))))
    svg = console.export_svg(
        title="hotline calls live", theme=PAPER, code_format=FRAME, unique_id="wallboard"
    )
    return "\n".join(line.rstrip() for line in widened(svg).splitlines()) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(drawn(), encoding="utf-8")
