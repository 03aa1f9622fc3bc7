"""A flow's events and effects in Chinese, for whoever plays a flow in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from ivr.acts import (
    Answered,
    Ask,
    Capped,
    Climb,
    EarlyKey,
    Effect,
    Event,
    Failed,
    Found,
    HangUp,
    Held,
    HungUp,
    Join,
    Kept,
    Key,
    Left,
    Listen,
    Look,
    Pause,
    Play,
    PlayPiece,
    Pressed,
    Promised,
    Put,
    Question,
    Recorded,
    RecordMessage,
    Resume,
    RingOwner,
    Scored,
    Silence,
    Speak,
    Totalled,
)
from ivr.flow import Enqueue, Flow, Questionnaire
from ivr.hearing import Texts

#: What a line begins with, and its text.
Line = tuple[str, str]


def lines_of(effect: Effect, texts: Texts) -> Iterator[Line]:
    """Yield what an effect is to whoever watches: at most one mark of one character a line."""
    match effect:
        case Ask() | Play() | Put():
            yield from (("听", heard(prompt, texts)) for prompt in effect.prompts)
        case PlayPiece() | Resume():
            yield "听" if isinstance(effect, PlayPiece) else "续", heard(effect.piece, texts)
        case _:
            pass
    if told := _told(effect):
        yield told


def heard(prompt: str, texts: Texts) -> str:
    """Return a prompt's words."""
    return texts(prompt) or f"〔提示音 {prompt} 还没有文字〕"


def _told(effect: Effect) -> Line | None:
    """Return what is said of an effect beside its prompts."""
    match effect:
        case Ask(timeout=wait):
            return "等", f"按键，最多 {seconds(wait)}"
        case Listen(timeout=wait):
            return "等", f"下一位数字，最多 {seconds(wait)}；# 结束"
        case Pause(timeout=wait):
            return "停", f"已暂停，最多 {seconds(wait)}"
        case RecordMessage(longest=longest):
            return "录", f"开始录音，最多 {seconds(longest)}；# 结束"
        case Speak(language=language):
            return "换", f"提示音改用 {language}"
        case HangUp():
            return "完", "线路挂断"
        case _:
            return _rung(effect) or _written(effect)


def _rung(effect: Effect) -> Line | None:
    match effect:
        case Held(hold=hold):
            return "找", f"按 {hold} 找人，数字不写下"
        case Join(queue=queue, priority=priority, keys=keys, cap=cap):
            ranked = f"，优先 {priority}" if priority else ""
            offered = f"，可按 {' '.join(keys)}" if keys else ""
            return "呼", f"在 {queue} 排队{ranked}{offered}" + (f"，最多 {seconds(cap)}" if cap else "")
        case RingOwner():
            return "呼", "负责此人的咨询员"
        case Climb():
            return "呼", "依次呼叫备班人员"
        case Put(destination=destination, warm=warm):
            return "呼", f"转接到 {destination}" + ("（先由对方按键接受）" if warm else "")
        case _:
            return None


def _written(effect: Effect) -> Line | None:
    match effect:
        case Pressed(key=key):
            return "记", f"按键 {key}"
        case Kept(keep=keep, digits=digits):
            return "记", f"{keep} = {digits}"
        case Scored(item=item, score=score):
            return "记", f"{item} 得 {score} 分"
        case Totalled(score=score):
            return "记", f"合计 {score} 分"
        case Recorded(outcome=outcome):
            return "记", f"结果 {outcome}"
        case Promised(kind=kind):
            return "记", f"承诺 {kind}"
        case Left(node=node):
            return "记", f"在 {node} 挂机"
        case _:
            return None


def seconds(length: timedelta) -> str:
    """Return a wait as people say it."""
    return f"{length.total_seconds():g} 秒"


def question(look: Look) -> str:
    """Return what the flow asks, as a question that yes or no answers."""
    match look.question:
        case Question.HOURS:
            return f"现在在 {look.of} 的服务时间内吗？"
        case Question.FREE:
            return f"{look.of} 队列现在有人空闲吗？"
        case Question.FACT if look.of == "number":
            return "来电显示了号码吗？"
        case Question.FACT:
            return f"事先知道此人 {look.of} 吗？"
        case Question.EXPECTED:
            return f"档案里有此人的 {look.of} 吗？"
        case Question.MATCHES:
            return f"输入的 {look.of} 对吗？"


def said(event: Event) -> str:
    """Return what happened."""
    match event:
        case Key(key):
            return f"按 {key}"
        case EarlyKey(key):
            return f"接通瞬间误按 {key}"
        case Found(yes):
            return "是" if yes else "否"
        case _:
            return _WORDS[type(event)]


_WORDS: dict[type[Event], str] = {
    Silence: "（不出声，不按键）",
    HungUp: "挂机",
    Answered: "有人接听，通话已结束",
    Failed: "没有人接",
    Capped: "等满了最长时间",
}


def offers(flow: Flow, name: str) -> tuple[str, ...]:
    """Return the keys that lead on from a node, such as `1 dialect`."""
    node = flow.nodes[name]
    keys = [f"{way.by[4:]} {way.target}" for way in flow.ways(name) if way.by.startswith("key ")]
    if isinstance(node, Questionnaire):
        keys = [f"{key} 得 {score} 分" for key, score in node.answers.items()] + keys
    return tuple(keys)


def takes_luck(flow: Flow, name: str) -> tuple[str, ...]:
    """Return the letters by which whoever plays decides what becomes of people who are rung."""
    return ("a 接听", "f 没人接", *(("c 等满",) if isinstance(flow.nodes[name], Enqueue) else ()))
