"""What click itself says, in Chinese: its messages, its help pages, and its warning at a hidden prompt.

click looks its words up with `gettext`, by the language of the system. Ours is always one, and no catalogue
has to be installed for it: its modules get a look-up of our own instead, once, when the commands are loaded.
"""

from __future__ import annotations

import getpass
import re
import warnings
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

import click
from rich.cells import cell_len

from callcenter.cli.folding import WIDTH, fold, visible

WORDS = {
    "Aborted!": "已中止。",
    "Options": "选项",
    "Commands": "命令",
    "Positional arguments": "参数",
    "Usage:": "用法:",
    "deprecated": "已停用",
    "required": "必填",
    "(dynamic)": "(随情况而定)",
    "default: {default}": "默认:{default}",
    "env var: {var}": "环境变量:{var}",
    "Show this message and exit.": "显示这段说明。",
    "Show the version and exit.": "显示版本。",
    "%(prog)s, version %(version)s": "%(prog)s,版本 %(version)s",
    "Try '{command} {option}' for help.": "看说明:{command} {option}",
    "Error: {message}": "错误:{message}",
    "Error: invalid input": "错误:输入无效,请再输一次。",
    "Error: The two entered values do not match.": "两次输入的不一样,请再输一次。",
    "Repeat for confirmation": "再输一次",
    "Do you want to continue?": "要继续吗?",
    "Confirm the action without prompting.": "不再询问,直接做。",
    "Press any key to continue...": "按任意键继续……",
    "unknown error": "原因不明",
    "Missing command.": "请写要做什么:缺少命令。",
    "Missing argument": "缺少参数",
    "Missing option": "缺少选项",
    "Missing parameter": "缺少参数",
    "Missing {param_type}": "缺少 {param_type}",
    "Missing parameter: {param_name}": "缺少参数:{param_name}",
    "No such option {name!r}.": "没有选项 {name!r}。",
    "No such command {name!r}.": "没有命令 {name!r}。",
    "Did you mean {possibility}?": "是不是 {possibility}?",
    "(Did you mean one of: {possibilities}?)": "(是不是其中之一:{possibilities}?)",
    "Invalid value: {message}": "值不对:{message}",
    "Invalid value for {param_hint}: {message}": "{param_hint} 的值不对:{message}",
    "Could not open file {filename!r}: {message}": "打不开文件 {filename!r}:{message}",
    "Got unexpected extra argument ({args})": "多了一个参数({args})。",
    "Got unexpected extra arguments ({args})": "多了几个参数({args})。",
    "Value must be an iterable.": "值应为一列。",
    "Takes {nargs} values but 1 was given.": "要 {nargs} 个值,只给了 1 个。",
    "Takes {nargs} values but {len} were given.": "要 {nargs} 个值,给了 {len} 个。",
    "{len_type} values are required, but {len_value} was given.": "要 {len_type} 个,只有 {len_value} 个。",
    "{len_type} values are required, but {len_value} were given.": "要 {len_type} 个值,给了 {len_value} 个。",
    "Invalid start character for option ({option})": "选项的开头不对({option})",
    "Option {name!r} does not take a value.": "选项 {name!r} 后面不跟值。",
    "Option {name!r} requires an argument.": "选项 {name!r} 后面要跟一个值。",
    "Option {name!r} requires {nargs} arguments.": "选项 {name!r} 后面要跟 {nargs} 个值。",
    "Argument {name!r} takes {nargs} values.": "参数 {name!r} 要 {nargs} 个值。",
    "Choose from:\n\t{choices}": "从这些里选:\n\t{choices}",
    "{value!r} is not {choice}.": "{value!r} 不行,应为 {choice}。",
    "{value!r} is not one of {choices}.": "{value!r} 不在其中,应为 {choices} 之一。",
    "{value!r} does not match the format {format}.": "{value!r} 的写法不对,应为 {format}。",
    "{value!r} does not match the formats {formats}.": "{value!r} 的写法不对,应为 {formats} 之一。",
    "{value} is not in the range {range}.": "{value} 超出范围 {range}。",
    "{value!r} is not a valid boolean. Recognized values: {states}": "{value!r} 应为 yes 或 no。",
    "{value!r} is not a valid {number_type}.": "{value!r} 不是数字。",
    "{value!r} is not a valid UUID.": "{value!r} 不是 UUID。",
    "file": "文件",
    "directory": "文件夹",
    "path": "路径",
    "{name} {filename!r} does not exist.": "{name} {filename!r} 不存在。",
    "{name} {filename!r} is a file.": "{name} {filename!r} 是文件,不是文件夹。",
    "{name} {filename!r} is a directory.": "{name} {filename!r} 是文件夹,不是文件。",
    "{name} {filename!r} is not readable.": "{name} {filename!r} 读不了。",
    "{name} {filename!r} is not writable.": "{name} {filename!r} 写不了。",
    "{name} {filename!r} is not executable.": "{name} {filename!r} 不能执行。",
    "{editor}: Editing failed": "编辑器 {editor} 没有正常结束",
    "{editor}: Editing failed: {e}": "编辑器 {editor} 没有正常结束:{e}",
}
#: What stands for a value on a help page.
_KINDS = {
    "INTEGER RANGE": "整数",
    "FLOAT RANGE": "数字",
    "INTEGER": "整数",
    "FLOAT": "数字",
    "TEXT": "文字",
    "BOOLEAN": "yes|no",
    "DIRECTORY": "文件夹",
    "FILENAME": "文件",
    "FILE": "文件",
    "PATH": "路径",
    "[OPTIONS]": "[选项]",
    "COMMAND [ARGS]...": "命令 [参数]...",
}
_KIND = re.compile("|".join(rf"(?<![A-Z_]){re.escape(kind)}(?![A-Z_])" for kind in _KINDS))
_MODULES = ("core", "decorators", "exceptions", "formatting", "parser", "termui", "types", "_termui_impl")


def speak_chinese() -> None:
    """Let click say everything in Chinese, in lines that fit. May be called again."""
    for name in _MODULES:
        module: Any = import_module(f"click.{name}")
        for look_up, ours in (("_", _word), ("ngettext", _counted)):
            if hasattr(module, look_up):
                setattr(module, look_up, ours)
    told: Any = click.exceptions
    told.echo = _echo
    click.Context.formatter_class = Page
    prompts: Any = import_module("click.termui")
    prompts.hidden_prompt_func = _ask_hidden


def _word(message: str) -> str:
    return WORDS.get(message, message)


def _counted(one: str, many: str, number: int) -> str:
    return _word(one if number == 1 else many)


def _echo(message: Any = None, file: Any = None, **more: Any) -> None:
    """Print what went wrong: in lines that fit, with nothing in it that acts on the screen."""
    told = "\n".join(_folded(visible(str(message)))) if message is not None else None
    click.echo(told, file=file, **more)


def _folded(text: str) -> Iterator[str]:
    """Yield lines that fit; what stands indented stays so, and a little more, where it goes on."""
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip(" "))
        yield from fold(line, WIDTH, further=" " * (indent + 2) if indent else "")


def _ask_hidden(prompt: str) -> str:
    """Ask without showing what is typed; where that cannot be, say so and ask openly."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(prompt)
        except getpass.GetPassWarning:
            click.echo("注意:这里不能隐藏输入,打的字会显示出来。", err=True)
    click.echo(prompt, nl=False, err=True)
    return input()


class Page(click.HelpFormatter):
    """A help page whose lines are measured in cells, and whose words are not broken apart."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the line that shows how a command is called."""
        head = f"{prefix or _word('Usage:') + ' '}{prog} "
        room = max(self.width - cell_len(head), 20)
        # A list of choices that is longer than a line is parted at its bars.
        words = [w if cell_len(w) <= room else w.replace("|", "| ") for w in _named(args).split(" ")]
        lines = fold(" ".join(words), room)
        for place, line in enumerate(lines):
            before = head if place == 0 else " " * cell_len(head)
            self.write(f"{before}{line}".rstrip() + "\n")

    def write_text(self, text: str) -> None:
        r"""Write text; an empty line parts paragraphs, and `\b` keeps the lines of one as they are."""
        indent = " " * self.current_indent
        blocks = []
        for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
            lines = paragraph.splitlines()
            if lines and lines[0].strip() == "\b":
                blocks.append(lines[1:])
            else:
                blocks.append(fold(_joined(lines), self.width - self.current_indent))
        self.write("\n\n".join("\n".join(f"{indent}{line}" for line in block) for block in blocks) + "\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write terms and what they mean beside each other."""
        known = [(_named(term), meaning) for term, meaning in rows]
        first = min(max((cell_len(term) for term, _ in known), default=0), col_max) + col_spacing
        indent, room = " " * self.current_indent, self.width - first - self.current_indent
        for term, meaning in known:
            lines = fold(_joined(meaning.splitlines()), max(room, 20))
            if cell_len(term) > first - col_spacing:
                self.write(
                    "".join(f"{line}\n" for line in fold(indent + term, self.width, further=indent * 2))
                )
                term = ""
            for place, line in enumerate(lines):
                before = term if place == 0 else ""
                self.write(f"{indent}{before}{' ' * (first - cell_len(before))}{line}".rstrip() + "\n")


def _named(text: str) -> str:
    return _KIND.sub(lambda found: _KINDS[found[0]], text)


def _joined(lines: Iterable[str]) -> str:
    """Return lines as one: Chinese needs no blank between them, other words do."""
    whole = ""
    for line in map(str.strip, lines):
        between = " " if whole and line and (whole[-1].isascii() and line[0].isascii()) else ""
        whole += between + line
    return whole
