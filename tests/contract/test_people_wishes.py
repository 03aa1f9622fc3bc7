"""Opt-outs that end by their day or by the person's own word, and by nothing else: in every store."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from actors import enlist

from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    HardshipFile,
    Person,
    Phone,
    Suppression,
    SuppressionKind,
    in_force,
)
from callcenter.errors import Refused
from callcenter.ports import Store
from callcenter.service.followup.debts import has_ivr_consent, line_facts, situation_of, sweep
from callcenter.service.hardship.fields import Entry
from callcenter.service.hardship.importing import import_entries
from callcenter.service.people.merging import merge, unmerge
from callcenter.service.people.phones import add_phone
from callcenter.service.people.profiles import profile
from callcenter.service.people.wishes import opt_in, opt_out, record_consent
from callcenter.service.privacy.copies import copy_of
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules
from scheduler.obligations import ClosingKind, Kind

SHEN = Person(id="p1", code="P-7F3K", name="沈建国", phones=(Phone(number="13861705555"),))
QIAN = Person(id="p2", code="P-4KXA", name="钱秀英", phones=(Phone(number="13912345678"),))
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ALL, AUTOMATION, TOPIC = SuppressionKind.ALL_OUTBOUND, SuppressionKind.AUTOMATION, SuppressionKind.TOPIC
WORD = {"evidence": "同意书2026-17号", "reason": "本人来电说可以再打"}
WHY = "生日和单位都一致"


def peopled(store: Store, *people: Person) -> None:
    with store() as work:
        enlist(work, "s001")
        for person in people or (SHEN, QIAN):
            work.people.add(person)
        work.commit()


def holding(store: Store, person: str, now: datetime) -> set[tuple[SuppressionKind, str]]:
    with store() as work:
        return {(s.kind, s.topic) for s in in_force(work.people.suppressions(person), now)}


def said_no(store: Store, person: str, now: datetime, kind: SuppressionKind = ALL, **more: object) -> None:
    with store() as work:
        opt_out(work, person, kind, actor="s001", now=now, **more)  # type: ignore[arg-type]
        work.commit()


def said_yes(store: Store, person: str, now: datetime, kind: SuppressionKind = ALL, **more: object) -> None:
    with store() as work:
        opt_in(work, person, kind, actor="s001", now=now, **{**WORD, **more})  # type: ignore[arg-type]
        work.commit()


def test_r32_an_opt_out_ends_on_its_day_and_not_before(store: Store, now: datetime) -> None:
    peopled(store)
    said_no(store, "p1", now, until=now + 30 * DAY)
    assert holding(store, "p1", now + 30 * DAY - MINUTE) == {(ALL, "")}
    assert holding(store, "p1", now + 30 * DAY) == set()


def test_r32_a_later_word_for_a_week_does_not_shorten_one_for_ever(store: Store, now: datetime) -> None:
    peopled(store)
    said_no(store, "p1", now)
    said_no(store, "p1", now + MINUTE, until=now + 7 * DAY)
    assert holding(store, "p1", now + 8 * DAY) == {(ALL, "")}


def test_r32_a_persons_own_word_lifts_what_it_names_and_at_once(store: Store, now: datetime) -> None:
    peopled(store)
    said_no(store, "p1", now)
    said_no(store, "p1", now, AUTOMATION)
    said_yes(store, "p1", now + MINUTE)
    assert holding(store, "p1", now + MINUTE) == {(AUTOMATION, "")}
    said_no(store, "p1", now + 2 * MINUTE)
    assert holding(store, "p1", now + 2 * MINUTE) == {(ALL, ""), (AUTOMATION, "")}


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"evidence": "沈建国签的"}, "不要写姓名"),
        ({"evidence": "13861705555"}, "不要写姓名"),
        ({"evidence": ""}, "要有凭据"),
        ({"reason": "好"}, "理由"),
        ({"kind": AUTOMATION}, "现在的拒绝:不接任何来电"),
        ({"kind": TOPIC, "topic": "visit"}, "没有这样的拒绝"),
        ({"kind": TOPIC, "topic": "high_risk"}, "可以单独拒绝的事项"),
    ],
)
def test_r32_nothing_is_lifted_without_proof_reason_or_anything_to_lift(
    store: Store, now: datetime, wrong: dict[str, object], match: str
) -> None:
    peopled(store)
    said_no(store, "p1", now)
    with pytest.raises(Refused, match=match):
        said_yes(store, "p1", now + MINUTE, **wrong)  # type: ignore[arg-type]
    assert holding(store, "p1", now + MINUTE) == {(ALL, "")}


def test_r32_the_very_next_look_at_the_gates_knows(store: Store, now: datetime) -> None:
    peopled(store)
    file = HardshipFile(
        file_no="WX-1", person="p1", grade="深度困难", status=FileStatus.ACTIVE, since=date(2026, 9, 1)
    )
    with store() as work:
        work.people.put_file(file)
        sweep(work, now)
        owed = work.debts.open(person="p1", kind=Kind.HARDSHIP)[0]
        work.commit()

    def forbidden(at: datetime) -> bool:
        with store() as work:
            return situation_of(work, owed, line_facts(work, at, None, Rules())).person.no_outbound

    assert not forbidden(now)
    said_no(store, "p1", now)
    assert forbidden(now)
    said_yes(store, "p1", now + MINUTE)
    assert not forbidden(now + MINUTE)


def test_who_wants_no_visits_is_owed_calls_and_visits_again_after_their_word(
    store: Store, now: datetime
) -> None:
    peopled(store)
    rules = Rules(visit_every=182)
    file = HardshipFile(
        file_no="WX-1", person="p1", grade="深度困难", status=FileStatus.ACTIVE, since=date(2026, 9, 1)
    )
    with store() as work:
        work.people.put_file(file)
        sweep(work, now, rules=rules)
        work.commit()
    said_no(store, "p1", now, TOPIC, topic="visit")

    def owed(at: datetime) -> list[Kind]:
        with store() as work:
            sweep(work, at, rules=rules)
            work.commit()
            return sorted(o.kind for o in work.debts.open(person="p1"))

    assert owed(now + MINUTE) == [Kind.HARDSHIP]
    with store() as work:
        closed = [o.closing.kind for o in work.debts.of_person("p1") if o.closing]
    assert closed == [ClosingKind.REFUSED]
    said_yes(store, "p1", now + 2 * MINUTE, TOPIC, topic="visit")
    assert owed(now + 3 * MINUTE) == [Kind.HARDSHIP, Kind.VISIT]


# --- nothing but their own word -------------------------------------------------------------


def test_r32_a_merge_lifts_nothing_whoever_lifted_what_before(store: Store, now: datetime) -> None:
    peopled(store)
    said_no(store, "p1", now)
    said_no(store, "p2", now)
    said_yes(store, "p2", now + MINUTE)
    with store() as work:
        done = merge(work, "p1", "p2", actor="s001", now=now + 2 * MINUTE, reason=WHY)
        work.commit()
    assert holding(store, "p1", now + 3 * MINUTE) == {(ALL, "")}, "the other half never took it back"
    said_yes(store, "p2", now + 4 * MINUTE)
    assert holding(store, "p1", now + 5 * MINUTE) == set(), "said of the one person they are"
    with store() as work:
        unmerge(work, done.id, actor="s001", now=now + 6 * MINUTE, reason=WHY)
        work.commit()
    assert holding(store, "p2", now + 7 * MINUTE) == set()


def test_r32_what_is_lifted_while_both_are_one_stays_refused_by_who_said_it_first(
    store: Store, now: datetime
) -> None:
    peopled(store)
    said_no(store, "p2", now)
    with store() as work:
        done = merge(work, "p1", "p2", actor="s001", now=now + MINUTE, reason=WHY)
        work.commit()
    said_yes(store, "p1", now + 2 * MINUTE)
    assert holding(store, "p1", now + 3 * MINUTE) == set()
    with store() as work:
        unmerge(work, done.id, actor="s001", now=now + 4 * MINUTE, reason=WHY)
        work.commit()
    assert holding(store, "p2", now + 5 * MINUTE) == {(ALL, "")}, "nobody knows whose word it was"


def erased_after_saying_no(store: Store, now: datetime) -> None:
    """Forget 沈建国, who had said no, and know 沈小梅 by another number."""
    girl = Person(id="p3", code="P-8888", name="沈小梅", phones=(Phone(number="13700003333"),))
    peopled(store, SHEN, girl)
    said_no(store, "p1", now)
    with store() as work:
        work.people.forget("p1")
        work.commit()


def test_r32_an_erased_opt_out_binds_on_the_number_until_whoever_has_it_lifts_it_for_themselves(
    store: Store, now: datetime
) -> None:
    erased_after_saying_no(store, now)
    with store() as work:
        for person in ("p3", "p4"):
            if person == "p4":
                work.people.add(Person(id="p4", code="P-9999", name="钱秀英"))
            add_phone(work, person, SHEN.phones[0].number, actor="s001", now=now + MINUTE)
        work.commit()
    assert holding(store, "p3", now + MINUTE) == {(ALL, "")}
    said_yes(store, "p3", now + 2 * MINUTE)
    assert holding(store, "p3", now + 2 * MINUTE) == set()
    assert holding(store, "p4", now + 2 * MINUTE) == {(ALL, "")}, "for whoever else has it nobody spoke"
    assert holding(store, "p1", now + 2 * MINUTE) == {(ALL, "")}


def test_r32_a_word_from_before_a_number_was_theirs_says_nothing_of_that_number(
    store: Store, now: datetime
) -> None:
    erased_after_saying_no(store, now)
    said_no(store, "p3", now + MINUTE)
    said_yes(store, "p3", now + 2 * MINUTE)
    with store() as work:
        add_phone(work, "p3", SHEN.phones[0].number, actor="s001", now=now + 3 * MINUTE)
        work.commit()
    assert holding(store, "p3", now + 4 * MINUTE) == {(ALL, "")}


def test_r32_a_list_that_brings_a_refused_number_lifts_nothing_by_an_older_word(
    store: Store, now: datetime
) -> None:
    erased_after_saying_no(store, now)
    said_no(store, "p3", now + MINUTE)
    said_yes(store, "p3", now + 2 * MINUTE)
    entry = Entry(
        row=2,
        file_no="WX-3",
        name="沈小梅",
        phones=("13700003333", SHEN.phones[0].number),
        grade="深度困难",
        status=FileStatus.ACTIVE,
        since=date(2026, 9, 1),
    )
    with store() as work:
        work.people.put_file(
            HardshipFile(
                file_no="WX-3",
                person="p3",
                grade="深度困难",
                status=FileStatus.ACTIVE,
                since=date(2026, 9, 1),
            )
        )
        import_entries(work, [entry], actor="s001", now=now + 3 * MINUTE)
        work.commit()
    assert holding(store, "p3", now + 4 * MINUTE) == {(ALL, "")}


def test_several_people_are_read_at_once_as_each_alone(store: Store, now: datetime) -> None:
    erased_after_saying_no(store, now)
    said_no(store, "p3", now, TOPIC, topic="visit", until=now + DAY)
    said_yes(store, "p3", now + MINUTE, TOPIC, topic="visit")
    with store() as work:
        alone = {p: list(found) for p in ("p1", "p3") if (found := work.people.suppressions(p))}
        assert {p: list(s) for p, s in work.people.suppressions_of(["p1", "p3"]).items()} == alone
    assert [s.lifted for s in alone["p3"]] == [False, True]


# --- consent --------------------------------------------------------------------------------


def test_a_consent_comes_back_with_its_wording_its_proof_and_its_end(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        said = record_consent(
            work,
            "p1",
            ConsentKind.IVR_CHECKIN,
            True,
            channel="当面",
            script_version="2026-1",
            evidence="表A-17",
            expires_at=now + 90 * DAY,
            actor="s001",
            now=now,
        )
        work.commit()
    with store() as work:
        assert work.people.consents("p1") == [said]
        assert work.people.consents_of(["p1"])["p1"] == [said]


def test_a_yes_that_expired_is_no_yes_anywhere(store: Store, now: datetime) -> None:
    peopled(store)
    said = Consent(
        person="p1",
        kind=ConsentKind.IVR_CHECKIN,
        granted=True,
        at=now,
        channel="当面",
        expires_at=now + 90 * DAY,
    )
    with store() as work:
        work.people.add_consent(said)
        work.commit()
    with store() as work:
        for day, holds in ((89, True), (90, False)):
            at = now + day * DAY
            assert has_ivr_consent(work, "p1", at) is holds
            assert profile(work, "p1", actor="s001", now=at).consents == {ConsentKind.IVR_CHECKIN: holds}
        work.people.add_consent(replace(said, at=now + DAY, expires_at=None))
        assert has_ivr_consent(work, "p1", now + 91 * DAY)


@pytest.mark.parametrize(
    "given",
    [
        {"evidence": "沈建国"},
        {"evidence": "320200195801011234"},
        {"evidence": "shenjianguo"},
        {"granted": False, "expires_at": True},
    ],
)
def test_words_of_ones_own_stand_nowhere_in_clear(
    store: Store, now: datetime, given: dict[str, object]
) -> None:
    peopled(store)
    ends = {"expires_at": now + DAY} if "expires_at" in given else {}
    how = {"channel": "当面", "actor": "s001", "now": now, "granted": True, **given, **ends}
    with store() as work, pytest.raises(Refused):
        record_consent(work, "p1", ConsentKind.RECORDING, **how)  # type: ignore[arg-type]


def test_a_persons_copy_tells_what_they_took_back_and_until_when(store: Store, now: datetime) -> None:
    peopled(store)
    said_no(store, "p1", now, TOPIC, topic="visit", until=datetime(2027, 1, 1, tzinfo=SHANGHAI))
    said_no(store, "p1", now)
    said_yes(store, "p1", now + MINUTE)
    with store() as work:
        sheets = {s.title: s.rows for s in copy_of(work, work.people.get("p1"), SHANGHAI, with_facts=False)}
    words = [row[1:3] for row in sheets["同意与拒绝"]]
    assert words == [
        ("不接上门走访的来电", "拒绝,至 2027-01-01 00:00"),
        ("不接任何来电", "拒绝"),
        ("不接任何来电", "恢复"),
    ]


def test_r32_importing_copies_no_lifted_word_of_another(now: datetime) -> None:
    lifted = Suppression(person="p9", kind=ALL, at=now, reason="", lifted=True)
    said = [replace(lifted, lifted=False), lifted, replace(lifted, lifted=False, kind=AUTOMATION)]
    assert [s.kind for s in in_force(said, now)] == [AUTOMATION]
