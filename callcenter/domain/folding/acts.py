"""What people did by phone, out of the rows that dialplan wrote about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from callcenter.domain.alarms import AlarmAck
from callcenter.domain.duty import PresenceAct, PresenceEvent
from callcenter.domain.folding.facts import Acts, LineAct, LineActKind, ProbeSeen
from callcenter.domain.journal import Row, words_of

#: Rows that are acts.
ACTS = frozenset({"DUTY", "ALARM_ACK", "SELFDIAL", *LineActKind})


def acts_of(rows: Iterable[Row]) -> Acts:
    """Return the acts that rows tell. A row without its words tells none."""
    presence, acks, probes, line = [], [], [], []
    for row in rows:
        words = words_of(row)
        match row.event, words:
            case "DUTY", {"agent": agent, "act": act} if act in set(PresenceAct):
                presence.append(_presence(row, agent, PresenceAct(act), words.get("reason", "")))
            case "ALARM_ACK", {"alarm": alarm, "by": by}:
                acks.append(AlarmAck(alarm=alarm, by=by, at=row.at))
            case "SELFDIAL", {"probe": probe}:
                members = words.get("members", "")
                count = int(members) if members.isascii() and members.isdigit() else 0
                probes.append(ProbeSeen(probe=probe, members=count, at=row.at))
            case event, _ if event in set(LineActKind):
                line.append(_line_act(row, words))
    return Acts(presence=tuple(presence), acks=tuple(acks), probes=tuple(probes), line=tuple(line))


def _presence(row: Row, agent: str, act: PresenceAct, reason: str) -> PresenceEvent:
    return PresenceEvent(
        key=f"{row.unique}:{row.time}", agent=agent, act=act, at=row.at, source="phone", reason=reason
    )


def _line_act(row: Row, words: Mapping[str, str]) -> LineAct:
    key, told = f"{row.unique}:{row.time}:{row.event}", tuple(sorted(words.items()))
    call = words.get("call") or row.linked  # the key was pressed on a second line, about the caller's call
    return LineAct(key=key, kind=LineActKind(row.event), call=call, words=told, at=row.at)
