"""Looking into a backup without restoring it: does its key open what is in it, and is its audit whole."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from callcenter.db.backup_format import KEY
from callcenter.db.backup_reading import Nowhere
from callcenter.db.crypto import FieldCipher, SealBroken
from callcenter.db.rotation import sealed_columns
from callcenter.db.tables import audit, metadata
from callcenter.domain.audit_chain import AuditEntry, Fault, Link, Walk
from callcenter.errors import Refused
from callcenter.keys import KeyRing

#: Rows of each table whose sealed columns are opened.
_ROWS = 100
_WORDS = ("actor", "verb", "object", "field")


class Looking(Nowhere):
    """Keeps the key file and, `deep`, opens a sample with it and follows the audit; writes nothing."""

    def __init__(self, *, deep: bool) -> None:
        self.key = b""
        self._deep = _Deep() if deep else None

    def file(self, name: str) -> BinaryIO:
        """Return what forgets, or keeps the key."""
        return _Kept(self) if name == KEY else super().file(name)

    def rows(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Pass over them, or look into them. Raises `Refused`."""
        if self._deep is not None:
            self._deep.rows(self.key, table, rows)


class _Kept(BytesIO):
    """A file in memory that leaves its content with its owner."""

    def __init__(self, owner: Looking) -> None:
        super().__init__()
        self._owner = owner

    def close(self) -> None:
        """Hand over what was written."""
        if not self.closed:
            self._owner.key = self.getvalue()
        super().close()


@dataclass(kw_only=True, slots=True)
class _Deep:
    """What was opened so far, and how far the audit has been followed."""

    seen: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cipher: FieldCipher | None = None
    walk: Walk | None = None

    def rows(self, key: bytes, table: str, rows: list[dict[str, Any]]) -> None:
        """Look into rows of a table; raise `Refused` for what does not open, or a broken chain."""
        cipher = self.cipher = self.cipher or FieldCipher(KeyRing.parse(key, Path(KEY)))
        for row in rows[: max(0, _ROWS - self.seen[table])]:
            self.seen[table] += 1
            _open(cipher, table, row)
        if table == audit.name:
            for row in rows:
                self._follow(cipher, row)

    def _follow(self, cipher: FieldCipher, row: dict[str, Any]) -> None:
        walk = self.walk = self.walk or Walk(mac=cipher.chain)
        if "chain_hash" not in row:
            return  # of before the chain
        entry = AuditEntry(
            seq=row["seq"],
            at=row["at"],
            reason=cipher.open(row["reason"], "audit.reason") or "",
            **{name: row[name] for name in _WORDS},
        )
        fault = walk.step(Link(seq=row["seq"], entry=entry, stored=row["chain_hash"]))
        if fault is not None:
            bad = walk.seq + 1 if fault is Fault.MISSING else row["seq"]
            raise Refused(f"备份里的操作留痕在第 {bad} 条不完整。请用另一份备份,并核对现有的留痕。")


def _open(cipher: FieldCipher, table: str, row: dict[str, Any]) -> None:
    """Open every sealed column of a row."""
    known = metadata.tables.get(table)
    for name in sealed_columns(known) if known is not None else ():
        sealed = row.get(name)
        try:
            if sealed is not None:
                cipher.open_bytes(sealed, f"{table}.{name}")
        except SealBroken:
            raise Refused(
                f"备份里表 {table} 有内容用备份里的密钥打不开。请用另一份备份,并运行 hotline doctor。"
            ) from None
