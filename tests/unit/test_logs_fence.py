"""What must never reach a log line does not, even when somebody logs it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.logs import JsonFormatter, configure_logging, redact

Log = Callable[..., dict[str, object]]


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


@pytest.fixture
def log(lines: io.StringIO) -> Log:
    def write(message: str, **extra: object) -> dict[str, object]:
        logging.getLogger("callcenter.test").info(message, extra=extra)
        line: dict[str, object] = json.loads(lines.getvalue().splitlines()[-1])
        return line

    return write


def test_a_line_is_one_json_object_with_its_action(log: Log) -> None:
    line = log("call folded", action="fold", call="pbx1-1700000000.12", count=3)
    assert line["message"] == "call folded"
    assert (line["action"], line["call"], line["count"]) == ("fold", "pbx1-1700000000.12", 3)
    assert (line["level"], line["logger"]) == ("info", "callcenter.test")
    assert str(line["ts"]).endswith("+00:00")


@pytest.mark.parametrize(
    "text",
    [
        "caller 13861701234",
        "caller +8613861701234 hung up",
        "caller 138 6170 1234",
        "0510-8500-0966",
        "pin 25801",
        "沈建国 is owed",
        "ئالىم called",
    ],
)
def test_no_number_and_no_name_survives_in_a_message(log: Log, lines: io.StringIO, text: str) -> None:
    log(text, action="fold")
    for secret in ("13861701234", "138 6170 1234", "8500", "25801", "沈建国", "ئالىم", "6170"):
        assert secret not in lines.getvalue()


def test_no_number_survives_in_any_field(log: Log, lines: io.StringIO) -> None:
    log(
        "x",
        call="13861701234",
        agent="13861701234",
        count="13861701234",
        reason="13861701234 沈建国",
        members=["13861701234", "c017"],
        state={"n": "13861701234"},
    )
    assert "13861701234" not in lines.getvalue()
    assert "沈建国" not in lines.getvalue()
    assert "c017" in lines.getvalue()


def test_a_field_nobody_allowed_is_dropped_and_named(log: Log, lines: io.StringIO) -> None:
    line = log("x", caller_name="Shen Jianguo")
    assert line["dropped"] == ["caller_name"]
    assert "Shen" not in lines.getvalue()


def test_an_exception_shows_its_type_and_place_but_not_its_words(lines: io.StringIO) -> None:
    try:
        raise ValueError("cannot dial 13861701234 for Shen Jianguo")
    except ValueError:
        logging.getLogger("callcenter.test").exception("dialling failed", extra={"action": "dial"})
    line = json.loads(lines.getvalue())
    assert line["error"] == "ValueError"
    assert line["at"][0].startswith("test_logs_fence.py:")
    assert "Shen" not in lines.getvalue()
    assert "1386" not in lines.getvalue()


def test_a_message_with_wrong_arguments_is_still_a_line() -> None:
    record = logging.LogRecord("callcenter.test", logging.WARNING, "x.py", 1, "%d calls", ("many",), None)
    assert json.loads(JsonFormatter().format(record))["message"] == "%d calls"


def test_a_name_with_line_breaks_stays_on_one_line(log: Log, lines: io.StringIO) -> None:
    log("caller\r\n{}", action="a\nb")
    assert len(lines.getvalue().splitlines()) == 1


def test_a_terminal_gets_the_same_fields_without_json() -> None:
    root = logging.getLogger()
    before, stream = root.handlers[:], io.StringIO()
    configure_logging(stream=stream, as_json=False)
    logging.getLogger("callcenter.test").warning("trunk down", extra={"action": "watch", "count": 2})
    root.handlers[:] = before
    assert stream.getvalue().rstrip().endswith("warning trunk down action=watch count=2")


@given(st.from_regex(r"[a-z ]{0,9}\+?1[3-9][0-9]{9}[a-z ]{0,9}", fullmatch=True))
def test_no_mobile_number_survives_redaction(text: str) -> None:
    digits = "".join(c for c in text if c.isdigit())
    assert digits[:5] not in redact(text)
    assert digits[-5:] not in redact(text)
