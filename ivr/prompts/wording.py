"""The words a site itself has approved: its own texts in the place of ours, written by `approve`.

They stand in `<folder>/<language>.yaml`, in the form of the shipped catalogue, and hold only what the site
has changed or put its name to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import yaml

from ivr.errors import PromptError
from ivr.prompts.catalogue import UNAPPROVED, Catalogue, Prompt, checksum_of, filled, load_catalogue
from ivr.prompts.store import write_atomically

_HEAD = (
    "# Wording approved by this site. `hotline ivr prompts approve` writes it; a text changed by hand needs\n"
    "# its new checksum, a higher version and the name of whoever approved it (R48).\n"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wording:
    """What a site says in its own way: its folder of texts, and words for blanks such as `hours`."""

    folder: Path | None = None
    #: For Chinese texts.
    words: Mapping[str, str] = field(default_factory=dict)


OURS = Wording()


def site_catalogue(language: str, wording: Wording = OURS) -> Catalogue:
    """Return a language's texts as this site says them, its blanks filled in."""
    return filled(site_texts(language, wording.folder), wording.words if language == "zh" else None)


def site_texts(language: str, folder: Path | None) -> Catalogue:
    """Return the shipped texts with the site's own in their place; blanks stay."""
    ours = load_catalogue(language)
    file = folder / f"{language}.yaml" if folder else None
    if file is None or not file.exists():
        return ours
    theirs = load_catalogue(file)
    if theirs.language != language:
        raise PromptError(f"{file}:1: holds `language: {theirs.language}`. Write `language: {language}`.")
    return replace(ours, prompts=MappingProxyType({**ours.prompts, **theirs.prompts}))


def approve(
    folder: Path, language: str, prompts: Iterable[str], *, by: str, text: str | None = None
) -> tuple[Prompt, ...]:
    """Put a name to the wording of prompts, or to a new `text` of one; return them as they now stand.

    A new text raises the version: its recording is stale from then on (R48). Raise `PromptError` for an
    unknown prompt and for words that cannot be said; then nothing is written.
    """
    current = site_texts(language, folder)
    changed = {id_: _approved(current, id_, by=by, text=text) for id_ in dict.fromkeys(prompts)}
    file = folder / f"{language}.yaml"
    own = dict(load_catalogue(file).prompts) if file.exists() else {}
    content = _yaml(language, {**own, **changed}).encode()
    _refuse_unreadable(file, content)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, content)
    return tuple(changed.values())


def _approved(current: Catalogue, prompt: str, *, by: str, text: str | None) -> Prompt:
    current.text(prompt)
    old = current.prompts[prompt]
    if not by.strip() or by.strip() == UNAPPROVED:
        raise PromptError("an approval needs a name. Say who approved the wording.")
    if text is None or text.strip() == old.text:
        return replace(old, approver=by.strip())
    words = " ".join(text.split())
    return replace(old, text=words, version=old.version + 1, checksum=checksum_of(words), approver=by.strip())


def _yaml(language: str, prompts: Mapping[str, Prompt]) -> str:
    entries = {
        prompt.id: {
            "text": prompt.text,
            "version": prompt.version,
            "checksum": prompt.checksum,
            "approver": prompt.approver,
        }
        for prompt in prompts.values()
    }
    body = yaml.safe_dump(
        {"language": language, "prompts": entries}, allow_unicode=True, sort_keys=False, width=1000
    )
    return _HEAD + body


def _refuse_unreadable(file: Path, content: bytes) -> None:
    """Read what is about to be written: a text that the catalogue refuses must not get into it."""
    trial = file.with_name(f".{file.name}.trial")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        trial.write_bytes(content)
        load_catalogue(trial)
    except PromptError as trouble:
        raise PromptError(str(trouble).replace(str(trial), str(file))) from None
    finally:
        trial.unlink(missing_ok=True)
