#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Started with sockets that listen already (LISTEN_FDS), by a client and as
# systemd does it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdinfo libnbd-bin
require nbdcopy libnbd-bin
require qemu-io qemu-utils

if ! grep -q '^#define HAVE_SYSTEMD 1' "$top_builddir/config.h"; then
    echo "built without libsystemd: sockets that are passed are not listened to"
    expect_status 1 "$top_builddir/tests/func/activate" "nbd=$socket" -- \
        "$zsd" --size 16M
    grep -q 'nothing to listen on' "$dir/output" || fail "it does not say why"
    exit 0
fi

echo "by libnbd"
expect_equal "the size" "$(nbdinfo --size -- [ "$zsd" --size 64M ])" 67108864
nbdcopy -- [ "$zsd" --size 1M ] "$dir/zeros"
cmp -n $((1 << 20)) "$dir/zeros" /dev/zero
head -c 1M /dev/urandom >"$dir/noise"
nbdcopy -- "$dir/noise" [ "$zsd" --size 1M ]

echo "by a manager of sockets, with one for NBD and one for control"
"$top_builddir/tests/func/activate" "nbd=$socket" "control=$control" -- \
    "$zsd" --size 16M 2>"$log" &
zsd_pid=$!
# The sockets are there before zsd is: clients need not wait for it.
eventually test -S "$control"
expect_status 0 qemu-io -f raw -c 'write -P 0x31 0 1M' -c 'read -P 0x31 0 1M' \
    "$uri"
expect_status 0 ctl stats
verify_store
stop_zsd
if [ ! -S "$socket" ] || [ ! -S "$control" ]; then
    fail "zsd removed sockets that are not its own"
fi
