"""Defects of calling out and of what is owed."""

from __future__ import annotations

from defects.base import Change, Defect

DISPATCH = "callcenter/service/followup/dispatch.py"
DOUBTS = "callcenter/service/followup/doubts.py"
SETTLING = "callcenter/service/followup/settling.py"
GATES = "scheduler/gates.py"

DEFECTS = (
    Defect(
        name="never_dial",
        changes=(
            Change(
                "callcenter/serving/dialling.py", "        if not self._lead.is_ours:", "        if True:"
            ),
        ),
        faults="",
        caught_by=("dials",),
        seconds=8,
    ),
    Defect(
        name="order_twice",
        changes=(
            Change(
                "callcenter/asterisk/control.py",
                '                await self._link.send("Originate", action_id=action_id, **headers)',
                '                await self._link.send("Originate", action_id=action_id, **headers)\n'
                '                again = headers | {"ChannelId": call.id + "b"}\n'
                '                await self._link.send("Originate", **again)',
            ),
        ),
        faults="",
        caught_by=("debts",),
        seconds=20,
    ),
    Defect(
        name="owe_no_call_back",
        changes=(
            Change(
                SETTLING,
                "    for kind in promised_in(record):",
                "    for kind in ():",
            ),
        ),
        faults="",
        caught_by=("promises",),
        seconds=25,
    ),
    Defect(
        # The order goes out, and only its answer has the attempt written.
        name="dial_before_commit",
        changes=(
            Change(
                DISPATCH,
                "log = logging.getLogger(__name__)",
                "log = logging.getLogger(__name__)\n_UNWRITTEN = {}",
            ),
            Change(
                DISPATCH,
                "work.debts.add_attempt(replace(attempt, callee=callee))",
                "_UNWRITTEN[attempt.id] = replace(attempt, callee=callee)",
            ),
            Change(
                DISPATCH,
                "                work.debts.note_placed(attempt_id, now)",
                "                work.debts.add_attempt(_UNWRITTEN.pop(attempt_id))\n"
                "                work.debts.note_placed(attempt_id, now)",
            ),
            Change(
                DISPATCH,
                "            return work.debts.attempt(attempt.id)",
                "            return _UNWRITTEN[attempt.id]",
            ),
        ),
        faults="kill",
        caught_by=("debts", "results"),
        seconds=25,
    ),
    Defect(
        # A doubt waits for the journal and for the live call to end, and is then unknown, which a record
        # still mends.
        name="settle_a_doubt_at_once_as_no_answer",
        changes=(
            Change(
                DOUBTS,
                "    gone = [a for a in waiting if a.id not in alive.ids and not may_be_born(a, looked_at)]",
                "    gone = waiting",
            ),
            Change(
                DOUBTS,
                "        doubt = doubt_after(attempt, look) if attempt is not None else None",
                "        from scheduler.obligations import Doubt\n\n"
                "        doubt = Doubt.SILENT if attempt is not None and attempt.result is None else None",
            ),
            Change(SETTLING, "        result=Result.UNKNOWN,", "        result=Result.NO_ANSWER,"),
        ),
        faults="",
        caught_by=("results",),
        seconds=25,
    ),
    Defect(
        # Whoever is called is leased; while it is in doubt or goes on, two gates refuse besides. (Cleared
        # when the process starts, a call of seconds is mostly over by then.)
        name="clear_leases_on_start_of_a_round",
        changes=(
            Change(
                DISPATCH,
                "            sweep_plans(work, now, self.ledger.rules)",
                "            sweep_plans(work, now, self.ledger.rules)\n"
                "            for owed in work.debts.open():\n"
                "                if owed.lease is not None:\n"
                "                    work.debts.release(owed.id, owed.lease.fence, None)",
            ),
            Change(
                GATES,
                "return not any(a.in_doubt for a in (*s.attempts, *s.person.attempts)),",
                "return True,",
            ),
            Change(GATES, "return not s.person.live_call,", "return True,"),
        ),
        faults="",
        caught_by=("one at a time",),
        seconds=25,
    ),
    Defect(
        # A lease ends by itself after minutes, or with what it was for.
        name="leave_leases",
        changes=(
            Change(
                "scheduler/dispatcher.py", "LEASE = timedelta(minutes=3)", "LEASE = timedelta(minutes=50)"
            ),
            Change(SETTLING, "    if lease is not None and lease.owner == attempt.id:", "    if False:"),
        ),
        faults="",
        caught_by=("doubts",),
    ),
    Defect(
        name="a_ring_is_a_proof",
        changes=(Change(SETTLING, "    if attempt.result is Result.REACHED_SELF_IVR_OK:", "    if True:"),),
        faults="",
        caught_by=("proofs",),
        seconds=25,
    ),
)
