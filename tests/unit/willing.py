"""A person as the scheduler sees them, whom nothing keeps from being called; tests take away from it."""

from __future__ import annotations

from scheduler.gates import Person

#: Agreed, can be reached, and is in no danger.
WILLING = Person(
    ivr_consent=True,
    no_automation=False,
    no_outbound=False,
    refused_topic=False,
    no_ivr=False,
    phones=1,
    usable_phones=1,
    safe_phones=1,
    leased_elsewhere=False,
    live_call=False,
    high_risk=False,
    attempts=(),
)
