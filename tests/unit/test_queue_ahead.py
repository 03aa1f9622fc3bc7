"""`queue tonight`, `queue forecast`, `hardship coverage`: what lies ahead, and whom the register reached."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from actors import enlist
from click.testing import CliRunner
from rich.cells import cell_len

from callcenter.bootstrap import App
from callcenter.cli.hardship import hardship
from callcenter.cli.queue import queue
from callcenter.config import Settings
from callcenter.domain.people import Consent, ConsentKind, FileStatus, HardshipFile, Person, Phone
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.followup import tonight
from callcenter.service.followup.debts import rules_of, sweep
from scheduler.cadence import SHANGHAI
from scheduler.obligations import Evidence, EvidenceKind, Kind

MORNING = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
#: File -> name, number, grade, district, first day, agreed to automated calls.
FILES = {
    "WX-001": ("沈建国", "13800001111", "深度困难", "梁溪区", date(2026, 9, 1), True),
    "WX-002": ("周秀英", "13900002222", "相对困难", "滨湖区", date(2026, 8, 5), False),
    "WX-003": ("钱小妹", "13700003333", "深度困难", "梁溪区", date(2026, 10, 20), True),
    "WX-004": ("顾福生", "13600004444", "深度困难", "", date(2026, 11, 10), True),
}


def fill(work: UnitOfWork, settings: Settings) -> None:
    enlist(work)
    for file_no, (name, number, grade, district, since, agreed) in FILES.items():
        person = f"p-{file_no}"
        work.people.add(Person(id=person, code=f"P-{file_no}", name=name, phones=(Phone(number=number),)))
        work.people.put_file(
            HardshipFile(
                file_no=file_no,
                person=person,
                grade=grade,
                status=FileStatus.ACTIVE,
                since=since,
                district=district,
            )
        )
        said = datetime.combine(since, time(), SHANGHAI)
        work.people.add_consent(
            Consent(person=person, kind=ConsentKind.IVR_CHECKIN, granted=agreed, at=said, channel="paper")
        )
    sweep(work, MORNING, rules=rules_of(settings))


@pytest.fixture
def app() -> App:
    """A line with four files: two check-ins are owed a machine may make, one that people have to."""
    app = App(settings=Settings())
    store = MemoryStore()
    app.__dict__["store"] = store
    app.clock = lambda: MORNING.astimezone(UTC)  # type: ignore[method-assign]
    with store() as work:
        fill(work, app.settings)
        work.commit()
    return app


def typed(app: App, command: object, *words: str, actor: str = "s001") -> str:
    done = CliRunner().invoke(command, [*words], obj=app, env={"HOTLINE_ACTOR": actor})  # type: ignore[arg-type]
    assert done.exit_code == 0, done.output
    assert max(map(cell_len, done.output.splitlines())) <= 80 or "--json" in words
    return done.output


def test_tonight_says_whom_the_dialler_will_ring_when_and_whom_people_have_to(app: App) -> None:
    found = json.loads(typed(app, queue, "tonight", "--json"))
    first = [one["code"] for one in found["tries"] if one["n"] == 1]
    assert first == ["P-WX-001", "P-WX-003"]
    assert all(one["at"].startswith("2026-11-24") for one in found["tries"])
    assert "no_automation" in [one["why"] for one in found["people"]]
    with app.store() as work:
        assert work.figures.tries_between(MORNING - timedelta(days=1), MORNING + timedelta(days=1)) == []


def test_tonight_is_read_by_people_masked(app: App) -> None:
    said = typed(app, queue, "tonight")
    assert "沈**" in said
    assert "沈建国" not in said
    assert "无人接听" in said.replace("\n", "")


def test_a_day_that_is_over_cannot_be_looked_ahead_at(app: App) -> None:
    done = CliRunner().invoke(
        queue, ["tonight", "--day", "2026-11-20"], obj=app, env={"HOTLINE_ACTOR": "s001"}
    )
    assert done.exit_code != 0
    assert "已经过去" in str(done.exception)


@pytest.mark.parametrize("words", [("tonight", "--day"), ("forecast", "--until")])
def test_a_day_that_is_none_is_refused_in_words_with_an_example(app: App, words: tuple[str, ...]) -> None:
    for text, said in (("2028-02-30", "2026-11-23"), ("明天", "2026-11-23"), ("2027-11-24", "31 天")):
        done = CliRunner().invoke(queue, [*words, text], obj=app, env={"HOTLINE_ACTOR": "s001"})
        assert done.exit_code != 0
        assert said in str(done.exception)
        assert "%Y" not in done.output


def kept(app: App, count: int, **changes: object) -> None:
    """Put proofs on record, a visit each: an hour apart, the last an hour ago."""
    with app.store() as work:
        debts = work.debts.open()
        for n in range(count):
            plain = Evidence(
                id=f"ev-{n}",
                obligation=debts[n % len(debts)].id,
                kind=EvidenceKind.HOME_VISIT,
                at=MORNING - timedelta(hours=1 + n),
                reference=f"走访{n}",
                by="c017",
            )
            assert work.debts.add_evidence(replace(plain, **changes))  # type: ignore[arg-type]
        work.commit()


def test_a_line_that_began_yesterday_is_measured_since_then(app: App) -> None:
    kept(app, 20)  # yesterday from 15:00 on, and today
    found = json.loads(typed(app, queue, "forecast", "--json"))
    assert (found["people_kept"], found["people_per_workday"]) == (20, 10)


def test_a_visit_that_keeps_two_debts_is_one_contact(app: App) -> None:
    kept(app, 2, reference="走访1", at=MORNING - timedelta(hours=1))
    found = json.loads(typed(app, queue, "forecast", "--json"))
    assert found["people_kept"] == 1


def test_where_all_is_late_and_nobody_works_nobody_reads_that_the_pace_is_enough(app: App) -> None:
    app.clock = lambda: MORNING + timedelta(days=150)  # type: ignore[method-assign]
    found = json.loads(typed(app, queue, "forecast", "--json"))
    assert found["late_now"] == found["late"] == found["owed"] > 0
    assert (found["more_hours_a_week_in_time"], found["people_per_workday"]) == (0, 0)
    assert found["more_hours_a_week"] > 0
    said = typed(app, queue, "forecast").replace("\n", "")
    assert "现在的速度够用" not in said
    assert f"已逾期的 {found['late_now']} 件" in said
    assert "没有算在内" in said


def test_debts_that_no_machine_may_dial_do_not_crowd_out_those_it_may(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tonight, "MOST", 1)
    with app.store() as work:
        no = Consent(
            person="p-WX-001", kind=ConsentKind.IVR_CHECKIN, granted=False, at=MORNING, channel="call"
        )
        work.people.add_consent(no)
        work.commit()
    found = json.loads(typed(app, queue, "tonight", "--json"))
    assert {one["code"] for one in found["tries"]} == {"P-WX-003"}
    assert len(found["people"]) == 1
    assert found["beyond"] > 0


def test_with_nothing_kept_in_four_weeks_all_will_be_late_and_the_hours_are_told(app: App) -> None:
    found = json.loads(typed(app, queue, "forecast", "--until", "2026-12-24", "--json"))
    assert found["owed"] == found["late"] > found["late_now"] > 0
    assert not found["measured"]
    assert found["more_hours_a_week"] > 0
    # A debt of 20 minutes at a time, as the site reckons: the pace that is needed, five days a week.
    assert found["more_hours_a_week"] == pytest.approx(found["needed_per_workday"] * 5 / 3)


def test_the_pace_is_what_people_and_machine_really_kept(app: App) -> None:
    with app.store() as work:
        debts = work.debts.open(kind=Kind.HARDSHIP)
        for n in range(20):
            by_machine = n % 2 == 0
            proof = Evidence(
                id=f"ev-{n}",
                obligation=debts[n % len(debts)].id,
                kind=EvidenceKind.IVR_KEY if by_machine else EvidenceKind.HOME_VISIT,
                at=MORNING - timedelta(days=1 + n),
                reference=f"走访{n}",
                by="ivr" if by_machine else "c017",
            )
            assert work.debts.add_evidence(proof)
        work.commit()
    found = json.loads(typed(app, queue, "forecast", "--json"))
    assert (found["machine_kept"], found["people_kept"], found["measured"]) == (10, 10, True)
    # The first contact on record is 20 days ago: since then 15 workdays.
    assert found["people_per_workday"] == pytest.approx(10 / 15)


def test_a_forecast_ends_before_the_next_holiday(app: App) -> None:
    app.clock = lambda: datetime(2026, 9, 10, 10, tzinfo=SHANGHAI)  # type: ignore[method-assign]
    found = json.loads(typed(app, queue, "forecast", "--json"))
    assert found["until"] == "2026-09-24"  # Mid-Autumn begins on the 25th
    assert "到 2026-09-24" in typed(app, queue, "forecast")


def test_coverage_by_grade_begins_with_the_gravest_and_a_clerk_may_read_it(app: App) -> None:
    with app.store() as work:
        (debt,) = (o for o in work.debts.open(person="p-WX-001") if o.kind is Kind.HARDSHIP)
        proof = Evidence(
            id="ev-1",
            obligation=debt.id,
            kind=EvidenceKind.HOME_VISIT,
            at=MORNING - timedelta(days=3),
            reference="走访1",
            by="c017",
        )
        work.debts.add_evidence(proof)
        work.commit()
    found = json.loads(typed(app, hardship, "coverage", "--json", actor="k001"))
    parts = {part["name"]: part for part in found["parts"]}
    assert list(parts) == ["深度困难", "相对困难"]
    assert (parts["深度困难"]["in_file"], parts["深度困难"]["contacted"]) == (3, 1)
    assert found["total"]["in_file"] == 4
    by_district = json.loads(typed(app, hardship, "coverage", "--by", "district", "--json"))
    assert {part["name"]: part["in_file"] for part in by_district["parts"]} == {
        "（未填）": 1,
        "梁溪区": 2,
        "滨湖区": 1,
    }
    assert "33%" in typed(app, hardship, "coverage")


def test_coverage_by_month_has_a_line_for_each_month_and_no_column_of_today(app: App) -> None:
    found = json.loads(typed(app, hardship, "coverage", "--by", "month", "--since", "2026-09-15", "--json"))
    assert [part["name"] for part in found["parts"]] == ["2026-09", "2026-10", "2026-11"]
    assert "已逾期" not in typed(app, hardship, "coverage", "--by", "month")


def test_the_dates_of_a_span_in_the_wrong_order_are_refused(app: App, tmp_path: Path) -> None:
    words = ["coverage", "--since", "2026-11-20", "--until", "2026-11-01"]
    done = CliRunner().invoke(hardship, words, obj=app, env={"HOTLINE_ACTOR": "k001"})
    assert done.exit_code != 0
    assert "颠倒" in str(done.exception)
