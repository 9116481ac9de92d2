#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Compaction and verification beside a full load: no read returns wrong bytes,
# and what is checked is whole at all times.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require jq jq

# Compact and verify in turn while the load runs: run_beside LOAD-OPTION...
run_beside() {
    local load rounds=0

    "$top_builddir/tests/bench/nbdload" --socket "$socket" --seed "$seed" \
        --connections 4 --depth 8 --mix 50:30:20 --fresh --verify "$@" \
        >"$dir/load" 2>&1 &
    load=$!
    while kill -0 "$load" 2>/dev/null; do
        for _ in {1..10}; do
            ctl compact >/dev/null
        done
        verify_store
        rounds=$((rounds + 1))
    done
    wait "$load" || fail "the load: $(cat "$dir/load")"
    echo "$rounds rounds of compaction and verification"
    expect_at_least "the rounds beside the load" "$rounds" 1
    expect_at_least mm_stat.pages_compacted \
        "$(get_stat mm_stat.pages_compacted)" 1
    verify_store
}

choose_seed
start_zsd --size 128M
run_beside --requests 200000
stop_zsd

echo "few pages, long in the making: compaction meets them while they are read"
start_zsd --size 2M --algorithm zstd --threads 4
run_beside --requests 200000
stop_zsd
