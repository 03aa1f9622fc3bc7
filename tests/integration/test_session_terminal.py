"""Writing a record at a real terminal, with a real process as the editor, and its end at the worst moment."""

from __future__ import annotations

import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from session_desk import FULL, desk, talked

from callcenter.bootstrap import App
from callcenter.cli.session_editor import MEMORY, _is_zombie, desk_for
from callcenter.config import Settings
from callcenter.demo.runner import until
from callcenter.domain.books import DRAFTS, SESSION_VERSIONS
from callcenter.domain.form_text import render
from callcenter.keys import KeyRing

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
FORM = desk().form
WORDS = "事实:\n  他说「撑不下去了」,停了很久\n"
PATIENCE = 30.0


@pytest.fixture
def site(tmp_path: Path, sqlite_url: str) -> App:
    """A site with a call that was answered."""
    app = App(settings=Settings(home=tmp_path))
    KeyRing.create(app.settings.key_file)
    talked(app.store, NOW)
    return app


class Terminal:
    """`hotline` in a terminal of its own."""

    def __init__(self, home: Path, editor: Path, *words: str) -> None:
        self._here, there = pty.openpty()
        environment = {
            **os.environ,
            "HOTLINE_HOME": str(home),
            "HOTLINE_ACTOR": "c017",
            "EDITOR": f"{shlex.quote(sys.executable)} {shlex.quote(str(editor))}",
            "VISUAL": "",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "callcenter.cli", *words],
            stdin=there,
            stdout=there,
            stderr=there,
            env=environment,
            cwd=Path(__file__).parents[2],
            start_new_session=True,
        )
        os.close(there)
        self.said = ""

    def hear(self, words: str) -> None:
        """Read until these words were printed."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.said:
            if time.monotonic() > deadline or not self._more():
                pytest.fail(f"never said {words!r}: {self.said}")

    def _more(self) -> bool:
        ready, _, _ = select.select([self._here], [], [], 0.2)
        if not ready:
            return True
        try:
            self.said += os.read(self._here, 4096).decode(errors="replace")
        except OSError:  # the other end is gone
            return False
        return True

    def type(self, keys: str) -> None:
        os.write(self._here, keys.encode())

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._here)


@pytest.fixture
def open_terminal(site: App, tmp_path: Path) -> Iterator[Callable[[str, str], Terminal]]:
    """Opens `hotline sessions write` with an editor that runs this Python on `path`."""
    opened: list[Terminal] = []

    def open_it(session: str, code: str) -> Terminal:
        script = tmp_path / f"editor{len(opened)}.py"
        script.write_text(f"import os, pathlib, sys, time\npath = pathlib.Path(sys.argv[1])\n{code}\n")
        opened.append(Terminal(tmp_path, script, "sessions", "write", session))
        return opened[-1]

    yield open_it
    for terminal in opened:
        terminal.close()


def draft(site: App) -> str:
    with site.store() as work:
        found = work.book(DRAFTS).one("se-pbx1-1.1")
    return found.text if found else ""


def folders(site: App) -> list[Path]:
    owner = desk_for(site.settings.home, "c017", {"EDITOR": sys.executable}).owner
    return list(MEMORY.glob(f"hotline-{owner}-*"))


def test_typed_confirmed_and_submitted_at_a_terminal(
    site: App, open_terminal: Callable[[str, str], Terminal]
) -> None:
    terminal = open_terminal("se-pbx1-1.1", f"path.write_text({render(FORM, FULL)!r}, encoding='utf-8')")
    terminal.hear("提交这条记录?")
    assert draft(site) == render(FORM, FULL)
    terminal.type("\n")
    terminal.hear("已提交")
    terminal.process.wait(PATIENCE)
    assert folders(site) == []
    with site.store() as work:
        assert work.book(SESSION_VERSIONS).get("se-pbx1-1.1/1").answers == FULL


def test_nobody_is_asked_to_submit_what_would_be_refused(
    site: App, open_terminal: Callable[[str, str], Terminal]
) -> None:
    whole = render(FORM, FULL)
    wrong = whole.replace("问过自杀危险:是", "问过自杀危险:")
    terminal = open_terminal(
        "se-pbx1-1.1",
        "again = '#! ' in path.read_text(encoding='utf-8')\n"
        f"path.write_text({whole!r} if again else {wrong!r}, encoding='utf-8')",
    )
    terminal.hear("提交这条记录?")
    assert draft(site) == whole
    terminal.type("什么\n")
    terminal.hear("请按回车,或 n。")
    terminal.type("y\n")
    terminal.hear("已提交")


def test_whoever_says_no_finds_it_as_a_draft(
    site: App, open_terminal: Callable[[str, str], Terminal]
) -> None:
    terminal = open_terminal("se-pbx1-1.1", f"path.write_text({render(FORM, FULL)!r}, encoding='utf-8')")
    terminal.hear("提交这条记录?")
    terminal.type("n\n")
    terminal.hear("草稿已保存")
    assert terminal.process.wait(PATIENCE) == 1
    assert draft(site) == render(FORM, FULL)


def test_killed_while_the_editor_is_open_and_nothing_typed_is_lost(
    site: App, open_terminal: Callable[[str, str], Terminal], tmp_path: Path
) -> None:
    more, done = tmp_path / "more", tmp_path / "done"
    later = WORDS + "  后来又说了一句\n"
    first = open_terminal(
        "se-pbx1-1.1",
        f"path.write_text({WORDS!r}, encoding='utf-8')\n"
        f"while not os.path.exists({str(more)!r}): time.sleep(0.01)\n"
        f"path.write_text({later!r}, encoding='utf-8')\n"
        f"open({str(done)!r}, 'w').close()",
    )
    until(lambda: draft(site) == WORDS, PATIENCE)
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    assert draft(site) == WORDS
    more.touch()
    until(done.exists, PATIENCE)
    until(lambda: all(_is_over(folder) for folder in folders(site)), PATIENCE)
    second = open_terminal(
        "se-pbx1-1.1", "assert '后来又说了一句' in path.read_text(encoding='utf-8')\nsys.exit(9)"
    )
    second.hear("已经找回")
    second.hear("以 9 结束")
    assert draft(site) == later
    assert folders(site) == []


def _is_over(folder: Path) -> bool:
    pid = int((folder / "editor").read_text())
    return not Path(f"/proc/{pid}").exists() or _is_zombie(pid)


def test_a_terminal_that_closes_saves_what_the_editor_saved(
    site: App, open_terminal: Callable[[str, str], Terminal]
) -> None:
    terminal = open_terminal("se-pbx1-1.1", f"path.write_text({WORDS!r}, encoding='utf-8')\ntime.sleep(60)")
    until(lambda: bool(folders(site)) and WORDS in (_text(site) or draft(site)), PATIENCE)
    terminal.process.send_signal(signal.SIGHUP)
    terminal.process.wait(PATIENCE)
    assert draft(site) == WORDS
    assert folders(site) == []


def _text(site: App) -> str:
    found = [file for folder in folders(site) for file in folder.glob("*.txt")]
    return found[0].read_text(encoding="utf-8") if found else ""
