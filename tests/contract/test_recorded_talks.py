"""I8: a recorded talk stands with the consent that the journal tells, or nobody ever hears it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from callcenter.domain.books import HOLDS, RECORDINGS, TOMBSTONES
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.fold import Facts, LineAct
from callcenter.domain.folding.facts import LineActKind
from callcenter.domain.privacy import Hold, Recording, Tombstone
from callcenter.domain.users import Role, User
from callcenter.errors import Forbidden, NotFound, Refused
from callcenter.ports import Store
from callcenter.service.health import doctor_line
from callcenter.service.health.doctor import State
from callcenter.service.line import recordings, records, talks
from callcenter.service.privacy import recording_drops
from callcenter.service.privacy.retention_acts import put_tombstone

CALL = "pbx1-1700000000.7"
VOICE = b"RIFF....WAVEfmt " + bytes(range(256)) * 400
WHY = "来电者撤回了同意"


def begin(store: Store, now: datetime, *acts: str, outcome: Outcome = Outcome.ANSWERED) -> None:
    """Let the call be over, and its journal be read with these acts of a recording."""
    people = {"c001": Role.COUNSELLOR, "s001": Role.SUPERVISOR, "x001": Role.ADMIN}
    with store() as work:
        for code, role in people.items():
            work.users.add(User(code=code, name="林晓燕", roles=frozenset({role})))
        work.commit()
    call = CallRecord(
        id=CALL,
        direction=Direction.INBOUND,
        outcome=outcome,
        started_at=now,
        answered_at=now,
        answered_by="c001",
        number="13800138000",
    )
    follow(store, now, acts, call)


def follow(store: Store, now: datetime, acts: Iterable[str], *calls: CallRecord) -> None:
    """Let the journal tell, as it may do twice."""
    line = [act_of(act, now + timedelta(seconds=n)) for n, act in enumerate(acts)]
    hooks = records.Hooks(on_line_acts=(talks.on_line_acts,))
    with store() as work:
        records.apply(work, Facts(calls=calls, line=tuple(line)), now, hooks)
        work.commit()


def act_of(act: str, at: datetime, n: int = 1) -> LineAct:
    words = (("act", act), ("agent", "c001"), ("n", str(n)))
    return LineAct(key=f"{act}:{at}", kind=LineActKind.RECORD, call=CALL, words=words, at=at)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


def taped(store: Store, spool: Path, folder: Path, now: datetime, sound: bytes = VOICE) -> int:
    """Leave a tape as the PBX does, and let the sealing go round."""
    (spool / f"{CALL}-1.wav").write_bytes(sound)
    return recordings.seal_waiting(store, spool, folder, now=datetime.now(UTC) + timedelta(minutes=1))


def the_row(store: Store) -> Recording:
    with store() as work:
        (row,) = work.book(RECORDINGS).where()
    return row


def test_r15_after_a_yes_it_is_sealed_and_a_supervisor_hears_it_with_a_reason(
    store: Store, spool: Path, folder: Path, now: datetime
) -> None:
    begin(store, now, "asked", "agreed")
    assert taped(store, spool, folder, now) == 1
    assert list(spool.iterdir()) == []
    row = the_row(store)
    assert (row.kind, row.agent, row.agreed_at) == ("call", "c001", now + timedelta(seconds=1))
    assert all(VOICE[200:260] not in file.read_bytes() for file in folder.iterdir())
    with store() as work:
        for who in ("c001", "x001"):
            with pytest.raises(Forbidden):
                talks.hear(work, folder, CALL, actor=who, now=now, reason=WHY)
        with pytest.raises(Refused):
            talks.hear(work, folder, CALL, actor="s001", now=now, reason=" ")
        (heard,) = talks.hear(work, folder, CALL, actor="s001", now=now, reason="督导复听")
        assert b"".join(heard.sound()) == VOICE
        (entry,) = work.audit.recent(1)
        assert (entry.actor, entry.verb, entry.object) == ("s001", "recording.hear", f"recording:{row.id}")
        assert not recordings.of_call(work, CALL)  # it is no message of the caller's


def test_the_journal_told_again_changes_nothing(
    store: Store, spool: Path, folder: Path, now: datetime
) -> None:
    begin(store, now, "asked", "agreed", "withdrawn")
    taped(store, spool, folder, now)
    before = the_row(store)
    follow(store, now, ["asked", "agreed", "withdrawn"])
    assert the_row(store) == before
    assert before.withdrawn_at == now + timedelta(seconds=2)


@pytest.mark.parametrize("acts", [(), ("asked",), ("asked", "refused")])
def test_i8_a_sound_nobody_agreed_to_is_heard_by_nobody_named_by_the_doctor_and_dropped_after_a_week(
    store: Store, spool: Path, folder: Path, now: datetime, acts: tuple[str, ...]
) -> None:
    begin(store, now, *acts)
    assert taped(store, spool, folder, now) == 1
    row = the_row(store)
    assert (row.kind, row.agreed_at) == ("call", None)
    with store() as work:
        with pytest.raises(Refused, match="没有来电者同意"):
            talks.hear(work, folder, CALL, actor="s001", now=now, reason="督导复听")
        assert doctor_line.recordings(work).state is State.BAD
    assert recording_drops.drop_without_consent(store, now=row.at + timedelta(days=6)) == 0
    assert recording_drops.drop_without_consent(store, now=row.at + timedelta(days=7)) == 1
    gone = the_row(store)
    assert (gone.file, gone.key) == ("", "")
    with store() as work:
        assert doctor_line.recordings(work).state is State.OK
        (stone,) = work.book(TOMBSTONES).where(object=f"recording:{row.id}")
        assert (stone.rule, stone.by) == ("without_consent", "system")
    assert recordings.sweep(store, folder, now=datetime.now(UTC) + timedelta(hours=2)) == 1
    assert not list(folder.iterdir())


def test_i8_a_consent_that_is_read_late_still_counts(
    store: Store, spool: Path, folder: Path, now: datetime
) -> None:
    begin(store, now)
    taped(store, spool, folder, now)
    follow(store, now, ["asked", "agreed"])
    assert the_row(store).agreed_at == now + timedelta(seconds=1)
    assert recording_drops.drop_without_consent(store, now=now + timedelta(days=99)) == 0
    with store() as work:
        (heard,) = talks.hear(work, folder, CALL, actor="s001", now=now, reason="督导复听")
        assert b"".join(heard.sound()) == VOICE


def test_a_talk_that_still_goes_on_is_not_touched(
    store: Store, spool: Path, folder: Path, now: datetime
) -> None:
    begin(store, now, "asked", "agreed", outcome=Outcome.OPEN)
    assert taped(store, spool, folder, now) == 0
    assert [file.name for file in spool.iterdir()] == [f"{CALL}-1.wav"]


def test_dropped_it_opens_for_nobody_and_does_not_come_back(
    store: Store, spool: Path, folder: Path, now: datetime
) -> None:
    begin(store, now, "asked", "agreed")
    taped(store, spool, folder, now)
    with store() as work:
        with pytest.raises(Forbidden):
            recording_drops.drop(work, CALL, actor="c001", now=now, reason=WHY)
        with pytest.raises(Refused):
            recording_drops.drop(work, CALL, actor="s001", now=now, reason="")
        assert len(recording_drops.drop(work, CALL, actor="s001", now=now, reason=WHY)) == 1
        work.commit()
    gone = the_row(store)
    assert (gone.file, gone.key, gone.dropped_at) == ("", "", now)
    assert gone.agreed_at is not None  # that they agreed stays on record
    with store() as work:
        with pytest.raises(NotFound):
            talks.hear(work, folder, CALL, actor="s001", now=now, reason="督导复听")
        with pytest.raises(NotFound):
            recording_drops.drop(work, CALL, actor="s001", now=now, reason=WHY)
        (entry,) = work.audit.recent(1)
        assert (entry.verb, entry.reason) == ("recording.drop", WHY)
        assert [one.rule for one in work.book(TOMBSTONES).where()] == ["recording.drop"]
    follow(store, now, ["asked", "agreed", "withdrawn"])
    taped(store, spool, folder, now)
    assert list(spool.iterdir()) == []
    assert (the_row(store).file, the_row(store).dropped_at) == ("", now)


def test_dropped_before_it_was_sealed_the_clear_one_is_thrown_away(
    store: Store, spool: Path, folder: Path, now: datetime
) -> None:
    begin(store, now, "asked", "agreed")
    with store() as work:
        recording_drops.drop(work, CALL, actor="s001", now=now, reason=WHY)
        work.commit()
    taped(store, spool, folder, now)
    assert list(spool.iterdir()) == []
    assert not folder.exists()
    assert the_row(store).file == ""


@pytest.mark.parametrize("agreed", [True, False])
def test_r42_a_legal_hold_keeps_it(
    store: Store, spool: Path, folder: Path, now: datetime, agreed: bool
) -> None:
    begin(store, now, *(("asked", "agreed") if agreed else ()))
    taped(store, spool, folder, now)
    with store() as work:
        (session,) = work.sessions.all()
        hold = Hold(id="ho-1", object=f"session:{session.id}", by="s001", at=now, reason="投诉处理中")
        work.book(HOLDS).add(hold)
        work.commit()
    with store() as work, pytest.raises(Refused, match="保全"):
        recording_drops.drop(work, CALL, actor="s001", now=now, reason=WHY)
    assert recording_drops.drop_without_consent(store, now=now + timedelta(days=999)) == 0
    assert the_row(store).file != ""


def test_what_retention_took_away_is_not_brought_back_by_an_old_journal(store: Store, now: datetime) -> None:
    begin(store, now, "asked", "agreed")
    row = the_row(store)
    with store() as work:
        put_tombstone(
            work, Tombstone(id="to-1", object=f"recording:{row.id}", rule="recordings", by="x001", at=now)
        )
        work.book(RECORDINGS).remove(row.id)
        work.commit()
    follow(store, now, ["asked", "agreed"])
    with store() as work:
        assert not work.book(RECORDINGS).where()


def test_a_second_yes_is_a_talk_of_its_own(store: Store, spool: Path, folder: Path, now: datetime) -> None:
    begin(store, now, "asked", "agreed")
    with store() as work:
        talks.on_line_acts(work, [act_of("agreed", now + timedelta(minutes=9), n=2)], now)
        work.commit()
    (spool / f"{CALL}-2.wav").write_bytes(VOICE + b"2")
    assert taped(store, spool, folder, now) == 2
    with store() as work:
        heard = talks.hear(work, folder, CALL, actor="s001", now=now, reason="督导复听")
        assert [b"".join(one.sound()) for one in heard] == [VOICE, VOICE + b"2"]
        listed = talks.listed(work, actor="s001")
    assert [one.agreed_at for one in listed] == [now + timedelta(minutes=9), now + timedelta(seconds=1)]
    assert recordings.length_of(replace(listed[0], size=44 + 16000)) == timedelta(seconds=1)
