"""`hotline queue tonight` and `hotline queue forecast`: what the dialler will do, and what will be late."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, time, timedelta

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, local, pass_app, say, show_one, show_rows
from callcenter.cli.duty_time import parse_day
from callcenter.config import Settings
from callcenter.errors import Refused
from callcenter.service.followup.debt_views import DebtView
from callcenter.service.followup.debts import line_facts, rules_of
from callcenter.service.followup.forecast import MEASURED, Ahead, look_ahead
from callcenter.service.followup.tonight import Tonight, tonight
from callcenter.words import KIND_WORDS, RESULT_WORDS
from scheduler.calendar import Calendar
from scheduler.gates import SENTENCES, Gate, Line, Rules
from scheduler.ladder import WHY_SENTENCES
from scheduler.obligations import Result

_TRIES = [("at_text", "时间"), ("id", "编号"), ("n", "第几次"), ("kind_text", "事由"), ("name", "对象")]
_WHY_NOT = [("count", "件"), ("sentence", "为何不拨"), ("until_text", "最早")]
_PEOPLE = [("count", "件"), ("sentence", "工作人员要办")]
#: Results that a look ahead may assume: what the next step depends on.
_ASSUMED = (Result.NO_ANSWER, Result.BUSY, Result.REACHED_SELF_IVR_OK, Result.REACHED_SELF_NO_KEY)
#: A forecast reaches so far where no holiday is nearer.
_FAR = 30
#: Further ahead what follows on a contact falls due too, and nobody can count it yet.
_MOST_DAYS = 31


@click.command("tonight")
@click.option("--day", help="到哪一天结束为止,如 2026-11-30;不写则今天")
@click.option(
    "--assume",
    type=click.Choice([result.value for result in _ASSUMED]),
    default=Result.NO_ANSWER.value,
    help="假定每通电话的结果",
)
@actor_option
@json_option
@pass_app
def tonight_(app: App, day: str | None, assume: str, actor: str, as_json: bool) -> None:
    """试算自动拨打今天会做什么:几点拨谁,谁不拨、为何,什么留给工作人员。什么也不会拨出。"""
    now, rules = app.clock(), rules_of(app.settings)
    today = now.astimezone(rules.windows.zone).date()
    last = parse_day(day) if day else today
    if last < today:
        raise Refused("这一天已经过去：--day 写今天或以后的日期。")
    if last - today > timedelta(days=_MOST_DAYS):
        raise Refused(f"--day 最远写到 {_MOST_DAYS} 天以后：再往后的拨打现在算不出。")
    until = _end_of(last, rules)
    line = Line(waiting=0, free_channels=app.settings.trunk.channels)
    every = app.settings.outbound.sweep
    with app.store() as work:
        facts = line_facts(work, now, None, rules)
        found = tonight(work, facts, until=until, line=line, assume=Result(assume), every=every, actor=actor)
    if as_json:
        show_one(_json(found, assume), [], as_json=True)
        return
    _show_tonight(found, Result(assume))


def _show_tonight(found: Tonight, assume: Result) -> None:
    say(
        f"到 {local(found.until)} 为止，自动拨打 {len(found.tries)} 次"
        f"（假定没有来电占线，每次的结果都是「{RESULT_WORDS[assume]}」）。"
    )
    if found.tries:
        show_rows([_try(at, n, view) for at, n, view in _tried(found)], _TRIES)
    if found.held:
        show_rows(_why_not(found), _WHY_NOT)
    if found.people:
        show_rows(_for_people(found), _PEOPLE)
    if found.beyond:
        say(f"另有 {found.beyond} 件排在后面，没有试算。")


def _tried(found: Tonight) -> list[tuple[datetime, int, DebtView]]:
    return [(one.at, one.n, view) for one, view in found.tries]


def _try(at: datetime, n: int, view: DebtView) -> dict[str, object]:
    return {
        "at": at.isoformat(),
        "at_text": local(at),
        "id": view.id,
        "n": n,
        "kind": view.obligation.kind.value,
        "kind_text": KIND_WORDS[view.obligation.kind],
        "name": view.who,
        "code": view.person.code,
    }


def _why_not(found: Tonight) -> list[dict[str, object]]:
    """Count what is not dialled by the first gate that says so."""
    first = Counter((one.gates[0], one.until) for one, _ in found.held)
    ordered = sorted(first.items(), key=lambda item: (-item[1], list(Gate).index(item[0][0])))
    return [
        {
            "count": count,
            "gate": gate.value,
            "sentence": SENTENCES[gate][1],
            "until_text": local(until) if until else "情况改变后",
        }
        for (gate, until), count in ordered
    ]


def _for_people(found: Tonight) -> list[dict[str, object]]:
    counted = Counter(view.step.why for view in found.people)
    return [
        {"count": count, "why": why.value, "sentence": WHY_SENTENCES[why]}
        for why, count in counted.most_common()
    ]


def _json(found: Tonight, assume: str) -> dict[str, object]:
    return {
        "until": found.until,
        "assume": assume,
        "tries": [_try(at, n, view) for at, n, view in _tried(found)],
        "held": [
            {
                "id": view.id,
                "gates": [gate.value for gate in one.gates],
                "until": one.until.isoformat() if one.until else None,
            }
            for one, view in found.held
        ],
        "people": [{"id": view.id, "why": view.step.why.value} for view in found.people],
        "beyond": found.beyond,
    }


@click.command("forecast")
@click.option("--until", help="看到哪一天,如 2026-11-30;不写则下一个节假日前")
@actor_option
@json_option
@pass_app
def forecast_(app: App, until: str | None, actor: str, as_json: bool) -> None:
    """按现在的速度,到那一天会有多少件晚,再要多少小时才都按时。"""
    now, rules, settings = app.clock(), rules_of(app.settings), app.settings
    today = now.astimezone(rules.windows.zone).date()
    last = parse_day(until) if until else _before_next_holiday(rules.calendar, today)
    if not timedelta(0) <= last - today <= timedelta(days=_MOST_DAYS):
        raise Refused(f"--until 要在今天以后、{_MOST_DAYS} 天以内：再往后还有新到期的，现在算不出。")
    with app.store() as work:
        found = look_ahead(
            work,
            until=last,
            rules=rules,
            per_contact=settings.outbound.contact,
            wrap_up=settings.queue.wrap_up,
            actor=actor,
            now=now,
        )
    if as_json:
        show_one(_forecast_row(found, settings), [], as_json=True)
        return
    for sentence in _sentences(found, settings):
        say(sentence)


def _sentences(found: Ahead, settings: Settings) -> list[str]:
    ahead, measured = found.forecast, found.measured
    pace = (
        f"近 {MEASURED.days} 天：工作人员完成 {measured.people_kept} 件，"
        f"每个工作日 {measured.pace.people:.1f} 件；"
        f"自动拨打 {measured.machine_tries} 次，完成 {measured.machine_kept} 件。"
    )
    each = f"每件用工作人员 {measured.per_contact.total_seconds() / 60:.0f} 分钟"
    return [
        f"到 {ahead.until} 应完成 {ahead.owed} 件：现在已逾期 {ahead.late_now} 件，"
        f"按现在的速度会有 {ahead.late} 件晚。",
        *_more(found),
        "只算现在开着的事；其间联系过的人，下一期到期的没有算在内。",
        pace if measured.is_measured else f"{pace}还太少，速度只能当作大概。",
        f"{each}；其间工作日 {found.workdays} 天，可自动拨打 {found.machine_days} 天。",
        _room(settings),
    ]


def _more(found: Ahead) -> list[str]:
    """Say what is missing: so that no more becomes late, and so that what is late is made up for as well."""
    ahead, in_time, clear = found.forecast, found.more_in_time, found.more_hours
    if in_time is None:
        return ["再多的时间也来不及：有的在应联系的当天就到期。"]
    if clear == 0:
        return ["现在的速度够用。"]
    keep = f"每周再加 {in_time:.1f} 小时，就不会再有新的逾期。" if in_time else "现在的速度不会再有新的逾期。"
    if not ahead.late_now:
        return [keep]
    if clear is None:
        return [keep, f"已逾期的 {ahead.late_now} 件，到 {ahead.until} 再多的时间也补不完。"]
    return [keep, f"已逾期的 {ahead.late_now} 件也要在 {ahead.until} 前补完：每周再加 {clear:.1f} 小时。"]


def _room(settings: Settings) -> str:
    """Say what the site's trunks and numbers allow."""
    outbound, channels = settings.outbound, settings.trunk.channels
    numbers = 1 + len(outbound.numbers)
    free = max(0, channels - max(2, outbound.reserved_channels + 1) + 1)
    return (
        f"线路 {channels} 条，给来电留 {outbound.reserved_channels} 条，同时最多外呼 {free} 路；"
        f"外呼号码 {numbers} 个，每天最多 {numbers * outbound.daily_cap} 通。"
    )


def _forecast_row(found: Ahead, settings: Settings) -> dict[str, object]:
    ahead, measured = found.forecast, found.measured
    return {
        "until": ahead.until,
        "owed": ahead.owed,
        "late_now": ahead.late_now,
        "late": ahead.late,
        "needed_per_workday": ahead.needed,
        "more_hours_a_week": found.more_hours,
        "in_time_per_workday": ahead.in_time,
        "more_hours_a_week_in_time": found.more_in_time,
        "people_per_workday": measured.pace.people,
        "machine_per_day": measured.pace.machine,
        "minutes_per_contact": measured.per_contact.total_seconds() / 60,
        "measured": measured.is_measured,
        "machine_tries": measured.machine_tries,
        "machine_kept": measured.machine_kept,
        "people_kept": measured.people_kept,
        "workdays": found.workdays,
        "machine_days": found.machine_days,
        "channels": settings.trunk.channels,
        "calls_a_day": (1 + len(settings.outbound.numbers)) * settings.outbound.daily_cap,
    }


def _before_next_holiday(calendar: Calendar, today: date) -> date:
    """Return the day before the next run of days off that is more than a weekend, a week ahead at least."""
    days = (today + timedelta(days=n) for n in range(7, _FAR))
    holiday = next((day for day in days if calendar.is_holiday(day)), None)
    return today + timedelta(days=_FAR) if holiday is None else holiday - timedelta(days=1)


def _end_of(day: date, rules: Rules) -> datetime:
    return datetime.combine(day, time(23, 59, 59), rules.windows.zone)
