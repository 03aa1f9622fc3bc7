"""An installed Asterisk of another version is used as it is, and asked for the journal in its own way."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from callcenter.asterisk.provision.plan import PbxPlan, plan_from
from callcenter.asterisk.provision.render import render
from callcenter.asterisk.tree import DSV_MODULE, AsteriskProgram, JournalFormat, find_asterisk
from callcenter.config import Settings
from callcenter.errors import ConfigError
from callcenter.keys import KeyRing

KEYS = KeyRing(master=bytes(range(32)))


def plan(journal: JournalFormat) -> PbxPlan:
    return plan_from(Settings(home=Path("/srv/hotline")), KEYS, (), flows={}, journal=journal)


def installed(prefix: Path, version: str, *modules: str) -> AsteriskProgram:
    """Return what is found where somebody installed an Asterisk of this version below `prefix`."""
    program = prefix / "sbin" / "asterisk"
    folder = prefix / "lib" / "x86_64-linux-gnu" / "asterisk" / "modules"
    for made in (program.parent, folder, prefix / "share" / "asterisk" / "documentation"):
        made.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'Asterisk {version}'\n")
    program.chmod(0o755)
    for module in modules:
        (folder / module).touch()
    return find_asterisk(str(program))


def test_ubuntus_asterisk_20_will_do_and_writes_the_legacy_journal(tmp_path: Path) -> None:
    program = installed(tmp_path, "20.6.0~dfsg+~cs6.13.40431414-2build5", "cel_custom.so")
    assert (program.version, program.journal) == ((20, 6, 0), "legacy")


def test_an_asterisk_that_can_write_dsv_is_asked_for_it(tmp_path: Path) -> None:
    assert installed(tmp_path, "22.10.1", "cel_custom.so", DSV_MODULE).journal == "dsv"


def test_an_asterisk_18_is_refused_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Asterisk 18，比 20 旧。请运行 scripts/fetch-asterisk"):
        installed(tmp_path, "18.26.4", "cel_custom.so")


def test_both_ways_hold_the_same_twelve_fields_in_the_same_order() -> None:
    dsv = re.search(r"^fields = (.*)$", render(plan("dsv"))["cel_custom.conf"], re.MULTILINE)
    legacy = re.search(r"^journal\.csv => (.*)$", render(plan("legacy"))["cel_custom.conf"], re.MULTILINE)
    assert dsv is not None
    assert legacy is not None
    names = re.findall(r"\$\{\w+\((?:\$\{\w+\(\$\{)?(?:CALLERID\(|CHANNEL\()?(\w+)", legacy[1])
    names[names.index("BRIDGEPEER")] = "peer"
    assert names == re.sub(r"\(\w+\)", "", dsv[1]).lower().split(",")


def test_a_callers_value_never_stands_in_an_expression() -> None:
    text = render(plan("legacy"))["cel_custom.conf"].partition("[mappings]")[2]
    assert re.findall(r"\$\{(CALLERID|CHANNEL|BRIDGEPEER|eventextra|userdeftype)", text) == []


def test_only_what_the_asterisk_has_is_loaded() -> None:
    dsv, legacy = (render(plan(journal))["modules.conf"] for journal in ("dsv", "legacy"))
    assert set(dsv.splitlines()) - set(legacy.splitlines()) == {f"load = {DSV_MODULE}"}
    assert "load = cel_custom.so" in legacy


def test_no_third_way_is_rendered() -> None:
    with pytest.raises(ConfigError, match=r"^journal: must match"):
        render(replace(plan("dsv"), journal="json"))  # type: ignore[arg-type]
