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
start_zsd --size 16M --threads 2
"$top_builddir/tests/func/rawclient" "$socket" order "$seed" "$connections" \
    $((requests / connections))
expect_equal requests.errors "$(get_stat requests.errors)" 0
expect_at_least requests.overtakes "$(get_stat requests.overtakes)" \
    $((requests / 100))
verify_store
stop_zsd
