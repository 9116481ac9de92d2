# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Two threads on two cores next to one; sourced by bench.sh.
#
# store    storescale: threads that write to a store and do nothing else, so
#          that there is no client to take a core. By elapsed time
# locks    the same while the locks are watched: with one thread, what the model
#          of many cores is fed with; with two, how often they meet
# sockets  zsd with one thread and one connection, with two and two. The client
#          needs a core, so what is compared is processor time per request: what
#          the server would do with the cores to itself, but for waiting
: "${build:?}" "${results:?}" "${rounds:?}" "${seconds:?}" "${pages:?}"
: "${disk_bytes:?}" "${client_core:?}" "${server_core:?}"

scale_store() { # STORESCALE-OPTION...
    "$build/tests/bench/storescale" "${pages[@]/#/--pages=}" \
        --size "$disk_bytes" --seconds "$seconds" "$@"
}

scale_sockets() { # ROUND THREADS
    local -a options
    shape_options write "c$2"
    load_anywhere "zsd-lz4@$2" "${options[@]}" --seconds "$seconds" --seed "$1"
}

measure_scaling() { # ROUND
    local threads
    for threads in 1 2; do
        jq -nc --argjson round "$1" --argjson threads "$threads" \
            --argjson store "$(scale_store --threads "$threads")" \
            --argjson watched "$(scale_store --threads "$threads" --locks)" \
            --argjson socket "$(scale_sockets "$1" "$threads")" \
            '{part: "scaling"} + $ARGS.named' >>"$results"
    done
}

part_scaling() {
    local round threads
    [ "$client_core" != "$server_core" ] || {
        progress "scaling needs two cores"
        return
    }
    for threads in 1 2; do
        start_server default "zsd-lz4@$threads" "$disk_bytes"
        fill_nbdload "zsd-lz4@$threads"
    done
    for ((round = 1; round <= rounds; round++)); do
        progress "scaling, round $round of $rounds"
        measure_scaling "$round"
    done
    stop_servers
}
