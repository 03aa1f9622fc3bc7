"""Who takes part in the rehearsal. Every name and number is made up."""

from __future__ import annotations

from datetime import timedelta

from callcenter.demo.sipp import NO_ANSWER, VOICEMAIL, Answer, Behaviour, presses

SECOND = timedelta(seconds=1)

PUBLIC_NUMBER = "4000850966"
#: Duty mobile of the supervisor: the escalation chain rings it when nobody is at the line.
DUTY_MOBILE = "13900000001"
#: The same supervisor's other mobile, switched off: a voicemail answers.
VOICEMAIL_MOBILE = "13900000002"
#: Where alarms ring.
ALARM_MOBILE = "13900000003"

FINE, CALL_BACK, AWAY, NO_CONSENT = "13700000001", "13700000002", "13700000003", "13700000004"

#: The register the clerk hands over: a CSV with the headings such lists have.
REGISTER = f"""\
档案编号,姓名,联系电话,困难类别,档案状态,建档日期,区县,工会,联系人,同意自动回访,同意日期
WX-2026-0001,沈建国,{FINE},深度困难,在档,2026-01-05,梁溪区,示例一厂工会,李干事,是,2026-01-05
WX-2026-0002,钱秀英,{CALL_BACK},相对困难,在档,2026-01-06,惠山区,示例二厂工会,王干事,是,2026-01-06
WX-2026-0003,周伟,{AWAY},意外致困,在档,2026-01-07,滨湖区,示例三厂工会,李干事,是,2026-01-07
WX-2026-0004,吴桂芳,{NO_CONSENT},深度困难,在档,2026-01-08,锡山区,示例四厂工会,王干事,否,
"""

#: What each number behind the trunk does. Keys count from the answer.
CARRIER: dict[str, Behaviour] = {
    DUTY_MOBILE: Answer(after=SECOND, keys=presses("1@3")),
    VOICEMAIL_MOBILE: VOICEMAIL,
    ALARM_MOBILE: Answer(after=SECOND, keys=presses("1@8"), talk=12 * SECOND),
    FINE: Answer(after=SECOND, keys=presses("1@9 1@16")),
    CALL_BACK: Answer(after=SECOND, keys=presses("1@9 2@16")),
    AWAY: NO_ANSWER,
    NO_CONSENT: Answer(after=SECOND),
    # The line calling itself: the stage then brings the call back, as a carrier does.
    PUBLIC_NUMBER: Answer(after=5 * SECOND),
}
