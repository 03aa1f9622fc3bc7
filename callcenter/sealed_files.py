"""Large files at rest: AES-256-GCM in chunks whose order and end are authenticated (the STREAM construction).

    XXSEAL1\\n | 7 random bytes | chunk | chunk | ... | last chunk

Each chunk is 64 KiB of the file and a 16-byte tag. Its nonce is the 7 bytes, its number (4 bytes) and one
byte that is 1 in the last chunk only: a file cut short, or with chunks moved, does not open. The name it
was sealed under is authenticated with each chunk. A key seals one file and no other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from callcenter.errors import CallCenterError

_MAGIC = b"XXSEAL1\n"
_PREFIX = 7
_TAG = 16
CHUNK = 1 << 16
KEY_BYTES = 32


class SealedFileBroken(CallCenterError):
    """加密的文件打不开:内容损坏、不完整,或不是这一个文件。"""

    error_id = "sealed_file_broken"


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What a file held before it was sealed."""

    size: int
    sha256: str


def seal_file(source: BinaryIO, out: BinaryIO, key: bytes, name: str) -> Content:
    """Write `source` to `out`, sealed under `key` (32 random bytes, for this file alone) and `name`."""
    prefix, cipher, check = os.urandom(_PREFIX), AESGCM(key), sha256()
    out.write(_MAGIC + prefix)
    size, number, piece = 0, 0, source.read(CHUNK)
    while True:
        following = source.read(CHUNK) if len(piece) == CHUNK else b""
        check.update(piece)
        size += len(piece)
        out.write(cipher.encrypt(_nonce(prefix, number, is_last=not following), piece, name.encode()))
        if not following:
            return Content(size=size, sha256=check.hexdigest())
        number, piece = number + 1, following


def open_file(source: BinaryIO, key: bytes, name: str) -> Iterator[bytes]:
    """Yield what was sealed under `key` and `name`; raise `SealedFileBroken` at the first thing wrong.

    What was yielded until then is authentic, but not all there is.
    """
    if source.read(len(_MAGIC)) != _MAGIC:
        raise SealedFileBroken
    prefix, cipher = source.read(_PREFIX), AESGCM(key)
    number, piece = 0, source.read(CHUNK + _TAG)
    while True:
        following = source.read(CHUNK + _TAG)
        try:
            yield cipher.decrypt(_nonce(prefix, number, is_last=not following), piece, name.encode())
        except (InvalidTag, ValueError):
            raise SealedFileBroken from None
        if not following:
            return
        number, piece = number + 1, following


def _nonce(prefix: bytes, number: int, *, is_last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([is_last])
