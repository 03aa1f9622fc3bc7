"""Write `docs/reference/cli.md` from the commands' own help: `.venv/bin/python docs/generate.py`.

`tests/unit/test_docs_cli.py` fails when the page is out of step.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner

from callcenter.cli import COMMANDS, main

CLI_PAGE = Path(__file__).parent / "reference" / "cli.md"

HEAD = """\
# Command line

Generated from `--help` by `docs/generate.py`; a test keeps it in step.
The commands speak Chinese to people; `--json`, where a listing has it, keeps English keys and is stable.
Times without a zone are wall time at the site (`site.timezone`).
A refusal is one clean line and exit code 1; a wrong option is exit code 2.

`hotline` reads `./hotline.toml` unless `--config` or `HOTLINE_CONFIG` names another file.
Inside a checkout `scripts/hotline` is the same command from the project's own environment;
where there is no `hotline.toml` it uses the last rehearsal's line.
`HOTLINE_ACTOR=CODE` stands for `--as CODE`.

| command | for |
|---|---|
"""


def commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command below `group` with its words, groups before what they hold."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            raise LookupError(name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def help_of(path: tuple[str, ...]) -> str:
    """Return what `hotline <path> --help` prints, 90 columns wide whatever the terminal is."""
    settings = {"terminal_width": 90, "max_content_width": 90}
    result = CliRunner().invoke(main, [*path, "--help"], prog_name="hotline", **settings)
    if result.exit_code != 0:
        raise RuntimeError(f"{' '.join(path)}: {result.output}")
    return "\n".join(line.rstrip() for line in result.output.rstrip().splitlines())


def cli_page() -> str:
    """Return the whole page."""
    rows = "".join(
        f"| [`hotline {name}`](#hotline-{name}) | {text} |\n" for name, (_, text) in COMMANDS.items()
    )
    sections = []
    for path, command in commands(main):
        if len(path) == 1:
            sections.append(f"## hotline {path[0]}\n")
        if not isinstance(command, click.Group) or len(path) == 1:
            sections.append(f"```text\n{help_of(path)}\n```\n")
    return f"{HEAD}{rows}\n" + "\n".join(sections)


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        sys.stdout.buffer.write(cli_page().encode())
    else:
        CLI_PAGE.write_text(cli_page(), encoding="utf-8")
