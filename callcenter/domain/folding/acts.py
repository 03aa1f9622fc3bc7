"""What people did by phone, out of the rows that dialplan wrote about it."""

from __future__ import annotations

from collections.abc import Iterable

from callcenter.domain.alarms import AlarmAck
from callcenter.domain.duty import PresenceAct, PresenceEvent
from callcenter.domain.folding.facts import Acts, ProbeSeen
from callcenter.domain.journal import Row, words_of

#: Rows that are acts.
ACTS = frozenset({"DUTY", "ALARM_ACK", "SELFDIAL"})


def acts_of(rows: Iterable[Row]) -> Acts:
    """Return the acts that rows tell. A row without its words tells none."""
    presence, acks, probes = [], [], []
    for row in rows:
        words = words_of(row)
        match row.event, words:
            case "DUTY", {"agent": agent, "act": act} if act in set(PresenceAct):
                presence.append(_presence(row, agent, PresenceAct(act)))
            case "ALARM_ACK", {"alarm": alarm, "by": by}:
                acks.append(AlarmAck(alarm=alarm, by=by, at=row.at))
            case "SELFDIAL", {"probe": probe}:
                members = words.get("members", "")
                count = int(members) if members.isascii() and members.isdigit() else 0
                probes.append(ProbeSeen(probe=probe, members=count, at=row.at))
    return Acts(presence=tuple(presence), acks=tuple(acks), probes=tuple(probes))


def _presence(row: Row, agent: str, act: PresenceAct) -> PresenceEvent:
    return PresenceEvent(key=f"{row.unique}:{row.time}", agent=agent, act=act, at=row.at, source="phone")
