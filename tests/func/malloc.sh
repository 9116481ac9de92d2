#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In the steady state no request allocates: over 120,000 mixed requests on
# established connections the whole process makes no call of malloc, free,
# mmap or their kin. Nor does one more connection, for which memory is kept
# ready. That the counter counts is shown before and after.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdinfo libnbd-bin

names=(malloc calloc realloc aligned free mmap)

# Sets $counts, in the order of $names.
read_counts() {
    read -ra counts <<<"$(od -An -v -t u8 "$dir/counts" | tr '\n' ' ')"
}

sum_of_counts() {
    local sum=0 count

    read_counts
    for count in "${counts[@]}"; do
        sum=$((sum + count))
    done
    echo "$sum"
}

zsd_environment=(
    "LD_PRELOAD=$top_builddir/tests/func/malloc_count.so"
    "MALLOC_COUNT_FILE=$dir/counts"
)

expect_word() { # WORD
    local word

    read -r -u "${client[0]}" word
    expect_equal "what the client says" "$word" "$1"
}

# What is stored by then is trained on; its pages go on to be read.
train() {
    ctl train --dictionary-bytes 8K >"$dir/train" ||
        fail "zsctl train: $(cat "$dir/train")"
    expect_equal "the current dictionary" "$(get_stat dictionary.current)" 1
}

one_more_costs_nothing() {
    local sum

    sum=$(sum_of_counts)
    nbdinfo --size "$uri" >/dev/null
    [ "$(sum_of_counts)" -eq "$sum" ]
}

run_steady_requests() { # ALGORITHM [OPTION...]
    local at_start client_pid warm i

    start_zsd --size 64M --algorithm "$@"
    at_start=$(sum_of_counts)
    expect_at_least "the calls of the start" "$at_start" 20

    coproc client {
        "$top_builddir/tests/func/rawclient" "$socket" \
            steady "$seed" 4 40000 120000
    }
    # shellcheck disable=SC2154 # coproc sets it, and unsets it at the end
    client_pid=$client_PID
    expect_word warm
    [ "$1" = lz4 ] || train
    read_counts
    warm=("${counts[@]}")
    expect_at_least "the calls for four connections" \
        "$(($(sum_of_counts) - at_start))" 1

    echo >&"${client[1]}"
    expect_word "done"
    read_counts
    for i in "${!names[@]}"; do
        expect_equal "the calls of ${names[i]} in the steady state" \
            "$((counts[i] - warm[i]))" 0
    done

    echo >&"${client[1]}"
    wait "$client_pid"
    eventually one_more_costs_nothing # when memory of those four came back
    read_counts
    echo "$1: $at_start calls at the start, none in the steady state;" \
        "in all: ${names[*]} = ${counts[*]}"
    stop_zsd
}

choose_seed
run_steady_requests lz4
run_steady_requests zstd --checksum
