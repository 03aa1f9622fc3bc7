"""The queue's screen as lines of text: any size from 40×10 on, Chinese two columns wide, no colour."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from callcenter.cli.queue_screen.model import Asking, Item, Mode, Screen, Shelf
from callcenter.domain.columns import folded, width

_SHELVES = {Shelf.TODAY: "今天", Shelf.DUE: "已到期", Shelf.MINE: "由我负责", Shelf.ALL: "全部"}
#: Columns of the list before the last, which takes what is left: title, width.
_COLUMNS = (("级", 5), ("事由", 8), ("对象", 10), ("应联系", 11), ("逾期", 6), ("负责", 5))
#: Lines around the list: title, heading; rule, two of the debt under the cursor, keys.
_AROUND = 6
_FOOT = 4
_KEYS = "回车详情 c认领 d拨打 o结果 v完成 s推迟 e上报 a转交 w免除 f换栏 ?帮助 q离开"
#: Written over what a screen cannot show, or would act on.
_STRANGE = "·"


def page_of(rows: int) -> int:
    """Return how many debts fit on a screen of so many rows, the bottom line taken off."""
    return max(1, rows - 1 - _AROUND)


def lines(screen: Screen, columns: int, rows: int) -> list[str]:
    """Return `rows` - 1 lines, each exactly `columns` wide; the bottom line is `bottom`'s."""
    body = _list(screen, columns, rows) if screen.mode is Mode.LIST else _text(screen, columns, rows)
    return [fitted(line, columns) for line in body]


def bottom(screen: Screen, columns: int) -> str:
    """Return the bottom line: the question, or what was said last."""
    if screen.asking:
        return fitted(prompt(screen.asking), columns)
    # What is too long for a line stands above the keys, whole.
    return fitted(screen.message if width(screen.message) <= columns else "", columns)


def prompt(asking: Asking) -> str:
    """Return what stands before the answer, short enough to leave room for it."""
    return f"{asking.question.text}：" if not asking.question.is_confirmation else asking.question.text + " "


def fitted(text: str, columns: int) -> str:
    """Return a text exactly so many columns wide: cut with `…`, or filled with blanks."""
    text = "".join(_shown(sign) for sign in text)
    if width(text) > columns:
        text = _cut(text, columns - 1) + "…"
    return text + " " * (columns - width(text))


def _cut(text: str, most: int) -> str:
    kept, taken = [], 0
    for sign in text:
        taken += width(sign)
        if taken > most:
            break
        kept.append(sign)
    return "".join(kept)


def _shown(sign: str) -> str:
    """Return a sign, or a dot for one that moves the cursor, joins, or has no width of its own."""
    return _STRANGE if unicodedata.category(sign)[0] in "CM" or sign in "\u2028\u2029" else sign


def _list(screen: Screen, columns: int, rows: int) -> list[str]:
    foot = _foot(screen, columns)
    # What may be answered takes its lines from the list; the debt it is about stays in sight.
    page = max(1, page_of(rows) - (len(foot) - _FOOT))
    first = (screen.cursor // page) * page
    shown = screen.items[first : first + page]
    listed = [_row(item, first + n == screen.cursor, columns) for n, item in enumerate(shown)]
    if not screen.items:
        listed = ["  没有要办的事。"]
    blank = [""] * (page - len(listed))
    return [_title(screen, first + len(shown)), _heading(), *listed, *blank, *foot]


def _title(screen: Screen, last: int) -> str:
    behind = len(screen.items) - last + screen.more
    rest = f"，后面还有 {behind}" if behind else ""
    count = f"{len(screen.items) + screen.more} 件{rest}"
    return f"回访队列·{_SHELVES[screen.shelf]}  {count}  {screen.dialler}  {screen.actor} {screen.clock}"


def _heading() -> str:
    return "  " + "".join(fitted(title, size) + " " for title, size in _COLUMNS) + "情况"


def _row(item: Item, is_here: bool, columns: int) -> str:
    mark = ">" if is_here else " "
    cells = (item.level, item.kind, item.who, item.due, item.overdue, item.owner)
    sized = zip(cells, _COLUMNS, strict=True)
    return mark + item.sign + "".join(fitted(cell, size) + " " for cell, (_, size) in sized) + item.short


def _foot(screen: Screen, columns: int) -> list[str]:
    here = screen.here
    choices = screen.asking.question.choices if screen.asking else ()
    if choices:
        said = folded("  ".join(f"{n}.{word}" for n, (_, word) in enumerate(choices, start=1)), columns)
        said += [""] * (2 - len(said))
    elif width(screen.message) > columns:
        said = folded(screen.message, columns)
        said += [""] * (2 - len(said))
    elif here is not None:
        said = _two(folded(" ".join(filter(None, (here.id, here.phone, here.remark, here.short))), columns))
    else:
        said = ["", ""]
    return ["-" * columns, *said, _KEYS]


def _two(said: Sequence[str]) -> list[str]:
    """Return two lines of what may be more: the second says so."""
    if len(said) > 2:
        return [said[0], said[1] + " …"]
    return [*said, *[""] * (2 - len(said))]


def _text(screen: Screen, columns: int, rows: int) -> list[str]:
    """Return a text that is read: folded, scrolled no further than its end."""
    whole = [part for line in screen.lines for part in folded(line, columns)]
    room = rows - 1 - 2
    above = max(0, min(screen.above, len(whole) - room))
    part = whole[above : above + room]
    behind = len(whole) - above - len(part)
    title = "按键说明" if screen.mode is Mode.HELP else f"{screen.here.id if screen.here else ''}"
    more = f"j 往下还有 {behind} 行  " if behind else ""
    return [title, *part, *[""] * (room - len(part)), f"{more}q 返回"]
