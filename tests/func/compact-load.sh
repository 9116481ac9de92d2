#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Compaction and verification beside a full load: no read returns wrong bytes,
# and what is checked is whole at all times.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require jq jq

choose_seed
start_zsd --size 128M
"$top_builddir/tests/bench/nbdload" --socket "$socket" --seed "$seed" \
    --connections 4 --depth 8 --mix 40:30:30 --requests 200000 \
    --fresh --verify >"$dir/load" 2>&1 &
load=$!
rounds=0
while kill -0 "$load" 2>/dev/null; do
    ctl compact >/dev/null
    verify_store
    rounds=$((rounds + 1))
done
wait "$load" || fail "the load: $(cat "$dir/load")"
echo "$rounds rounds of compaction and verification"
expect_at_least "the rounds beside the load" "$rounds" 3
expect_at_least mm_stat.pages_compacted \
    "$(get_stat mm_stat.pages_compacted)" 1
verify_store
stop_zsd
