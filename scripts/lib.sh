# Shell helpers for the install steps of scripts/*. Source it; it changes nothing by itself.
# shellcheck shell=bash

# Print one line of progress.
say() { printf '%s\n' "$*" >&2; }

# Print what is wrong and how to mend it, and end.
die() {
  say "Error: $*"
  exit 1
}

# Run a command as root, through sudo where needed.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "this needs root: run it as root, or install sudo first."
  fi
}

# with_progress LABEL COMMAND...: run quietly with a dot a second; show the end of its words if it fails.
with_progress() {
  local label=$1 log pid started=$SECONDS
  shift
  log=$(mktemp)
  printf '==> %s ' "$label" >&2
  "$@" >"$log" 2>&1 &
  pid=$!
  # A background command of a script does not hear Ctrl-C by itself.
  trap 'kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; rm -f "$log"; exit 130' INT TERM
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    printf '.' >&2
  done
  trap - INT TERM
  if wait "$pid"; then
    printf ' done (%s s)\n' "$((SECONDS - started))" >&2
    rm -f "$log"
    return 0
  fi
  printf ' failed\n' >&2
  tail -n 12 "$log" >&2
  rm -f "$log"
  return 1
}

# Ask for the password once, before any quiet step could need it.
wake_sudo() {
  if [ "$(id -u)" -ne 0 ]; then
    as_root true || die "root was not granted."
  fi
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

has_candidate() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'; }

refresh_apt() { with_progress "package lists" as_root apt-get -q update; }

install_now() {
  with_progress "installing $*" as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y install --no-install-recommends "$@"
}

# need_packages NAME...: install the Debian packages that are missing; quick when none is.
need_packages() {
  local missing=() name
  command -v apt-get >/dev/null || die "this needs Debian or Ubuntu (there is no apt-get)."
  for name in "$@"; do
    is_installed "$name" || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  wake_sudo
  for name in "${missing[@]}"; do
    if ! has_candidate "$name"; then
      refresh_apt || die "apt-get update failed. Check the network and /etc/apt/sources.list."
      break
    fi
  done
  install_now "${missing[@]}" && return 0
  # Old lists name files the mirror no longer has.
  refresh_apt && install_now "${missing[@]}" || die "cannot install: ${missing[*]}"
}

# Without root SIPp may not send the raw packets its key presses are made of: give a copy that right.
need_sipp() {
  local copy=$1/.cache/sipp
  need_packages sip-tester
  [ "$(id -u)" -eq 0 ] && return 0
  [ -x "$copy" ] && [ -n "$(/sbin/getcap "$copy" 2>/dev/null)" ] && return 0
  need_packages libcap2-bin
  mkdir -p "$1/.cache"
  cp "$(command -v sipp)" "$copy"
  wake_sudo
  as_root /sbin/setcap cap_net_raw+ep "$copy" || say "Note: SIPp cannot press keys here (setcap failed)."
}

# PostgreSQL's server programs for the tests, without the server that the package would start.
need_postgres() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && return 0
  wake_sudo
  as_root mkdir -p /etc/postgresql-common
  [ -e /etc/postgresql-common/createcluster.conf ] ||
    echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
  need_packages postgresql
}
