"""Words on which flows and the call centre around them have agreed.

A misspelt word would not fail while a caller listens, it would only never be true: so `ivr.check` holds
every flow to these.
"""

from __future__ import annotations

#: What the line may know of a person beforehand. `number`: the call brought a caller's number.
FACTS = frozenset({"no_menu", "slow", "dialect", "owed", "high_risk", "number"})
#: Digits by which a person can prove who they are.
EXPECTED = frozenset({"birth_month"})
#: What can be promised; each becomes a task that somebody owns.
PROMISES = frozenset({"callback", "appointment", "talk", "message"})
#: Opening hours.
HOURS = frozenset({"hotline"})
#: Where a caller can be handed over to.
DESTINATIONS = frozenset({"12356", "110", "120"})
#: What a flow may say became of a call: results of our own calls, and what the line is told of callers.
OUTCOMES = frozenset(
    {"reached_self_ivr_ok", "reached_self_callback", "reached_self_transfer", "reached_self_no_key"}
    | {"reached_other", "wrong_person", "identity_failed", "opted_out", "phone_refused"}
    | {"assistant_or_voicemail"}
    | {"overflowed", "silent_caller", "silent_in_danger"}
    | {"screening_done", "screening_refer", "screening_urgent", "screening_unfinished"}
)
#: Items that may never only be added up: the least score that leads to a person at once.
TRIPWIRES = {"phq9_9": 1}
#: Queues.
QUEUES = frozenset({"hotline"})
#: What numbers left by key can be.
KEEPS = frozenset({"number", "code"})
#: What a number that is held but never written can be: it asks for the counsellor whose it is.
HOLDS = frozenset({"code"})
#: Sets of prompts. What stands behind `_` falls back to what stands before it.
LANGUAGES = frozenset({"zh", "zh_slow", "zh_wx", "en"})

#: Words that tell a relative what a call is about (R24). The neutral name of the line,
#: 职工服务热线, is none of them.
PURPOSE_WORDS = (
    *("心理", "困难", "帮扶", "回访", "咨询", "危机", "情绪", "12356"),
    *("自杀", "死掉", "伤害自己", "抑郁", "焦虑", "绝望"),
)
#: Words that promise: they may only follow the promise itself (R4).
PROMISING_WORDS = ("会给您回电", "尽快给您回电", "会再给您打来")
#: An honest last message names all of these (R5).
HONEST_NUMBERS = ("12356", "110", "120")
#: Where nothing may be disclosed, the honest message names these.
NEUTRAL_NUMBERS = ("110", "120")
#: A blind transfer says that this may not come along.
NUMBER_WORD = "号码"
