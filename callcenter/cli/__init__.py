"""The `hotline` command, one file per command group."""

from __future__ import annotations

import errno
import logging
import os
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import click

from callcenter.bootstrap import App
from callcenter.cli.chinese import speak_chinese
from callcenter.cli.folding import visible
from callcenter.errors import CallCenterError, InDoubt, PbxUnreachable
from ivr.errors import IvrError
from scheduler.errors import SchedulerError

speak_chinese()

#: Command -> (module, what it is for). Loaded only when called, so that `hotline --help` is quick.
COMMANDS = {
    "init": ("init", "建立数据库、密钥和第一位管理员"),
    "serve": ("serve", "运行热线的后台服务"),
    "pbx": ("pbx", "生成、检查、装入电话系统的配置"),
    "ivr": ("ivr", "检查语音流程,合成提示音"),
    "duty": ("duty", "排班与值守"),
    "user": ("user", "人员与角色"),
    "login": ("login", "登录"),
    "logout": ("login", "退出登录"),
    "whoami": ("login", "现在以谁的名义"),
    "calls": ("calls", "通话记录与实时画面"),
    "sessions": ("sessions", "接访记录"),
    "people": ("people", "我们服务的人:资料、同意、合并、停接、本人的请求"),
    "cases": ("cases", "有危险的人:个案、级别、量表"),
    "rescue": ("rescue", "紧急救援"),
    "handover": ("handover", "交接来电和个案"),
    "hardship": ("hardship", "困难职工档案与回访"),
    "queue": ("queue", "督导的回访队列"),
    "plans": ("plans", "联系计划:就诊前的电话、每月的会谈"),
    "alarm": ("alarm", "告警"),
    "audit": ("audit", "操作留痕"),
    "export": ("export", "导出的文件"),
    "report": ("report", "给单位和上级的报表"),
    "doctor": ("doctor", "体检:哪里不对,怎么改"),
    "keys": ("keys", "密钥:更换、托管、找回"),
    "backup": ("backup", "加密备份,或核对一份备份"),
    "restore": ("restore", "从备份恢复"),
    "twilio": ("twilio", "Twilio 线路"),
    "demo": ("demo", "排练:真实的 Asterisk,模拟的来电"),
}


#: What the system says of a file, in words for whoever named it.
_TROUBLES = {
    errno.ENOENT: "没有这个文件或文件夹。",
    errno.EACCES: "没有权限。",
    errno.EPERM: "没有权限。",
    errno.EISDIR: "这是文件夹,不是文件。",
    errno.ENOTDIR: "路径中间有一段不是文件夹。",
    errno.EEXIST: "已经有了。",
    errno.ENOSPC: "磁盘满了。",
    errno.EROFS: "这里只能读,不能写。",
    errno.ENAMETOOLONG: "名字太长。",
}


class _Finding(click.ClickException):
    """What is wrong with a file, `file:line: what`: one line, whatever its length, as editors read it."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(visible(f"错误:{self.message}"), file=file, err=file is None)


class _Hotline(click.Group):
    """Finds commands by name and turns our errors into one clean line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"callcenter.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("命令"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Bytes that are no UTF-8 arrive as lone surrogates, which neither a store nor a screen takes.
        for place, word in enumerate(args, start=1):
            if not _is_text(word) and not os.path.lexists(word):  # an old file's name may be in GB18030
                ctx.fail(f"第 {place} 个词里有认不出的字符(不是 UTF-8)。请重新输入。")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except IvrError as error:
            raise _Finding(str(error)) from error
        except (CallCenterError, SchedulerError) as error:
            raise click.ClickException(_told(error)) from error
        except OSError as error:
            if error.filename is None:  # a closed pipe is click's to handle
                raise
            told = _TROUBLES.get(error.errno or 0, error.strerror)
            raise _Finding(f"{error.filename}:{told}") from error


def _told(error: Exception) -> str:
    """Return what is wrong in words for whoever typed; what the telephone system's own side says is not."""
    from callcenter.asterisk.ami_session import Unanswered  # nothing of the PBX's side is loaded for `--help`

    words = str(error)
    if not words.isascii():
        return words
    match error:
        case InDoubt() | Unanswered():
            return "电话系统没有回答，不知道做成了没有：先看 hotline calls live，不要马上再做一次。"
        case PbxUnreachable():
            return "电话系统没有应答，这一步没有做。请看电话系统是否在运行（hotline doctor），再做一次。"
        case _:
            return words


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


@click.group(cls=_Hotline, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", type=click.Path(path_type=Path), help="配置文件,默认 ./hotline.toml")
@click.version_option(package_name="xinxian")
@click.pass_context
def main(ctx: click.Context, config: Path | None) -> None:
    """心线:热线、值守与回访。"""
    # What a command has to say it says itself; only `serve` keeps a log.
    logging.getLogger().addHandler(logging.NullHandler())
    ctx.obj = app = App(config_file=config)
    ctx.call_on_close(app.close)
