"""Every check for dangerous calls is run by ruff or by bandit, and an audit that knows nothing fails."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import warnings
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
#: Importing subprocess is no call; what is started is looked at where it is started.
LEFT_OUT = {"B404"}


def checks_of_bandit() -> set[str]:
    # Loading its plugins warns of what bandit's own libraries no longer want to be asked.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from bandit.core.extension_loader import MANAGER
    named = {plugin.plugin._test_id for plugin in MANAGER.plugins}
    return named | {check["id"] for checks in MANAGER.blacklist.values() for check in checks}


def checks_of_ruff() -> set[str]:
    """Return bandit's names of the checks that ruff runs here."""
    ruff = Path(sys.executable).with_name("ruff")
    shown = subprocess.run(
        [ruff, "rule", "--all", "--output-format", "json"], capture_output=True, check=True
    )
    rules = [rule for rule in json.loads(shown.stdout) if re.fullmatch(r"S\d+", rule["code"] or "")]
    return {f"B{rule['code'][1:]}" for rule in rules if "Stable" in rule["status"]}


def test_every_check_is_run_by_one_of_the_two_and_none_by_both() -> None:
    assert "S" in PROJECT["tool"]["ruff"]["lint"]["select"]
    by_bandit = set(PROJECT["tool"]["bandit"]["tests"])
    assert by_bandit == checks_of_bandit() - checks_of_ruff() - LEFT_OUT
    assert PROJECT["tool"]["bandit"].keys() == {"tests"}, "nothing is skipped wholesale"


def test_every_line_left_out_names_its_check_and_a_reason_above() -> None:
    for package in ("ivr", "callcenter", "scheduler"):
        for file in (ROOT / package).rglob("*.py"):
            lines = file.read_text(encoding="utf-8").splitlines()
            for above, line in pairwise(lines):
                if "# nosec" in line:
                    assert re.search(r"# nosec B\d{3}$", line), f"{file}: {line}"
                    assert above.lstrip().startswith("# "), f"{file}: {line}"


@pytest.mark.parametrize(
    ("says", "ends", "told"),
    [
        ("No known vulnerabilities found", 0, "No known vulnerabilities found"),
        ("Found 1 known vulnerability in 1 package\nname 1.0 CVE-1", 1, "known holes"),
        ("ERROR: x: Dependency not found and could not be audited", 1, "could not be asked"),
        ("ConnectionError: no route", 1, "could not be asked"),
    ],
)
def test_an_audit_passes_only_when_every_package_was_asked_about(
    says: str, ends: int, told: str, tmp_path: Path
) -> None:
    fake = tmp_path / "pip-audit"
    fake.write_text(f'#!/bin/sh\ncase "$*" in *--strict*) ;; *) exit 0;; esac\necho "{says}"\nexit {ends}\n')
    fake.chmod(0o755)
    done = subprocess.run(
        [ROOT / "scripts" / "audit"],
        capture_output=True,
        text=True,
        env=os.environ | {"PIP_AUDIT": str(fake)},
        check=False,
    )
    assert done.returncode == ends
    assert told in done.stdout + done.stderr
