"""Draw the queue's screen of a made-up morning: `.venv/bin/python docs/queue_screen.py`.

`tests/unit/test_docs_wallboard.py` fails when the picture shows another screen than the command would.
"""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

from callcenter.cli.queue_screen import draw
from callcenter.cli.queue_screen.model import Item, Screen

sys.path.insert(0, str(Path(__file__).parent))
from picture import FRAME, PAPER, widened

PICTURE = Path(__file__).parent / "images" / "queue.svg"
COLUMNS, ROWS = 80, 24


def item(n: int, kind: str, who: str, due: str, short: str, **more: str) -> Item:
    """Return a debt of a made-up person."""
    number = f"138****{8000 + n}"
    return Item(id=f"ob-{n:x}kq4x2m7s{n:03d}", kind=kind, who=who, due=due, short=short, phone=number, **more)


SCREEN = Screen(
    actor="s001",
    clock="11-24 10:05",
    dialler="自动拨打:开",
    cursor=1,
    more=22,
    items=(
        item(1, "高危随访", "周**", "11-24 09:00", "1次，无人接听", level="高危", owner="c017", sign="!"),
        item(2, "承诺回电", "P-7F3K", "11-24 09:40", "未拨打", overdue="25分", owner="c018"),
        item(3, "计划联系", "吴**", "11-24 10:00", "未拨打", owner="c017"),
        item(4, "困难回访", "沈**", "11-23 09:00", "2次，占线；已转人工", sign="?", overdue="9小时"),
        item(5, "未接回电", "钱*", "11-24 09:55", "未拨打"),
        item(6, "人工核实", "顾**", "11-24 08:30", "空号，要核实", remark="有号码不宜拨打"),
        item(7, "困难回访", "欧*****", "11-24 09:00", "未拨打；排队待拨"),
        item(8, "困难回访", "孙**", "11-24 09:00", "3次，无人接听；已转人工"),
        item(9, "上门走访", "陆**", "11-20 09:00", "未拨打", owner="c021"),
        item(10, "困难回访", "王*", "11-24 09:00", "未拨打", sign="z", owner="s001"),
    ),
)


def drawn() -> str:
    """Return the picture."""
    console = Console(record=True, width=COLUMNS, highlight=False, color_system="truecolor", file=StringIO())
    shown = [*draw.lines(SCREEN, COLUMNS, ROWS), draw.bottom(SCREEN, COLUMNS)]
    console.print(Text("\n".join(line.rstrip() for line in shown)))
    svg = console.export_svg(title="hotline queue", theme=PAPER, code_format=FRAME, unique_id="queue")
    return "\n".join(line.rstrip() for line in widened(svg).splitlines()) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(drawn(), encoding="utf-8")
