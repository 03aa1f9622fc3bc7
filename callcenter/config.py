"""One typed, frozen configuration: defaults < hotline.toml < HOTLINE_* < options.

Unknown keys are errors. Secrets never stand here: they come from the site's key file (`callcenter.keys`).
"""

from __future__ import annotations

import os
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from callcenter.config_debts import CalendarTable as CalendarTable
from callcenter.config_debts import Hardship as Hardship
from callcenter.config_debts import Ladder as Ladder
from callcenter.config_debts import Outbound as Outbound
from callcenter.config_faults import faults_of
from callcenter.config_types import E164, DialNumber, Host, Pause, Port, Section, Span, known_zone, loopback
from callcenter.domain.hours import spoken
from callcenter.domain.retention import Rule, Term
from callcenter.errors import ConfigError
from ivr.prompts.wording import Wording

DEFAULT_FILE = Path("hotline.toml")


class Site(Section):
    """Who runs the line and how it is reached."""

    name: str = "无锡市总工会职工服务热线"
    #: The number callers dial. A 400 number is inbound only (R-source: carriers' 400 rules).
    public_number: DialNumber = "4000850966"
    #: The fixed line that outbound calls show. Never a 400 number.
    outbound_number: DialNumber = "051085000966"
    #: A number of its own for who registers for a talk. Empty: none.
    talks_number: str = Field(default="", pattern=r"^(\+?[0-9]{3,15})?$")
    timezone: Annotated[str, AfterValidator(known_zone)] = "Asia/Shanghai"
    language: str = Field(default="zh", pattern=r"^[a-z]{2}(-[A-Za-z]{2,8})?$")

    @property
    def zone(self) -> ZoneInfo:
        """Return the wall-clock zone of the line."""
        return ZoneInfo(self.timezone)


class Database(Section):
    """Where the store is. Empty means SQLite inside `home`."""

    url: str = ""


class Asterisk(Section):
    """The PBX: where it listens and where its files are. Loopback unless the site says otherwise."""

    #: An Asterisk program to use; empty means: an installed one, else the project-local tree.
    program: str = ""
    name: str = Field(default="pbx1", pattern=r"^[a-z0-9]{1,16}$")
    sip_address: Host = "127.0.0.1"
    sip_port: Port = 5060
    rtp_first: Port = 18000
    rtp_last: Port = 18999
    ami_address: Host = "127.0.0.1"
    ami_port: Port = 5038
    #: Days a folded journal file is kept.
    journal_days: int = Field(default=7, ge=1, le=365)


class Trunk(Section):
    """The carrier's line. Calls from `host` are the public's; matched by address, so a phone never is."""

    host: Host = "127.0.0.2"
    port: Port = 5060
    channels: int = Field(default=8, ge=1, le=1000)
    #: A second carrier, tried when the first does not take a call. Empty: none.
    fallback_host: str = Field(default="", pattern=r"^[A-Za-z0-9.:_-]{0,253}$")
    fallback_port: Port = 5060


class Queue(Section):
    """How callers wait."""

    #: Among those of the same load: who has been idle longest, whose turn it is, anybody, or everybody.
    #: Whoever let it ring comes after all others (decision 0028).
    strategy: str = Field(default="leastrecent", pattern=r"^(leastrecent|rrmemory|random|ringall)$")
    ring: Span = timedelta(seconds=20)
    #: R4: after this wait the caller is not simply left waiting.
    wait_cap: Span = timedelta(minutes=3)
    #: Rest after a call; `*14` ends it at once, `*13` prolongs it (decision 0034).
    wrap_up: Pause = timedelta(minutes=1)
    #: How long somebody whom a caller wishes for (a woman, somebody who speaks the dialect), or who is
    #: trained for people in danger, is waited for before anybody free is rung.
    wish_wait: Span = timedelta(seconds=20)


class Duty(Section):
    """What a roster must be, and when somebody is missed."""

    #: Nights in a row one person may be planned for; two hours within `night` make one.
    most_nights: int = Field(default=3, ge=1, le=31)
    night: tuple[time, time] = (time(0), time(5))
    #: Somebody whose shift began so long ago and who has not signed on is missed.
    late_after: Span = timedelta(minutes=5)
    #: How long a surge lasts unless somebody ends it, and how soon callers are then told what else there is.
    surge_lasts: Span = timedelta(hours=2)
    surge_cap: Span = timedelta(seconds=45)


class Crisis(Section):
    """When a counsellor asks for a supervisor because somebody is in danger (R14)."""

    #: How long each supervisor's phone rings before the next one's does.
    ring: Span = timedelta(seconds=15)
    #: How long a hand-over may wait for a name (R45).
    accept_within: Span = timedelta(minutes=15)


class Recording(Section):
    """Recording of conversations: only with the caller's key, never by default (R15)."""

    enabled: bool = False


class Escalation(Section):
    """How long each duty mobile rings when nobody is at the line."""

    ring: Span = timedelta(seconds=25)
    #: How long a person who picked up has to press the accept key.
    accept: Span = timedelta(seconds=10)


#: Days of the week as `[hours]` names them, Monday first.
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Hours(Section):
    """When the line is served. No windows at all: always, and callers are told nothing of hours."""

    #: Per weekday, wall time at the site. An end at or before its start lies on the next day.
    windows: dict[Weekday, tuple[tuple[time, time], ...]] = Field(default_factory=dict)
    #: True: no window begins on a public holiday, nor on a day that `[calendar]` calls off.
    closed_on_holidays: bool = False
    #: What callers hear for `{hours}`. Empty: made from the windows.
    text: str = Field(default="", max_length=60)

    @property
    def week(self) -> tuple[tuple[tuple[time, time], ...], ...]:
        """Return the windows of Monday to Sunday; empty if the line is always served."""
        given = tuple(self.windows.get(day, ()) for day in WEEKDAYS)  # type: ignore[call-overload]
        return given if any(given) else ()

    @property
    def words(self) -> str:
        """Return how callers are told when the line is served, in Chinese."""
        return self.text or spoken(self.week, closed_on_holidays=self.closed_on_holidays)


class Transfers(Section):
    """Where callers are put through to. Direct numbers of command rooms may stand here instead: a
    short number dialled over a trunk lands in the town where the trunk is registered."""

    mental_health: DialNumber = "12356"
    police: DialNumber = "110"
    ambulance: DialNumber = "120"
    #: Tried in turn where the first number for 12356 cannot be reached.
    mental_health_next: tuple[DialNumber, ...] = ()


class Prompts(Section):
    """What speaks the prompts that nobody has recorded."""

    #: Empty: espeak-ng. Else a command line (`ivr.prompts.speech.CommandLine`), run without a shell.
    command: str = Field(default="", max_length=500)


class Alarms(Section):
    """The alarm road: how long a supervisor rings, and when silence is itself alarming."""

    ring: Span = timedelta(seconds=30)
    rounds: int = Field(default=3, ge=1, le=20)
    climb_after: Span = timedelta(minutes=5)
    #: The PBX itself rings the supervisor when nothing of ours has been alive this long.
    watchdog: Span = timedelta(minutes=10)
    self_dial_at: time = time(8, 30)


#: A step after a call: hours, days or months, as `24h`, `7d`, `1mo`.
Step = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,2}(h|d|mo)$")]


class Risk(Section):
    """How people in danger are followed. Deadlines run from the end of the call."""

    #: Steps after a call, by level. High risk without any step would be nobody's: at least one.
    imminent: tuple[Step, ...] = Field(default=("2h", "24h", "7d", "1mo", "3mo", "6mo"), min_length=1)
    high: tuple[Step, ...] = Field(default=("24h", "7d", "1mo", "3mo", "6mo"), min_length=1)
    medium: tuple[Step, ...] = ("72h", "14d", "1mo")
    #: Level 3: nothing but what was agreed.
    general: tuple[Step, ...] = ()
    #: When steps of days and months fall due, wall time.
    hour: time = time(10)
    #: From this intent to die on (0-100), rated at the end of a call, the level is high (R13).
    end_intent: int = Field(default=50, ge=1, le=100)
    #: How long a new case at level 1 may stay without a supervisor's name on it before it rings.
    acknowledge_within: Span = timedelta(minutes=15)
    #: When a case still without a name rings again although somebody pressed 1.
    remind_after: Span = timedelta(minutes=15)
    #: The same for a step that is still overdue.
    overdue_remind_after: Span = timedelta(hours=4)


class PeopleSettings(Section):
    """When somebody counts as a repeat caller, and how soon a request about their data is answered."""

    #: So many calls within so many days: a plan helps. Nobody's calls are ever limited.
    repeat_calls: int = Field(default=8, ge=2, le=1000)
    repeat_days: int = Field(default=30, ge=1, le=365)
    #: R43, in working days of the site's calendar.
    request_days: int = Field(default=15, ge=1, le=60)


class Access(Section):
    """How those who run the line prove who they are (R39)."""

    #: True: commands act as whoever signed in (`hotline login`), and `--as` names nobody else. False:
    #: `--as` is believed, so whoever has the operating system's account may act by any name.
    cli_sign_in: bool = False
    #: A login nobody uses ends after this; any login ends `lasts` after it was opened.
    idle: Annotated[timedelta, Field(ge=timedelta(minutes=1), le=timedelta(days=1))] = timedelta(minutes=30)
    lasts: Annotated[timedelta, Field(ge=timedelta(minutes=1), le=timedelta(days=7))] = timedelta(hours=12)
    #: Wrong tries in a row before the first pause, and that pause; each further one doubles it.
    attempts: int = Field(default=5, ge=1, le=100)
    lock: Annotated[timedelta, Field(ge=timedelta(seconds=1), le=timedelta(hours=1))] = timedelta(minutes=1)
    #: True: supervisors and administrators cannot sign in without a second factor.
    second_factor: bool = False


class Retention(Section):
    """How long things are kept (R42). A site may keep longer than the floors, never shorter."""

    #: Records, cases, calls and what was written of them, requests, people: after the case, or the last one.
    years: int = Field(default=3, ge=3, le=100)
    #: Messages callers left. 0: as long as records. Shorter only on an impact assessment.
    recordings_days: int = Field(default=0, ge=0, le=36500)
    #: Number and date of the impact assessment that shortens `recordings_days` (PIPL art. 55).
    impact_assessment: str = Field(default="", max_length=200)
    blocks_days: int = Field(default=365, ge=30, le=36500)
    logins_days: int = Field(default=365, ge=180, le=36500)
    exports_days: int = Field(default=365, ge=180, le=36500)
    #: Journal rows nobody could read.
    unread_days: int = Field(default=90, ge=7, le=36500)

    @model_validator(mode="after")
    def _shortened_on_grounds(self) -> Retention:
        if 0 < self.recordings_days < 30:
            raise ValueError("recordings_days 须为 0,或 30 以上")
        if 0 < self.recordings_days < 366 * self.years and not self.impact_assessment.strip():
            raise ValueError("recordings_days 比记录短时,须写明 impact_assessment")
        return self

    @property
    def terms(self) -> dict[Rule, Term]:
        """Return how long each thing is kept."""
        records = Term(years=self.years)
        return {
            **dict.fromkeys(Rule, records),
            Rule.RECORDINGS: Term(days=self.recordings_days) if self.recordings_days else records,
            Rule.BLOCKS: Term(days=self.blocks_days),
            Rule.LOGINS: Term(days=self.logins_days),
            Rule.EXPORTS: Term(days=self.exports_days),
            Rule.UNREAD: Term(days=self.unread_days),
        }


class Exports(Section):
    """Files that leave the store (R41)."""

    #: Days after which an exported file is deleted.
    days: int = Field(default=7, ge=1, le=90)


class Reports(Section):
    """Counts that outsiders see (R40)."""

    #: Smaller counts are not shown.
    smallest: int = Field(default=5, ge=5, le=100)
    #: Code of an employer's contact -> their unit, as the hardship files spell it. Nobody else's is shown.
    employers: dict[str, str] = Field(default_factory=dict)


class Backup(Section):
    """Backups that `hotline serve` makes by itself, encrypted to the recovery key."""

    #: Where they are put; best on another disk. Empty: none are made.
    folder: str = ""
    every: Annotated[timedelta, Field(ge=timedelta(hours=1))] = timedelta(days=1)
    #: Older ones are deleted.
    keep: int = Field(default=14, ge=1, le=1000)


class Health(Section):
    """Where `hotline serve` says how it is: `/healthz`, `/readyz` and `/metrics`, over HTTP."""

    #: Loopback only: there is no password. Whoever scrapes from elsewhere goes through something that asks.
    address: Annotated[str, AfterValidator(loopback)] = "127.0.0.1"
    #: 0: nowhere. Each process of one machine needs a port of its own.
    port: int = Field(default=0, ge=0, le=65535)


class Twilio(Section):
    """A line at Twilio, if the site has one. Its auth token stands in `Settings.twilio_token_file`."""

    #: Unless this is set nothing of ours ever reaches Twilio (P9, R52).
    live: bool = False
    account_sid: str = Field(default="", pattern=r"^(AC[0-9a-f]{32})?$")
    #: Where Twilio reaches us, as the outside world spells it: signatures are made over this address.
    public_url: str = Field(default="", pattern=r"^(https://[A-Za-z0-9.:-]{1,253}(/[A-Za-z0-9._/-]*[^/])?)?$")
    #: Fixed TwiML on another host, for when ours does not answer (R6).
    fallback_url: str = Field(default="", pattern=r"^(https://[^\s?#]{1,500})?$")
    #: Numbers of the services callers can be handed over to. Short ones (12356) cannot be dialled from
    #: outside the country: without a number here callers are told the short one instead.
    transfers: dict[str, E164] = Field(default_factory=dict)


class Settings(BaseSettings):
    """The whole configuration."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="HOTLINE_",
        env_nested_delimiter="__",
        toml_file=DEFAULT_FILE,
    )

    #: Everything the running line writes: database, key, PBX files, journal.
    home: Path = Path("var/hotline")
    site: Site = Site()
    database: Database = Database()
    asterisk: Asterisk = Asterisk()
    trunk: Trunk = Trunk()
    queue: Queue = Queue()
    duty: Duty = Duty()
    crisis: Crisis = Crisis()
    recording: Recording = Recording()
    escalation: Escalation = Escalation()
    outbound: Outbound = Outbound()
    ladder: Ladder = Ladder()
    calendar: CalendarTable = CalendarTable()
    hardship: Hardship = Hardship()
    hours: Hours = Hours()
    transfers: Transfers = Transfers()
    prompts: Prompts = Prompts()
    alarms: Alarms = Alarms()
    access: Access = Access()
    risk: Risk = Risk()
    people: PeopleSettings = PeopleSettings()
    retention: Retention = Retention()
    exports: Exports = Exports()
    reports: Reports = Reports()
    backup: Backup = Backup()
    health: Health = Health()
    twilio: Twilio = Twilio()

    @property
    def database_url(self) -> str:
        """Return the SQLAlchemy URL of the store."""
        return self.database.url or f"sqlite:///{self.home.resolve() / 'hotline.db'}"

    @property
    def key_file(self) -> Path:
        """Return the path of the site's key file."""
        return self.home / "hotline.key"

    @property
    def recovery_file(self) -> Path:
        """Return the path of the note (0600) of the recovery key's public half."""
        return self.home / "recovery.json"

    @property
    def key_copy_file(self) -> Path:
        """Return the path of the key file's copy, encrypted to the recovery key."""
        return self.home / "hotline.key.age"

    @property
    def exports_folder(self) -> Path:
        """Return the folder of files that were exported, until they expire."""
        return self.home / "exports"

    @property
    def recordings_folder(self) -> Path:
        """Return the folder (0700) of the sealed messages that callers left."""
        return self.home / "recordings"

    @property
    def twilio_token_file(self) -> Path:
        """Return the path of the file (0600) that holds Twilio's auth token."""
        return self.home / "twilio.token"

    @property
    def instruments_folder(self) -> Path:
        """Return the folder in which a site's own instruments stand."""
        return self.home / "instruments"

    @property
    def flows_folder(self) -> Path:
        """Return the folder in which a site's own flows and parts stand in the place of ours."""
        return self.home / "flows"

    @property
    def wording(self) -> Wording:
        """Return what the line says in the site's own way: its texts, and its opening hours in words."""
        return Wording(folder=self.home / "texts", words={"hours": self.hours.words})

    @property
    def pbx_home(self) -> Path:
        """Return the folder that holds every file of the project's own Asterisk."""
        return self.home.resolve() / "asterisk"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: options, then HOTLINE_*, then the TOML file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(file: Path | None = None, **options: Any) -> Settings:
    """Return the configuration, or raise `ConfigError` naming each wrong key and the mend."""
    named = file or os.environ.get("HOTLINE_CONFIG")
    chosen = Path(named or DEFAULT_FILE)
    if named and not chosen.is_file():
        raise ConfigError(f"{chosen}:没有这个文件。请指定已有的配置文件,或不指定而用默认值。")

    _check_environment()

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=chosen)

    try:
        return FromFile(**options)
    except ValidationError as error:
        raise ConfigError(faults_of(chosen, error)) from error
    except ValueError as error:  # not TOML at all
        raise ConfigError(f"{chosen}:不是 TOML 文件,请照此处改正:{error}") from error
    except RecursionError:
        raise ConfigError(f"{chosen}:列表嵌套太深,请改正文件。") from None


#: HOTLINE_* that are no settings.
_OTHER_VARIABLES = {"CONFIG", "ACTOR", "ASTERISK_TREE", "DEBIAN_MIRROR"}


def _check_environment() -> None:
    """Refuse a HOTLINE_* that names no section: pydantic passes over it, and with it over a typo."""
    for name in os.environ:
        if not name.startswith("HOTLINE_"):
            continue
        section = name.removeprefix("HOTLINE_").split("__")[0]
        if section not in _OTHER_VARIABLES and section.lower() not in Settings.model_fields:
            raise ConfigError(f"{name}:不是配置的任何一节。改正拼写,或 unset 掉。")
