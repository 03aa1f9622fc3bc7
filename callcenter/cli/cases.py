"""`hotline cases`: people in danger, whose they are, how they stand, and what they are owed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import click

from callcenter.bootstrap import App
from callcenter.cli.case_rows import case_row, confirming, event_row, plain_rows, step_row
from callcenter.cli.common import actor_option, json_option, nobody_option, pass_app, say, show_one, show_rows
from callcenter.cli.session_outcome import Rung, ring_for
from callcenter.domain.case_rules import proposal, proposed_why
from callcenter.domain.cases import RESCUE_WORDS, Case, CloseReason
from callcenter.domain.instruments import Instrument, load_instruments
from callcenter.domain.levels import LEVEL_WORDS, Level
from callcenter.domain.scoring import Scored, instrument_of, parse_answers, score, taken_over
from callcenter.errors import Refused
from callcenter.ports import UnitOfWork
from callcenter.service.followup.debts import rules_of
from callcenter.service.risk import case_verbs as service
from callcenter.service.risk.rescues import of_case

_LIST = [
    ("id", "编号"),
    ("level_text", "级别"),
    ("name", "对象"),
    ("state_text", "状态"),
    ("owner", "负责人"),
    ("next_text", "下次联系"),
    ("remark", "注意"),
]
_SHOW = [
    *_LIST[:5],
    ("code", "代号"),
    ("opened_at", "建立"),
    ("opened_from", "来自"),
    ("acknowledged_by", "督导确认"),
    ("proposed_text", "待确认"),
    ("proposed_why", "提议的理由"),
    ("next_act", "现在该做"),
    ("close_reason", "结案原因"),
]
_STEPS = [
    ("id", "编号"),
    ("kind_text", "事由"),
    ("step_text", "哪一步"),
    ("due_text", "应联系"),
    ("breach_text", "逾期界限"),
]
_EVENTS = [
    ("at", "时间"),
    ("kind_text", "事项"),
    ("before_text", "原来"),
    ("after_text", "现在"),
    ("by", "操作人"),
    ("second", "确认人"),
    ("reason", "理由"),
]
_RESCUES = [("id", "救援"), ("state_text", "进展"), ("agency", "机构")]
_SCALES = [("id", "编号"), ("name", "名称"), ("version", "版本"), ("items", "题数"), ("range_text", "分数")]

level_argument = click.argument("level", type=click.IntRange(0, 4), metavar="级别")
reason_option = click.option("--reason", required=True, help="理由(记入个案)")
dry_run_option = click.option("--dry-run", is_flag=True, help="只看会怎样,不写入")
case_argument = click.argument("case_id", metavar="个案")


@click.group()
def cases() -> None:
    """有危险的人:个案、级别、量表。级别 0 紧急、1 高危、2 中危、3 一般、4 咨询,数越小越危险。"""


@cases.command("list")
@click.option("--all", "all_of_them", is_flag=True, help="已结案的也列出")
@actor_option
@json_option
@pass_app
def list_cases(app: App, all_of_them: bool, actor: str, as_json: bool) -> None:
    """列出个案:没有督导确认的最先,然后按级别。"""
    with app.store() as work:
        found = service.list_cases(work, actor=actor, all_of_them=all_of_them)
    show_rows([case_row(view, app.clock()) for view in found], _LIST, as_json)


@cases.command()
@case_argument
@actor_option
@json_option
@pass_app
def show(app: App, case_id: str, actor: str, as_json: bool) -> None:
    """显示一个个案:欠着的随访、经过、救援。"""
    with app.store() as work:
        found = service.see_case(work, case_id, actor=actor, now=app.clock())
        work.commit()
    steps = [step_row(one) for one in found.steps]
    events = [event_row(one) for one in found.events]
    rescues: list[dict[str, object]] = [
        {"id": r.id, "state": r.state, "state_text": RESCUE_WORDS[r.state], "agency": r.agency}
        for r in found.rescues
    ]
    row = {**case_row(found, app.clock()), "proposed_why": proposed_why(found.case) or None}
    if as_json:
        show_one(
            {**row, "steps": plain_rows(steps), "events": plain_rows(events), "rescues": plain_rows(rescues)},
            [],
            True,
        )
        return
    show_one(row, _SHOW)
    for rows, columns in ((steps, _STEPS), (rescues, _RESCUES), (events, _EVENTS)):
        if rows:
            show_rows(rows, columns)


@cases.command()
@case_argument
@click.option("--to", help="转交给谁(人员代码;由督导办理,要写理由)")
@click.option("--reason", default="", help="转交的理由")
@actor_option
@pass_app
def take(app: App, case_id: str, to: str | None, reason: str, actor: str) -> None:
    """接手一个个案;--to 转交给别人。"""

    def act(work: UnitOfWork, now: datetime) -> Case:
        if to is None:
            return service.take(work, case_id, actor=actor, now=now)
        return service.hand_over(work, case_id, to, reason=reason, actor=actor, now=now)

    done = _act(app, act)
    asked = "请对方具名接下（hotline handover list）" if done.owner != actor else ""
    say(f"{done.id} 由 {done.owner} 负责。{asked}")


@cases.command("raise")
@case_argument
@level_argument
@reason_option
@actor_option
@pass_app
def raise_level(app: App, case_id: str, level: int, reason: str, actor: str) -> None:
    """升级(改为更小的数),立即按新级别安排随访;升到 0 级就呼叫督导。"""
    rung: list[Rung] = []

    def raised(work: UnitOfWork, now: datetime) -> Case:
        case = service.raise_level(
            work, case_id, Level(level), reason=reason, actor=actor, now=now, rules=rules_of(app.settings)
        )
        rung.append(ring_for(app, work, case, actor=actor))
        return case

    done = _act(app, raised)
    say(f"{done.id} 现在是 {LEVEL_WORDS[done.level]}。")
    if rung[-1].now is not None:
        say("正在呼叫督导。" if rung[-1].now else "没能呼叫督导，请马上打电话告诉督导！")
    if done.level is Level.IMMINENT:
        with app.store() as work:
            form = of_case(work, done.id)[-1]
        say(f"救援记录 {form.id}：{RESCUE_WORDS[form.state]}。登记进展用 hotline rescue step {form.id}")


@cases.command()
@case_argument
@level_argument
@reason_option
@dry_run_option
@actor_option
@pass_app
def lower(app: App, case_id: str, level: int, reason: str, dry_run: bool, actor: str) -> None:
    """降级(改为更大的数)。0、1 级只是提议,要另一位督导确认(confirm)。"""
    done = _act(
        app,
        lambda work, now: service.lower(
            work, case_id, Level(level), reason=reason, actor=actor, now=now, rules=rules_of(app.settings)
        ),
        dry_run=dry_run,
    )
    _say_proposed(done, f"{done.id} 现在是 {LEVEL_WORDS[done.level]}。", dry_run)


@cases.command()
@case_argument
@click.option("--level", type=click.IntRange(0, 4), metavar="级别", help="确认降为这个级别")
@click.option("--closing", type=click.Choice(service.CLOSABLE), metavar="原因", help="确认以这个原因结案")
@dry_run_option
@actor_option
@pass_app
def confirm(
    app: App, case_id: str, level: int | None, closing: str | None, dry_run: bool, actor: str
) -> None:
    """督导确认别人提议的降级(--level)或结案(--closing)。

    写明确认的是什么;提议在您看过以后变了,就不会被误认。
    """
    with app.store() as work:
        service.confirm(
            work,
            case_id,
            _one_of(level, closing),
            actor=actor,
            now=app.clock(),
            rules=rules_of(app.settings),
        )
        found = service.see_case(work, case_id, actor=actor, now=app.clock())
        if not dry_run:
            work.commit()
    done = [event for event in found.events if event.second][-1]
    what = f"结案（{closing}）" if closing else f"降为 {LEVEL_WORDS[int(done.after)]}"
    say(f"{case_id}：您确认了{what}，{done.by} 提出，理由：{done.reason}。")
    _say_dry(dry_run)


@cases.command()
@case_argument
@reason_option
@actor_option
@pass_app
def withdraw(app: App, case_id: str, reason: str, actor: str) -> None:
    """撤回或驳回提议的降级、结案。"""
    done = _act(app, lambda work, now: service.withdraw(work, case_id, reason=reason, actor=actor, now=now))
    say(f"{done.id} 没有待确认的提议了。")


@cases.command()
@case_argument
@reason_option
@actor_option
@pass_app
def watch(app: App, case_id: str, reason: str, actor: str) -> None:
    """转为观察:危险已过,欠着的随访照旧。0、1 级要先降级。"""
    done = _act(app, lambda work, now: service.watch(work, case_id, reason=reason, actor=actor, now=now))
    say(f"{done.id} 转为观察。")


@cases.command()
@case_argument
@click.option("--way", required=True, type=click.Choice(service.OTHER_WAYS), help="怎样尝试的")
@click.option("--note", required=True, help="经过")
@actor_option
@pass_app
def tried(app: App, case_id: str, way: str, note: str, actor: str) -> None:
    """登记一次电话以外的尝试。它不算完成任何一次随访。"""
    _act(app, lambda work, now: service.tried(work, case_id, way, note=note, actor=actor, now=now))
    say(f"{case_id} 已登记：{way}。")


@cases.command()
@case_argument
@click.argument("why", type=click.Choice(service.CLOSABLE), metavar="原因")
@click.option("--note", required=True, help="说明(记入个案)")
@dry_run_option
@actor_option
@pass_app
def close(app: App, case_id: str, why: str, note: str, dry_run: bool, actor: str) -> None:
    """结案。0、1 级只是提议,要另一位督导确认(confirm)。"""
    done = _act(
        app,
        lambda work, now: service.close(
            work,
            case_id,
            CloseReason(why),
            note=note,
            actor=actor,
            now=now,
            rules=rules_of(app.settings),
        ),
        dry_run=dry_run,
    )
    _say_proposed(done, f"{done.id} 已结案：{why}。", dry_run)


@cases.command()
@case_argument
@reason_option
@actor_option
@pass_app
def reopen(app: App, case_id: str, reason: str, actor: str) -> None:
    """重开已结案的个案,立即重新安排随访。"""
    done = _act(
        app,
        lambda work, now: service.reopen(
            work, case_id, reason=reason, actor=actor, now=now, rules=rules_of(app.settings)
        ),
    )
    say(f"{done.id} 已重开，{LEVEL_WORDS[done.level]}。")


@cases.command()
@case_argument
@actor_option
@pass_app
def ack(app: App, case_id: str, actor: str) -> None:
    """督导具名:这个高危个案我已知道。电话上按 1 只是让铃声停下,不算确认。"""
    with app.store() as work:
        done, silenced = service.acknowledge(work, case_id, actor=actor, now=app.clock())
        work.commit()
    for alarm in silenced:
        app.road.silence(alarm.id)
    say(f"{done.id} 已由 {done.acknowledged_by} 确认。")


@cases.command()
@nobody_option
@json_option
@pass_app
def scales(app: App, as_json: bool) -> None:
    """列出量表:自带的,和本站自己的(instruments 目录)。"""
    found = load_instruments(app.settings.instruments_folder)
    show_rows([_scale_row(one) for one in found.values()], _SCALES, as_json)


@cases.command("score")
@click.argument("instrument", metavar="量表")
@click.argument("answers", nargs=-1, metavar="题目=答案...")
@click.option("--total", type=float, help="只有结果分数时:分数")
@json_option
@pass_app
def score_one(
    app: App, instrument: str, answers: tuple[str, ...], total: float | None, as_json: bool
) -> None:
    """计分器:按题目编号计分,不保存任何内容。不写答案则列出题目。

    题号可以写短的:phq9 9=1;答案可以写数字,也可以写文字:cssrs 1=是。
    """
    found = instrument_of(load_instruments(app.settings.instruments_folder), instrument)
    if total is None and not answers:
        _show_items(found, as_json)
        return
    known = parse_answers(found, answers)
    scored = taken_over(found, total, known) if total is not None else score(found, known)
    titles = [
        ("name", "量表"),
        ("score", "分数"),
        ("band", "分段"),
        ("level_text", "至少为"),
        ("reasons", "依据"),
        ("missing", "未答"),
    ]
    show_one(_scored_row(scored), titles, as_json)
    if not as_json:
        say("分数只作筛查提示，不代替人的判断。")


def _act(app: App, act: Callable[[UnitOfWork, datetime], Case], *, dry_run: bool = False) -> Case:
    with app.store() as work:
        done = act(work, app.clock())
        if not dry_run:
            work.commit()
    return done


def _one_of(level: int | None, closing: str | None) -> Level | CloseReason | None:
    """Return what is named, or None where it is nothing or both."""
    if (level is None) == (closing is None):
        return None
    return CloseReason(str(closing)) if level is None else Level(level)


def _say_dry(dry_run: bool) -> None:
    if dry_run:
        say("（试算，没有写入）")


def _say_proposed(case: Case, done: str, dry_run: bool) -> None:
    waiting = proposal(case)
    if not waiting:
        say(done)
    else:
        say(f"{case.id} 还没有变，已提议：{waiting}。")
        say(f"要另一位督导确认：{confirming(case)}")
    _say_dry(dry_run)


def _scale_row(one: Instrument) -> dict[str, object]:
    return {
        "id": one.id,
        "name": one.name,
        "version": one.version,
        "checksum": one.checksum,
        "items": len(one.items) or None,
        "range_text": f"{one.least:g}–{one.most:g}" if one.sums else None,
        "wording": one.wording,
        "licence": one.licence,
    }


def _show_items(one: Instrument, as_json: bool) -> None:
    rows = [
        {
            "id": item.id,
            "text": item.text,
            "options": " ".join(f"{value}={says}" for value, says in sorted(item.options.items())),
        }
        for item in one.items.values()
    ]
    if not rows:
        raise Refused(f"{one.name} 只登记结果分数：hotline cases score {one.id} --total 分数")
    show_rows(rows, [("id", "题目"), ("text", "内容"), ("options", "答案")], as_json)


def _scored_row(scored: Scored) -> dict[str, object]:
    return {
        "instrument": scored.instrument.id,
        "name": scored.instrument.name,
        "version": scored.instrument.version,
        "score": None if scored.score is None else f"{scored.score:g}",
        "band": scored.band,
        "level": None if scored.level is None else int(scored.level),
        "level_text": None if scored.level is None else LEVEL_WORDS[scored.level],
        "reasons": list(scored.reasons),
        "missing": list(scored.missing),
    }
