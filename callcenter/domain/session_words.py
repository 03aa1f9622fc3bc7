"""The words of the session form that rules look for. Each stands in `callcenter/forms/session.yaml`."""

from __future__ import annotations

#: Kinds of calls in which somebody was counselled.
COUNSELLED = "正常受理"
SERVED = (COUNSELLED, "转12356", "转110/120")
INFORMATION, SILENT, WRONG_NUMBER, HARASSMENT, SHORT = "信息咨询", "沉默", "误拨", "骚扰", "短挂"
#: Kinds that are written in two keystrokes: kind -> why the risk question was not asked (R9). None: that
#: follows from no kind, so whoever listened says it.
QUICK: dict[str, str | None] = {
    WRONG_NUMBER: "非服务来电",
    HARASSMENT: "非服务来电",
    SILENT: None,
    SHORT: "来电者先挂断",
    INFORMATION: "非服务来电",
}

SELF, THIRD_PARTY = "本人", "第三方"
CALLER_TYPES = (SELF, THIRD_PARTY, "未知")

#: The only reasons for not asking (R9). The last one says that nobody was counselled.
NOT_A_SERVICE = "非服务来电"
NOT_ASKED = ("来电者先挂断", "技术中断", NOT_A_SERVICE)

YES, UNCLEAR = "有", "没有说清"
#: What a rating says where nobody was asked: an answer like any other, so that nothing stays open (R9).
NOT_RATED = "没有问到"
RATINGS = tuple(f"{what}_{end}" for what in ("distress", "hope", "intent") for end in ("start", "end"))
SAYS = (YES, "否认", UNCLEAR)
ACTING = ("是", "否")
#: By level, 0 to 4.
LEVELS = ("紧急", "高危", "中危", "一般", "咨询")

DONE = "完成"
#: Referrals about which somebody has still to ask.
OPEN_UPTAKES = ("已建议", "已接受", "已联系", "不明")
UPTAKES = ("已建议", "已接受", "已联系", "已到达", "未到达", "谢绝", "不明")

PLAN_STEPS = ("plan_signs", "plan_coping", "plan_places", "plan_contacts", "plan_services", "plan_means")
CHILD = "不满14岁"
MINORS = (CHILD, "14至17岁")
#: Whose trade-related disorder of mind is on the list of occupational diseases of 2025, after an incident.
EXPOSED_TRADES = ("公安民警", "医疗卫生", "消防应急救援")
