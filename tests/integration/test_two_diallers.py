"""Real processes dial from one store at once, with nobody leading: each debt is dialled once (R28)."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

from dialler_process import NOW, main

from callcenter.db.unit_of_work import SqlStore
from callcenter.demo.runner import until
from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    Grade,
    HardshipFile,
    Person,
    Phone,
)
from callcenter.service.followup.debts import sweep
from scheduler.gates import Rules

WORKERS, DIALLERS, ROUNDS = 24, 3, 3


def enlist(store: SqlStore) -> None:
    """Let so many workers be owed a call now."""
    with store() as work:
        for n in range(WORKERS):
            phones = (Phone(number=f"1380000{n:04d}"),)
            work.people.add(Person(id=f"p{n}", code=f"P-{n}", name="沈建国", phones=phones))
            said = Consent(
                person=f"p{n}",
                kind=ConsentKind.IVR_CHECKIN,
                granted=True,
                at=NOW - timedelta(days=1),
                channel="paper",
            )
            work.people.add_consent(said)
            work.people.put_file(
                HardshipFile(
                    file_no=f"WX-{n}",
                    person=f"p{n}",
                    grade=Grade.DEEP,
                    status=FileStatus.ACTIVE,
                    since=date(2026, 10, 1),
                )
            )
        sweep(work, NOW, rules=Rules())
        work.commit()


def _are_ready(folder: Path, diallers: list[subprocess.Popen[bytes]]) -> bool:
    assert all(dialler.poll() is None for dialler in diallers), "a dialler ended before it began"
    return len(list(folder.glob("ready-*"))) == len(diallers)


def test_r28_processes_that_dial_at_once_dial_each_debt_once(
    sql_store: SqlStore, database_url: str, tmp_path: Path
) -> None:
    enlist(sql_store)
    orders, go = tmp_path / "orders", tmp_path / "go"
    command = [sys.executable, str(Path(__file__).with_name("dialler_process.py")), database_url]
    diallers = [
        subprocess.Popen([*command, str(orders), str(go), str(ROUNDS)], stderr=subprocess.PIPE)
        for _ in range(DIALLERS)
    ]
    try:
        until(lambda: _are_ready(tmp_path, diallers), 60, what="the diallers to be ready")
        go.touch()
        said = [dialler.communicate(timeout=90)[1] for dialler in diallers]
    finally:
        for dialler in diallers:
            dialler.kill()
    assert [dialler.returncode for dialler in diallers] == [0] * DIALLERS, said
    main(database_url, orders, go, 1)  # nobody among them is dialled once more afterwards
    numbers = [line.split()[2] for line in orders.read_text().splitlines()]
    assert sorted(numbers) == [f"1380000{n:04d}" for n in range(WORKERS)]
