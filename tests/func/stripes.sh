#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Clients that write different parts of the same pages at the same time lose
# nothing to each other, while compaction moves the pages about.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require jq jq

choose_seed
for algorithm in lz4 zstd; do
    start_zsd --size 16M --threads 4 --algorithm "$algorithm"
    "$top_builddir/tests/func/rawclient" "$socket" stripes "$seed" 4 8000 &
    writers=$!
    while kill -0 "$writers" 2>/dev/null; do
        ctl compact >/dev/null
    done
    wait "$writers" || fail "updates were lost"
    verify_store
    stop_zsd
done
