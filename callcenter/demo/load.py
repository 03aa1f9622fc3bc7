"""A steady load of calls for benches: one SIPp dials, one SIPp is all the counsellors' phones.

No RTP and no full message logs on either side, so that the machine's time goes to the PBX.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

from callcenter.demo.runner import ActorFailed, Address, SippRun, free_media_port, free_ports
from callcenter.demo.sipp import Answer, Phone, render


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadCounts:
    """What SIPp counted. A call is successful if it was answered and ended as written."""

    created: int
    successful: int
    failed: int
    retransmissions: int


class Load:
    """`rate` calls a second for `seconds`, each hanging up `talk` after the PBX answered."""

    def __init__(
        self,
        *,
        pbx: Address,
        folder: Path,
        dials: str,
        rate: float,
        seconds: int,
        talk: timedelta,
        address: str = "127.0.0.2",
    ) -> None:
        self._calls = round(rate * seconds)
        self._rate = rate
        self._limit = seconds + talk.total_seconds()
        self._media = free_media_port(address)
        scenario = render(
            "caller.xml",
            dials=dials,
            **{"from": f"<sip:139[call_number]@{address}>"},
            privacy=False,
            user="",
            password="",
            refusals=(),  # in a load every refusal is a failed call
            give_up=None,
            steps=(),
            breathing=None,
            talk=round(talk / timedelta(milliseconds=1)),
        )
        local = Address(host=address, port=free_ports(1, address)[0])
        self._run = SippRun(folder=folder, scenario=scenario, pbx=pbx, local=local)
        self._counts = folder / "counts.csv"

    def start(self) -> Self:
        """Begin to dial."""
        words = ["-m", str(self._calls), "-r", f"{self._rate:g}", "-l", str(self._calls), "-aa"]
        words += ["-mp", str(self._media), "-recv_timeout", "60000"]
        words += ["-trace_stat", "-stf", str(self._counts), "-fd", "1"]
        self._run.start(words, full_trace=False)
        return self

    def wait(self) -> LoadCounts:
        """Wait for the last call to end and return the counts; failed calls are counted, not raised."""
        try:
            self._run.wait(self._limit + 90)
        except ActorFailed:
            if not self._counts.exists():
                raise
        return self.counts()

    def counts(self) -> LoadCounts:
        """Return the counts so far, as SIPp writes them each second."""
        with self._counts.open(encoding="utf-8", newline="") as source:
            rows = list(csv.DictReader(source, delimiter=";"))
        if not rows:
            raise ActorFailed(f"SIPp counted nothing. See {self._counts.parent}")
        last = rows[-1]
        return LoadCounts(
            created=int(last["TotalCallCreated"]),
            successful=int(last["SuccessfulCall(C)"]),
            failed=int(last["FailedCall(C)"]),
            retransmissions=int(last["Retransmissions(C)"]),
        )

    def stop(self) -> None:
        """End the load at once."""
        self._run.stop()


def load_phones(
    *, pbx: Address, folder: Path, users: Mapping[str, str], ring: timedelta = timedelta(milliseconds=200)
) -> Phone:
    """Return all counsellors' phones as one process; they answer after `ring` and never hang up."""
    return Phone(pbx=pbx, folder=folder, users=users, behaviour=Answer(after=ring), light=True)
