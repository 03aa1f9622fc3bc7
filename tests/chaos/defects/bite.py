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
            file = tree / defect.file
            file.write_text(applied(defect))
        yield tree


def applied(defect: Defect) -> str:
    """Return the file's text with the defect; raise `ValueError` if it does not stand there exactly once."""
    text = (REPOSITORY / defect.file).read_text()
    if text.count(defect.old) != 1:
        raise ValueError(f"{defect.name}: its text stands {text.count(defect.old)} times in {defect.file}")
    return text.replace(defect.old, defect.new)


def _only_from(tree: Path, before: dict[str, str]) -> dict[str, str]:
    """Return what has Python take our packages from there, and from no folder it happens to be in."""
    path = os.pathsep.join([str(tree), before.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}


def main(names: Sequence[str]) -> int:
    """Play the named defects, or all; print a table; return 1 if one was not caught as it should be."""
    missed = 0
    for defect in [DEFECTS[name] for name in names] or DEFECTS.values():
        began = monotonic()
        caught = sorted({one.invariant for one in play(defect)})
        is_caught = bool(set(caught) & set(defect.caught_by))
        missed += not is_caught
        told = ", ".join(caught) or "nothing"
        mark = "caught" if is_caught else "MISSED"
        sys.stdout.write(f"{mark}  {defect.name:40} {monotonic() - began:5.0f} s  {told}\n")
        sys.stdout.flush()
    return int(missed > 0)
