"""Templates and what differs on a date -> shifts. Pure.

A template's slot on a date is one shift, whoever comes: its id is made of template, date and the person
the template names, so that planning the same again gives the same ids, and a substitute takes the slot over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from hashlib import blake2b

from callcenter.domain.duty import Shift
from callcenter.domain.roster import Override, OverrideAct, Template

_WEEK = timedelta(days=7)
#: (template, date, agent the template names; empty: all of them) -> what differs.
Differences = Mapping[tuple[str, date, str], Override]


def expand(
    templates: Iterable[Template], overrides: Iterable[Override], first: date, last: date, zone: tzinfo
) -> list[Shift]:
    """Return the shifts that begin on the days from `first` to `last` at the site, by start and id."""
    differs = {(o.template, o.day, o.agent): o for o in overrides}
    found = [
        shift
        for template in templates
        for day in days_of(template, first, last)
        for shift in _shifts_on(template, day, differs, zone)
    ]
    return sorted(found, key=lambda s: (s.start, s.id))


def days_of(template: Template, first: date, last: date) -> Iterator[date]:
    """Yield the days from `first` to `last` on which a template's shifts begin, by day of the week."""
    monday = template.first - timedelta(days=template.first.weekday())
    lower, upper = max(first, template.first), min(last, template.last or last)
    step = _WEEK * template.every
    for weekday in sorted(template.days):
        day = monday + timedelta(days=weekday)
        day += step * max(0, -((day - lower) // step))
        while day <= upper:
            yield day
            day += step


def _shifts_on(template: Template, day: date, differs: Differences, zone: tzinfo) -> Iterator[Shift]:
    if (template.id, day, "") in differs:
        return
    start = datetime.combine(day, template.start, zone).astimezone(UTC)
    for agent in template.agents:
        override = differs.get((template.id, day, agent))
        if override is None or override.act is OverrideAct.SUBSTITUTE:
            yield Shift(
                id=shift_id(template.id, day, agent),
                agent=override.substitute if override else agent,
                start=start,
                length=template.length,
                kind=template.kind,
                source=f"{template.id}/{day}",
            )


def shift_id(template: str, day: date, agent: str) -> str:
    """Return the id of a template's slot on a date; `agent`: whom the template names."""
    return f"sh-{day:%y%m%d}-{_digest(template, day, agent)}"


def override_id(template: str, day: date, agent: str) -> str:
    """Return the id of what differs in a slot: one slot differs in one way."""
    return f"ov-{day:%y%m%d}-{_digest(template, day, agent)}"


def _digest(template: str, day: date, agent: str) -> str:
    return blake2b(f"{template}/{day}/{agent}".encode(), digest_size=5).hexdigest()


def source_of(shift: Shift) -> tuple[str, date] | None:
    """Return template and date of a shift that was published; None: planned by hand."""
    template, slash, day = shift.source.rpartition("/")
    try:
        return (template, date.fromisoformat(day)) if slash else None
    except ValueError:
        return None


def named_in(template: Template, shift: Shift) -> str | None:
    """Return whom the template names for the slot of a published shift; None: nobody any more."""
    source = source_of(shift)
    if source is None:
        return None
    slots = (agent for agent in template.agents if shift_id(template.id, source[1], agent) == shift.id)
    return next(slots, None)
