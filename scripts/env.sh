# Sourced by the other scripts: repo root, Python environment, progress. Not run by itself.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
VENV=$ROOT/.venv
# shellcheck source=scripts/lib.sh
source "$ROOT/scripts/lib.sh"

# The newest Python >= 3.11 that can make virtual environments.
find_python() {
  local candidate
  for candidate in python3.14 python3.13 python3.12 python3.11 python3; do
    if command -v "$candidate" >/dev/null &&
      "$candidate" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

# Make .venv as constraints.txt says; quick when it already is.
ensure_venv() {
  local wanted
  wanted=$(cat pyproject.toml constraints.txt | sha256sum)
  if [ -x "$VENV/bin/hotline" ] && [ "$(cat "$VENV/.installed" 2>/dev/null)" = "$wanted" ]; then
    return
  fi
  local python
  if ! python=$(find_python); then
    need_packages python3-venv
    python=$(find_python) || { echo "Python 3.11 or newer is needed (python3 -V: $(python3 -V 2>&1))." >&2; exit 1; }
  fi
  echo "==> Python packages (about a minute the first time)"
  [ -x "$VENV/bin/python" ] && "$VENV/bin/python" -c '' 2>/dev/null || "$python" -m venv --clear "$VENV"
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
    --constraint constraints.txt --editable '.[dev]'
  echo "$wanted" >"$VENV/.installed"
}
