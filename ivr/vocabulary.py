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
#: Queues.
QUEUES = frozenset({"hotline"})
#: What numbers left by key can be.
KEEPS = frozenset({"number", "code"})
#: Sets of prompts. What stands behind `_` falls back to what stands before it.
LANGUAGES = frozenset({"zh", "zh_slow", "zh_wx", "en"})

#: Words that tell a relative what a call is about (R24). The neutral name of the line,
#: 职工服务热线, is none of them.
PURPOSE_WORDS = ("心理", "困难", "帮扶", "回访", "咨询", "危机", "情绪", "12356")
#: Counsellors and their line screen and advise, they do not diagnose (R16; Mental Health Law art. 23).
DIAGNOSTIC_WORDS = ("诊断", "确诊", "患有", "病人", "抑郁症", "焦虑症")
#: An honest last message names all of these (R5).
HONEST_NUMBERS = ("12356", "110", "120")
#: Where nothing may be disclosed, the honest message names these.
NEUTRAL_NUMBERS = ("110", "120")
#: A blind transfer says that this may not come along.
NUMBER_WORD = "号码"
