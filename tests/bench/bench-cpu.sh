# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What zsd spends on a request beyond its codec; sourced by bench.sh.
#
# Each round runs the codec alone on the server's core (codeccost), then writes
# and reads at depth 32 on a full disk of the same pages, one thread on that
# core. The difference is the server's own: system calls, copies, allocator.
: "${build:?}" "${results:?}" "${rounds:?}" "${seconds:?}" "${disk_bytes:?}"
: "${server_core:?}" "${pages:?}" "${cpu_servers:?}"

codec_cost() { # CODECCOST-OPTION...
    taskset -c "$server_core" "$build/tests/bench/codeccost" \
        "${pages[@]/#/--pages=}" --size "$disk_bytes" "$@"
}

measure_cpu() { # ROUND NAME
    local codec write read
    codec=$(codec_cost --algorithm "${2#zsd-}" --seed "$1" --seconds "$seconds")
    write=$(run_nbdload "$1" write d32 "$2")
    read=$(run_nbdload "$1" read d32 "$2")
    jq -nc --argjson round "$1" --arg server "$2" --argjson codec "$codec" \
        --argjson write "$write" --argjson read "$read" \
        '{part: "cpu", $server, $round, $codec, $write, $read}' >>"$results"
}

part_cpu() {
    local name round
    for name in $cpu_servers; do
        start_server pinned "$name" "$disk_bytes"
        fill_nbdload "$name"
    done
    for ((round = 1; round <= rounds; round++)); do
        progress "cpu, round $round of $rounds"
        for name in $cpu_servers; do
            measure_cpu "$round" "$name"
        done
    done
    stop_servers
}
