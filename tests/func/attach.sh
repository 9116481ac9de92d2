#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# zsctl attach, detach, up and down, as far as they go without a kernel that has nbd: the
# handshake with zsd and with other servers, and what is refused. The rest is
# tests/vm/attach-run.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdkit nbdkit
require qemu-nbd qemu-utils

greet=$top_builddir/tests/func/greet
patient_ms=$((patience * 1000))

# No machine has that many.
device=/dev/nbd1048575

# expect_greeting STATUS TEXT SOCKET EXPORT [TIMEOUT-MS]: a pattern.
expect_greeting() {
    expect_status "$1" "$greet" "$3" "$4" "${5:-$patient_ms}"
    [[ $(<"$dir/output") =~ $2 ]] ||
        fail "the greeting of '$4' is '$(<"$dir/output")', not '$2'"
}

expect_said() {
    grep -qF -- "$1" "$dir/output" ||
        fail "'$1' is not in what it said: $(cat "$dir/output")"
}

echo "the handshake with zsd"
start_zsd --size 64M --export fast --export 'dense ä,size=1G' \
    --export frozen,read-only
expect_greeting 0 '^67108864 0x[0-9a-f]+ 1$' "$socket" fast
expect_greeting 0 '^1073741824 0x[0-9a-f]+ 1$' "$socket" 'dense ä'
expect_greeting 0 '^67108864 0x[0-9a-f]*[37bf] 1$' "$socket" frozen
expect_greeting 0 '^67108864 ' "$socket" ''
expect_greeting 1 'no export of that name' "$socket" slow
expect_greeting 1 'no export of that name' "$socket" \
    "$(printf '%4096s' x | tr ' ' x)"
expect_greeting 1 'such a long name' "$socket" "$(printf '%4097s' x | tr ' ' x)"

echo "a socket of another kind is given up"
expect_greeting 1 'in time' "$control" fast 100

echo "the handshake with others"
nbdkit -U "$dir/nbdkit.sock" -P "$dir/nbdkit.pid" --exit-with-parent \
    -f memory 32M &
eventually test -s "$dir/nbdkit.pid"
expect_greeting 0 '^33554432 ' "$dir/nbdkit.sock" ''
truncate -s 16M "$dir/disk"
qemu-nbd -t -k "$dir/qemu.sock" -f raw -x disk --pid-file="$dir/qemu.pid" \
    "$dir/disk" &
eventually test -s "$dir/qemu.pid"
expect_greeting 0 '^16777216 ' "$dir/qemu.sock" disk
expect_greeting 1 'no export of that name' "$dir/qemu.sock" ''
kill "$(<"$dir/nbdkit.pid")" "$(<"$dir/qemu.pid")"
wait "$(jobs -p %nbdkit)" "$(jobs -p %qemu-nbd)" || true

echo "what is refused"
expect_status 1 ctl attach "$device" --socket "$socket"
expect_said "there is no $device"
expect_said modprobe
expect_status 1 ctl detach "$device"
expect_said "$device is not attached"
for name in /dev/sda nbd nbd1p1 '' /dev/nbd1048576; do
    expect_status 2 ctl attach "$name"
    expect_said "'$name' is no nbd device"
    expect_status 2 ctl detach "$name"
done
for option in --connections=0 --connections=17 --connections=x \
    --dead-timeout=86401 --dead-timeout=-1; do
    expect_status 2 ctl attach "$option"
    expect_said "must be a number"
done
expect_status 2 ctl attach "$device" "$device"
expect_said 'takes no argument'
for size in 0 many -4G 4GB; do
    expect_status 2 ctl up -- "$size"
    expect_said "'$size' is no size"
done
expect_status 2 ctl up --device=/dev/sda
expect_said "'/dev/sda' is no nbd device"
expect_status 2 ctl down 4G
expect_said 'takes no argument'
expect_status 2 ctl stats "$device"
expect_said 'takes no argument'
expect_status 2 ctl detach --connections=2
expect_said 'does not take --connections'
stop_zsd
