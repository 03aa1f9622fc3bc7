"""What prompts say, for people who read a flow instead of hearing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ivr.prompts.catalogue import LANGUAGES, filled, load_catalogue

#: Prompt id -> its words; None if nobody has written any.
Texts = Callable[[str], str | None]


def texts_of(language: str, words: Mapping[str, str] | None = None) -> Texts:
    """Return the texts of a set of prompts: `zh_slow` says what `zh` says.

    `words` fill the blanks that texts leave to the site, such as `hours`. A prompt or a language that
    is not in the catalogue is not an error here: a flow may be tried before its prompts are written.
    """
    base = language.partition("_")[0]
    if base not in LANGUAGES:
        return lambda prompt: None
    prompts = filled(load_catalogue(base), words).prompts
    return lambda prompt: prompts[prompt].text if prompt in prompts else None
