"""The recovery key: an age identity on paper, whose public half encrypts backups and the key file's copy.

Only the public half (the recipient) stays on the machine. The format is age's (age-encryption.org/v1,
X25519), so that the plain `age` tool opens what we wrote, should nothing of ours be left.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Protocol

from pydantic import TypeAdapter, ValidationError
from pyrage import (
    DecryptError,
    IdentityError,
    RecipientError,
    decrypt,
    decrypt_io,
    encrypt,
    encrypt_io,
    x25519,
)

from callcenter.errors import ConfigError, Refused
from callcenter.files import write_private

PREFIX = "AGE-SECRET-KEY-1"
#: Letters per group, as people read and type them.
_GROUP = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Escrow:
    """What is known of the recovery key: its public half, and who proved that the key is kept."""

    recipient: str
    made_at: datetime
    made_by: str
    confirmed_at: datetime | None = None
    confirmed_by: str | None = None
    #: SHA-256 of the key file as it was copied, sealed, beside it; empty: no copy was made.
    copy_of: str = ""

    @property
    def is_confirmed(self) -> bool:
        """Tell whether somebody typed the key back."""
        return self.confirmed_at is not None


_CODEC = TypeAdapter(Escrow)


def load_escrow(file: Path) -> Escrow | None:
    """Return what stands in the file, None if there is none; raise `ConfigError` if it is damaged."""
    try:
        return _CODEC.validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        raise ConfigError(
            f"{file}:不是恢复密钥的记录。运行 hotline keys escrow --replace --reason 理由。"
        ) from None


def save_escrow(file: Path, escrow: Escrow) -> None:
    """Replace the note (0600)."""
    write_private(file, _CODEC.dump_json(escrow, indent=1) + b"\n")


def new_identity() -> str:
    """Return a new recovery key."""
    return str(x25519.Identity.generate())


def recipient_of(identity: str) -> str:
    """Return the public half of a recovery key; raise `Refused` if it is none."""
    return str(_identity(identity).to_public())


def read_identity(text: str) -> str:
    """Return the recovery key in a text: typed in groups or lines, or the file of the age tool.

    Raises `Refused` if it holds none.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    key = "".join("".join(lines).split()).upper()
    _identity(key)
    return key


def groups_of(identity: str) -> list[str]:
    """Return a recovery key's letters behind its prefix, in groups of four."""
    body = identity.removeprefix(PREFIX)
    return [body[at : at + _GROUP] for at in range(0, len(body), _GROUP)]


def seal_copy(keys: bytes, recipient: str) -> bytes:
    """Return the key file's text encrypted to the recovery key."""
    sealed: bytes = encrypt(keys, [_recipient(recipient)])
    return sealed


def open_copy(sealed: bytes, identity: str) -> bytes:
    """Return the key file's text; raise `Refused` if the recovery key is another one, or it is damaged."""
    try:
        keys: bytes = decrypt(sealed, [_identity(identity)])
    except (DecryptError, OSError):
        raise Refused("打不开:不是这把恢复密钥,或文件已损坏。") from None
    return keys


def refresh_copy(escrow_file: Path, copy_file: Path, key_file: Path) -> Escrow | None:
    """Encrypt the key file as it is now to the recovery key; None if there is no recovery key yet."""
    escrow = load_escrow(escrow_file)
    if escrow is None:
        return None
    text = key_file.read_bytes()
    write_private(copy_file, seal_copy(text, escrow.recipient))
    after = replace(escrow, copy_of=digest(text))
    save_escrow(escrow_file, after)
    return after


def digest(text: bytes) -> str:
    """Return the SHA-256 of a key file's text, by which a copy that is out of date is told."""
    return sha256(text).hexdigest()


def encrypt_stream(parts: Iterator[bytes], out: BinaryIO, recipient: str) -> None:
    """Write parts to `out`, encrypted. What goes wrong while a part is made is raised as it is."""
    reader = _Reader(parts)
    try:
        encrypt_io(reader, out, [_recipient(recipient)])
    except Exception:
        if reader.trouble is not None:
            raise reader.trouble from None
        raise


class Out(Protocol):
    """What is written to."""

    def write(self, data: bytes, /) -> int: ...  # noqa: D102
    def flush(self) -> None: ...  # noqa: D102


def decrypt_stream(source: BinaryIO, out: Out, identity: str) -> None:
    """Write what `source` holds to `out`; raise `Refused` if it is truncated, changed or another's.

    What was written before that is authentic, but not all there is.
    """
    try:
        decrypt_io(source, out, [_identity(identity)])
    except DecryptError as error:
        if "No matching keys" in str(error):
            raise Refused("这份备份是给另一把恢复密钥的。请用与它对应的那一把。") from None
        raise Refused("不是本系统的备份,或开头已损坏。") from None
    except OSError:
        raise Refused("备份不完整,或内容被改动过。请用另一份备份。") from None


class _Reader:
    """Parts as a file that is read once. Keeps what went wrong while one was made."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._rest = b""
        self.trouble: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes; none at the end."""
        while not self._rest:
            try:
                self._rest = next(self._parts)
            except StopIteration:
                return b""
            except BaseException as error:
                self.trouble = error
                raise
        size = len(self._rest) if size < 0 else size
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def _identity(text: str) -> x25519.Identity:
    with suppress(IdentityError, UnicodeError):
        return x25519.Identity.from_str(text)
    raise Refused(f"不是恢复密钥:它以 {PREFIX} 开头,共 74 个字符。请对照纸上逐组检查。")


def _recipient(text: str) -> x25519.Recipient:
    with suppress(RecipientError):
        return x25519.Recipient.from_str(text)
    raise ConfigError("恢复密钥的公开部分已损坏。运行 hotline keys escrow --replace --reason 理由。")
