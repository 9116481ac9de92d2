#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whatever zsd is given for standard input, output and error, or not given: it
# serves, hears signals, and writes into nothing that is not meant for it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdinfo libnbd-bin

rawclient=$top_builddir/tests/func/rawclient

# Not by the log, which may be nowhere.
answers_or_is_gone() {
    ctl stats >/dev/null 2>&1 || ! kill -0 "$zsd_pid" 2>/dev/null
}

# start_anyhow OPTION... : with the descriptors of the caller.
start_anyhow() {
    "$zsd" --size 16M --socket "$socket" --max-connections 256 "$@" &
    zsd_pid=$!
}

expect_served() {
    local word

    word=$(echo | timeout "$patience" "$rawclient" "$socket" ask | tail -n 1) ||
        fail "no client is served"
    expect_equal "what the client says" "$word" served
}

expect_start() {
    eventually answers_or_is_gone
    kill -0 "$zsd_pid" || fail "it does not start"
}

expect_null() { # DESCRIPTOR
    expect_equal "descriptor $1" "$(readlink "/proc/$zsd_pid/fd/$1")" /dev/null
}

echo "closed from the start, in any combination: /dev/null stands in"
for ((closed = 0; closed < 8; closed++)); do
    (
        ((closed & 1)) && exec <&-
        ((closed & 2)) && exec >&-
        ((closed & 4)) && exec 2>&-
        exec "$zsd" --size 16M --verbose --socket "$socket"
    ) 2>"$log" &
    zsd_pid=$!
    expect_start
    expect_served
    for fd in 0 1 2; do
        ((!(closed & 1 << fd))) || expect_null "$fd"
    done
    stop_zsd
done

# More lines than what is left of the pipe and the ring hold together: each
# connection has two.
filler_bytes=60000
nr_connections=400

overfill() {
    for ((i = 0; i < nr_connections / 100; i++)); do
        "$rawclient" "$socket" hold 100 </dev/null >/dev/null
    done
}

# On a pipe that is full: start_unread OPTION...
start_unread() {
    rm -f "$dir/pipe"
    mkfifo "$dir/pipe"
    exec {pipe}<>"$dir/pipe"
    head -c "$filler_bytes" /dev/zero >&"$pipe"
    start_anyhow --verbose "$@" >&"$pipe" 2>&1
}

for swap in '' '--swap --survive=off'; do
    echo "standard error is a pipe that nobody reads${swap:+, with $swap}"
    # shellcheck disable=SC2086 # options are words
    start_unread $swap
    expect_start
    overfill
    expect_served
    kill -HUP "$zsd_pid"
    expect_served

    echo "once it is read, it says how many lines were lost"
    head -c "$filler_bytes" <&"$pipe" >/dev/null
    timeout "$patience" sed -u '/lines of the log were lost/q' <&"$pipe" \
        >"$dir/said"
    lost=$(sed -n 's/^zsd: \([0-9]*\) lines of the log.*/\1/p' "$dir/said")
    expect_at_least "the lines that were lost" "$lost" 100
    expect_at_most "those and those that were not" \
        "$((lost + $(wc -l <"$dir/said")))" $((2 * nr_connections + 100))

    echo "and ends when it is told to, though nobody reads again"
    overfill
    stop_zsd
    exec {pipe}>&-
done

echo "nor does a keeper wait for who reads: a server dies, another goes on"
start_unread --survive
expect_start
overfill
kill -HUP "$zsd_pid"
for _ in 1 2 3; do
    server=$(eventually get_stat pid)
    kill -KILL "$server" || true # it may have handed over by itself
    eventually [ ! -d "/proc/$server" ]
    expect_served
    overfill
done
expect_at_least "servers that died" "$(get_stat survival.deaths)" 1
stop_zsd
exec {pipe}>&-

echo "standard error goes away"
mkfifo "$dir/gone"
exec {reader}<>"$dir/gone"
start_anyhow --verbose 2>"$dir/gone"
expect_start
exec {reader}>&-
overfill
expect_served
kill -HUP "$zsd_pid"
expect_served
stop_zsd

echo "standard error is a full device"
start_anyhow --verbose 2>/dev/full
expect_start
expect_served
stop_zsd
