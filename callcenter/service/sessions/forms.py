"""The session form in use, and the forms that older records were written on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from callcenter.config import Settings
from callcenter.domain.books import FORMS
from callcenter.domain.form_file import FORMS as SHIPPED
from callcenter.domain.form_file import FormError, load_form, parse_form
from callcenter.domain.form_needs import check_needs
from callcenter.domain.forms import Form
from callcenter.domain.instruments import Instrument, load_instruments
from callcenter.domain.sessions import FormText
from callcenter.errors import Conflict
from callcenter.ports import UnitOfWork
from callcenter.service.followup.debts import rules_of
from scheduler.gates import Rules


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """What a record is written with: the form in use, the instruments, the rules of following up."""

    form: Form
    instruments: Mapping[str, Instrument]
    rules: Rules


def desk_of(settings: Settings) -> Desk:
    """Return what this site writes its records with. Raises `FormError` and `InstrumentError`."""
    return Desk(
        form=session_form(settings.home / "forms"),
        instruments=load_instruments(settings.home / "instruments"),
        rules=rules_of(settings),
    )


def session_form(folder: Path | None = None) -> Form:
    """Return the site's own session form, else ours; raise `FormError` if the rules cannot work with it."""
    own = folder / "session.yaml" if folder else None
    if own is None or not own.is_file():
        return _shipped()
    form = load_form(own)
    check_needs(form, str(own))
    return form


@lru_cache(maxsize=1)
def _shipped() -> Form:
    return load_form(SHIPPED / "session.yaml")


def keep_form(work: UnitOfWork, form: Form, now: datetime) -> None:
    """Keep a form's definition at its first use; refuse one that changed under the same version.

    Raises `FormError`.
    """
    kept = work.book(FORMS).one(form.id)
    if kept is None:
        fresh = FormText(id=form.id, checksum=form.checksum, text=form.text, first_used_at=now)
        try:
            work.book(FORMS).add(fresh)
        except Conflict:  # another process used it a moment earlier
            kept = work.book(FORMS).get(form.id)
    if kept is not None and kept.checksum != form.checksum:
        raise FormError(
            f"表单 {form.id} 的内容改了,版本没有改:已有记录是按原来的内容写的。"
            f"请把表单文件里的 version 改为 {form.version + 1},或把内容改回去。"
        )


def form_of(work: UnitOfWork, form_id: str, *, known: Form | None = None) -> Form:
    """Return the form of a record by its id, `session/1`, as it was in use; or raise `NotFound`."""
    if known is not None and known.id == form_id:
        return known
    kept = work.book(FORMS).get(form_id)
    return _read_again(kept.text, kept.id)


@lru_cache(maxsize=32)
def _read_again(text: str, name: str) -> Form:
    return parse_form(text, name)
