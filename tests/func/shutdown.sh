#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The end in the middle of things: requests under way are finished, and zsd ends
# cleanly, again and again.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require jq jq

is_loaded() {
    [ "$(get_stat requests.write)" -gt 500 ]
}

for round in 1 2 3 4 5; do
    start_zsd --size 64M --threads $((round % 3 + 1)) --stop-timeout 1
    "$top_builddir/tests/bench/nbdload" --socket "$socket" --connections 4 \
        --depth 16 --mix 40:50:10 --seconds 60 --verify >"$dir/load" 2>&1 &
    load=$!
    eventually is_loaded
    stop_attached_zsd
    # It reports the end of its connections, not wrong bytes.
    status=0
    wait "$load" || status=$?
    expect_equal "the status of the load" "$status" 1
    ! grep -q 'wrong bytes' "$dir/load" || fail "$(cat "$dir/load")"
    [ ! -e "$socket" ] || fail "the socket is still there"
done
