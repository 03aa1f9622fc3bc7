"""Instruments: questionnaires and scales as data, each with its bands and the floors it sets.

A definition is a YAML file: ours in `callcenter/instruments`, a site's own in `home/instruments`. Its
checksum covers everything that is asked or decides, so that no word changes unnoticed (R48).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from callcenter.domain.levels import Level
from callcenter.errors import ConfigError
from ivr.errors import IvrError
from ivr.flow import NAME
from ivr.yaml_marks import Marked, read_yaml

FOLDER = Path(__file__).parents[1] / "instruments"
#: What the wording of the items is: as published; labels of ours that are no official text; or none.
WORDINGS = ("published", "own", "none")

_REQUIRED = frozenset({"instrument", "version", "checksum", "name", "licence", "wording", "range"})
_KNOWN = _REQUIRED | {"about", "options", "items", "sum", "times", "may_miss", "worse", "bands", "floors"}
_OF_ITEM = frozenset({"text", "options", "only_if"})
_OF_FLOOR = frozenset({"item", "at", "level", "says"})


class InstrumentError(ConfigError, IvrError):
    """An instrument's file cannot be used. The message names file and line, and the mend."""

    error_id = "instrument_error"


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One question."""

    id: str
    text: str
    #: Answer -> what it says.
    options: Mapping[int, str]
    #: Asked only if that item was not answered with 0: otherwise it does not count as missing.
    only_if: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Floor:
    """The least danger that an answer, or without `item` the score, stands for (R13)."""

    #: Reached from this answer or score on (down from it where `worse` is `low`).
    at: float
    level: Level
    says: str
    item: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Instrument:
    """One questionnaire or scale."""

    id: str
    version: str
    checksum: str
    name: str
    licence: str
    wording: str
    #: Least and greatest score.
    least: float
    most: float
    about: str = ""
    #: Empty: only a score is taken over.
    items: Mapping[str, Item] = field(default_factory=dict)
    #: False: its answers are not added up (C-SSRS).
    sums: bool = True
    #: What a sum is multiplied by.
    times: int = 1
    #: So many answers may be missing; the sum is then prorated. One more: no score at all.
    may_miss: int = 0
    #: Whether a high or a low score is the worse one.
    worse: str = "high"
    #: First score of each band -> its name, ascending.
    bands: tuple[tuple[float, str], ...] = ()
    floors: tuple[Floor, ...] = ()

    def band_of(self, score: float) -> str:
        """Return the name of the band the score lies in; empty where there are no bands."""
        return next((name for first, name in reversed(self.bands) if score >= first), "")


def load_instruments(folder: Path | None = None) -> Mapping[str, Instrument]:
    """Return every instrument by id: ours, and the site's own from `folder` if there is one.

    A site's file may stand for one of ours (another wording), with the same items and no floor less.
    Raises `InstrumentError` naming file:line and the mend.
    """
    ours = _shipped()
    if folder is None or not folder.is_dir():
        return ours
    found: dict[str, Instrument] = {}
    for file in sorted(folder.glob("*.yaml")):
        read = read_instrument(file)
        if read.id in found:
            raise InstrumentError(f"{file}:1: `{read.id}` stands in two files. Keep one of them.")
        if read.id in ours:
            check_keeps(read, ours[read.id], f"{file}:1")
        found[read.id] = read
    return MappingProxyType({**ours, **found})


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, Instrument]:
    return MappingProxyType({i.id: i for i in map(read_instrument, sorted(FOLDER.glob("*.yaml")))})


def read_instrument(file: Path) -> Instrument:
    """Read one definition, or raise `InstrumentError`."""
    root = read_yaml(file, InstrumentError)
    top = root.fields(_KNOWN, _REQUIRED)
    least, most = _range(top["range"])
    options = _options(top["options"]) if "options" in top else {}
    items = _items(top["items"], options) if "items" in top else {}
    read = Instrument(
        id=_name(top["instrument"]),
        version=str(_whole(top["version"], 1, 10_000)),
        checksum=top["checksum"].text(),
        name=_words(top["name"]),
        licence=_words(top["licence"]),
        wording=_one_of(top["wording"], WORDINGS),
        least=least,
        most=most,
        about=_words(top["about"]) if "about" in top else "",
        items=MappingProxyType(items),
        sums="sum" not in top or _truth(top["sum"]),
        times=_whole(top["times"], 1, 100) if "times" in top else 1,
        may_miss=_whole(top["may_miss"], 0, 100) if "may_miss" in top else 0,
        worse=_one_of(top["worse"], ("high", "low")) if "worse" in top else "high",
        bands=_bands(top["bands"], least, most) if "bands" in top else (),
        floors=_floors(top["floors"], items, least, most) if "floors" in top else (),
    )
    _check_whole(read, top)
    if top["checksum"].text() != (right := checksum_of(read)):
        raise top["checksum"].fail(
            f"`{read.id}` changed, its checksum did not. Raise `version`, and set `checksum: {right}`."
        )
    return read


def checksum_of(instrument: Instrument) -> str:
    """Return the sha256 of everything that is asked or decides, hexadecimal."""
    return hashlib.sha256(whole_text(instrument).encode()).hexdigest()


def whole_text(instrument: Instrument) -> str:
    """Return everything that is asked or decides, always written the same way."""
    plain = {
        spec.name: getattr(instrument, spec.name)
        for spec in fields(instrument)
        if spec.name not in {"checksum", "licence", "items", "floors"}
    }
    items = {i.id: [i.text, sorted(i.options.items()), i.only_if] for i in instrument.items.values()}
    floors = [[f.item, f.at, int(f.level), f.says] for f in instrument.floors]
    return json.dumps([plain, items, floors], ensure_ascii=False, sort_keys=True)


def _check_whole(read: Instrument, top: Mapping[str, Marked]) -> None:
    """Refuse parts that do not go together, at the line where they are to be mended."""
    if bool(read.items) != (read.wording != "none"):
        raise top["wording"].fail("`wording: none` is for what has no items, and only for that.")
    if read.may_miss and read.may_miss >= len(read.items):
        raise top["may_miss"].fail("`may_miss` must be less than the number of items.")
    for item in read.items.values():
        if item.only_if and (item.only_if not in read.items or item.only_if == item.id):
            problem = f"`{item.id}` is asked only if `{item.only_if}`, which is no other item here."
            raise top["items"].fail(problem)
    if read.items and read.sums:
        low, high = (sum(pick(i.options) for i in read.items.values()) * read.times for pick in (min, max))
        if (low, high) != (read.least, read.most):
            raise top["range"].fail(f"the items add up to {low} at least and {high} at most.")


def overridden(folder: Path) -> tuple[Instrument, ...]:
    """Return the site's instruments that stand for one of ours. Raises `InstrumentError`."""
    ours, found = _shipped(), load_instruments(folder)
    return tuple(one for name, one in found.items() if name in ours and one != ours[name])


def check_keeps(site: Instrument, ours: Instrument, where: str) -> None:
    """Refuse a site's wording of one of ours that asks or counts otherwise, or raises fewer alarms.

    `where` names the file and the line. Raises `InstrumentError`. What passes never finds a milder level.
    """
    if _asked(site) != _asked(ours):
        raise InstrumentError(f"{where}: `{site.id}` is ours: keep its items and answers, or name it anew.")
    for name, key in _COUNTED.items():
        if getattr(site, name) != (kept := getattr(ours, name)):
            raise InstrumentError(f"{where}: `{site.id}` is ours: keep its `{key}` ({name} is {kept}).")
    for item in site.items.values():
        _check_direction(item, ours.items[item.id], where)
    if site.version == ours.version and site.checksum != ours.checksum:
        raise InstrumentError(
            f"{where}: `{site.id}` differs from ours: give it another `version`, such as 100."
        )
    for floor in ours.floors:
        if not any(_covers(mine_too, floor, ours.worse) for mine_too in site.floors):
            raise InstrumentError(
                f"{where}: the floor of `{floor.item or 'score'}` from {floor.at:g} to level "
                f"{int(floor.level)} is gone. Put it back: a site may add floors, and may not take any away."
            )


#: What decides how answers are counted, and the key of the file where it stands.
_COUNTED = {
    "worse": "worse",
    "sums": "sum",
    "times": "times",
    "may_miss": "may_miss",
    "least": "range",
    "most": "range",
}


def _asked(one: Instrument) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return what is asked, when, and which answers there are; not the words."""
    return {item.id: (item.only_if, tuple(sorted(item.options))) for item in one.items.values()}


def _check_direction(site: Item, ours: Item, where: str) -> None:
    """Refuse answers whose words changed places: "never" would count like "every day"."""
    meant = {says: value for value, says in ours.options.items()}
    for value, says in site.options.items():
        if meant.get(says, value) != value:
            raise InstrumentError(f"{where}: `{site.id}`: `{says}` is answer {meant[says]}, not {value}.")


def _covers(site: Floor, ours: Floor, worse: str) -> bool:
    """Tell whether a floor is reached whenever ours is. Only a score may be worse the lower it is."""
    is_low = worse == "low" and not ours.item
    as_early = site.at >= ours.at if is_low else site.at <= ours.at
    return site.item == ours.item and site.level <= ours.level and as_early


def _items(mark: Marked, options: Mapping[int, str]) -> dict[str, Item]:
    found = {}
    for key, value in mark.pairs():
        given = value.fields(_OF_ITEM, frozenset({"text"}))
        own = _options(given["options"]) if "options" in given else options
        if not own:
            raise value.fail("no answers. Write `options` here or for all items.")
        only_if = _name(given["only_if"]) if "only_if" in given else ""
        item = Item(id=_name(key), text=_words(given["text"]), options=own, only_if=only_if)
        found[item.id] = item
    return found


def _options(mark: Marked) -> Mapping[int, str]:
    found = {_whole(key, 0, 100): _words(value) for key, value in mark.pairs()}
    if len(found) < 2:
        raise mark.fail("fewer than two answers leave nothing to choose.")
    return MappingProxyType(found)


def _bands(mark: Marked, least: float, most: float) -> tuple[tuple[float, str], ...]:
    found = [(_number(key), _words(value)) for key, value in mark.pairs()]
    firsts = [first for first, _ in found]
    if firsts != sorted(set(firsts)) or firsts[0] != least or firsts[-1] > most:
        raise mark.fail(f"bands begin at {least:g}, go up and stay within {most:g}.")
    return tuple(found)


def _floors(mark: Marked, items: Mapping[str, Item], least: float, most: float) -> tuple[Floor, ...]:
    return tuple(_floor(entry, items, least, most) for entry in mark.items())


def _floor(mark: Marked, items: Mapping[str, Item], least: float, most: float) -> Floor:
    given = mark.fields(_OF_FLOOR, _OF_FLOOR - {"item"})
    item = _name(given["item"]) if "item" in given else ""
    if item and item not in items:
        raise given["item"].fail(f"no item `{item}` here.")
    answers: Iterable[float] = items[item].options if item else (least, most)
    at = _number(given["at"])
    if not min(answers) <= at <= max(answers):
        raise given["at"].fail(f"nothing ever reaches {at:g}. Use {min(answers):g} to {max(answers):g}.")
    level = Level(_whole(given["level"], 0, 4))
    return Floor(item=item, at=at, level=level, says=_words(given["says"]))


def _range(mark: Marked) -> tuple[float, float]:
    ends = [_number(entry) for entry in mark.items()]
    if len(ends) != 2 or ends[0] >= ends[1]:
        raise mark.fail("write the least and the greatest score: [0, 27].")
    return ends[0], ends[1]


def _name(mark: Marked) -> str:
    if not NAME.fullmatch(mark.text()):
        raise mark.fail(f"`{mark.text()}` cannot be a name. Use 2 to 40 small letters, digits and _.")
    return mark.text()


def _words(mark: Marked) -> str:
    text = mark.text().strip()
    if not text or len(text) > 300 or not text.isprintable():
        raise mark.fail("write 1 to 300 characters in one line.")
    return text


def _one_of(mark: Marked, known: tuple[str, ...]) -> str:
    if mark.text() not in known:
        raise mark.fail(f"`{mark.text()}` is none of {', '.join(known)}.")
    return mark.text()


def _truth(mark: Marked) -> bool:
    found = mark.truth()
    if found is None:
        raise mark.fail("write true or false, without quotes.")
    return found


def _number(mark: Marked) -> float:
    text = mark.text()
    number = mark.convert(float, "a number")
    if not -10_000 <= number <= 10_000:
        raise mark.fail(f"`{text}` is out of every range. Use -10000 to 10000.")
    return number


def _whole(mark: Marked, least: int, most: int) -> int:
    number = mark.number("a whole number")
    if number % 1 or not least <= number <= most:
        raise mark.fail(f"`{mark.text()}`: use a whole number from {least} to {most}.")
    return int(number)
