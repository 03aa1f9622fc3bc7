"""`hotline report staffing` at the edges of what can be typed."""

from __future__ import annotations

from click.testing import CliRunner
from test_duty_command import DeskApp, app  # noqa: F401 - a fixture

from callcenter.cli.report import report


def test_no_calls_at_no_seats_is_a_line_like_any_other(app: DeskApp) -> None:  # noqa: F811
    words = (
        "staffing",
        "--calls-per-hour",
        "0",
        "--aht",
        "60m",
        "--patience",
        "5m",
        "--seats",
        "0",
        "--as",
        "s001",
    )
    done = CliRunner().invoke(report, [*words], obj=app, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "不稳定" not in done.output
