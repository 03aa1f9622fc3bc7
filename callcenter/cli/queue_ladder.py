"""`hotline queue ladder`: what follows on each result of an automated call, and a trial of it."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from callcenter.bootstrap import App
from callcenter.cli.common import json_option, nobody_option, pass_app, say, show_rows
from callcenter.errors import Refused
from callcenter.service.followup.debts import rules_of
from callcenter.words import RESULT_WORDS
from scheduler.gates import Rules
from scheduler.ladder import WHY_SENTENCES, Who
from scheduler.ladder_table import Part, Row, Then
from scheduler.ladder_trial import Tried, trial
from scheduler.obligations import Result

_THEN = {
    Then.RETRY: "再拨",
    Then.FAULT: "故障，再拨",
    Then.HUMAN: "转人工",
    Then.STOP_NUMBER: "停号转人工",
}
_PART = {
    Part.ANY: "任何时段",
    Part.SAME: "同一时段",
    Part.OTHER: "别的时段",
    Part.EVENING: "下一天傍晚",
}
_TABLE = [
    ("result", "代码"),
    ("result_text", "结果"),
    ("then_text", "接着"),
    ("next_text", "何时"),
    ("counts_text", "占次数"),
]
_TRIAL = [("n", "第几次"), ("at_text", "拨出"), ("result_text", "假设结果"), ("then_text", "接着")]


@click.command()
@click.option("--try", "tried", metavar="结果,结果", help="试算：假如各次拨打这样结束，如 no_answer,busy")
@click.option(
    "--from",
    "start",
    type=click.DateTime(["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"]),
    help="试算从何时开始（当地时间）；不写：现在",
)
@nobody_option
@json_option
@pass_app
def ladder(app: App, tried: str | None, start: datetime | None, as_json: bool) -> None:
    """列出自动拨打的重拨规则：每种结果之后做什么。改规则见配置 [ladder]。

    --try 在启用之前先试算：各次拨打会在什么时候，到第几次转给工作人员。不拨打，不写入。
    """
    rules = rules_of(app.settings)
    if tried is None:
        _print_table(rules, as_json)
        return
    begin = start.replace(tzinfo=app.settings.site.zone) if start else app.clock()
    calls = trial(_results(tried), begin, rules)
    show_rows([_call_row(one, rules) for one in calls], _TRIAL, as_json=as_json)
    if not as_json:
        _conclude(calls, rules)


def _print_table(rules: Rules, as_json: bool) -> None:
    table, limits = rules.limits.table, rules.limits
    show_rows([_row(result, table.row(result)) for result in Result], _TABLE, as_json=as_json)
    if not as_json:
        say(
            f"自动拨打共 {table.rungs} 次，之后转人工；故障不占次数，{table.faults} 次故障后也转人工。"
            f"每人一天至多 {limits.per_day} 次，七天至多 {limits.per_week} 次，两次之间至少隔"
            f"{_span(limits.gap)}。"
        )


def _results(words: str) -> list[Result]:
    """Return the results somebody typed, or raise `Refused` naming those that are none."""
    typed = [word.strip() for word in words.split(",") if word.strip()]
    wrong = [word for word in typed if word not in set(Result)]
    if wrong or not typed:
        what = f"没有这样的结果：{'、'.join(wrong)}。" if wrong else "--try 里没有结果。"
        raise Refused(f"{what}可用的代码见 hotline queue ladder。")
    return [Result(word) for word in typed]


def _row(result: Result, row: Row) -> dict[str, object]:
    again = row.then in {Then.RETRY, Then.FAULT}
    return {
        "result": result.value,
        "result_text": RESULT_WORDS[result],
        "then": row.then.value,
        "then_text": _THEN[row.then],
        "nexts": [
            {"wait_seconds": int(one.wait.total_seconds()), "part": one.part.value} for one in row.nexts
        ],
        "next_text": _when(row) if again else "",
        "counts": row.counts,
        "counts_text": "是" if row.counts and again else "",
        "quick": row.quick,
        "quick_wait_seconds": int(row.quick_wait.total_seconds()) if row.quick else None,
    }


def _when(row: Row) -> str:
    steps = [f"{_span(one.wait)}后{_PART[one.part]}" if one.wait else _PART[one.part] for one in row.nexts]
    quick = [f"先隔{_span(row.quick_wait)}重拨{row.quick}次"] if row.quick else []
    return "；".join([*quick, "，再".join(steps)])


def _span(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    return f"{minutes}分钟" if minutes % 60 else f"{minutes // 60}小时"


def _call_row(one: Tried, rules: Rules) -> dict[str, object]:
    return {
        "n": one.n,
        "at": one.at.isoformat(),
        "at_text": one.at.astimezone(rules.windows.zone).strftime("%Y-%m-%d %H:%M"),
        "result": one.result.value,
        "result_text": RESULT_WORDS[one.result],
        "who_next": one.then.who.value,
        "why": one.then.why.value,
        "then_text": _THEN[Then.HUMAN] if one.then.who is Who.HUMAN else _THEN[Then.RETRY],
        "next_at": one.then.not_before.isoformat() if one.then.not_before else None,
    }


def _conclude(calls: tuple[Tried, ...], rules: Rules) -> None:
    last = calls[-1].then
    if last.who is Who.HUMAN:
        say(f"第 {calls[-1].n} 次之后转人工：{WHY_SENTENCES[last.why]}。")
    elif last.not_before is not None:
        again = last.not_before.astimezone(rules.windows.zone)
        say(f"还没有转人工；下一次不早于 {again:%Y-%m-%d %H:%M}。")
