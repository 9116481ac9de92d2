#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nbdload believes a good server and finds out a bad one.
#
# What checks others must be seen to fail: against a server that forgets what
# is written, one that refuses requests, one that falls silent.
set -euo pipefail

nbdload=${top_builddir:?set by make check}/tests/bench/nbdload
dir=$(mktemp -d "${TMPDIR:-/tmp}/nbdload-test-XXXXXXXX")
socket=$dir/nbd.sock
server=

stop_server() {
    [ -n "$server" ] || return 0
    kill -KILL "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=
    rm -f "$socket"
}

clean_up() {
    stop_server
    rm -rf "$dir"
}
trap clean_up EXIT

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

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

command -v nbdkit >/dev/null || fail "needs nbdkit: apt-get install nbdkit"

start_server memory 64M
expect 0 "wrong bytes: 0" --fresh --verify --mix 40:40:20 --depth 32 \
    --requests 20000
expect 0 "wrong bytes: 0" --prefill --verify --mix 50:40:10 --depth 16 \
    --connections 3 --block-bytes 12K --requests 5000
expect 0 "wrong bytes: 0" --prefill --verify --mix 50:50:0 --depth 7 \
    --sequential --block-bytes 1M --requests 200
expect 0 '"errors":0' --json --mix 50:25:25 --requests 1000
expect 1 "returned wrong bytes" --fresh --verify --mix 100:0:0 --requests 1000
expect 1 "smaller than --span" --span 65M
expect 2 "three percentages" --mix 50:40:5
expect 0 '"errors":0' --json --seconds 0.2
expect 2 "not a time" --seconds 0
expect 2 "not a time" --seconds nan

start_server null 64M
expect 1 "returned wrong bytes" --prefill --verify --mix 100:0:0 \
    --depth 8 --requests 1000

start_server --filter=error memory 64M error-pwrite=ENOSPC \
    error-pwrite-rate=10%
expect 1 "for lack of space" --fresh --verify --mix 50:50:0 --requests 2000
expect 0 "wrong bytes: 0" --prefill --allow-enospc --verify --mix 50:50:0 \
    --requests 2000

start_server --filter=error memory 64M error-pread=EIO error-pread-rate=10%
expect 1 "first with NBD error 5" --prefill --mix 100:0:0 --allow-enospc \
    --requests 2000

start_server memory 64M
kill -STOP "$server"
expect 1 "timed out" --timeout 1 --requests 10

# Every request asked for is made and counted.
start_server memory 64M
expect 0 '"requests":3000,' --json --requests 3000 --depth 4
