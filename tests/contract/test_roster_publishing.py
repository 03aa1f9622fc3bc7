"""The plan becomes the roster: what is refused, what changes, what stays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from plan_world import MONDAY, NOON, RULES, join, planned, shift, wall

from callcenter.domain.books import OVERRIDES, PUBLICATIONS
from callcenter.domain.duty import Shift, ShiftKind
from callcenter.domain.plan_rules import Lack
from callcenter.domain.roster import Need, Override, OverrideAct
from callcenter.errors import Conflict, NotFound, Refused
from callcenter.ports import Store, UnitOfWork
from callcenter.service.duty import publishing, roster, templates
from callcenter.service.duty.publishing import PlanFaulty, Published

TUESDAY = date(2026, 11, 24)
SUNDAY = date(2026, 11, 29)
#: The line is served in the evening; the plan needs no more than that.
EVENINGS = replace(RULES, week=(((time(19), time(1)),),) * 7, most_nights=7)


def publish(
    store: Store,
    first: date = MONDAY,
    last: date = SUNDAY,
    *,
    now: datetime = NOON,
    reason: str = "",
    dry_run: bool = False,
) -> Published:
    with store() as work:
        done = publishing.publish(
            work, first, last, rules=EVENINGS, actor="s001", now=now, reason=reason, dry_run=dry_run
        )
        work.commit()
    return done


def everything(store: Store) -> tuple[list[Shift], int]:
    with store() as work:
        return list(work.roster.shifts_between(wall(1, 0), wall(31, 0, month=12))), work.roster.revision()


def mine(shifts: Iterable[Shift]) -> list[tuple[str, int]]:
    return sorted((s.agent, s.start.astimezone(RULES.zone).day) for s in shifts)


@pytest.fixture(autouse=True)
def _everybody(store: Store) -> None:
    join(store)


def test_a_whole_plan_is_published_and_what_was_done_is_on_record(store: Store) -> None:
    planned(store, "c017", "c018")
    done = publish(store)
    shifts, _ = everything(store)
    assert len(shifts) == len(done.new) == 14
    assert done.record is not None
    with store() as work:
        (entry,) = work.audit.recent(1, verb="duty.publish")
        assert (entry.actor, entry.object) == ("s001", "2026-11-23/2026-11-29")
        assert publishing.list_publications(work, actor="s001") == [done.record]
    assert (done.record.shifts, done.record.faults) == (14, ())


def test_publishing_twice_changes_nothing(store: Store) -> None:
    planned(store, "c017", "c018")
    publish(store)
    before = everything(store)
    again = publish(store)
    assert (again.new, again.gone, again.kept, again.record) == ((), (), 14, None)
    assert everything(store) == before
    with store() as work:
        assert len(work.book(PUBLICATIONS).where()) == 1


def test_a_thin_plan_is_refused_with_all_its_faults_and_nothing_changes(store: Store) -> None:
    planned(store, "c017")
    before = everything(store)
    with pytest.raises(PlanFaulty) as refused:
        publish(store)
    assert {f.lack for f in refused.value.faults} == {Lack.THIN}
    assert len(refused.value.faults) == 7
    assert everything(store) == before


def test_with_a_reason_it_is_published_and_the_faults_stay_on_record(store: Store) -> None:
    planned(store, "c017")
    with pytest.raises(Refused, match="理由"):
        publish(store, reason="好")
    done = publish(store, MONDAY, MONDAY, reason="吴芳下周才到岗")
    assert mine(everything(store)[0]) == [("c017", 23)]
    with store() as work:
        (kept,) = work.book(PUBLICATIONS).where()
        (entry,) = work.audit.recent(1, verb="duty.publish")
    assert kept == done.record
    assert kept.faults == ("thin 2026-11-23T11:00Z/2026-11-23T16:00Z c017",)
    assert (kept.reason, entry.reason) == ("吴芳下周才到岗",) * 2


def test_a_dry_run_says_everything_and_writes_nothing(store: Store) -> None:
    planned(store, "c017")
    before = everything(store)
    done = publish(store, dry_run=True)
    assert (len(done.new), len(done.faults), done.record) == (7, 7, None)
    assert everything(store) == before


def test_shifts_planned_by_hand_stay_and_count(store: Store) -> None:
    planned(store, "c017")
    with store() as work:
        by_hand = roster.add_shift(work, "c018", wall(23, 19), timedelta(hours=6), actor="s001", now=NOON)
        work.commit()
    done = publish(store, MONDAY, MONDAY)
    assert (done.faults, done.kept) == ((), 1)
    assert by_hand.shift in everything(store)[0]


def test_a_shift_under_way_is_never_cut_off_nor_doubled(store: Store) -> None:
    tp = planned(store, "c017", "c018")
    publish(store)
    with store() as work:
        later = replace(templates.list_templates(work, actor="s001")[0], start=time(21))
        templates.change_template(work, later, actor="s001", now=NOON)
        work.commit()
    at_eight = wall(23, 20)
    publish(store, now=at_eight, reason="改为九点开始")
    starts = {(s.agent, s.start) for s in everything(store)[0]}
    assert {("c017", wall(23, 19)), ("c018", wall(23, 19))} <= starts
    assert ("c017", wall(23, 21)) not in starts
    assert ("c017", wall(24, 21)) in starts
    with store() as work:
        templates.remove_template(work, tp, actor="s001", now=at_eight)
        work.commit()
    publish(store, now=at_eight, reason="模板取消")
    assert mine(everything(store)[0]) == [("c017", 23), ("c018", 23)]


def test_what_lies_outside_the_days_stays(store: Store) -> None:
    planned(store, "c017", "c018")
    publish(store)
    with store() as work:
        found = templates.list_templates(work, actor="s001")[0]
        templates.end_template(work, found.id, MONDAY, actor="s001", now=NOON)
        work.commit()
    done = publish(store, TUESDAY, TUESDAY, reason="先撤下这一天")
    assert mine(done.gone) == [("c017", 24), ("c018", 24)]
    assert {day for _, day in mine(everything(store)[0])} == {23, 25, 26, 27, 28, 29}


def test_unchanged_shifts_keep_their_ids_when_one_person_joins(store: Store) -> None:
    planned(store, "c017", "c018")
    publish(store)
    before = {s.id for s in everything(store)[0]}
    with store() as work:
        found = templates.list_templates(work, actor="s001")[0]
        joined = replace(found, agents=(*found.agents, "c019"))
        templates.change_template(work, joined, actor="s001", now=NOON)
        with pytest.raises(Conflict):
            templates.change_template(work, found, actor="s001", now=NOON)
        work.commit()
    done = publish(store)
    assert before < {s.id for s in everything(store)[0]}
    assert {s.agent for s in done.new} == {"c019"}


def test_an_override_touches_only_its_date_and_may_be_taken_back(store: Store) -> None:
    tp = planned(store, "c017", "c018")
    publish(store)
    before = everything(store)[0]
    with store() as work:
        made = templates.add_override(
            work,
            tp,
            TUESDAY,
            OverrideAct.SUBSTITUTE,
            agent="c017",
            substitute="c019",
            actor="s001",
            now=NOON,
        )
        work.commit()
    done = publish(store)
    assert (mine(done.gone), mine(done.new)) == ([("c017", 24)], [("c019", 24)])
    with store() as work:
        templates.remove_override(work, made.id, actor="s001", now=NOON)
        work.commit()
    publish(store)
    assert everything(store)[0] == before


def test_a_shift_taken_off_by_hand_stays_off(store: Store) -> None:
    planned(store, "c017", "c018", "c019")
    publish(store)
    ill = next(s for s in everything(store)[0] if s.agent == "c017")
    with store() as work:
        roster.remove_shift(work, ill.id, actor="s001", now=NOON, reason="病假")
        work.commit()
    assert publish(store).new == ()
    with store() as work:
        (kept,) = work.book(OVERRIDES).where()
    assert (kept.act, kept.agent, kept.reason) == (OverrideAct.CANCEL, "c017", "病假")


def test_a_shift_ended_while_it_ran_stays_ended_when_its_day_is_published_again(store: Store) -> None:
    planned(store, "c017", "c018")
    publish(store)
    ill = next(s for s in everything(store)[0] if s.agent == "c017")
    at_nine = wall(23, 21)
    with store() as work:
        roster.remove_shift(work, ill.id, actor="s001", now=at_nine, reason="身体不适,先回去")
        work.commit()
    done = publish(store, now=at_nine, reason="今晚缺一席")
    assert (done.new, done.gone) == ((), ())
    with store() as work:
        assert work.roster.shift(ill.id) == replace(ill, length=timedelta(hours=2))
        assert work.book(OVERRIDES).where() == list[Override]()


def test_nobody_is_put_into_a_shift_that_is_called_off_and_the_other_way_round(store: Store) -> None:
    tp = planned(store, "c017", "c018")

    def differ(work: UnitOfWork, act: OverrideAct, agent: str = "", substitute: str = "") -> Override:
        return templates.add_override(
            work, tp, TUESDAY, act, agent=agent, substitute=substitute, actor="s001", now=NOON
        )

    with store() as work:
        whole = differ(work, OverrideAct.CANCEL)
        for act, comes in ((OverrideAct.SUBSTITUTE, "c019"), (OverrideAct.CANCEL, "")):
            with pytest.raises(Refused, match=whole.id):
                differ(work, act, "c017", comes)
    with store() as work:
        instead = differ(work, OverrideAct.SUBSTITUTE, "c017", "c019")
        with pytest.raises(Refused, match=instead.id):
            differ(work, OverrideAct.CANCEL)
    with store() as work:
        first = differ(work, OverrideAct.CANCEL, "c017")
        whole = differ(work, OverrideAct.CANCEL)  # the other one stays at home, too
        templates.remove_override(work, whole.id, actor="s001", now=NOON)
        differ(work, OverrideAct.CANCEL, "c018")
        with pytest.raises(Refused, match=first.id):
            differ(work, OverrideAct.CANCEL)


def test_a_need_for_backups_is_asked_of_the_plan(store: Store) -> None:
    planned(store, "c017", "c018")
    with store() as work:
        need = templates.add_need(
            work,
            days=frozenset(range(7)),
            start=time(19),
            length=timedelta(hours=6),
            backups=1,
            actor="s001",
            now=NOON,
        )
        work.commit()
    with pytest.raises(PlanFaulty) as refused:
        publish(store)
    assert {f.lack for f in refused.value.faults} == {Lack.NO_BACKUP}
    planned(store, "c019", kind=ShiftKind.BACKUP)
    assert {s.kind for s in publish(store).new} == {ShiftKind.LINE, ShiftKind.BACKUP}
    with store() as work:
        assert templates.list_needs(work, actor="s001") == [need]
        templates.remove_need(work, need.id, actor="s001", now=NOON)
        assert templates.list_needs(work, actor="s001") == list[Need]()


def test_removing_a_template_takes_along_what_differed_from_it(store: Store) -> None:
    tp = planned(store, "c017", "c018")
    with store() as work:
        templates.add_override(work, tp, TUESDAY, OverrideAct.CANCEL, actor="s001", now=NOON)
        templates.remove_template(work, tp, actor="s001", now=NOON, reason="不再开晚班")
        assert templates.list_overrides(work, actor="s001") == []
        with pytest.raises(NotFound):
            templates.remove_template(work, tp, actor="s001", now=NOON)


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (TUESDAY, MONDAY, "最多"),
        (MONDAY, date(2028, 11, 23), "最多"),
        (date(2026, 11, 1), date(2026, 11, 2), "过去"),
    ],
)
def test_days_that_cannot_be_published(store: Store, first: date, last: date, words: str) -> None:
    with pytest.raises(Refused, match=words):
        publish(store, first, last)


def test_a_shift_by_hand_in_the_way_is_told_as_an_overlap(store: Store) -> None:
    planned(store, "c017", "c018")
    with store() as work:
        work.roster.add_shift(shift("c017", wall(23, 20), 2))
        work.commit()
    with pytest.raises(PlanFaulty) as refused:
        publish(store)
    assert [(f.lack, f.agents) for f in refused.value.faults] == [(Lack.OVERLAP, frozenset({"c017"}))]
