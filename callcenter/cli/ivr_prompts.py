"""`hotline ivr prompts`: the wording of the line, and the sounds that say it."""

from __future__ import annotations

import getpass
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, nobody_option, pass_app, show_rows
from callcenter.service.line.wording import approve_prompts
from ivr.flow import Flow, Library, prompts_of
from ivr.loader import SHIPPED, site_flow
from ivr.prompts.audio import length_of
from ivr.prompts.catalogue import Catalogue
from ivr.prompts.recordings import keep, read_recordings, summary
from ivr.prompts.sets import SETS, PromptSet, prompt_set
from ivr.prompts.sheet import sheet
from ivr.prompts.speech import synthesiser
from ivr.prompts.survey import Entry, Fault, Finding, State, examine, survey
from ivr.prompts.synthesis import heard_file, overlays_of, synthesise_all
from ivr.prompts.wording import site_catalogue

_COLUMNS = [
    ("id", "编号"),
    ("set", "集"),
    ("state_said", "状态"),
    ("seconds", "秒"),
    ("version", "版本"),
    ("approver", "审定人"),
    ("text", "内容"),
]
_STATES = {
    State.RECORDED: "录音",
    State.SYNTHESISED: "合成",
    State.MISSING: "缺",
    State.STALE: "过期",
}
_FAULTS = {
    Fault.MISSING: "没有声音。请运行 hotline ivr prompts synthesise",
    Fault.STALE_RECORDING: "文字已改,旧录音已停用。请按 hotline ivr prompts sheet 重录,再用 import 导入",
    Fault.OUTDATED: "声音还是旧的文字。请运行 hotline ivr prompts synthesise",
    Fault.UNBOUND: "声音文件是手工放入的,不知道说的是哪一版文字。请用 hotline ivr prompts import 导入",
    Fault.UNREADABLE: "声音文件不是 8 kHz 单声道 16 位 WAV。请删掉它,再运行 hotline ivr prompts synthesise",
    Fault.SILENT: "声音文件里听不到声音。请重录,或删掉它再运行 hotline ivr prompts synthesise",
    Fault.LONG: "最长的一句太长(秒数见后),不得超过 12 秒。请把文字改短或分成两句",
}
_PLAYERS = (("aplay", "-q"), ("play", "-q"))

_set_option = click.option("--set", "name", metavar="集", help=f"只看一个提示音集:{'、'.join(SETS)}")


@click.group("prompts")
def prompts() -> None:
    """提示音:文字、录音、合成。"""


@prompts.command("list")
@_set_option
@nobody_option
@json_option
@pass_app
def list_prompts(app: App, name: str | None, as_json: bool) -> None:
    """列出提示音的文字、版本、审定人、状态和长度。不写 --set 时列出 zh。"""
    entries = _entries(app, prompt_set(name or "zh"))
    show_rows([_row(entry, said=not as_json) for entry in entries], _COLUMNS, as_json)


@prompts.command("synthesise")
@_set_option
@pass_app
def synthesise_prompts(app: App, name: str | None) -> None:
    """合成提示音:只合成缺少的和文字有改动的。有录音的用录音,从不覆盖。"""
    changed = synthesise_all(
        sounds_of(app),
        wording=app.settings.wording,
        names=(prompt_set(name).name,) if name else tuple(SETS),
        speaker=synthesiser(app.settings.prompts.command),
        progress=_progress,
    )
    told = [f"{set_}:更新 {len(ids)} 条。" for set_, ids in changed.items() if ids]
    click.echo("\n".join(told) if told else "提示音都是最新的。")


@prompts.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--set", "name", metavar="集", default="zh", show_default=True, help="导入到哪一个提示音集")
@click.option("--id", "prompt", metavar="编号", help="单个文件说的是哪一条;不写时看文件名")
@click.option("--by", metavar="姓名", help="录音人或审听人;不写时记登录名")
@click.option("--dry-run", is_flag=True, help="只检查,不导入")
@pass_app
def import_recordings(
    app: App, source: Path, name: str, prompt: str | None, by: str | None, dry_run: bool
) -> None:
    """导入录音:一个文件,或一个文件夹(文件名就是编号,如 greet.wav)。

    wav、mp3、m4a、ogg、flac 都可以。自动去掉首尾空白、统一音量、转成电话音质。
    有一个文件不合格,就一个都不导入。
    """
    chosen = prompt_set(name)
    pieces = _pieces(_flows(app))
    recordings = read_recordings(source, _catalogue(app, chosen), chosen, prompt=prompt, pieces=pieces)
    for row in summary(recordings):
        click.echo("{id}  {seconds} 秒  音量 {level_before} → {level} dB".format(**row))
    if dry_run:
        click.echo(f"检查通过,{len(recordings)} 条都可以导入。没有改动任何文件。")
        return
    keep(sounds_of(app), chosen, recordings, by=(by or getpass.getuser()).strip())
    synthesise_all(sounds_of(app), wording=app.settings.wording, names=overlays_of((chosen.name,)))
    click.echo(f"已导入 {len(recordings)} 条到 {chosen.name}。")


@prompts.command("approve")
@click.argument("ids", metavar="编号...", nargs=-1, required=True)
@click.option("--text", metavar="文字", help="换成这段新文字(一次一条);旧录音随之停用")
@click.option("--set", "name", metavar="集", default="zh", show_default=True, help="哪一个提示音集的文字")
@actor_option
@pass_app
def approve_wording(app: App, actor: str, ids: tuple[str, ...], text: str | None, name: str) -> None:
    """审定提示音的文字,记下审定人;也可以同时换成新文字。

    写到站点自己的文件夹 texts 里,不改随软件提供的文字。
    """
    if text is not None and len(ids) != 1:
        raise click.UsageError("--text 一次只能换一条。请只写一个编号。")
    folder = app.settings.wording.folder
    if folder is None:
        raise RuntimeError("a site has a folder of texts")
    with app.store() as work:
        language, now = prompt_set(name).language, app.clock()
        done = approve_prompts(work, folder, language, ids, text=text, actor=actor, now=now)
        work.commit()
    for prompt in done:
        click.echo(f"{prompt.id}  第 {prompt.version} 版  审定:{prompt.approver}  {prompt.text}")
    if text is not None:
        click.echo("文字已换,旧录音已停用。请运行 hotline pbx apply;重录用 hotline ivr prompts sheet。")


@prompts.command("check")
@_set_option
@pass_app
def check_prompts(app: App, name: str | None) -> None:
    """检查每一集的每一条:声音都在、说的是现在的文字、格式对、每句不超过 12 秒(微课不限)。"""
    chosen = [prompt_set(name)] if name else list(SETS.values())
    pieces = _pieces(_flows(app))
    findings = [finding for one in chosen for finding in _examined(app, one, pieces)]
    for finding in findings:
        click.echo(_said(finding))
    if findings:
        raise click.ClickException(f"有 {len(findings)} 处要处理。")
    click.echo(f"检查通过:{len(chosen)} 个提示音集。")


@prompts.command("listen")
@click.argument("prompt", metavar="编号")
@click.option("--set", "name", metavar="集", default="zh", show_default=True, help="听哪一个提示音集")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="写到这个 WAV 文件,不播放")
@pass_app
def listen(app: App, prompt: str, name: str, out: Path | None) -> None:
    """听一条提示音。没有声卡时(如远程登录)说出文件在哪里、有多长。"""
    chosen = prompt_set(name)
    text = _catalogue(app, chosen).text(prompt)
    file = heard_file(sounds_of(app), chosen, prompt)
    if file is None:
        raise click.ClickException(f"{prompt} 还没有声音。请运行 hotline ivr prompts synthesise")
    click.echo(text)
    if out is not None:
        shutil.copyfile(file, out)
        click.echo(f"已写到 {out}({length_of(file) or 0:.1f} 秒)。")
    elif not _played(file):
        click.echo(f"{file}({length_of(file) or 0:.1f} 秒)。这里没有声卡,可用 --out 写成文件取走。")


@prompts.command("sheet")
@click.option("--set", "name", metavar="集", default="zh", show_default=True, help="哪一个提示音集")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="写到这个 HTML 文件")
@pass_app
def print_sheet(app: App, name: str, out: Path | None) -> None:
    """生成录音稿(HTML,可打印成 A4),交给录音的人。"""
    chosen = prompt_set(name)
    page = sheet(
        chosen,
        _catalogue(app, chosen),
        site=app.settings.site.name,
        uses=_uses(_flows(app)),
        entries=_entries(app, chosen),
    )
    if out is None:
        click.echo(page)
        return
    out.write_text(page, encoding="utf-8")
    click.echo(f"已写到 {out}。用浏览器打开,打印成 A4。")


def prompt_findings(app: App, flows: Iterable[Flow]) -> list[str]:
    """Return what is wrong with the sounds that flows need, in every set of the site's language.

    Nothing is wrong with a site that has no sounds yet.
    """
    if not sounds_of(app).exists():
        return []
    flows = list(flows)
    used = {prompt for flow in flows for node in flow.nodes.values() for prompt in prompts_of(node)}
    pieces = _pieces(flows)
    language = prompt_set(app.settings.site.language).language
    sets = [one for one in SETS.values() if one.language == language]
    found = [finding for one in sets for finding in _examined(app, one, pieces)]
    return [_said(finding) for finding in found if finding.prompt in used]


def sounds_of(app: App) -> Path:
    """Return the folder of all sets of sounds."""
    return app.settings.pbx_home / "sounds"


def _catalogue(app: App, chosen: PromptSet) -> Catalogue:
    return site_catalogue(chosen.language, app.settings.wording)


def _entries(app: App, chosen: PromptSet) -> tuple[Entry, ...]:
    return survey(sounds_of(app), chosen, _catalogue(app, chosen))


def _examined(app: App, chosen: PromptSet, pieces: frozenset[str]) -> Iterator[Finding]:
    return examine(sounds_of(app), chosen, _catalogue(app, chosen), pieces=pieces)


def _flows(app: App) -> list[Flow]:
    return [site_flow(name, app.settings.flows_folder) for name in SHIPPED]


def _pieces(flows: Iterable[Flow]) -> frozenset[str]:
    """Return the prompts that nothing but libraries play: they are there to be listened to, at any length."""
    nodes = [node for flow in flows for node in flow.nodes.values()]
    played = {prompt for node in nodes if isinstance(node, Library) for prompt in node.pieces}
    elsewhere = {prompt for node in nodes if not isinstance(node, Library) for prompt in prompts_of(node)}
    return frozenset(played - elsewhere)


def _uses(flows: Iterable[Flow]) -> dict[str, list[str]]:
    """Return the flows each prompt is heard in."""
    found: dict[str, list[str]] = {}
    for flow in flows:
        for prompt in dict.fromkeys(p for node in flow.nodes.values() for p in prompts_of(node)):
            found.setdefault(prompt, []).append(flow.name)
    return found


def _played(file: Path) -> bool:
    """Play a sound if this machine has a sound card and a player; tell whether it was played."""
    if not any(Path("/dev/snd").glob("pcm*p")):
        return False
    players: Sequence[tuple[str, str]] = [player for player in _PLAYERS if shutil.which(player[0])]
    return any(subprocess.run([*player, str(file)], check=False).returncode == 0 for player in players)


def _progress(ready: int, total: int, prompt: str) -> None:
    if ready % 50 == 0 or ready == total:
        click.echo(f"提示音 {ready}/{total}", err=True)


def _said(finding: Finding) -> str:
    detail = f"({finding.detail})" if finding.detail else ""
    return f"{finding.set}/{finding.prompt}:{_FAULTS[finding.fault]}{detail}。"


def _row(entry: Entry, *, said: bool) -> dict[str, object]:
    row: dict[str, object] = {
        "id": entry.prompt.id,
        "set": entry.set,
        "language": entry.prompt.language,
        "version": entry.prompt.version,
        "approver": entry.prompt.approver,
        "approved": entry.prompt.approved,
        "checksum": entry.prompt.checksum,
        "state": entry.state.value,
        "seconds": round(entry.seconds, 1) if entry.seconds is not None else None,
        "heard_in": entry.heard_in,
        "by": entry.made.by if entry.made else "",
        "text": entry.prompt.text,
    }
    if said:
        row["state_said"] = _state_said(entry)
    return row


def _state_said(entry: Entry) -> str:
    borrowed = entry.heard_in not in (None, entry.set)
    return f"{_STATES[entry.state]},用 {entry.heard_in}" if borrowed else _STATES[entry.state]
