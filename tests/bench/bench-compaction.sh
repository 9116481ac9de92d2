# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# How fast zsd compacts, and what others notice of it; sourced by bench.sh.
#
# Speed: a store full of pages, half of them trimmed at random, compacted while
# nothing else happens, over and over: by itself (compactcost), and in a server,
# where zsctl says how many objects were moved, how long that took, and how long
# it took then to hand the memory back to the system.
# Delay: one worker thread, nothing pinned, a load that makes holes all the
# while (random pages overwrite random others), once by itself and once with
# `zsctl compact` over and over, in turn:
#   d32   writes, 32 under way
#   d1    reads, writes and trims in equal parts, one under way: the delay of a
#         request that meets compaction
: "${build:?}" "${work:?}" "${results:?}" "${rounds:?}" "${seconds:?}"
: "${server_core:?}"
: "${large_bytes:?}" "${compaction_bytes:?}" "${pages:?}" "${compactions:?}"

measure_compaction() { # ROUND
    local store
    store=$(taskset -c "$server_core" "$build/tests/bench/compactcost" \
        "${pages[@]/#/--pages=}" --size "$large_bytes" --rounds 3 \
        --seed "$1")
    load zsd-lz4 "${pages[@]/#/--pages=}" --prefill --block-bytes 64K \
        --depth 4 --requests 0
    load zsd-lz4 --trim-share 50 --requests 0 --seed "$1"
    compact zsd-lz4 | jq -c --argjson round "$1" --argjson store "$store" \
        '{part: "compaction", $round, $store} + .' >>"$results"
}

# Until it is killed, between two compactions.
compact_over_and_over() {
    local goes_on=yes
    trap 'goes_on=' TERM
    while [ -n "$goes_on" ]; do
        compact zsd-lz4
    done
}

disturb_load() { # ROUND SHAPE
    local -a options=(--depth "${2#d}")
    case $2 in
    d1) options+=(--mix 34:33:33) ;;
    *) options+=(--mix 0:100:0) ;;
    esac
    load_anywhere zsd-lz4 "${pages[@]/#/--pages=}" "${options[@]}" \
        --seconds "$seconds" --seed "$1"
}

measure_delay() { # ROUND SHAPE
    local alone beside compactor
    alone=$(disturb_load "$1" "$2")
    compact_over_and_over >"$work/compactions.jsonl" &
    compactor=$!
    beside=$(disturb_load "$1" "$2")
    kill "$compactor"
    wait "$compactor" 2>/dev/null || true
    jq -cs --argjson round "$1" --arg shape "$2" --argjson alone "$alone" \
        --argjson beside "$beside" \
        '{part: "delay", $shape, $round, $alone, $beside,
            compactions: length,
            objects_moved: (map(.objects_moved) | add),
            compaction_us: (map(.duration_us) | add)}' \
        "$work/compactions.jsonl" >>"$results"
}

part_compaction() {
    local round
    start_server single zsd-lz4 "$compaction_bytes"
    for ((round = 1; round <= compactions; round++)); do
        progress "compaction, round $round of $compactions"
        measure_compaction "$round"
    done
    stop_servers
    start_server single zsd-lz4 "$large_bytes"
    fill_nbdload zsd-lz4
    for ((round = 1; round <= rounds; round++)); do
        progress "delay by compaction, round $round of $rounds"
        measure_delay "$round" d32
        measure_delay "$round" d1
    done
    stop_servers
}
