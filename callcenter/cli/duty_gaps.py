"""`hotline duty gaps`: where the roster is thin, and what callers would meet."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, say, show_one, show_rows
from callcenter.cli.duty_time import span
from callcenter.cli.duty_words import LACKS, fault_row, warn_of
from callcenter.cli.staffing_words import UNSTABLE, demand_row, forecast_cells, forecast_row, rests_on
from callcenter.domain.plan_rules import PERSONAL, Fault, Lack
from callcenter.service.duty import roster
from callcenter.service.duty.checking import rules_of
from callcenter.service.line.demand import Demand, past_demand
from callcenter.service.line.slots import Slot, faults_in, slots_ahead

_COLUMNS = [
    ("time", "时段"),
    ("seats", "席"),
    ("calls", "来电/时"),
    ("waits", "要等"),
    ("wait", "等待"),
    ("abandons", "放弃"),
    ("lacks", "缺口"),
]


@click.command()
@click.option("--days", type=click.IntRange(1, 60), default=14, show_default=True, help="往后看几天")
@actor_option
@json_option
@pass_app
def gaps(app: App, days: int, actor: str, as_json: bool) -> None:
    """列出往后人不够的时段和排错的班,并预计各时段来电要等多久。

    预计按线路自己近 8 周的来电推算(Erlang);历史太少就不作预计。
    """
    now = app.clock().replace(second=0, microsecond=0)
    end, settings = now + timedelta(days=days), app.settings
    rules, queue = rules_of(settings), settings.queue
    with app.store() as work:
        faults = roster.gaps_ahead(work, now, end, actor=actor, rules=rules)
        demand = past_demand(
            work, rules, actor=actor, now=now, wrap_up=queue.wrap_up, wait_cap=queue.wait_cap
        )
        slots = slots_ahead(work, demand, now, end, rules=rules, actor=actor)
    if as_json:
        _show_json(faults, demand, slots)
        return
    if faults:
        warn_of(faults, settings.site.zone)
    else:
        click.echo(f"往后 {days} 天每个时段都够人。")
    _show_slots(faults, demand, slots, settings.site.zone)


def _show_json(faults: tuple[Fault, ...], demand: Demand, slots: tuple[Slot, ...]) -> None:
    row = {
        "faults": [fault_row(fault) for fault in faults],
        "demand": demand_row(demand),
        "slots": [_slot_row(slot) for slot in slots],
    }
    show_one(row, [], as_json=True)


def _slot_row(slot: Slot) -> dict[str, object]:
    return {
        "start": slot.start,
        "end": slot.end,
        "agents": slot.agents,
        "seats": len(slot.agents),
        "calls": None if slot.calls is None else round(slot.calls, 4),
        "forecast": forecast_row(slot.forecast),
    }


def _show_slots(faults: tuple[Fault, ...], demand: Demand, slots: tuple[Slot, ...], zone: ZoneInfo) -> None:
    say(rests_on(demand))
    if not any(slot.forecast for slot in slots):
        return
    of_the_line = tuple(fault for fault in faults if fault.lack not in PERSONAL)
    rows = [
        {
            "time": _time(slot, zone),
            "seats": len(slot.agents),
            "calls": f"{slot.forecast.load.calls:.1f}" if slot.forecast else "—",
            **forecast_cells(slot.forecast),
            "lacks": _lacks(slot, of_the_line),
        }
        for slot in slots
    ]
    show_rows(rows, _COLUMNS)
    if any(slot.forecast and not slot.forecast.is_stable for slot in slots):
        say(f"{UNSTABLE}:来的比接得完的多,没有人挂断的话,队会越排越长。要加席位。")


def _time(slot: Slot, zone: ZoneInfo) -> str:
    """Return when, in one short line: midnight at the end of a day is its 24:00."""
    last = slot.end.astimezone(zone)
    if last.hour == last.minute == 0:
        return f"{slot.start.astimezone(zone):%m-%d %H:%M}–24:00"
    return span(slot.start, slot.end, zone)


def _lacks(slot: Slot, faults: tuple[Fault, ...]) -> str:
    found = {fault.lack for fault in faults_in(slot, faults)}
    return "、".join(LACKS[lack] for lack in Lack if lack in found)
