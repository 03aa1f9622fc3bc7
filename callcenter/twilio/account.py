"""The site's account at Twilio: what the configuration and the token file say, checked."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from callcenter.config import Settings
from callcenter.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """Who we are at Twilio and where it reaches us."""

    sid: str
    token: str = field(repr=False)
    #: As the outside world spells it, no `/` at the end.
    public_url: str
    #: Static TwiML on another host.
    fallback_url: str
    #: May we really reach Twilio (P9, R52)?
    live: bool = False

    def url(self, path: str, **query: str) -> str:
        """Return the public address of one of our webhooks. Never put personal data into it (P5)."""
        return f"{self.public_url}/twilio/{path}" + (f"?{urlencode(query)}" if query else "")


def load_account(settings: Settings) -> Account:
    """Return the account; raise `ConfigError` naming every missing piece and its mend."""
    problems = account_problems(settings)
    if problems:
        raise ConfigError("\n".join(problems))
    twilio = settings.twilio
    return Account(
        sid=twilio.account_sid,
        token=_token(settings.twilio_token_file),
        public_url=twilio.public_url,
        fallback_url=twilio.fallback_url,
        live=twilio.live,
    )


def account_problems(settings: Settings) -> list[str]:
    """Return what stands in the way of using Twilio, one sentence with its mend each."""
    twilio = settings.twilio
    problems = []
    if not twilio.account_sid:
        problems.append("twilio.account_sid:还没有填。请写上 Twilio 控制台里以 AC 开头的账号。")
    if not twilio.public_url:
        problems.append("twilio.public_url:还没有填。请写上 Twilio 能访问到本系统的 https 地址。")
    if not twilio.fallback_url:
        problems.append("twilio.fallback_url:还没有填。请在另一台主机上放一份固定的 TwiML,写上它的地址。")
    elif _host(twilio.fallback_url) == _host(twilio.public_url):
        problems.append("twilio.fallback_url:与 public_url 在同一台主机上,主机停了两者都不通。请换一台。")
    try:
        _token(settings.twilio_token_file)
    except ConfigError as error:
        problems.append(str(error))
    return problems


def _token(file: Path) -> str:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        token = file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise ConfigError(
            f"{file}:没有这个文件。请把 Twilio 的 auth token 写进去,并执行 chmod 600。"
        ) from None
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{file}:读不出来。文件里应当只有 Twilio 的 auth token 一行。") from None
    if mode & 0o077:
        raise ConfigError(f"{file}:别人也能读。请执行:chmod 600 {file}")
    if not token.isalnum():
        raise ConfigError(f"{file}:不像 auth token。文件里应当只有它一行,字母和数字。")
    return token


def _host(url: str) -> str:
    return url.split("/")[2].split(":")[0].lower() if "//" in url else ""
