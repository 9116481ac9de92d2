#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# No client notices that its server is killed, thousands of times, over a Unix
# socket and over TCP.
#
# ZSD_TORTURE_KILLS=N: so many in all, instead of what make check has time for.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

kills=${ZSD_TORTURE_KILLS:-5000}

choose_seed
for address in "$dir/torture.sock" 127.0.0.1:0; do
    "$top_builddir/tests/func/torture" "$top_builddir/tests/func/rawclient" \
        "$address" "$seed" $((kills / 2))
done
