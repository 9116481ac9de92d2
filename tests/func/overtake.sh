#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A page that is read does not wait behind a burst of pages that are written out
# on the same connection: its answer comes before most of theirs. A slow codec,
# so that the writes are still there when the read comes.
#
# ZSD_OVERTAKE_ROUNDS=N, up to 1000: so many bursts, for figures of time.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

start_zsd --size 1M --algorithm zstd:19 --threads 1
read -r write_us read_us late_us nr_before < <(
    "$top_builddir/tests/func/rawclient" "$socket" overtake \
        "${ZSD_OVERTAKE_ROUNDS:-15}"
)
echo "a write by itself takes $write_us us; a read behind 128 of them" \
    "$read_us us, p99 $late_us us, and $nr_before are answered before it" \
    "(medians)"
expect_at_most "writes answered before the read" "$nr_before" 32
stop_zsd
