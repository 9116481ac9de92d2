#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# zsd comes and goes: files it makes, files it takes away, signals, neighbours.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdinfo libnbd-bin

expect_files() { # yes|no
    local file there

    for file in "$socket" "$control" "$dir/pid"; do
        there=no
        [ ! -e "$file" ] || there=yes
        expect_equal "whether there is $file" "$there" "$1"
    done
}

expect_mode() { # FILE MODE
    expect_equal "the mode of $1" "$(stat --format=%a "$1")" "$2"
}

for signal in TERM INT; do
    echo "SIG$signal: a clean end, nothing left behind"
    start_zsd --size 16M --pid-file "$dir/pid"
    expect_files yes
    expect_equal "the pid file" "$(cat "$dir/pid")" "$zsd_pid"
    expect_mode "$socket" 600
    expect_mode "$control" 600
    nbdinfo --size "$uri" >/dev/null
    end_zsd "$signal"
    expect_files no
done

echo "the pid file of a zsd that runs is left alone, a stale one is replaced"
echo 1 >"$dir/pid"
start_zsd --size 16M --pid-file "$dir/pid"
expect_equal "the pid file" "$(cat "$dir/pid")" "$zsd_pid"
expect_status 1 "$zsd" --size 16M --socket "$dir/other" --pid-file "$dir/pid"
grep -qF "process $zsd_pid" "$dir/output" || fail "it does not name the process"
expect_equal "the pid file" "$(cat "$dir/pid")" "$zsd_pid"
expect_equal "files beside it" "$(echo "$dir"/pid*)" "$dir/pid"
rm "$dir/pid"
echo another >"$dir/pid"
stop_zsd
expect_equal "the pid file of another" "$(cat "$dir/pid")" another
rm "$dir/pid"

echo "SIGTERM while clients are connected"
start_zsd --size 16M --stop-timeout 1
mkfifo "$dir/release"
"$top_builddir/tests/func/rawclient" "$socket" hold 4 \
    <"$dir/release" >"$dir/held" &
client=$!
exec {release}>"$dir/release"
eventually grep -qs held "$dir/held"
stop_attached_zsd
exec {release}>&-
wait "$client"

echo "a second zsd on a live socket is refused, the first serves on"
start_zsd --size 16M
expect_status 1 "$zsd" --size 32M --socket "$socket" --control "$dir/other"
grep -qF "$socket" "$dir/output" || fail "it does not name the socket"
expect_equal "the size" "$(nbdinfo --size "$uri")" $((16 << 20))
expect_status 1 "$zsd" --size 32M --socket "$dir/other" --control "$control"
[ ! -e "$dir/other" ] || fail "a zsd that did not start left a socket behind"
expect_equal "the version" "$(ctl --json stats | jq .result.pid)" "$zsd_pid"

echo "killed, it leaves its sockets; the next one takes their place"
kill -KILL "$zsd_pid"
wait "$zsd_pid" 2>/dev/null || true
zsd_pid=
[ -S "$socket" ] || fail "the stale socket is not there to be replaced"
start_zsd --size 32M
expect_equal "the size" "$(nbdinfo --size "$uri")" $((32 << 20))
stop_zsd

echo "what is no socket is not removed"
echo precious >"$socket"
expect_status 1 "$zsd" --size 16M --socket "$socket"
expect_equal "the file" "$(cat "$socket")" precious
