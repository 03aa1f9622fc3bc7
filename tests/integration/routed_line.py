"""A line whose counsellors differ: skills, loads, backups, and what is known of callers, by facts alone.

Nothing of ours runs: facts are written and people seated as the bridge does it, through `hotline-put`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from hashlib import sha1

from harness import COUNSELLOR, SUPERVISOR, Pbx, short_home, test_settings

from callcenter.asterisk.spool import Spool
from callcenter.config import Duty, Escalation, Queue
from callcenter.demo.runner import until
from callcenter.demo.sipp import Caller
from callcenter.domain.users import PhoneKind, User
from callcenter.keys import KeyRing

SECOND = timedelta(seconds=1)
RING, WISH_WAIT, SURGE_CAP = 2 * SECOND, 3 * SECOND, 3 * SECOND
#: What a caller waits before the flow says what else there is.
CAP = 30 * SECOND
MOBILE, CHIEF = "13900000009", "13900000021"
PEOPLE = (
    *(User(code=f"c00{n}", name=name, roles=COUNSELLOR, phone=PhoneKind.SIP)
      for n, name in enumerate(("王芳", "李娜", "张秀英", "刘洋"), 1)),
    # No counsellor's role: the queue would ring everybody longer for the sake of a mobile's key.
    User(code="m001", name="赵敏", roles=SUPERVISOR, phone=PhoneKind.MOBILE, mobile=MOBILE),
    User(code="s001", name="陈静", roles=SUPERVISOR, phone=PhoneKind.MOBILE, mobile=CHIEF, escalation_rank=1),
)  # fmt: skip


class RoutedPbx(Pbx):
    """A running line; `know` and `seat` are what the bridge would do."""

    def know(self, facts: Mapping[str, object], *, decide: Sequence[str] = ()) -> None:
        """Write facts (`family/key`; None or "" removes), then have these agents seated anew."""
        know(self, facts, decide=decide)

    def seat(self, code: str, *skills: str, load: int | None = None) -> None:
        """Put somebody on duty, by facts."""
        self.know(
            {
                f"hotline-skill/{code}": "&".join(skills),
                f"hotline-load/{code}": load,
                f"hotline-signed/{code}": 1,
                f"hotline-shift/{code}": around_now(),
            }
        )

    def on_call(self, *codes: str) -> None:
        """Put these on call as backups now."""
        self.know({f"hotline-backup/{code}": around_now() for code in codes})

    def hash_of(self, text: str) -> str:
        """Return the key of a caller's facts, or of a code's owner."""
        return hash_of(self, text)

    def caller_is(self, number: str, *words: str, rank: int = 0, owner: str = "") -> None:
        """Tell the line about whoever calls from that number."""
        who = self.hash_of(number)
        self.know({f"hotline-fact/{who}": "&".join(words), f"hotline-prio/{who}": rank or "",
                   f"hotline-owner/{who}": owner})  # fmt: skip

    def penalty(self, code: str, queue: str = "hotline") -> int:
        """Return somebody's penalty in a queue."""
        shown = self.console(f"queue show {queue}")
        found = re.search(rf"^ +{code} .*$", shown, re.MULTILINE)
        assert found, f"{code} does not sit in {queue}:\n{shown}"
        stated = re.search(r"with penalty (\d+)", found[0])
        return int(stated[1]) if stated else 0

    def took(self) -> list[tuple[str, str]]:
        """Return (agent, queue) of every call taken, in order."""
        return [(line.agent, line.queue) for line in self.queue_log() if line.event == "CONNECT"]

    def missed(self) -> list[str]:
        """Return who did not pick up, in order."""
        return [line.agent for line in self.queue_log() if line.event == "RINGNOANSWER"]

    def entered(self) -> list[str]:
        """Return the queues callers entered, in order."""
        return [line.queue for line in self.queue_log() if line.event == "ENTERQUEUE"]

    def until_took(self, count: int = 1, seconds: float = 20) -> list[tuple[str, str]]:
        """Wait until so many calls were taken."""
        until(lambda: len(self.took()) >= count, seconds, what=f"call {count} to be taken")
        return self.took()

    def until_in(self, queue: str, count: int = 1) -> None:
        """Wait until so many callers have entered a queue."""
        until(lambda: self.entered().count(queue) >= count, what=f"a caller in {queue}")

    def until_rings(self, code: str) -> None:
        """Wait until a phone rings (or is in a talk)."""
        until(lambda: "(Busy)" in self._said_of(code), what=f"{code} to ring")

    def until_free(self, code: str) -> None:
        """Wait until a phone is at rest."""
        until(lambda: "Not in use" in self._said_of(code), what=f"{code} to be free")

    def _said_of(self, code: str) -> str:
        return next((x for x in self.console("queue show hotline").splitlines() if f" {code} " in x), "")


def know(pbx: Pbx, facts: Mapping[str, object], *, decide: Sequence[str] = ()) -> None:
    """Write facts into a line as the bridge does, then have these agents seated anew."""
    if facts:
        keys = [f"KEY_{n}={key}" for n, key in enumerate(facts, 1)]
        values = [f"VALUE_{n}={'' if v is None else v}" for n, v in enumerate(facts.values(), 1)]
        _order(pbx, "put", [*keys, *values])
    if decide:
        _order(pbx, "decide", [f"AGENT_{n}={agent}" for n, agent in enumerate(decide, 1)])


def _order(pbx: Pbx, exten: str, variables: Sequence[str]) -> None:
    name = f"order-{time.monotonic_ns()}.call"
    head = (f"Channel: Local/{exten}@hotline-put/n", "Application: NoOp")
    Spool(pbx.home).put(name, (*head, *(f"Setvar: {text}" for text in variables)))
    until(lambda: not (pbx.home / "spool" / "outgoing" / name).exists(), what=f"{exten} to be done")


def hash_of(pbx: Pbx, text: str) -> str:
    """Return the key of a caller's facts, or of a code's owner."""
    return sha1(f"{pbx.keys.password('pbx-salt')}{text}".encode()).hexdigest()  # noqa: S324 - as dialplan


def around_now() -> str:
    """Return a span of a fact that holds now."""
    now = int(time.time())
    return f"{now - 60}-{now + 3600}"


def routed_pbx(keys: KeyRing) -> RoutedPbx:
    """Return the line, not yet running."""
    settings = test_settings(
        short_home(),
        queue=Queue(ring=RING, wrap_up=timedelta(0), wait_cap=CAP, wish_wait=WISH_WAIT),
        escalation=Escalation(ring=3 * SECOND, accept=2 * SECOND),
        duty=Duty(surge_cap=SURGE_CAP),
    )
    flows = ("inbound", "checkin", "return_call", "silent")
    return RoutedPbx(settings=settings, keys=keys, users=PEOPLE, flow_names=flows)


def until_left(*callers: Caller) -> None:
    """Hang up for these callers, one after the other."""
    for caller in callers:
        caller.hang_up()
