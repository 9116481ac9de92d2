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

echo "whatever is named \"control\" is for zsctl alone, however many there are"
# with_controls NUMBER NAME=PATH... -- OPTION...
with_controls() {
    local sockets=() i

    for ((i = 0; i < $1; i++)); do
        sockets+=("control=$dir/control$i")
    done
    shift
    while [ "$1" != -- ]; do
        sockets+=("$1")
        shift
    done
    shift
    rm -f "$socket" "$control" "$dir"/control[0-9]*
    exec "$top_builddir/tests/func/activate" "${sockets[@]}" -- \
        "$zsd" --size 16M "$@"
}

expect_controls() { # NUMBER
    local i

    for ((i = 0; i < $1; i++)); do
        expect_status 0 "$zsctl" --control "$dir/control$i" stats
        "$top_builddir/tests/func/rawclient" "$dir/control$i" cat \
            </dev/null >"$dir/greeting"
        [ ! -s "$dir/greeting" ] || fail "control socket $i greets for NBD"
    done
}

for nr in 1 2 5 16; do
    : >"$log"
    (with_controls "$nr" "nbd=$socket" --) 2>"$log" &
    zsd_pid=$!
    eventually is_ready_or_gone
    expect_controls "$nr"
    expect_equal "the size" "$(nbdinfo --size "$uri")" $((16 << 20))
    stop_zsd
done

echo "beside a socket of zsd's own"
: >"$log"
(with_controls 3 -- --socket "$socket") 2>"$log" &
zsd_pid=$!
eventually is_ready_or_gone
expect_controls 3
expect_equal "the size" "$(nbdinfo --size "$uri")" $((16 << 20))
[ ! -e "$control" ] || fail "there is another control socket"
stop_zsd

echo "but not alone, nor too many"
for nr in 1 2; do
    status=0
    (with_controls "$nr" --) >"$dir/output" 2>&1 || status=$?
    expect_equal "the status" "$status" 1
    grep -q 'nothing to listen on' "$dir/output" || fail "$(cat "$dir/output")"
done
status=0
(with_controls 17 "nbd=$socket" --) >"$dir/output" 2>&1 || status=$?
expect_equal "the status" "$status" 1
grep -q 'LISTEN_FDS: at most 16' "$dir/output" || fail "$(cat "$dir/output")"
