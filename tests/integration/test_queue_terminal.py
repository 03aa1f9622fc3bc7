"""The queue in a real terminal of 80×24 without colour: a real process, a real store, keys as typed."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyte
import pytest
from actors import enlist

from callcenter.bootstrap import App
from callcenter.config import Settings
from callcenter.demo.runner import until
from callcenter.domain.ledger import DebtAct
from callcenter.domain.people import FileStatus, Grade, HardshipFile, Person, Phone
from callcenter.keys import KeyRing
from callcenter.service.followup.debts import rules_of, sweep
from callcenter.service.followup.handling import history

PATIENCE = 30.0
NAMES = ("沈建国", "周秀英", "欧阳文轩明德")


@pytest.fixture
def site(tmp_path: Path, sqlite_url: str) -> App:
    """A site whose register owes three people a check-in."""
    app = App(settings=Settings(home=tmp_path))
    KeyRing.create(app.settings.key_file)
    now = datetime.now(UTC)
    with app.store() as work:
        enlist(work)
        for n, name in enumerate(NAMES):
            phone = Phone(number=f"1380000111{n}")
            work.people.add(Person(id=f"p{n}", code=f"P-{n}", name=name, phones=(phone,)))
            since = (now - timedelta(days=60 + n)).date()
            work.people.put_file(
                HardshipFile(
                    file_no=f"WX-{n}",
                    person=f"p{n}",
                    grade=Grade.DEEP,
                    status=FileStatus.ACTIVE,
                    since=since,
                )
            )
        sweep(work, now, rules=rules_of(app.settings))
        work.commit()
    return app


class Terminal:
    """`hotline queue` in a VT100 of 24 lines of 80 columns, and what it shows."""

    def __init__(self, home: Path) -> None:
        self._here, there = pty.openpty()
        self.screen = pyte.Screen(80, 24)
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._stream = pyte.ByteStream(self.screen)
        self.said = b""
        environment = {"HOTLINE_HOME": str(home), "HOTLINE_ACTOR": "s001", "TERM": "vt100", "LANG": "C.UTF-8"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "callcenter.cli", "queue"],
            stdin=there,
            stdout=there,
            stderr=there,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        os.close(there)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._here)

    def type(self, keys: str) -> None:
        os.write(self._here, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(rows, columns)
        fcntl.ioctl(self._here, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(self.process.pid, signal.SIGWINCH)

    def lines(self) -> list[str]:
        """Return the screen as it stands after what was written up to now."""
        while select.select([self._here], [], [], 0.05)[0]:
            try:
                written = os.read(self._here, 65536)
            except OSError:  # the process has gone
                break
            self.said += written
            self._stream.feed(written)
        return [line.rstrip() for line in self.screen.display]

    def until_shown(self, *words: str) -> list[str]:
        """Wait until all of these stand on the screen."""
        assert until(lambda: all(word in "".join(self.lines()) for word in words), PATIENCE)
        return self.lines()


@pytest.fixture
def terminal(site: App, tmp_path: Path) -> Iterator[Terminal]:
    """The queue, open."""
    opened = Terminal(tmp_path)
    try:
        yield opened
    finally:
        opened.close()


def here(lines: list[str]) -> str:
    (line,) = (line for line in lines if line.startswith(">"))
    return line


def test_a_supervisor_works_down_the_queue_with_keys_alone(site: App, terminal: Terminal) -> None:
    lines = terminal.until_shown("欧*****", "q离开")
    assert "欧*****" in here(lines)  # owed the longest
    terminal.type("j")
    assert until(lambda: "周**" in here(terminal.lines()), PATIENCE)
    terminal.type("c")
    lines = terminal.until_shown("由您负责", "s001  未拨打")
    debt = next(line for line in lines if line.startswith("ob-"))[:15]
    terminal.type("e")
    terminal.until_shown("理由：")
    terminal.type("家属说今晚情绪很差，请带班督导一起看\r")
    lines = terminal.until_shown("已上报督导")
    assert here(lines).startswith(">!")
    terminal.type("\r")
    lines = terminal.until_shown("上报", "情绪很差", "下一步")
    assert lines[0].startswith(debt)
    with site.store() as work:
        acts = [event.act for event in history(work, debt)]
    assert acts == [DebtAct.CLAIMED, DebtAct.ESCALATED]
    terminal.type("q")
    terminal.until_shown("q离开")
    terminal.type("q")
    assert until(lambda: terminal.process.poll() == 0, PATIENCE)


def test_a_refusal_and_a_change_of_mind_leave_everything_as_it_was(site: App, terminal: Terminal) -> None:
    terminal.until_shown("q离开")
    terminal.type("s")
    terminal.until_shown("推迟到")
    terminal.type("+2h\r")
    terminal.until_shown("理由：")
    terminal.type("先等家属回话\r")
    terminal.until_shown("已经逾期，不能再推迟")
    terminal.type("w")
    terminal.until_shown("理由：")
    terminal.type("写错了")
    terminal.until_shown("写错了")
    terminal.type("\x03")
    terminal.until_shown("没有改动")
    with site.store() as work:
        assert all(o.snoozed_until is None and o.closing is None for o in work.debts.open())


def test_a_long_reason_is_pasted_and_a_smaller_window_loses_nobody(site: App, terminal: Terminal) -> None:
    terminal.until_shown("q离开")
    terminal.resize(60, 16)
    assert until(lambda: here(terminal.lines()).count("欧*****") == 1, PATIENCE)
    terminal.type("e")
    terminal.until_shown("理由：")
    reason = "家属说他今晚一个人在家，电话没有人接，" * 20
    terminal.type(f"\x1b[200~{reason}\x1b[201~")
    assert until(lambda: "没有人接" in "".join(terminal.lines()), PATIENCE)
    terminal.type("\r")
    terminal.until_shown("已上报督导")
    assert len(terminal.lines()) == 16
    with site.store() as work:
        (event,) = (e for o in work.debts.open() for e in history(work, o.id))
    assert event.reason == reason


def test_the_screen_has_no_colour_no_name_and_no_number(terminal: Terminal) -> None:
    terminal.until_shown("q离开")
    terminal.type("?")
    terminal.until_shown("按键说明")
    terminal.type("q")
    terminal.until_shown("q离开")
    shown = terminal.said.decode(errors="replace")
    assert not any(f"\x1b[3{n}" in shown or f"\x1b[4{n}m" in shown for n in range(8))
    assert not any(name in shown for name in NAMES)
    assert "1380000111" not in shown


def test_where_there_is_no_terminal_the_queue_is_a_list(site: App, tmp_path: Path) -> None:
    environment = {**os.environ, "HOTLINE_HOME": str(tmp_path), "HOTLINE_ACTOR": "s001"}
    done = subprocess.run(
        [sys.executable, "-m", "callcenter.cli", "queue"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert "共 3 件" in done.stdout
    assert "\x1b" not in done.stdout
