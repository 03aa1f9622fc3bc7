"""The site's one secret, and every secret derived from it.

One random 32-byte key in a 0600 file; field key, look-up key, SIP and AMI passwords and the PBX
salt are derived with HKDF-SHA256 (RFC 5869), so nothing else has to be kept or synchronised.
"""

from __future__ import annotations

import os
import stat
from base64 import b32encode, b64decode, b64encode
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from callcenter.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRing:
    """Derives named secrets from the master key."""

    master: bytes = field(repr=False)

    @classmethod
    def create(cls, file: Path) -> KeyRing:
        """Write a new key file (0600) and return its ring; refuse to overwrite one."""
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise ConfigError(f"{file}: a key already stands here and is kept.") from None
        ring = cls(master=os.urandom(32))
        with os.fdopen(descriptor, "wb") as out:
            out.write(b64encode(ring.master) + b"\n")
        return ring

    @classmethod
    def load(cls, file: Path) -> KeyRing:
        """Read the key file; raise `ConfigError` if it is missing, damaged or readable by others."""
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
            master = b64decode(file.read_bytes().strip(), validate=True)
        except FileNotFoundError:
            raise ConfigError(f"{file}: no key file. Run `hotline init` first.") from None
        except ValueError:
            raise ConfigError(f"{file}: not a key file. Restore it from its kept copy.") from None
        if mode & 0o077:
            raise ConfigError(f"{file}: others may read it. Run: chmod 600 {file}")
        if len(master) != 32:
            raise ConfigError(f"{file}: {len(master)} bytes where 32 belong. Restore its kept copy.")
        return cls(master=master)

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes bound to `purpose`."""
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=b"xinxian/1", info=purpose.encode()).derive(
            self.master
        )

    def password(self, purpose: str) -> str:
        """Return a password of 32 characters A-Z2-7, safe in every configuration file."""
        return b32encode(self.derive(purpose))[:32].decode()
