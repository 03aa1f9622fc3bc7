"""What the queue's screen shows, and what a key does to it. Values only: no terminal, no store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class Shelf(StrEnum):
    """Which debts are listed; `f` goes from one to the next."""

    DUE = "due"
    TODAY = "today"
    MINE = "mine"
    ALL = "all"


class Mode(StrEnum):
    """What fills the screen."""

    LIST = "list"
    #: One debt: why it is owed, what was tried, what was done.
    DETAIL = "detail"
    HELP = "help"


class Verb(StrEnum):
    """What somebody can have done with the debt under the cursor."""

    CLAIM = "claim"
    RELEASE = "release"
    DIAL = "dial"
    OUTCOME = "outcome"
    DONE = "done"
    SNOOZE = "snooze"
    WAKE = "wake"
    ESCALATE = "escalate"
    ASSIGN = "assign"
    DECIDE = "decide"
    WAIVE = "waive"


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One debt as the list shows it: masked."""

    id: str
    level: str = ""
    kind: str
    who: str
    due: str
    overdue: str = ""
    owner: str = ""
    #: Tries, marks, what holds it up: cut at the line's end, and whole below the list.
    short: str = ""
    phone: str = ""
    #: What has to be known before anybody dials.
    remark: str = ""
    #: One sign before it: `!` urgent or handed up, `?` in doubt, `z` put off.
    sign: str = " "


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One thing an act asks for, in a line at the bottom."""

    text: str
    #: What may be answered, by number: the answer itself and how it is called.
    choices: tuple[tuple[str, str], ...] = ()
    #: An empty answer is one too.
    may_be_empty: bool = False
    #: Only `y` goes on.
    is_confirmation: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """An act under way: what is asked, and what was answered so far."""

    verb: Verb
    obligation: str
    questions: tuple[Question, ...]
    answers: tuple[str, ...] = ()

    @property
    def question(self) -> Question:
        """Return what is asked now."""
        return self.questions[len(self.answers)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """Read the list again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Explain:
    """Read one debt's whole chain of reasons."""

    obligation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """Have something done with a debt."""

    verb: Verb
    obligation: str
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Leave:
    """Close the screen."""


Effect = Load | Explain | Act | Leave


@dataclass(frozen=True, kw_only=True, slots=True)
class Screen:
    """Everything that is shown."""

    items: tuple[Item, ...] = ()
    #: How many more stand behind the last item.
    more: int = 0
    cursor: int = 0
    shelf: Shelf = Shelf.TODAY
    mode: Mode = Mode.LIST
    #: Whose detail is shown: acts are about it, wherever the list has moved meanwhile.
    reading: Item | None = None
    #: Lines of a detail or of the help, unfolded, and how many of the folded ones are above the screen.
    lines: tuple[str, ...] = ()
    above: int = 0
    asking: Asking | None = None
    #: What was said last: that something was done, or why not.
    message: str = ""
    #: Who looks, and the state of the dialler, for the title.
    actor: str = ""
    dialler: str = ""
    clock: str = ""

    @property
    def here(self) -> Item | None:
        """Return the debt that is read, or the one under the cursor."""
        if self.mode is Mode.DETAIL:
            return self.reading
        return self.items[self.cursor] if self.items else None


_YES = Question(text="", is_confirmation=True)
_REASON = Question(text="理由")
#: What each act asks. Choices of results and decisions are put in by `with_choices`.
_QUESTIONS: Mapping[Verb, tuple[Question, ...]] = {
    Verb.CLAIM: (),
    Verb.RELEASE: (),
    Verb.WAKE: (),
    Verb.DIAL: (replace(_YES, text="先振您的话机，接起后再拨对方。现在拨吗？(y/n)"),),
    Verb.OUTCOME: (Question(text="听到什么"), Question(text="补充（可空）", may_be_empty=True)),
    Verb.DONE: (Question(text="凭据：通话编号，或「走访」加走访编号"),),
    Verb.SNOOZE: (Question(text="推迟到（如 +2h、15:30、2026-12-01 09:00）"), _REASON),
    Verb.ESCALATE: (_REASON,),
    Verb.ASSIGN: (Question(text="交给谁（人员代码）"), _REASON),
    Verb.DECIDE: (Question(text="决定"), _REASON),
    Verb.WAIVE: (_REASON, replace(_YES, text="免除这一件吗？有危险的人还要另一位督导同意。(y/n)")),
}
_ACTS: Mapping[str, Verb] = {
    "c": Verb.CLAIM,
    "u": Verb.RELEASE,
    "d": Verb.DIAL,
    "o": Verb.OUTCOME,
    "v": Verb.DONE,
    "s": Verb.SNOOZE,
    "n": Verb.WAKE,
    "e": Verb.ESCALATE,
    "a": Verb.ASSIGN,
    "x": Verb.DECIDE,
    "w": Verb.WAIVE,
}

Choices = Mapping[Verb, tuple[tuple[str, str], ...]]


def press(screen: Screen, key: str, *, page: int, choices: Choices) -> tuple[Screen, Effect | None]:
    """Return the screen after a key, and what is to be done. `page`: lines of the list that fit.

    A key nobody knows changes nothing. While something is asked keys are answers (`answer`, `cancel`).
    """
    if screen.asking is not None:
        return screen, None
    if key in _ACTS:
        return _begin(screen, _ACTS[key], choices)
    do = _KEYS.get(key)
    return do(screen, page) if do else (screen, None)


def answer(screen: Screen, text: str) -> tuple[Screen, Effect | None]:
    """Return the screen after an answer: the next question, or the act."""
    asking = screen.asking
    if asking is None:
        return screen, None
    given = _understood(asking.question, text.strip())
    if given is None:
        return replace(screen, message=_again(asking.question)), None
    if asking.question.is_confirmation and given != "y":
        return cancel(screen), None
    answered = replace(asking, answers=(*asking.answers, given))
    if len(answered.answers) < len(answered.questions):
        return replace(screen, asking=answered, message=""), None
    done = Act(verb=asking.verb, obligation=asking.obligation, answers=answered.answers)
    return replace(screen, asking=None, message="……"), done


def cancel(screen: Screen) -> Screen:
    """Return the screen after somebody thought better of it: nothing was done."""
    return replace(screen, asking=None, message="没有改动。" if screen.asking else screen.message)


def loaded(
    screen: Screen,
    items: tuple[Item, ...],
    *,
    more: int,
    clock: str,
    dialler: str,
    shelf: Shelf | None = None,
) -> Screen:
    """Return the screen with a fresh list; the cursor stays on its debt, or at its place.

    `shelf`: from which it was read. One that is not shown any more changes nothing.
    """
    if shelf not in {None, screen.shelf}:
        return screen
    before = screen.items[screen.cursor] if screen.items else None
    places = [place for place, item in enumerate(items) if before is not None and item.id == before.id]
    cursor = places[0] if places else min(screen.cursor, max(0, len(items) - 1))
    return replace(screen, items=items, more=more, cursor=cursor, clock=clock, dialler=dialler)


def explained(screen: Screen, obligation: str, lines: tuple[str, ...]) -> Screen:
    """Return the screen showing one debt's reasons, if that is still what is looked at."""
    here = screen.here
    if here is None or here.id != obligation:
        return screen
    return replace(screen, mode=Mode.DETAIL, reading=here, lines=lines, above=0, message="")


def _begin(screen: Screen, verb: Verb, choices: Choices) -> tuple[Screen, Effect | None]:
    here = screen.here
    if here is None or screen.mode is Mode.HELP:
        return screen, None
    questions = _QUESTIONS[verb]
    if not questions:
        return replace(screen, message="……"), Act(verb=verb, obligation=here.id)
    if verb in choices:
        questions = (replace(questions[0], choices=choices[verb]), *questions[1:])
    return replace(
        screen, asking=Asking(verb=verb, obligation=here.id, questions=questions), message=""
    ), None


def _understood(question: Question, text: str) -> str | None:
    """Return what an answer means, or None if it means nothing."""
    if question.is_confirmation:
        return text.lower() or None
    if question.choices:
        known = [value for value, _ in question.choices]
        if text.isascii() and text.isdigit() and 1 <= int(text) <= len(known):
            return known[int(text) - 1]
        return text if text in known else None
    return text if text or question.may_be_empty else None


def _again(question: Question) -> str:
    if question.is_confirmation:
        return "请按 y 或 n。"
    return f"请写 1 至 {len(question.choices)} 的数字。" if question.choices else "不能空着；按 Esc 放弃。"


def _move(by: Callable[[Screen, int], int]) -> Callable[[Screen, int], tuple[Screen, Effect | None]]:
    """Return a key that moves the cursor, or scrolls what is read."""

    def moved(screen: Screen, page: int) -> tuple[Screen, Effect | None]:
        step = by(screen, page)
        if screen.mode is not Mode.LIST:
            return replace(screen, above=max(0, screen.above + step)), None
        last = max(0, len(screen.items) - 1)
        return replace(screen, cursor=min(max(0, screen.cursor + step), last), message=""), None

    return moved


def _open(screen: Screen, page: int) -> tuple[Screen, Effect | None]:
    here = screen.here
    if screen.mode is not Mode.LIST or here is None:
        return _back(screen, page)
    return screen, Explain(obligation=here.id)


def _back(screen: Screen, page: int) -> tuple[Screen, Effect | None]:
    return replace(screen, mode=Mode.LIST, reading=None, above=0, message=""), None


def _next_shelf(screen: Screen, page: int) -> tuple[Screen, Effect | None]:
    shelves = list(Shelf)
    shelf = shelves[(shelves.index(screen.shelf) + 1) % len(shelves)]
    empty = replace(screen, items=(), more=0, cursor=0, mode=Mode.LIST, reading=None)
    return replace(empty, shelf=shelf, message="……"), Load()


def _help(screen: Screen, page: int) -> tuple[Screen, Effect | None]:
    return replace(screen, mode=Mode.HELP, lines=HELP, above=0, message=""), None


def _quit(screen: Screen, page: int) -> tuple[Screen, Effect | None]:
    return (screen, Leave()) if screen.mode is Mode.LIST else _back(screen, page)


HELP = (
    "j k ↓ ↑  上下移动　　　　空格 b  翻页　　　　g G  到头、到尾",
    "回车  看这一件：为何欠着、试过什么、谁做过什么；再按回车或 q 返回",
    "f  换一栏：今天、已到期、由我负责、全部　　　　r  重新读取",
    "",
    "c  认领　　u  放回　　a  转交给别人（督导）",
    "d  拨打：先振您的话机，接起后再拨对方",
    "o  登记听到的结果（没有谈成的）　　v  凭通话或走访登记完成",
    "s  推迟，要写理由，有上限　　n  提前拿回来办",
    "e  上报督导　　x  联系不上怎么办（高危，督导决定）",
    "w  免除，要写理由（督导；有危险的人要两位）",
    "",
    "行首：! 紧急或已上报　? 结果不明，先核实　z 推迟中",
    "每一步都会留痕。姓名和号码已遮盖；要看明文用 hotline people reveal。",
    "有危险的人走访后登记要写的多，请用 hotline queue done --visit。",
    "q  返回、离开",
)
_KEYS: Mapping[str, Callable[[Screen, int], tuple[Screen, Effect | None]]] = {
    **dict.fromkeys(("j", "down"), _move(lambda screen, page: 1)),
    **dict.fromkeys(("k", "up"), _move(lambda screen, page: -1)),
    **dict.fromkeys((" ", "pagedown"), _move(lambda screen, page: page)),
    **dict.fromkeys(("b", "pageup"), _move(lambda screen, page: -page)),
    **dict.fromkeys(("g", "home"), _move(lambda screen, page: -(screen.cursor + screen.above))),
    **dict.fromkeys(("G", "end"), _move(lambda screen, page: len(screen.items) + 10 * len(screen.lines))),
    "enter": _open,
    "f": _next_shelf,
    "r": lambda screen, page: (replace(screen, message="……"), Load()),
    "?": _help,
    "q": _quit,
    "escape": _back,
}
