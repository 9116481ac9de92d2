#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# compactcost trims and compacts what it says it does, and says what that comes
# to.
set -euo pipefail
. "$(dirname "$0")/test-lib.sh"

bench=${top_builddir:?set by make check}/tests/bench

cost() { # COMPACTCOST-OPTION...
    "$bench/compactcost" --rounds 2 --size 4M "$@"
}

# expect JQ-CONDITION COMPACTCOST-OPTION...
expect() {
    local condition=$1
    shift
    expect_json "$condition" cost "$@"
}

require jq

# Objects that are moved, and pages that have none.
yes "a line that repeats" | head -c 64K >"$dir/lines" || [ -s "$dir/lines" ]
head -c 64K /dev/urandom >"$dir/random"
head -c 64K /dev/zero >"$dir/zeros"

expect '.objects_moved > 100 and .pages_freed > 0 and .cpu_ms > 0
    and .objects_per_second > 0' --pages "$dir/lines"
expect '.objects_moved == 0 and .pages_freed == 0' \
    --pages "$dir/random" --pages "$dir/zeros"
expect '.pool_per_compressed_byte > 1' --chain-size 8 --algorithm zstd:3

for wrong in --algorithm=rot13 --size=5000 --trim=100 --chain-size=17 word; do
    status=0
    cost "$wrong" >"$dir/output" 2>&1 || status=$?
    [ "$status" -eq 2 ] || fail "'$wrong' exits $status: $(cat "$dir/output")"
done
