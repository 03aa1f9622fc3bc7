"""Every verb and every class of data has a name people understand: whoever is refused is told it."""

from __future__ import annotations

from callcenter.domain.access import DataClass, Verb
from callcenter.domain.verb_words import DATA_WORDS, VERB_WORDS


def test_every_verb_and_every_class_has_its_words() -> None:
    assert set(VERB_WORDS) == set(Verb)
    assert set(DATA_WORDS) == set(DataClass)
    assert not [words for words in (*VERB_WORDS.values(), *DATA_WORDS.values()) if "." in words]
    assert len(set(VERB_WORDS.values())) == len(Verb)
