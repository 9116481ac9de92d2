#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# There is a most of connections, and a handshake has its time; a client that
# got through it may be quiet for as long as it likes. To hand one over costs
# nothing, whatever the priorities of those who do.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdinfo libnbd-bin
require jq jq

require taskset util-linux

rawclient=$top_builddir/tests/func/rawclient

open_connections() { # NUMBER
    [ "$(get_stat connections.open)" -eq "$1" ]
}

start_zsd --size 16M --max-connections 4 --handshake-timeout 1

echo "four connections are held"
mkfifo "$dir/release"
"$rawclient" "$socket" hold 4 <"$dir/release" >"$dir/held" &
holder=$!
exec {release}>"$dir/release"
eventually grep -qs held "$dir/held"
expect_equal connections.open "$(get_stat connections.open)" 4

echo "a fifth is turned away"
expect_status 1 "$rawclient" "$socket" hold 1
expect_status 1 nbdinfo --size "$uri"
expect_equal connections.refused "$(get_stat connections.refused)" 2
kill -0 "$holder" || fail "the connections held are gone"

echo "once they are gone there is room again"
exec {release}>&-
wait "$holder"
eventually open_connections 0
expect_equal "the size" "$(nbdinfo --size "$uri")" $((16 << 20))
eventually open_connections 0

echo "one that negotiated outlives those that do not"
rm "$dir/held"
"$rawclient" "$socket" hold 1 <"$dir/release" >"$dir/held" &
holder=$!
exec {release}>"$dir/release"
eventually grep -qs held "$dir/held"
failures=$(get_stat connections.handshake_failures)
"$rawclient" "$socket" silent 15
"$rawclient" "$socket" trickle 15
expect_equal connections.handshake_failures \
    "$(get_stat connections.handshake_failures)" $((failures + 2))
expect_equal connections.open "$(get_stat connections.open)" 1
kill -0 "$holder" || fail "a quiet client was dropped"

echo "clients that say nothing take up room only until their time is over"
silent=()
for _ in 1 2 3; do
    "$rawclient" "$socket" silent 15 &
    silent+=($!)
done
eventually open_connections 4
for client in "${silent[@]}"; do
    wait "$client" || fail "a silent client was not dropped"
done
eventually open_connections 1
expect_equal "the size" "$(nbdinfo --size "$uri")" $((16 << 20))

exec {release}>&-
wait "$holder"
stop_zsd

# Where the thread that takes a connection over has real-time priority, and the
# one that hands it over has not, the former must not wait for the latter: on
# one processor it would wait until the kernel throttles it.
spent_ms() {
    awk -v hz="$(getconf CLK_TCK)" \
        '{ print int(($14 + $15) * 1000 / hz) }' "/proc/$zsd_pid/stat"
}

echo "with --swap, on one processor"
start_zsd --size 16M --swap --survive=off --max-connections 64
taskset --all-tasks --cpu-list --pid 0 "$zsd_pid" >/dev/null
before=$(spent_ms)
for _ in {1..5}; do
    "$rawclient" "$socket" hold 4 </dev/null >/dev/null
done
expect_at_most "the time spent on twenty connections, ms" \
    $(($(spent_ms) - before)) 800
stop_zsd
