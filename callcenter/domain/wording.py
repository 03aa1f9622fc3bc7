"""What may be said to people, on screens, in exports and on paper: never a diagnosis (R16).

Allowed are 建议就医, 筛查提示, 心理, feelings by their own names, and what the caller said, as a quotation.
"""

from __future__ import annotations

import re

from ivr.diagnosis import diagnosis_in

#: What stands in these the caller said, not we.
_QUOTED = re.compile(r"「[^「」]*」|『[^『』]*』")


def diagnostic_words(text: str) -> tuple[str, ...]:
    """Return the words of diagnosis and treatment in a text, disguised or not, outside 「…」 (R16)."""
    return diagnosis_in(_QUOTED.sub("「」", text))
