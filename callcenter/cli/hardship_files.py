"""`hotline hardship`: a file's way through the register, who confirms that it left, and its household."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, check_year, json_option, pass_app, say, show_one
from callcenter.domain.households import Member
from callcenter.domain.numbers import mask_name
from callcenter.domain.people import ExitReason, HardshipFile
from callcenter.errors import Refused
from callcenter.service.hardship import filing, households
from callcenter.service.hardship.filing import Taken, register_of
from callcenter.service.hardship.households import Home

_TITLES = [
    ("file_no", "档案编号"),
    ("before", "原来"),
    ("status", "现在"),
    ("grade", "困难类别"),
    ("since", "起始"),
    ("notice", "公示"),
    ("review_due", "复核期限"),
    ("exit_reason", "退档理由"),
    ("exit_confirmed_by", "核对人"),
]
_HOME = [
    ("household", "家庭"),
    ("register_no", "户号"),
    ("members", "成员"),
    ("files_text", "档案"),
]

file_argument = click.argument("file_no", metavar="档案编号")
dry_run_option = click.option("--dry-run", is_flag=True, help="只看会怎样,不写入")
reason_option = click.option("--reason", required=True, help="理由或依据,留痕备查")
grade_option = click.option("--grade", help="困难类别(本站的类别之一)")


@click.command("apply")
@file_argument
@click.option("--grade", required=True, help="困难类别(本站的类别之一)")
@click.option("--name", default="", help="姓名;写 - 则另行输入。已有的档案重新申请时不写")
@click.option("--number", "numbers", multiple=True, help="电话,可写多次;写 - 则另行输入,不留在命令历史里")
@click.option("--district", default="", help="区县")
@click.option("--union", "union_unit", default="", help="所属工会")
@click.option("--reason", default="", help="备注,留痕备查")
@dry_run_option
@actor_option
@json_option
@pass_app
def apply_(
    app: App,
    file_no: str,
    grade: str,
    name: str,
    numbers: tuple[str, ...],
    district: str,
    union_unit: str,
    reason: str,
    dry_run: bool,
    actor: str,
    as_json: bool,
) -> None:
    """登记一份申请:新的档案,或退档后重新申请的。"""
    given: dict[str, Any] = {"district": district, "union_unit": union_unit, "reason": reason}
    given |= {"name": _typed(name, "姓名"), "numbers": [_typed(one, "号码") for one in numbers]}
    _step(app, filing.apply, file_no, actor, dry_run, as_json, grade=grade, **given)


@click.command()
@file_argument
@click.option("--from", "start", type=click.DateTime(["%Y-%m-%d"]), help="公示起始日,默认今天")
@click.option("--to", "end", type=click.DateTime(["%Y-%m-%d"]), help="公示截止日,默认恰好够规定的工作日")
@click.option("--reason", default="", help="备注,留痕备查")
@dry_run_option
@actor_option
@json_option
@pass_app
def notice(
    app: App,
    file_no: str,
    start: datetime | None,
    end: datetime | None,
    reason: str,
    dry_run: bool,
    actor: str,
    as_json: bool,
) -> None:
    """登记公示:按本站日历数工作日,不够规定的天数不收。"""
    days = {name: day.date() for name, day in (("start", start), ("end", end)) if day is not None}
    for day in days.values():
        check_year(day)
    _step(app, filing.put_up, file_no, actor, dry_run, as_json, reason=reason, **days)


@click.command()
@file_argument
@reason_option
@dry_run_option
@actor_option
@json_option
@pass_app
def approve(app: App, file_no: str, reason: str, dry_run: bool, actor: str, as_json: bool) -> None:
    """公示期满,建档:从今天起例行回访。"""
    _step(app, filing.approve, file_no, actor, dry_run, as_json, reason=reason)


@click.command()
@file_argument
@reason_option
@dry_run_option
@actor_option
@json_option
@pass_app
def watch(app: App, file_no: str, reason: str, dry_run: bool, actor: str, as_json: bool) -> None:
    """转入脱困观察:仍在回访,期满才能以「脱困」退档。"""
    _step(app, filing.watch, file_no, actor, dry_run, as_json, reason=reason)


@click.command()
@file_argument
@click.option(
    "--because", required=True, type=click.Choice([one.value for one in ExitReason]), help="退档理由"
)
@click.option("--early", default="", help="观察期未满就算脱困的依据")
@reason_option
@dry_run_option
@actor_option
@json_option
@pass_app
def leave(
    app: App,
    file_no: str,
    because: str,
    early: str,
    reason: str,
    dry_run: bool,
    actor: str,
    as_json: bool,
) -> None:
    """退档:例行回访随之结束,并等人核对(hotline hardship confirm)。"""
    given = {"because": ExitReason(because), "early": early, "reason": reason}
    _step(app, filing.leave, file_no, actor, dry_run, as_json, **given)


@click.command("return")
@file_argument
@grade_option
@reason_option
@dry_run_option
@actor_option
@json_option
@pass_app
def return_(
    app: App, file_no: str, grade: str | None, reason: str, dry_run: bool, actor: str, as_json: bool
) -> None:
    """又有困难,重新在档:从今天起算回访。"""
    _step(app, filing.come_back, file_no, actor, dry_run, as_json, grade=grade, reason=reason)


@click.command()
@file_argument
@grade_option
@reason_option
@dry_run_option
@actor_option
@json_option
@pass_app
def review(
    app: App, file_no: str, grade: str | None, reason: str, dry_run: bool, actor: str, as_json: bool
) -> None:
    """登记复核;改了类别的,新类别从今天起算。"""
    _step(app, filing.review, file_no, actor, dry_run, as_json, grade=grade, reason=reason)


@click.command()
@file_argument
@click.option("--back", is_flag=True, help="核对下来不该退档:恢复原状,继续回访")
@reason_option
@dry_run_option
@actor_option
@json_option
@pass_app
def confirm(
    app: App, file_no: str, back: bool, reason: str, dry_run: bool, actor: str, as_json: bool
) -> None:
    """核对一份退档。死亡和调离由督导核对,此人的联系计划和承诺随之结束;个案另行办理。"""
    _step(app, filing.confirm, file_no, actor, dry_run, as_json, back=back, reason=reason)


@click.group()
def household() -> None:
    """一户一档:家庭成员,以及同户的档案。"""


@household.command("show")
@file_argument
@actor_option
@json_option
@pass_app
def show_home(app: App, file_no: str, actor: str, as_json: bool) -> None:
    """看一份档案的家庭。姓名已遮盖。"""
    with app.store() as work:
        row = _home_row(households.home_of(work, file_no, actor=actor))
    show_one(row, _HOME, as_json)


@household.command("set")
@file_argument
@click.option(
    "--member", "members", multiple=True, metavar="关系=姓名", help="家庭成员,可写多次;写了就整个换掉"
)
@click.option("--register-no", help="名册上的户号")
@click.option("--with", "beside", metavar="档案编号", help="归入这份档案所在的家庭")
@click.option("--alone", is_flag=True, help="从现在的家庭里分出来")
@reason_option
@dry_run_option
@actor_option
@json_option
@pass_app
def set_home(
    app: App,
    file_no: str,
    members: tuple[str, ...],
    register_no: str | None,
    beside: str | None,
    alone: bool,
    reason: str,
    dry_run: bool,
    actor: str,
    as_json: bool,
) -> None:
    """登记家庭成员和户号,或改正一份档案属于哪一户。一户只有一份在册的档案。"""
    moves, tells = bool(beside) or alone, bool(members) or register_no is not None
    if moves == tells or (beside and alone):
        raise Refused("请写明一样:--member 和 --register-no,或 --with,或 --alone。")
    with app.store() as work:
        how: dict[str, Any] = {"actor": actor, "now": app.clock(), "reason": reason}
        if moves:
            moved = households.move_home(work, file_no, beside=beside, **how)
            row: dict[str, object] = {"file_no": moved.file_no, "household": moved.household}
        else:
            told = tuple(map(_member, members)) or None
            found = households.set_home(work, file_no, members=told, register_no=register_no, **how)
            row = _home_row(found)
        if not dry_run:
            work.commit()
    _say_dry(dry_run, as_json)
    show_one(row, [("file_no", "档案编号"), ("household", "家庭")] if moves else _HOME, as_json)


#: In the order of `hotline hardship --help`.
FILE_ACTS: tuple[click.Command, ...] = (
    apply_,
    notice,
    approve,
    watch,
    leave,
    return_,
    review,
    confirm,
    household,
)


def _step(
    app: App,
    act: Callable[..., Taken],
    file_no: str,
    actor: str,
    dry_run: bool,
    as_json: bool,
    **given: object,
) -> None:
    with app.store() as work:
        how = {"register": register_of(app.settings), "actor": actor, "now": app.clock()}
        taken = act(work, file_no, **given, **how)
        if not dry_run:
            work.commit()
    _say_dry(dry_run, as_json)
    show_one(_row(taken), _TITLES, as_json)


def _say_dry(dry_run: bool, as_json: bool) -> None:
    if dry_run and not as_json:
        say("试算,没有写入:")


def _row(taken: Taken) -> dict[str, object]:
    file = taken.after
    return {
        "file_no": file.file_no,
        "before": taken.before.status if taken.before else None,
        "status": file.status,
        "grade": file.grade,
        "since": file.since,
        "notice": _notice(file),
        "review_due": file.review_due,
        "exit_reason": file.exit_reason,
        "exit_confirmed_by": file.exit_confirmed_by,
    }


def _notice(file: HardshipFile) -> str | None:
    return f"{file.notice_from} 至 {file.notice_to}" if file.notice_from else None


def _home_row(home: Home) -> dict[str, object]:
    return {
        "household": home.household.id,
        "register_no": home.household.register_no,
        "members": [f"{one.relation} {mask_name(one.name)}" for one in home.members],
        "files": [{"file_no": f.file_no, "status": f.status.value} for f in home.files],
        "files_text": "\n".join(f"{f.file_no} {f.status.value}" for f in home.files),
    }


def _member(text: str) -> Member:
    relation, sign, name = text.partition("=")
    if not (sign and relation.strip() and name.strip()):
        raise Refused("家庭成员写成 关系=姓名,如 女儿=沈小梅。")
    return Member(relation=relation.strip(), name=name.strip())


def _typed(value: str, what: str) -> str:
    """Return a value from the command line or, for `-`, typed apart from it."""
    return str(click.prompt(what)) if value == "-" else value
