"""Households, a file's way and what was agreed about a number: kept and read the same in every store."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from actors import enlist

from callcenter.config import Settings
from callcenter.domain.books import HOUSEHOLDS
from callcenter.domain.households import Household, Member
from callcenter.domain.people import ExitReason, FileStatus, HardshipFile, Person, Phone, SafeContact
from callcenter.domain.privacy import RequestKind
from callcenter.errors import Refused
from callcenter.ports import Store
from callcenter.service.followup.debts import sweep
from callcenter.service.hardship import filing, households
from callcenter.service.people import phones
from callcenter.service.privacy import erasing, requests
from scheduler.cadence import SHANGHAI
from scheduler.obligations import Kind

REGISTER = filing.register_of(Settings())
NOW = datetime(2026, 11, 23, 10, tzinfo=SHANGHAI)
DAY = timedelta(days=1)
WHY = "按入户核查的结果"
FILE = HardshipFile(
    file_no="WX-1",
    person="p1",
    grade="本站一类",
    status=FileStatus.CLOSED,
    since=date(2026, 9, 1),
    household="hh-1",
    notice_from=date(2026, 8, 1),
    notice_to=date(2026, 8, 10),
    review_due=date(2027, 9, 1),
    exit_reason=ExitReason.RETIRED,
    exit_confirmed_by="k001",
)
HOME = Household(id="hh-1", register_no="HH-17", members=(Member(name="沈小梅", relation="女儿"),))


def registered(store: Store, *files: HardshipFile) -> None:
    with store() as work:
        enlist(work, "c017", "s001", "k001")
        work.book(HOUSEHOLDS).add(HOME)
        for n in (1, 2):
            phone = Phone(number=f"1380000111{n}")
            work.people.add(Person(id=f"p{n}", code=f"P-{n}", name="沈建国", phones=(phone,)))
        for file in files:
            work.people.put_file(file)
        sweep(work, NOW, rules=REGISTER.owed)
        work.commit()


def test_a_file_and_its_household_come_back_whole(store: Store) -> None:
    other = replace(FILE, file_no="WX-2", person="p2", household=None)
    registered(store, FILE, other)
    with store() as work:
        assert work.people.file("WX-1") == FILE
        assert work.people.files_of_household("hh-1") == [FILE]
        assert work.people.files_of_household("hh-2") == []
        assert households.home_of(work, "WX-1", actor="k001").members == HOME.members


def test_what_was_agreed_about_a_number_comes_back_whole(store: Store) -> None:
    registered(store)
    agreed = SafeContact(
        label="家里",
        voicemail=True,
        sms=True,
        windows=((time(19), time(21, 30)), (time(22), time(1))),
        say_name="老沈",
        code_word="晚饭",
    )
    with store() as work:
        phones.agree(work, "p1", 1, agreed, actor="s001", now=NOW)
        phones.change_phone(work, "p1", 1, confirmed=True, actor="s001", now=NOW)
        work.commit()
    with store() as work:
        [phone] = work.people.get("p1").phones
        assert (phone.agreed, phone.verified_at) == (agreed, NOW)


def test_a_second_file_of_a_household_is_refused_and_a_move_makes_room(store: Store) -> None:
    active = replace(FILE, status=FileStatus.ACTIVE, grade="深度困难")
    registered(store, active, replace(FILE, file_no="WX-2", person="p2", grade="深度困难"))
    with store() as work:
        with pytest.raises(Refused, match="WX-1"):
            filing.come_back(work, "WX-2", register=REGISTER, actor="k001", now=NOW, reason=WHY)
        households.move_home(work, "WX-1", beside=None, actor="k001", now=NOW, reason=WHY)
        filing.come_back(work, "WX-2", register=REGISTER, actor="k001", now=NOW, reason=WHY)
        work.commit()
    with store() as work:
        assert [f.file_no for f in work.people.files_of_household("hh-1")] == ["WX-2"]
        assert {o.kind for o in work.debts.open(person="p2")} == {Kind.HARDSHIP, Kind.VISIT}


def test_r34_leaving_is_asked_about_confirmed_and_denied(store: Store) -> None:
    registered(store, replace(FILE, status=FileStatus.WATCH, exit_reason=None, exit_confirmed_by=None))
    how = {"register": REGISTER, "actor": "s001", "reason": WHY}

    def owed() -> set[Kind]:
        with store() as work:
            return {o.kind for o in work.debts.open(person="p1")}

    for n, (back, after) in enumerate([(True, {Kind.HARDSHIP, Kind.VISIT}), (False, set())]):
        at = NOW + 2 * n * DAY
        with store() as work:
            filing.leave(work, "WX-1", because=ExitReason.MOVED, now=at, **how)  # type: ignore[arg-type]
            work.commit()
        assert owed() == {Kind.VERIFY}
        with store() as work:
            taken = filing.confirm(work, "WX-1", back=back, now=at + DAY, **how)  # type: ignore[arg-type]
            work.commit()
        assert taken.after.status is (FileStatus.WATCH if back else FileStatus.CLOSED)
        assert owed() == after


def test_r43_who_lived_with_them_is_forgotten_with_the_worker(store: Store) -> None:
    registered(store, FILE)
    with store() as work:
        asked = requests.open_request(
            work,
            "p1",
            RequestKind.ERASURE,
            identity_check="回拨登记号码",
            wish="请删除我的资料",
            actor="c017",
            now=NOW,
        )
        told = erasing.erase(work, asked.id, actor="s001", now=NOW, reason="本人书面申请")
        work.commit()
    assert ("家庭成员(困难档案)", 1) in [(item.what, item.count) for item in told.goes]
    with store() as work:
        assert work.book(HOUSEHOLDS).get("hh-1") == replace(HOME, members=(), register_no="", revision=1)
