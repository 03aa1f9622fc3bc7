"""Personal fields at rest: sealed with AES-256-GCM, found again by a keyed hash.

A sealed field is `version byte | 12-byte random nonce | ciphertext | 16-byte tag`. The column's name
is authenticated with it, so that a ciphertext moved to another column does not open. Random nonces
are safe for 2^32 fields under one key (NIST SP 800-38D); `version` names the key, so that a new key
can come into use while old fields still open (`callcenter.db.rotation`).

A process that began before a key was added learns of it by itself: whoever meets an unknown version
reads the key file again, and whoever seals looks every second whether the file has changed.
"""

from __future__ import annotations

import hmac
import os
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from callcenter.domain.numbers import normalise
from callcenter.errors import CallCenterError, ConfigError
from callcenter.keys import KeyRing

_NONCE = 12
_TAG = 16
_LOOKUP_BYTES = 16
#: How long a process may go on sealing with the key before, seconds.
NOTICE = 1.0


class SealBroken(CallCenterError):
    """加密的字段打不开:密钥文件不是写入时的那一把。"""

    error_id = "seal_broken"


@dataclass(frozen=True, slots=True)
class _Keys:
    """A key ring ready for use. Replaced whole, so that threads see one ring or the other."""

    ring: KeyRing
    fields: dict[int, AESGCM]
    #: Newest first.
    lookups: tuple[bytes, ...]

    @classmethod
    def of(cls, ring: KeyRing) -> _Keys:
        fields = {version: AESGCM(ring.of_fields("field", version)) for version in ring.versions}
        lookups = tuple(ring.of_fields("lookup", version) for version in reversed(ring.versions))
        return cls(ring, fields, lookups)


class FieldCipher:
    """Seals, opens and hashes fields. Safe to share between threads."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = _Keys.of(keys)
        self._file = keys.file
        self._mark = _mark(keys.file)
        self._looked = time.monotonic()
        # Of the master, not of a field key: a change of field keys leaves the audit's chain as it is.
        self._chain = keys.derive("audit/1")

    @property
    def version(self) -> int:
        """Return the version that seals new fields."""
        return self._newest().ring.current

    def seal_bytes(self, data: bytes, column: str) -> bytes:
        """Return `data` sealed for `column` (`table.column`)."""
        keys, nonce = self._newest(), os.urandom(_NONCE)
        version = keys.ring.current
        return bytes([version]) + nonce + keys.fields[version].encrypt(nonce, data, column.encode())

    def open_bytes(self, sealed: bytes, column: str) -> bytes:
        """Return what was sealed for `column`, or raise `SealBroken`."""
        key = self._key(sealed[0]) if len(sealed) >= 1 + _NONCE + _TAG else None
        if key is None:
            raise SealBroken(f"{column}:不是本系统加密的内容。请恢复备份。")
        try:
            return key.decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], column.encode())
        except InvalidTag:
            raise SealBroken(f"{column}:内容损坏,或由另一把密钥加密。请恢复密钥文件的备份。") from None

    def seal(self, text: str | None, column: str) -> bytes | None:
        """Return a text sealed for `column`; None stays None."""
        return None if text is None else self.seal_bytes(text.encode(), column)

    def open(self, sealed: bytes | None, column: str) -> str | None:
        """Return the text sealed for `column`, or raise `SealBroken`; None stays None."""
        return None if sealed is None else self.open_bytes(sealed, column).decode()

    def lookup(self, number: str | None) -> bytes | None:
        """Return the keyed hash to store beside a number, in whatever spelling; None stays None."""
        return None if number is None else _hashed(self._newest().lookups[0], number)

    def lookups(self, number: str) -> tuple[bytes, ...]:
        """Return every hash under which a number may stand: while keys change there are several."""
        return tuple(_hashed(key, number) for key in self._newest().lookups)

    def chain(self, previous: bytes, data: bytes) -> bytes:
        """Return the keyed hash (32 bytes) that links `data` to what stands before it."""
        return hmac.digest(self._chain, len(previous).to_bytes(8, "big") + previous + data, sha256)

    def _key(self, version: int) -> AESGCM | None:
        if version not in self._keys.fields:
            self._read_again()
        return self._keys.fields.get(version)

    def _newest(self) -> _Keys:
        """Return the keys in use; look at the file if nobody has for a second."""
        if self._file is not None and time.monotonic() - self._looked >= NOTICE:
            self._looked = time.monotonic()
            if _mark(self._file) != self._mark:
                self._read_again()
        return self._keys

    def _read_again(self) -> None:
        if self._file is None:
            return
        mark = _mark(self._file)
        try:
            ring = KeyRing.load(self._file)
        except (ConfigError, OSError):  # damaged or gone: what is in memory still works, `doctor` tells
            return
        if ring.master == self._keys.ring.master:
            self._keys, self._mark = _Keys.of(ring), mark


def _hashed(key: bytes, number: str) -> bytes:
    spelling = normalise(number) or number
    return hmac.digest(key, spelling.encode(), sha256)[:_LOOKUP_BYTES]


def _mark(file: Path | None) -> tuple[int, int, int] | None:
    """Return what tells one key file from the one that replaced it."""
    try:
        stat = file.stat() if file else None
    except OSError:
        return None
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns) if stat else None
