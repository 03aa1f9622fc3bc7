"""What `hotline doctor` says of the line itself: people, debts, prompts, the PBX. Counts only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import Enum
from typing import assert_never

from callcenter.domain.books import CREDENTIALS
from callcenter.domain.instruments import Instrument
from callcenter.domain.plan_rules import PlanRules
from callcenter.domain.sessions import SessionStatus
from callcenter.domain.users import PhoneKind, Role
from callcenter.ports import UnitOfWork
from callcenter.service.duty.checking import ALWAYS
from callcenter.service.duty.roster import Lack, gaps_between
from callcenter.service.health.doctor import Check, State, bad, ok, warn
from callcenter.service.line.alarms import chain
from callcenter.service.line.risk_clock import unacknowledged
from callcenter.service.privacy.recording_drops import without_consent
from callcenter.service.staff.users import named_like_machines
from scheduler.calendar import Calendar
from scheduler.gates import Rules
from scheduler.risk_ladder import RiskRules

#: So far ahead the make-up workdays should be known, and below this the next holiday may be wrong.
_FAR, _NEAR = timedelta(days=180), timedelta(days=14)
_ROSTER = timedelta(days=7)
_WRITTEN_WITHIN = timedelta(hours=24)
#: Numbers that only take calls: a carrier drops, or bills as fraud, what calls out with one.
_INBOUND_ONLY = ("400", "800")


def calendar(days: Calendar, today: date) -> Check:
    """Look how far ahead public holidays and make-up workdays are known."""
    until = days.published_until(today)
    if until - today < _NEAR:
        return bad("calendar", f"节假日表只到 {until}。升级 chinesecalendar,或在 [calendar] days 里写明。")
    if until - today < _FAR:
        return warn(
            "calendar", f"节假日表只到 {until},不足 180 天。升级 chinesecalendar,或在 [calendar] 里写明。"
        )
    return ok("calendar", f"节假日表到 {until}。")


def outbound_number(number: str) -> Check:
    """Look whether calls out show a number that can be called back and that carriers let through."""
    if number.removeprefix("+86").removeprefix("0086").startswith(_INBOUND_ONLY):
        return bad("outbound_number", "外呼号码是 400/800:只能呼入。site.outbound_number 要用本地固定号码。")
    return ok("outbound_number", "外呼号码不是 400/800。")


def further_numbers(numbers: Sequence[str]) -> Check:
    """Look whether each further number of ours that calls may show can be called back as well."""
    wrong = sum(outbound_number(number).state is not State.OK for number in numbers)
    if wrong:
        return bad(
            "outbound_numbers", f"outbound.numbers 里有 {wrong} 个 400/800：只能呼入，请换成本地固定号码。"
        )
    return ok("outbound_numbers", f"另有 {len(numbers)} 个外呼号码。" if numbers else "只有一个外呼号码。")


def outbound_capacity(channels: int, seats: int, rules: Rules) -> Check:
    """Reckon what is left for calls out, and look whether one could ever go out."""
    kept = rules.reserved_channels
    left, per_day = channels - kept, rules.daily_cap * len(rules.numbers)
    sums = (
        f"线路 {channels} 路，给来电留 {kept} 路，外呼最多同时 {max(left, 0)} 路；"
        f"座席 {seats} 个，给来电留 {rules.reserved_seats} 个；"
        f"外呼号码 {len(rules.numbers)} 个，一天最多 {per_day} 通。"
    )
    if channels < max(2, kept + 1):
        mend = "空闲线路永远不够，一通也拨不出：加线路，或减少 reserved_channels。"
        return warn("outbound_capacity", f"{sums}{mend}")
    if 0 < seats <= rules.reserved_seats:
        return warn("outbound_capacity", f"{sums}工作人员先接的外呼永远拨不出：减少 reserved_seats。")
    return ok("outbound_capacity", sums)


def seats(work: UnitOfWork) -> int:
    """Count those who could sit at the line: active, with a phone, and counsellors."""
    users = (u for u in work.users.all() if u.active and u.phone is not PhoneKind.NONE)
    return sum(Role.COUNSELLOR in user.roles for user in users)


def alarm_chain(work: UnitOfWork) -> Check:
    """Look whether somebody hears alarms."""
    people = chain(work.users.all())
    if not people:
        return bad(
            "alarm_chain",
            "告警没有人可打:给督导设告警次序 hotline user set 代码 --alarm-rank 1,再 hotline pbx apply。",
        )
    return ok("alarm_chain", f"告警依次打给 {len(people)} 人。")


def roster(work: UnitOfWork, now: datetime, rules: PlanRules = ALWAYS) -> Check:
    """Look whether enough people are planned at every time of the next days (R44)."""
    gaps = gaps_between(work, now, now + _ROSTER, rules)
    nobody = sum(gap.lack is Lack.NOBODY for gap in gaps)
    thin = sum(gap.lack is Lack.THIN for gap in gaps)
    lacks = [f"{n} 段{what}" for n, what in ((nobody, "没有人"), (thin, "人手不足")) if n]
    if lacks:
        return warn(
            "roster",
            f"今后 7 天有 {'、'.join(lacks)}。看 hotline duty gaps --days 7。",
        )
    return ok("roster", "今后 7 天的服务时间都有足够的人值守。")


def recordings(work: UnitOfWork) -> Check:
    """Look whether there is a recorded talk of which no consent is on record (I8)."""
    found = without_consent(work)
    if found:
        return bad(
            "recordings",
            f"{len(found)} 段通话录音没有来电者同意的记录,一周后自动删除。看 hotline calls recording list。",
        )
    return ok("recordings", "通话录音都有来电者同意的记录。")


def unwritten_sessions(work: UnitOfWork, now: datetime) -> Check:
    """Look whether answered calls wait for their record longer than a day."""
    late = [s for s in work.sessions.all(SessionStatus.OPEN) if now - s.opened_at > _WRITTEN_WITHIN]
    if late:
        return warn(
            "sessions", f"{len(late)} 份接访记录超过 24 小时没有写。看 hotline sessions list --late。"
        )
    return ok("sessions", "没有超过 24 小时未写的接访记录。")


def high_risk(work: UnitOfWork, now: datetime, rules: RiskRules) -> Check:
    """Look whether a case at level 1 or worse waits for a supervisor's name past its time (R21)."""
    waiting = unacknowledged(work, now, rules)
    if waiting:
        return bad("cases", f"{len(waiting)} 个一级以上的个案没有督导确认。看 hotline cases list。")
    return ok("cases", "一级以上的个案都有督导确认,或还在时限内。")


def second_factors(work: UnitOfWork, *, demanded: bool) -> Check:
    """Look whether those who need a second factor have one."""
    if not demanded:
        return ok("second_factor", "没有要求第二重验证([access] second_factor)。")
    roles = {Role.SUPERVISOR, Role.ADMIN}
    without = [
        u.code for u in work.users.all() if u.active and u.roles & roles and not _has_factor(work, u.code)
    ]
    if without:
        return bad(
            "second_factor",
            f"没有第二重验证:{' '.join(without)}。请本人运行 hotline user totp 代码。",
        )
    return ok("second_factor", "督导和管理员都有第二重验证。")


def machine_names(work: UnitOfWork) -> Check:
    """Look whether somebody's code is one that machines are audited under."""
    found = named_like_machines(work)
    if found:
        return bad(
            "machine_names",
            f"人员代码与系统自己的重名,留痕里分不清:{' '.join(found)}。"
            "换一个代码重新登记,再 hotline user disable。",
        )
    return ok("machine_names", "没有人员代码与系统自己的重名。")


def _has_factor(work: UnitOfWork, code: str) -> bool:
    credential = work.book(CREDENTIALS).one(code)
    return credential is not None and credential.totp is not None


def prompts(missing: Sequence[str], unapproved: int) -> Check:
    """Look whether callers hear every prompt, and whether the site approved its words (R48)."""
    if missing:
        return bad("prompts", f"{len(missing)} 处提示音缺失或有误。看 hotline ivr prompts check。")
    if unapproved:
        return warn("prompts", f"{unapproved} 条提示音的文字还没有审定。看 hotline ivr prompts list。")
    return ok("prompts", "提示音齐全,文字都已审定。")


def scales(own: Sequence[Instrument]) -> Check:
    """Look whether the site's files stand for scales of ours: their words are theirs, no floor is lower."""
    if own:
        names = "、".join(f"{one.id}（版本 {one.version}）" for one in own)
        return ok("scales", f"量表 {names} 用的是本站 instruments 里的文件,不是自带的:请确认是你们放的。")
    return ok("scales", "量表都是自带的,或本站自己另加的。")


class Login(Enum):
    """What came of trying our account at the PBX."""

    IN = "in"
    REFUSED = "refused"
    #: Nobody listens at its manager port.
    NOBODY = "nobody"
    #: Somebody listens and says nothing, or breaks off.
    SILENT = "silent"


def pbx_down(start: str) -> Check:
    """Say that the PBX does not run; `start`: what starts it here."""
    return bad("pbx", f"Asterisk 没有运行：来电一通也接不进来！运行 {start}。")


def manager_interface(login: Login, where: str) -> Check:
    """Look whether our account works at the PBX, which runs. `where`: the address of its manager."""
    match login:
        case Login.IN:
            return ok("pbx", "Asterisk 在运行,后台账号能登录。")
        case Login.REFUSED:
            said = "后台账号登录不了 Asterisk：它不认密码。来电照常接听，但队列跟不上排班，回访拨不出。"
            mend = "运行 hotline pbx apply；还不行，查 hotline.key 是不是原来那一份。"
        case Login.NOBODY:
            said = f"Asterisk 在运行，但管理接口 {where} 没有人在听。来电照常接听，后台服务却管不了它。"
            mend = "查 asterisk.ami_port 是否被别的程序占了，再 hotline pbx apply。"
        case Login.SILENT:
            said = f"Asterisk 在运行，但管理接口 {where} 连得上却不应答：它僵住了，或中间的网络断了。"
            mend = "马上打一通本线：有人接，就等没有通话时再重启 Asterisk；没人接，立刻重启。"
        case never:
            assert_never(never)
    return bad("pbx", said + mend)
