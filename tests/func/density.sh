#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# How much memory pages take, LZ4 and chains of 8, written once in order.
#
# Recorded pages of real programs, where they are there, may take no more than
# the kernel's zram takes for them; the figures stand beside them, in the table
# of their README.md that has a column mem_used_total. Made-up pages, always,
# are held against what their compressed bytes must cost.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdcopy libnbd-bin
require jq jq

# Stores a file in a fresh disk of its size, reads it back, and leaves zsd
# running: store FILE
store() {
    start_zsd --size "$(stat --format=%s "$1")" --algorithm lz4 --chain-size 8
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
    [ -n "$figure" ] || fail "README.md has no figure for $name"
    zstd --decompress --quiet --force -o "$dir/pages" "$1"
    store "$dir/pages"
    used=$(get_stat mm_stat.mem_used_total)
    echo "$name: $used bytes, the kernel's zram $figure"
    expect_at_most "mem_used_total of $name" "$used" "$figure"
    verify_store
    stop_zsd
}

# What the pages of a class cannot hold more of is the last, partly filled
# zspage; the rest is headers (4 bytes an object), rounding up to the class
# (16 bytes at most, where classes are not merged: 8 in the mean), and the
# ends of zspages. Together that is a fifteenth for pages that compress to a
# third; more would be pages given away.
check_made_up() { # SEED
    local used stored

    "$top_builddir/tests/bench/pagegen" --size 32M --seed "$1" "$dir/pages"
    store "$dir/pages"
    used=$(get_stat mm_stat.mem_used_total)
    stored=$(get_stat mm_stat.compr_data_size)
    echo "made up, seed $1: $used bytes for $stored compressed ones"
    expect_at_least "mem_used_total" "$used" "$stored"
    expect_at_most "mem_used_total" "$used" $((stored + stored / 15))
    stop_zsd
}

choose_seed
check_made_up "$seed"

if [ -d "$corpus" ]; then
    require zstd zstd
    for file in "$corpus"/*.pages.zst; do
        check_recording "$file"
    done
fi
