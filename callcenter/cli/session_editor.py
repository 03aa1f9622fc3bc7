"""An editor on a text that is kept while it is typed: each save of the file goes into the sealed draft.

The file lies in memory where the system has such a place, readable by its owner alone, and goes with
the editor. If the command was killed, what lies there is taken up by the next one.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import FrameType

from callcenter.errors import CallCenterError, Refused

#: Memory, on Linux: what lies there is on no disk.
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own (0700) is made in it
#: How often the file is looked at, seconds.
POLL = 0.5
_FALLBACKS = ("nano", "vi")


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """Where and with what texts are typed."""

    program: tuple[str, ...]
    #: Tells this line's and this person's files from others'.
    owner: str
    folder: Path
    poll: float = POLL


def desk_for(home: Path, actor: str, environment: dict[str, str] | None = None) -> Desk:
    """Return the editor and the place of its files; raise `Refused` if there is no editor."""
    seen = dict(os.environ) if environment is None else environment
    owner = sha256(f"{home.resolve()}|{actor}".encode()).hexdigest()[:16]
    folder = MEMORY if os.access(MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    return Desk(program=_program(seen), owner=owner, folder=folder)


def _program(environment: dict[str, str]) -> tuple[str, ...]:
    wish = environment.get("VISUAL") or environment.get("EDITOR") or ""
    try:
        words = shlex.split(wish)
    except ValueError:
        words = []
    named = words or next(([name] for name in _FALLBACKS if shutil.which(name)), [])
    if not named or shutil.which(named[0]) is None:
        said = f"找不到编辑器{f' {named[0]}' if named else ''}。"
        raise Refused(f"{said}请设置环境变量 EDITOR,或用 --from 文件 提交写好的文字。")
    return (*named, *_quiet(named[0]))


def _quiet(program: str) -> tuple[str, ...]:
    """Return what keeps an editor from writing down elsewhere what was typed: vim remembers registers."""
    real = Path(os.path.realpath(shutil.which(program) or program)).name
    return ("-i", "NONE") if "vim" in real else ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Typed:
    """What stood in the file when the editor was closed, and how it was closed (0: as usual)."""

    text: str
    code: int


def edit(desk: Desk, name: str, text: str, on_save: Callable[[str], None]) -> Typed:
    """Let somebody edit a text; `on_save` is told of it each time they save, and once more at the end.

    What `on_save` refuses at the end is raised, and the file then stays: nothing typed is lost.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"hotline-{desk.owner}-{os.getpid()}-", dir=desk.folder))
    file = folder / f"{_file_name(name)}.txt"
    _write_private(file, text)
    with _ending_calmly():
        process = subprocess.Popen([*desk.program, str(file)])
        _write_private(folder / "editor", str(process.pid))
        watch = _Watch(file, text, on_save, desk.poll)
        try:
            code = _wait(process)
        finally:
            watch.stop()
            _stop(process)
            watch.finish()
            shutil.rmtree(folder, ignore_errors=True)
    return Typed(text=watch.text, code=code)


class _Watch:
    """Looks at a file and tells of each save, in a thread of its own."""

    def __init__(self, file: Path, text: str, on_save: Callable[[str], None], poll: float) -> None:
        self.text = text
        self._file, self._tell, self._poll = file, on_save, poll
        self._seen: tuple[int, int] | None = self._mark()
        self._untold = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watching."""
        self._ended.set()
        self._thread.join()

    def finish(self) -> None:
        """Tell of what is in the file now, if nobody was told yet; what is refused is raised."""
        self._seen = None
        self._look()
        if not self._untold:
            return
        try:
            self._tell(self.text)
        except CallCenterError as error:
            raise Refused(f"{error}\n没能存为草稿,您写的文字还在 {self._file}。") from error

    def _run(self) -> None:
        while not self._ended.wait(self._poll):
            if self._look():
                # Told again at the end: a store that is busy now must not end somebody's typing.
                with suppress(Exception):
                    self._tell(self.text)
                    self._untold = False

    def _look(self) -> bool:
        mark = self._mark()
        if mark is None or mark == self._seen:
            return False
        text = read_text(self._file)
        # Some editors empty the file before they write it.
        if not text.strip() or text == self.text:
            return False
        self._seen, self.text, self._untold = mark, text, True
        return True

    def _mark(self) -> tuple[int, int] | None:
        try:
            found = self._file.stat()
        except OSError:  # between two names, as some editors save
            return None
        return found.st_mtime_ns, found.st_size


def read_text(file: Path) -> str:
    """Return a file's text: UTF-8, else as Chinese Windows writes it, else byte for byte."""
    try:
        raw = file.read_bytes()
    except OSError:
        return ""
    return decoded(raw)


def decoded(raw: bytes) -> str:
    """Return bytes somebody typed as text, whatever editor wrote them."""
    for encoding in ("utf-8-sig", "gb18030"):
        with suppress(UnicodeDecodeError):
            return raw.decode(encoding)
    return raw.decode("latin-1")


# --- files left behind ---------------------------------------------------------------------


def leftovers(desk: Desk, name: str) -> Iterator[tuple[str, Path]]:
    """Yield the texts that killed commands left behind, with their folders, oldest first.

    Not those of an editor that is still open.
    """
    found = []
    for folder in desk.folder.glob(f"hotline-{desk.owner}-*"):
        file = folder / f"{_file_name(name)}.txt"
        if file.is_file() and not file.is_symlink() and not _is_in_use(folder):
            found.append((file.stat().st_mtime_ns, file, folder))
    for _, file, folder in sorted(found):
        yield read_text(file), folder


def _is_in_use(folder: Path) -> bool:
    parts = folder.name.split("-")
    pids = [parts[2] if len(parts) > 2 else ""]
    with suppress(OSError):
        pids.append((folder / "editor").read_text(encoding="ascii", errors="replace"))
    return any(pid.isascii() and pid.isdigit() and _lives(int(pid)) for pid in pids)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Tell whether it has ended and only waits to be counted: so it may stay where nobody counts orphans."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[:1] == ["Z"]


# --- the process ---------------------------------------------------------------------------


def _write_private(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as out:
        out.write(text)


def _file_name(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)


def _wait(process: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # meant for the editor, which got it too
            continue


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End an editor that outlives the command: it would write into a folder that goes."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)


@contextmanager
def _ending_calmly() -> Iterator[None]:
    """Turn the end of the terminal or of the system into an ordinary end: what was typed is saved first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGHUP)
    before = {one: signal.signal(one, leave) for one in signals}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
