"""`hotline duty surge`, `hotline user skills` and what a caller's plan asks for, as a supervisor types it."""

from __future__ import annotations

import json
from datetime import timedelta

import click
import pytest
from click.testing import CliRunner, Result
from test_duty_command import DeskApp, app  # noqa: F401 - a fixture

from callcenter.cli.duty import duty
from callcenter.cli.people_change import plan
from callcenter.cli.user import user
from callcenter.domain.people import Person
from callcenter.errors import Refused


def run(command: click.Command, app: DeskApp, *words: str) -> Result:  # noqa: F811
    env = {"HOTLINE_ACTOR": "s001"}
    return CliRunner().invoke(command, [*words], obj=app, env=env, catch_exceptions=False)


def test_a_surge_lasts_as_the_site_says_or_as_typed_and_ends_by_itself(app: DeskApp) -> None:  # noqa: F811
    assert "没有" in run(duty, app, "surge", "show").output
    none = json.loads(run(duty, app, "surge", "show", "--json").output)
    assert (none["on"], none["until"], none["by"]) == (False, None, None)
    assert "11-23 21:00" in run(duty, app, "surge", "on", "--reason", "台风").output
    assert "11-23 20:30" in run(duty, app, "surge", "on", "--for", "1h30m", "--reason", "台风").output
    shown = json.loads(run(duty, app, "surge", "show", "--json").output)
    assert (shown["on"], shown["by"]) == (True, "s001")
    assert shown.keys() == none.keys()
    assert "台风" not in run(duty, app, "surge", "show").output
    app.now += timedelta(minutes=90)
    assert "没有" in run(duty, app, "surge", "show").output


def test_a_surge_is_ended_by_hand(app: DeskApp) -> None:  # noqa: F811
    run(duty, app, "surge", "on", "--for", "90m", "--reason", "台风")
    assert "没有" in run(duty, app, "surge", "off").output
    with pytest.raises(Refused, match="没有高峰"):
        run(duty, app, "surge", "off")


@pytest.mark.parametrize("length", ["", "m", "2", "h", "-1h", "1.5h", "９０m", "99999h", "13h", "4m", "0h"])
def test_a_time_nobody_can_mean_is_refused(app: DeskApp, length: str) -> None:  # noqa: F811
    with pytest.raises(Refused):
        run(duty, app, "surge", "on", "--for", length, "--reason", "台风")


def test_skills_are_typed_with_either_comma_and_listed(app: DeskApp) -> None:  # noqa: F811
    typed = ("skills", "c017", "--set", "woman\uff0ccrisis", "--share", "60")
    assert "危机干预 女" in run(user, app, *typed).output
    assert "危机干预 无锡话" in run(user, app, "skills", "c018", "--set", "crisis,dialect").output
    rows = json.loads(run(user, app, "skills", "--json").output)
    assert [(row["code"], row["skills"], row["share"]) for row in rows] == [
        ("c017", ["crisis", "woman"], 60),
        ("c018", ["crisis", "dialect"], 100),
    ]
    assert "吴芳芳" not in run(user, app, "skills").output
    assert json.loads(run(user, app, "skills", "c017", "--set", "", "--json").output)[0]["skills"] == []


def test_an_unknown_skill_is_refused_with_those_there_are(app: DeskApp) -> None:  # noqa: F811
    with pytest.raises(Refused, match="crisis dialect woman man trainee"):
        run(user, app, "skills", "c017", "--set", "kind")
    with pytest.raises(Refused, match="只能写一个"):
        run(user, app, "skills", "c017", "--set", "woman,man")


def test_a_wish_and_a_rank_are_agreed_and_taken_back(app: DeskApp) -> None:  # noqa: F811
    with app.store() as work:
        work.people.add(Person(id="p1", code="P-7F3K"))
        work.commit()
    assert "希望由女性接听" in run(plan, app, "P-7F3K", "--wish", "woman", "--rank", "5").output
    taken = json.loads(run(plan, app, "P-7F3K", "--wish", "none", "--json").output)
    assert (taken["wish"], taken["rank"]) == ("", 5)
