"""`hotline report staffing`: how many seats so many calls need, of the site or as given."""

from __future__ import annotations

import re
from datetime import timedelta

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, minutes, pass_app, say, show_one, show_rows
from callcenter.cli.staffing_words import (
    UNSTABLE,
    demand_row,
    forecast_row,
    lasting,
    percent,
    rests_on,
)
from callcenter.domain.staffing import (
    MOST_CALLS,
    MOST_SEATS,
    Load,
    Outlook,
    Unstable,
    answered_within,
    erlang_b,
    seats_for,
)
from callcenter.errors import Refused
from callcenter.service.duty.checking import rules_of
from callcenter.service.line.demand import Demand, past_demand
from callcenter.service.line.slots import Forecast, forecast

_LENGTH = re.compile(r"(?:(\d{1,2})h)?(?:(\d{1,4})m)?(?:(\d{1,5})s)?")
#: Answered within: share, seconds. The first is what government lines are held to, 15 s.
_GOALS = ((0.80, 20), (0.90, 15), (0.95, 20))
_WITHIN = timedelta(seconds=15)
_COLUMNS = [
    ("seats", "席"),
    ("blocked", "无席"),
    ("waits", "要等"),
    ("wait", "等待"),
    ("long", "等者等"),
    ("within", "15秒接"),
    ("leaves_waits", "会挂:要等"),
    ("leaves_wait", "等待"),
    ("abandons", "放弃"),
    ("busy", "忙"),
]


@click.command()
@click.option("--calls-per-hour", "calls", type=click.FloatRange(0, MOST_CALLS), help="每小时来电几通")
@click.option("--aht", help="每通占用席位多久(通话加整理),如 60m")
@click.option("--patience", help="来电者平均愿意等多久,如 5m")
@click.option("--seats", type=click.IntRange(0, MOST_SEATS), help="几席;不写则列出几种")
@json_option
@actor_option
@pass_app
def staffing(
    app: App,
    calls: float | None,
    aht: str | None,
    patience: str | None,
    seats: int | None,
    as_json: bool,
    actor: str,
) -> None:
    """算要几席:多少来电、每通多久、愿意等多久,各席位下来电者会遇到什么。

    没有写的,取线路自己近 8 周的;历史太少,就要写明。
    """
    queue = app.settings.queue
    with app.store() as work:
        demand = past_demand(
            work,
            rules_of(app.settings),
            actor=actor,
            now=app.clock(),
            wrap_up=queue.wrap_up,
            wait_cap=queue.wait_cap,
        )
    load = Load(calls=_calls(calls, demand), aht=_length(aht) if aht else _aht(demand))
    waits_for = _length(patience) if patience else demand.patience
    found = [forecast(load, n, waits_for) for n in _seats(load, seats)]
    if as_json:
        row = {
            "demand": demand_row(demand),
            "patience": waits_for.total_seconds() if waits_for else None,
            "goals": [{"share": share, "within": s, "seats": _goal(load, share, s)} for share, s in _GOALS],
            "seats": [{"seats": f.stays.seats, **(forecast_row(f) or {})} for f in found],
        }
        show_one(row, [], as_json=True)
        return
    _show(load, waits_for, found, demand, is_given=calls is not None and aht is not None)


def _show(
    load: Load, patience: timedelta | None, found: list[Forecast], demand: Demand, *, is_given: bool
) -> None:
    if not is_given:
        say(rests_on(demand))
    waits = f",平均愿意等 {lasting(patience)}" if patience else ",不知道愿意等多久"
    say(f"每小时 {load.calls:g} 通,每通占用 {lasting(load.aht)}{waits}:同时有 {load.erlangs:.2f} 通在谈。")
    show_rows([_row(one) for one in found], _COLUMNS)
    for share, seconds in _GOALS:
        needed = _goal(load, share, seconds)
        said = f"{needed} 席" if needed is not None else f"{MOST_SEATS} 席以上"
        click.echo(f"{seconds} 秒内接听 {share:.0%}:{said}")
    say("“无席”:不能排队的话,来电时没有空席的比例(Erlang B)。“要等”到“15秒接”:没有人挂断(Erlang C)。")
    say("“会挂”之后:等久了会挂断(Erlang A)。“等者等”:要等的人平均等多久。“忙”:席位在通话和整理中的时间。")
    if any(not one.is_stable for one in found):
        say(f"{UNSTABLE}:来的比接得完的多,没有人挂断的话,队会越排越长,所以没有数。")


def _row(one: Forecast) -> dict[str, object]:
    seats = one.stays.seats
    row: dict[str, object] = {
        "seats": seats,
        "blocked": percent(erlang_b(one.load.erlangs, seats)),
        "leaves_waits": percent(one.leaves.waits if one.leaves else None),
        "leaves_wait": minutes(one.leaves.wait) if one.leaves else None,
        "abandons": percent(one.leaves.abandons if one.leaves else None),
        "busy": percent(one.leaves.occupancy if one.leaves else None),
    }
    match one.stays:
        case Unstable():
            return {**row, "waits": UNSTABLE}
        case Outlook() as stays:
            within = answered_within(one.load, seats, _WITHIN)
            return {
                **row,
                "waits": percent(stays.waits),
                "wait": minutes(stays.wait),
                "long": minutes(one.load.aht / (seats - one.load.erlangs)) if seats else None,
                "within": percent(None if isinstance(within, Unstable) else within),
                "busy": row["busy"] if one.leaves else percent(stays.occupancy),
            }


def _seats(load: Load, chosen: int | None) -> range:
    if chosen is not None:
        return range(chosen, chosen + 1)
    first = max(1, int(load.erlangs))
    return range(min(first, MOST_SEATS), min(first + 6, MOST_SEATS) + 1)


def _goal(load: Load, share: float, seconds: int) -> int | None:
    return seats_for(load, share, timedelta(seconds=seconds))


def _calls(given: float | None, demand: Demand) -> float:
    """Return calls per hour: given, else the line's own on average while it is served."""
    if given is not None:
        return given
    served = sum(demand.served.values(), timedelta())
    if not demand.is_enough or not served:
        raise Refused(f"{rests_on(demand)}请写明 --calls-per-hour 和 --aht。")
    return min(demand.calls / (served / timedelta(hours=1)), MOST_CALLS)


def _aht(demand: Demand) -> timedelta:
    if demand.aht is None:
        raise Refused("接听的来电太少,不知道每通多久。请写明 --aht,如 --aht 60m。")
    return demand.aht


def _length(text: str) -> timedelta:
    found = _LENGTH.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        raise Refused(f"看不懂时长 {text!r}。请写成 60m、1h30m 或 90s。")
    hours, minutes_, seconds = (int(group or 0) for group in found.groups())
    return timedelta(hours=hours, minutes=minutes_, seconds=seconds)
