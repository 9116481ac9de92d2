#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# At the memory limit writes get ENOSPC and everything else goes on; what is
# trimmed makes room again.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require qemu-io qemu-utils
require nbdcopy libnbd-bin
require jq jq

limit=$((24 << 20))
disk_mib=64

# What the process really has for the store, whatever it says of itself.
expect_below_limit() {
    expect_at_most "the memory in use" "$(store_resident_bytes)" "$limit"
}

start_zsd --size "${disk_mib}M" --mem-limit "$limit" --reserve 4M
head -c "${disk_mib}M" /dev/urandom >"$dir/noise"

echo "what is written for the first time needs room for its slots: now"
qemu_io 0 'write -P 0x40 48M 8M'

echo "fill with what cannot be compressed, 1 MiB at a time, until it is full"
for ((full = 0; full < disk_mib; full++)); do
    dd if="$dir/noise" of="$dir/piece" bs=1M skip="$full" count=1 status=none
    qemu-io -f raw -c "write -s $dir/piece ${full}M 1M" "$uri" \
        >"$dir/output" 2>&1 || break
done
grep -q 'No space left on device' "$dir/output" ||
    fail "no ENOSPC after $full MiB: $(cat "$dir/output")"
echo "full after $full MiB"
# Arena, reserve and metadata share the limit: most of it goes to the data.
expect_at_least "the room for data, MiB" "$full" 16
expect_below_limit
expect_at_least "the failed writes" "$(get_stat io_stat.failed_writes)" 1

echo "what was stored before is all there"
nbdcopy "$uri" "$dir/out"
cmp -n $((full << 20)) "$dir/noise" "$dir/out"

echo "each page of the write that failed is old or new, never anything else"
for ((page = 0; page < 256; page++)); do
    at=$(((full << 20) + page * 4096))
    cmp -s -i "$at" -n 4096 "$dir/noise" "$dir/out" ||
        cmp -s -i "$at:0" -n 4096 "$dir/out" /dev/zero ||
        fail "page $page of the failed write is neither old nor new"
done

echo "same-filled pages need nothing else; overwrites that shrink succeed"
qemu_io 0 'write -P 0x41 48M 8M' 'read -P 0x41 48M 8M'
qemu_io 0 'write -P 0x42 0 1M' 'read -P 0x42 0 1M'
seq -f "line %.0f of a text" 60000 >"$dir/text"
truncate -s 1M "$dir/text"
qemu_io 0 "write -s $dir/text 1M 1M"
expect_below_limit

echo "zeroes and trims succeed and make room"
qemu_io 0 'write -z 2M 1M' 'discard 3M 5M' 'read -P 0 2M 6M'
dd if="$dir/noise" of="$dir/piece" bs=1M skip=60 count=4 status=none
qemu_io 0 "write -s $dir/piece 3M 4M"
nbdcopy "$uri" "$dir/out"
cmp -i 0:$((3 << 20)) -n $((4 << 20)) "$dir/piece" "$dir/out"
cmp -i $((8 << 20)) -n $(((full - 8) << 20)) "$dir/noise" "$dir/out"
expect_below_limit

echo "full, emptied and filled again: the same amount fits"
qemu_io 0 "discard 0 ${disk_mib}M"
expect_equal mm_stat.mem_used_total "$(get_stat mm_stat.mem_used_total)" 0
dd if="$dir/noise" of="$dir/piece" bs=1M count="$full" status=none
qemu_io 0 "write -s $dir/piece 0 ${full}M"
expect_below_limit

verify_store
stop_zsd

echo "four clients at once in a store that is full: the limit holds at any time"
start_zsd --size 64M --mem-limit "$limit" --reserve 4M
"$top_builddir/tests/bench/nbdload" --socket "$socket" --connections 4 \
    --depth 16 --mix 30:60:10 --requests 60000 --pages "$dir/noise" \
    --fresh --verify --allow-enospc >"$dir/load" 2>&1 &
load=$!
while kill -0 "$load" 2>/dev/null; do
    expect_below_limit
done
wait "$load" || fail "the load: $(cat "$dir/load")"
expect_at_least "the failed writes" "$(get_stat io_stat.failed_writes)" 1
verify_store
stop_zsd
