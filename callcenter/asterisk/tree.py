"""Find the Asterisk this line runs: a named one, an installed one, or the project-local tree.

A tree is a Debian file system unpacked by `scripts/fetch-asterisk`. It runs without chroot and
without root through its own dynamic loader, so the machine's C library never matters.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from callcenter.errors import ConfigError

#: The oldest Asterisk whose dialplan, CEL and AMI this line is written for.
OLDEST = 20
#: What quoted dsv is written with. Asterisk 22 has it since 22.8; Ubuntu 24.04's 20.6 has not.
DSV_MODULE = "res_cdrel_custom.so"
#: How the journal is asked for in cel_custom.conf: as fields of quoted dsv, or as a line of dialplan
#: expressions, which every version understands and which costs it more. Both write the same rows.
JournalFormat = Literal["dsv", "legacy"]
TREE_VARIABLE = "HOTLINE_ASTERISK_TREE"
TREE_FOLDER = Path(".cache") / "asterisk"
MEND = "请运行 scripts/fetch-asterisk，或在 hotline.toml 写明 asterisk.program。"


@dataclass(frozen=True, kw_only=True, slots=True)
class AsteriskProgram:
    """An Asterisk that can be started: its command line and the folders that came with it."""

    argv: tuple[str, ...]
    module_dir: Path
    data_dir: Path
    version: tuple[int, int, int]

    @property
    def version_text(self) -> str:
        """Return the version as people write it, `22.10.1`."""
        return ".".join(str(part) for part in self.version)

    @property
    def journal(self) -> JournalFormat:
        """Return how this Asterisk must be asked for the journal; the only place that decides it."""
        return "dsv" if (self.module_dir / DSV_MODULE).is_file() else "legacy"


def find_asterisk(program: str = "", *, start: Path | None = None) -> AsteriskProgram:
    """Return the Asterisk to use; raise `ConfigError` with the mend when there is none.

    Order: `program` (a binary or a tree's folder), `$HOTLINE_ASTERISK_TREE`, an installed Asterisk
    that is new enough, then `.cache/asterisk` in `start` (default: the working folder) or above it.
    """
    if program:
        return _named(Path(program))
    if named_tree := os.environ.get(TREE_VARIABLE):
        return from_tree(Path(named_tree))
    if (installed := _installed()) is not None:
        return installed
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / TREE_FOLDER).is_dir():
            return from_tree(folder / TREE_FOLDER)
    raise ConfigError(f"这台机器上没有 Asterisk {OLDEST} 或更新的版本。{MEND}")


def from_tree(tree: Path) -> AsteriskProgram:
    """Return the Asterisk inside an unpacked Debian file system."""
    root = tree.resolve()
    binary = root / "usr/sbin/asterisk"
    loader = _first(root, "lib64/ld-linux-*.so.*", "lib/ld-linux-*.so.*", "usr/lib*/ld-linux-*.so.*")
    if not binary.is_file() or loader is None:
        raise ConfigError(f"{tree} 里的 Asterisk 不完整，请删掉这个文件夹。{MEND}")
    libraries = [*root.glob("lib/*-linux-gnu*"), *root.glob("usr/lib/*-linux-gnu*")]
    argv = (str(loader), "--library-path", ":".join(map(str, libraries)), str(binary))
    return _describe(argv, root / "usr", root / "var/lib")


def _named(program: Path) -> AsteriskProgram:
    """Return the Asterisk the site named: a folder is a tree, a bare name is looked up on PATH."""
    if program.is_dir():
        return from_tree(program)
    found = shutil.which(str(program))
    if found is None:
        raise ConfigError(f"asterisk.program 写的 {program} 不能运行。{MEND}")
    return _from_binary(Path(found))


def _installed() -> AsteriskProgram | None:
    """Return the machine's own Asterisk, or None if there is none that will do."""
    found = shutil.which("asterisk", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        return None
    try:
        return _from_binary(Path(found))
    except ConfigError:
        return None


def _from_binary(binary: Path) -> AsteriskProgram:
    prefix = binary.resolve().parent.parent
    return _describe((str(binary),), prefix, Path("/var/lib"))


def _describe(argv: tuple[str, ...], prefix: Path, state: Path) -> AsteriskProgram:
    """Check version and folders of the Asterisk under `prefix` (`/usr`, or a tree's `usr`)."""
    version = _version(argv)
    if version < (OLDEST, 0, 0):
        raise ConfigError(f"{argv[-1]} 是 Asterisk {version[0]}，比 {OLDEST} 旧。{MEND}")
    modules = _first(prefix, "lib/*/asterisk/modules", "lib/asterisk/modules", "lib64/asterisk/modules")
    # Debian keeps Asterisk's data in /usr/share, the makers' own build in /var/lib.
    # Without its XML documentation res_pjsip refuses to load, so that is what we look for.
    data = _first(prefix / "share/asterisk", "documentation") or _first(state / "asterisk", "documentation")
    if modules is None or data is None:
        raise ConfigError(f"{argv[-1]} 缺少模块或文档。{MEND}")
    return AsteriskProgram(argv=argv, module_dir=modules, data_dir=data.parent, version=version)


def _version(argv: tuple[str, ...]) -> tuple[int, int, int]:
    try:
        said = subprocess.run([*argv, "-V"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        raise ConfigError(f"{argv[-1]} 启动不了。{MEND}") from None
    match = re.search(r"Asterisk (?:certified[/-])?(\d+)\.(\d+)(?:\.(\d+))?", said)
    if match is None:
        raise ConfigError(f"{argv[-1]} 没有说出自己的版本。{MEND}")
    return int(match[1]), int(match[2]), int(match[3] or 0)


def _first(folder: Path, *patterns: str) -> Path | None:
    return next((path for pattern in patterns for path in sorted(folder.glob(pattern))), None)
