"""Apply one defect to a copy of the product, play its round on that, and tell what caught it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from chaos import Chaos, faults_for
from invariants import Broken
from violence import Site

from defects import DEFECTS, Defect

REPOSITORY = Path(__file__).resolve().parents[3]
PACKAGES = ("ivr", "callcenter", "scheduler")


def play(defect: Defect, *, healthy: bool = False) -> list[Broken]:
    """Play a defect's round on a copy that has it (or, `healthy`, on one that has not).

    A round that never comes to rest breaks the invariant `rest`: something stays open for ever.
    """
    faults = faults_for(defect.store, defect.faults)
    with copy_of(None if healthy else defect) as tree:
        site = Site(defect.store)
        try:
            for fault in faults.values():
                fault.prepare(site)
            site.python.environment |= _only_from(tree, site.python.environment)
            chaos = Chaos(site=site.open(), seed=defect.seed, seconds=defect.seconds, faults=faults)
            return chaos.run()
        except TimeoutError as error:
            return [Broken(invariant="rest", sentence=str(error))]
        finally:
            site.close()


@contextmanager
def copy_of(defect: Defect | None) -> Iterator[Path]:
    """Yield a folder with a copy of the product that has this defect."""
    with tempfile.TemporaryDirectory(prefix="hotline-defect-") as folder:
        tree = Path(folder)
        for name in PACKAGES:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPOSITORY / name, tree / name, ignore=ignored)
        if defect is not None:
            for name, text in applied(defect).items():
                (tree / name).write_text(text)
        yield tree


def applied(defect: Defect) -> dict[str, str]:
    """Return the texts of the files it changes; raise `ValueError` unless each stands there exactly once."""
    texts: dict[str, str] = {}
    for change in defect.changes:
        text = texts.get(change.file) or (REPOSITORY / change.file).read_text()
        if text.count(change.old) != 1:
            raise ValueError(f"{defect.name}: stands {text.count(change.old)} times in {change.file}")
        texts[change.file] = text.replace(change.old, change.new)
    return texts


def _only_from(tree: Path, before: dict[str, str]) -> dict[str, str]:
    """Return what has Python take our packages from there, and from no folder it happens to be in."""
    path = os.pathsep.join([str(tree), before.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}


def main(names: Sequence[str], *, healthy: bool = False) -> int:
    """Play the named defects, or all; print a table; return 1 if one was not caught as it should be.

    `healthy`: play their rounds, each once, on the product as it is, which nothing must catch.
    """
    wrong = 0
    chosen = [DEFECTS[name] for name in names] or [*DEFECTS.values()]
    for defect in {_round_of(one): one for one in chosen}.values() if healthy else chosen:
        began = monotonic()
        breaches = play(defect, healthy=healthy)
        found = sorted({one.invariant for one in breaches})
        is_right = not found if healthy else bool(set(found) & set(defect.caught_by))
        wrong += not is_right
        mark = ("whole " if is_right else "BROKEN") if healthy else ("caught" if is_right else "MISSED")
        told = ", ".join(found) or "nothing"
        sys.stdout.write(f"{mark}  {defect.name:40} {monotonic() - began:5.0f} s  {told}\n")
        sys.stdout.writelines(f"    {one.invariant}: {one.sentence}\n" for one in breaches if not is_right)
        sys.stdout.flush()
    return int(wrong > 0)


def _round_of(defect: Defect) -> tuple[object, ...]:
    return defect.seed, defect.seconds, defect.faults, defect.store
