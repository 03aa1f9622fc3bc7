"""Where the token of `hotline login` lies: in the user's own state folder, for them alone."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from callcenter.bootstrap import App
from callcenter.errors import Refused
from callcenter.files import write_private


def token_file(app: App) -> Path:
    """Return the file of this site's token: one per site, so that two on a machine do not mix."""
    state = os.environ.get("XDG_STATE_HOME", "")
    # The base directory specification: a relative path is to be ignored.
    base = Path(state) if os.path.isabs(state) else Path.home() / ".local/state"
    site = sha256(str(app.settings.home.resolve()).encode()).hexdigest()[:12]
    return base / "hotline" / f"{site}.token"


def keep_token(app: App, token: str) -> None:
    """Write the token (0600)."""
    file = token_file(app)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(file, token.encode())


def read_token(app: App) -> str | None:
    """Return the token, if there is one; raise `Refused` if others may read it."""
    file = token_file(app)
    try:
        with file.open("rb") as opened:
            if os.fstat(opened.fileno()).st_mode & 0o077:
                raise Refused(f"{file} 别人也能读,请删掉它,再重新登录:hotline login 您的代码")
            return opened.read(200).decode(errors="replace").strip()
    except FileNotFoundError:
        return None


def drop_token(app: App) -> None:
    """Take the token away."""
    token_file(app).unlink(missing_ok=True)
