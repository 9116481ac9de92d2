#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# zsd --daemon: when the command returns, clients are served, by a process that
# has nothing to do any more with the terminal it was started from.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdinfo libnbd-bin

# Whatever keeps $dir/said open is not done with what started it; a daemon that
# has no system's log to write to keeps standard error alone.
start_daemon() { # OPTION...
    "$zsd" --daemon --socket "$socket" --pid-file "$dir/pid" "$@" \
        2>"$log" | cat >"$dir/said"
    zsd_pid=$(cat "$dir/pid")
}

is_gone() {
    ! kill -0 "$zsd_pid" 2>/dev/null
}

echo "it is ready at once"
start_daemon --size 64M
expect_equal "the size" "$(nbdinfo --size "$uri")" $((64 << 20))
expect_equal "its session" "$(ps -o sid= -p "$zsd_pid" | tr -d ' ')" "$zsd_pid"
expect_equal "its standard input" "$(readlink "/proc/$zsd_pid/fd/0")" /dev/null
expect_equal "its standard output" "$(readlink "/proc/$zsd_pid/fd/1")" /dev/null
if [ -S /dev/log ]; then
    expect_equal "its standard error" "$(readlink "/proc/$zsd_pid/fd/2")" \
        /dev/null
else
    grep -q "cannot reach the system's log" "$log" || fail "$(cat "$log")"
fi

echo "a terminal that goes away is no concern of it"
kill -HUP "$zsd_pid"
expect_equal "the size" "$(nbdinfo --size "$uri")" $((64 << 20))
kill -TERM "$zsd_pid"
eventually is_gone
zsd_pid=
if [ -e "$socket" ] || [ -e "$dir/pid" ]; then
    fail "files are left"
fi

echo "what keeps it from starting is told, with its status"
expect_status 1 "$zsd" --daemon --size 64M --socket "$dir/no/such/folder"
grep -q '/no/such/folder' "$dir/output" || fail "$(cat "$dir/output")"
expect_status 2 "$zsd" --daemon --size 1 --socket "$socket"
