"""`hotline people`: who they are to us, masked; what is revealed, by whom and why."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, local, pass_app, show_one, show_rows
from callcenter.domain.numbers import mask_name, mask_number
from callcenter.domain.people import Person
from callcenter.domain.privacy import CallerPlan
from callcenter.service.people import people as service
from callcenter.service.people.profiles import Profile, profile
from callcenter.service.people.wishes import refusal_words
from callcenter.words import (
    CASE_WORDS,
    CONSENT_WORDS,
    KIND_WORDS,
    LEVEL_WORDS,
    PHONE_WORDS,
    SPEECH_WORDS,
    WISH_WORDS,
)

#: Command -> module it stands in, loaded when it is called.
_ELSEWHERE = {
    "reveal": "people_reveal",
    "reveals": "people_reveal",
    "phone": "people_change",
    "care": "people_change",
    "consent": "people_change",
    "optout": "people_change",
    "optin": "people_change",
    "plan": "people_change",
    "merge": "people_merging",
    "unmerge": "people_merging",
    "duplicates": "people_merging",
    "block": "people_blocks",
    "unblock": "people_blocks",
    "blocks": "people_blocks",
    "request": "people_requests",
    "requests": "people_requests",
    "answer": "people_requests",
    "erase": "people_requests",
}
_SHOW = [
    ("id", "编号"),
    ("code", "代号"),
    ("name", "姓名"),
    ("phones_text", "电话"),
    ("speaks_text", "语言"),
    ("no_ivr", "仅人工联系"),
    ("has_code", "有来电口令"),
    ("consents_text", "同意"),
    ("suppressions_text", "拒绝"),
    ("files_text", "困难档案"),
    ("case_text", "个案"),
    ("owed_text", "应做的联系"),
    ("sessions_text", "接访记录"),
    ("calls_lately", "近期来电"),
    ("is_repeat", "反复来电"),
    ("worker", "约定联系人"),
    ("times", "约定时间"),
    ("links", "转介与资源"),
    ("instructions", "接听须知"),
    ("wish_text", "接听意愿"),
    ("review_on", "约定复核"),
    ("merged", "并入的代号"),
]
_FOUND = [("id", "编号"), ("code", "代号"), ("name", "姓名"), ("phones", "电话")]
#: Newest records that are listed on the page; `--json` has them all.
_MOST_SESSIONS = 8


class _People(click.Group):
    """Finds commands in the files they stand in."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *_ELSEWHERE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module = import_module(f"callcenter.cli.{_ELSEWHERE[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(cls=_People)
def people() -> None:
    """我们服务的人:来电者与职工。号码与姓名已遮盖。"""


person_argument = click.argument("person", metavar="编号或代号")


@people.command()
@person_argument
@actor_option
@json_option
@pass_app
def show(app: App, person: str, actor: str, as_json: bool) -> None:
    """看一个人:电话、同意、个案、应做的联系、接访记录、约定。"""
    with app.store() as work:
        found = profile(work, person, actor=actor, now=app.clock(), rules=app.settings.people)
        work.commit()
    show_one(_profile_row(found), _SHOW, as_json)


@people.command()
@click.option("--code", help="来电者报出的六位口令")
@click.option("--number", help="电话号码;写 - 则另行输入,不留在命令历史里。要写理由")
@click.option("--pseudonym", help="代号,如 P-7F3K")
@click.option("--reason", default="", help="按号码查找的理由")
@actor_option
@json_option
@pass_app
def find(
    app: App,
    code: str | None,
    number: str | None,
    pseudonym: str | None,
    reason: str,
    actor: str,
    as_json: bool,
) -> None:
    """按口令、号码或代号找人。按号码查找会留痕:不要替来电者查别人。"""
    with app.store() as work:
        found = service.find(
            work,
            code=code or "",
            number=typed_number(number),
            pseudonym=pseudonym or "",
            reason=reason,
            actor=actor,
            now=app.clock(),
        )
        work.commit()
    show_rows([found_row(one) for one in found], _FOUND, as_json)


@people.command()
@person_argument
@actor_option
@json_option
@pass_app
def code(app: App, person: str, actor: str, as_json: bool) -> None:
    """给来电者一个六位口令:下次不显示号码也能接着谈。旧口令作废。"""
    with app.store() as work:
        digits = service.give_code(work, person, actor=actor, now=app.clock())
        work.commit()
    show_one({"code": digits}, [("code", "口令")], as_json)
    if not as_json:
        click.echo("请念给来电者听两遍,请对方自己记下。系统里不再显示。")


def typed_number(number: str | None) -> str:
    """Return a number from the command line or, for `-`, typed apart from it."""
    return str(click.prompt("号码", hide_input=False)) if number == "-" else number or ""


def found_row(person: Person) -> dict[str, object]:
    """Return somebody as a list shows them, masked."""
    return {
        "id": person.id,
        "code": person.code,
        "name": mask_name(person.name),
        "phones": [mask_number(phone.number) for phone in person.phones],
    }


def _profile_row(found: Profile) -> dict[str, object]:
    case = found.case
    return {
        "id": found.id,
        "code": found.code,
        "name": found.name,
        **_phones_shown(found),
        "speaks": found.speaks,
        "speaks_text": SPEECH_WORDS[found.speaks],
        "no_ivr": found.no_ivr,
        "has_code": found.has_code,
        "consents": {kind.value: granted for kind, granted in found.consents.items()},
        "consents_text": _lines(
            f"{CONSENT_WORDS[kind]}:{'同意' if granted else '撤回'}"
            for kind, granted in found.consents.items()
        ),
        "suppressions": sorted({wish.kind.value for wish in found.suppressions}),
        "refusals": [
            {"kind": w.kind.value, "topic": w.topic or None, "until": w.until} for w in found.suppressions
        ],
        "suppressions_text": _lines(
            f"{refusal_words(w.kind, w.topic)}{f',至 {local(w.until)}' if w.until else ''}"
            for w in found.suppressions
        ),
        "files": [{"grade": grade, "status": status.value} for grade, status in found.files],
        "files_text": _lines(f"{grade} {status.value}" for grade, status in found.files),
        "case": case
        and {"id": case.id, "level": int(case.level), "state": case.state.value, "owner": case.owner},
        "case_text": case
        and f"{LEVEL_WORDS[case.level]} {CASE_WORDS[case.state]} {case.owner or '无人负责'} {case.id}",
        "owed": [{"id": o.id, "kind": o.kind.value, "breach_at": o.window_end} for o in found.owed],
        "owed_text": _lines(f"{KIND_WORDS[o.kind]} 至 {local(o.window_end)} {o.id}" for o in found.owed),
        "sessions": [
            {"id": s.id, "call": s.call, "opened_at": s.opened_at, "status": s.status.value}
            for s in found.sessions
        ],
        "sessions_text": _lines(
            f"{local(s.opened_at)} {s.counsellor or '—'} {s.id}" for s in found.sessions[:_MOST_SESSIONS]
        ),
        "calls_lately": found.calls_lately,
        "is_repeat": found.is_repeat,
        **_plan_shown(found.plan),
        "merged": list(found.merged),
    }


def _phones_shown(found: Profile) -> dict[str, object]:
    return {
        "phones": [
            {
                "place": p.place,
                "number": p.number,
                "status": p.status.value,
                "safe_to_call": p.safe_to_call,
                "confirmed": p.is_known,
                "agreed": p.has_agreement,
                "verified_at": p.verified_at,
            }
            for p in found.phones
        ],
        "phones_text": _lines(
            f"{p.place}. {p.number} {PHONE_WORDS[p.status]}"
            f"{'' if p.safe_to_call else ',不宜拨打'}{'' if p.is_known else ',待督导核实'}"
            f"{',有约定' if p.has_agreement else ''}"
            for p in found.phones
        ),
    }


def _plan_shown(plan: CallerPlan | None) -> dict[str, object]:
    return {
        "worker": plan and plan.worker,
        "times": plan and plan.times,
        "links": plan and plan.links,
        "instructions": plan and plan.instructions,
        "wish": plan and plan.wish,
        "wish_text": plan and WISH_WORDS[plan.wish],
        "rank": plan and plan.rank,
        "review_on": plan and plan.review_on,
    }


def _lines(parts: Iterable[str]) -> str:
    return "\n".join(parts)
