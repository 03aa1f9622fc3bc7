"""`hotline people`: what changes about somebody: numbers, consent, opt-outs, care, plans."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, check_year, json_option, pass_app, show_one, show_rows
from callcenter.cli.people import found_row, person_argument, typed_number
from callcenter.domain.numbers import mask_number
from callcenter.domain.people import (
    ConsentKind,
    Person,
    PhoneStatus,
    SafeContact,
    Suppression,
    SuppressionKind,
)
from callcenter.domain.privacy import HIGHEST_RANK, CallerPlan, Wish
from callcenter.errors import Refused
from callcenter.service.people import caller_plans, phones, wishes
from callcenter.service.people import people as service
from callcenter.words import CONSENT_WORDS, PHONE_WORDS, WISH_WORDS

_PERSON = [("id", "编号"), ("code", "代号"), ("name", "姓名"), ("phones", "电话")]
_AGREED = [
    ("place", "第几个"),
    ("number", "号码"),
    ("status_text", "状态"),
    ("verified_at", "核实于"),
    ("agreed_text", "约定"),
]
_WISH = [("person", "编号"), ("kind_text", "拒绝"), ("at", "时间")]
_PLAN = [
    ("worker", "约定联系人"),
    ("times", "约定时间"),
    ("links", "转介与资源"),
    ("instructions", "接听须知"),
    ("wish_text", "接听意愿"),
    ("rank", "排队次序"),
    ("review_on", "约定复核"),
    ("by", "写的人"),
    ("at", "写于"),
]
_WISHES: dict[str, Wish] = {"woman": "woman", "man": "man", "none": ""}


@click.group()
def phone() -> None:
    """一个人的电话号码。"""


@phone.command("add")
@person_argument
@click.option("--number", required=True, help="号码;写 - 则另行输入,不留在命令历史里")
@click.option("--unsafe", is_flag=True, help="不宜拨打(家人会接、会看见)")
@click.option("--replaces", type=int, metavar="第几个", help="顶替这个号码;原号码记为已换号,不再拨打")
@actor_option
@json_option
@pass_app
def add_phone(
    app: App, person: str, number: str, unsafe: bool, replaces: int | None, actor: str, as_json: bool
) -> None:
    """添一个号码,排在最后。别处已知打错的号码,在这里也不会拨打。

    咨询员添的号码可以拨打;从它来电时认不认作此人,要等督导核实(phone set --confirmed)。
    """
    with app.store() as work:
        changed = service.add_phone(
            work,
            person,
            typed_number(number),
            safe_to_call=not unsafe,
            replaces=replaces,
            actor=actor,
            now=app.clock(),
        )
        work.commit()
    show_one(found_row(changed), _PERSON, as_json)


@phone.command("set")
@person_argument
@click.argument("place", type=int, metavar="第几个")
@click.option("--safe/--unsafe", "safe", default=None, help="宜不宜拨打")
@click.option(
    "--status",
    type=click.Choice([status.value for status in PhoneStatus]),
    help="ok:已由人核实;wrong 打错了、vacant 空号、changed 已换号等:各处都不再拨打",
)
@click.option("--confirmed", is_flag=True, help="督导已核实:手工添的号码确是本人的,从它来电可认人")
@click.option("--reason", default="", help="改状态的理由")
@actor_option
@json_option
@pass_app
def set_phone(
    app: App,
    person: str,
    place: int,
    safe: bool | None,
    status: str | None,
    confirmed: bool,
    reason: str,
    actor: str,
    as_json: bool,
) -> None:
    """改一个号码:宜不宜拨打、打错了、已核实。第几个号码见 hotline people show。"""
    if safe is None and status is None and not confirmed:
        raise Refused("请说明要改什么:--safe、--unsafe、--status 或 --confirmed。")
    with app.store() as work:
        changed = service.change_phone(
            work,
            person,
            place,
            safe_to_call=safe,
            status=PhoneStatus(status) if status else None,
            confirmed=confirmed,
            actor=actor,
            now=app.clock(),
            reason=reason,
        )
        work.commit()
    show_one(found_row(changed), _PERSON, as_json)
    if not as_json:
        click.echo(f"第 {place} 个号码:{PHONE_WORDS[changed.phones[place - 1].status]}")


@phone.command("agree")
@person_argument
@click.argument("place", type=int, metavar="第几个")
@click.option("--label", help="对外说这是谁的电话,如 家里、女儿")
@click.option("--say", "say_name", help="找谁、怎么称呼,如 老沈")
@click.option("--code-word", help="约定的口令,凭它认得是我们;写 - 则另行输入")
@click.option("--voicemail/--no-voicemail", "voicemail", default=None, help="能否留言(只说中性的话)")
@click.option("--sms/--no-sms", "sms", default=None, help="能否发短信")
@click.option("--window", "windows", multiple=True, metavar="19:00-21:00", help="只在这些时段拨打,可写多次")
@click.option("--any-time", is_flag=True, help="不再限时段")
@click.option("--clear", is_flag=True, help="先去掉原来的约定")
@actor_option
@json_option
@pass_app
def agree_on(
    app: App,
    person: str,
    place: int,
    label: str | None,
    say_name: str | None,
    code_word: str | None,
    voicemail: bool | None,
    sms: bool | None,
    windows: tuple[str, ...],
    any_time: bool,
    clear: bool,
    actor: str,
    as_json: bool,
) -> None:
    """与本人约定怎样拨打一个号码:找谁、能否留言、几点、口令。没有写的不变。"""
    word = str(click.prompt("口令")) if code_word == "-" else code_word
    told: dict[str, Any] = {"label": label, "say_name": say_name, "code_word": word}
    told |= {"voicemail": voicemail, "sms": sms}
    given = {name: value for name, value in told.items() if value is not None}
    if windows or any_time:
        given["windows"] = tuple(map(phones.span_of, windows))
    if not given and not clear:
        raise Refused(
            "请说明约定了什么:--label、--say、--code-word、--voicemail、--sms、--window 或 --clear。"
        )
    with app.store() as work:
        how: dict[str, Any] = {"actor": actor, "now": app.clock()}
        known = {p: one.agreed for p, one in enumerate(phones.agreed_with(work, person, **how).phones, 1)}
        before = SafeContact() if clear else known.get(place, SafeContact())
        changed = phones.agree(work, person, place, replace(before, **given), **how)
        work.commit()
    show_rows(_agreements(changed), _AGREED, as_json)


@phone.command("show")
@person_argument
@actor_option
@json_option
@pass_app
def show_phones(app: App, person: str, actor: str, as_json: bool) -> None:
    """看一个人的号码和约定:拨打之前看。只给正在服务此人的人和督导,并留痕。"""
    with app.store() as work:
        found = phones.agreed_with(work, person, actor=actor, now=app.clock())
        work.commit()
    show_rows(_agreements(found), _AGREED, as_json)


def _agreements(person: Person) -> list[dict[str, object]]:
    return [
        {
            "place": place,
            "number": mask_number(one.number),
            "status": one.status,
            "status_text": PHONE_WORDS[one.status],
            "safe_to_call": one.safe_to_call,
            "verified_at": one.verified_at,
            "label": one.agreed.label,
            "say_name": one.agreed.say_name,
            "code_word": one.agreed.code_word,
            "voicemail": one.agreed.voicemail,
            "sms": one.agreed.sms,
            "windows": [f"{begin:%H:%M}-{end:%H:%M}" for begin, end in one.agreed.windows],
            "agreed_text": phones.agreement_words(one.agreed),
        }
        for place, one in enumerate(person.phones, 1)
    ]


@click.command()
@person_argument
@click.option("--language", type=click.Choice(["zh", "zh_wx"]), help="zh 普通话,zh_wx 无锡话")
@click.option("--people-only/--machines-too", "no_ivr", default=None, help="是否只由人联系")
@actor_option
@json_option
@pass_app
def care(app: App, person: str, language: str | None, no_ivr: bool | None, actor: str, as_json: bool) -> None:
    """怎样与此人说话:语言,是否只由人联系。"""
    if language is None and no_ivr is None:
        raise Refused("请说明要改什么:--language、--people-only 或 --machines-too。")
    with app.store() as work:
        changed = service.change_care(
            work,
            person,
            speaks=None if language is None else "zh_wx" if language == "zh_wx" else "",
            no_ivr=no_ivr,
            actor=actor,
            now=app.clock(),
        )
        work.commit()
    told = {**found_row(changed), "speaks": changed.speaks or "zh", "no_ivr": changed.no_ivr}
    show_one(told, [*_PERSON, ("speaks", "语言"), ("no_ivr", "仅人工联系")], as_json)


@click.command()
@person_argument
@click.argument("kind", type=click.Choice([kind.value for kind in ConsentKind]), metavar="事项")
@click.option("--granted/--withdrawn", default=None, required=True, help="同意,或撤回")
@click.option("--channel", type=click.Choice(service.CHANNELS), required=True, help="途径")
@click.option("--script", default="", help="所念话术的版本")
@click.option("--evidence", default="", help="凭据:通话编号,或纸质表的编号;不写姓名、号码")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), help="同意到哪一天为止(含当天)")
@actor_option
@json_option
@pass_app
def consent(
    app: App,
    person: str,
    kind: str,
    granted: bool,
    channel: str,
    script: str,
    evidence: str,
    expires: datetime | None,
    actor: str,
    as_json: bool,
) -> None:
    """登记本人的同意或撤回:ivr_checkin recording followup share_12356 share_union emergency_contact。"""
    with app.store() as work:
        said = service.record_consent(
            work,
            person,
            ConsentKind(kind),
            granted,
            channel=channel,
            script_version=script,
            evidence=evidence,
            expires_at=_after(app, expires),
            actor=actor,
            now=app.clock(),
        )
        work.commit()
    told = {key: getattr(said, key) for key in ("person", "kind", "granted", "at", "evidence", "expires_at")}
    titles = [("person", "编号"), ("kind_text", "事项"), ("granted", "同意"), ("at", "时间")]
    titles += [("evidence", "凭据"), ("expires_at", "到期")]
    show_one({**told, "kind_text": CONSENT_WORDS[said.kind]}, titles, as_json)


topic_option = click.option(
    "--topic", type=click.Choice([one.value for one in wishes.TOPICS]), help="只关于这一类来电"
)


@click.command()
@person_argument
@click.option("--all", "all_calls", is_flag=True, help="本人任何电话都不要了(人工的也不要)")
@topic_option
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="到哪一天为止(含当天);不写则一直有效")
@click.option("--reason", default="", help="本人怎么说的")
@actor_option
@json_option
@pass_app
def optout(
    app: App,
    person: str,
    all_calls: bool,
    topic: str | None,
    until: datetime | None,
    reason: str,
    actor: str,
    as_json: bool,
) -> None:
    """登记本人不愿再接自动电话;--all 则任何电话都不再打。立即生效,重新导入名单也不会丢。"""
    with app.store() as work:
        wish = wishes.opt_out(
            work,
            person,
            _kind(all_calls, topic),
            topic=topic or "",
            until=_after(app, until),
            actor=actor,
            now=app.clock(),
            reason=reason,
        )
        work.commit()
    show_one(_wish_row(wish), [*_WISH, ("until", "到期")], as_json)


@click.command()
@person_argument
@click.option("--all", "all_calls", is_flag=True, help="取消的是「任何电话都不要」")
@topic_option
@click.option("--evidence", required=True, help="凭据:本人说这句话的通话编号,或本人签的表的编号")
@click.option("--reason", required=True, help="本人怎么说的")
@actor_option
@json_option
@pass_app
def optin(
    app: App,
    person: str,
    all_calls: bool,
    topic: str | None,
    evidence: str,
    reason: str,
    actor: str,
    as_json: bool,
) -> None:
    """登记本人亲口说可以再打:取消一项拒绝。名单和合并都不能代替本人这句话。"""
    with app.store() as work:
        word = wishes.opt_in(
            work,
            person,
            _kind(all_calls, topic),
            topic=topic or "",
            evidence=evidence,
            actor=actor,
            now=app.clock(),
            reason=reason,
        )
        work.commit()
    show_one({**_wish_row(word), "lifted": True}, _WISH, as_json)


def _kind(all_calls: bool, topic: str | None) -> SuppressionKind:
    if all_calls and topic:
        raise Refused("--all 和 --topic 只写一样。")
    if topic:
        return SuppressionKind.TOPIC
    return SuppressionKind.ALL_OUTBOUND if all_calls else SuppressionKind.AUTOMATION


def _wish_row(wish: Suppression) -> dict[str, object]:
    words = wishes.refusal_words(wish.kind, wish.topic)
    row = {key: getattr(wish, key) for key in ("person", "kind", "topic", "at", "until")}
    return {**row, "kind_text": f"已取消:{words}" if wish.lifted else words}


def _after(app: App, day: datetime | None) -> datetime | None:
    """Return the end of a day at the site."""
    if day is None:
        return None
    check_year(day.date())
    return day.replace(tzinfo=app.settings.site.zone) + timedelta(days=1)


@click.command()
@person_argument
@click.option("--worker", help="约定联系人(人员代码);写空为取消")
@click.option("--times", help="约定时间,如 每周二、四 19:00")
@click.option("--links", help="正在接受的服务、转介")
@click.option("--instructions", help="接听须知:什么有帮助,什么要避免")
@click.option(
    "--wish", type=click.Choice([*_WISHES]), help="希望由女性(woman)或男性(man)接听;none 为不再要求"
)
@click.option("--rank", type=click.IntRange(0, HIGHEST_RANK), help="排队次序,只会提前,不会推后;0 为照常")
@click.option("--review-on", type=click.DateTime(["%Y-%m-%d"]), help="哪一天复核约定")
@actor_option
@json_option
@pass_app
def plan(
    app: App,
    person: str,
    worker: str | None,
    times: str | None,
    links: str | None,
    instructions: str | None,
    wish: str | None,
    rank: int | None,
    review_on: datetime | None,
    actor: str,
    as_json: bool,
) -> None:
    """看或写与反复来电者的约定。约定从不限制来电:联系人在岗时先接,意愿先等一会儿,次序只提前。"""
    if review_on is not None:
        check_year(review_on.date())
        review_on = review_on.replace(tzinfo=app.settings.site.zone)
    given: dict[str, Any] = {"worker": worker, "times": times, "links": links, "instructions": instructions}
    given |= {"wish": None if wish is None else _WISHES[wish], "rank": rank, "review_on": review_on}
    with app.store() as work:
        now = app.clock()
        if any(value is not None for value in given.values()):
            caller_plans.set_plan(work, person, **given, actor=actor, now=now)
            work.commit()
        found = caller_plans.plan_of(work, person, actor=actor, now=now)
    show_one(_plan_row(found), _PLAN, as_json)


def _plan_row(found: CallerPlan) -> dict[str, object]:
    row = {key: getattr(found, key) for key, _ in _PLAN if key != "wish_text"}
    return {**row, "wish": found.wish, "wish_text": WISH_WORDS[found.wish]}
