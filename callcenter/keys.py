"""The site's one secret, every secret derived from it, and the later keys of its fields.

The key file (0600) begins with one random 32-byte key, the master: SIP and AMI passwords, the PBX's
salt (and with it the PIN verifiers) and the first field and look-up keys are derived from it with
HKDF-SHA256 (RFC 5869), so nothing else has to be kept or synchronised. Each later line is a random key of
its own for fields and look-ups, so that these can be replaced without touching the PBX:

    <base64 of the master>
    field 2 <base64 of 32 random bytes>
    retired 1

The last line says that nothing is sealed any more with what the master yields for fields.
"""

from __future__ import annotations

import os
import stat
from base64 import b32encode, b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from callcenter.errors import ConfigError, KeyFileMissing
from callcenter.files import write_private

#: A sealed field names its key in one byte, and 0 is no version.
MOST_VERSIONS = 255
_BYTES = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRing:
    """Derives named secrets from the master key, and holds the keys of fields by version."""

    master: bytes = field(repr=False)
    #: Version (2 and up) -> its own random key.
    later: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    #: True: version 1, which the master yields, is in use nowhere any more.
    first_is_retired: bool = False
    #: Where it was read: whoever meets an unknown version reads there again.
    file: Path | None = field(default=None, compare=False)

    @classmethod
    def create(cls, file: Path) -> KeyRing:
        """Write a new key file (0600) and return its ring; refuse to overwrite one."""
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise ConfigError(f"{file}:已有密钥,保留原样。") from None
        ring = cls(master=os.urandom(_BYTES), file=file)
        with os.fdopen(descriptor, "wb") as out:
            out.write(ring.text())
            out.flush()
            os.fsync(out.fileno())
        return ring

    @classmethod
    def load(cls, file: Path) -> KeyRing:
        """Read the key file; raise `ConfigError` if it is missing, damaged or readable by others.

        A missing one is `KeyFileMissing`.
        """
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
            text = file.read_bytes()
        except FileNotFoundError:
            raise KeyFileMissing(f"{file} 不在:还没有密钥文件。先运行 hotline init。") from None
        if mode & 0o077:
            raise ConfigError(f"{file}:别人也能读。运行 chmod 600 {file}")
        return cls.parse(text, file)

    @classmethod
    def parse(cls, text: bytes, file: Path) -> KeyRing:
        """Return the ring that a key file's text holds; raise `ConfigError` naming the damaged line."""
        lines = text.strip().splitlines() or [b""]
        ring = cls(master=_key(lines[0], file, 1), file=file)
        for place, line in enumerate(lines[1:], start=2):
            ring = ring._with_line(line, file, place)
        if ring.first_is_retired and not ring.later:
            raise ConfigError(f"{file}:没有剩下字段密钥。请放回它的副本:hotline keys recover。")
        return ring

    def _with_line(self, line: bytes, file: Path, place: int) -> KeyRing:
        match line.split():
            case [b"field", version, text] if version.isdigit() and 2 <= int(version) <= MOST_VERSIONS:
                return replace(self, later={**self.later, int(version): _key(text, file, place)})
            case [b"retired", b"1"]:
                return replace(self, first_is_retired=True)
            case _:
                raise ConfigError(f"{file}:{place}:不是密钥文件的一行。请放回它的副本:hotline keys recover。")

    def text(self) -> bytes:
        """Return the key file's text."""
        later = [b"field %d %s" % (v, b64encode(key)) for v, key in sorted(self.later.items())]
        retired = [b"retired 1"] if self.first_is_retired else []
        return b"\n".join([b64encode(self.master), *later, *retired]) + b"\n"

    def save(self, file: Path) -> KeyRing:
        """Replace the key file whole (0600, synced): a crash leaves the old one or the new one."""
        write_private(file, self.text())
        return replace(self, file=file)

    @property
    def versions(self) -> tuple[int, ...]:
        """Return the versions of field keys that are in use, oldest first."""
        return tuple(sorted([*self.later, *([] if self.first_is_retired else [1])]))

    @property
    def current(self) -> int:
        """Return the version that seals new fields."""
        return self.versions[-1]

    def with_new_key(self) -> KeyRing:
        """Return the ring with one more random key, which is then the current one.

        Raises `ConfigError` when every version a field can name was used.
        """
        version = max([1, *self.later]) + 1
        if version > MOST_VERSIONS:
            raise ConfigError("字段密钥的版本号已用完。")
        return replace(self, later={**self.later, version: os.urandom(_BYTES)})

    def only_current(self) -> KeyRing:
        """Return the ring without the older keys of fields."""
        if self.current == 1:
            return self
        return replace(self, later={self.current: self.later[self.current]}, first_is_retired=True)

    def of_fields(self, purpose: str, version: int) -> bytes:
        """Return 32 bytes for fields (`field`) or look-ups (`lookup`), of one version of the keys."""
        if version == 1:
            return self.derive(f"{purpose}/1")
        return _derived(self.later[version], f"{purpose}/{version}")

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes bound to `purpose`."""
        return _derived(self.master, purpose)

    def password(self, purpose: str) -> str:
        """Return a password of 32 characters A-Z2-7, safe in every configuration file."""
        return b32encode(self.derive(purpose))[:32].decode()


def _derived(key: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=b"xinxian/1", info=purpose.encode()).derive(key)


def _key(text: bytes, file: Path, place: int) -> bytes:
    where = file if place == 1 else f"{file}:{place}"
    try:
        key = b64decode(text.strip(), validate=True)
    except ValueError:
        raise ConfigError(f"{where}:不是密钥。请放回它的副本:hotline keys recover。") from None
    if len(key) != _BYTES:
        raise ConfigError(f"{where}:有 {len(key)} 字节,应为 {_BYTES} 字节。放回副本:hotline keys recover。")
    return key
