#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a large disk takes follows what is stored on it, not its size: next to
# nothing before the first write, and then 8 bytes a page of those 2 MiB of it
# that are written to, and a byte a page of those 16 MiB.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require qemu-io qemu-utils
require jq jq

places=64 # one in each GiB
tables=$((96 << 10)) # handles come 64 KiB at a time, descriptors 16

start_zsd --size "${places}G"
resident=$(get_stat resident_bytes)
shared=$(store_resident_bytes)
metadata=$(get_stat memory.metadata_bytes)
reserve=$(get_stat memory.reserve_bytes)
echo "empty: $resident bytes resident, of them a reserve of $reserve" \
    "and $metadata of tables"
# Sanitizers need more than zsd does, but none in the image.
expect_at_most "resident memory before the first write" \
    "$resident" $((200 << 20))
expect_at_most "resident memory of the image" "$shared" \
    $((reserve + metadata))
expect_at_most "tables before the first write" "$metadata" "$tables"

# A page that is not the same all over, so that it becomes an object.
for ((i = 0; i < places; i++)); do
    echo "write -P 1 ${i}G 2048"
    echo "write -P 2 $((i * (1 << 30) + 2048)) 2048"
done >"$dir/writes"
qemu-io -f raw "$uri" <"$dir/writes" >"$dir/output" 2>&1 ||
    fail "writing: $(tail "$dir/output")"

expect_equal "bytes stored" "$(get_stat mm_stat.orig_data_size)" \
    $((places * 4096))
echo "after one page in each GiB: $(get_stat memory.metadata_bytes) of tables"
expect_at_least "tables after $places writes" \
    "$(get_stat memory.metadata_bytes)" $((metadata + places * 2 * 4096))
expect_at_most "tables after $places writes" \
    "$(get_stat memory.metadata_bytes)" $((places * 2 * 4096 + tables))
expect_at_most "resident memory of the image after $places writes" \
    "$(store_resident_bytes)" \
    $((reserve + places * (2 * 4096 + 4096) + tables))
verify_store
stop_zsd
