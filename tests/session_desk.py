"""What tests of the session record share: people at the line, calls that were answered, notes as written."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from callcenter.config import Settings
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import Role, User
from callcenter.ports import Store
from callcenter.service.sessions.forms import Desk, desk_of

TALK = timedelta(minutes=48)
#: A record of a worker who cannot sleep and has thoughts, without a plan.
FULL: dict[str, Any] = {
    "kind": "正常受理",
    "caller_type": "本人",
    "subject_name": "沈师傅",
    "gender": "男",
    "age_band": "45至59岁",
    "workplace": "太湖机械厂",
    "occupation": "制造业",
    "codes": ["劳动关系/欠薪", "睡眠"],
    "precipitants": "三个月没有发工资,房贷已经拖了两期。",
    "risk_asked": True,
    "thoughts": "否认",
    "plan_soon": "否认",
    "attempt_lately": "否认",
    "acting": "否",
    "distress_start": 75,
    "distress_end": 50,
    "hope_start": 30,
    "hope_end": 45,
    "intent_start": 0,
    "intent_end": "没有问到",
    "level_given": "一般",
    "facts": "夜里两三点醒,醒了就睡不着。说「我是不是抑郁症了」。\n\n家里两个孩子在上学。",
    "judgement": "压力主要来自欠薪,有家人支持。",
    "actions": [{"text": "下周一去劳动监察大队", "state": "约定", "by": "本人", "when": "下周一"}],
    "referrals": [{"to": "法律援助", "uptake": "已建议"}],
}
#: What turns it into a record of high danger, with everything that is owed then.
DANGER: dict[str, Any] = {
    "thoughts": "有",
    "plan_soon": "有",
    "level_given": "高危",
    "means": "宿舍有农药,答应交给工友老钱。",
    "plan_signs": "一个人在宿舍,手机没电的时候",
    "plan_coping": "下楼走一圈,洗把脸",
    "plan_places": "去老钱屋里坐坐",
    "plan_contacts": "妹妹沈小妹",
    "plan_services": "热线、12356、市精神卫生中心",
    "plan_means": "今晚把农药交给老钱",
}


def staff() -> tuple[User, ...]:
    c, s = frozenset({Role.COUNSELLOR}), frozenset({Role.SUPERVISOR})
    return (
        User(code="c017", name="林晓燕", roles=c),
        User(code="c018", name="顾卫东", roles=c),
        User(code="s001", name="孙立", roles=s),
        User(code="s002", name="钱敏", roles=s | c),
        User(code="k001", name="周文", roles=frozenset({Role.CLERK})),
        User(code="a001", name="吴审", roles=frozenset({Role.AUDITOR})),
        User(code="x001", name="郑理", roles=frozenset({Role.ADMIN})),
        User(code="e001", name="冯工", roles=frozenset({Role.EMPLOYER})),
    )


def answered(
    n: int,
    now: datetime,
    *,
    number: str | None = "13800001111",
    by: str | None = "c017",
    talk: timedelta = TALK,
) -> CallRecord:
    return CallRecord(
        id=f"pbx1-{n}.1",
        direction=Direction.INBOUND,
        outcome=Outcome.ANSWERED,
        number=number,
        started_at=now - talk,
        answered_at=now - talk,
        ended_at=now,
        answered_by=by,
    )


def talked(store: Store, now: datetime, n: int = 1, **changes: Any) -> str:
    """Let a call have been answered, with the people at the line; return its session's id."""
    call = answered(n, now, **changes)
    row = SessionRow(id=f"se-{call.id}", call=call.id, counsellor=call.answered_by, opened_at=call.started_at)
    with store() as work:
        known = {user.code for user in work.users.all()}
        for user in staff():
            if user.code not in known:
                work.users.add(user)
        work.calls.put_many([call])
        work.sessions.open_many([row])
        work.commit()
    return row.id


def desk() -> Desk:
    return desk_of(Settings())
