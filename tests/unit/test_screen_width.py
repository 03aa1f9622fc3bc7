"""What the commands print fits 80 columns, whatever stands in the store, and acts on no screen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unicodedata import category

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from planted import planted
from rich.cells import cell_len
from typing_at import Leaf, Site, leaves, open_site

from callcenter.bootstrap import App
from callcenter.cli import main
from callcenter.cli.common import show_one, show_rows
from callcenter.cli.folding import WIDTH, fold, visible
from callcenter.config import Settings
from callcenter.domain.alarms import Alarm, AlarmKind
from callcenter.domain.books import BOOKS
from callcenter.ports import AuditEntry, UnitOfWork

#: As long as ids are where they are longest, and what somebody writes who writes much.
ID = "qtbgpa7kzmoc4d5e"
LONG = "她说夜里睡不着,已经三个星期,请早班的人先打她爱人的电话 (周二、周四之后) please call first "
#: Somebody looked at who a person is.
THE_LOOK = AuditEntry(
    actor="s00123456789",
    verb="people.reveal",
    object="",
    field="identity_number",
    at=datetime.now(UTC),
    reason=LONG,
)
LEFT_OUT = {"serve", "demo", "pbx start", "pbx apply", "pbx check", "pbx render"}
LEFT_OUT |= {
    "alarm test",
    "alarm selfdial",
    "calls replay",
    "sessions write",
    "sessions quick",
    "twilio check",
}


def is_list(leaf: Leaf) -> bool:
    """Tell whether it can be typed as it stands and lists something."""
    names = {parameter.name for parameter in leaf.command.params}
    needs = any(parameter.required for parameter in leaf.command.params)
    return "as_json" in names and not needs and str(leaf) not in LEFT_OUT


ALL = list(leaves())
LISTS = [leaf for leaf in ALL if is_list(leaf)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with pytest.MonkeyPatch.context() as patch:
        site = open_site(tmp_path_factory.mktemp("site"), patch)
        now = datetime.now(UTC)
        with site.app.store() as work:
            for book in BOOKS:
                for n in range(3):
                    work.book(book).add(wide(planted(book, now), f"{n}"))
            fill_wide(work, now)
            work.commit()
        yield site


def wide(value: Any, n: str) -> Any:
    """Return a value whose id is as long as ids get and whose texts are long."""
    changed: dict[str, Any] = {"id": f"{value.id[:2]}-{ID}{n}"}
    for part in fields(value):
        known = getattr(value, part.name)
        if part.name in {"object", "call", "session", "person", "case"} and isinstance(known, str):
            changed[part.name] = f"{part.name}:{part.name[:2]}-{ID}" if part.name == "object" else f"p-{ID}"
        elif part.name in {"released_at", "lifted_at", "deleted_at", "answered_at"}:
            changed[part.name] = None
        elif part.name in {"until", "due_at", "expires_at"} and "datetime" in str(part.type):
            changed[part.name] = datetime.now(UTC) + timedelta(days=5)
        elif part.name in {"reason", "wish", "instructions", "answer", "times"}:
            changed[part.name] = LONG * 2
    return replace(value, **changed)


def fill_wide(work: UnitOfWork, now: datetime) -> None:
    for n in range(3):
        thing = f"obligation:ob-{ID}{n}"
        work.audit.append(
            AuditEntry(
                actor="s00123456789",
                verb="obligation.supersede",
                object=thing,
                field="escalation_rank",
                at=now,
                reason=LONG,
            )
        )
        seen = replace(THE_LOOK, object=f"person:p-{ID}{n}", at=now)
        work.audit.append(seen)
        kind = max(AlarmKind, key=len)
        work.alarms.put(
            Alarm(
                id=f"al-{kind}-{ID}{n}",
                kind=kind,
                raised_at=now - timedelta(days=2),
                detail=LONG,
                acknowledged_by="s00123456789",
                acknowledged_at=now,
            )
        )


def widest(output: str) -> str:
    return max(output.splitlines(), key=cell_len, default="")


@pytest.mark.parametrize("leaf", LISTS, ids=str)
def test_every_list_of_wide_things_fits_and_keeps_ids_whole(leaf: Leaf, site: Site) -> None:
    shown = site.type(*leaf.words).output
    assert cell_len(widest(shown)) <= WIDTH, shown
    rows = site.type(*leaf.words, "--json")
    if rows.exit_code == 0 and isinstance(found := json.loads(rows.output or "[]"), list):
        assert all(str(row["id"]) in shown for row in found if "id" in row and ID in str(row["id"])), shown


@pytest.mark.parametrize("leaf", ALL, ids=str)
def test_every_help_page_fits_is_chinese_and_breaks_no_word(leaf: Leaf) -> None:
    shown = CliRunner().invoke(main, [*leaf.words, "--help"], prog_name="hotline").output
    assert cell_len(widest(shown)) <= WIDTH, shown
    assert not re.search(r"Usage|Options|Show this|required|default|TEXT|INTEGER", shown), shown
    texts = [leaf.command.help or "", *(getattr(p, "help", None) or "" for p in leaf.command.params)]
    words = {word for text in texts for word in re.findall(r"[A-Za-z_]{4,}", text.replace("\b", ""))}
    assert all(word in shown for word in words), shown


def test_the_doctor_and_every_group_fit(site: Site) -> None:
    groups = {leaf.words[:n] for leaf in ALL for n in range(len(leaf.words))}
    for words in [*groups]:
        shown = site.type(*words, "--help").output
        assert cell_len(widest(shown)) <= WIDTH, shown
    assert cell_len(widest(site.type("doctor").output)) <= WIDTH


def test_a_refusal_as_long_as_a_paragraph_fits(site: Site) -> None:
    key = site.folder / "var/hotline/hotline.key"
    key.rename(site.folder / "kept")
    for words in (("init",), ("doctor",)):
        shown = site.type(*words).output
        assert cell_len(widest(shown)) <= WIDTH, shown
        assert "hotline keys recover --identity -" in shown, "a command to copy stands in one line"
    (site.folder / "kept").rename(key)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("user", "add"), "缺少参数 'CODE'"),
        (("user", "add", "c001", "--name", "李静", "--role", "boss"), "'boss' 不在其中"),
        (("user", "ad"), "没有命令 'ad'"),
        (("queue", "list", "--nosuch"), "没有选项 '--nosuch'"),
        (("duty", "gaps", "--days", "x"), "'x' 不是数字"),
        (("init", "--admin"), "后面要跟一个值"),
        (("pbx", "start", "extra"), "多了一个参数"),
    ],
)
def test_what_click_says_is_chinese(words: tuple[str, ...], said: str) -> None:
    shown = CliRunner().invoke(main, list(words), prog_name="hotline").output
    assert said in shown
    assert not re.search(r"Usage|Error|Missing|Invalid|No such|Try ", shown), shown


def test_who_breaks_off_at_a_question_reads_chinese() -> None:
    @click.command()
    def asks() -> None:
        click.prompt("密码", hide_input=True)

    shown = CliRunner().invoke(asks, input="").output
    assert "已中止" in shown
    assert "Aborted" not in shown


# --- signs that act ---------------------------------------------------------------------------------

ACTING = "\u202e\u200b\x1b[2J\x9b31m\u2066\x07\ufeff"


def test_a_name_that_would_act_on_the_screen_is_shown_and_not_obeyed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = {"id": "x-1", "name": f"李{ACTING}静 [red]好[/red] [/nosuch]"}
    titles = [("id", "编号"), ("name", "姓名")]
    with click.Context(click.Command("x"), obj=App(settings=Settings())):
        for show in (lambda: show_rows([row], titles), lambda: show_one(row, titles)):
            show()
            out = capsys.readouterr().out
            assert not set(ACTING) - {"[", "2", "J", "3", "1", "m"} & set(out)
            assert "<U+202E>" in out
            assert "[red]好" in out
            assert "[/nosuch]" in out
        show_one(row, titles, as_json=True)
    out = capsys.readouterr().out
    assert json.loads(out)["name"] == row["name"], "a machine reads what stands there"
    assert "\u202e" not in out
    assert "\x9b" not in out


TEXTS = st.text(alphabet="中文，。「」()hotline -a1\u202e", max_size=300)


@given(text=TEXTS, width=st.integers(4, 90))
def test_folding_loses_nothing_and_only_a_long_word_is_wider(text: str, width: int) -> None:
    lines = fold(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    for line in lines:
        assert cell_len(line) <= width or not line.strip().count(" ")


@given(st.text(max_size=200))
def test_what_is_shown_holds_no_sign_that_acts(text: str) -> None:
    assert all(
        sign in "\n\t" or category(sign)[0] != "C" or category(sign) in "CoCn" for sign in visible(text)
    )
