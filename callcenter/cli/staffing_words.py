"""Words of staffing: what callers meet, and what that rests on."""

from __future__ import annotations

from datetime import timedelta

from callcenter.cli.common import minutes
from callcenter.domain.staffing import Outlook
from callcenter.service.line.demand import (
    ENOUGH_ABANDONED,
    ENOUGH_ANSWERED,
    ENOUGH_CALLS,
    ENOUGH_PAST,
    Demand,
)
from callcenter.service.line.slots import Forecast

UNSTABLE = "不稳定"


def percent(share: float | None) -> str:
    """Return a share as people read it: no more exact than it is."""
    if share is None:
        return "—"
    return "<1%" if 0 < share < 0.005 else f"{share * 100:.0f}%"


def lasting(length: timedelta) -> str:
    """Return a duration in words: 42分10秒."""
    whole = round(length.total_seconds())
    if whole < 60:
        return f"{whole}秒"
    if whole < 3600:
        return f"{whole // 60}分{whole % 60:02d}秒"
    return f"{whole // 3600}小时{whole % 3600 // 60:02d}分"


def forecast_cells(found: Forecast | None) -> dict[str, str]:
    """Return the cells of a table: who waits, how long, who leaves; no number where there is none."""
    if found is None or not found.load.calls:
        return {"waits": "—", "wait": "—", "abandons": "—"}
    leaves = percent(found.leaves.abandons if found.leaves else None)
    met = found.met
    if not found.is_stable or met is None:
        return {"waits": UNSTABLE, "wait": UNSTABLE, "abandons": leaves}
    return {"waits": percent(met.waits), "wait": minutes(met.wait), "abandons": leaves}


def forecast_row(found: Forecast | None) -> dict[str, object] | None:
    """Return a forecast as a machine reads it."""
    if found is None:
        return None
    return {
        "calls_per_hour": round(found.load.calls, 4),
        "aht": found.load.aht.total_seconds(),
        "erlangs": round(found.load.erlangs, 4),
        "stable": found.is_stable,
        "if_nobody_left": outlook_row(found.stays if isinstance(found.stays, Outlook) else None),
        "as_people_leave": outlook_row(found.leaves),
    }


def outlook_row(outlook: Outlook | None) -> dict[str, object] | None:
    """Return an outlook as a machine reads it: shares, seconds."""
    if outlook is None:
        return None
    return {
        "seats": outlook.seats,
        "waits": round(outlook.waits, 6),
        "wait": round(outlook.wait.total_seconds(), 3),
        "abandons": round(outlook.abandons, 6),
        "occupancy": round(outlook.occupancy, 6),
    }


def demand_row(demand: Demand) -> dict[str, object]:
    """Return what the forecast rests on, as a machine reads it."""
    return {
        "since": demand.since.isoformat(),
        "until": demand.until.isoformat(),
        "calls": demand.calls,
        "answered": demand.answered,
        "abandoned": demand.abandoned,
        "aht": demand.aht.total_seconds() if demand.aht else None,
        "patience": demand.patience.total_seconds() if demand.patience else None,
        "enough": demand.is_enough,
    }


def rests_on(demand: Demand) -> str:
    """Return in a sentence what the forecast rests on, and what is too little for it."""
    if not demand.calls:
        return f"还没有来电记录,不作预计:至少要 {ENOUGH_PAST.days} 天、{ENOUGH_CALLS} 通来电。"
    days = max(1, (demand.until - demand.since).days)
    counted = (
        f"近 {days} 天开放时段来电 {demand.calls} 通,接听 {demand.answered} 通,"
        f"等待时挂断 {demand.abandoned} 通"
    )
    if not demand.is_enough:
        return f"历史太少,不作预计:{counted}。至少要 {ENOUGH_PAST.days} 天、{ENOUGH_CALLS} 通来电。"
    if demand.aht is None:
        return f"历史太少,不作预计:{counted}。至少要接听 {ENOUGH_ANSWERED} 通。"
    if demand.patience is None:
        said = f"不足 {ENOUGH_ABANDONED} 通挂断,不知道来电者愿意等多久,放弃的比例不作预计"
    else:
        said = f"来电者平均愿意等 {lasting(demand.patience)}"
    return f"预计按{counted}推算:每通占用 {lasting(demand.aht)}(通话加整理),{said}。"
