#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# How much memory pages take with LZ4, written once in order.
#
# Recorded pages of real programs, where they are there, may take no more than
# the kernel's zram takes for them, with its chains of 8. The table of their
# README.md that has a column mem_used_total has its figures, for some of them
# at least. Made-up pages, always, are held against what their compressed bytes
# must cost.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdcopy libnbd-bin
require jq jq

# Stores a file in a fresh disk of its size, reads it back, and leaves zsd
# running: store FILE ZSD-OPTION...
store() {
    start_zsd --size "$(stat --format=%s "$1")" --algorithm lz4 "${@:2}"
    nbdcopy --connections=1 --requests=1 "$1" "$uri"
    nbdcopy "$uri" "$dir/out"
    cmp "$1" "$dir/out"
}

# mem_used_total of one recording, from the kernel: kernel_figure NAME
kernel_figure() {
    tr -d ' ,' <"$corpus/README.md" | awk -F '|' -v name="$1" '
        /\|mem_used_total\|/ {
            for (i = 1; i <= NF; i++)
                if ($i == "mem_used_total")
                    column = i
        }
        column && $2 == name { print $column }'
}

check_recording() { # FILE.pages.zst
    local name figure used

    name=$(basename "$1" .pages.zst)
    figure=$(kernel_figure "$name")
    [ -n "$figure" ] || return 0
    compared=$((compared + 1))
    zstd --decompress --quiet --force -o "$dir/pages" "$1"
    store "$dir/pages" --chain-size 8
    used=$(get_stat mm_stat.mem_used_total)
    echo "$name: $used bytes, the kernel's zram $figure"
    expect_at_most "mem_used_total of $name" "$used" "$figure"
    verify_store
    stop_zsd
}

# Headers are 4 bytes an object, rounding up to the class up to 16 where classes
# are not merged, 8 in the mean; and zspages have ends that are not used. For
# pages that compress to a third that is a fortieth with chains of 16. The last
# page of a class is half empty. More would be pages given away.
check_made_up() { # SEED
    local used stored classes

    "$top_builddir/tests/bench/pagegen" --size 32M --seed "$1" "$dir/pages"
    store "$dir/pages"
    used=$(get_stat mm_stat.mem_used_total)
    stored=$(get_stat mm_stat.compr_data_size)
    classes=$(ctl --json stats --classes | jq '.result.classes | length')
    echo "made up, seed $1: $used bytes for $stored compressed ones" \
        "in $classes classes"
    expect_at_least "mem_used_total" "$used" "$stored"
    expect_at_most "mem_used_total" "$used" \
        $((stored + stored / 40 + classes * 4096))
    stop_zsd
}

choose_seed
check_made_up "$seed"

if [ -d "$corpus" ]; then
    require zstd zstd
    compared=0
    for file in "$corpus"/*.pages.zst; do
        check_recording "$file"
    done
    expect_at_least "recordings with a figure of the kernel's" "$compared" 1
fi
