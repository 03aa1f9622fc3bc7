"""The queue's screen: what keys do, how it looks at any size, and what is done."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from actors import enlist
from hypothesis import given, settings
from hypothesis import strategies as st

from callcenter.bootstrap import App
from callcenter.cli.queue_screen import draw
from callcenter.cli.queue_screen.acts import CHOICES, Desk
from callcenter.cli.queue_screen.model import (
    HELP,
    Act,
    Explain,
    Item,
    Leave,
    Load,
    Mode,
    Screen,
    Shelf,
    Verb,
    answer,
    cancel,
    explained,
    loaded,
    press,
)
from callcenter.config import Settings
from callcenter.domain.columns import width
from callcenter.domain.people import FileStatus, Grade, HardshipFile, Person, Phone
from callcenter.errors import Forbidden, Refused
from callcenter.memory import MemoryStore
from callcenter.service.followup.debts import rules_of, sweep
from callcenter.service.followup.handling import history
from scheduler.cadence import SHANGHAI
from scheduler.obligations import Kind, Obligation, Result
from scheduler.obligations import Mode as Keeping

NOW = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
PAGE = draw.page_of(24)


def item(n: int, **more: object) -> Item:
    plain = Item(id=f"ob-{n:012d}", kind="困难回访", who="沈**", due="11-24 09:00", phone="138****1111")
    return replace(plain, **more)  # type: ignore[arg-type]


def full(count: int = 40) -> Screen:
    return loaded(Screen(actor="s001"), tuple(item(n) for n in range(count)), more=0, clock="", dialler="")


def pressed(screen: Screen, keys: str) -> tuple[Screen, object]:
    effect: object = None
    for key in keys:
        screen, effect = press(screen, key, page=PAGE, choices=CHOICES)
    return screen, effect


# --- keys ----------------------------------------------------------------------------------


def test_the_cursor_moves_by_line_by_page_and_to_both_ends_and_never_beyond() -> None:
    screen = full()
    assert pressed(screen, "jjk")[0].cursor == 1
    assert pressed(screen, " b ")[0].cursor == PAGE
    assert pressed(screen, "Gjj")[0].cursor == 39
    assert pressed(screen, "Ggk")[0].cursor == 0
    assert pressed(Screen(), "jkG gbn")[0].cursor == 0


def test_enter_opens_the_debt_under_the_cursor_and_q_goes_back_before_it_leaves() -> None:
    screen, effect = press(pressed(full(), "j")[0], "enter", page=PAGE, choices=CHOICES)
    assert effect == Explain(obligation=item(1).id)
    screen = explained(screen, item(1).id, ("档案 WX-1",))
    assert screen.mode is Mode.DETAIL
    screen, effect = pressed(screen, "q")
    assert (screen.mode, effect) == (Mode.LIST, None)
    assert pressed(screen, "q")[1] == Leave()


def test_an_act_asks_what_it_needs_and_is_done_with_the_answers() -> None:
    screen, effect = pressed(full(), "js")
    assert (effect, screen.asking and screen.asking.obligation) == (None, item(1).id)
    screen, effect = answer(screen, "+2h")
    assert effect is None
    screen, effect = answer(screen, " 等家属回话 ")
    assert effect == Act(verb=Verb.SNOOZE, obligation=item(1).id, answers=("+2h", "等家属回话"))
    assert screen.asking is None


def test_a_choice_is_made_by_its_number_and_a_wrong_one_is_asked_again() -> None:
    screen = pressed(full(), "o")[0]
    for wrong in ("", "0", "99", "²", "无此项"):
        again, effect = answer(screen, wrong)
        assert effect is None
        assert again.asking == screen.asking
        assert again.message
    chosen = answer(screen, "1")[0]
    assert chosen.asking is not None
    assert chosen.asking.answers == (Result.NO_ANSWER.value,)


def test_only_y_confirms_and_anything_else_changes_nothing() -> None:
    screen = answer(pressed(full(), "w")[0], "电话已停用")[0]
    declined, effect = answer(screen, "n")
    assert (declined.asking, effect) == (None, None)
    assert answer(screen, "y")[1] == Act(verb=Verb.WAIVE, obligation=item(0).id, answers=("电话已停用", "y"))


def test_while_something_is_asked_letters_are_no_commands() -> None:
    asked = pressed(full(), "e")[0]
    assert pressed(asked, "qjcw") == (asked, None)
    assert cancel(asked).asking is None


def test_nothing_can_be_done_where_there_is_no_debt_or_help_is_read() -> None:
    assert pressed(Screen(), "cuosvewaxd")[1] is None
    assert pressed(full(), "?c")[1] is None


def test_a_list_that_was_read_again_keeps_the_cursor_on_its_debt() -> None:
    screen = pressed(full(), "jjj")[0]
    fresh = tuple(item(n) for n in (9, 8, 3, 0))
    assert loaded(screen, fresh, more=0, clock="", dialler="").cursor == 2
    gone = tuple(item(n) for n in (9, 8))
    assert loaded(screen, gone, more=0, clock="", dialler="").cursor == 1
    assert loaded(screen, (), more=0, clock="", dialler="").here is None


def test_whoever_reads_a_debt_acts_on_it_and_on_no_other_that_the_list_moved_there() -> None:
    screen = explained(pressed(full(), "j")[0], item(1).id, ("档案 WX-1",))
    gone = tuple(item(n) for n in (0, 7, 8))
    moved = loaded(screen, gone, more=0, clock="", dialler="")
    assert draw.lines(moved, 80, 24)[0].startswith(item(1).id)
    assert pressed(moved, "c")[1] == Act(verb=Verb.CLAIM, obligation=item(1).id)
    asked = pressed(moved, "e")[0].asking
    assert asked is not None
    assert asked.obligation == item(1).id


def test_reasons_that_come_when_another_debt_is_looked_at_are_not_shown() -> None:
    screen = pressed(full(), "jj")[0]
    assert explained(screen, item(1).id, ("档案 WX-1",)) == screen


def test_a_list_of_a_shelf_that_was_left_is_not_shown_under_another_title() -> None:
    screen = pressed(full(), "f")[0]
    late = loaded(screen, (item(5),), more=0, clock="", dialler="", shelf=Shelf.TODAY)
    assert late.items == ()


def test_f_goes_round_all_shelves() -> None:
    screen, seen = full(), []
    for _ in Shelf:
        screen, effect = pressed(screen, "f")
        assert effect == Load()
        seen.append(screen.shelf)
    assert set(seen) == set(Shelf)


# --- how it looks --------------------------------------------------------------------------

words = st.text(max_size=40)
items = st.lists(
    st.builds(
        Item,
        id=st.integers(0, 99).map(lambda n: f"ob-{n:012d}"),
        level=words,
        kind=words,
        who=words,
        due=words,
        overdue=words,
        owner=words,
        short=words,
        phone=words,
        remark=words,
        sign=st.sampled_from(" !?z"),
    ),
    max_size=40,
)
keys = st.lists(st.sampled_from([*"jkgGbf?cuosvewaxd ", "enter", "escape"]), max_size=12)


@settings(max_examples=60)
@given(items, keys, st.integers(40, 200), st.integers(10, 60), st.lists(words, max_size=8), words)
def test_every_line_is_exactly_as_wide_as_the_screen_whatever_stands_in_it(
    found: list[Item], typed: list[str], columns: int, rows: int, told: list[str], message: str
) -> None:
    screen = loaded(Screen(actor="s001"), tuple(found), more=3, clock="11-24 10:00", dialler="自动拨打:开")
    for key in typed:
        screen, effect = press(screen, key, page=draw.page_of(rows), choices=CHOICES)
        if isinstance(effect, Explain):
            screen = explained(screen, effect.obligation, tuple(told))
    screen = replace(screen, message=message if not screen.asking else "")
    shown = [*draw.lines(screen, columns, rows), draw.bottom(screen, columns)]
    assert {width(line) for line in shown} == {columns}
    assert not {unicodedata.category(sign)[0] for line in shown for sign in line} & {"C", "M"}
    if len(draw.lines(screen, columns, rows)) > rows - 1:
        # Only on a very small screen may answers and a long sentence push the last lines off.
        assert columns < 80 or rows < 24


@settings(max_examples=40)
@given(st.integers(0, 60), st.integers(0, 59))
def test_at_24_by_80_the_debt_under_the_cursor_is_always_in_sight(count: int, steps: int) -> None:
    screen = pressed(full(count), "j" * steps + "o")[0]
    shown = draw.lines(screen, 80, 24)
    assert len(shown) == 23
    assert sum(line.startswith(">") for line in shown) == min(count, 1)


def test_a_sentence_too_long_for_a_line_stands_above_the_keys_whole() -> None:
    long = "已经逾期，不能再推迟：请现在办理，或上报督导（hotline queue escalate）。" * 2
    screen = replace(full(), message=long)
    shown = draw.lines(screen, 80, 24)
    assert draw.bottom(screen, 80).strip() == ""
    assert long in "".join(line.rstrip() for line in shown)


def test_the_help_fits_a_screen_and_names_every_act() -> None:
    screen = pressed(full(), "?")[0]
    shown = "\n".join(draw.lines(screen, 80, 24))
    assert "往下还有" not in shown
    assert all(f"{key}  " in shown for key in "cuadovsnexwfrq")
    assert HELP[-1] in shown


# --- what is done --------------------------------------------------------------------------


@pytest.fixture
def desk() -> Desk:
    """孙立's queue: 沈建国 is owed a check-in, 周秀英 a contact in danger."""
    app = App(settings=Settings())
    store = MemoryStore()
    app.__dict__["store"], app.clock = store, lambda: NOW  # type: ignore[method-assign]
    with store() as work:
        enlist(work)
        for n, name in ((1, "沈建国"), (2, "周秀英")):
            number = Phone(number=f"1380000{n:04d}")
            work.people.add(Person(id=f"p{n}", code=f"P-{n}", name=name, phones=(number,)))
        file = HardshipFile(
            file_no="WX-1", person="p1", grade=Grade.DEEP, status=FileStatus.ACTIVE, since=date(2026, 11, 1)
        )
        work.people.put_file(file)
        sweep(work, NOW - timedelta(days=20), rules=replace(rules_of(app.settings), visit_every=0))
        danger = Obligation(
            id="ob-danger",
            person="p2",
            kind=Kind.HIGH_RISK,
            due_at=NOW - timedelta(hours=5),
            window_end=NOW + timedelta(hours=1),
            mode=Keeping.HUMAN_ONLY,
            priority=1,
            origin="ca-1/se-1/24h",
            detail="case=ca-1&step=24h&level=1",
            created_at=NOW - timedelta(days=1),
        )
        work.debts.add(danger)
        work.commit()
    return Desk(app, "s001")


def test_the_list_is_masked_and_who_is_in_danger_stands_first(desk: Desk) -> None:
    found, more = desk.items(Shelf.ALL)
    assert ([one.who for one in found], more) == (["周**", "沈**"], 0)
    assert (found[0].sign, found[0].kind) == ("!", "高危随访")
    assert "138****0002" in found[0].phone
    assert [one.id for one in desk.items(Shelf.DUE)[0]] == ["ob-danger"]


def test_what_is_done_on_the_screen_is_on_record_as_by_the_plain_commands(desk: Desk) -> None:
    danger = "ob-danger"
    assert "由您负责" in desk.do(Act(verb=Verb.CLAIM, obligation=danger))
    assert [one.id for one in desk.items(Shelf.MINE)[0]] == [danger]
    desk.do(Act(verb=Verb.OUTCOME, obligation=danger, answers=("no_answer", "响了很久")))
    desk.do(Act(verb=Verb.DECIDE, obligation=danger, answers=("home_visit", "两次无人接听")))
    desk.do(Act(verb=Verb.ESCALATE, obligation=danger, answers=("请带班督导一起看",)))
    desk.do(Act(verb=Verb.RELEASE, obligation=danger))
    with desk.app.store() as work:
        acts = [event.act.value for event in history(work, danger)]
        assert [attempt.result for attempt in work.debts.attempts(danger)] == [Result.NO_ANSWER]
    assert acts == ["claimed", "outcome", "decided", "escalated", "released"]
    told = "\n".join(desk.explain(danger))
    assert "响了很久" in told
    assert "周秀英" not in told


def test_what_is_mine_is_found_however_much_stands_before_it(desk: Desk) -> None:
    with desk.app.store() as work:
        for n in range(300):
            number = Phone(number=f"1390000{n:04d}")
            work.people.add(Person(id=f"q{n}", code=f"Q-{n}", name="吴明", phones=(number,)))
            promise = Obligation(
                id=f"ob-{n}",
                person=f"q{n}",
                kind=Kind.CALLBACK,
                due_at=NOW - timedelta(hours=2),
                window_end=NOW + timedelta(minutes=n),
                mode=Keeping.HUMAN_ONLY,
                origin=f"c-{n}",
                created_at=NOW - timedelta(hours=2),
            )
            work.debts.add(promise)
        work.commit()
    desk.do(Act(verb=Verb.CLAIM, obligation="ob-299"))
    assert [one.id for one in desk.items(Shelf.MINE)[0]] == ["ob-299"]
    assert desk.items(Shelf.MINE)[1] == 0
    assert Desk(desk.app, "c017").items(Shelf.MINE) == ((), 0)


def test_a_snooze_has_its_ceiling_here_too(desk: Desk) -> None:
    with pytest.raises(Refused, match="4 小时"):
        desk.do(Act(verb=Verb.SNOOZE, obligation="ob-danger", answers=("+9h", "等家属回话")))
    assert "11-24 12:00" in desk.do(
        Act(verb=Verb.SNOOZE, obligation="ob-danger", answers=("12:00", "等家属回话"))
    )
    assert desk.items(Shelf.ALL)[0][-1].sign == "z"
    desk.do(Act(verb=Verb.WAKE, obligation="ob-danger"))
    assert desk.items(Shelf.ALL)[0][0].sign == "!"


def test_a_wall_time_that_has_passed_is_tomorrows(desk: Desk) -> None:
    assert desk.moment("09:30") == NOW + timedelta(hours=23, minutes=30)
    assert desk.moment("+90m") == NOW + timedelta(minutes=90)
    assert desk.moment("2026-12-01 09:00") == datetime(2026, 12, 1, 9, tzinfo=SHANGHAI)
    with pytest.raises(Refused, match="看不懂"):
        desk.moment("明天")


def test_a_waiver_of_somebody_in_danger_waits_for_another_supervisor(desk: Desk) -> None:
    said = desk.do(Act(verb=Verb.WAIVE, obligation="ob-danger", answers=("转介完成", "y")))
    assert "另一位督导" in said
    assert "ob-danger" in [one.id for one in desk.items(Shelf.ALL)[0]]


def test_a_visit_by_its_number_keeps_the_check_in(desk: Desk) -> None:
    (routine,) = (one for one in desk.items(Shelf.ALL)[0] if one.who == "沈**")
    said = desk.do(Act(verb=Verb.DONE, obligation=routine.id, answers=("走访 2026-118",)))
    assert "已完成" in said
    with desk.app.store() as work:
        assert [proof.reference for proof in work.debts.evidence(routine.id)] == ["2026-118"]


def test_a_clerk_sees_no_queue_on_a_screen_either(desk: Desk) -> None:
    with pytest.raises(Forbidden):
        Desk(desk.app, "k001").items(Shelf.ALL)
    assert json.dumps([one.id for one in desk.items(Shelf.TODAY)[0]])
