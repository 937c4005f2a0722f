# What `up` and `down` share: where the state is, and which processes are ours. Sourced, never run.

# The longest socket under it is `/a.test/server/api.sock`; a Unix socket's path has at most 107 bytes.
max_state_bytes=80

fail() { echo "$program: $1" >&2; exit 2; }

state=${SPIRE_STATE:-${XDG_RUNTIME_DIR:-/tmp}/portreeve-spire-$(id -u)}
case $state in /*) ;; *) state=$PWD/$state ;; esac
[ "${#state}" -le "$max_state_bytes" ] ||
  fail "the path \`$state\` is too long for sockets: set SPIRE_STATE to at most $max_state_bytes bytes"
# Only a folder with this file in it is ever removed.
marker=$state/.portreeve-spire

# started_at PID: when a process started, in ticks since boot; its number alone may be another's by now.
started_at() {
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  read -r -a stat <<<"${stat##*) }"
  echo "${stat[19]}"
}

# remember FILE PID: writes down a process that we started.
remember() { echo "$2 $(started_at "$2")" >"$1"; }

# running FILE: prints the PID of a process that was written down and still runs.
running() {
  local pid started now
  { read -r pid started <"$1"; } 2>/dev/null || return 1
  now=$(started_at "$pid") || return 1
  [ "$now" = "$started" ] && echo "$pid"
}
