"""`hotline rescue dial`: the second line of a rescue, and what to tell there."""

from __future__ import annotations

import asyncio

import click

from callcenter.bootstrap import App
from callcenter.cli.common import json_option, known_actor, pass_app, say, show_one
from callcenter.db.errors import StoreError
from callcenter.errors import CallCenterError, Conflict, InDoubt, NotFound, Refused
from callcenter.ports import PlaceCall
from callcenter.service.risk import rescue_dial, rescues
from callcenter.service.risk.rescue_dial import Dialling


@click.command()
@click.argument("rescue_id", metavar="救援")
@click.option("--agency", required=True, type=click.Choice(rescue_dial.DIALLED), help="呼叫哪个机构")
@click.option("--from", "first_ring", default="me", show_default=True, help="谁的话机先响:me 或人员代码")
@click.option("--reason", default="", help="为什么要看来电号码;不写就是这次救援")
@click.option("--as", "actor", envvar="HOTLINE_ACTOR", help="以谁的名义(人员代码);也可用 HOTLINE_ACTOR")
@json_option
@pass_app
def dial(
    app: App,
    rescue_id: str,
    agency: str,
    first_ring: str,
    reason: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """用另一条线呼叫机构:您的话机先响,接起后拨给机构。不拨来电者,也不并入来电者的通话。

    先显示要告诉对方的内容。正在陪来电者的人不能拨,请第二个人来。
    """
    try:
        by, dialling = _prepare(app, rescue_id, agency, first_ring, reason, actor)
    except (Refused, NotFound, Conflict):
        raise
    except (CallCenterError, StoreError, OSError) as error:
        _by_hand(app, agency, "数据库没有应答，看不到救援记录", as_json)
        raise SystemExit(1) from error
    if not as_json:
        show_one(dialling.told, [(word, word) for word in dialling.told])
    trouble = _place(app, dialling.call)
    written = trouble is None and _note(app, dialling, agency, by)
    if as_json:
        row = {"rescue": rescue_id, "agency": agency, "call": dialling.call.id, "placed": trouble is None}
        show_one({**row, "recorded": written, "told": dict(dialling.told)}, [], as_json=True)
    elif trouble is None:
        say(f"已拨：{dialling.call.first_ring} 的话机先响，接起后拨 {dialling.call.number}。")
        if not written:
            say(f"没有写下：请用纸记下时间，恢复后补登 hotline rescue step {rescue_id} --state 已请求")
    else:
        _by_hand(app, agency, trouble, as_json)
    if trouble is not None:
        raise SystemExit(1)


def _prepare(
    app: App, rescue_id: str, agency: str, first_ring: str, reason: str, actor: str | None
) -> tuple[str, Dialling]:
    by = known_actor(app, actor)
    with app.store() as work:
        dialling = rescue_dial.prepare(
            work,
            rescue_id,
            agency,
            first_ring=by if first_ring == "me" else first_ring,
            transfers=app.settings.transfers,
            shown_number=app.settings.site.outbound_number,
            reason=reason,
            actor=by,
            now=app.clock(),
        )
        work.commit()
    return by, dialling


def _place(app: App, call: PlaceCall) -> str | None:
    """Place the call; return why it was surely or possibly not placed, or None."""

    async def placing() -> None:
        async with app.telephony() as line:
            await line.calls.place(call)

    try:
        asyncio.run(placing())
    except InDoubt:
        return "不知道有没有拨出，话机没有响就不要等"
    except (CallCenterError, OSError):
        return "电话系统没有拨出"
    return None


def _note(app: App, dialling: Dialling, agency: str, actor: str) -> bool:
    try:
        with app.store() as work:
            rescue_dial.note_dialled(work, dialling, agency, actor=actor, now=app.clock())
            work.commit()
    except (CallCenterError, StoreError, OSError):
        return False
    return True


def _by_hand(app: App, agency: str, why: str, as_json: bool) -> None:
    number = rescues.direct_number(agency, app.settings.transfers)
    if as_json:
        show_one({"placed": False, "dial": number, "problem": why}, [], as_json=True)
        return
    say(f"{why}：请马上用另一部电话拨 {number}。")
    say(
        "告诉对方：人在哪里、附近有什么标志物、是否独自一人、手边有什么危险的东西、怎样回拨。来电者不要放下。"
    )
