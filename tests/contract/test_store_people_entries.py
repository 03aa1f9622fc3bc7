"""Codes people keep, merged entries, and what is left of somebody erased: the same in every store."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import create_engine, text

from callcenter.db.rotation import Rotation
from callcenter.db.unit_of_work import open_store
from callcenter.domain.books import MERGES
from callcenter.domain.people import Person, Phone, PhoneStatus, Suppression, SuppressionKind
from callcenter.domain.privacy import Merge
from callcenter.errors import Conflict
from callcenter.keys import KeyRing
from callcenter.ports import Store
from scheduler.obligations import Attempt, Closing, Kind, Mode, Obligation

SHEN = Person(id="p1", code="P-7F3K", name="沈建国", phones=(Phone(number="13861705555"),), spoken="483920")
SON = Person(id="p2", code="P-4KXA", name="沈小军", phones=(Phone(number="13861705555"),))


def with_people(store: Store, *people: Person) -> None:
    with store() as work:
        for person in people or (SHEN, SON):
            work.people.add(person)
        work.commit()


def test_a_code_is_kept_beside_the_numbers_and_is_none(store: Store) -> None:
    with_people(store)
    with store() as work:
        assert work.people.get("p1") == SHEN
        assert list(work.people.all()) == [SHEN, SON]
        assert work.people.by_spoken("483920") == SHEN
        assert work.people.by_spoken("483921") is None
        for spelling in ("483920", "#483920"):
            assert work.people.by_number(spelling) is None, "a hostile caller ID is no code"
            assert work.people.set_phone_status(spelling, PhoneStatus.WRONG) == 0
        work.people.update(replace(SHEN, spoken=None))
        assert work.people.by_spoken("483920") is None
        assert work.people.get("p1").phones == SHEN.phones


def test_everybody_with_a_number_is_found_by_it(store: Store) -> None:
    with_people(store)
    with store() as work:
        assert [p.id for p in work.people.having("+86 138-6170-5555")] == ["p1", "p2"]
        assert list(work.people.having("13700000000")) == []
        assert work.people.by_code("P-4KXA") == SON
        assert work.people.by_code("P-NONE") is None


def merged_into(store: Store, kept: str, merged: str, now: datetime) -> None:
    with store() as work:
        work.people.update(replace(work.people.get(merged), merged_into=kept))
        note = Merge(id=f"me-{kept}-{merged}", kept=kept, merged=merged, by="s001", at=now, reason="同一人")
        work.book(MERGES).add(note)
        work.commit()


def test_merged_entries_are_found_also_by_way_of_others(store: Store, now: datetime) -> None:
    with_people(store, SHEN, SON, Person(id="p3", code="P-9MRT"), Person(id="p4", code="P-9MRX"))
    merged_into(store, "p1", "p2", now)
    merged_into(store, "p2", "p3", now)
    with store() as work:
        assert work.people.merged("p1") == ["p2", "p3"]
        assert work.people.merged("p2") == ["p3"]
        assert work.people.merged("p4") == []
        wish = Suppression(person="p3", kind=SuppressionKind.AUTOMATION, at=now, reason="")
        work.people.add_suppression(wish)
        assert work.people.suppressions("p1") == [wish]
        assert work.people.suppressions("p4") == []
        work.people.update(replace(work.people.get("p3"), merged_into=None))
        assert work.people.suppressions("p1") == [], "a merge that was undone binds nobody"


def opted_out(store: Store, person: str, now: datetime) -> Suppression:
    wish = Suppression(
        person=person, kind=SuppressionKind.ALL_OUTBOUND, at=now, reason="沈师傅说家里人会听见"
    )
    with store() as work:
        work.people.add_suppression(wish)
        work.commit()
    return wish


def test_r32_an_erased_opt_out_still_binds_whoever_has_the_number(store: Store, now: datetime) -> None:
    with_people(store, SHEN)
    wish = opted_out(store, "p1", now)
    with store() as work:
        assert work.people.forget("p1") == 1
        assert work.people.get("p1") == Person(id="p1", code="P-7F3K")
        assert work.people.by_number("13861705555") is None
        assert work.people.by_spoken("483920") is None
        work.people.add(Person(id="p9", code="P-9MRT", phones=(Phone(number="13861705555"),)))
        work.people.add(Person(id="p8", code="P-8MRT", phones=(Phone(number="13861705556"),)))
        assert work.people.suppressions("p9") == [replace(wish, reason="")]
        assert work.people.suppressions("p8") == []
        assert work.people.forget("p1") == 0, "erased twice is erased"
        work.people.update(work.people.get("p1"))
        assert work.people.suppressions("p9") == [replace(wish, reason="")], "and bears being written again"


def test_of_somebody_who_never_opted_out_nothing_is_left(store: Store) -> None:
    with_people(store, SHEN)
    with store() as work:
        work.people.forget("p1")
        work.people.add(Person(id="p9", code="P-9MRT", phones=SHEN.phones))
        assert work.people.suppressions("p9") == []


def test_no_number_of_somebody_erased_is_left_in_the_database(
    sql_store: Store, database_url: str, now: datetime
) -> None:
    with_people(sql_store, SHEN)
    opted_out(sql_store, "p1", now)
    with sql_store() as work:
        work.people.forget("p1")
        work.commit()
    engine = create_engine(database_url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT status, number_hash FROM phones")).all()
        known = connection.execute(text("SELECT name, birth_month FROM people")).all()
    engine.dispose()
    assert [row[0] for row in rows] == ["erased"]
    assert known == [(None, None)]
    with sql_store() as work:
        assert work.people.having("13861705555") == []


def an_obligation(name: str, person: str, now: datetime) -> Obligation:
    return Obligation(
        id=f"ob-{name}",
        person=person,
        kind=Kind.CALLBACK,
        due_at=now,
        window_end=now,
        mode=Mode.HUMAN_ONLY,
        origin=name,
        detail="number=13700000001",
        created_at=now,
    )


def test_obligations_move_to_another_entry_and_back(store: Store, now: datetime) -> None:
    with_people(store)
    with store() as work:
        work.debts.add(an_obligation("a", "p2", now))
        work.debts.close("ob-a", "改期", "s001", now)
        work.debts.add(replace(an_obligation("b", "p2", now), id="ob-b"))
        for name in ("ob-a", "ob-b"):
            work.debts.move(name, "p1")
        assert [o.id for o in work.debts.of_person("p1")] == ["ob-a", "ob-b"]
        assert [o.id for o in work.debts.open(person="p1")] == ["ob-b"]
        assert list(work.debts.of_person("p2")) == []
        work.debts.reopen("ob-a")
        assert [o.id for o in work.debts.open(person="p1")] == ["ob-a", "ob-b"]
        twin = replace(an_obligation("a", "p2", now), id="ob-twin")
        work.debts.add(twin)
        with pytest.raises(Conflict):
            work.debts.move("ob-twin", "p1")


def test_the_words_in_somebodys_debts_are_forgotten(store: Store, now: datetime) -> None:
    with_people(store)
    with store() as work:
        work.debts.add(an_obligation("a", "p1", now))
        tried = Attempt(id="at-1", obligation="ob-a", n=1, planned_at=now, by="c017", callee="13700000001")
        work.debts.add_attempt(tried)
        work.debts.close("ob-a", "家属转告:已经搬走", "s001", now)
        work.debts.add(an_obligation("b", "p2", now))
        work.debts.forget("p1")
        forgotten = work.debts.get("ob-a")
        assert (forgotten.detail, forgotten.closing) == ("", Closing(at=now, reason="", by="s001"))
        assert work.debts.attempt("at-1") == replace(tried, callee=None)
        assert work.debts.get("ob-b").detail == "number=13700000001"


def test_an_opt_out_outlives_the_field_key(sqlite_url: str, now: datetime) -> None:
    """Numbers are hashed again under a new key; of an erased one nobody has the number any more."""
    old = KeyRing(master=bytes(range(32)))
    store = open_store(sqlite_url, old)
    with_people(store, SHEN)
    wish = opted_out(store, "p1", now)
    with store() as work:
        work.people.forget("p1")
        work.people.add(Person(id="p9", code="P-9MRT", phones=SHEN.phones, spoken="771203"))
        work.commit()
    store.close()
    both = old.with_new_key()
    rotation = Rotation(sqlite_url, both)
    assert rotation.reseal().left == {}
    rotation.close()
    store = open_store(sqlite_url, both.only_current())
    with store() as work:
        assert work.people.suppressions("p9") == [replace(wish, reason="")]
        known = work.people.by_spoken("771203")
        assert known is not None
        assert known.id == "p9"
    store.close()
