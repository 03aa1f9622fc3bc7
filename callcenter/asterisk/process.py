"""Start, watch and stop the line's own Asterisk.

Asterisk gets a session of its own: a Ctrl-C or a SIGKILL of the Python that started it must never
end a caller's call. Whoever holds the same folder later finds it again through its pid file.

What listens: the SIP transports and AMI where the rendered files say (loopback by default). Besides
those, res_pjsip (22.10.1) opens two UDP sockets of its own on the wildcard address, one per IP family,
on random ports; they belong to no transport and a SIP request sent to them is not answered.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from callcenter.asterisk.console import Console
from callcenter.asterisk.tree import AsteriskProgram
from callcenter.errors import ConfigError, PbxError, PbxUnreachable

log = logging.getLogger(__name__)

#: `log/cel-custom` must exist, else cel_custom drops every row with an error each (22.10).
FOLDERS = (
    "etc",
    "spool/outgoing",
    "spool/messages",
    "spool/recordings",
    "spool/tmp",
    "log/cel-custom",
    "log/cdr-custom",
    "lib",
    "run",
    "cache",
    "sounds",
    "data",
)
#: Linux keeps 108 bytes for the path of a UNIX socket; `run/asterisk.ctl` needs 17 of them.
LONGEST_HOME = 90

CONF = """\
[directories]
astetcdir => {home}/etc
astmoddir => {modules}
astvarlibdir => {home}/lib
astdbdir => {home}/lib
astkeydir => {home}/lib
astdatadir => {home}/data
astagidir => {home}/lib
astspooldir => {home}/spool
astrundir => {home}/run
astlogdir => {home}/log
astcachedir => {home}/cache

[options]
systemname = {name}
verbose = 0
debug = 0
nocolor = yes
maxfiles = {files}
hideconnect = yes
live_dangerously = no
documentation_language = en_US
"""


class AsteriskProcess:
    """One Asterisk in one absolute folder `home`: etc, spool, log, lib, run, sounds."""

    def __init__(
        self,
        program: AsteriskProgram,
        home: Path,
        *,
        name: str = "pbx1",
        files: int = 8192,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        if not home.is_absolute() or len(str(home).encode()) > LONGEST_HOME:
            raise ConfigError(f"{home}: the PBX's folder must be absolute and at most {LONGEST_HOME} bytes.")
        self.program = program
        self.home = home
        self.name = name
        self.console = Console(program=program, home=home)
        self._files = files
        self._environment = dict(os.environ if environment is None else environment)
        self._child: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Make the folders and write `etc/asterisk.conf`; keeps everything that is already there."""
        for folder in FOLDERS:
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        for private in ("etc", "log", "lib", "spool/messages", "spool/recordings"):
            (self.home / private).chmod(0o700)
        self._link_data()
        conf = self.home / "etc" / "asterisk.conf"
        fresh = conf.with_suffix(".new")
        fresh.write_text(self._conf(), encoding="utf-8")
        fresh.replace(conf)

    def _conf(self) -> str:
        return CONF.format(home=self.home, modules=self.program.module_dir, name=self.name, files=self._files)

    def _link_data(self) -> None:
        """Show Asterisk its own data with our `sounds` folder in place of its.

        Asterisk looks for documentation and sounds below the same folder, but ours are in `home`.
        """
        ours = {entry.name: entry for entry in self.program.data_dir.iterdir()}
        ours["sounds"] = self.home / "sounds"
        for name, target in ours.items():
            _link(self.home / "data" / name, target)
        voices = [v for v in (self.program.data_dir / "sounds").glob("*") if v.is_dir()]
        english = [v for v in voices if v.name.startswith("en")]
        for name, voice in [*((v.name, v) for v in voices), *(("en", v) for v in english[:1])]:
            if not (self.home / "sounds" / name).exists():
                _link(self.home / "sounds" / name, voice)

    @property
    def _pid_file(self) -> Path:
        return self.home / "run" / "hotline-pbx.pid"

    @property
    def pid(self) -> int | None:
        """Return the process id of the Asterisk of this folder, whoever started it, or None."""
        if self._child is not None and self._child.poll() is None:
            return self._child.pid
        try:
            pid = int(self._pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return self._found_running()
        return pid if self._is_ours(pid) else self._found_running()

    def _found_running(self) -> int | None:
        """Return the Asterisk of this folder that somebody else started (a service manager, a hand)."""
        found = (int(place.name) for place in Path("/proc").glob("[0-9]*"))
        return next((pid for pid in found if self._is_ours(pid) and not _is_console(pid)), None)

    @property
    def is_running(self) -> bool:
        """Tell whether an Asterisk of this folder is alive."""
        return self.pid is not None

    def start(self, *, timeout: float = 60) -> None:
        """Start Asterisk and return when it is fully booted; `timeout` in seconds.

        A stale one of the same folder is stopped first. Raises `PbxError` with the last lines of
        its log if it ends or is not ready in time; then nothing is left running.
        """
        self.stop()
        self.prepare()
        (self.home / "run" / "asterisk.ctl").unlink(missing_ok=True)
        with (self.home / "log" / "startup.log").open("wb") as out:
            self._child = subprocess.Popen(
                [*self.program.argv, "-C", str(self.home / "etc/asterisk.conf"), "-f"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.home,
                env=self._environment,
                start_new_session=True,
            )
        self._pid_file.write_text(str(self._child.pid))
        try:
            self._await_boot(time.monotonic() + timeout)
        except BaseException:
            self.kill()
            raise
        log.info("Asterisk is up", extra={"action": "pbx.started", "version": self.program.version_text})

    def _await_boot(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            if self._child is not None and self._child.poll() is not None:
                raise PbxError(f"Asterisk ended while starting.\n{self._last_words()}")
            try:
                said = self.console.run("core waitfullybooted", timeout=max(1.0, deadline - time.monotonic()))
            except PbxUnreachable:
                said = ""
            if "fully booted" in said:  # an Asterisk that ends meanwhile closes the console politely
                return
            time.sleep(0.1)
        raise PbxError(f"Asterisk was not ready in time.\n{self._last_words()}")

    def _last_words(self) -> str:
        """Return the end of the log of this start (made before any call, so it names nobody)."""
        lines: list[str] = []
        for file in (self.home / "log" / "startup.log", self.home / "log" / "messages.log"):
            if file.exists():
                lines += file.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        return "\n".join(lines)

    def stop(self, *, timeout: float = 20) -> None:
        """Stop the Asterisk of this folder, gently and then by force; do nothing if there is none.

        SIGTERM makes Asterisk hang up its channels and write its database; `timeout` in seconds.
        """
        pid = self.pid
        if pid is not None:
            _signal_group(pid, signal.SIGTERM)
            if not self._gone(timeout):
                log.warning("Asterisk did not stop and is killed", extra={"action": "pbx.killed"})
        self.kill()

    def kill(self) -> None:
        """End the Asterisk of this folder at once, as a power cut would."""
        pid = self.pid
        if pid is not None:
            _signal_group(pid, signal.SIGKILL)
            self._gone(10)
        if self._child is not None:
            self._child.wait()
            self._child = None
        self._pid_file.unlink(missing_ok=True)

    def _gone(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while self.is_running:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def _is_ours(self, pid: int) -> bool:
        """Tell whether `pid` is a live Asterisk of this folder, not a stranger with a recycled number."""
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return str(self.home / "etc/asterisk.conf").encode() in words  # a zombie's is empty


def _link(link: Path, target: Path) -> None:
    """Make or mend one symbolic link; a real folder in its place is left alone."""
    if link.is_symlink():
        if link.readlink() == target:
            return
        link.unlink()
    elif link.exists():
        return
    link.symlink_to(target)


def _is_console(pid: int) -> bool:
    """Tell whether that Asterisk is no PBX but `-rx` talking to one."""
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return any(word.startswith(b"-r") for word in words[1:])
    return True


def _signal_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to the process and, if it leads one, to its group; one already gone is no error."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
