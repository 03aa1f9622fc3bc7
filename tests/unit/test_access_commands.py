"""Every command that shows or changes data, typed as every role: forbidden where the matrix says so."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import click
import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner, Result

from callcenter import cli
from callcenter.bootstrap import App, Telephony
from callcenter.cli import main
from callcenter.config import Settings
from callcenter.domain.access import ALLOWED, Verb
from callcenter.domain.calls import CallRecord
from callcenter.domain.fields import CALL_FIELDS
from callcenter.domain.users import Role, User
from callcenter.errors import Forbidden
from callcenter.keys import KeyRing
from callcenter.memory import MemoryAlarmRoad, MemoryCallControl, MemoryQueue, MemoryStore
from callcenter.service.line import self_dial
from callcenter.service.staff import signin

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
DOCS = Path(__file__).parents[2] / "docs"
PASSWORD = "two herons by the canal"
REGISTER = "档案编号,姓名,手机,困难类别,建档日期\nWX-001,沈建国,13800001111,深度困难,2026-09-01\n"

#: Words beside the required ones, without which a command stumbles before it asks.
MORE = {
    "handover give": ["--call", "x1", "--to", "x1", "--told", "说了近况和约定"],
    "duty add": ["x1", "2026-11-24 19:00", "01:00"],
    "duty template add": ["晚班", "19:00-01:00", "--days", "1-5", "--agent", "x1", "--first", "2026-11-24"],
    "duty template end": ["x1", "2026-11-24"],
    "duty need add": ["19:00-01:00", "--days", "1-5"],
    "duty override add": ["x1", "2026-11-24"],
    "duty publish": ["--from", "2026-11-24", "--to", "2026-11-25"],
    "duty hours": ["--month", "2026-11"],
    "duty correct": ["x1", "2026-11-22 19:00", "19:30", "--counts", "--reason", "话机坏了"],
    "duty sheet": ["--week", "2026-W49"],
    "report staffing": ["--calls-per-hour", "1", "--aht", "60m"],
    "calls live": ["--once"],
    "user add": ["x1", "--name", "林晓燕", "--role", "clerk"],
    "user pin": ["x1", "--pin", "2580"],
    "user totp": ["x1", "--remove", "--reason", "手机丢失"],
    "queue done": ["x1", "--call", "x1"],
    "queue snooze": ["x1", "--hours", "1", "--reason", "等本人下班"],
    "queue waivers --grant": ["x1"],
    "queue waivers --refuse": ["x1"],
    "plans add": ["x1", "--every", "21d", "--from", "2026-12-01"],
    "plans move": ["x1", "2026-12-02", "--reason", "就诊日改了"],
    "audit retention": ["--dry-run"],
    "people phone set": ["x1", "1", "--safe"],
    "people phone agree": ["x1", "1", "--no-voicemail"],
    "hardship household set": ["x1", "--alone", "--reason", "已经分户单过"],
    "people care": ["x1", "--people-only"],
    "people consent": ["x1", "ivr_checkin", "--granted", "--channel", "当面"],
    "people block": ["--number", "13800001111", "--days", "3", "--reason", "反复骚扰"],
    "people answer": ["x1", "--text", "已当面告知"],
    "export make": ["sessions", "--from", "2026-01", "--to", "2026-02", "--reason", "月度汇总上报"],
    "report attendance": ["--month", "2026-10"],
    "report contacts": ["--month", "2026-10"],
    "keys escrow": ["--reason", "首次设置"],
}


#: Asks the line that stands where it writes, in that line's own database: see `test_backup_restore.py`.
ELSEWHERE = {"restore"}


def _roles() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_roles", DOCS / "roles.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ROLES = _roles()
ASKS: dict[str, Verb | None] = ROLES.ASKS
MACHINE: dict[str, str] = ROLES.MACHINE


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


LEAVES = dict(leaves(main))


class DeskApp(App):
    """An App whose store and telephone live in memory and whose clock stands."""

    def __init__(self, home: Path) -> None:
        units = {"employers": {"uemployer": "示例一厂"}}
        super().__init__(settings=Settings(home=home, reports=units))  # type: ignore[arg-type]
        keys = KeyRing.create(self.settings.key_file)
        self.__dict__.update(store=MemoryStore(), keys=keys, road=MemoryAlarmRoad())
        self.clock = lambda: NOW  # type: ignore[method-assign]
        with self.store() as work:
            for role in Role:
                work.users.add(User(code=f"u{role.value}", name="林晓燕", roles=frozenset({role})))
            work.users.add(User(code="unone", name="顾卫东", roles=frozenset()))
            work.commit()

    @asynccontextmanager
    async def telephony(self) -> AsyncIterator[Telephony]:
        yield Telephony(calls=MemoryCallControl(), queue=MemoryQueue())


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeskApp:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("EDITOR", "true")
    monkeypatch.setenv("VISUAL", "true")
    # Nobody answers a probe here, and the clock stands.
    monkeypatch.setattr(self_dial, "PATIENCE", timedelta(0))
    monkeypatch.setattr(signin, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    return DeskApp(home)


def bare(name: str) -> str:
    """Return a command's name without an option that asks for another verb."""
    return name.split(" --")[0]


def words_for(name: str, folder: Path) -> list[str]:
    """Return plausible words for what a command requires. A name may end in an option: `x --anchor`."""
    if name in MORE:
        return MORE[name]
    words: list[str] = []
    for parameter in LEAVES[bare(name)].params:
        if parameter.required:
            value = _plausible(parameter, folder)
            words += [value] if isinstance(parameter, click.Argument) else [parameter.opts[0], value]
    return words


def _plausible(parameter: click.Parameter, folder: Path) -> str:
    match parameter.type:
        case click.Choice():
            return str(parameter.type.choices[0])
        case click.DateTime():
            return "2026-11-23"
        case click.types.IntParamType() | click.types.FloatParamType():
            return "1"
        case click.Path():
            file = folder / "list.csv"
            file.write_text(REGISTER, encoding="utf-8")
            return str(file)
        case _:
            return "x1"


def typed(desk: DeskApp, name: str, actor: str, folder: Path) -> Result:
    group, *rest = name.split()
    command = main.get_command(None, group)  # type: ignore[arg-type]
    assert command is not None
    words = [*rest, *words_for(name, folder), "--as", actor]
    return CliRunner().invoke(command, words, obj=desk, input=f"{PASSWORD}\n" * 4)


@pytest.mark.parametrize("name", sorted(ASKS.keys() - ELSEWHERE))
def test_r39_each_command_is_forbidden_to_exactly_the_roles_the_matrix_leaves_out(
    name: str, desk: DeskApp, tmp_path: Path
) -> None:
    verb = ASKS[name]
    before = deepcopy(desk.store.state)  # type: ignore[attr-defined]
    for actor, roles in (("unone", ()), ("x999", ()), *((f"u{role.value}", (role,)) for role in Role)):
        desk.store.state = deepcopy(before)  # type: ignore[attr-defined]
        result = typed(desk, name, actor, tmp_path)
        forbidden = isinstance(result.exception, Forbidden)
        assert result.exit_code != 2, result.output
        if verb is None:
            assert forbidden is (actor == "x999")
            continue
        may = any(role in ALLOWED[verb] for role in roles)
        assert forbidden is not may, f"{actor}: {result.output}{result.exception}"
        if forbidden:
            assert desk.store.state == before, f"{actor} changed something"  # type: ignore[attr-defined]


def test_every_command_has_an_actor_or_is_one_of_the_machines() -> None:
    with_actor = {name for name, leaf in LEAVES.items() if any(p.name == "actor" for p in leaf.params)}
    without = LEAVES.keys() - with_actor
    assert with_actor == {bare(name) for name in ASKS}, "add it to ASKS in docs/roles.py, and renew the page"
    strangers = {name for name in without if not {name, name.split()[0]} & MACHINE.keys()}
    assert strangers == set(), "it needs an actor (actor_option)"


def test_the_page_of_roles_is_in_step() -> None:
    written = ROLES.ROLES_PAGE.read_text(encoding="utf-8")
    assert written == ROLES.roles_page(), "run: .venv/bin/python docs/roles.py"
    assert set(ROLES.WHAT) == set(Verb)


def test_every_field_of_a_call_has_a_class() -> None:
    assert set(CALL_FIELDS) == {field for field in CallRecord.__dataclass_fields__}


#: Repositories of a unit of work: commands reach them through the services, which ask who looks.
_REPOSITORIES = {"users", "audit", "roster", "calls", "sessions", "people", "debts", "alarms", "book"}
#: Modules of machine commands, which have nobody to ask.
_MACHINES = {"init", "serve", "pbx", "demo", "twilio"}
#: Reads of what a gated read just let the actor see.
_BEHIND_A_GATE = {
    "session_write.py sessions": "the head of a record whose draft `read_draft` gave",
    "session_typing.py calls": "when the call was, above the form of a record `read_draft` gave; masked",
}


def test_no_command_reads_or_writes_the_store_past_the_services() -> None:
    past = set()
    for file in sorted(Path(cli.__file__).parent.glob("*.py")):
        if file.stem in _MACHINES:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Attribute)
                and node.attr in _REPOSITORIES
                and isinstance(node.value, ast.Name)
                and node.value.id in {"work", "unit"}
            ):
                past.add(f"{file.name} {node.attr}")
    assert past - _BEHIND_A_GATE.keys() == set()
