"""Which sockets a process listens on, from /proc (Linux)."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

#: `st` column of /proc/net/*: 0A is LISTEN (TCP), 07 an unconnected UDP socket.
_WAITING = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Listening:
    """One socket that anybody who reaches `address` can send to."""

    protocol: str
    address: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Tell whether only this machine can reach it."""
        return ipaddress.ip_address(self.address).is_loopback

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.protocol} {host}:{self.port}"


def listening(pid: int) -> tuple[Listening, ...]:
    """Return what the process listens on, sorted."""
    inodes = _socket_inodes(pid)
    found = [
        Listening(protocol=table, address=_address(host), port=int(port, 16))
        for table, state in _WAITING.items()
        for host, port, inode in _entries(pid, table, state)
        if inode in inodes
    ]
    return tuple(sorted(found))


def _socket_inodes(pid: int) -> set[str]:
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(link)
        except FileNotFoundError:  # closed since we looked
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    return inodes


def _entries(pid: int, table: str, state: str) -> list[tuple[str, str, str]]:
    """Return (address, port, inode) of the rows of one table, as the kernel writes them."""
    rows = Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]
    words = [row.split() for row in rows]
    return [(*w[1].split(":")[:2], w[9]) for w in words if w[3] == state]  # type: ignore[misc]


def _address(written: str) -> str:
    """Read an address: 32-bit words in hexadecimal, each in the machine's (little) byte order."""
    raw = bytes.fromhex(written)
    ordered = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    return str(ipaddress.ip_address(ordered))
