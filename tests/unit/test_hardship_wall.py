"""What a register's lists change of callers, and what a clerk learns from it: nothing, both ways (R39)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from people_world import a_call, a_session, peopled, with_case

from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    Grade,
    Person,
    Phone,
    PhoneSource,
    PhoneStatus,
    Suppression,
    SuppressionKind,
)
from callcenter.domain.risk import Level
from callcenter.errors import Forbidden
from callcenter.ports import Store, UnitOfWork
from callcenter.service.followup.debt_rows import files, one_file
from callcenter.service.followup.debts import has_ivr_consent, line_facts
from callcenter.service.hardship.fields import Entry
from callcenter.service.hardship.importing import Diff, import_entries
from callcenter.service.people.duplicates import duplicates
from callcenter.service.people.entries import caller_of
from callcenter.service.people.merging import merge
from callcenter.service.people.people import add_phone
from scheduler.gates import Rules

HOME, LEARNED = "13800001111", "13700007777"
ZHAO = Entry(
    row=2,
    file_no="WX-001",
    name="赵大海",
    phones=(HOME,),
    grade=Grade.DEEP,
    status=FileStatus.ACTIVE,
    since=date(2026, 9, 1),
)
#: His wife, who called the line from the telephone they share, and is nobody to the register.
WIFE = Person(id="p9", code="P-9MRT", phones=(Phone(number=HOME),))


def bring(store: Store, now: datetime, entry: Entry = ZHAO, *, dry_run: bool = False) -> Diff:
    with store() as work:
        done = import_entries(work, [entry], actor="k001", now=now, dry_run=dry_run)
        work.commit()
    return done


def zhao(work: UnitOfWork) -> Person:
    file = work.people.file("WX-001")
    assert file is not None
    return work.people.get(file.person)


def learn(store: Store, number: str, status: PhoneStatus = PhoneStatus.OK) -> None:
    """Let the worker have called from another number, as the line writes it down."""
    with store() as work:
        person = zhao(work)
        work.people.update(replace(person, phones=(*person.phones, Phone(number=number, status=status))))
        work.commit()


@pytest.fixture
def called(store: Store, now: datetime) -> Store:
    """The wife has called: there is a record about her, and a case."""
    peopled(store, WIFE)
    with_case(store, "p9", Level.GENERAL, now)
    with store() as work:
        work.calls.put_many([a_call("1.1", now, HOME)])
        work.sessions.open_many([a_session("1.1", now, person="p9")])
        work.commit()
    return store


def test_a_list_gives_no_name_to_who_called_from_a_familys_telephone(called: Store, now: datetime) -> None:
    bring(called, now)
    with called() as work:
        assert (zhao(work).id != "p9", work.people.get("p9").name) == (True, None)
        found = caller_of(work, a_call("1.2", now, HOME))
        assert found is not None
        assert found.id == "p9", "whoever called from it goes on being known by it"


def test_r39_the_clerk_sees_no_difference_between_a_callers_number_and_any_other(
    called: Store, now: datetime
) -> None:
    stranger = replace(ZHAO, phones=("13800991111",))  # looks the same where it is masked
    assert bring(called, now, dry_run=True) == bring(called, now, stranger, dry_run=True)


def test_a_supervisor_is_shown_the_two_entries_and_merges_them(called: Store, now: datetime) -> None:
    bring(called, now)
    with called() as work:
        with pytest.raises(Forbidden):
            duplicates(work, actor="c017")
        [pair] = duplicates(work, actor="s001")
        worker = zhao(work)
        assert (pair.one.id, pair.other.id) == ("p9", worker.id)
        assert (pair.filed, pair.recorded) == ((False, True), (True, False))
        merge(work, "p9", worker.id, actor="s001", now=now, reason="本人来电时核对过")
        assert duplicates(work, actor="s001") == []
        [phone] = work.people.get("p9").phones
        assert (phone.source, phone.listed) == (PhoneSource.LINE, True)


def test_r32_who_refused_calls_on_that_telephone_is_not_rung_by_way_of_the_list(
    called: Store, now: datetime
) -> None:
    with called() as work:
        wish = Suppression(person="p9", kind=SuppressionKind.AUTOMATION, at=now, reason="家里人会听见")
        work.people.add_suppression(wish)
        said = Consent(person="p9", kind=ConsentKind.IVR_CHECKIN, granted=False, at=now, channel="电话")
        work.people.add_consent(said)
        work.commit()
    bring(called, now, replace(ZHAO, consent=True, consent_date=date(2026, 9, 1)))
    with called() as work:
        person = zhao(work)
        assert [(s.kind, s.reason) for s in work.people.suppressions(person.id)] == [
            (SuppressionKind.AUTOMATION, "")
        ]
        assert not has_ivr_consent(work, person.id, now)


def test_r32_a_worker_who_moves_in_with_a_telephone_is_bound_by_what_was_refused_on_it(
    called: Store, now: datetime
) -> None:
    bring(called, now, replace(ZHAO, phones=("13600006666",)))
    with called() as work:
        wish = Suppression(person="p9", kind=SuppressionKind.AUTOMATION, at=now, reason="")
        work.people.add_suppression(wish)
        work.commit()
    for _ in range(2):
        bring(called, now)
    with called() as work:
        assert len(work.people.suppressions(zhao(work).id)) == 1


def test_a_number_learned_on_the_line_outlives_a_list_that_lacks_it(store: Store, now: datetime) -> None:
    peopled(store)
    bring(store, now)
    learn(store, LEARNED)
    diff = bring(store, now)
    assert (diff.changed, diff.unchanged) == ((), 1)
    bring(store, now, replace(ZHAO, phones=("13600006666",)))
    with store() as work:
        assert [p.number for p in zhao(work).phones] == ["13600006666", LEARNED]


def test_a_number_of_the_list_from_which_they_called_outlives_it_too(store: Store, now: datetime) -> None:
    peopled(store)
    bring(store, now)
    with store() as work:
        work.calls.put_many([a_call("1.1", now, HOME)])
        work.commit()
    diff = bring(store, now, replace(ZHAO, phones=("13600006666",)))
    assert diff.changed[0].fields == (("电话", "138****1111", "136****6666"),)
    with store() as work:
        assert [p.number for p in zhao(work).phones] == ["13600006666", HOME]
        assert caller_of(work, a_call("1.2", now, HOME)) == zhao(work)


def test_a_number_that_was_typed_in_stays_through_a_list(store: Store, now: datetime) -> None:
    peopled(store)
    bring(store, now)
    with store() as work:
        add_phone(work, zhao(work).id, LEARNED, actor="s001", now=now)
        work.commit()
    bring(store, now, replace(ZHAO, district="梁溪区"))
    with store() as work:
        assert [p.number for p in zhao(work).phones] == [HOME, LEARNED]


def seen(store: Store, actor: str, now: datetime) -> str:
    """Return all that somebody sees of the file."""
    with store() as work:
        facts = line_facts(work, now, None, Rules())
        return str(files(work, actor=actor, now=facts.now)) + str(
            one_file(work, "WX-001", facts, actor=actor)
        )


def test_r39_numbers_the_register_never_held_are_not_shown_to_the_clerk(store: Store, now: datetime) -> None:
    peopled(store)
    bring(store, now)
    learn(store, LEARNED, PhoneStatus.WRONG)
    told = seen(store, "k001", now)
    assert "138****1111" in told
    for secret in ("137****7777", "wrong"):
        assert secret not in told
        assert secret in seen(store, "s001", now)


def test_r39_the_number_a_check_in_goes_to_is_not_shown_unless_it_is_the_lists(
    store: Store, now: datetime
) -> None:
    peopled(store)
    bring(store, now, replace(ZHAO, phones=()))
    learn(store, LEARNED)
    assert "137****7777" not in seen(store, "k001", now)
    assert "137****7777" in seen(store, "s001", now)


def test_r39_a_consent_given_on_the_line_changes_nothing_of_what_an_import_says(
    store: Store, now: datetime
) -> None:
    peopled(store)
    bring(store, now)
    agrees = replace(ZHAO, consent=True, consent_date=date(2026, 9, 2))
    before = bring(store, now, agrees, dry_run=True)
    with store() as work:
        said = Consent(
            person=zhao(work).id, kind=ConsentKind.IVR_CHECKIN, granted=True, at=now, channel="电话"
        )
        work.people.add_consent(said)
        work.commit()
    assert bring(store, now, agrees, dry_run=True) == before
    assert before.changed[0].fields == (("同意自动回访", "", "是"),)


def test_r39_a_withdrawal_on_the_line_is_kept_and_not_told(store: Store, now: datetime) -> None:
    peopled(store)
    agrees = replace(ZHAO, consent=True, consent_date=date(2026, 9, 2))
    bring(store, now, agrees)
    with store() as work:
        said = Consent(
            person=zhao(work).id, kind=ConsentKind.IVR_CHECKIN, granted=False, at=now, channel="电话"
        )
        work.people.add_consent(said)
        work.commit()
    diff = bring(store, now + timedelta(days=1), agrees)
    assert (diff.changed, diff.unchanged) == ((), 1)
    with store() as work:
        assert not has_ivr_consent(work, zhao(work).id, now)


def test_r39_a_list_with_a_number_that_the_line_learned_of_another_worker_is_no_clash(
    store: Store, now: datetime
) -> None:
    peopled(store)
    bring(store, now)
    learn(store, LEARNED)
    other = replace(ZHAO, file_no="WX-002", name="钱进", phones=(LEARNED,))
    assert [c.file_no for c in bring(store, now, other).new] == ["WX-002"]
    with store() as work:
        assert len(duplicates(work, actor="s001")) == 1
