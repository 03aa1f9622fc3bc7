"""`hotline rescue`: help sent to somebody in danger, while the counsellor keeps them on the line."""

from __future__ import annotations

import click

from callcenter.bootstrap import App
from callcenter.cli.common import (
    actor_option,
    json_option,
    known_actor,
    local,
    pass_app,
    plain,
    say,
    show_one,
    show_rows,
)
from callcenter.cli.rescue_dial import dial
from callcenter.db.errors import StoreError
from callcenter.domain.cases import RESCUE_WORDS, Rescue, RescueState
from callcenter.domain.rescues import AGENCIES, CONSENTS, FACTS, NEXT
from callcenter.errors import CallCenterError, Refused
from callcenter.service.followup.debts import rules_of
from callcenter.service.line.alarms import policy_of
from callcenter.service.risk import rescue_calls, rescues

_SHOW = [
    ("id", "编号"),
    ("case", "个案"),
    ("state_text", "进展"),
    ("agency", "机构"),
    ("dial", "直拨"),
    ("line_used", "用哪条线"),
    ("missing_text", "还不知道"),
    ("next_text", "下一步"),
    ("informed_text", "事后告知"),
]
_STEPS = [("at", "时间"), ("state_text", "进展"), ("by", "操作人"), ("note", "情况")]
#: What may be typed for each state: its name, or its words.
_STATES = {
    word: state
    for state in RescueState
    if state not in {RescueState.NEEDED, RescueState.CLOSED}
    for word in (state.value, RESCUE_WORDS[state])
}
_STATE_WORDS = "、".join(dict.fromkeys(RESCUE_WORDS[state] for state in _STATES.values()))

rescue_argument = click.argument("rescue_id", metavar="救援")
fact_option = click.option(
    "--fact", "facts", multiple=True, metavar="项目=内容", help=f"知道的情况,可多次:{'、'.join(FACTS)}"
)


@click.group()
def rescue() -> None:
    """紧急救援。来电者由咨询员陪着不挂断,由第二个人用另一条线呼叫救援。"""


rescue.add_command(dial)


@rescue.command()
@click.argument("reference", required=False, default="", metavar="[通话或接访编号]")
@click.option("--agency", required=True, type=click.Choice(AGENCIES), help="呼叫哪个机构")
@click.option("--line", "line_used", default="", help="用哪条线呼叫的")
@click.option("--note", default="", help="情况")
@fact_option
@click.option("--as", "actor", envvar="HOTLINE_ACTOR", help="以谁的名义(人员代码);也可用 HOTLINE_ACTOR")
@json_option
@pass_app
def call(
    app: App,
    reference: str,
    agency: str,
    line_used: str,
    note: str,
    facts: tuple[str, ...],
    actor: str | None,
    as_json: bool,
) -> None:
    """一条命令:建立 0 级个案和救援记录,立刻呼叫督导。通话还在进行时就可以用。

    不写编号,就是您自己正在接的那一通。数据库没有应答时也呼叫督导。
    """
    road = rescue_calls.HonestRoad(app.road, answers=app.pbx_answers())

    def begin() -> rescue_calls.Begun:
        # Who acts is asked of the store as well: nothing of it may stand in the way of the bell.
        by = known_actor(app, actor)
        with app.store() as work:
            begun = rescue_calls.begin(
                work,
                road,
                reference,
                agency=agency,
                note=note,
                facts=_facts(facts),
                line_used=line_used,
                policy=policy_of(app.settings.alarms, rules_of(app.settings).risk),
                rules=rules_of(app.settings),
                actor=by,
                now=app.clock(),
            )
            work.commit()
        return begun

    problem = _store_problem(app)
    if problem is None:
        try:
            _say_begun(app, begin(), road, as_json)
        except (StoreError, OSError) as error:
            problem = error
    if problem is not None:
        _ring_without_record(app, road, reference, agency, problem, as_json)
        raise SystemExit(1)


def _store_problem(app: App) -> Exception | None:
    """Return why the store cannot even be opened (keys, a restore under way), or None."""
    try:
        _ = app.store
    except (CallCenterError, OSError) as error:
        return error
    return None


def _say_begun(app: App, begun: rescue_calls.Begun, road: rescue_calls.HonestRoad, as_json: bool) -> None:
    alarm = begun.alarm
    heard = alarm is not None and alarm.rung_at is not None and road.answers and bool(begun.chain)
    row = {**_row(app, begun.rescue), "alarm": alarm.id if alarm else None, "rung": heard}
    show_one(row, _SHOW[:7], as_json)
    if not as_json:
        say(_heard(app, begun, heard, road))
    if alarm is not None and not heard:
        raise SystemExit(1)


def _heard(app: App, begun: rescue_calls.Begun, heard: bool, road: rescue_calls.HonestRoad) -> str:
    """Return whether supervisors know, and if not, what to do now."""
    if begun.alarm is None:
        return f"督导 {begun.case.acknowledged_by} 已知道这个个案。"
    if begun.alarm.acknowledged_by and heard:
        by = begun.alarm.acknowledged_by
        return f"{by} 已在电话上按 1；还要督导具名：hotline cases ack {begun.case.id}"
    if heard:
        return "正在呼叫督导。"
    why = "告警名单里没有人" if road.answers and not begun.chain else "电话系统没有应答"
    return _call_yourself(app, why, "、".join(begun.supervisors), begun.rescue.agency)


def _call_yourself(app: App, why: str, codes: str, agency: str) -> str:
    number = rescues.direct_number(agency, app.settings.transfers) or "120"
    return f"{why}：请马上打电话给督导{f'（代码 {codes}）' if codes else ''}，同时拨 {number}。"


def _ring_without_record(
    app: App,
    road: rescue_calls.HonestRoad,
    reference: str,
    agency: str,
    problem: Exception,
    as_json: bool,
) -> None:
    """Ring although nothing can be written, and say how the record is made later."""
    rings = rescue_calls.ring_blind(road, app.clock())
    if as_json:
        show_one({"recorded": False, "rung": rings, "problem": str(problem)}, [], as_json=True)
        return
    say("正在呼叫督导。" if rings else _call_yourself(app, "电话系统没有应答", "", agency))
    say(f"个案和救援记录没有写下：{str(problem).splitlines()[0]}")
    later = f"hotline rescue call {reference or '通话编号'} --agency {agency}"
    say(f"请先用纸记下时间、地址、叫了谁；恢复后补登：{later}")


@rescue.command()
@rescue_argument
@actor_option
@json_option
@pass_app
def show(app: App, rescue_id: str, actor: str, as_json: bool) -> None:
    """显示一次救援:进展、知道与还不知道的情况。"""
    with app.store() as work:
        found = rescues.see(work, rescue_id, actor=actor, now=app.clock())
        work.commit()
    _show(app, found, as_json)


@rescue.command()
@rescue_argument
@click.option("--state", type=click.Choice([*_STATES]), metavar="进展", help=f"进展:{_STATE_WORDS}")
@click.option("--note", default="", help="做了什么、得知什么")
@click.option("--agency", default="", help="机构")
@click.option("--line", "line_used", default="", help="用哪条线呼叫的")
@click.option("--consent", default="", type=click.Choice(["", *CONSENTS]), help="本人是否同意")
@fact_option
@actor_option
@json_option
@pass_app
def step(
    app: App,
    rescue_id: str,
    state: str | None,
    note: str,
    agency: str,
    line_used: str,
    consent: str,
    facts: tuple[str, ...],
    actor: str,
    as_json: bool,
) -> None:
    """登记进展或新知道的情况。"""
    with app.store() as work:
        done = rescues.add_step(
            work,
            rescue_id,
            _STATES[state] if state else None,
            note=note,
            facts=_facts(facts),
            agency=agency,
            line_used=line_used,
            consent=consent,
            actor=actor,
            now=app.clock(),
        )
        work.commit()
    _show(app, done, as_json)


@rescue.command()
@rescue_argument
@click.option("--note", required=True, help="谁在何处见到了本人")
@actor_option
@json_option
@pass_app
def confirm(app: App, rescue_id: str, note: str, actor: str, as_json: bool) -> None:
    """确认:救援人员已见到本人。"""
    with app.store() as work:
        done = rescues.add_step(
            work, rescue_id, RescueState.CONTACT_CONFIRMED, note=note, actor=actor, now=app.clock()
        )
        work.commit()
    _show(app, done, as_json)


@rescue.command()
@rescue_argument
@click.option("--reason", required=True, help="结束的理由;没有确认见到本人时只能由督导结束")
@click.option("--dry-run", is_flag=True, help="只看能不能结束,不写入")
@actor_option
@pass_app
def close(app: App, rescue_id: str, reason: str, dry_run: bool, actor: str) -> None:
    """结束一次救援,或由督导写明不需要救援。"""
    with app.store() as work:
        rescues.close(work, rescue_id, reason=reason, actor=actor, now=app.clock())
        if not dry_run:
            work.commit()
    say(f"{rescue_id} {'可以结束（试算，没有写入）' if dry_run else '已结束'}。")


@rescue.command()
@rescue_argument
@click.option("--how", required=True, help="怎样告知的")
@actor_option
@pass_app
def inform(app: App, rescue_id: str, how: str, actor: str) -> None:
    """登记事后已告知本人:为救援向谁提供了哪些个人信息。"""
    with app.store() as work:
        rescues.inform(work, rescue_id, how=how, actor=actor, now=app.clock())
        work.commit()
    say(f"{rescue_id} 已登记告知本人。")


def _facts(words: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or name not in FACTS:
            raise Refused(f"--fact 请写成 项目=内容，项目是：{'、'.join(FACTS)}。")
        if name in found:
            raise Refused(f"{name} 写了两次，请只留一个。")
        found[name] = value
    return found


def _show(app: App, found: Rescue, as_json: bool) -> None:
    steps: list[dict[str, object]] = [
        {"at": s.at, "state": s.state, "state_text": RESCUE_WORDS[s.state], "by": s.by, "note": s.note}
        for s in found.steps
    ]
    row = _row(app, found)
    if as_json:
        nested = [{key: plain(value) for key, value in step.items()} for step in steps]
        show_one({**row, "facts": dict(found.facts), "steps": nested}, [], as_json=True)
        return
    show_one(row, _SHOW)
    known = [{"fact": FACTS[name], "value": value} for name, value in found.facts.items()]
    if known:
        show_rows(known, [("fact", "项目"), ("value", "内容")])
    if steps:
        show_rows(steps, _STEPS)


def _row(app: App, found: Rescue) -> dict[str, object]:
    missing = rescues.missing_facts(found)
    after = [state for state in RescueState if state in NEXT[found.state]]
    informed = f"{local(found.informed_at)} {found.informed_how}" if found.informed_at else None
    return {
        "id": found.id,
        "case": found.case,
        "session": found.session,
        "state": found.state,
        "state_text": RESCUE_WORDS[found.state],
        "agency": found.agency,
        "dial": rescues.direct_number(found.agency, app.settings.transfers),
        "line_used": found.line_used,
        "consent": found.consent,
        "missing": list(missing),
        "missing_text": "、".join(FACTS[name] for name in missing),
        "next": [str(state) for state in after],
        "next_text": "、".join(RESCUE_WORDS[state] for state in after),
        "informed_at": found.informed_at,
        "informed_how": found.informed_how,
        "informed_text": informed,
    }
