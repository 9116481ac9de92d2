#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bytes that make no sense: an error or the end of that one connection, and no
# harm to the server or its data. Requests that are wrong are in conform.sh.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require qemu-io qemu-utils
require jq jq

rawclient=$top_builddir/tests/func/rawclient

choose_seed
start_zsd --size 256M

"$rawclient" "$socket" garbage "$seed" 1000
expect_status 0 qemu-io -f raw -c 'write -P 0x61 200M 1M' \
    -c 'read -P 0x61 200M 1M' "$uri"
no_connection() { [ "$(get_stat connections.open)" -eq 0 ]; }
eventually no_connection
verify_store
stop_zsd
