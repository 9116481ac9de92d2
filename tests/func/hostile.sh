#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Requests out of range and bytes that make no sense: the right error or the
# end of that one connection, and no harm to the server or its data.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require qemu-io qemu-utils
require jq jq

rawclient=$top_builddir/tests/func/rawclient

choose_seed
start_zsd --size 256M

"$rawclient" "$socket" errors
expect_at_least requests.errors "$(get_stat requests.errors)" 15
# No error of theirs is one of ours.
expect_equal io_stat.failed_reads "$(get_stat io_stat.failed_reads)" 0
expect_equal io_stat.failed_writes "$(get_stat io_stat.failed_writes)" 0

"$rawclient" "$socket" garbage "$seed" 1000
expect_status 0 qemu-io -f raw -c 'write -P 0x61 200M 1M' \
    -c 'read -P 0x61 200M 1M' "$uri"
no_connection() { [ "$(get_stat connections.open)" -eq 0 ]; }
eventually no_connection
verify_store
stop_zsd
