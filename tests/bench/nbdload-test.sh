#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nbdload believes a good server and finds out a bad one.
#
# What checks others must be seen to fail: against a server that forgets what
# is written, one that refuses requests, one that falls silent.
set -euo pipefail
. "$(dirname "$0")/test-lib.sh"

nbdload=${top_builddir:?set by make check}/tests/bench/nbdload
socket=$dir/nbd.sock
server=

stop_server() {
    [ -n "$server" ] || return 0
    kill -KILL "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=
    rm -f "$socket"
}

clean_up_more() { stop_server; }

# start_server NBDKIT-ARGUMENT...
start_server() {
    local tries

    stop_server
    nbdkit -f -U "$socket" "$@" 2>"$dir/log" &
    server=$!
    for ((tries = 0; tries < 200; tries++)); do
        if "$nbdload" -u "$socket" --requests 0 2>"$dir/output"; then
            return
        fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.05
    done
    fail "nbdkit does not start: $(cat "$dir/log" "$dir/output")"
}

# expect STATUS WORDS NBDLOAD-OPTION... : WORDS must be in what it prints.
expect() {
    local expected=$1 words=$2 status=0
    shift 2

    timeout 60 "$nbdload" -u "$socket" --server-pid "$server" "$@" \
        >"$dir/output" 2>&1 || status=$?
    [ "$status" -eq "$expected" ] ||
        fail "'$*' exits $status, not $expected: $(cat "$dir/output")"
    grep -qF -- "$words" "$dir/output" ||
        fail "'$*' does not say '$words': $(cat "$dir/output")"
}

for tool in nbdkit jq; do
    command -v "$tool" >/dev/null || fail "needs $tool: apt-get install $tool"
done

start_server memory 64M
expect 0 '"mismatches":0' --fresh --verify --mix 40:40:20 --depth 32 \
    --requests 20000
expect 0 '"mismatches":0' --prefill --verify --mix 50:40:10 --depth 16 \
    --connections 3 --block-bytes 12K --requests 5000
expect 0 '"mismatches":0' --prefill --verify --mix 50:50:0 --depth 7 \
    --sequential --block-bytes 1M --requests 200
expect 0 '"requests":1000,' --mix 50:25:25 --requests 1000
expect 1 "returned wrong bytes" --fresh --verify --mix 100:0:0 --requests 1000
expect 0 '"mismatches":0' --prefill --trim-share 37 --verify --mix 100:0:0 \
    --depth 32 --requests 40000
expect 1 "smaller than --span" --span 65M
expect 2 "three percentages" --mix 50:40:5
expect 0 '"mismatches":0' --seconds 0.2
expect 2 "not a time" --seconds 0
expect 2 "not a time" --seconds nan

expect 2 "not a number from 0 to 100" --trim-share 101

start_server null 64M
expect 1 "returned wrong bytes" --prefill --verify --mix 100:0:0 \
    --depth 8 --requests 1000

start_server --filter=error memory 64M error-pwrite=ENOSPC \
    error-pwrite-rate=10%
expect 1 "for lack of space" --fresh --verify --mix 50:50:0 --requests 2000
expect 0 '"mismatches":0' --prefill --allow-enospc --verify --mix 50:50:0 \
    --requests 2000

start_server --filter=error memory 64M error-pread=EIO error-pread-rate=10%
expect 1 "first with NBD error 5" --prefill --mix 100:0:0 --allow-enospc \
    --requests 2000

start_server memory 64M
kill -STOP "$server"
expect 1 "timed out" --timeout 1 --requests 10

# The mean is that of the latencies: at depth 1 they fill the time.
start_server memory 64M
expect 0 '"mean_us"' --requests 3000
jq -e '.latency.mean_us * .requests / 1e6 / .seconds | . > 0.5 and . <= 1' \
    "$dir/output" >"$dir/log" || fail "not the mean: $(cat "$dir/output")"

# So many are trimmed as were asked for, whatever the seed.
stop_server
zsd --size 64M --socket "$socket" 2>"$dir/log" &
server=$!
for ((tries = 0; tries < 200; tries++)); do
    "$nbdload" -u "$socket" --requests 0 2>"$dir/output" && break
    sleep 0.05
done
for seed in 1 2; do
    "$nbdload" -u "$socket" --prefill --trim-share 90 --requests 0 \
        --seed "$seed"
    zsctl --control "$socket.ctl" --json stats >"$dir/output"
    jq -e '.result.exports[0].mm_stat.orig_data_size == (16384 - 14745) * 4096' \
        "$dir/output" >"$dir/log" || fail "trimmed: $(cat "$dir/output")"
done

# Every request asked for is made and counted.
start_server memory 64M
expect 0 '"requests":3000,' --requests 3000 --depth 4
