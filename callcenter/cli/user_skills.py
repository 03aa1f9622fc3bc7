"""`hotline user skills`: what those who answer are good at, and how much of the load is theirs."""

from __future__ import annotations

import re

import click

from callcenter.bootstrap import App
from callcenter.cli.common import actor_option, json_option, pass_app, show_rows
from callcenter.domain.staff import Skill
from callcenter.errors import Refused
from callcenter.service.staff.skills import Skilled, set_skills, skilled

SKILL_WORDS = {
    Skill.CRISIS: "危机干预",
    Skill.DIALECT: "无锡话",
    Skill.WOMAN: "女",
    Skill.MAN: "男",
    Skill.TRAINEE: "实习",
}
_COLUMNS = [
    ("code", "代码"),
    ("name", "姓名"),
    ("skills_text", "特长"),
    ("share", "份额%"),
    ("most_nights", "连续夜班"),
]


@click.command("skills")
@click.argument("code", required=False)
@click.option("--set", "words", help="特长,逗号分隔:crisis dialect woman man trainee;写空为没有")
@click.option("--share", type=int, help="接听份额,百分之几;100 为全份")
@click.option("--most-nights", type=int, help="最多连续几个夜班;0 为按全站规定")
@actor_option
@json_option
@pass_app
def skills(
    app: App,
    code: str | None,
    words: str | None,
    share: int | None,
    most_nights: int | None,
    actor: str,
    as_json: bool,
) -> None:
    """看或写咨询员的特长。来电者的需要与意愿按特长找人;不写 CODE 则列出全部。"""
    changes = {"share": share, "most_nights": most_nights}
    wanted = None if words is None else _read(words)
    with app.store() as work:
        if wanted is not None or any(value is not None for value in changes.values()):
            if code is None:
                raise click.UsageError("要写是谁:hotline user skills CODE --set crisis")
            set_skills(work, code, skills=wanted, **changes, actor=actor, now=app.clock())
            work.commit()
        found = skilled(work, code, actor=actor)
    show_rows([_row(one, as_json) for one in found], _COLUMNS, as_json)


def _read(words: str) -> frozenset[Skill]:
    typed = [word for word in re.split(r"[,\uff0c\s]+", words) if word]
    try:
        return frozenset(Skill(word) for word in typed)
    except ValueError:
        raise Refused(f"特长只有:{' '.join(skill.value for skill in Skill)}。") from None


def _row(found: Skilled, as_json: bool) -> dict[str, object]:
    profile = found.profile
    row: dict[str, object] = {"code": found.code, "name": found.name, "share": profile.share}
    row["most_nights"] = profile.most_nights
    if as_json:
        return {**row, "skills": [skill.value for skill in Skill if skill in profile.skills]}
    return {**row, "skills_text": " ".join(SKILL_WORDS[s] for s in Skill if s in profile.skills)}
