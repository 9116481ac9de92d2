#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# storescale writes with as many threads as it is told, and counts its locks.
set -euo pipefail
. "$(dirname "$0")/test-lib.sh"

storescale=${top_builddir:?set by make check}/tests/bench/storescale

require jq

# expect JQ-CONDITION STORESCALE-OPTION...
expect() {
    local condition=$1
    shift
    expect_json "$condition" "$storescale" --size 4M --seconds 0.2 "$@"
}

expect '.threads == 1 and .writes > 0 and .cpu_us > 0 and (has("locks") | not)
    and (.per_second * .seconds / .writes - 1 | fabs) < 0.001'
expect '.threads == 3 and .writes > 0' --threads 3 --algorithm zstd

# A page that replaces another takes its class's lock and the other's; those
# that are same-filled take none, so there may be fewer, but never many more.
expect '([.locks[] | select(.lock == "class") | .taken] | add) / .writes
    | . > 1.5 and . < 2.5' --locks
expect '[.locks[] | .hold_ns] | add > 0' --locks --threads 2

# One thread never finds a lock taken.
expect '[.locks[] | .busy] | add == 0' --locks

for wrong in --threads=0 --size=5000 --seconds=0 --algorithm=rot13 word; do
    status=0
    "$storescale" "$wrong" >"$dir/output" 2>&1 || status=$?
    [ "$status" -eq 2 ] || fail "'$wrong' exits $status: $(cat "$dir/output")"
done
