"""Reasons that people give: one rule for all of them, so that nobody is asked for less by another door."""

from __future__ import annotations

from callcenter.errors import Refused

#: Fewer letters explain nothing to whoever reviews it.
SHORTEST = 4


def explains(text: str) -> bool:
    """Tell whether a text can be a reason: four letters or digits at least, not one sign all over."""
    told = [sign for sign in text if sign.isalnum()]
    return len(told) >= SHORTEST and len(set(told)) >= 2


def checked_reason(reason: str) -> str:
    """Return a reason without its blanks, or raise `Refused` if it explains nothing."""
    if not explains(reason):
        raise Refused(f"请写明理由,至少 {SHORTEST} 个字(标点不算):事后会有人逐条查看。")
    return storable(reason)


def storable(text: str) -> str:
    """Return a text without the blanks around it, or raise `Refused` if no database can hold it."""
    if any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in text):
        raise Refused("文字里有无法保存的字符,请重新输入。")
    return text.strip()
