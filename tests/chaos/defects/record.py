"""Defects of the record: how the journal is read, folded and stored."""

from __future__ import annotations

from defects.base import Change, Defect

FOLLOWER = "callcenter/asterisk/journal.py"
CALL = "callcenter/domain/folding/call.py"

DEFECTS = (
    Defect(
        name="leave_a_file_that_is_renamed",
        changes=(
            Change(
                FOLLOWER,
                "        while at + 1 < len(ids) and self._offset >= self.segments[at].size:",
                "        while at + 1 < len(ids):",
            ),
        ),
        faults="hang,journal_rotated",
        caught_by=("once", "second witness", "times"),
        seconds=25,
    ),
    Defect(
        name="answered_when_it_rings",
        changes=(
            Change(
                CALL,
                "    found = min(told.human_meetings(), default=None)",
                "    found = (told.offered, None, 'queue') if told.offered else None",
            ),
        ),
        faults="",
        caught_by=("second witness", "times", "parties"),
    ),
    Defect(
        name="an_end_nobody_saw_is_certain",
        changes=(
            Change(
                CALL,
                "        end_is_uncertain=died and not told.queue_end(_QUEUE_END),",
                "        end_is_uncertain=False,",
            ),
        ),
        faults="pbx_kill",
        caught_by=("times",),
        seconds=20,
    ),
    Defect(
        name="ignore_that_the_pbx_died",
        changes=(
            Change(
                CALL,
                "    return not told.has_ended and boot > float(told.first_time)",
                "    return False",
            ),
        ),
        faults="pbx_kill",
        caught_by=("rest", "once"),
        seconds=20,
    ),
    Defect(
        name="a_record_for_who_gave_up",
        changes=(
            Change(
                "callcenter/service/line/records.py",
                "    return call.direction is Direction.INBOUND and call.answered_at is not None",
                "    return call.direction is Direction.INBOUND",
            ),
        ),
        faults="",
        caught_by=("sessions",),
    ),
    Defect(
        name="another_took_the_call",
        changes=(
            Change(
                CALL,
                "        answered_by=by,",
                "        answered_by='c001' if by else by,",
            ),
        ),
        faults="",
        caught_by=("parties",),
    ),
    Defect(
        # Rows that a copy holds once more are rows once more.
        name="drop_the_dedupe",
        changes=(
            Change(
                "callcenter/domain/folding/reading.py",
                "            if row != before and (act := acts.get(row[1])):",
                "            if act := acts.get(row[1]):",
            ),
        ),
        faults="journal_twice",
        caught_by=("second witness",),
        seconds=20,
    ),
    Defect(
        # A start reads open calls again, and with them the last rows of calls that ended meanwhile.
        name="take_what_is_on_record_for_new",
        changes=(
            Change(
                FOLLOWER,
                "        if self._replay:\n            return ()",
                "        if True:\n            return ()",
            ),
        ),
        faults="kill",
        caught_by=("times", "once"),
        seconds=25,
    ),
    Defect(
        # The place goes past rows of calls that are not written as ended yet; nobody reads those again.
        name="checkpoint_before_write",
        changes=(
            Change(
                FOLLOWER,
                "number, offset = low or (self._numbers[self._segment], self._offset)",
                "number, offset = self._numbers[self._segment], self._offset",
            ),
        ),
        faults="kill",
        caught_by=("times", "once"),
        seconds=25,
    ),
    Defect(
        # Asterisk's start is in queue_log; should that be lost, the first channel's number shows it.
        name="ignore_the_second_witness",
        changes=(
            Change(
                FOLLOWER,
                "        count = 0\n        while found := self._queue.next():",
                "        count = 0\n        while found := None:",
            ),
            Change(
                "callcenter/domain/folding/state.py",
                'if not again and row.event == "CHAN_START" and _FIRST_CHANNEL.fullmatch(row.unique):',
                "if False:",
            ),
        ),
        faults="pbx_kill",
        caught_by=("once", "rest"),
        seconds=20,
    ),
    Defect(
        name="wait_for_a_row_that_was_cut",
        changes=(
            Change(
                "callcenter/asterisk/journal_rows.py",
                "        if _ROW.match(text, start.start()):\n            return start.start()",
                "        if _ROW.match(text, start.start()):\n            break",
            ),
        ),
        faults="journal_cut",
        caught_by=("once", "rest"),
        seed=5,
    ),
    Defect(
        name="never_look_for_a_late_file",
        changes=(
            Change(
                FOLLOWER,
                "        return next((n for n, s in enumerate(before) if",
                "        return None and next((n for n, s in enumerate(before) if",
            ),
        ),
        faults="hang,journal_late",
        caught_by=("once", "times", "rest"),
        seed=681,
    ),
)
