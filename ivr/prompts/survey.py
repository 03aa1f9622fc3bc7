"""How every prompt of a set stands, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ivr.errors import SynthesisError
from ivr.prompts.audio import SILENT, length_of, read_sound
from ivr.prompts.catalogue import Catalogue, Prompt
from ivr.prompts.sets import PromptSet, prompt_set
from ivr.prompts.store import (
    RECORDED,
    Made,
    has_recording_of_old,
    read_manifest,
    recording_file,
    sound_file,
)
from ivr.prompts.synthesis import chain, heard_file

#: Longest sentence a caller is asked to listen to, seconds of real audio (R1).
LONGEST_SENTENCE = 12.0
_SENTENCE_END = re.compile(r"[。！？!?]|\.(?=\s|$)")


class State(StrEnum):
    """How a prompt stands in one set."""

    RECORDED = "recorded"
    SYNTHESISED = "synthesised"
    #: The set has no sound of it; a set that falls back plays its stand-in's.
    MISSING = "missing"
    #: There is a sound or a recording of another wording than the text has now (R48).
    STALE = "stale"


class Fault(StrEnum):
    """What can be wrong with a prompt's sound."""

    MISSING = "missing"
    #: The recording says an old text, so it is not played.
    STALE_RECORDING = "stale_recording"
    #: The sound that calls hear says an old text.
    OUTDATED = "outdated"
    #: Somebody put a file there by hand; nobody knows which text it says.
    UNBOUND = "unbound"
    UNREADABLE = "unreadable"
    SILENT = "silent"
    LONG = "long"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One prompt in one set. `seconds` and `made` are of what stands in the set itself."""

    set: str
    prompt: Prompt
    state: State
    seconds: float | None
    made: Made | None
    #: The set whose sound calls hear, or None if they hear nothing.
    heard_in: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One fault. `detail` is a length in seconds or a reader's words, where there are any."""

    set: str
    prompt: str
    fault: Fault
    detail: str = ""


def survey(sounds: Path, chosen: PromptSet, catalogue: Catalogue) -> tuple[Entry, ...]:
    """Return how each prompt of a set stands; `catalogue` must have its blanks filled."""
    manifest = read_manifest(sounds, chosen.name)
    return tuple(_entry(sounds, chosen, prompt, manifest.get(prompt.id)) for prompt in _of(chosen, catalogue))


def lengths_of(sounds: Path, chosen: PromptSet, catalogue: Catalogue) -> dict[str, float]:
    """Return the seconds a call in this set's language hears, by prompt id, as far as the sounds are current.

    A sound of an old text, or one that nobody knows the text of, has no length (R48): it is about to be
    replaced, so it says nothing about the text that is being checked.
    """
    manifests = {name: read_manifest(sounds, name) for name in chain(chosen)}
    lengths = {
        key: length_of(file)
        for key, prompt in catalogue.prompts.items()
        if (file := _current_file(sounds, chosen, prompt, manifests)) is not None
    }
    return {prompt: seconds for prompt, seconds in lengths.items() if seconds is not None}


def _current_file(
    sounds: Path, chosen: PromptSet, prompt: Prompt, manifests: Mapping[str, Mapping[str, Made]]
) -> Path | None:
    """Return the sound that is heard if it says the text of now; what an overlay borrows says another."""
    file = heard_file(sounds, chosen, prompt.id)
    if file is None:
        return None
    made = manifests[file.relative_to(sounds).parts[0]].get(prompt.id)
    return file if made is not None and made.checksum == prompt.checksum else None


def examine(
    sounds: Path, chosen: PromptSet, catalogue: Catalogue, *, pieces: Container[str] = ()
) -> Iterator[Finding]:
    """Yield what is wrong with a set: what it lacks, what says an old text, what cannot be listened to.

    `pieces` are the ids that nothing but libraries play: they are there to be listened to, at any length.
    """
    for entry in survey(sounds, chosen, catalogue):
        for fault, detail in _faults(sounds, chosen, entry):
            if fault is Fault.LONG and entry.prompt.id in pieces:
                continue
            yield Finding(set=chosen.name, prompt=entry.prompt.id, fault=fault, detail=detail)


def longest_sentence(text: str, seconds: float) -> float:
    """Return how long the longest sentence of a prompt lasts, by its share of the words."""
    sentences = [_weight(one) for one in _SENTENCE_END.split(text)]
    return seconds * max(sentences) / (sum(sentences) or 1)


def _weight(sentence: str) -> int:
    return sum(character.isalnum() for character in sentence)


def _of(chosen: PromptSet, catalogue: Catalogue) -> list[Prompt]:
    prompts = catalogue.prompts
    return [prompts[key] for key in (chosen.says or prompts)]


def _entry(sounds: Path, chosen: PromptSet, prompt: Prompt, made: Made | None) -> Entry:
    file = sound_file(sounds, chosen.name, prompt.id)
    heard = heard_file(sounds, chosen, prompt.id)
    return Entry(
        set=chosen.name,
        prompt=prompt,
        state=_borrowed(sounds, chosen, prompt)
        if chosen.is_overlay
        else _state(sounds, chosen, prompt, made),
        seconds=length_of(file) if file.exists() else None,
        made=made,
        heard_in=heard.relative_to(sounds).parts[0] if heard else None,
    )


def _state(sounds: Path, chosen: PromptSet, prompt: Prompt, made: Made | None) -> State:
    if has_recording_of_old(sounds, chosen.name, prompt):
        return State.STALE
    if not sound_file(sounds, chosen.name, prompt.id).exists():
        return State.MISSING
    if made is None or made.checksum != prompt.checksum or _unplayed(sounds, chosen, prompt, made):
        return State.STALE
    return State.RECORDED if made.kind == RECORDED else State.SYNTHESISED


def _unplayed(sounds: Path, chosen: PromptSet, prompt: Prompt, made: Made) -> bool:
    """Tell whether there is a recording, but the machine is still heard."""
    return made.kind != RECORDED and recording_file(sounds, chosen.name, prompt).exists()


def _borrowed(sounds: Path, chosen: PromptSet, prompt: Prompt) -> State:
    """Return how an overlay's sound stands: it is as good as what it is copied from."""
    stand_in = prompt_set(chosen.falls_back or "")
    file = sound_file(sounds, chosen.name, prompt.id)
    source = heard_file(sounds, stand_in, chosen.says[prompt.id])
    if not file.exists() or source is None:
        return State.MISSING
    if file.read_bytes() != source.read_bytes():
        return State.STALE
    home = source.relative_to(sounds).parts[0]
    made = read_manifest(sounds, home).get(chosen.says[prompt.id])
    return State.RECORDED if made and made.kind == RECORDED else State.SYNTHESISED


def _faults(sounds: Path, chosen: PromptSet, entry: Entry) -> Iterator[tuple[Fault, str]]:
    if not chosen.is_overlay and has_recording_of_old(sounds, chosen.name, entry.prompt):
        yield Fault.STALE_RECORDING, ""
    if entry.seconds is None and not sound_file(sounds, chosen.name, entry.prompt.id).exists():
        # An overlay must be there: what its stand-in says is what must not be said.
        if entry.heard_in is None or chosen.is_overlay:
            yield Fault.MISSING, ""
        return
    yield from _unbound_faults(chosen, entry)
    yield from _faults_of_sound(sounds, chosen, entry)


def _unbound_faults(chosen: PromptSet, entry: Entry) -> Iterator[tuple[Fault, str]]:
    if chosen.is_overlay:
        if entry.state is State.STALE:
            yield Fault.OUTDATED, ""
    elif entry.made is None:
        yield Fault.UNBOUND, ""
    elif entry.made.checksum != entry.prompt.checksum:
        yield Fault.OUTDATED, ""


def _faults_of_sound(sounds: Path, chosen: PromptSet, entry: Entry) -> Iterator[tuple[Fault, str]]:
    try:
        sound = read_sound(sound_file(sounds, chosen.name, entry.prompt.id))
    except SynthesisError as trouble:
        yield Fault.UNREADABLE, str(trouble)
        return
    if sound.level < SILENT:
        yield Fault.SILENT, ""
    longest = longest_sentence(entry.prompt.text, sound.seconds)
    if longest > LONGEST_SENTENCE:
        yield Fault.LONG, f"{longest:.1f}"
