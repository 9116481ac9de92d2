#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The system has no memory for the store: what needs some is ENOSPC at once,
# everything else goes on, and when there is memory again it is used.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require qemu-io qemu-utils
require nbdcopy libnbd-bin
require jq jq

zsd_environment=(
    "LD_PRELOAD=$top_builddir/tests/func/fault.so"
    "FAULT_MEMORY=$dir/no-memory"
)

write_noise() { # STATUS MIB
    dd if="$dir/noise" of="$dir/piece" bs=1M skip="$2" count=1 status=none
    qemu_io "$1" "write -s $dir/piece ${2}M 1M"
}

start_zsd --size 32M --reserve 4M
head -c 32M /dev/urandom >"$dir/noise"
# Slots of all 2 MiB parts of the disk have memory then.
for ((i = 0; i < 32; i += 2)); do
    qemu_io 0 "write -P 0x42 $((i + 1))M 4096"
done
for ((i = 0; i < 4; i++)); do
    write_noise 0 "$i"
done

echo "no memory: writes are refused as soon as the reserve is used up"
touch "$dir/no-memory"
for ((full = 4; full < 16; full++)); do
    dd if="$dir/noise" of="$dir/piece" bs=1M skip="$full" count=1 status=none
    qemu-io -f raw -c "write -s $dir/piece ${full}M 1M" "$uri" \
        >"$dir/output" 2>&1 || break
done
grep -q 'No space left on device' "$dir/output" ||
    fail "no ENOSPC after $full MiB: $(cat "$dir/output")"
echo "refused from $full MiB on"
expect_at_least "what the reserve had room for, MiB" "$full" 6
for ((i = full + 1; i < 32; i++)); do
    write_noise 1 "$i"
    grep -q 'No space left on device' "$dir/output" ||
        fail "another error than ENOSPC: $(cat "$dir/output")"
done

echo "what was stored before is all there; trims and zeroes succeed"
nbdcopy "$uri" "$dir/out"
cmp -n $((full << 20)) "$dir/noise" "$dir/out"
verify_store
qemu_io 0 'write -P 0x41 0 1M' 'discard 1M 512K' 'write -z 1536K 512K' \
    'read -P 0x41 0 1M' 'read -P 0 1M 1M'

echo "and make room"
dd if="$dir/noise" of="$dir/piece" bs=1M skip=20 count=1 status=none
qemu_io 0 "write -s $dir/piece 1M 1M"
nbdcopy "$uri" "$dir/out"
cmp -i 0:$((1 << 20)) -n $((1 << 20)) "$dir/piece" "$dir/out"

echo "with memory again, the next write succeeds, and all the others"
rm "$dir/no-memory"
for ((i = 2; i < 32; i++)); do
    write_noise 0 "$i"
done
nbdcopy "$uri" "$dir/out"
cmp -i $((2 << 20)) "$dir/noise" "$dir/out"
verify_store
stop_zsd
