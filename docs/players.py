"""The tutorial's players: a counsellor's phone that signs on with *11, and a caller. SIPp plays both.

`.venv/bin/python docs/players.py PIN`, in the folder of the tutorial's `hotline.toml`. Loopback only.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from callcenter.bootstrap import App
from callcenter.demo.runner import Address
from callcenter.demo.sipp import Answer, Caller, CallTiming, Phone, presses
from callcenter.errors import Refused

AGENT = "c001"


def play(app: App, pin: str, folder: Path) -> None:
    """Register the phone, sign on, and let somebody call the line and talk for some seconds."""
    settings = app.settings
    pbx = Address(host=settings.asterisk.sip_address, port=settings.asterisk.sip_port)
    if not all(ip_address(host).is_loopback for host in (pbx.host, settings.trunk.host)):
        raise Refused("The players call a line on this machine only.")
    password = app.keys.password(f"sip:{AGENT}")
    phone = Phone(pbx=pbx, folder=folder / "phone", users={AGENT: password}, behaviour=Answer()).start()
    try:
        say(f"{AGENT}'s phone is registered")
        keys = presses(" ".join(f"{key}@{3 + 0.4 * place:.1f}" for place, key in enumerate(f"{pin}#")))
        Caller(
            pbx=pbx,
            folder=folder / "sign-on",
            dials="*11",
            address=pbx.host,
            user=AGENT,
            password=password,
            keys=keys,
        ).start().wait()
        say(f"{AGENT} dialled *11 and gave the PIN")
        caller = Caller(
            pbx=pbx,
            folder=folder / "caller",
            dials=settings.site.public_number,
            address=settings.trunk.host,
            number="13800000001",
            talk=timedelta(seconds=20),
        )
        tell("the caller", caller.start().wait())
        for call in phone.calls():
            tell(f"{AGENT}'s phone", call)
    finally:
        phone.stop()


def tell(who: str, timing: CallTiming) -> None:
    """Say how long a call was up for one side, by SIPp's own clock."""
    talk = f"{timing.talk.total_seconds():.1f} s" if timing.talk else "never"
    say(f"{who}: status {timing.status}, up for {talk}")


def say(text: str) -> None:
    """Print one line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: .venv/bin/python docs/players.py PIN")
    with tempfile.TemporaryDirectory() as temporary:
        play(App(), sys.argv[1], Path(temporary))
