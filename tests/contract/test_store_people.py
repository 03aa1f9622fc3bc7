"""Workers, phones, consents, opt-outs and hardship files."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    Grade,
    HardshipFile,
    Person,
    Phone,
    PhoneStatus,
    Suppression,
    SuppressionKind,
)
from callcenter.errors import Conflict, NotFound
from callcenter.ports import Store

SHEN = Person(
    id="p1",
    code="P-7F3K",
    name="沈建国",
    birth_month=11,
    phones=(Phone(number="13861705555"), Phone(number="051085001111", safe_to_call=False)),
)
WIFE = Person(
    id="p2",
    code="P-8G4L",
    name="钱秀英",
    birth_year=1958,
    phones=(Phone(number="051085001111"),),
    no_ivr=True,
    speaks="zh_wx",
)
FILE = HardshipFile(
    file_no="WX-2026-0001",
    person="p1",
    grade=Grade.DEEP,
    status=FileStatus.ACTIVE,
    since=date(2026, 3, 1),
    district="梁溪区",
    union_unit="无锡第一棉纺织厂",
    liaison="顾卫东",
)


def with_people(store: Store) -> None:
    with store() as work:
        work.people.add(SHEN)
        work.people.add(WIFE)
        work.commit()


def test_a_person_comes_back_whole_with_phones_in_order(store: Store) -> None:
    with_people(store)
    with store() as work:
        assert work.people.get("p1") == SHEN
        assert work.people.many(["p2", "p1", "p3"]) == {"p1": SHEN, "p2": WIFE}
        assert work.people.all() == [SHEN, WIFE]


def test_an_anonymous_person_has_only_a_code(store: Store) -> None:
    unknown = Person(id="p3", code="P-0000")
    with store() as work:
        work.people.add(unknown)
        assert work.people.get("p3") == unknown


@pytest.mark.parametrize("twin", [replace(WIFE, id="p1"), replace(WIFE, code="P-7F3K")])
def test_an_id_and_a_pseudonym_are_used_once(store: Store, twin: Person) -> None:
    with store() as work:
        work.people.add(SHEN)
        with pytest.raises(Conflict):
            work.people.add(twin)


def test_updating_replaces_the_phones(store: Store) -> None:
    with_people(store)
    moved = replace(SHEN, phones=(Phone(number="13911112222"),))
    with store() as work:
        work.people.update(moved)
        work.commit()
    with store() as work:
        assert work.people.get("p1") == moved
        assert work.people.by_number("13861705555") is None


def test_unknown_people_are_not_found(store: Store, now: datetime) -> None:
    consent = Consent(person="p9", kind=ConsentKind.IVR_CHECKIN, granted=True, at=now, channel="form")
    opt_out = Suppression(person="p9", kind=SuppressionKind.AUTOMATION, at=now, reason="")
    with store() as work:
        for act in (
            lambda: work.people.get("p9"),
            lambda: work.people.update(replace(SHEN, id="p9")),
            lambda: work.people.add_consent(consent),
            lambda: work.people.add_suppression(opt_out),
            lambda: work.people.put_file(replace(FILE, person="p9")),
        ):
            with pytest.raises(NotFound):
                act()


@pytest.mark.parametrize("spelling", ["13861705555", "+86 138 6170 5555", "008613861705555"])
def test_a_person_is_found_by_any_spelling_of_a_number(store: Store, spelling: str) -> None:
    with_people(store)
    with store() as work:
        assert work.people.by_number(spelling) == SHEN


def test_of_a_family_with_one_phone_the_first_is_found(store: Store) -> None:
    with_people(store)
    with store() as work:
        assert work.people.by_number("051085001111") == SHEN
        assert work.people.by_number("051000000000") is None


def test_a_wrong_number_is_quarantined_wherever_it_stands(store: Store) -> None:
    with_people(store)
    with store() as work:
        assert work.people.set_phone_status("0510-8500-1111", PhoneStatus.QUARANTINED) == 2
        assert work.people.set_phone_status("13000000000", PhoneStatus.VACANT) == 0
        work.commit()
    with store() as work:
        assert [p.status for p in work.people.get("p1").phones] == [PhoneStatus.OK, PhoneStatus.QUARANTINED]
        assert [p.status for p in work.people.get("p2").phones] == [PhoneStatus.QUARANTINED]


def test_consents_are_read_in_the_order_they_were_given(store: Store, now: datetime) -> None:
    with_people(store)
    given = [
        Consent(
            person="p1",
            kind=ConsentKind.IVR_CHECKIN,
            granted=granted,
            at=now + timedelta(days=n),
            channel="form",
            script_version="v2",
        )
        for n, granted in enumerate((True, False, True))
    ]
    with store() as work:
        for consent in (given[1], given[0], given[2]):
            work.people.add_consent(consent)
        work.commit()
    with store() as work:
        assert work.people.consents("p1") == given
        assert work.people.consents("p2") == []


def test_an_opt_out_survives_an_update_of_the_person(store: Store, now: datetime) -> None:
    with_people(store)
    opt_out = Suppression(person="p1", kind=SuppressionKind.ALL_OUTBOUND, at=now, reason="沈先生来电要求")
    with store() as work:
        work.people.add_suppression(opt_out)
        work.people.update(replace(SHEN, name="沈建國"))
        work.commit()
    with store() as work:
        assert work.people.suppressions("p1") == [opt_out]


def test_a_file_is_replaced_by_its_number(store: Store) -> None:
    with_people(store)
    other = replace(FILE, file_no="WX-2026-0000", person="p2", grade=Grade.WATCH)
    closed = replace(FILE, status=FileStatus.CLOSED)
    with store() as work:
        for file in (FILE, other, closed):
            work.people.put_file(file)
        work.commit()
    with store() as work:
        assert work.people.files() == [other, closed]
        assert work.people.file("WX-2026-0001") == closed
        assert work.people.file("WX-2026-0009") is None
