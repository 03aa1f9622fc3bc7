"""`hotline queue`: what a supervisor has to get done, and why each thing stands there."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import datetime

import click

from callcenter.bootstrap import App, Telephony
from callcenter.cli.common import (
    PAGE,
    actor_option,
    console,
    counted,
    json_option,
    known_actor,
    limit_option,
    pass_app,
    say,
    show_one,
    show_rows,
)
from callcenter.cli.hardship import plain_row
from callcenter.cli.queue_acts import ACTS
from callcenter.cli.queue_ahead import forecast_, tonight_
from callcenter.cli.queue_ladder import ladder
from callcenter.cli.queue_sheet import sheet
from callcenter.cli.queue_words import overdue_for, remark
from callcenter.domain.ledger import DebtEvent
from callcenter.domain.levels import Level
from callcenter.errors import ConfigError, PbxError, Refused
from callcenter.ports import UnitOfWork
from callcenter.service.followup import debt_rows, handled
from callcenter.service.followup.case_contacts import unwritten
from callcenter.service.followup.debt_views import DebtView, who_may_dial
from callcenter.service.followup.debts import (
    LineFacts,
    close,
    done_by_call,
    done_by_visit,
    line_facts,
    rules_of,
    sweep,
)
from callcenter.service.followup.dispatch import (
    THE_LINE,
    DebtRound,
    LineDialler,
    Refusal,
    last_refusal,
    note_dial,
    override_window,
)
from callcenter.service.followup.ended import ending_words
from callcenter.service.followup.ending import kept_with
from callcenter.service.followup.sweeping import PEEK
from callcenter.service.line import recordings
from callcenter.words import KIND_WORDS, LEVEL_WORDS
from scheduler.errors import LineUnreachable
from scheduler.gates import SENTENCES, Line, Verdict
from scheduler.ladder import Who
from scheduler.obligations import Attempt, Kind

_LIST = [
    ("id", "编号"),
    ("level", "级"),
    ("kind_text", "事由"),
    ("name", "对象"),
    ("due_text", "应联系"),
    ("overdue_text", "逾期"),
    ("owner", "负责"),
    ("short", "情况"),
]
_SHOW = [
    ("id", "编号"),
    ("kind_text", "事由"),
    ("level_text", "级别"),
    ("owner", "负责人"),
    ("name", "对象"),
    ("code", "代号"),
    ("phone", "电话"),
    ("remark", "注意"),
    ("agreed", "拨打约定"),
    ("poster_code", "海报编号"),
    ("snoozed_until", "推迟到"),
    ("escalated_at", "上报于"),
    ("waiver", "免除申请"),
    ("plan", "计划"),
    ("history_text", "经过"),
    ("recordings", "录音"),
    ("file_no", "档案编号"),
    ("grade", "困难类别"),
    ("due_at", "应联系"),
    ("breach_at", "逾期界限"),
    ("overdue_text", "已逾期"),
    ("attempts", "拨打次数"),
    ("last_attempt", "上次拨打"),
    ("last_result", "上次结果"),
    ("doubt_text", "核实依据"),
    ("who_text", "下一步"),
    ("reason", "现状"),
    ("last_contact", "最近联系"),
]
#: Of one that ended: how it did, and nothing that would come next.
_SHOW_ENDED = [
    *(column for column in _SHOW if column[0] not in {"overdue_text", "who_text", "agreed", "remark"}),
    ("ended_text", "怎样结束"),
]
_WHO = {Who.IVR: "自动拨打", Who.HUMAN: "工作人员"}


@click.group(invoke_without_command=True)
@click.option("--as", "actor", help="以谁的名义（人员代码）；也可用 HOTLINE_ACTOR")
@json_option
@click.pass_context
def queue(ctx: click.Context, actor: str | None, as_json: bool) -> None:
    """督导的回访队列。不写子命令就打开它。"""
    words = [*([] if actor is None else ["--as", actor]), *(["--json"] if as_json else [])]
    if ctx.invoked_subcommand is None and not as_json and _is_at_a_terminal():
        # Here, so that no plain command waits for the terminal's library to be read.
        from callcenter.cli.queue_screen import terminal

        app = ctx.ensure_object(App)
        terminal.run(app, known_actor(app, actor or os.environ.get("HOTLINE_ACTOR")))
    elif ctx.invoked_subcommand is None:
        with list_queue.make_context("list", words, parent=ctx) as listing:
            list_queue.invoke(listing)
    elif words:
        raise click.UsageError(
            f"{words[0]} 写在子命令后面：hotline queue {ctx.invoked_subcommand} … {' '.join(words)}"
        )


def _is_at_a_terminal() -> bool:
    """Tell whether there is a terminal on both sides that can move its cursor."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


for act in (*ACTS, ladder):
    queue.add_command(act)


@queue.command("list")
@click.option("--all", "all_of_them", is_flag=True, help="还没到期的也列出")
@limit_option
@actor_option
@json_option
@pass_app
def list_queue(app: App, all_of_them: bool, limit: int, actor: str, as_json: bool) -> None:
    """列出该办的事：紧急的最先，然后是结果不明的、逾期最久的，再按轻重和到期。

    今天稍后到期的另列一栏。级：本人个案的级别，数越小越危险。
    """
    with app.store() as work:
        facts = _facts(app, work)
        found = debt_rows.queue(
            work, facts, actor=actor, all_of_them=all_of_them, today=True, limit=limit or None
        )
        more = debt_rows.queue_behind(
            work, facts, len(found), actor=actor, all_of_them=all_of_them, today=True
        )
    if as_json:
        show_rows([_row(v) for v in found], _LIST, as_json=True)
        return
    owed = [v for v in found if v.is_owed or v.is_handed_up]
    later = [v for v in found if not (v.is_owed or v.is_handed_up)]
    show_rows([_row(v) for v in owed], _LIST)
    if later:
        console().print("还没到期：" if all_of_them else "今天到期，时间还没到：")
        show_rows([_row(v) for v in later], _LIST)
    say(f"{counted(len(found), more)}说明：hotline queue why 编号")


@queue.command("next")
@actor_option
@json_option
@pass_app
def next_one(app: App, actor: str, as_json: bool) -> None:
    """显示工作人员该办的下一件。"""
    with app.store() as work:
        facts = _facts(app, work)
        # What is due, and nothing later; most days the first page has somebody.
        pages = (debt_rows.queue(work, facts, actor=actor, limit=limit) for limit in (PAGE, None))
        human = next((v for page in pages for v in page if v.step.who is Who.HUMAN), None)
    if human is None:
        click.echo("null" if as_json else "现在没有要工作人员办的事。")
        return
    more = {"agreed": human.agreed or None, "recordings": _recordings(app, human)}
    show_one({**_row(human, nested=as_json), **more}, _SHOW, as_json)


@queue.command()
@click.argument("obligation")
@actor_option
@json_option
@pass_app
def show(app: App, obligation: str, actor: str, as_json: bool) -> None:
    """显示一件事。"""
    with app.store() as work:
        found = debt_rows.one_debt(work, obligation, _facts(app, work), actor=actor)
        acts = handled.acts_on(work, obligation, actor=actor)
    more = {"agreed": found.agreed or None, "recordings": _recordings(app, found), "history": _acts(acts)}
    row = {**_row(found, nested=as_json), **more}
    titles = _SHOW if found.ended is None else _SHOW_ENDED
    show_one({**row, **_history_text(app, acts, as_json)}, titles, as_json)


@queue.command()
@click.argument("obligation")
@actor_option
@json_option
@pass_app
def why(app: App, obligation: str, actor: str, as_json: bool) -> None:
    """说明为何欠着、试过什么、现在能不能拨。能自动拨打的，也列出每一道关口过不过。

    已经完成或结束的不再问关口：--json 的 gates 和 human_gates 都是空的。
    """
    line = asyncio.run(_line(app))
    with app.store() as work:
        facts = line_facts(work, app.clock(), line, rules_of(app.settings))
        found = debt_rows.one_debt(work, obligation, facts, actor=actor)
        acts = handled.acts_on(work, obligation, actor=actor)
        told = [f"{handled.act_words(act, zone=app.settings.site.zone)}。" for act in acts]
        chain = [*debt_rows.why(work, found, facts, actor=actor), *told]
        refused = last_refusal(work, obligation) or last_refusal(work, THE_LINE)
    is_open = found.ended is None  # of what ended nobody dials, and no gate is asked
    machine = found.verdicts if is_open and found.may_be_automatic else ()
    humans = found.for_humans if is_open else ()
    if as_json:
        more = {"agreed": found.agreed or None, "recordings": _recordings(app, found), "chain": chain}
        row = {**_row(found, nested=True), **more}
        row["history"] = _acts(acts)
        gates = {"gates": _gates(machine), "human_gates": _gates(humans)}
        last = {"last_refused": None if refused is None or not machine else _last_refused(refused)}
        show_one({**row, **gates, **last}, [], as_json=True)
        return
    if not is_open:
        console().print("\n".join(chain), markup=False)
        return
    for sentence in (*chain, *_refused_sentences(app, refused if machine else None), who_may_dial(found)):
        console().print(sentence, markup=False)
    console().print("此刻的关口（自动拨打）:" if machine else "此刻的关口（工作人员拨打）:")
    for verdict in machine or humans:
        mark = "注意" if verdict.notice else "过" if verdict.passed else "拦"
        console().print(f"  {mark} {verdict.sentence}", markup=False)


def _last_refused(refused: Refusal) -> dict[str, object]:
    return plain_row({"codes": [gate.value for gate in refused.gates], "since": refused.since})


def _refused_sentences(app: App, refused: Refusal | None) -> list[str]:
    """Say what kept the last call from going out, and since when it does."""
    if refused is None:
        return []
    since = refused.since.astimezone(app.settings.site.zone)
    why = "；".join(SENTENCES[gate][1] for gate in refused.gates)
    return [f"上一次没有拨出：{why}（{since:%m-%d %H:%M} 起）。"]


def _acts(acts: Sequence[DebtEvent]) -> list[dict[str, object]]:
    """Return the acts as they are on record; why they were done stands in `why`."""
    return [plain_row({"act": a.act, "by": a.by, "at": a.at, "value": a.value}) for a in acts]


def _history_text(app: App, acts: Sequence[DebtEvent], as_json: bool) -> dict[str, object]:
    if as_json:
        return {}
    zone = app.settings.site.zone
    return {"history_text": "；".join(handled.act_words(a, zone=zone, reason=False) for a in acts) or None}


def _gates(verdicts: Sequence[Verdict]) -> list[dict[str, object]]:
    return [
        plain_row(
            {
                "gate": v.gate,
                "passed": v.passed,
                "notice": v.notice,
                "sentence": v.sentence,
                "retry_at": v.retry_at,
            }
        )
        for v in verdicts
    ]


@queue.command()
@click.argument("obligation")
@click.option("--agent", help="先振铃哪位工作人员（人员代码）；不写则自动拨打")
@click.option("--override", is_flag=True, help="在拨打时段之外也拨（督导；要写 --reason）")
@click.option("--reason", default="", help="为什么要在时段之外拨打")
@actor_option
@json_option
@pass_app
def dial(
    app: App, obligation: str, agent: str | None, override: bool, reason: str, actor: str, as_json: bool
) -> None:
    """现在就拨打。每一道关口都重新检查。

    --override 只放开时段这一道，先写明是谁、为什么，再拨；别的关口照样拦。
    """
    now = app.clock()
    with app.store() as work:  # asked, not kept: the line may wait
        if override:
            override_window(work, obligation, reason=reason, actor=actor, now=now)
        note_dial(work, obligation, agent, actor=actor, now=now)
    attempt = asyncio.run(_dial(app, obligation, agent, actor, reason if override else None))
    if as_json:
        show_one(
            {"id": obligation, "attempt": attempt.id, "n": attempt.n, "by": attempt.by}, [], as_json=True
        )
        return
    click.echo(f"已拨出：{attempt.id}。结果由通话记录得出：hotline queue why {obligation}")


@queue.command()
@click.argument("obligation")
@click.option("--call", help="凭据：与本人的一通已接通的电话（通话编号）")
@click.option("--visit", help="凭据：上门走访记录表的编号")
@click.option("--at", type=click.DateTime(["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"]), help="走访的时间（当地）")
@click.option("--met", default="", help="见到了谁；有危险的人必须见到「本人」")
@click.option("--note", default="", help="走访的情况（有危险的人必填，加密保存）")
@click.option("--visitor", "visitors", multiple=True, help="谁去的，写两次：人员代码，或外单位人员的姓名")
@actor_option
@json_option
@pass_app
def done(
    app: App,
    obligation: str,
    call: str | None,
    visit: str | None,
    at: datetime | None,
    met: str,
    note: str,
    visitors: tuple[str, ...],
    actor: str,
    as_json: bool,
) -> None:
    """凭一通接通的电话或一次走访，登记为完成。没有凭据不能完成。

    有危险的人：由个案负责人或督导登记；一次联系只完成一步，时候未到的不算；
    走访要写 --at、--met 本人、--note 和两次 --visitor。
    """
    if (call is None) == (visit is None):
        raise Refused("完成一件事要有一个凭据：--call 通话编号，或 --visit 走访编号。")
    now, made = app.clock(), at.replace(tzinfo=app.settings.site.zone) if at else None
    rules = rules_of(app.settings)
    with app.store() as work:
        if call is not None:
            counts = app.settings.hardship.inbound_counts
            proof = done_by_call(work, obligation, call, actor=actor, now=now, inbound=counts, rules=rules)
        else:
            proof = done_by_visit(
                work,
                obligation,
                visit or "",
                actor=actor,
                now=now,
                at=made,
                met=met,
                note=note,
                visitors=visitors,
                rules=rules,
            )
        sweep(work, now, rules=rules, pages=PEEK)  # the round does the rest
        still, kept = unwritten(work, proof), kept_with(work, proof)
        work.commit()
    if as_json:
        row = {
            "id": obligation,
            "kept": kept,
            "kind": proof.kind,
            "reference": proof.reference,
            "at": proof.at,
        }
        show_one(row, [], as_json=True)
        return
    click.echo(f"{'、'.join(kept)} 已完成，凭据 {proof.reference}。")
    if still:
        click.echo(still)


@queue.command("close")
@click.argument("obligation")
@click.option("--reason", required=True, help="为什么不再联系，如：留言无人声、重复登记")
@click.option("--dry-run", is_flag=True, help="只看会结束哪一件，不写入")
@actor_option
@json_option
@pass_app
def close_one(app: App, obligation: str, reason: str, dry_run: bool, actor: str, as_json: bool) -> None:
    """写明理由，结束一项承诺而不联系。困难回访、个案的随访、紧急的事不能这样结束。"""
    now = app.clock()
    with app.store() as work:
        close(work, obligation, reason=reason, actor=actor, now=now)
        if not dry_run:
            work.commit()
    if as_json:
        show_one(
            {"id": obligation, "closed_by": actor, "closed_at": now, "dry_run": dry_run}, [], as_json=True
        )
        return
    # The reason is on record; on the screen it would only tell whoever stands behind.
    click.echo(f"{obligation} {'会结束（试算，没有写入）' if dry_run else '已结束，原因已记下'}。")


async def _line(app: App) -> Line | None:
    """Return the live line, or None where the PBX does not answer: then that gate says so."""
    try:
        async with app.telephony() as line:
            return await _dialler(app, line).line()
    except (LineUnreachable, PbxError, ConfigError):
        return None


async def _dial(app: App, obligation: str, agent: str | None, actor: str, override: str | None) -> Attempt:
    async with app.telephony() as line:
        round_ = DebtRound.wire(app.store, line.calls, line.queue, app.settings, app.clock)
        return await round_.dial(obligation, actor=actor, agent=agent, override=override)


def _dialler(app: App, line: Telephony) -> LineDialler:
    return LineDialler(
        store=app.store, control=line.calls, queue=line.queue, settings=app.settings, clock=app.clock
    )


def _facts(app: App, work: UnitOfWork) -> LineFacts:
    return line_facts(work, app.clock(), None, rules_of(app.settings))


def _row(shown: DebtView, *, nested: bool = False) -> dict[str, object]:
    row = debt_rows.whole_row(shown)
    zone = shown.situation.rules.windows.zone
    row["kind_text"] = KIND_WORDS[shown.obligation.kind]
    row["who_text"] = _WHO[shown.step.who] if shown.ended is None else None
    row["due_text"] = shown.obligation.due_at.astimezone(zone).strftime("%m-%d %H:%M")
    row["overdue_text"] = overdue_for(shown)
    row["level_text"] = None if shown.level is None else LEVEL_WORDS[Level(shown.level)]
    row["short"] = shown.short
    row["poster_code"] = shown.poster_code
    row["remark"] = remark(shown)
    if shown.ended is not None:
        # Why it was ended stands in `why`, as why anything else was done.
        row["ended_text"] = ending_words(shown.ended, shown.obligation, zone, reason=False)
    return plain_row(row) if nested else row


def _recordings(app: App, shown: DebtView) -> list[str]:
    """Return the command that lets a message be heard, if one was left and is not deleted."""
    if shown.obligation.kind is not Kind.MESSAGE:
        return []
    call = shown.obligation.origin
    with app.store() as work:
        is_kept = bool(recordings.of_call(work, call))
    is_waiting = any((app.settings.pbx_home / "spool" / "messages").glob(f"{call}-*.wav"))
    return [f"hotline calls message {call}"] if is_kept or is_waiting else []


queue.add_command(tonight_)
queue.add_command(forecast_)
queue.add_command(sheet)
