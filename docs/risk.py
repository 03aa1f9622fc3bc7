"""Write the tables of `docs/reference/risk.md` from the data: `.venv/bin/python docs/risk.py`.

`tests/unit/test_docs_risk.py` fails when the page is out of step.
"""

from __future__ import annotations

import re
from pathlib import Path

from callcenter.config import Settings
from callcenter.domain.case_rules import MOVES
from callcenter.domain.instruments import Instrument, load_instruments
from callcenter.domain.rescues import FACTS, NEXT
from callcenter.service.followup.debts import risk_rules_of
from scheduler.risk_ladder import kind_of

PAGE = Path(__file__).parent / "reference" / "risk.md"
#: Words of the levels; what each means is said on the page.
LEVELS = ("imminent 紧急", "high 高危", "medium 中危", "general 一般", "information 咨询")


def ladders() -> str:
    """Return the table of what each level is owed."""
    rules = risk_rules_of(Settings())
    rows = [
        f"| {level} | {name} | {', '.join(map(str, rules.steps[level])) or 'nothing, unless agreed'} "
        f"| `{kind_of(level)}` |"
        for level, name in enumerate(LEVELS)
    ]
    return "\n".join(("| level | name | owed after the end of the call | kind |", "|---|---|---|---|", *rows))


def floors() -> str:
    """Return the table of every floor an instrument sets."""
    rows = [
        f"| `{one.id}` | {f'`{floor.item}`' if floor.item else 'score'} | {floor.at:g} | {int(floor.level)} |"
        for one in load_instruments().values()
        for floor in one.floors
    ]
    return "\n".join(("| instrument | item | from | level at least |", "|---|---|---|---|", *rows))


def instruments() -> str:
    """Return the table of instruments."""
    rows = [_instrument(one) for one in load_instruments().values()]
    head = (
        "| instrument | items | score | may be missing | bands from | wording |",
        "|---|---|---|---|---|---|",
    )
    return "\n".join((*head, *rows))


def _instrument(one: Instrument) -> str:
    score = f"{one.least:g} to {one.most:g}" if one.sums else "none"
    missing = str(one.may_miss) if one.items and one.sums else "-"
    bands = ", ".join(f"{first:g}" for first, _ in one.bands) or "-"
    return f"| `{one.id}` | {len(one.items) or '-'} | {score} | {missing} | {bands} | {one.wording} |"


def moves() -> str:
    """Return the tables of where a case and a rescue may go."""
    cases = [f"| case | `{a}` | {', '.join(f'`{b}`' for b in sorted(to))} |" for a, to in MOVES.items()]
    rescues = [
        f"| rescue | `{a}` | {', '.join(f'`{b}`' for b in sorted(to)) or '-'} |" for a, to in NEXT.items()
    ]
    return "\n".join(("| of a | state | may become |", "|---|---|---|", *cases, *rescues))


def facts() -> str:
    """Return the facts that help those who are sent."""
    return "\n".join(
        ("| fact | in words |", "|---|---|", *(f"| `{name}` | {words} |" for name, words in FACTS.items()))
    )


TABLES = {"ladders": ladders, "floors": floors, "instruments": instruments, "moves": moves, "facts": facts}


def renewed(text: str) -> str:
    """Return the page with each table made anew between its marks."""
    for name, make in TABLES.items():
        marks = re.compile(rf"<!-- {name} -->\n.*?<!-- end -->", re.DOTALL)
        whole = f"<!-- {name} -->\n{make()}\n<!-- end -->"
        text, found = marks.subn(lambda _, whole=whole: whole, text)
        if found != 1:
            raise LookupError(f"the page has no place for `{name}`")
    return text


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
