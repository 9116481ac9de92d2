#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sockets that take and give a few bytes at a time, and calls that are
# interrupted: the clients read what they wrote, as if nothing were the matter.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdcopy libnbd-bin
require jq jq

choose_seed
zsd_environment=(
    "LD_PRELOAD=$top_builddir/tests/func/fault.so"
    "FAULT_IO=$seed"
    "FAULT_LOG=$dir/faults"
)
start_zsd --size 64M --threads 2

"$top_builddir/tests/bench/nbdload" --socket "$socket" --connections 4 \
    --depth 16 --mix 45:45:10 --requests 40000 --fresh --verify \
    --seed "$seed" >/dev/null
"$top_builddir/tests/bench/nbdload" --socket "$socket" --connections 2 \
    --depth 4 --block-bytes 256K --mix 50:50:0 --requests 400 --verify \
    --seed "$seed" >/dev/null
grep -q io "$dir/faults" || fail "no call was disturbed"

head -c 40M /dev/urandom >"$dir/in"
nbdcopy --request-size=33554432 "$dir/in" "$uri"
nbdcopy --request-size=33554432 "$uri" "$dir/out"
cmp -n $((40 << 20)) "$dir/in" "$dir/out"

for ((i = 0; i < 20; i++)); do
    expect_equal requests.errors "$(get_stat requests.errors)" 0
    ctl --json stats --classes >/dev/null
done
verify_store
stop_zsd
