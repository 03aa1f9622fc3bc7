"""Identity numbers: never kept, read at import for year and month of birth, and told from other numbers."""

from __future__ import annotations

import re

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_MOBILE = r"1[3-9][0-9]{9}"
#: 15 digits, as before 1999: region, then year, month and day of birth.
_OLD = r"[1-8][0-9]{5}[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[0-9]{3}"


def born(id_number: str) -> tuple[int, int] | None:
    """Return year and month of birth in an 18-digit identity number (GB 11643), None if it is not one."""
    text = id_number.upper()
    if not re.fullmatch(r"[0-9]{17}[0-9X]", text):
        return None
    year, month = int(text[6:10]), int(text[10:12])
    return (year, month) if text[17] == check_digit(text) and 1 <= month <= 12 else None


def check_digit(first: str) -> str:
    """Return what stands after the first 17 digits of an identity number."""
    return "10X98765432"[sum(int(d) * w for d, w in zip(first, _WEIGHTS, strict=False)) % 11]


def names_somebody(text: str) -> bool:
    """Tell whether a mobile number or an identity number stands in a text; other long numbers may."""
    numbers = re.findall(r"(?<![0-9])[0-9]{11,18}[Xx]?(?![0-9])", text)
    return any(re.fullmatch(_MOBILE, n) or born(n) or re.fullmatch(_OLD, n) for n in numbers)
