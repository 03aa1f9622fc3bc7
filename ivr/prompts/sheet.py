"""The script sheet: what a voice talent reads, how fast, and which file it becomes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jinja2

from ivr.errors import PromptError
from ivr.prompts.catalogue import UNAPPROVED, Catalogue, Prompt
from ivr.prompts.sets import PromptSet
from ivr.prompts.speech import PACE, expected, spoken
from ivr.prompts.survey import LONGEST_SENTENCE, Entry, State

_NUMBER = re.compile(r"[0-9]+")

_environment = jinja2.Environment(
    loader=jinja2.PackageLoader("ivr.prompts"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One row of the sheet. `target` is seconds; `hints` are (as written, as read)."""

    prompt: Prompt
    target: float
    hints: tuple[tuple[str, str], ...]
    uses: tuple[str, ...]
    recorded: bool

    @property
    def approved(self) -> bool:
        """Tell whether somebody answers for the wording."""
        return self.prompt.approver != UNAPPROVED


def sheet(
    chosen: PromptSet,
    catalogue: Catalogue,
    *,
    site: str = "",
    uses: Mapping[str, Sequence[str]] | None = None,
    entries: Sequence[Entry] = (),
) -> str:
    """Return a page (HTML, no other files needed) to be printed on A4.

    `uses` tells in which flows a prompt is heard; `entries` which prompts are recorded already.
    Raise `PromptError` for an overlay, which nobody records.
    """
    if chosen.is_overlay:
        raise PromptError(f"`{chosen.name}` borrows its sounds. Print the sheet of `{chosen.falls_back}`.")
    recorded = {entry.prompt.id for entry in entries if entry.state is State.RECORDED}
    lines = [
        _line(prompt, chosen, tuple((uses or {}).get(prompt.id, ())), prompt.id in recorded)
        for prompt in catalogue.prompts.values()
    ]
    return _environment.get_template("sheet.html.j2").render(
        chosen=chosen,
        site=site,
        lines=lines,
        total=sum(line.target for line in lines) / 60,
        longest=LONGEST_SENTENCE,
        pace=round(PACE[chosen.language] * (chosen.pace or 1.0)),
    )


def _line(prompt: Prompt, chosen: PromptSet, uses: tuple[str, ...], recorded: bool) -> Line:
    read_out = spoken(prompt.text, prompt.language)
    return Line(
        prompt=prompt,
        target=expected(read_out, language=chosen.language, pace=chosen.pace or 1.0),
        hints=_hints(prompt),
        uses=uses,
        recorded=recorded,
    )


def _hints(prompt: Prompt) -> tuple[tuple[str, str], ...]:
    numbers = dict.fromkeys(_NUMBER.findall(prompt.text))
    return tuple((number, spoken(number, prompt.language)) for number in numbers)
