"""Bring a set of sounds up to date: recordings where there are any, a machine's voice elsewhere.

A recording of a text that has changed since is not played (R48): the machine speaks the new text, or
the sound goes and the set's stand-in is heard. Only what changed is made again; several processes may
run this at once, and a call in progress never hears half a prompt.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ivr.prompts.audio import from_speech
from ivr.prompts.catalogue import Catalogue, Prompt
from ivr.prompts.sets import SETS, PromptSet, prompt_set
from ivr.prompts.speech import Espeak, Synthesiser
from ivr.prompts.store import (
    RECORDED,
    SYNTHESISED,
    Made,
    alone_in,
    read_manifest,
    recording_file,
    recording_key,
    sound_file,
    write_atomically,
    write_manifest,
)
from ivr.prompts.tools import Batch
from ivr.prompts.wording import OURS, Wording, site_catalogue

log = logging.getLogger(__name__)

#: Called with (prompts ready, prompts in all, id of the last one).
Progress = Callable[[int, int, str], None]


def synthesise(
    catalogue: Catalogue,
    sounds: Path,
    *,
    chosen: PromptSet | None = None,
    speaker: Synthesiser | None = None,
    progress: Progress | None = None,
) -> tuple[str, ...]:
    """Bring one set up to date (the language's first one by default); return the ids that changed.

    `catalogue` must have its blanks filled. Raise `SynthesisError` if what speaks or sox is missing or
    fails: the first failure stops what else is being spoken, and what was made until then stays.
    """
    chosen = chosen or _first_set(catalogue)
    if chosen.is_overlay:
        return _borrow(chosen, sounds)
    work = _Work(chosen=chosen, sounds=sounds, speaker=speaker or Espeak())
    changed = work.run(catalogue, progress)
    log.info("prompts are ready", extra={"action": "prompts_synthesised", "count": len(changed)})
    return changed


def synthesise_all(
    sounds: Path,
    *,
    wording: Wording = OURS,
    names: tuple[str, ...] = tuple(SETS),
    speaker: Synthesiser | None = None,
    progress: Progress | None = None,
) -> dict[str, tuple[str, ...]]:
    """Bring these sets and their overlays up to date; return the ids that changed, by set.

    `wording` is what the site says in its own way.
    """
    every = [prompt_set(name) for name in dict.fromkeys((*names, *overlays_of(names)))]
    ordered = sorted(every, key=lambda one: one.is_overlay)
    return {
        one.name: synthesise(
            site_catalogue(one.language, wording), sounds, chosen=one, speaker=speaker, progress=progress
        )
        for one in ordered
    }


def overlays_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the overlays that may borrow from these sets, directly or by falling back."""
    return tuple(one.name for one in SETS.values() if one.is_overlay and set(names) & set(chain(one)))


def chain(chosen: PromptSet) -> Iterator[str]:
    """Yield the sets Asterisk looks in, in its order."""
    one: PromptSet | None = chosen
    while one is not None:
        yield one.name
        one = SETS[one.falls_back] if one.falls_back else None


def heard_file(sounds: Path, chosen: PromptSet, prompt: str) -> Path | None:
    """Return the sound a call in this set's language hears, or None if there is none."""
    places = (sound_file(sounds, name, prompt) for name in chain(chosen))
    return next((place for place in places if place.exists()), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Settled:
    """A prompt's line of the manifest, None if the set has no sound of it; and whether it is news."""

    made: Made | None
    changed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Work:
    """One set being brought up to date."""

    chosen: PromptSet
    sounds: Path
    speaker: Synthesiser
    batch: Batch = field(default_factory=Batch)

    def run(self, catalogue: Catalogue, progress: Progress | None) -> tuple[str, ...]:
        changed = []
        with alone_in(self.sounds, self.chosen.name):
            manifest = read_manifest(self.sounds, self.chosen.name)
            before = dict(manifest)
            try:
                for count, (prompt, settled) in enumerate(self._all(catalogue, before), start=1):
                    _note(manifest, prompt.id, settled.made)
                    if settled.changed:
                        changed.append(prompt.id)
                    if progress:
                        progress(count, len(catalogue.prompts), prompt.id)
            finally:
                write_manifest(self.sounds, self.chosen.name, manifest)
        return tuple(changed)

    def _all(self, catalogue: Catalogue, manifest: Mapping[str, Made]) -> Iterator[tuple[Prompt, _Settled]]:
        """Settle every prompt, a few at once: most of the time goes into programs that speak.

        After a failure yield what else is done, so that it is noted, and raise it.
        """
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            prompts = list(catalogue.prompts.values())
            doing = [pool.submit(self._settle_or_stop, prompt, manifest) for prompt in prompts]
            try:
                for prompt, one in zip(prompts, doing, strict=True):
                    if settled := one.result():
                        yield prompt, settled
            finally:
                self.batch.stop()
                pool.shutdown(wait=True, cancel_futures=True)
        if self.batch.trouble:
            raise self.batch.trouble

    def _settle_or_stop(self, prompt: Prompt, manifest: Mapping[str, Made]) -> _Settled | None:
        """Put the right sound in its place; once anything has failed, return None and leave the rest."""
        if self.batch.stopped:
            return None
        try:
            return self._settle(prompt, manifest)
        except Exception as trouble:
            self.batch.stop(trouble)
            return None

    def _settle(self, prompt: Prompt, manifest: Mapping[str, Made]) -> _Settled:
        """Put the right sound in its place."""
        recording = recording_file(self.sounds, self.chosen.name, prompt)
        if recording.exists():
            return self._play_recording(prompt, recording, manifest)
        if self.chosen.pace is not None:
            return self._speak(prompt, self.chosen.pace, manifest)
        if prompt.id in manifest:
            self._file(prompt).unlink(missing_ok=True)
        return _Settled(made=None, changed=prompt.id in manifest)

    def _play_recording(self, prompt: Prompt, recording: Path, manifest: Mapping[str, Made]) -> _Settled:
        known = manifest.get(recording_key(prompt))
        made = known or Made(kind=RECORDED, checksum=prompt.checksum)
        file = self._file(prompt)
        if manifest.get(prompt.id) == made and file.exists():
            return _Settled(made=made, changed=False)
        write_atomically(file, recording.read_bytes())
        return _Settled(made=made, changed=True)

    def _speak(self, prompt: Prompt, pace: float, manifest: Mapping[str, Made]) -> _Settled:
        recipe = self.speaker.recipe(language=self.chosen.language, pace=pace)
        known = manifest.get(prompt.id)
        wanted = (SYNTHESISED, prompt.checksum, recipe)
        if known and (known.kind, known.checksum, known.recipe) == wanted and self._file(prompt).exists():
            return _Settled(made=known, changed=False)
        with self.batch.current():
            speech = self.speaker.speak(prompt.text, language=self.chosen.language, pace=pace)
        sound = from_speech(speech)
        write_atomically(self._file(prompt), sound.wav())
        level = round(sound.level, 1)
        made = Made(kind=SYNTHESISED, checksum=prompt.checksum, recipe=recipe, at=now(), level=level)
        return _Settled(made=made, changed=True)

    def _file(self, prompt: Prompt) -> Path:
        return sound_file(self.sounds, self.chosen.name, prompt.id)


def _borrow(chosen: PromptSet, sounds: Path) -> tuple[str, ...]:
    """Copy into an overlay what its stand-in says, so that it is recorded or spoken just as that is."""
    stand_in = prompt_set(chosen.falls_back or "")
    changed = []
    with alone_in(sounds, chosen.name):
        for prompt, source in chosen.says.items():
            file, wanted = sound_file(sounds, chosen.name, prompt), heard_file(sounds, stand_in, source)
            if wanted is None:
                file.unlink(missing_ok=True)
            elif not file.exists() or file.read_bytes() != wanted.read_bytes():
                write_atomically(file, wanted.read_bytes())
                changed.append(prompt)
    return tuple(changed)


def _first_set(catalogue: Catalogue) -> PromptSet:
    """Return the set named as the catalogue's language, if need be one nobody has shipped."""
    language = catalogue.language
    return SETS.get(language) or PromptSet(name=language, language=language)


def _note(manifest: dict[str, Made], key: str, made: Made | None) -> None:
    if made is None:
        manifest.pop(key, None)
    else:
        manifest[key] = made


def now() -> str:
    """Return this moment in UTC, ISO 8601, seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
