"""A file led through the register in any order, by days and by sweeps: table and debts hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from callcenter.config import Settings
from callcenter.domain.books import HOUSEHOLDS
from callcenter.domain.hardship_files import IN_FILE, TABLE, FileStep, is_unconfirmed
from callcenter.domain.households import Household
from callcenter.domain.people import ExitReason, FileStatus, HardshipFile, Person, Phone
from callcenter.domain.users import Role, User
from callcenter.domain.verifying import file_of_exit
from callcenter.errors import Forbidden, Refused
from callcenter.memory import MemoryStore
from callcenter.service.followup.debts import sweep
from callcenter.service.hardship import filing
from callcenter.service.hardship.filing import Taken, register_of
from scheduler.cadence import SHANGHAI
from scheduler.obligations import OF_REGISTER, Kind

WHY = "按入户核查的结果"
FILES = st.sampled_from(["WX-1", "WX-2"])
REGISTER = register_of(Settings())
HOME = "hh-1"
IN = HardshipFile(
    file_no="WX-1",
    person="p1",
    grade="深度困难",
    status=FileStatus.ACTIVE,
    since=date(2026, 2, 1),
    household=HOME,
    notice_from=date(2026, 1, 20),
    notice_to=date(2026, 1, 30),
)
OUT = replace(
    IN,
    file_no="WX-2",
    person="p2",
    status=FileStatus.CLOSED,
    exit_reason=ExitReason.NOT_APPROVED,
    exit_confirmed_by="k001",
)


class Lifecycle(RuleBasedStateMachine):
    """Two workers of one household, each with a file; clerks and supervisors do what they can think of."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.now = datetime(2026, 3, 2, 9, tzinfo=SHANGHAI)
        #: Where each file stands, by the table.
        self.stands: dict[str, FileStatus | None] = {}
        with self.store() as work:
            for code, role in (("k001", Role.CLERK), ("s001", Role.SUPERVISOR)):
                work.users.add(User(code=code, name="李录入", roles=frozenset({role})))
            work.book(HOUSEHOLDS).add(Household(id=HOME))
            work.people.add(Person(id="p1", code="P-1", name="沈建国", phones=(Phone(number="13800000001"),)))
            work.people.add(Person(id="p2", code="P-2", name="钱秀英", phones=(Phone(number="13800000002"),)))
            for file in (IN, OUT):
                work.people.put_file(file)
                self.stands[file.file_no] = file.status
            sweep(work, self.now, rules=REGISTER.owed)
            work.commit()

    def _take(self, step: FileStep | None, file_no: str, act: Callable[..., Taken], **given: object) -> None:
        """Take a step; whether it is refused or not, nothing happens that the table does not know."""
        before = self.stands[file_no]
        with self.store() as work:
            try:
                taken = act(work, file_no, register=REGISTER, now=self.now, **given)
            except (Refused, Forbidden):
                return
            work.commit()
        if step is not None:
            allowed, after = TABLE[step]
            assert before in allowed
            assert taken.after.status is (after or before)
        self.stands[file_no] = taken.after.status

    @rule(file_no=FILES)
    def apply(self, file_no: str) -> None:
        self._take(FileStep.APPLY, file_no, filing.apply, grade="深度困难", actor="k001")

    @rule(file_no=FILES, short=st.booleans())
    def put_up(self, file_no: str, short: bool) -> None:
        end = self.now.date() + timedelta(days=1) if short else None
        self._take(FileStep.NOTICE, file_no, filing.put_up, end=end, actor="k001")
        with self.store() as work:
            file = work.people.file(file_no)
            assert not short or file is None or file.status is not FileStatus.NOTICE or file.notice_to != end

    @rule(file_no=FILES)
    def approve(self, file_no: str) -> None:
        self._take(FileStep.APPROVE, file_no, filing.approve, reason=WHY, actor="k001")

    @rule(file_no=FILES)
    def all_the_way_in(self, file_no: str) -> None:
        self.apply(file_no)
        self.put_up(file_no, short=False)
        self.now += timedelta(days=8)
        self.approve(file_no)

    @rule(file_no=FILES)
    def watch(self, file_no: str) -> None:
        self._take(FileStep.WATCH, file_no, filing.watch, reason=WHY, actor="k001")

    @rule(file_no=FILES, because=st.sampled_from(ExitReason), early=st.sampled_from(["", "全家已就业满一年"]))
    def leave(self, file_no: str, because: ExitReason, early: str) -> None:
        given = {"because": because, "early": early, "reason": WHY}
        self._take(FileStep.LEAVE, file_no, filing.leave, **given, actor="k001")

    @rule(file_no=FILES, grade=st.sampled_from([None, "相对困难", "没有这一类"]))
    def come_back(self, file_no: str, grade: str | None) -> None:
        self._take(FileStep.RETURN, file_no, filing.come_back, grade=grade, reason=WHY, actor="k001")

    @rule(file_no=FILES, grade=st.sampled_from([None, "相对困难", "没有这一类"]))
    def review(self, file_no: str, grade: str | None) -> None:
        self._take(FileStep.REVIEW, file_no, filing.review, grade=grade, reason=WHY, actor="k001")

    @rule(file_no=FILES, back=st.booleans(), actor=st.sampled_from(["k001", "s001"]))
    def confirm(self, file_no: str, back: bool, actor: str) -> None:
        self._take(None, file_no, filing.confirm, back=back, reason=WHY, actor=actor)

    @rule(days=st.sampled_from([0, 1, 8, 200]))
    def time_goes_by(self, days: int) -> None:
        self.now += timedelta(days=days, minutes=3)

    @rule()
    def the_round_sweeps(self) -> None:
        with self.store() as work:
            sweep(work, self.now, rules=REGISTER.owed)
            work.commit()

    @invariant()
    def who_is_in_file_is_owed_and_nobody_else(self) -> None:
        with self.store() as work:
            for file in work.people.files():
                owed = [o.kind for o in work.debts.open(person=file.person) if o.kind in OF_REGISTER]
                assert sorted(owed) == (sorted(OF_REGISTER) if file.status in IN_FILE else [])

    @invariant()
    def whoever_left_and_is_not_confirmed_is_asked_about_once(self) -> None:
        with self.store() as work:
            asked = [file_of_exit(o) for o in work.debts.open(kind=Kind.VERIFY)]
            assert sorted(map(str, asked)) == [f.file_no for f in work.people.files() if is_unconfirmed(f)]

    @invariant()
    def a_household_has_one_open_file(self) -> None:
        with self.store() as work:
            files = work.people.files_of_household(HOME)
            assert sum(file.status is not FileStatus.CLOSED for file in files) <= 1

    @invariant()
    def nobody_is_in_file_without_a_notice_that_is_over(self) -> None:
        with self.store() as work:
            for file in work.people.files():
                if file.status in IN_FILE:
                    assert file.notice_to is not None
                    assert file.notice_to < self.now.date()
                    assert file.since <= self.now.date()


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
