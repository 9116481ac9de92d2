#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A trim or zeroing of nearly 4 GiB, on a disk of 8 GiB half full of data, does
# not hold up what others read: the longest read beside it takes hardly longer
# than the longest without it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# What the longest read beside may take longer than undisturbed, us. A server
# that runs the request in one go takes some hundred thousand.
margin_us=5000

# Other programs on the machine delay a read, too, now and then, or leave time
# for few of them: so often it may be tried.
tries=6

size=${ZSD_DELAY_SIZE:-8G}

# measure THREADS trim|zeroes: sets the figures.
measure() {
    start_zsd --size "$size" --threads "$1"
    read -r beside_us quiet_us request_ms nr_reads < <(
        "$top_builddir/tests/func/rawclient" "$socket" delay "$2"
    )
    stop_zsd
}

for threads in 1 2; do
    for request in trim zeroes; do
        for ((try = 1; ; try++)); do
            measure "$threads" "$request"
            echo "$request of half of $size, $threads threads, took" \
                "$request_ms ms; longest of $nr_reads reads beside it:" \
                "$beside_us us, undisturbed: $quiet_us us"
            ((beside_us > quiet_us + margin_us || nr_reads < 8)) || break
            [ "$try" -lt "$tries" ] ||
                fail "reads are held up by one $request, $tries times out of" \
                    "$tries"
        done
    done
done
