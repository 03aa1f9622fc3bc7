"""`hotline ivr try`: play a flow in the terminal, with typed keys for a caller's."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from callcenter.bootstrap import App
from callcenter.cli.common import pass_app
from callcenter.cli.ivr_flow import flow_argument, site_texts
from callcenter.cli.ivr_keys import Keyboard, Told, read_script
from callcenter.cli.ivr_screen import JsonScreen, PlainScreen, Screen, Speaker
from ivr.acts import Answered, Capped, Failed, Question
from ivr.backends.simulator import Luck, Moment, Player, Scripted, Walk, World, play, read_acts
from ivr.flow import Flow
from ivr.vocabulary import EXPECTED, FACTS, LANGUAGES

_LUCK: Mapping[str, Luck] = {"answered": Answered(), "failed": Failed(), "capped": Capped()}

#: Whether the call brings a number is `--number`'s to say.
_FACTS = sorted(FACTS - {"number"})


def _known_facts(ctx: click.Context, param: click.Parameter, words: tuple[str, ...]) -> tuple[str, ...]:
    for word in words:
        if word == "number":
            raise click.BadParameter("来电是否显示号码请用 --number 或 --no-number。", param_hint="--fact")
        if word not in _FACTS:
            raise click.BadParameter(f"没有 {word} 这件事。请用：{'、'.join(_FACTS)}。", param_hint="--fact")
    return words


def _known_set(ctx: click.Context, param: click.Parameter, name: str | None) -> str | None:
    if name is not None and name not in LANGUAGES:
        known = "、".join(sorted(LANGUAGES))
        raise click.BadParameter(f"没有 {name} 这套提示音。请用：{known}。", param_hint="--set")
    return name


@click.command("try")
@flow_argument
@click.option(
    "--fact", "facts", multiple=True, callback=_known_facts, help="事先知道的事，如 no_menu，可重复"
)
@click.option("--open/--closed", "is_open", default=None, help="是否在服务时间内")
@click.option("--free/--busy", "is_free", default=None, help="是否有人空闲")
@click.option("--number/--no-number", "number", default=None, help="来电是否显示号码")
@click.option(
    "--known", "known", multiple=True, metavar="NAME=DIGITS", help="档案里的数字，如 birth_month=07"
)
@click.option("--answered", "luck", flag_value="answered", help="呼叫的人都接听")
@click.option("--failed", "luck", flag_value="failed", help="呼叫的人都不接")
@click.option("--capped", "luck", flag_value="capped", help="排队都等满")
@click.option("--set", "sounds", metavar="SET", callback=_known_set, help="用哪一套提示音，如 zh_slow")
@click.option("--script", type=click.Path(path_type=Path, dir_okay=False), help="从文件读按键")
@click.option("--say", is_flag=True, help="同时播放声音文件")
@click.option("--rows", is_flag=True, help="最后列出写入话单的行")
@click.option("--json", "as_json", is_flag=True, help="每步一行 JSON（英文键，格式稳定）")
@pass_app
def try_flow(
    app: App,
    flow: Flow,
    facts: tuple[str, ...],
    is_open: bool | None,
    is_free: bool | None,
    number: bool | None,
    known: tuple[str, ...],
    luck: str | None,
    sounds: str | None,
    script: Path | None,
    say: bool,
    rows: bool,
    as_json: bool,
) -> None:
    """在终端里试走一个流程：看来电者会听到什么，用键盘代替按键。

    \b
    0-9 * #  按键；几个键连写就是连按
    - 或回车  不按键
    ^ 加一键  刚接通时的误按
    h        挂机
    a f c    呼叫的人：接听、没人接、等满

    没有终端时从标准输入读：echo "1 0 - h" | hotline ivr try inbound
    """
    flow = replace(flow, language=sounds or flow.language)
    told = Told(
        world=World(
            facts=frozenset(facts),
            is_open=is_open is not False,
            is_free=is_free is not False,
            has_number=number is not False,
            digits=dict(map(_digits, known)),
            otherwise=_LUCK[luck or "failed"],
        ),
        questions=frozenset(_settled(is_open, is_free, known)),
        number=number is not None,
    )
    speaker = Speaker(app.settings.pbx_home / "sounds", flow.language) if say else None
    screen = JsonScreen() if as_json else PlainScreen(flow.language, partial(site_texts, app))
    with ExitStack() as stack:
        if script is None and sys.stdin.isatty():
            player: Player = stack.enter_context(Keyboard(flow, told))
        else:
            player = Scripted(read_acts(read_script(script)), told.world)
        walk = _played(flow, player, screen, speaker)
    screen.end(walk, rows=rows)


def _digits(text: str) -> tuple[str, str]:
    name, _, digits = text.partition("=")
    if not name or not digits.isascii() or not digits.isdecimal():
        raise click.BadParameter(f"{text} 应写成 birth_month=07。", param_hint="--known")
    if name not in EXPECTED:
        known = "、".join(sorted(EXPECTED))
        raise click.BadParameter(f"档案里没有 {name} 这一项。请用：{known}。", param_hint="--known")
    return name, digits


def _settled(is_open: bool | None, is_free: bool | None, known: tuple[str, ...]) -> set[Question]:
    """Return what the options answer."""
    settled = {Question.HOURS} if is_open is not None else set()
    settled |= {Question.FREE} if is_free is not None else set()
    return settled | ({Question.EXPECTED, Question.MATCHES} if known else set())


def _played(flow: Flow, player: Player, screen: Screen, speaker: Speaker | None) -> Walk:
    """Play, show and perhaps say a call, step by step."""
    moments: list[Moment] = []
    try:
        for moment in play(flow, player):
            if speaker is not None:
                speaker.cut() if isinstance(player, Keyboard) else speaker.finish()
                speaker.play(moment.effects)
            screen.show(moment)
            moments.append(moment)
        if speaker is not None:
            speaker.finish()
    finally:
        if speaker is not None:
            speaker.cut()
    return Walk(flow=flow.name, moments=tuple(moments))
