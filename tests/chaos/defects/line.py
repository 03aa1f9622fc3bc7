"""Defects of the line itself: who sits in the queue, what is logged, what a process outlives."""

from __future__ import annotations

from defects.base import Change, Defect

DEFECTS = (
    Defect(
        name="skip_the_re_push",
        changes=(
            Change(
                "callcenter/asterisk/bridge.py",
                "plan_changes(wanted, state.seats, facts, families).without(self._pushed)",
                "Changes()",
            ),
        ),
        faults="",
        caught_by=("members",),
        seconds=8,
    ),
    Defect(
        name="log_who_called",
        changes=(
            Change(
                "callcenter/service/line/records.py",
                "def _session(call: CallRecord) -> SessionRow:\n",
                "def _session(call: CallRecord) -> SessionRow:\n"
                "    import sys\n"
                "    sys.stderr.write(f'a talk with {call.number}\\n')\n",
            ),
        ),
        faults="",
        caught_by=("silence",),
    ),
    Defect(
        # As if nobody were on duty while nobody can tell who is.
        name="empty_the_queue_in_trouble",
        changes=(
            Change(
                "callcenter/asterisk/bridge.py",
                "                failed = True\n",
                "                failed = True\n"
                "                with suppress(PbxError):\n"
                "                    for seat in (await self._queue.state()).seats:\n"
                "                        await self._queue.remove(seat)\n",
            ),
        ),
        faults="postgres_stop",
        caught_by=("reached", "as fast"),
        seed=2,
        seconds=20,
        store="postgres",
    ),
    Defect(
        name="die_with_the_store",
        changes=(
            Change(
                "callcenter/pacing.py",
                "        except Exception as error:\n            spell.failed(error)",
                "        except Exception as error:\n"
                "            if 'Store' in type(error).__name__:\n"
                "                raise\n"
                "            spell.failed(error)",
            ),
        ),
        faults="postgres_stop",
        caught_by=("complaints",),
        seed=2,
        seconds=20,
        store="postgres",
    ),
)
