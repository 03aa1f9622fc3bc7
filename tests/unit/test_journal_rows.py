"""Bytes into rows: whatever stands in the journal, every whole row is read and nothing stops."""

from __future__ import annotations

import pytest
from journal_text import TRACES, row, row_bytes

from callcenter.asterisk.journal_rows import LONGEST, parse_journal
from callcenter.domain.fold import fold
from callcenter.domain.journal import bridge_of, hangup_of, words_of
from callcenter.domain.queue_log import read_queue_line

ANSWERED = (TRACES / "answered.csv").read_bytes()
#: As Asterisk 22.10.1 wrote it: 1023 bytes, no newline, the next row runs on in the same line.
CUT = b'"IVR_NODE","IVR_NODE","1795459057.438063","1","s","flow-inbound","PJSIP/trunk-00000000",'
CUT += b'"CELGenUserEvent",'
CUT += b'"pbx1-1795459057.0","pbx1-1795459057.0","","{""extra"":""'
CUT += "心".encode() * 300
CUT = CUT[:1023]


def start(num: str) -> bytes:
    return row_bytes(row("CHAN_START", 1795459057.0, "PJSIP/trunk-00000000", "1.0", "1.0", num=num))


def test_every_row_of_a_real_call_is_read_with_its_offset() -> None:
    parsed = parse_journal(ANSWERED)
    assert (len(parsed.rows), parsed.scraps, parsed.consumed) == (17, [], len(ANSWERED))
    assert [ANSWERED[at : at + 1] for at in parsed.offsets] == [b'"'] * 17
    assert parsed.rows[1].event == "IVR_NODE"
    assert words_of(parsed.rows[1]) == {"flow": "inbound", "node": "greeting"}


@pytest.mark.parametrize(
    "name",
    [
        'x""y',
        "a,b",
        'a"",""b',
        "line\r\nline",
        '\n""CHAN_END"",""',
        "心理热线" * 50,
        "\0",
        '""',
        "${CALLERID(all)}",
    ],
)
def test_hostile_caller_number_breaks_no_row(name: str) -> None:
    hostile = name.encode().decode("latin-1")
    data = start(hostile) + ANSWERED
    parsed = parse_journal(data)
    assert (len(parsed.rows), parsed.scraps) == (18, [])
    assert parsed.rows[0].num == hostile


def test_invalid_utf8_is_still_a_row() -> None:
    parsed = parse_journal(start("\xff\xfe") + ANSWERED)
    assert (len(parsed.rows), parsed.scraps) == (18, [])


def test_cut_row_is_kept_and_the_row_it_ran_into_is_read() -> None:
    parsed = parse_journal(CUT + ANSWERED)
    assert len(parsed.rows) == 17
    (scrap,) = parsed.scraps
    assert (scrap.offset, scrap.raw, scrap.reason) == (0, CUT, "cut_row")
    (call,) = fold(parsed.rows).calls
    assert call.answered_by == "c017"


def test_cut_row_as_the_last_of_a_finished_file_is_kept() -> None:
    waiting = parse_journal(ANSWERED + CUT)
    assert (waiting.consumed, waiting.scraps) == (len(ANSWERED), [])
    over = parse_journal(ANSWERED + CUT, final=True)
    assert [scrap.raw for scrap in over.scraps] == [CUT]


def test_nul_bytes_of_a_dead_disk_are_kept_and_reading_goes_on() -> None:
    parsed = parse_journal(ANSWERED + b"\0" * 4096 + ANSWERED)
    assert len(parsed.rows) == 34
    assert [(scrap.offset, scrap.reason) for scrap in parsed.scraps] == [(len(ANSWERED), "nul_bytes")]


def test_row_still_being_written_waits() -> None:
    half = ANSWERED[:-40]
    parsed = parse_journal(half)
    assert (len(parsed.rows), parsed.scraps) == (16, [])
    rest = parse_journal(half[parsed.consumed :] + ANSWERED[-40:])
    assert [one.event for one in rest.rows] == ["LINKEDID_END"]


def test_endless_garbage_is_given_up_in_pieces() -> None:
    parsed = parse_journal(b"x" * (5 * LONGEST))
    assert parsed.consumed == 4 * LONGEST
    assert max(len(scrap.raw) for scrap in parsed.scraps) == LONGEST


def test_number_that_looks_like_a_row_start_does_not_start_a_row() -> None:
    data = start("HANGUP")
    assert [one.event for one in parse_journal(data).rows] == ["CHAN_START"]
    broken = data.replace(b'"1.0","1.0"', b'"1.0"')
    assert [scrap.raw for scrap in parse_journal(broken + ANSWERED).scraps] == [broken]


def test_extra_that_is_no_json_has_no_words() -> None:
    odd = row("IVR_NODE", 1795459057.0, "c", "1.0", "1.0", extra="{not json")
    assert (words_of(odd), hangup_of(odd), bridge_of(odd)) == ({}, (None, ""), None)


def test_words_outside_the_contract_are_left_out() -> None:
    odd = row("IVR_NODE", 1795459057.0, "c", "1.0", "1.0", words="flow=inbound&node=<b>张三</b>&key=")
    assert words_of(odd) == {"flow": "inbound"}


@pytest.mark.parametrize(
    "line", ["", "x", "1795459176|c|hotline", '"CHAN_END","|1', "179545917|a|hotline|NONE|ABANDON|1|1|3"]
)
def test_broken_queue_log_line_is_no_row(line: str) -> None:
    assert read_queue_line(line) is None
