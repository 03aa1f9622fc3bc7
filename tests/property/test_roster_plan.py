"""Over any templates, needs and hours: planning agrees with a day-by-day reading, faults with the clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from plan_world import MONDAY, NAMES, NOON, RULES, SHANGHAI, ground, join, user

from callcenter.domain.books import NEEDS, OVERRIDES, TEMPLATES
from callcenter.domain.duty import Shift, ShiftKind
from callcenter.domain.plan_faults import faults
from callcenter.domain.plan_rules import PERSONAL, Ground, Lack
from callcenter.domain.planning import expand, override_id
from callcenter.domain.roster import Need, Override, OverrideAct, Template
from callcenter.memory import MemoryStore
from callcenter.ports import Book
from callcenter.service.duty import publishing

AGENTS = tuple(code for code in NAMES if code != "s002")
#: Around a new year, the leap day of 2028 and ordinary weeks.
EPOCHS = (date(2026, 11, 23), date(2026, 12, 28), date(2028, 2, 24))
days_of_week = st.frozensets(st.integers(0, 6), min_size=1)
half_hours = st.integers(0, 47).map(lambda n: time(n // 2, n % 2 * 30))
lengths = st.integers(1, 48).map(lambda n: timedelta(minutes=30 * n))


@st.composite
def templates(draw: st.DrawFn, epoch: date = MONDAY) -> list[Template]:
    """Return templates that begin some days before or after an epoch."""
    found = []
    for n in range(draw(st.integers(0, 4))):
        first = epoch + timedelta(days=draw(st.integers(-20, 10)))
        ends = draw(st.none() | st.integers(0, 30))
        found.append(
            Template(
                id=f"tp-{n}",
                name="班",
                kind=draw(st.sampled_from(ShiftKind)),
                days=draw(days_of_week),
                start=draw(half_hours),
                length=draw(lengths),
                agents=tuple(draw(st.lists(st.sampled_from(AGENTS), min_size=1, max_size=3, unique=True))),
                first=first,
                last=None if ends is None else first + timedelta(days=ends),
                every=draw(st.integers(1, 3)),
            )
        )
    return found


@st.composite
def overrides(draw: st.DrawFn, of: list[Template], epoch: date = MONDAY) -> list[Override]:
    """Return what differs: one thing per slot, whether or not there is a shift that day."""
    found: dict[str, Override] = {}
    for _ in range(draw(st.integers(0, 6)) if of else 0):
        template = draw(st.sampled_from(of))
        day = epoch + timedelta(days=draw(st.integers(-2, 12)))
        agent = draw(st.sampled_from(("", *template.agents)))
        substitute = draw(st.sampled_from(("", *AGENTS))) if agent else ""
        made = Override(
            id=override_id(template.id, day, agent),
            template=template.id,
            day=day,
            act=OverrideAct.SUBSTITUTE if substitute else OverrideAct.CANCEL,
            agent=agent,
            substitute=substitute,
            by="s001",
            at=NOON,
        )
        found[made.id] = made
    return list(found.values())


needs_of_any = st.lists(
    st.tuples(days_of_week, half_hours, lengths, st.integers(0, 3), st.integers(0, 1), st.integers(0, 2)),
    max_size=3,
).map(
    lambda rows: [
        Need(
            id=f"nd-{n}", days=days, start=start, length=length, seats=seats, supervisors=leads, backups=backs
        )
        for n, (days, start, length, seats, leads, backs) in enumerate(rows)
    ]
)


def by_calendar(plan: list[Template], differs: list[Override], day: date) -> Counter[tuple[object, ...]]:
    """Return who begins what on one day, as somebody with a calendar on the wall would find it out."""
    found: Counter[tuple[object, ...]] = Counter()
    for one in plan:
        if day < one.first or (one.last is not None and day > one.last) or day.weekday() not in one.days:
            continue
        week, turns = one.first, 0
        while week.isocalendar()[:2] != day.isocalendar()[:2]:
            week, turns = week + timedelta(days=7), turns + 1
        if turns % one.every:
            continue
        today = [o for o in differs if o.template == one.id and o.day == day]
        if any(not o.agent for o in today):
            continue
        for agent in one.agents:
            who = [o.substitute for o in today if o.agent == agent] or [agent]
            local = datetime(day.year, day.month, day.day, one.start.hour, one.start.minute, tzinfo=SHANGHAI)
            if who[0]:
                found[who[0], one.kind, local.astimezone(UTC), one.length] += 1
    return found


@given(data=st.data(), epoch=st.sampled_from(EPOCHS), days=st.integers(0, 40))
def test_expansion_is_what_a_calendar_on_the_wall_says(data: st.DataObject, epoch: date, days: int) -> None:
    plan = data.draw(templates(epoch))
    differs = data.draw(overrides(plan, epoch))
    last = epoch + timedelta(days=days)
    shifts = expand(plan, differs, epoch, last, SHANGHAI)
    wanted: Counter[tuple[object, ...]] = Counter()
    for n in range(days + 1):
        wanted += by_calendar(plan, differs, epoch + timedelta(days=n))
    assert Counter((s.agent, s.kind, s.start, s.length) for s in shifts) == wanted
    assert len({s.id for s in shifts}) == len(shifts)
    assert [s.start for s in shifts] == sorted(s.start for s in shifts)


@given(data=st.data())
def test_days_planned_apart_are_the_days_planned_together(data: st.DataObject) -> None:
    plan = data.draw(templates())
    differs = data.draw(overrides(plan))
    last, cut = MONDAY + timedelta(days=20), MONDAY + timedelta(days=data.draw(st.integers(0, 19)))
    whole = expand(plan, differs, MONDAY, last, SHANGHAI)
    apart = expand(plan, differs, MONDAY, cut, SHANGHAI)
    apart += expand(plan, differs, cut + timedelta(days=1), last, SHANGHAI)
    assert apart == whole


@given(data=st.data())
def test_an_override_touches_only_its_date(data: st.DataObject) -> None:
    plan = data.draw(templates())
    differs = data.draw(overrides(plan))
    days = {o.day for o in differs}
    last = MONDAY + timedelta(days=20)
    before, after = (set(expand(plan, some, MONDAY, last, SHANGHAI)) for some in ([], differs))
    touched = {s.start.astimezone(SHANGHAI).date() for s in before ^ after}
    assert touched <= days


# --- faults against the clock --------------------------------------------------------------------


def lacking(shifts: Iterable[Shift], now: datetime, on: Ground) -> dict[Lack, frozenset[str]]:
    """Return what is wrong at one instant, by counting heads."""
    fit = [s for s in shifts if on.staff.unfit(s.agent, s.kind) is None and s.covers(now)]
    here = {kind: frozenset(s.agent for s in fit if s.kind is kind) for kind in ShiftKind}
    asked = [n for n in on.needs for back in (0, 1) if _holds(n, now, back)]
    is_open = not on.rules.week or any(a <= now < b for a, b in on.rules.open_spans(now, now + _INSTANT))
    seats = max((n.seats for n in asked), default=2 if is_open else 0)
    seats = max(seats, 1 if is_open else 0)
    leads = max((n.supervisors for n in asked), default=1 if is_open else 0)
    backs = max((n.backups for n in asked), default=0)
    line, found = here[ShiftKind.LINE], dict[Lack, frozenset[str]]()
    if len(line) < seats:
        found[Lack.THIN if line else Lack.NOBODY] = line
    if line and line <= {"c020"}:
        found[Lack.TRAINEE_ALONE] = line
    supervised = len(here[ShiftKind.SUPERVISOR]) >= leads if on.plans_supervisors else True
    if leads and not supervised:
        found[Lack.NO_SUPERVISOR] = here[ShiftKind.SUPERVISOR]
    if len(here[ShiftKind.BACKUP]) < backs:
        found[Lack.NO_BACKUP] = here[ShiftKind.BACKUP]
    return found


_INSTANT = timedelta(seconds=1)


def _holds(need: Need, now: datetime, days_back: int) -> bool:
    day = now.astimezone(SHANGHAI).date() - timedelta(days=days_back)
    start = datetime.combine(day, need.start, SHANGHAI)
    return day.weekday() in need.days and start <= now < start + need.length


@given(
    data=st.data(),
    needs=needs_of_any,
    hours=st.none() | st.tuples(half_hours, half_hours),
    planned_leads=st.booleans(),
)
def test_faults_say_of_each_instant_what_counting_heads_says(
    data: st.DataObject, needs: list[Need], hours: tuple[time, time] | None, planned_leads: bool
) -> None:
    """With no fault told, the line is covered at every instant; with one, just then it is not."""
    rules = RULES if hours is None else replace(RULES, week=((hours,),) * 7)
    on = ground(needs, rules=rules, plans_supervisors=planned_leads, c018=user("c018", active=False))
    shifts = expand(
        data.draw(templates()), [], MONDAY - timedelta(days=2), MONDAY + timedelta(days=4), SHANGHAI
    )
    start, end = rules.midnight(MONDAY), rules.midnight(MONDAY + timedelta(days=3))
    told = [f for f in faults(shifts, start, end, on) if f.lack not in PERSONAL]
    assert all(start <= f.start < f.end <= end for f in told)
    now = start
    while now < end:
        here = {f.lack: f.agents for f in told if f.start <= now < f.end}
        assert here == lacking(shifts, now, on), now
        now += timedelta(minutes=30)


@given(data=st.data())
def test_what_is_asked_of_one_person_is_found_by_comparing_everything(data: st.DataObject) -> None:
    on = ground(rules=replace(RULES, most_nights=2))
    shifts = expand(data.draw(templates()), [], MONDAY, MONDAY + timedelta(days=9), SHANGHAI)
    start, end = on.rules.midnight(MONDAY), on.rules.midnight(MONDAY + timedelta(days=11))
    told = faults(shifts, start, end, on)
    twice = {
        s.agent
        for n, s in enumerate(shifts)
        for other in shifts[:n]
        if s.agent == other.agent and s.start < other.end and other.start < s.end
    }
    assert {a for f in told if f.lack is Lack.OVERLAP for a in f.agents} == twice
    tired = {agent for agent in AGENTS if _longest_run(shifts, agent) > 2}
    assert {a for f in told if f.lack is Lack.NIGHTS for a in f.agents} == tired


def _longest_run(shifts: Iterable[Shift], agent: str) -> int:
    theirs = [s for s in shifts if s.agent == agent]
    longest = run = 0
    for n in range(-2, 14):
        began = datetime.combine(MONDAY + timedelta(days=n), time(), SHANGHAI)
        ended = began + timedelta(hours=5)
        within = (min(s.end, ended) - max(s.start, began) for s in theirs)
        there = sum((one for one in within if one > timedelta()), timedelta())
        run = run + 1 if there >= timedelta(hours=2) else 0
        longest = max(longest, run)
    return longest


# --- publishing ----------------------------------------------------------------------------------


@given(data=st.data(), needs=needs_of_any, hours_later=st.integers(0, 100))
def test_publishing_gives_the_plan_ahead_keeps_what_began_and_is_done_once(
    data: st.DataObject, needs: list[Need], hours_later: int
) -> None:
    store, last = MemoryStore(), MONDAY + timedelta(days=9)
    join(store)
    first_plan, second_plan = data.draw(templates()), data.draw(templates())
    differs = data.draw(overrides(second_plan))

    def put(plan: list[Template], some: list[Override], now: datetime) -> publishing.Published:
        with store() as work:
            _refill(work.book(TEMPLATES), plan)
            _refill(work.book(OVERRIDES), some)
            _refill(work.book(NEEDS), needs)
            done = publishing.publish(
                work, MONDAY, last, rules=RULES, actor="s001", now=now, reason="先发布再补缺"
            )
            work.commit()
        return done

    put(first_plan, [], NOON)
    before = {s.id: s for s in store.state.shifts.values()}
    later = NOON + timedelta(hours=hours_later)
    done = put(second_plan, differs, later)
    after = dict(store.state.shifts)
    begun = {i: s for i, s in before.items() if s.start <= later}
    assert {i: s for i, s in after.items() if s.start <= later} == begun
    wanted = {s.id: s for s in expand(second_plan, differs, MONDAY, last, SHANGHAI) if s.start > later}
    assert {i: s for i, s in after.items() if s.start > later} == {
        i: s for i, s in wanted.items() if i not in begun
    }
    assert set(done.gone) == set(before.values()) - set(after.values())
    revision = store.state.revision
    again = put(second_plan, differs, later)
    assert (again.new, again.gone, again.record, store.state.revision) == ((), (), None, revision)
    assert again.faults == done.faults


def _refill(book: Book[Any], values: Iterable[Any]) -> None:
    for old in book.where():
        book.remove(old.id)
    for value in values:
        book.add(value)
