#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two pages that some clients write and others read all the time: a read
# returns one of the pages ever written, whole, and the server goes on. More
# threads than cores, so that one is stopped at any point of its way.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require jq jq

for algorithm in lz4 zstd; do
    start_zsd --size 16K --threads 8 --algorithm "$algorithm"
    "$top_builddir/tests/func/rawclient" "$socket" hot 4 4 15000
    verify_store
    expect_equal mm_stat.orig_data_size "$(get_stat mm_stat.orig_data_size)" \
        8192
    stop_zsd
done
