#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Requests that overlap take effect in the order of sending, and a flush comes
# after the changes before it, on connections with up to 200 requests under way.
#
# ZSD_ORDER_REQUESTS=N: so many in all, instead of what make check has time for.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require jq jq

requests=${ZSD_ORDER_REQUESTS:-80000}
connections=4

choose_seed

# in_order CONNECTIONS REQUESTS OPTION...
in_order() {
    start_zsd --size 16M --threads 2 "${@:3}"
    "$top_builddir/tests/func/rawclient" "$socket" order "$seed" "$1" \
        $(($2 / $1))
    expect_equal requests.errors "$(get_stat requests.errors)" 0
    expect_at_least requests.overtakes "$(get_stat requests.overtakes)" \
        $(($2 / 100))
    verify_store
}

in_order "$connections" "$requests"
stop_zsd

echo "a worker that has nothing to do helps the other one"
in_order 1 $((requests / 4)) --algorithm zstd:12
if (($(nproc) > 1)); then
    expect_at_least requests.helped_pages \
        "$(get_stat requests.helped_pages)" 1
fi
stop_zsd
