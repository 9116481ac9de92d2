#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# zsd --survive: servers are killed, and no client notices, over a Unix socket
# and over TCP; what is stored is there; and the end is clean.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require jq jq
require nbdcopy libnbd-bin

kills=${ZSD_SURVIVE_KILLS:-25}

server_pid() {
    get_stat pid
}

# The server that serves now is another than process $1.
# Once one stands by; and wait for that to serve.
kill_server() {
    local pid

    eventually has_standby
    pid=$(server_pid)
    kill -KILL "$pid"
    eventually serves_other_than "$pid"
}

kill_many() {
    local i

    for ((i = 0; i < kills; i++)); do
        kill_server
    done
}

# One serves, one stands by; of those that died, and of their companions, nothing
# is left.
only_two_are_left() {
    [ "$(pgrep --count --parent "$zsd_pid")" = 2 ]
}

get_port() {
    sed -n 's/^zsd: listening on 127.0.0.1:\([0-9]*\)$/\1/p' "$log"
}

echo "$kills servers are killed under clients on a Unix socket"
start_zsd --size 64M --survive --checksum
have_clients "$socket"
kill_many
expect_equal "the deaths" "$(get_stat survival.deaths)" "$kills"
expect_equal "the generation" "$(get_stat survival.generation)" "$kills"
expect_at_least "the last pause" "$(get_stat survival.last_pause_us)" 1
expect_equal "the keeper" "$(get_stat survival.keeper_pid)" "$zsd_pid"
eventually has_standby
eventually only_two_are_left
let_clients_go
verify_store
stop_zsd

echo "the same over TCP"
try_zsd --size 64M --survive --listen 127.0.0.1:0 --control "$control"
have_clients "127.0.0.1:$(get_port)"
kill_many
let_clients_go
stop_zsd

# Nothing of this test itself may be swapped out, or it may: as the groups say.
is_never_swapped() {
    local group

    group=$(sed -n 's/^0:://p' /proc/self/cgroup)
    while [ "$group" != "${group%/*}" ]; do
        ! grep -qsx 0 "/sys/fs/cgroup$group/memory.swap.max" || return 0
        group=${group%/*}
    done
    grep -qsx 0 /sys/fs/cgroup/memory.swap.max
}

if is_never_swapped; then
    echo "--survive=strict starts where nothing that is kept may be swapped out"
    start_zsd --size 16M --swap --survive=strict
    stop_zsd
else
    echo "--survive=strict ends the start where what is kept may be swapped out"
    expect_status 1 "$zsd" --size 16M --swap --survive=strict \
        --socket "$socket"
    grep -q -- '--survive=strict: .*MemorySwapMax=0' "$dir/output" ||
        fail "$(cat "$dir/output")"
fi

echo "--swap alone has a keeper; --survive=off has none"
start_zsd --size 16M --swap --survive=off
expect_equal "the keeper" "$(get_stat survival.keeper_pid)" 0
stop_zsd
start_zsd --size 16M --swap
expect_equal "the keeper" "$(get_stat survival.keeper_pid)" "$zsd_pid"
is_never_swapped ||
    grep -q 'warning: --survive: .*MemorySwapMax=0' "$log" ||
    fail "no word of what may be swapped out"

echo "what is stored outlives its servers"
"$top_builddir/tests/bench/pagegen" --size 16M "$dir/pages"
nbdcopy "$dir/pages" "$uri"
stored=$(get_stat mm_stat)
kill_server
kill_server
nbdcopy "$uri" "$dir/copy"
cmp "$dir/pages" "$dir/copy"
verify_store
expect_equal "what is stored" \
    "$(get_stat 'mm_stat | del(.mem_used_max)')" \
    "$(jq 'del(.mem_used_max)' <<<"$stored")"

echo "one that stands by is replaced when it dies"
eventually has_standby
standby=$(pgrep -x zsd -P "$zsd_pid" | grep -vx "$(server_pid)")
kill -KILL "$standby"
eventually grep -q 'the server that stands by died' "$log"
eventually has_standby

echo "a server that has no keeper any more goes on for its clients, and ends"
stop_zsd
start_zsd --size 64M --survive
have_clients "$socket"
server=$(server_pid)
kill -KILL "$zsd_pid"
wait "$zsd_pid" 2>"$dir/wait" || true
zsd_pid=
eventually grep -q 'the keeper is gone: shutting down' "$log"
kill -0 "$server"
let_clients_go
gone() {
    ! kill -0 "$server" 2>/dev/null
}
eventually gone
