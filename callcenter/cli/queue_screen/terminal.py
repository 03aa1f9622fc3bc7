"""The queue's screen in a real terminal (prompt_toolkit 3)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace

from prompt_toolkit.application import Application
from prompt_toolkit.application.current import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.data_structures import Size
from prompt_toolkit.filters import Condition
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import (
    BufferControl,
    ConditionalContainer,
    FormattedTextControl,
    HSplit,
    Layout,
    VSplit,
    Window,
)
from prompt_toolkit.output import ColorDepth

from callcenter.bootstrap import App
from callcenter.cli.queue_screen import draw
from callcenter.cli.queue_screen.acts import CHOICES, Desk
from callcenter.cli.queue_screen.model import (
    Act,
    Effect,
    Explain,
    Item,
    Leave,
    Load,
    Mode,
    Screen,
    Shelf,
    answer,
    cancel,
    explained,
    loaded,
    press,
)
from callcenter.domain.columns import width
from callcenter.errors import CallCenterError

log = logging.getLogger(__name__)

#: Read again by itself, so that what falls due and what others do is seen, seconds.
REFRESH = 20.0
#: A terminal may not be smaller; what does not fit is cut.
_LEAST = (40, 10)
#: prompt_toolkit's names of keys -> the model's.
_NAMES = {
    "c-m": "enter",
    "enter": "enter",
    "up": "up",
    "down": "down",
    "pageup": "pageup",
    "pagedown": "pagedown",
    "home": "home",
    "end": "end",
    "escape": "escape",
}
_LETTERS = "jkbgGfr?qcuadovsnexw "


def run(app: App, actor: str) -> None:
    """Show the queue until somebody leaves it. Raises `Forbidden` for who may not see it."""
    shown = _Shown(Desk(app, actor), actor)
    shown.show(shown.read())  # refused before anything is drawn
    asyncio.run(shown.application.run_async(pre_run=shown.begin))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fresh:
    """The list, as it was read a moment ago."""

    shelf: Shelf
    items: tuple[Item, ...]
    more: int
    clock: str
    dialler: str


class _Shown:
    """The screen, as it stands, and the terminal it is drawn on."""

    def __init__(self, desk: Desk, actor: str) -> None:
        self._desk = desk
        self.screen = Screen(actor=actor)
        self._input = Buffer(multiline=False, accept_handler=self._accept)
        self._running: set[asyncio.Task[None]] = set()
        self.application: Application[None] = Application(
            layout=self._layout(),
            key_bindings=self._keys(),
            full_screen=True,
            color_depth=ColorDepth.DEPTH_1_BIT,
            # Over a slow line a screen that is drawn too often is never drawn whole.
            min_redraw_interval=0.05,
        )

    def begin(self) -> None:
        """Have the list read again from time to time."""
        self._start(self._again_and_again())

    def read(self) -> _Fresh:
        """Read the list. Blocks; touches nothing that is shown."""
        shelf = self.screen.shelf
        items, more = self._desk.items(shelf)
        app = self._desk.app
        clock = f"{app.clock().astimezone(app.settings.site.zone):%m-%d %H:%M}"
        return _Fresh(shelf=shelf, items=items, more=more, clock=clock, dialler=self._desk.dialler())

    def show(self, fresh: _Fresh) -> None:
        """Show what was read."""
        self.screen = loaded(
            self.screen,
            fresh.items,
            more=fresh.more,
            clock=fresh.clock,
            dialler=fresh.dialler,
            shelf=fresh.shelf,
        )

    # --- drawing ---------------------------------------------------------------------------

    def _layout(self) -> Layout:
        asking = Condition(lambda: self.screen.asking is not None)
        body = Window(FormattedTextControl(self._body, show_cursor=False), always_hide_cursor=True)
        said = Window(FormattedTextControl(self._said), height=1)
        before = Window(FormattedTextControl(self._question), height=1, width=self._question_width)
        typed = VSplit([before, Window(BufferControl(self._input), height=1)])
        bottom = [ConditionalContainer(typed, asking), ConditionalContainer(said, ~asking)]
        return Layout(HSplit([body, *bottom]), focused_element=body)

    def _body(self) -> str:
        size = _size()
        return "\n".join(draw.lines(self.screen, size.columns, size.rows))

    def _said(self) -> str:
        return draw.bottom(self.screen, _size().columns)

    def _question(self) -> str:
        return draw.prompt(self.screen.asking) if self.screen.asking else ""

    def _question_width(self) -> int:
        return min(width(self._question()), _size().columns - 10)

    # --- keys ------------------------------------------------------------------------------

    def _keys(self) -> KeyBindings:
        keys, reading = KeyBindings(), Condition(lambda: self.screen.asking is None)
        for name, key in {**_NAMES, **{letter: letter for letter in _LETTERS}}.items():
            keys.add(name, filter=reading)(self._pressing(key))
        for name in ("escape", "c-g"):
            keys.add(name, filter=~reading, eager=True)(lambda event: self._cancelled())
        keys.add("c-c")(lambda event: self._cancelled() if self.screen.asking else event.app.exit())
        keys.add("c-l")(lambda event: event.app.renderer.clear())
        return keys

    def _pressing(self, key: str) -> Callable[[KeyPressEvent], None]:
        def pressed(event: KeyPressEvent) -> None:
            page = draw.page_of(_size().rows)
            self._take(*press(self.screen, key, page=page, choices=CHOICES))

        return pressed

    def _accept(self, buffer: Buffer) -> bool:
        self._take(*answer(self.screen, buffer.text))
        return False  # the line is emptied for the next answer

    def _cancelled(self) -> None:
        self._input.reset()
        self._take(cancel(self.screen), None)

    def _take(self, screen: Screen, effect: Effect | None) -> None:
        was_asking, self.screen = self.screen.asking, screen
        if (screen.asking is None) != (was_asking is None):
            self._focus(typing=screen.asking is not None)
        if effect is not None:
            self._start(self._do(effect))
        self.application.invalidate()

    def _focus(self, *, typing: bool) -> None:
        layout = self.application.layout
        layout.focus(self._input if typing else next(iter(layout.find_all_windows())))

    # --- what is done ----------------------------------------------------------------------

    async def _do(self, effect: Effect) -> None:
        try:
            match effect:
                case Leave():
                    self.application.exit()
                    return
                case Load():
                    self.screen = replace(self.screen, message="")
                case Explain(obligation=obligation):
                    lines = await asyncio.to_thread(self._desk.explain, obligation)
                    self.screen = explained(self.screen, obligation, lines)
                case Act():
                    message = await asyncio.to_thread(self._desk.do, effect)
                    self.screen = replace(self.screen, message=message, mode=Mode.LIST, reading=None)
            self.show(await asyncio.to_thread(self.read))
        except CallCenterError as error:
            self.screen = replace(self.screen, message=str(error))
        except Exception:
            # A screen that breaks off in mid-evening helps nobody: the next key may work.
            log.exception("the queue's screen", extra={"action": "screen"})
            told = "程序出错，请按 r 看是否已经办成；还是这样，请告诉运维。"
            self.screen = replace(self.screen, message=told)
        self.application.invalidate()

    async def _again_and_again(self) -> None:
        while True:
            await asyncio.sleep(REFRESH)
            if self.screen.asking is None and self.screen.mode is Mode.LIST:
                await self._do(Load()) if not self.screen.message else await self._reread()

    async def _reread(self) -> None:
        """Read the list, and leave standing what was said last."""
        said = self.screen.message
        await self._do(Load())
        self.screen = replace(self.screen, message=self.screen.message or said)

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)


def _size() -> Size:
    size = get_app().output.get_size()
    return Size(columns=max(size.columns, _LEAST[0]), rows=max(size.rows, _LEAST[1]))
