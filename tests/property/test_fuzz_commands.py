"""Whatever is typed at whatever command: a clean line, never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import click
import pytest
from fuzzing import patience
from typing_at import Leaf, Site, leaves, open_site

SEED = 20261123
ROUNDS = 8
#: Commands that look at every flow and prompt, or seal everything anew: each takes seconds.
SLOW = frozenset({"pbx check", "pbx render", "ivr prompts check", "keys rotate"})
#: Command -> why it is not typed here.
LEFT_OUT = {
    "serve": "runs until it is told to stop",
    "demo": "starts a whole line",
    "pbx start": "starts Asterisk",
    "pbx apply": "writes to the PBX's folder and tells it; tests of its own",
    "ivr prompts synthesise": "speaks for minutes",
    "ivr prompts sheet": "measures every prompt",
}
NASTY = (
    *("", " ", "-", "--", "-1", "0", "1e9", "99999999999999999999", "\u0663", "１３８", "null", "true", "~"),
    *("沈建国", "13861705555", "a" * 300, "心" * 300, "a\nb", "a\tb", "\x1b[2J", "\u202e\u200b"),
    *("\udcff\udce6", "$(id)", "${X}", "%s%n", "{0}", "=1+1", "a=b", "=", "risk=", "x:y:z", "person:p1"),
    *("2026-02-30", "0001-01-01", "9999-12-31", "2026-11-23 99:99", "24:00", "4h", "-4h", "999999999h"),
    *("'; DROP TABLE users; --", "../../etc/passwd", "/dev/null", ".", "[", "*", "\\", '"', "🧑‍🏭", "1.5"),
)
LEAVES = [leaf for leaf in leaves() if str(leaf) not in LEFT_OUT]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with pytest.MonkeyPatch.context() as patch:
        yield open_site(tmp_path_factory.mktemp("site"), patch)


def words_for(leaf: Leaf, random: Random, known: list[str], folder: Path) -> list[str]:
    """Return words for a command: its own options, right and wrong things behind them."""
    words: list[str] = []
    for parameter in leaf.command.params:
        if isinstance(parameter, click.Argument):
            for _ in range(random.choice((1, 1, 1, 2)) if parameter.nargs == -1 else 1):
                words.append(_value(parameter, random, known, folder))
        elif parameter.opts[0] != "--as" and random.random() < (0.9 if parameter.required else 0.35):
            words.append(random.choice(parameter.opts))
            if not getattr(parameter, "is_flag", False):
                words.append(_value(parameter, random, known, folder))
    if random.random() < 0.1:
        words.insert(random.randrange(len(words) + 1), random.choice(NASTY))
    return words


def _value(parameter: click.Parameter, random: Random, known: list[str], folder: Path) -> str:
    if isinstance(parameter.type, click.Path):  # nothing outside of the folder is to be written to
        return random.choice(["none.yaml", str(folder), "hostile.yaml", "new\nline", "\udcff", "var"])
    if isinstance(parameter.type, click.Choice) and random.random() < 0.7:
        return str(random.choice(list(parameter.type.choices)))
    if isinstance(parameter.type, click.IntRange) and random.random() < 0.5:
        return str(random.randrange(1, 9))
    return random.choice(known) if random.random() < 0.5 else random.choice(NASTY)


@pytest.mark.parametrize("leaf", LEAVES, ids=str)
def test_no_command_answers_with_a_traceback(leaf: Leaf, site: Site) -> None:
    random, known = Random(f"{SEED} {leaf}"), list(site.ids())
    (site.folder / "hostile.yaml").write_bytes(b"\xff\xfe: [\0")
    for _ in range(2 if str(leaf) in SLOW else ROUNDS):
        words = [*leaf.words, *words_for(leaf, random, known, site.folder)]
        with patience(60):
            done = site.type(*words, stdin=random.choice(["", "y\n", "\x00\n", "沈建国\n" * 3]))
        assert done.exception is None or isinstance(done.exception, SystemExit), (words, done.exc_info)
        assert "Traceback" not in done.output, words
        assert (done.exit_code == 0) or done.output.strip(), (words, "a refusal says why")


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_left_out_is_a_command(name: str) -> None:
    assert name in {str(leaf) for leaf in leaves()}
