"""Personal fields at rest: sealed with AES-256-GCM, found again by a keyed hash.

A sealed field is `version byte | 12-byte random nonce | ciphertext | 16-byte tag`. The column's name
is authenticated with it, so that a ciphertext moved to another column does not open. Random nonces
are safe for 2^32 fields under one key (NIST SP 800-38D); `version` names the key, so that a new key
can come into use while old fields still open.
"""

from __future__ import annotations

import hmac
import os
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from callcenter.domain.numbers import normalise
from callcenter.errors import CallCenterError
from callcenter.keys import KeyRing

_NONCE = 12
_TAG = 16
#: Key in use for new fields. Older versions stay readable.
_VERSION = 1
_LOOKUP_BYTES = 16


class SealBroken(CallCenterError):
    """加密的字段打不开:密钥文件不是写入时的那一把。"""

    error_id = "seal_broken"


class FieldCipher:
    """Seals, opens and hashes fields. Safe to share between threads."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = {_VERSION: AESGCM(keys.derive(f"field/{_VERSION}"))}
        self._current = self._keys[_VERSION]
        self._prefix = bytes([_VERSION])
        self._lookup = keys.derive("lookup/1")

    def seal_bytes(self, data: bytes, column: str) -> bytes:
        """Return `data` sealed for `column` (`table.column`)."""
        nonce = os.urandom(_NONCE)
        return self._prefix + nonce + self._current.encrypt(nonce, data, column.encode())

    def open_bytes(self, sealed: bytes, column: str) -> bytes:
        """Return what was sealed for `column`, or raise `SealBroken`."""
        key = self._keys.get(sealed[0]) if len(sealed) > _NONCE + _TAG else None
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
        """Return the keyed hash under which a number, in whatever spelling, is found; None stays None."""
        if number is None:
            return None
        spelling = normalise(number) or number
        return hmac.digest(self._lookup, spelling.encode(), sha256)[:_LOOKUP_BYTES]
