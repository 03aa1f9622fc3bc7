"""Chinese names of closed lists, said the same everywhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import assert_never

from callcenter.domain.alarms import AlarmKind
from callcenter.domain.calls import Outcome
from callcenter.domain.cases import CASE_WORDS as CASE_WORDS
from callcenter.domain.cases import RESCUE_WORDS as RESCUE_WORDS
from callcenter.domain.ledger import DebtAct, Decision, Plan, PlanKind
from callcenter.domain.levels import LEVEL_WORDS as LEVEL_WORDS
from callcenter.domain.listening import ListenMode
from callcenter.domain.people import ConsentKind, PhoneStatus, SuppressionKind
from scheduler.obligations import Attempt, Doubt, Kind, Mode, Result
from scheduler.stages import Progress, Stage, stage_of

OUTCOMES = {
    Outcome.ANSWERED: "已接听",
    Outcome.ABANDONED: "等待时挂断",
    Outcome.OVERFLOWED: "无人接听,已告知其他热线",
    Outcome.PROMISED: "已承诺回电",
    Outcome.SYSTEM_FAILURE: "系统故障中断",
    Outcome.LEFT_IN_GREETING: "问候语时离开",
    Outcome.BLOCKED: "号码暂停接入,已告知其他热线",
    Outcome.OUTBOUND: "去电",
    Outcome.INTERNAL: "内部",
    Outcome.OPEN: "进行中",
}

ALARMS = {
    AlarmKind.NOBODY_ON_DUTY: "无人值守",
    AlarmKind.TRUNK_DOWN: "外线不通",
    AlarmKind.JOURNAL_STALLED: "话务日志停滞",
    AlarmKind.JOURNAL_UNREADABLE: "话务日志有读不懂的行",
    AlarmKind.BRIDGE_DISCONNECTED: "与电话系统断开",
    AlarmKind.SELF_DIAL_FAILED: "每日自拨失败",
    AlarmKind.NO_CALLER_ID: "来电不带号码",
    AlarmKind.RISK_UNACKNOWLEDGED: "高危个案待督导确认",
    AlarmKind.RISK_OVERDUE: "高危随访逾期",
    AlarmKind.RECORD_MISSING: "接访记录过了一天没有写",
    AlarmKind.CRISIS: "通话中有人处境危险,请求督导",
    AlarmKind.LATE_FOR_DUTY: "到班时间未签到",
    AlarmKind.HANDOVER_OPEN: "交接还没有人接下",
    AlarmKind.DIALLER_STOPPED: "外呼线路连续故障，自动拨打已停",
    AlarmKind.DEBT_STARVED: "有回访因线路一直被占用而逾期",
    AlarmKind.STORE_AWAY: "数据库用不了，记录在等待入库",
    AlarmKind.DISK_FILLING: "磁盘快满",
    AlarmKind.WATCHDOG: "后台程序没有动静",
    AlarmKind.TEST: "告警演练",
}

#: How far a supervisor comes in on somebody's call.
LISTEN_WORDS = {ListenMode.LISTEN: "听线", ListenMode.WHISPER: "耳语", ListenMode.BARGE: "三方通话"}

#: By whom a caller would rather be answered (`callcenter.domain.privacy.Wish`).
WISH_WORDS = {"": "", "woman": "希望由女性接听", "man": "希望由男性接听"}

RESULT_WORDS: dict[Result, str] = {
    Result.REACHED_SELF_HUMAN: "已与本人通话",
    Result.REACHED_SELF_IVR_OK: "本人按键：一切都好",
    Result.REACHED_SELF_CALLBACK: "本人要求回电",
    Result.REACHED_SELF_TRANSFER: "本人要求转人工",
    Result.OPTED_OUT: "本人不再接自动电话",
    Result.PHONE_REFUSED: "该号码拒绝来电",
    Result.REACHED_SELF_NO_KEY: "本人未作回答",
    Result.REACHED_OTHER: "他人接听",
    Result.WRONG_PERSON: "打错了",
    Result.IDENTITY_FAILED: "未确认本人",
    Result.NO_ANSWER: "无人接听",
    Result.BUSY: "占线",
    Result.DECLINED: "对方拒接",
    Result.POWERED_OFF: "关机",
    Result.OUT_OF_AREA: "不在服务区",
    Result.SUSPENDED: "停机",
    Result.VACANT: "空号",
    Result.ASSISTANT_OR_VOICEMAIL: "语音信箱或助理",
    Result.NETWORK_CONGESTION: "网络拥塞",
    Result.OWN_FAULT: "我方故障",
    Result.BLOCKED_BY_RULE: "规则不许",
    Result.UNKNOWN: "结果不明",
}
#: Beside a result: the network played something before anybody answered, and a machine does not listen.
PLAYED_WORDS = "有提示音"
#: What a flow noted about a call, beside results of attempts.
FLOW_WORDS = {
    "blocked": "号码暂停接入,已告知其他热线",
    "overflowed": "无人接听，已告知其他热线",
    "screening_done": "问卷已答完",
    "screening_refer": "问卷已答完，建议与人谈谈",
    "screening_unfinished": "问卷没有答完",
    "screening_urgent": "问卷里有轻生念头一项",
    "silent_caller": "沉默来电",
    "silent_in_danger": "不能说话，按键表示处境危险",
}
#: Why somebody has to be heard at once. For those in danger a ringing telephone may be a danger too.
URGENT_WORDS = {
    "screening_urgent": "问卷里有轻生念头一项",
    "silent_in_danger": "来电人不能说话，按键表示处境危险。回电可能给对方带来危险，先由督导判断",
}
#: Who asked so was afraid of who else picks up: a human decides whether to dial at all.
ELSEWHERE_WORDS = "来电者要求改打别的号码，但没有留下"
KIND_WORDS = {
    Kind.HARDSHIP: "困难回访",
    Kind.CALLBACK: "承诺回电",
    Kind.APPOINTMENT: "预约咨询",
    Kind.TALK: "讲座报名",
    Kind.MESSAGE: "电话留言",
    Kind.HIGH_RISK: "高危随访",
    Kind.MID_RISK: "中危随访",
    Kind.FOLLOW_UP: "约定随访",
    Kind.PLANNED: "计划联系",
    Kind.MISSED_CALL: "未接回电",
    Kind.VISIT: "上门走访",
    Kind.VERIFY: "人工核实",
}
PLAN_WORDS = {PlanKind.HOSPITAL_DAY: "就诊", PlanKind.COUNSELLING: "咨询会谈", PlanKind.OTHER: "其他"}


#: How far a call of ours has come that has no result yet.
STAGE_WORDS = {
    Stage.WRITTEN: "还不知道拨出没有",
    Stage.PLACED: "已下令拨打",
    Stage.RINGING: "正在振铃",
    Stage.ANSWERED: "正在通话",
}


def attempt_words(attempt: Attempt, progress: Progress = Progress.NONE) -> str:
    """Say how an attempt ended, as far as anybody knows; before that, how far it has come."""
    if attempt.result is None:
        return STAGE_WORDS[stage_of(attempt, progress)]
    said = RESULT_WORDS[attempt.result]
    return f"{said}（{PLAYED_WORDS}）" if attempt.may_be_heard else said


def doubt_words(attempt: Attempt, wall: Callable[[datetime], str]) -> str:
    """Say in one sentence what is known of a call whose end is not; empty of any other."""
    if stage_of(attempt) is not Stage.IN_DOUBT:
        return ""
    taken = f"，{wall(attempt.placed_at)} 电话系统已接受" if attempt.placed_at else "，没有等到电话系统的答复"
    since = attempt.pbx_since
    # The telephone system tells whole seconds.
    restarted = since is not None and since >= attempt.at.replace(microsecond=0)
    parts = (
        f"{wall(attempt.at)} 下令拨打{taken}",
        f"{wall(since)} 电话系统重新启动过" if since is not None and restarted else "",
        _doubt_told(attempt, wall),
    )
    return f"为何不明：{'；'.join(filter(None, parts))}。"


def _doubt_told(attempt: Attempt, wall: Callable[[datetime], str]) -> str:
    until = f"到 {wall(attempt.read_to)} 为止" if attempt.read_to else "到现在"
    match attempt.doubt:
        case Doubt.SILENT:
            return f"话务日志从那时{until}没有这通电话，不能断定对方的电话响过没有"
        case Doubt.UNENDED:
            return f"话务日志里有它的开头，{until}没有结尾，而电话系统里已没有这通电话"
        case Doubt.UNREAD:
            return "电话系统里没有这通电话，话务日志又一直没有读到，读到后会自动补上结果"
        case Doubt.TORN:
            last = f"，最后的动静在 {wall(attempt.settled_at)}" if attempt.settled_at else ""
            return f"通话还没有结束，电话系统就停了{last}"
        case None:
            return "没有留下记录，不能断定对方的电话响过没有"
        case never:
            assert_never(never)


def rhythm_words(plan: Plan) -> str:
    """Return how often a plan calls for a contact."""
    if plan.every_months is not None:
        return f"每 {plan.every_months} 个月一次"
    return f"每 {plan.every_days} 天一次"


#: Units of a step after a call.
_UNITS = {"h": "小时", "d": "天", "mo": "个月"}
_STEP = re.compile(r"([0-9]+)(h|d|mo)")


def step_words(step: str) -> str:
    """Return a step of a case in words: `24h` -> `24小时后的随访`."""
    if found := _STEP.fullmatch(step):
        # Hours of the same day mean "within": owed at once.
        when = "内" if found[2] == "h" and int(found[1]) < 24 else "后"
        return f"{found[1]}{_UNITS[found[2]]}{when}的随访"
    return "约定的随访" if step == "agreed" else "没有作出结论前的每月随访"


EVENT_WORDS = {
    "opened": "建立",
    "level": "级别",
    "state": "状态",
    "owner": "负责人",
    "acknowledged": "督导确认",
    "unacknowledged": "待督导重新确认",
    "proposed": "提议",
    "withdrawn": "撤回提议",
    "tried": "电话以外的尝试",
    "contact": "完成一次随访",
    "closed": "结案",
    "reopened": "重开",
}
#: What people did with a debt, and what a supervisor decided (R26).
ACT_WORDS = {
    DebtAct.CLAIMED: "认领",
    DebtAct.RELEASED: "放回",
    DebtAct.ASSIGNED: "转交",
    DebtAct.SNOOZED: "推迟",
    DebtAct.WOKEN: "提前再办",
    DebtAct.ESCALATED: "上报督导",
    DebtAct.WAIVER_ASKED: "申请免除",
    DebtAct.WAIVER_REFUSED: "没有同意免除",
    DebtAct.WAIVED: "免除",
    DebtAct.OUTCOME: "登记结果",
    DebtAct.DECIDED: "督导决定",
    DebtAct.OVERRIDDEN: "破例拨打",
    DebtAct.CLOSED: "结束",
}
DECISION_WORDS = {
    Decision.OTHER_PHONE: "打别的号码",
    Decision.CONTACT_PERSON: "找紧急联系人",
    Decision.HOME_VISIT: "上门",
    Decision.WELFARE_CHECK: "请 110 上门查看",
}
MODE_WORDS = {Mode.IVR_OK: "自动或人工", Mode.HUMAN_ONLY: "人工"}

PHONE_WORDS = {
    PhoneStatus.OK: "可用",
    PhoneStatus.VACANT: "空号",
    PhoneStatus.SUSPENDED: "停机",
    PhoneStatus.WRONG: "打错了,不再拨打",
    PhoneStatus.QUARANTINED: "停拨,待人工核实",
    PhoneStatus.CHANGED: "已换号,不再拨打",
}
CONSENT_WORDS = {
    ConsentKind.IVR_CHECKIN: "自动回访",
    ConsentKind.RECORDING: "录音",
    ConsentKind.FOLLOWUP: "事后人工回访",
    ConsentKind.SHARE_12356: "转给12356",
    ConsentKind.SHARE_UNION: "转给工会",
    ConsentKind.EMERGENCY_CONTACT: "紧急联系人",
}
SUPPRESSION_WORDS = {
    SuppressionKind.AUTOMATION: "不接自动电话",
    SuppressionKind.ALL_OUTBOUND: "不接任何来电",
    SuppressionKind.TOPIC: "不接某一类来电",
}
SPEECH_WORDS = {"": "普通话", "zh_wx": "无锡话"}
