# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What a dictionary saves zstd; sourced by bench.sh.
#
# Of each page file, runs of 64 neighbouring pages go in turn to a file to train
# on and to one to measure with. The dictionary is made of the first as `zsctl
# train` makes one; the codec is timed with the second, which it has never seen,
# with and without (codeccost), in turn.
: "${build:?}" "${work:?}" "${results:?}" "${rounds:?}" "${seconds:?}"
: "${server_core:?}" "${pages:?}" "${disk_bytes:?}"

dictionary_algorithm=zstd:1

split_pages() {
    local file run=0 piece
    for file in "${pages[@]}"; do
        split --bytes 256K --suffix-length 5 "$file" "$work/run."
        for piece in "$work"/run.*; do
            if ((run++ % 2)); then
                cat "$piece" >>"$work/seen"
            else
                cat "$piece" >>"$work/unseen"
            fi
        done
        rm "$work"/run.*
    done
}

dictionary_cost() { # ROUND CODECCOST-OPTION...
    local round=$1
    shift
    taskset -c "$server_core" "$build/tests/bench/codeccost" \
        --pages "$work/unseen" --size "$disk_bytes" --seconds "$seconds" \
        --seed "$round" --algorithm "$dictionary_algorithm" "$@"
}

part_dictionary() {
    local round
    split_pages
    for ((round = 1; round <= rounds; round++)); do
        progress "dictionary, round $round of $rounds"
        jq -nc --argjson round "$round" --argjson without \
            "$(dictionary_cost "$round")" --argjson with \
            "$(dictionary_cost "$round" --train "$work/seen")" \
            '{part: "dictionary"} + $ARGS.named' >>"$results"
    done
}
