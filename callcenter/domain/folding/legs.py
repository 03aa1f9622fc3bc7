"""Who was rung in a call."""

from __future__ import annotations

from callcenter.domain.folding.reading import Reading


def rung_of(told: Reading, closed: bool) -> tuple[str, ...]:
    """Return everybody who was rung, in order, as `code=answered|no_answer|rung`.

    A phone's ring is its channel; a mobile's is its RING row, and only its ACCEPT is an answer.
    """
    by_row = {agent for _, agent in told.rings}
    rings = [(time, agent, _mobile(told, time, agent, closed)) for time, agent in told.rings]
    for time, agent, channel in told.legs:
        if not channel.startswith("Local/"):
            rings.append((time, agent, _phone(told, channel)))
        elif channel.endswith(";1") and agent not in by_row:
            rings.append((time, agent, _phone(told, channel)))
    return tuple(f"{agent}={end}" for _, agent, end in sorted(rings))


def _phone(told: Reading, channel: str) -> str:
    if told.was_met(channel):
        return "answered"
    return "no_answer" if channel in told.ended else "rung"


def _mobile(told: Reading, time: str, agent: str, closed: bool) -> str:
    again = min((t for t, a in told.rings if a == agent and t > time), default="9")
    if any(a == agent and time <= t < again for t, a in told.accepts):
        return "answered"
    over = closed or any(t > time for t, _ in told.rings)
    return "no_answer" if over else "rung"
