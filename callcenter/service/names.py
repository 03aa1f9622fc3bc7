"""Names that tell nothing: digests, ids of anonymous people, pseudonyms, codes to keep."""

from __future__ import annotations

import secrets
from base64 import b32encode
from hashlib import sha1, sha256
from itertools import pairwise

#: Every attempt's id, and so its channel's, begins with this.
ATTEMPT_PREFIX = "at-"
#: Read aloud or written by hand, none of these is taken for another.
LETTERS = "ACDEFHJKMNPRTWXY34679"


def digest(text: str) -> str:
    """Return 12 characters that name `text` and tell nothing of it; the same each time."""
    return b32encode(sha256(text.encode()).digest())[:12].decode().lower()


def evidence_id(obligation_id: str, reference: str) -> str:
    """Return the id of the proof that `reference` gives for an obligation."""
    return f"ev-{digest(f'{obligation_id}/{reference}')}"


def pseudonym(seed: str) -> str:
    """Return a person's code: `P-` and ten characters."""
    return f"P-{digest(seed)[:10].upper()}"


def salted(salt: str, text: str) -> str:
    """Return what dialplan computes of `text`: a number's key, or digits somebody is expected to know."""
    # SHA-1 is what dialplan has; the salt is secret, so that numbers cannot be tried out.
    return sha1(f"{salt}{text}".encode(), usedforsecurity=False).hexdigest()


def anonymous_id(call_id: str) -> str:
    """Return the id of the anonymous person who belongs to one call."""
    return f"p-{digest(call_id)}"


def short_pseudonym(length: int = 4) -> str:
    """Return a fresh code for a person, `P-7F3K`, by chance."""
    return "P-" + "".join(secrets.choice(LETTERS) for _ in range(length))


def code_to_keep() -> str:
    """Return six digits, by chance, that nobody would try first."""
    while True:
        digits = f"{secrets.randbelow(10**6):06d}"
        steps = {(int(b) - int(a)) % 10 for a, b in pairwise(digits)}
        if len(set(digits)) > 2 and not steps <= {1} and not steps <= {9}:
            return digits
