"""The one place that wires doors to services. Nothing is opened before it is asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from callcenter.config import Settings, load_settings
from callcenter.keys import KeyRing
from callcenter.ports import AlarmRoad, Store


class App:
    """What a command needs: configuration, keys, store and clock, each made on first use."""

    def __init__(self, *, config_file: Path | None = None, settings: Settings | None = None) -> None:
        self._config_file = config_file
        self._settings = settings

    @cached_property
    def settings(self) -> Settings:
        """Return the configuration; raise `ConfigError` if it cannot be used."""
        return self._settings or load_settings(self._config_file)

    @cached_property
    def keys(self) -> KeyRing:
        """Return the site's keys; raise `ConfigError` if the key file is missing or unsafe."""
        return KeyRing.load(self.settings.key_file)

    @cached_property
    def store(self) -> Store:
        """Return the store behind `settings.database_url`."""
        from callcenter.db.unit_of_work import open_store

        return open_store(self.settings.database_url, self.keys)

    @cached_property
    def road(self) -> AlarmRoad:
        """Return the alarm road: call files in the PBX's spool folder."""
        from callcenter.asterisk.spool import SpoolAlarms

        return SpoolAlarms(self.settings.pbx_home)

    @staticmethod
    def clock() -> datetime:
        """Return the present instant, in UTC."""
        return datetime.now(UTC)
