"""What `scripts/fuzz` runs: each target in a process of its own, for its share of the time."""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOUND = ROOT / ".cache" / "fuzz"
#: A parser that takes more than this is a finding.
MEMORY = 4 << 30


def main() -> None:
    reader = argparse.ArgumentParser(description="Break what every parser reads.")
    reader.add_argument("--minutes", type=float, default=5.0, help="for all targets together (default: 5)")
    reader.add_argument("--seed", type=int, default=int(time.time()))
    reader.add_argument("--one", type=float, help=argparse.SUPPRESS, metavar="SECONDS")
    reader.add_argument("targets", nargs="*", metavar="TARGET")
    wanted = reader.parse_args()
    if wanted.one is not None:
        _fuzz(wanted.targets[0], wanted.one, wanted.seed)
        return
    sys.exit(_all(wanted.targets, wanted.minutes * 60, wanted.seed))


def _all(names: list[str], seconds: float, seed: int) -> int:
    known = _names()
    if unknown := set(names) - set(known):
        sys.exit(f"No such target: {', '.join(sorted(unknown))}. There are: {', '.join(known)}.")
    chosen, failed = names or known, []
    for name in chosen:
        share = seconds / len(chosen)
        print(f"==> {name} ({share:.0f} s, seed {seed})", flush=True)  # noqa: T201
        command = [sys.executable, __file__, "--one", str(share), "--seed", str(seed), name]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    print(f"Findings in: {', '.join(failed)}" if failed else "Nothing found.")  # noqa: T201
    return 1 if failed else 0


def _names() -> list[str]:
    from fuzzing import TARGETS

    return [target.name for target in TARGETS]


def _fuzz(name: str, seconds: float, seed: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    kept = FOUND / name
    kept.mkdir(parents=True, exist_ok=True)
    if find_spec("atheris"):
        _guided(name, seconds, seed, kept)
    else:
        _blind(name, seconds, seed, kept)


def _guided(name: str, seconds: float, seed: int, kept: Path) -> None:
    import atheris  # type: ignore[import-not-found]

    with atheris.instrument_imports(include=["callcenter", "ivr", "scheduler"]):
        import fuzzing

    target = next(one for one in fuzzing.TARGETS if one.name == name)
    corpus = kept / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, data in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(data)

    def read(data: bytes) -> None:
        with suppress(*fuzzing.CLEAN):
            target.run(data)

    limits = [f"-max_total_time={max(1, round(seconds))}", f"-seed={seed}", "-timeout=20", "-max_len=20000"]
    quiet = ["-verbosity=0", "-print_final_stats=0", f"-artifact_prefix={kept}/"]
    atheris.Setup([sys.argv[0], *limits, *quiet, str(corpus)], read)
    atheris.Fuzz()


def _blind(name: str, seconds: float, seed: int, kept: Path) -> None:
    import fuzzing

    target = next(one for one in fuzzing.TARGETS if one.name == name)
    inputs, until = fuzzing.mutations(target, seed), time.monotonic() + seconds
    for number in count():
        if time.monotonic() > until:
            return
        data = next(inputs)
        try:
            fuzzing.feed(target, data)
        except BaseException:
            (kept / f"crash-{seed}-{number}").write_bytes(data)
            raise


if __name__ == "__main__":
    main()
