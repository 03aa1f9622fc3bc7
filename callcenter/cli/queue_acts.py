"""`hotline queue`: what people do with one debt. None of it makes a debt disappear unseen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, local, pass_app, say, show_one, show_rows
from callcenter.cli.duty_time import parse_moment
from callcenter.domain.ledger import Decision, DiallerPause, Waiver, WaiverState
from callcenter.errors import Refused
from callcenter.service.followup import handling, pausing, waiving
from callcenter.service.followup.debts import rules_of
from callcenter.words import DECISION_WORDS, RESULT_WORDS
from scheduler.obligations import Obligation, Result

F = TypeVar("F", bound=Callable[..., Any])

_HANDLED = [("id", "编号"), ("owner", "负责"), ("snoozed_until", "推迟到"), ("escalated_at", "上报于")]
_WAIVERS = [
    ("id", "编号"),
    ("obligation", "待办"),
    ("asked_by", "申请人"),
    ("asked_at", "申请于"),
    ("reason", "理由"),
]
_PAUSE = [("state_text", "自动拨打"), ("by", "谁停的"), ("at", "停于"), ("until", "停到"), ("reason", "理由")]

debt_argument = click.argument("obligation", metavar="编号")


def reason_option(what: str, *, required: bool = True) -> Callable[[F], F]:
    """Return the option that takes why somebody does it."""
    if required:  # a default of None would be taken for an answer
        return click.option("--reason", required=True, help=what)
    return click.option("--reason", default="", help=what)


@click.command()
@debt_argument
@actor_option
@json_option
@pass_app
def claim(app: App, obligation: str, actor: str, as_json: bool) -> None:
    """认领一件事：由您负责。别人认领的，要对方放回，或由督导转交。"""
    with app.store() as work:
        done = handling.claim(work, obligation, actor=actor, now=app.clock())
        work.commit()
    _show(done, as_json, f"{done.id} 由 {done.owner} 负责。")


@click.command()
@debt_argument
@actor_option
@json_option
@pass_app
def release(app: App, obligation: str, actor: str, as_json: bool) -> None:
    """放回一件认领的事：谁办队列，谁都可以接。"""
    with app.store() as work:
        done = handling.release(work, obligation, actor=actor, now=app.clock())
        work.commit()
    _show(done, as_json, f"{done.id} 已放回，现在没有人专门负责。")


@click.command()
@debt_argument
@click.argument("agent", metavar="人员代码")
@reason_option("为什么交给他们", required=False)
@actor_option
@json_option
@pass_app
def assign(app: App, obligation: str, agent: str, reason: str, actor: str, as_json: bool) -> None:
    """把一件事交给一位工作人员。由督导来做。"""
    with app.store() as work:
        done = handling.assign(work, obligation, agent, reason=reason, actor=actor, now=app.clock())
        work.commit()
    _show(done, as_json, f"{done.id} 交给 {done.owner}。")


@click.command()
@debt_argument
@click.option("--until", metavar="时间", help="推迟到几时（当地），如 2026-11-24 15:00")
@click.option("--hours", type=click.FloatRange(min=0.1, max=1000), help="或者：推迟几个小时")
@reason_option("为什么推迟")
@actor_option
@json_option
@pass_app
def snooze(
    app: App,
    obligation: str,
    until: str | None,
    hours: float | None,
    reason: str,
    actor: str,
    as_json: bool,
) -> None:
    """写明理由，把一件事推迟到一个时间。它仍然欠着，到时自己回到队列里。

    最多推迟：高危随访、紧急的事、处境危险的人的事 4 小时，例行回访到本期结束，
    计划内的联系到它的期限，其余 24 小时。逾期照常计算，照常告警。
    上报过的事只有督导可以推迟；别人负责的事，要对方放回。
    """
    if (until is None) == (hours is None):
        raise Refused("推迟到几时，写 --until 2026-11-24 15:00，或者写 --hours 2。")
    now = app.clock()
    hour = now + timedelta(hours=hours or 0) if until is None else parse_moment(until, app.settings.site.zone)
    with app.store() as work:
        rules = rules_of(app.settings)
        done = handling.snooze(work, obligation, hour, reason=reason, actor=actor, now=now, rules=rules)
        work.commit()
    _show(done, as_json, f"{done.id} 推迟到 {local(hour)[:11]}，仍然欠着，到时回到队列。")


@click.command()
@debt_argument
@actor_option
@json_option
@pass_app
def wake(app: App, obligation: str, actor: str, as_json: bool) -> None:
    """不等推迟到的时间，现在就办。"""
    with app.store() as work:
        done = handling.wake(work, obligation, actor=actor, now=app.clock())
        work.commit()
    _show(done, as_json, f"{done.id} 回到队列。")


@click.command()
@debt_argument
@reason_option("为什么要督导来看")
@actor_option
@json_option
@pass_app
def escalate(app: App, obligation: str, reason: str, actor: str, as_json: bool) -> None:
    """上报督导：排到最前，带记号；处境危险的人，还会给值班督导打电话。"""
    with app.store() as work:
        done = handling.escalate(work, obligation, reason=reason, actor=actor, now=app.clock())
        work.commit()
    _show(done, as_json, f"{done.id} 已上报督导，排在最前。")


@click.command()
@debt_argument
@click.argument("what", metavar="决定", type=click.Choice([one.value for one in Decision]))
@reason_option("根据什么这样决定")
@actor_option
@json_option
@pass_app
def decide(app: App, obligation: str, what: str, reason: str, actor: str, as_json: bool) -> None:
    """处境危险的人过了四小时还联系不上：督导决定怎么办。

    other_phone 打别的号码，contact_person 找紧急联系人，home_visit 上门，welfare_check 请 110 上门查看。
    这件事仍然欠着；告警歇到下一次提醒的时间。
    """
    with app.store() as work:
        event = handling.decide(work, obligation, what, reason=reason, actor=actor, now=app.clock())
        work.commit()
    row = {"id": obligation, "decision": event.value, "by": event.by, "at": event.at}
    if as_json:
        show_one(row, [], as_json=True)
        return
    say(f"已记下决定：{DECISION_WORDS[Decision(event.value)]}。{obligation} 仍然欠着，联系上本人才算完成。")


@click.command()
@debt_argument
@click.argument("result", metavar="结果")
@click.option("--call", help="哪一次拨打（外呼编号）；上门没有见到、用别的方式联系的，不写")
@click.option(
    "--number-place", "place", type=int, metavar="第几个", help="不是拨打时：说的是本人的第几个号码"
)
@click.option("--at", metavar="时间", help="什么时候（当地），不写就是现在")
@click.option("--note", default="", help="怎样联系的，听到了什么（加密保存）")
@actor_option
@json_option
@pass_app
def outcome(
    app: App,
    obligation: str,
    result: str,
    call: str | None,
    place: int | None,
    at: str | None,
    note: str,
    actor: str,
    as_json: bool,
) -> None:
    """登记没有联系成的结果：拨打时您听到的，或者上门、用别的方式联系的。

    与本人谈过，不用这个：hotline queue done 编号 --call 或 --visit。
    \b
    结果：no_answer 没有人接，busy 占线，declined 挂断，powered_off 关机，
    out_of_area 不在服务区，suspended 停机，vacant 空号，wrong_person 打错了，
    reached_other 别人接的，phone_refused 说不要打这个号码，
    opted_out 不要自动拨打，reached_self_callback 本人要再打，
    assistant_or_voicemail 来电助手或留言，network_congestion 线路忙。
    """
    when = parse_moment(at, app.settings.site.zone) if at else None
    with app.store() as work:
        tried = handling.outcome(
            work,
            obligation,
            result,
            actor=actor,
            now=app.clock(),
            at=when,
            call=call,
            place=place,
            note=note,
            rules=rules_of(app.settings),
        )
        work.commit()
    if as_json:
        row = {"id": obligation, "attempt": tried.id, "n": tried.n, "result": tried.result, "at": tried.at}
        show_one(row, [], as_json=True)
        return
    say(f"{obligation} 第 {tried.n} 次：{RESULT_WORDS[Result(result)]}，已登记。这件事仍然欠着。")


@click.command()
@debt_argument
@reason_option("为什么不联系了，或者为什么这一期不用联系")
@click.option("--dry-run", is_flag=True, help="只看会怎样，不写入")
@actor_option
@json_option
@pass_app
def waive(app: App, obligation: str, reason: str, dry_run: bool, actor: str, as_json: bool) -> None:
    """写明理由，免除一件事。例行回访只免本期；紧急的事、处境危险的人的事，要另一位督导同意。"""
    with app.store() as work:
        rules = rules_of(app.settings)
        asked = waiving.ask(work, obligation, reason=reason, actor=actor, now=app.clock(), rules=rules)
        if not dry_run:
            work.commit()
    if as_json:
        show_one({**_waiver_row(asked), "dry_run": dry_run}, [], as_json=True)
        return
    tried = "（试算，没有写入）" if dry_run else ""
    if asked.state is WaiverState.GRANTED:
        say(f"{obligation} {'会免除' if dry_run else '已免除'}{tried}。")
    else:
        say(f"{obligation} 要另一位督导同意才免除{tried}：hotline queue waivers --grant {asked.id}")


@click.command()
@click.option("--grant", metavar="编号", help="同意免除；申请的人自己不能同意")
@click.option("--refuse", metavar="编号", help="不同意，或撤回自己的申请：这件事仍然欠着")
@click.option("--reason", default="", help="不同意的理由")
@click.option("--dry-run", is_flag=True, help="只看能不能，不写入")
@actor_option
@json_option
@pass_app
def waivers(
    app: App,
    grant: str | None,
    refuse: str | None,
    reason: str,
    dry_run: bool,
    actor: str,
    as_json: bool,
) -> None:
    """列出等第二位督导决定的免除；同意，或不同意。"""
    if grant and refuse:
        raise Refused("同意（--grant）和不同意（--refuse）只写一个。")
    now = app.clock()
    with app.store() as work:
        if not grant and not refuse:
            show_rows(
                [_waiver_row(w) for w in waiving.waivers(work, actor=actor, now=now)], _WAIVERS, as_json
            )
            return
        rules = rules_of(app.settings)
        one = (
            waiving.grant(work, grant, actor=actor, now=now, rules=rules)
            if grant
            else waiving.refuse(work, refuse or "", reason=reason, actor=actor, now=now)
        )
        if not dry_run:
            work.commit()
    if as_json:
        show_one({**_waiver_row(one), "dry_run": dry_run}, [], as_json=True)
        return
    said = "已免除" if one.state is WaiverState.GRANTED else "没有免除，仍然欠着"
    say(f"{one.obligation} {said}{'（试算，没有写入）' if dry_run else ''}。")


@click.command()
@reason_option("为什么暂停")
@click.option("--until", metavar="时间", help="停到几时（当地）；不写就停到有人恢复")
@actor_option
@json_option
@pass_app
def pause(app: App, reason: str, until: str | None, actor: str, as_json: bool) -> None:
    """暂停自动拨打：一分钟内在各处生效。工作人员仍可拨打。"""
    hour = parse_moment(until, app.settings.site.zone) if until else None
    with app.store() as work:
        held = pausing.pause(work, reason=reason, until=hour, actor=actor, now=app.clock())
        work.commit()
    show_one(_pause_row(held), _PAUSE[:4], as_json)


@click.command()
@actor_option
@json_option
@pass_app
def resume(app: App, actor: str, as_json: bool) -> None:
    """恢复自动拨打。"""
    with app.store() as work:
        held = pausing.resume(work, actor=actor, now=app.clock())
        work.commit()
    show_one(_pause_row(held), _PAUSE[:1], as_json)


#: What `hotline queue` is given of this.
ACTS = (
    *(claim, release, assign, snooze, wake, escalate, decide, outcome),
    *(waive, waivers, pause, resume),
)


def _show(done: Obligation, as_json: bool, sentence: str) -> None:
    if not as_json:
        say(sentence)
        return
    row = {key: getattr(done, key) for key, _ in _HANDLED}
    show_one(row, [], as_json=True)


def _waiver_row(one: Waiver) -> dict[str, object]:
    return {
        "id": one.id,
        "obligation": one.obligation,
        "state": one.state,
        "needs_two": one.needs_two,
        "asked_by": one.asked_by,
        "asked_at": one.asked_at,
        "decided_by": one.decided_by,
        "decided_at": one.decided_at,
        "reason": one.reason,
    }


def _pause_row(held: DiallerPause) -> dict[str, object]:
    return {
        "state": "resumed" if held.resumed_at else "paused",
        "state_text": "已恢复" if held.resumed_at else "已暂停",
        "by": held.by,
        "at": held.at,
        "until": held.until,
        "resumed_by": held.resumed_by,
        "resumed_at": held.resumed_at,
    }
