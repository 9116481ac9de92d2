#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# storescale writes with as many threads as it is told, and counts its locks.
set -euo pipefail

storescale=${top_builddir:?set by make check}/tests/bench/storescale
dir=$(mktemp -d "${TMPDIR:-/tmp}/storescale-test-XXXXXXXX")
trap 'rm -rf "$dir"' EXIT

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

command -v jq >"$dir/output" || fail "needs jq: apt-get install jq"

# expect JQ-CONDITION STORESCALE-OPTION...
expect() {
    local condition=$1
    shift
    "$storescale" --size 4M --seconds 0.2 "$@" >"$dir/output"
    jq -e "$condition" "$dir/output" >"$dir/holds" ||
        fail "'$*': not $condition: $(cat "$dir/output")"
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
