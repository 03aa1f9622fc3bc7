"""Words of diagnosis and treatment, found however they are written (R16; Mental Health Law art. 23).

Those who run a hotline listen, screen and advise to see a doctor; they neither diagnose nor treat. A word
counts wherever it stands: split by blanks or invisible characters, full-width, traditional, spelt out
letter by letter.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

#: What nobody of ours may say of a person, or say that we do. Found as they stand within any text.
_WORDS = (
    # The act.
    *("诊断", "确诊", "疑诊", "初诊", "诊疗", "问诊"),
    # Somebody as the one who has it.
    *("患有", "患上", "罹患", "病人", "患者", "病情", "发病", "犯病", "病史"),
    *("精神病", "心理疾病", "精神疾病"),
    # Names of conditions; what else ends in 症 or 障碍 is found by its ending.
    *("抑郁症", "焦虑症", "强迫症", "恐惧症", "自闭症", "多动症", "失眠症"),
    *("睡眠障碍", "人格障碍", "应激障碍", "精神障碍", "心理障碍", "情感障碍"),
    *("双相", "躁郁", "躁狂", "精神分裂", "神经衰弱", "人格分裂", "精神失常", "疯子"),
    *("抑郁发作", "惊恐发作", "妄想", "幻听", "幻觉"),
    # Treating.
    *("治疗", "疗程", "处方", "开药", "医治", "治愈", "疗效", "用药"),
)
#: 抑郁症, 睡眠障碍; not 症状, 症结, 无障碍.
_ENDINGS = re.compile(r"[\u4e00-\u9fff]{0,3}?(?:(?<![对急])症(?![状结])|(?<!无)障碍)")
#: A degree makes a conclusion of a feeling: 中度抑郁. 抑郁 and 焦虑 alone are what people feel.
_DEGREES = re.compile(r"(?:极重|中重|轻|中|重)度(?:的)?(?:抑郁|焦虑|失眠|躁狂|自闭|应激)")
_ENGLISH = (
    *("diagnose", "diagnosed", "diagnosis", "diagnoses", "diagnostic", "undiagnosed"),
    *("disorder", "disorders", "mental illness", "mentally ill", "patient", "patients"),
    *("bipolar", "schizophrenia", "schizophrenic", "psychosis", "psychotic", "paranoia", "ptsd", "adhd"),
    *("clinical depression", "major depression", "manic", "neurosis", "neurotic"),
    *("treatment", "treatments", "prescription", "prescribe", "prescribed", "psychotherapy", "therapy"),
)
_ENGLISH_DEGREES = tuple(
    f"{degree} {feeling}"
    for degree in ("minimal", "mild", "moderate", "moderately severe", "severe")
    for feeling in ("depression", "depressive", "anxiety", "insomnia")
)
_SPELT = {word.replace(" ", ""): word for word in (*_ENGLISH, *_ENGLISH_DEGREES)}
#: Forms in which the words above are written where simplified characters are not.
_SIMPLE = str.maketrans(
    "診斷確憂鬱慮焦雙強懼處療癥瘋礙躁鬰癒醫幻聽覺開藥",
    "诊断确忧郁虑焦双强惧处疗症疯碍躁郁愈医幻听觉开药",
)
#: Written between the characters of a word to slip by: the word is read all the same.
_BETWEEN = frozenset("·・•‧.-‐‑–—_*~'’|/\\")


def diagnosis_in(text: str) -> tuple[str, ...]:
    """Return the words of diagnosis and treatment in a text, as the list spells them, each once (R16)."""
    plain = _readable(text)
    joined = "".join(c for c in plain if not c.isspace() and c not in _BETWEEN)
    found = [word for word in _WORDS if word in joined]
    found += _DEGREES.findall(joined)
    found += [ending for ending in _ENDINGS.findall(joined) if not any(word in ending for word in found)]
    found += [_SPELT.get(re.sub(r"\s+", "", match), match) for match in _english().findall(plain)]
    return tuple(dict.fromkeys(found))


def _readable(text: str) -> str:
    """Return a text in plain forms: narrow, simplified, small letters, no accents, nothing invisible."""
    wide = unicodedata.normalize("NFKD", text)
    seen = "".join(c for c in wide if unicodedata.category(c) not in {"Cf", "Mn", "Me", "Cn", "Co"})
    return seen.translate(_SIMPLE).casefold()


@cache
def _english() -> re.Pattern[str]:
    """Match the English words, also spelt out: `d i a g n o s i s`; in an id they are no words."""
    spelt = [r"\s*".join(word) for word in sorted(_SPELT, key=len, reverse=True)]
    return re.compile(rf"(?<![a-z_])(?:{'|'.join(spelt)})(?![a-z_])")
