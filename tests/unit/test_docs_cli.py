"""Every command is documented, has help, and the page of commands is in step."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from callcenter.cli import main

DOCS = Path(__file__).parents[2] / "docs"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = _generator()
COMMANDS = list(GENERATE.commands(main))


def test_the_page_of_commands_is_in_step() -> None:
    # In a process of its own: click keeps a command's help option as its first caller made it.
    fresh = subprocess.run(
        [sys.executable, str(DOCS / "generate.py"), "--print"],
        capture_output=True,
        check=True,
        cwd=DOCS.parent,
    )
    written = GENERATE.CLI_PAGE.read_text(encoding="utf-8")
    assert written == fresh.stdout.decode(), "run: .venv/bin/python docs/generate.py"


@pytest.mark.parametrize("path", [path for path, _ in COMMANDS], ids=" ".join)
def test_every_command_has_help_and_is_on_the_page(path: tuple[str, ...]) -> None:
    command = dict(COMMANDS)[path]
    assert (command.help or "").strip(), f"hotline {' '.join(path)} has no help"
    assert f"hotline {' '.join(path)}" in GENERATE.CLI_PAGE.read_text(encoding="utf-8")
