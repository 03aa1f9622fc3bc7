"""Telephone numbers: one spelling inside, masked outside."""

from __future__ import annotations

import re

#: Mobiles, 400 and 800 numbers stand in no area.
_NO_AREA = re.compile(r"1[3-9]\d{9}|[48]00\d{7}")


def normalise(raw: str | None) -> str | None:
    """Return the digits of a Chinese dialling number without +86/0086, or None if there is none.

    A mobile number is the same one behind a bare 86 and behind a trunk 0. A hostile or empty caller ID
    gives None: such a caller is routed and recorded all the same. The dialplan spells alike.
    """
    digits = re.sub(r"[\s().-]", "", raw or "")
    digits = re.sub(r"^(\+86|0086)(?=\d{7,})", "", digits).removeprefix("+")
    digits = re.sub(r"^(86)?0?(?=1[3-9]\d{9}$)", "", digits)
    return digits if re.fullmatch(r"[0-9]{3,15}", digits) else None


def national(number: str) -> str:
    """Return a number as one dials it inside the country: a fixed line's area code begins with 0."""
    if not number.startswith("+86"):
        return number.removeprefix("+")
    rest = number.removeprefix("+86")
    return rest if _NO_AREA.fullmatch(rest) else f"0{rest}"


def mask_number(number: str | None) -> str:
    """Return `138****1234`; short numbers keep only their last two digits."""
    if not number:
        return "未知号码"
    if len(number) < 8:
        return "*" * (len(number) - 2) + number[-2:]
    return f"{number[:3]}****{number[-4:]}"


def mask_name(name: str | None) -> str:
    """Return the family name and stars: 沈** for 沈先生. An empty name is 匿名."""
    text = (name or "").strip()
    return text[0] + "*" * max(1, len(text) - 1) if text else "匿名"
