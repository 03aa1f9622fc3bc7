"""`hotline duty route`: a dry run. Where would this call go, and why?"""

from __future__ import annotations

from datetime import timedelta

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, local, pass_app, say, show_one, show_rows
from callcenter.cli.duty_time import parse_moment
from callcenter.domain.routing import Stage, Step, Why
from callcenter.service.line import routing
from callcenter.service.line.routing import DryRun

_STAGES = {
    Stage.BLOCKED: "停接的号码",
    Stage.KNOWN: "来电者",
    Stage.HOURS: "服务时间",
    Stage.CODE: "按口令找人",
    Stage.OWNER: "自己的咨询员",
    Stage.CRISIS: "先找危机专长",
    Stage.EXPERIENCED: "再找非实习人员",
    Stage.DIALECT: "先找会无锡话的",
    Stage.WOMAN: "先找女咨询员",
    Stage.MAN: "先找男咨询员",
    Stage.QUEUE: "所有在岗人员",
    Stage.OFFER: "等候期满",
    Stage.BACKUPS: "备班",
    Stage.CHAIN: "值守名单",
    Stage.AGAIN: "继续排队",
    Stage.CLOSING: "如实告知",
}
_WORDS = {
    "no_menu": "不听菜单",
    "slow": "慢速播报",
    "dialect": "说无锡话",
    "owed": "欠一次回访",
    "high_risk": "高风险",
    "wants_woman": "希望女咨询员",
    "wants_man": "希望男咨询员",
}
#: Why a whole stage is passed.
_PASSED = {
    Why.NOBODY_THERE: "没有人可以响铃",
    Why.ONLY_TRAINEES: "那里只有实习人员,跳过",
    Why.NO_TIME_LEFT: "等候时间已用完",
    Why.NO_OWNER: "没有自己的咨询员,直接往下",
    Why.NO_NUMBER: "不显示号码,无从得知",
    Why.UNKNOWN_CODE: "口令没有对应的咨询员",
}
#: Why somebody is not rung.
_ABSENT = {
    Why.NO_PHONE: "没有话机",
    Why.OFF_SHIFT: "不在班",
    Why.NOT_SIGNED_ON: "未签到",
    Why.PAUSED: "暂停",
    Why.DEBRIEF: "待支持性谈话",
    Why.BUSY: "通话中",
    Why.TRAINEE: "实习,别人都忙时才响",
    Why.IN_QUEUE: "已在排队响铃之列",
    Why.RUNG_BEFORE: "刚才已响过",
}
_SAID = {
    (Stage.BLOCKED, Why.SAID): "两遍告知 110、120 和 12356,不响任何人的话机",
    (Stage.HOURS, Why.OPEN): "在服务时间内(在不在都先找人)",
    (Stage.HOURS, Why.CLOSED): "不在服务时间内(仍然先找人)",
    (Stage.OFFER, Why.SAID): "再说一遍可选:1 请我们回电,2 转 12356,3 听微课",
    (Stage.AGAIN, Why.SAID): "回到原来的位置",
    (Stage.CLOSING, Why.OPEN): "暂时无人能接:12356、110、120,可请我们回电",
    (Stage.CLOSING, Why.CLOSED): "服务时间,以及 12356、110、120,可请我们回电",
}
_COLUMNS = [("n", "步"), ("stage", "步骤"), ("who", "依次响铃"), ("lasts", "最久"), ("why", "说明")]


@click.command("route")
@click.option("--at", "when", help='什么时候打来,如 "2026-12-01 20:30";默认现在')
@click.option(
    "--caller", default="", help="来电号码,写 - 则另行输入;不写就是不显示号码。只用来查找,不显示、不记录"
)
@click.option("--code", default="", help="来电者按的六位口令")
@click.option("--dialect", is_flag=True, help="来电者按 1 选了无锡话")
@click.option("--reason", default="", help="为什么查,记入操作留痕;写了号码或口令就要写")
@actor_option
@json_option
@pass_app
def duty_route(
    app: App, when: str | None, caller: str, code: str, dialect: bool, reason: str, actor: str, as_json: bool
) -> None:
    """试算:此时来一通电话,会依次响谁的话机,为什么。不会真的响铃。

    以后的时间按排班算,假定在班的人都已签到、没有人暂停。
    """
    now = app.clock()
    number = str(click.prompt("号码")) if caller == "-" else caller
    at = parse_moment(when, app.settings.site.zone) if when else now
    with app.store() as work:
        found = routing.dry_run(
            work,
            number,
            code,
            at=at,
            dialect=dialect,
            settings=app.settings,
            salt=app.keys.password("pbx-salt"),
            actor=actor,
            now=now,
            reason=reason,
        )
        work.commit()
    if as_json:
        show_one(_row(found), [], as_json=True)
        return
    _say(found)


def _say(found: DryRun) -> None:
    assumed = "。按排班算,假定在班的人都已签到、没有人暂停" if found.assumed else ""
    say(f"试算 {local(found.at)} 的来电{assumed}。每一步都无人接听时,才到下一步。")
    show_rows([_shown(n, step) for n, step in enumerate(found.steps, start=1)], _COLUMNS)


def _shown(n: int, step: Step) -> dict[str, object]:
    return {
        "n": n,
        "stage": _STAGES[step.stage],
        "who": "、".join(one.agent for one in step.who),
        "lasts": f"{seconds(step.lasts)}" if step.lasts else "",
        "why": ";".join(filter(None, (_why(step), _absent(step)))),
    }


def _why(step: Step) -> str:
    match step.stage, step.why:
        case Stage.KNOWN, _:
            return _known(step)
        case ((Stage.BACKUPS | Stage.CHAIN), Why.RINGS):
            return "逐个响铃,按 1 才算接听"
        case ((Stage.CODE | Stage.OWNER), why) if why in _ABSENT:
            return "接不了,直接往下"
        case _, Why.RINGS:
            return ""
        case place:
            return _SAID.get(place) or _PASSED[step.why]


def _known(step: Step) -> str:
    words = "、".join(_WORDS.get(word, word) for word in step.words) or "没有特别的标记"
    return f"{words};位次 {step.rank}" if step.rank else words


def _absent(step: Step) -> str:
    return "、".join(f"{agent} {_ABSENT[why]}" for agent, why in step.passed_over)


def seconds(length: timedelta) -> str:
    """Return a wait as people say it."""
    return f"{length.total_seconds():.0f} 秒"


def _row(found: DryRun) -> dict[str, object]:
    return {
        "at": found.at,
        "assumed": found.assumed,
        "steps": [
            {
                "stage": step.stage,
                "happens": step.happens,
                "why": step.why,
                "who": [{"agent": one.agent, "penalty": one.penalty} for one in step.who],
                "passed_over": [{"agent": agent, "why": why} for agent, why in step.passed_over],
                "lasts": step.lasts,
                "words": step.words,
                "rank": step.rank,
            }
            for step in found.steps
        ],
    }
