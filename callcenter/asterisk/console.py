"""Asterisk's own console, one command at a time (`asterisk -rx`).

For reading and for local chores; what a running line is told goes through AMI, which can be
limited by right. The console is as mighty as the account Asterisk runs under.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from callcenter.asterisk.tree import AsteriskProgram
from callcenter.errors import PbxError, PbxUnreachable


@dataclass(frozen=True, kw_only=True, slots=True)
class Console:
    """The console of the Asterisk that runs in `home`."""

    program: AsteriskProgram
    home: Path

    def run(self, command: str, *, timeout: float = 15) -> str:
        """Return what Asterisk prints for `command`; `timeout` in seconds.

        Raises `PbxUnreachable` if it does not run or does not answer, `PbxError` for a command
        that could break the line protocol of the control socket.
        """
        if not command.isprintable():
            raise PbxError("A console command is one line of printable characters.")
        conf = str(self.home / "etc" / "asterisk.conf")
        try:
            done = subprocess.run(
                [*self.program.argv, "-C", conf, "-rx", command],
                capture_output=True,
                timeout=timeout,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise PbxUnreachable("Asterisk's console does not answer.") from None
        if done.returncode != 0:
            raise PbxUnreachable("Asterisk is not running in this folder.")
        return done.stdout.decode(errors="replace")
