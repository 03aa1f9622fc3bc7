"""The catalogue: which words each prompt says, in which version, approved by whom (R48)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from ivr.errors import PromptError
from ivr.flow import NAME
from ivr.yaml_marks import Marked, read_yaml

_TEXTS = Path(__file__).with_name("texts")
#: Languages there are texts in.
LANGUAGES = ("zh", "en")
#: What stands for `{hours}` and its like until the site says otherwise, by language.
DEFAULT_WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "zh": MappingProxyType({"hours": "每天二十四小时"}),
        "en": MappingProxyType({"hours": "at any hour of any day"}),
    }
)
#: Stands where an approver's name belongs, until the site has approved the wording.
UNAPPROVED = "未审定"
_FIELDS = frozenset({"text", "version", "checksum", "approver"})
#: Words a text may leave to the site's configuration.
_BLANKS = frozenset({"hours"})
_BLANK = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One prompt. `checksum` is the sha256 of `text` in UTF-8, hexadecimal."""

    id: str
    language: str
    text: str
    version: int
    checksum: str
    approver: str

    @property
    def approved(self) -> bool:
        """Tell whether somebody answers for this wording by name."""
        return self.approver != UNAPPROVED


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalogue:
    """Every prompt of one language, by id."""

    language: str
    prompts: Mapping[str, Prompt]

    def text(self, prompt: str) -> str:
        """Return the words of a prompt, or raise `PromptError` if there is none of that id."""
        if prompt not in self.prompts:
            raise PromptError(f"no prompt `{prompt}` in the catalogue. Add it, or mend the id.")
        return self.prompts[prompt].text


def checksum_of(text: str) -> str:
    """Return what stands as a text's checksum."""
    return hashlib.sha256(text.encode()).hexdigest()


def load_catalogue(which: str | Path = "zh") -> Catalogue:
    """Read the shipped catalogue of a language, or a file; texts may still hold blanks like `{hours}`.

    Raise `PromptError` naming file:line and the mend.
    """
    file = which if isinstance(which, Path) else _file_of(which)
    both = frozenset({"language", "prompts"})
    top = read_yaml(file, PromptError).fields(both, both)
    language = top["language"].text()
    prompts = {key.text(): _prompt(key, value, language) for key, value in top["prompts"].pairs()}
    return Catalogue(language=language, prompts=MappingProxyType(prompts))


def _file_of(language: str) -> Path:
    if language not in LANGUAGES:
        raise PromptError(f"no texts in the language `{language}`. There are: {', '.join(LANGUAGES)}.")
    return _TEXTS / f"{language}.yaml"


def filled(catalogue: Catalogue, words: Mapping[str, str] | None = None) -> Catalogue:
    """Return the catalogue with its blanks filled in, and checksums of what is then said.

    So a sound that says the old hours is out of date as soon as the site's hours change (R48). Words
    not given are the language's `DEFAULT_WORDS`.
    """
    known = {**DEFAULT_WORDS.get(catalogue.language, {}), **(words or {})}
    prompts = {key: _with_words(prompt, known) for key, prompt in catalogue.prompts.items()}
    return replace(catalogue, prompts=MappingProxyType(prompts))


def _with_words(prompt: Prompt, words: Mapping[str, str]) -> Prompt:
    if "{" not in prompt.text:
        return prompt
    text = _BLANK.sub(lambda blank: words[blank[1]], prompt.text)
    return replace(prompt, text=text, checksum=checksum_of(text))


def _prompt(key: Marked, value: Marked, language: str) -> Prompt:
    if not NAME.fullmatch(key.text()):
        raise key.fail(
            f"`{key.text()}` cannot be a prompt's id. Use small letters, digits and _, a letter first."
        )
    found = value.fields(_FIELDS, _FIELDS)
    text = found["text"].text().strip()
    if not text:
        raise found["text"].fail(f"`{key.text()}` says nothing. Give it a text.")
    for blank in _BLANK.findall(text):
        if blank not in _BLANKS:
            raise found["text"].fail(f"nothing fills `{{{blank}}}`. Known: {', '.join(sorted(_BLANKS))}.")
    if found["checksum"].text() != checksum_of(text):
        raise found["checksum"].fail(
            f"the text of `{key.text()}` changed, its checksum did not (R48). Have the new wording "
            f"approved, raise `version`, and set `checksum: {checksum_of(text)}`."
        )
    return Prompt(
        id=key.text(),
        language=language,
        text=text,
        version=found["version"].convert(_positive, "a version number from 1 on"),
        checksum=found["checksum"].text(),
        approver=_approver(found["approver"]),
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _approver(mark: Marked) -> str:
    if not mark.text().strip():
        raise mark.fail(f"`approver` is empty. Name who approved the text, or write {UNAPPROVED}.")
    return mark.text().strip()
