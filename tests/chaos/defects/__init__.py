"""Defects that somebody could write into the product: one exact change each, and a round that catches it.

A suite that passes proves nothing until it was seen to fail. `scripts/chaos --bite` applies each to a copy
of the product, which only the site's own processes run from, and plays its round.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Defect:
    """One change of one file, and the shortest round known to catch it."""

    name: str
    file: str
    #: Stands exactly once in the file.
    old: str
    new: str
    #: Faults of the round; none: calls alone.
    faults: str
    #: Invariants, any of which catches it.
    caught_by: tuple[str, ...]
    seed: int = 1
    seconds: float = 15.0
    store: str = "sqlite"


FOLLOWER = "callcenter/asterisk/journal.py"
CALL = "callcenter/domain/folding/call.py"

DEFECTS: dict[str, Defect] = {
    defect.name: defect
    for defect in (
        Defect(
            name="order_twice",
            file="callcenter/asterisk/control.py",
            old='                await self._link.send("Originate", action_id=action_id, **headers)',
            new='                await self._link.send("Originate", action_id=action_id, **headers)\n'
            '                await self._link.send("Originate", **(headers | {"ChannelId": call.id + "b"}))',
            faults="",
            caught_by=("debts",),
            seconds=20,
        ),
        Defect(
            name="leave_a_file_that_is_renamed",
            file=FOLLOWER,
            old="        while at + 1 < len(ids) and self._offset >= self.segments[at].size:",
            new="        while at + 1 < len(ids):",
            faults="hang,journal_rotated",
            caught_by=("once", "second witness", "times"),
            seconds=25,
        ),
        Defect(
            name="answered_when_it_rings",
            file=CALL,
            old="    found = min(told.human_meetings(), default=None)",
            new="    found = (told.offered, None, 'queue') if told.offered else None",
            faults="",
            caught_by=("second witness", "times"),
        ),
        Defect(
            name="an_end_nobody_saw_is_certain",
            file=CALL,
            old="        end_is_uncertain=died and not told.queue_end(_QUEUE_END),",
            new="        end_is_uncertain=False,",
            faults="pbx_kill",
            caught_by=("times",),
            seconds=20,
        ),
        Defect(
            name="ignore_that_the_pbx_died",
            file=CALL,
            old="    return not told.has_ended and boot > float(told.first_time)",
            new="    return False",
            faults="pbx_kill",
            caught_by=("rest", "once"),
            seconds=20,
        ),
        Defect(
            name="log_who_called",
            file="callcenter/service/line/records.py",
            old="def _session(call: CallRecord) -> SessionRow:\n",
            new="def _session(call: CallRecord) -> SessionRow:\n"
            "    import sys\n"
            "    sys.stderr.write(f'a talk with {call.number}\\n')\n",
            faults="",
            caught_by=("silence",),
        ),
        Defect(
            name="a_record_for_who_gave_up",
            file="callcenter/service/line/records.py",
            old="    return call.direction is Direction.INBOUND and call.answered_at is not None",
            new="    return call.direction is Direction.INBOUND",
            faults="",
            caught_by=("sessions",),
        ),
        Defect(
            name="skip_the_re_push",
            file="callcenter/asterisk/bridge.py",
            old="plan_changes(wanted, state.seats, facts, families).without(self._pushed)",
            new="Changes()",
            faults="",
            caught_by=("members",),
            seconds=8,
        ),
        Defect(
            name="owe_no_call_back",
            file="callcenter/service/followup/settling.py",
            old="    if record.direction is Direction.INBOUND and promised_in(record):",
            new="    if False:",
            faults="",
            caught_by=("promises",),
            seed=7,
            seconds=42,
        ),
        Defect(
            name="another_took_the_call",
            file=CALL,
            old="        answered_by=by,",
            new="        answered_by='c001' if by else by,",
            faults="",
            caught_by=("parties",),
        ),
    )
}
